"""The acceptance test of clusters: three primaries and three replicas under load, to which by chance everything happens that happens to
clusters. After each event the tool's sums and the exporter's are those that SCAN, MEMORY USAGE, CLIENT LIST and the ledger give.

    pytest tests/integration/test_fleet_truth.py --steps 5000 --seed 7       # forty events
"""

import collections
import json
import re
import time

import pytest

from fleet import COUNTED, KEEPER, TENANTS, Fleet, address
from fleet_events import EVENTS, events
from monitoring import deployed, prometheus
from tool import tool
from waiting import wait_until

pytestmark = pytest.mark.newest_server("one version of the cluster's protocol is enough; the module's own tests have the others")

STEPS_PER_EVENT = 125
SCRAPE_SECONDS = 2
WINDOW_SECONDS = 20  # of rates
OF_TENANTS = f"""{{tenant=~"{'|'.join(TENANTS)}"}}"""
NUMBERS = ["keys", "bytes", "connections", *COUNTED]
KINDS = {"reads": "read", "writes": "write", "scripts": "script"}  # in metrics


@pytest.fixture
def fleet(launch, seed):
    if launch(loading=None).version < (9, 0):
        pytest.skip("CLUSTER MIGRATESLOTS came with 9.0")
    fleet = Fleet(launch, seed)
    for _ in range(10):
        fleet.work(100)
    fleet.keep(100)
    yield fleet
    for node in list(fleet.missing):
        if node.process.poll() is None:  # who hangs can't be ended politely
            fleet.go_on(node)


class Watch:
    """Compares what the tool and the exporter say of a fleet with the truth."""

    def __init__(self, fleet, export):
        self.fleet, self.compared = fleet, 0
        self.exporter = export(fleet.members[1].port, connection=["-c", "-t", "1"], options=["--web.history-interval", "0"])

    def __call__(self, what):
        fleet = self.fleet
        fleet.come_and_go()
        fleet.settle()
        sums, by_node = fleet.truth()
        self._list(what, sums)
        self._show(what, sums, by_node)
        self._metrics(what, by_node)
        self._page(what, sums)
        assert fleet.drift() == {}, what
        self.compared += 1

    def _ask(self, *command):
        """The tool's JSON, from any node, and its complaints. A busy node may miss the time-out; what is dead or hangs can't be there."""
        fleet = self.fleet
        timeout = ("-t", 1) if fleet.missing else ()

        def asked():
            result = tool(*timeout, "-c", "-p", fleet.chance.choice(fleet.reachable()).port, *command, "-o", "json")
            seen = json.loads(result.out) if result.code in (0, 1) else {"nodes": []}
            down = {node["address"] for node in seen["nodes"] if not node["up"]}
            return (seen, result) if down == set(map(address, fleet.missing)) and seen["nodes"] else None

        seen, result = wait_until(asked, f"only {fleet.missing} to be down")
        assert {node["address"] for node in seen["nodes"]} == set(map(address, fleet.members))
        assert (seen["complete"], result.code) == ((False, 1) if fleet.missing else (True, 0)), result.err
        for node in fleet.missing:
            assert f"incomplete, without {address(node)}: " in result.err
        return seen

    def _compare(self, what, rows, sums):
        """Where a part of a slot has arrived, memory may be an estimate: not without saying so."""
        names = [name for name in NUMBERS if name != "bytes"]
        assert {tenant: {name: rows[tenant].get(name) for name in names} for tenant in sums} == {tenant: {name: sums[tenant][name] for name in names} for tenant in sums}, what
        known = {tenant: rows[tenant] for tenant in sums if "bytes_error" in rows[tenant]}
        assert all(row["bytes_error"] == 0 for row in known.values()) and (len(known) == len(sums) or self.fleet.importing), f"{what}: {known}"
        assert {tenant: row["bytes"] for tenant, row in known.items()} == {tenant: sums[tenant]["bytes"] for tenant in known}, what

    def _list(self, what, sums):
        seen = self._ask("list")
        self._compare(f"{what}: list, truth", {row["name"]: row for row in seen["rows"]}, sums)
        assert seen["keys_mode"] == "exact", what
        sources = {node["address"] for node in seen["nodes"] if node.get("data_source")}
        assert sources == set(map(address, self.fleet.placed("primary"))), what

    def _show(self, what, sums, by_node):
        tenant = self.fleet.chance.choice(TENANTS)
        shown = self._ask("show", tenant)
        self._compare(f"{what}: show, truth", {tenant: shown}, {tenant: sums[tenant]})
        told = {node["address"]: node["tenant"]["keys"] for node in shown["nodes"] if node.get("data_source")}
        assert told == {address(node): by_node[tenant, node]["keys"] for node in self.fleet.placed("primary")}, what

    def _metrics(self, what, by_node):
        fleet = self.fleet
        expected = {address(node): float(node not in fleet.missing) for node in fleet.members}
        up = lambda page: {dict(labels)["node"]: value for labels, value in page.samples["valkey_tenant_up"].items()}  # noqa: E731
        pages = []

        def right_ones():
            pages.append(self.exporter.metrics())
            return up(pages[-1]) == expected

        wait_until(right_ones, lambda: f"{expected} to be up: {up(pages[-1])}")
        page, wrong = pages[-1], {}
        is_source = {dict(labels)["node"]: value for labels, value in page.samples["valkey_tenant_node_data_source"].items()}
        assert {name for name, value in is_source.items() if value} == set(map(address, fleet.placed("primary"))), what
        assert page.one("valkey_tenant_data_complete") == fleet.is_whole(), what
        for (tenant, node), numbers in by_node.items():
            labels = {"tenant": tenant, "node": address(node)}
            told = {"connections": page.of("valkey_tenant_connections", **labels), "commands": [sum(page.of("valkey_tenant_commands_total", **labels))]}
            told.update({name: page.of("valkey_tenant_commands_total", kind=kind, **labels) for name, kind in KINDS.items()})
            if is_source[address(node)]:
                told["keys"] = page.of("valkey_tenant_keys", **labels)
                told.update({"bytes": page.of("valkey_tenant_memory_bytes", **labels)} if node is not fleet.importing else {})
            wrong.update({(name, *labels.values()): (value, numbers[name]) for name, value in told.items() if value != [numbers[name]]})
        assert not wrong, f"{what}: metrics, truth"
        for node in fleet.missing:
            assert not any(page.of(f"valkey_tenant_{metric}", node=address(node)) for metric in ("keys", "connections", "commands_total")), "stale"

    def _page(self, what, sums):
        """It remembers when a node was up last."""
        fleet = self.fleet
        seen = wait_until(lambda: self._json(), "the page to tell of who is missing, and of nobody else")
        self._compare(f"{what}: page, truth", {row["name"]: row for row in seen["rows"]}, sums)
        for node, since in fleet.missing.items():
            [line] = [line for line in seen["incomplete"] if line.startswith(f"{address(node)}: ")]
            age = int(re.search(r", last answer (\d+) s ago$", line)[1])
            assert age >= int(seen["taken_unix_seconds"] - since), f"{what}: {line}"

    def _json(self):
        seen = json.loads(self.exporter.text("/tenants?format=json"))
        return seen if {node["node"] for node in seen["nodes"] if not node["up"]} == set(map(address, self.fleet.missing)) else None


