"""A real Prometheus looks at a cluster of six nodes and a thousand tenants while a primary is lost."""

import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import pytest

from server import free_port
from shared_cluster import SharedCluster
from waiting import exit_code, wait_until

pytestmark = pytest.mark.newest_server("it is the same exporter for all")

RANGE = "[30m]"


@pytest.fixture
def prometheus(tmp_path):
    """A function that starts a Prometheus which scrapes the port every two seconds, and returns a function that queries it."""
    processes = []

    def start(port):
        own, directory = free_port(), tmp_path / "prometheus"
        directory.mkdir()
        config = {"global": {"scrape_interval": "2s", "scrape_timeout": "2s"}, "scrape_configs": [{"job_name": "t", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}]}
        (directory / "prometheus.yml").write_text(json.dumps(config))
        command = ["prometheus", f"--config.file={directory}/prometheus.yml", f"--storage.tsdb.path={directory}/data", f"--web.listen-address=127.0.0.1:{own}", "--log.level=warn"]
        with open(directory / "log", "wb") as log:
            processes.append(subprocess.Popen(command, stdout=log, stderr=log))

        def query(text):
            """[(labels, value)]"""
            address = f"http://127.0.0.1:{own}/api/v1/query?" + urllib.parse.urlencode({"query": text})
            assert processes[0].poll() is None, (directory / "log").read_text()
            try:
                with urllib.request.urlopen(address, timeout=60) as reply:
                    result = json.load(reply)["data"]["result"]
            except urllib.error.HTTPError as error:
                assert error.code == 503, f"{text}: {error.read()}"  # it starts
                return []
            except (urllib.error.URLError, ConnectionError):  # it does not listen yet
                return []
            return [(each["metric"], float(each["value"][1])) for each in result]

        return query

    yield start
    for process in processes:
        process.terminate()
        exit_code(process)


@pytest.fixture
def cluster(launch):
    return SharedCluster(launch)


@pytest.mark.long
def test_no_series_runs_backwards_when_a_primary_is_lost(cluster, export, prometheus):
    tenants = [f"tenant{number}" for number in range(1000)]
    cluster.add_tenants(tenants)
    exporter = export(cluster.nodes[1].port, connection=["-c"], options=["--tenants.max", "600", "--no-collect.prefixes"])
    query = prometheus(exporter.port)

    def everybody_works():
        for number in range(3):
            for tenant in tenants[number::7]:
                cluster.work(number, tenant, 1, 2)

    def value(text):
        result = query(text)
        return result[0][1] if result else None

    everybody_works()
    shown = lambda: (value("sum(valkey_tenant_up)"), value('count(valkey_tenant_commands_total{tenant!~"[(].*",kind="write"})'))  # noqa: E731
    wait_until(lambda: shown() == (6, 6 * 600), lambda: f"six nodes and 600 tenants of each in Prometheus, {shown()}")
    sent_before, scrapes = cluster.sent, value(f"max(count_over_time(valkey_tenant_exporter_build_info{RANGE}))")
    for _ in range(3):
        everybody_works()
    cluster.lose(0)
    for _ in range(3):
        everybody_works()
    wait_until(lambda: value("sum(valkey_tenant_up)") == 5, "the lost node to be seen")
    wait_until(lambda: (value(f"max(count_over_time(valkey_tenant_exporter_build_info{RANGE}))") or 0) >= scrapes + 6, "six more scrapes")
    wait_until(lambda: value('count(valkey_tenant_node_info{role="primary"})') == 3, "three primaries again")

    counters = [name for name, kind in exporter.metrics().types.items() if kind == "counter"]
    assert len(counters) >= 10
    for counter in counters:
        assert query(f"resets({counter}{RANGE}) > 0") == [], f"{counter} fell"
        assert value(f"min(rate({counter}{RANGE}))") >= 0, counter
    grown = f'sum(max_over_time(valkey_tenant_commands_total{{tenant=~"tenant.*|.other."}}{RANGE}) - min_over_time(valkey_tenant_commands_total{{tenant=~"tenant.*|.other."}}{RANGE}))'
    # all of it, but for what the lost node did after its last scrape: that is lost with it
    wait_until(lambda: (value(grown) or 0) >= 0.8 * (cluster.sent - sent_before), lambda: f"growth ({value(grown)}) near what was sent ({cluster.sent - sent_before})")
    assert value(grown) <= cluster.sent, "no more growth than was sent"
    keys = lambda: value('sum(valkey_tenant_keys and on (node) (valkey_tenant_node_data_source == 1))')  # noqa: E731
    stored = sum(node.admin.call("DBSIZE") for node in [cluster.replicas[0], *cluster.primaries[1:]])
    wait_until(lambda: keys() == stored, lambda: f"each of {stored} keys to count once: {keys()}")
