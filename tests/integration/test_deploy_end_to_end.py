"""deploy/ as a whole: a real server, the exporter as its unit starts it, Prometheus with the shipped job, rules and alerts."""

import os
import re
import signal
import threading

import pytest

from conftest import server_binary
from monitoring import REPOSITORY, deployed, exporter, prometheus
from server import Server
from tenants import quick_passes
from test_deploy_grafana import NAMES, expressions, filled_in, read
from waiting import wait_until

pytestmark = pytest.mark.not_with("asan", "tsan", reason="its servers are the released ones, which cannot load such a module")

# What would need minutes: the thresholds of these two, and how long they wait.
SHORTER = {"> 500e6\n        for: 5m": "> 2e6\n        for: 2s", "valkey_tenant_server_reachable == 0\n        for: 2m": "valkey_tenant_server_reachable == 0\n        for: 2s"}


class Work:
    """A tenant that reads and writes as long as the block lasts, from a thread of its own."""

    def __init__(self, server):
        server.admin.call("ACL", "SETUSER", "app1", "on", ">secret", "~app1:*", "+@all", "-@dangerous")
        self._session, self._end = server.session("app1"), threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        while not self._end.wait(0.02):
            reads = [("GET", "app1:a"), ("GET", "app1:a"), ("GET", "app1:no")] * 14  # a hit ratio well above that of the alert
            self._session.pipeline([("SET", "app1:a", "x" * 100, "EX", 100), ("SET", "app1:b", "x"), *reads])

    def __enter__(self):
        self._thread.start()

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()


@pytest.fixture(scope="module")
def fleet(tmp_path_factory, request):
    """(server, Prometheus): the tenant app1 is at work, maxmemory is 1 GB."""
    directory = tmp_path_factory.mktemp("fleet")
    module = request.config.getoption("module").resolve()
    server = Server(server_binary("9"), module, directory, lines=["maxmemory 1gb"]).start()
    rules = directory / "rules"
    rules.mkdir()
    (rules / "rules.yml").write_text(deployed("prometheus/rules.yml", {}))
    (rules / "alerts.yml").write_text(deployed("prometheus/alerts.yml", SHORTER))
    try:
        quick_passes(server.admin)
        with exporter(directory, server) as port, Work(server):
            config = deployed("prometheus/prometheus.yml", {"127.0.0.1:10911": f"127.0.0.1:{port}", "/etc/prometheus/valkey-tenants": str(rules)})
            with prometheus(directory, config, scrape_seconds=2) as storage:  # as long may an answer take, on a busy machine
                wait_until(lambda: storage.query("valkey_tenant_up == 1"), lambda: storage.targets())
                yield server, storage
        server.check_health()
    finally:
        server.stop()


def without_data(storage, queries):
    return [(title, query) for title, query in queries if not storage.query(query)]


def test_every_recording_rule_finds_data(fleet):
    _, storage = fleet
    records = [(rule["name"], rule["name"]) for rule in storage.rules("recording")]
    assert len(records) == 26
    wait_until(lambda: not without_data(storage, records), lambda: without_data(storage, records))
    rules = lambda: storage.rules("recording") + storage.rules("alerting")  # noqa: E731
    wait_until(lambda: all(rule["health"] == "ok" for rule in rules()), lambda: f"each rule to be evaluated, {rules()}")


@pytest.mark.parametrize("name", NAMES)
def test_every_query_of_a_dashboard_finds_data(fleet, name):
    _, storage = fleet
    queries = [(title, filled_in(query)) for title, query in expressions(read(name))]
    wait_until(lambda: not without_data(storage, queries), lambda: without_data(storage, queries))


def test_the_queries_of_the_page_find_data(fleet):
    _, storage = fleet
    queries = re.findall(r"^    (topk.*)$", (REPOSITORY / "docs/monitoring.md").read_text(), re.MULTILINE)
    assert len(queries) == 2
    wait_until(lambda: all(storage.query(query) for query in queries), lambda: f"data for each of {queries}")


def firing(storage, alert):
    return storage.query(f'ALERTS{{alertname="{alert}",alertstate="firing"}}')


def test_an_alert_fires_when_a_tenant_takes_too_much_and_resolves_afterwards(fleet):
    server, storage = fleet
    server.admin.call("ACL", "SETUSER", "greedy", "on", ">secret", "~greedy:*", "+@all")
    greedy = server.session("greedy")
    assert not firing(storage, "ValkeyTenantPrefixTooLarge")
    greedy.pipeline([("SET", f"greedy:{number}", "x" * 10_000) for number in range(400)])
    [(labels, _)] = wait_until(lambda: firing(storage, "ValkeyTenantPrefixTooLarge"), "the alert to fire")
    assert (labels["tenant"], labels["prefix"], labels["severity"]) == ("greedy", "greedy%3A", "warning")
    greedy.pipeline([("DEL", f"greedy:{number}") for number in range(400)])
    wait_until(lambda: not firing(storage, "ValkeyTenantPrefixTooLarge"), "the alert to resolve")


def test_in_normal_work_no_other_alert_is_even_pending(fleet):
    """Before the first scrape the module seems to be missing: rules that are evaluated after it must be content."""
    _, storage = fleet
    pending = lambda: {labels["alertname"] for labels, _ in storage.query("ALERTS")} - {"ValkeyTenantPrefixTooLarge"}  # noqa: E731
    wait_until(lambda: not pending(), lambda: f"no alert to be pending, {pending()}")


def test_an_alert_fires_when_a_node_hangs_and_resolves_when_it_goes_on(fleet):
    server, storage = fleet
    server.pause()
    try:
        wait_until(lambda: firing(storage, "ValkeyTenantNodeDown"), "the alert to fire")
    finally:
        os.kill(server.process.pid, signal.SIGCONT)
    wait_until(lambda: not firing(storage, "ValkeyTenantNodeDown"), "the alert to resolve")