def test_sums_over_a_fleet_are_the_truth_whatever_happens_to_it(fleet, export, request):
    look = Watch(fleet, export)
    look("at the beginning")
    for event in events(fleet, request.config.getoption("steps") // STEPS_PER_EVENT):
        name = event.__name__.replace("_", " ")
        print(name)
        event(fleet, lambda what: look(f"{name}: {what}"))
        fleet.learn()
        fleet.work()
        look(f"after {name}")
    print(f"{look.compared} comparisons")


class Storage:
    """A Prometheus with the rules that are installed, but that alerts need not last for minutes."""

    def __init__(self, fleet, storage):
        self.fleet, self.storage, self.gaps = fleet, storage, []

    def sums(self):
        return self.storage.values("tenant:valkey_tenant_keys:sum")

    def firing(self):
        return self.storage.values('ALERTS{alertname="ValkeyTenantNodeDown",alertstate="firing"}', "node")

    def after_scrapes(self, count):
        begun = time.time()
        wait_until(lambda: self.storage.scraped_since(begun + (count - 1) * SCRAPE_SECONDS), f"{count} scrapes")

    def look(self, what):
        """What lasts is seen: who is missing fires an alert; while the sums lack keys, there are none."""
        fleet = self.fleet
        fleet.learn()
        missing = set(map(address, fleet.missing))
        wait_until(lambda: missing <= set(self.firing()), lambda: f"{what}: alerts for {missing}, {self.firing()}")
        complete = float(fleet.is_whole())
        wait_until(lambda: [value for _, value in self.storage.query("valkey_tenant_data_complete")] == [complete], f"{what}: data_complete to be {complete}")
        if not complete:
            wait_until(lambda: not self.sums(), f"{what}: the sums to be absent")
            begun = time.time()
            self.after_scrapes(2)
            self.gaps.append((begun, time.time()))

    def at_rest(self, what):
        sums = {tenant: numbers["keys"] for tenant, numbers in self.fleet.truth()[0].items()}
        told = lambda: {tenant: self.sums().get(tenant) for tenant in TENANTS}  # noqa: E731
        wait_until(lambda: told() == sums, lambda: f"{what}: Prometheus {told()}, truth {sums}")
        wait_until(lambda: not self.firing(), lambda: f"{what}: no alert, {self.firing()}")

    def at_most(self, seconds, begin, end):
        """{(tenant, node, moment): what rate() over so many seconds may say}. It knows what happened between the first and the last of n
        samples, and takes it for what happened from up to 1.1 gaps before to 1.1 after: up to 1 + 2.2/(n - 1) times as much. A sample is
        at most one scrape interval younger than it says, and 2 ms older."""
        counts = self.storage.history(f"min by (tenant, node) (count_over_time(valkey_tenant_commands_total{OF_TENANTS}[{seconds}s]))", begin, end)
        sent = {moment: self.fleet.sent_between(moment - seconds - 0.01, moment + SCRAPE_SECONDS) for moment in {moment for _, series in counts for moment, _ in series}}
        most = {(labels["tenant"], labels["node"], moment): (n, sent[moment]) for labels, series in counts for moment, n in series}
        return {key: sent[key[:2]] * (1 + 2.2 / (n - 1)) / seconds for key, (n, sent) in most.items() if n > 1}

    def rates_above_the_truth(self, begin, end):
        """Of each node over a short time, and what the rules record of all."""
        short = self.at_most(WINDOW_SECONDS, begin, end)
        rates = self.storage.history(f"sum by (tenant, node) (rate(valkey_tenant_commands_total{OF_TENANTS}[{WINDOW_SECONDS}s]))", begin, end)
        found = [((labels["tenant"], labels["node"], moment), rate, short) for labels, series in rates for moment, rate in series]
        of_all = collections.Counter()
        for (tenant, _, moment), most in self.at_most(300, begin, end).items():
            of_all[tenant, moment] += most
        [rule] = [rule["query"] for rule in self.storage.rules("recording") if rule["name"] == "tenant:valkey_tenant_commands:rate5m"]
        rates = self.storage.history(rule, begin, end)
        found += [((labels["tenant"], moment), rate, of_all) for labels, series in rates for moment, rate in series if labels["tenant"] in TENANTS]
        assert {key[0] for key, rate, _ in found if rate > 0 and len(key) == 3} == {key[0] for key, rate, _ in found if rate > 0 and len(key) == 2} == set(TENANTS)
        print(f"{len(found)} rates, at most {max(rate / most[key] for key, rate, most in found if rate):.0%} of what they may be")
        return [(key, rate, most[key]) for key, rate, most in found if rate > most[key] * (1 + 1e-9)]

    def steps_down(self, begin, end):
        """Of the keeper's keys, but for those that moved within what two scrapes tell of."""
        [(_, series)] = self.storage.history(f'tenant:valkey_tenant_keys:sum{{tenant="{KEEPER}"}}', begin, end)
        steps = []
        for (before, more), (moment, less) in zip(series, series[1:]):
            moved = sum(move.keys for move in self.fleet.moves if move.ended >= before - 2 * SCRAPE_SECONDS and move.begun <= moment + SCRAPE_SECONDS)
            steps += [(before, more, moment, less, moved)] if more - less > moved else []
        return steps


@pytest.mark.long
def test_in_prometheus_rates_are_never_above_the_true_ones_sums_make_no_step_and_gaps_and_alerts_show(fleet, export, tmp_path):
    exporter = export(fleet.members[1].port, connection=["-c"], options=["--web.history-interval", "0"])
    (tmp_path / "rules.yml").write_text(deployed("prometheus/rules.yml", {}))
    (tmp_path / "alerts.yml").write_text(deployed("prometheus/alerts.yml", {"for: 2m": "for: 2s"}))
    config = deployed("prometheus/prometheus.yml", {"/etc/prometheus/valkey-tenants": str(tmp_path), "127.0.0.1:10911": f"127.0.0.1:{exporter.port}"})
    with prometheus(tmp_path, config, SCRAPE_SECONDS) as storage:
        begin, seen = time.time(), Storage(fleet, storage)
        for event in events(fleet, len(EVENTS)):
            name = event.__name__.replace("_", " ")
            print(name)
            fleet.keep(20)
            fleet.settle()
            seen.at_rest(f"before {name}")
            event(fleet, lambda what: seen.look(f"{name}: {what}"))
            fleet.learn()
            fleet.work()
        fleet.settle()
        seen.at_rest("at the end")
        end = time.time()
        assert not seen.rates_above_the_truth(begin, end), "(tenant, node, moment), rate, at most"
        assert not seen.steps_down(begin, end)
        assert seen.gaps and not any(storage.history("tenant:valkey_tenant_keys:sum", *gap) for gap in seen.gaps), "sums that lack keys"
        assert set(storage.values('count by (alertname) (count_over_time(ALERTS{alertstate="firing"}[1h]))', "alertname")) == {"ValkeyTenantNodeDown"}
