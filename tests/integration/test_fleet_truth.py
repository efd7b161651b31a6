"""The acceptance test of clusters: three primaries and three replicas under load, to which by chance everything happens that happens to
clusters. After each event the tool's sums and the exporter's are those that SCAN, MEMORY USAGE, CLIENT LIST and the ledger give.

    pytest tests/integration/test_fleet_truth.py --steps 5000 --seed 7       # fifty events
"""

import json
import re

import pytest

import truth
from fleet import COUNTED, TENANTS, TIMEOUT_MSEC, Fleet, slots_of
from tool import ok, tool
from waiting import wait_until

pytestmark = pytest.mark.newest_server("one version of the cluster's protocol is enough; the module's own tests have the others")

STEPS_PER_EVENT = 100
NUMBERS = ["keys", "bytes", "connections", *COUNTED]
KINDS = {"reads": "read", "writes": "write", "scripts": "script"}  # in metrics


def address(node):
    return f"127.0.0.1:{node.port}"


@pytest.fixture
def fleet(launch, seed):
    if launch(loading=None).version < (9, 0):
        pytest.skip("CLUSTER MIGRATESLOTS came with 9.0")
    fleet = Fleet(launch, seed)
    for _ in range(10):
        fleet.work(100)
    return fleet


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


# Events. Each works while it happens, and looks while it lasts.


def some_replica(fleet):
    return fleet.chance.choice(fleet.placed("replica"))


def is_primary(node):
    return b"role:master" in node.admin.call("INFO", "replication")


def take_over(fleet, replica, *how):
    """CLUSTER FAILOVER, under load. An election that fails is repeated after four times this time-out."""
    replica.admin.call("CONFIG", "SET", "cluster-node-timeout", 1000)
    replica.admin.call("CLUSTER", "FAILOVER", *how)
    fleet.wait(lambda: is_primary(replica), "the replica to take over")
    replica.admin.call("CONFIG", "SET", "cluster-node-timeout", TIMEOUT_MSEC)


def failover(fleet, look):
    take_over(fleet, some_replica(fleet))


def failover_of_a_hanging_primary(fleet, look, how):
    replica = some_replica(fleet)
    primary = fleet.primary_of(replica)
    fleet.hang(primary)
    look(f"{how}: the primary hangs")
    take_over(fleet, replica, how)
    look(f"{how}: replaced, and hangs")
    fleet.go_on(primary)


def force(fleet, look):
    failover_of_a_hanging_primary(fleet, look, "FORCE")


def takeover(fleet, look):
    if fleet.chance.random() < 0.5:
        return take_over(fleet, some_replica(fleet), "TAKEOVER")
    return failover_of_a_hanging_primary(fleet, look, "TAKEOVER")


def a_primary_dies(fleet, look):
    """Its replica takes over when all have noticed; then it comes back."""
    replica = some_replica(fleet)
    primary = fleet.primary_of(replica)
    fleet.kill(primary)
    look("dead")
    for node in fleet.reachable():
        node.admin.call("CONFIG", "SET", "cluster-node-timeout", 2000)
    replica.admin.call("CONFIG", "SET", "cluster-replica-no-failover", "no")
    fleet.wait(lambda: is_primary(replica), "the replica to take over")
    replica.admin.call("CONFIG", "SET", "cluster-replica-no-failover", "yes")
    for node in fleet.reachable():
        node.admin.call("CONFIG", "SET", "cluster-node-timeout", TIMEOUT_MSEC)
    look("dead and replaced")
    fleet.start_again(primary)


def a_node_hangs(fleet, look):
    node = fleet.chance.choice(fleet.members)
    fleet.hang(node)
    look("hangs")
    fleet.wait(lambda: True, "the others to go on")
    fleet.go_on(node)


def legacy_migration(fleet, look):
    source, target = fleet.chance.sample(fleet.placed("primary"), 2)
    if not slots_of(fleet.places[source]):
        source, target = target, source
    move(fleet, source, target, look)


def used_slots(fleet, node, most):
    slots = [slot for slot in slots_of(fleet.places[node]) if node.admin.call("CLUSTER", "COUNTKEYSINSLOT", slot)]
    return fleet.chance.sample(slots, min(most, len(slots)))


def move(fleet, source, target, look=None, most=3):
    """As valkey-cli does it."""
    for slot in used_slots(fleet, source, most):
        target.admin.call("CLUSTER", "SETSLOT", slot, "IMPORTING", fleet.id_of(source))
        source.admin.call("CLUSTER", "SETSLOT", slot, "MIGRATING", fleet.id_of(target))
        half = source.admin.call("CLUSTER", "GETKEYSINSLOT", slot, 10)
        source.admin.call("MIGRATE", "127.0.0.1", target.port, "", 0, 60_000, "KEYS", *half)
        if look:
            fleet.importing = target
            look("a part of a slot has moved")
            fleet.importing = look = None

        def all_moved():
            keys = source.admin.call("CLUSTER", "GETKEYSINSLOT", slot, 1000)
            return not keys or source.admin.call("MIGRATE", "127.0.0.1", target.port, "", 0, 60_000, "KEYS", *keys) and False

        fleet.wait(all_moved, "the slot to be empty")
        for node in (target, source, *(each for each in fleet.placed("primary") if each not in (source, target))):
            node.admin.call("CLUSTER", "SETSLOT", slot, "NODE", fleet.id_of(target), "TIMEOUT", 60_000)


def atomic_migration(fleet, look):
    source = fleet.chance.choice(fleet.sources())
    target = fleet.chance.choice([node for node in fleet.placed("primary") if node is not source])
    migrate(fleet, source, target, used_slots(fleet, source, 5), look)


def migrate(fleet, source, target, slots, look=None):
    """Held open while one looks: what is on its way counts where it comes from."""
    state = lambda: truth.pairs(source.admin.call("CLUSTER", "GETSLOTMIGRATIONS")[0])[b"state"]  # noqa: E731
    if look:
        source.admin.call("DEBUG", "SLOTMIGRATION", "PREVENT-PAUSE", 1)
    source.admin.call("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", *(number for slot in sorted(slots) for number in (slot, slot)), "NODE", fleet.id_of(target))
    if look:
        fleet.wait(lambda: state() == b"waiting-to-pause", "the migration to wait")
        look("a migration under way")
        source.admin.call("DEBUG", "SLOTMIGRATION", "PREVENT-PAUSE", 0)

    def ended():
        assert state() != b"failed", source.admin.call("CLUSTER", "GETSLOTMIGRATIONS")[0]
        return state() == b"success"

    fleet.wait(ended, "the slots to be moved")


def guest(fleet):
    return next((node for node in fleet.members if node not in fleet.all), None)


def a_node_joins(fleet, look):
    """And gets slots, if it had not joined before."""
    if guest(fleet):
        return
    node = fleet.join()
    look("joined")
    migrate(fleet, source := fleet.chance.choice(fleet.sources()), node, used_slots(fleet, source, 8))


def a_node_leaves(fleet, look):
    a_node_joins(fleet, look)
    fleet.learn()
    node = guest(fleet)
    if fleet.places[node].slots:
        migrate(fleet, node, fleet.chance.choice([each for each in fleet.sources() if each is not node]), slots_of(fleet.places[node]))
    fleet.learn()
    fleet.leave(node)


EVENTS = [failover, force, takeover, a_primary_dies, legacy_migration, atomic_migration, a_node_joins, a_node_leaves, a_node_hangs]


def events(fleet, number):
    """Each kind once before any comes again."""
    while number > 0:
        some = fleet.chance.sample(EVENTS, len(EVENTS))[:number]
        yield from some
        number -= len(some)


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
