"""deploy/redis_exporter: a real server, Debian's redis_exporter and Prometheus, with the shipped script, user and scrape job."""

import json
import re
import time

import pytest

from info import read_info
from monitoring import DEPLOY, deployed, fetch, prometheus, redis_exporter
from tenants import acl_taken_in
from waiting import wait_until

pytestmark = pytest.mark.newest_server("what a version cannot know the tests of INFO have")

# Each could break a key, a label, or be taken for a row of the module's own.
HOSTILE = [b"a|b", b"|role=replica|", b"(other)", b"%41", b'q"\\', b"line,feed=1", b"app:1#2", b"\xc3\xa9\xff", b"{x}"]
COLUMNS = {
    "connections": "connections", "connections_peak": "connections_peak", "connections_opened_total": "connections_total",
    'commands_total{kind="read"}': "reads", 'commands_total{kind="write"}': "writes", 'commands_total{kind="admin"}': "admin",
    'commands_total{kind="script"}': "scripts", 'commands_total{kind="pubsub"}': "pubsub", "commands_total": "commands",
    "failed_commands_total": "errors", "rejected_commands_total": "rejected", "slow_commands_total": "slow",
    'denied_commands_total{reason="auth"}': "denied_auth", 'denied_commands_total{reason="command"}': "denied_command",
    'denied_commands_total{reason="key"}': "denied_key", 'denied_commands_total{reason="channel"}': "denied_channel",
    'denied_commands_total{reason="database"}': "denied_database", "authentication_failures_total": "auth_failures",
    "cpu_seconds_total": "cpu_usec", "input_bytes_total": "bytes_in", "output_bytes_total": "bytes_out",
    "keys": "keys", "memory_bytes": "bytes", "memory_error_bytes": "bytes_error",
}  # fmt: skip
STATUS = {
    "start_time_seconds": "start_unix_seconds", "counters_start_time_seconds": "reset_unix_seconds",
    "orphan_keys": "orphan_keys", "drift_keys_total": "drift", "rejected_connections_total": "connections_rejected",
    'rows{table="users"}': "users", 'rows_capacity{table="prefixes"}': "prefixes_capacity",
    'dropped_rows_total{table="users"}': "users_dropped",
}  # fmt: skip


def own_user(server, without=None):
    rules = [word for word in (DEPLOY / "redis_exporter/users.acl").read_text().split() if word != without]
    assert rules[:2] == ["user", "redis_exporter"]
    server.admin.call("ACL", "SETUSER", *rules[1:])
    password = next(rule[1:] for rule in rules if rule.startswith(">"))
    passwords = server.directory / "passwords.json"
    passwords.write_text(json.dumps({f"redis://127.0.0.1:{server.port}": password}))
    return ["--redis.user", "redis_exporter", "--redis.password-file", passwords]


def scrape(exporter_port, server):
    """{key: value as text}, of the script only."""
    page = fetch(f"http://127.0.0.1:{exporter_port}/scrape?target=redis://127.0.0.1:{server.port}")
    assert 'redis_exporter_last_scrape_error{err=""} 0' in page
    return dict(re.findall(r'^redis_script_values\{key="(.*)"\} (\S+)$', page, re.MULTILINE))


def use(server, name, commands):
    server.admin.call("ACL", "SETUSER", name, "on", ">secret", "~" + name.decode("latin-1").replace("\\", "") + ":*", "+@all")
    session = server.session(name)
    session.pipeline(commands)
    return session


def escaped(name):
    return re.sub(rb'[^!-~]|[%:=,#"\\(]', lambda byte: b"%%%02X" % ord(byte[0]), name).decode()


def work(server):
    server.admin.call("ACL", "SETUSER", "app1", "on", ">secret", "~app1:*", "+@all", "-flushall")
    server.admin.call("CONFIG", "SET", "maxmemory", "1gb")
    session = server.session("app1")
    session.pipeline([("SET", f"app1:{n}", "x" * n) for n in range(50)] + [("GET", "app1:1")] * 30 + [("INCR", "app1:9"), ("FLUSHALL",)])
    for number, name in enumerate(HOSTILE):
        use(server, name, [("PING",)] * (number + 1))
    server.admin.call("SET", "nobody:1", "x")
    acl_taken_in(server.admin)


def known(info):
    """Of tenants that rest while redis_exporter asks."""
    return {
        name: row for name, row in info.tenants.items() if name not in (b"default", b"redis_exporter", "(internal)", "(overhead)")
    }


def shown(name):
    return name if isinstance(name, str) else escaped(name)


def test_prometheus_stores_what_info_says(launch, tmp_path):
    server = launch()
    work(server)
    config = deployed("redis_exporter/prometheus.yml", {"127.0.0.1:6379": f"127.0.0.1:{server.port}"})
    with redis_exporter(tmp_path, *own_user(server)) as port:
        config = config.replace("127.0.0.1:9121", f"127.0.0.1:{port}").replace("/etc/prometheus/valkey-tenants", str(DEPLOY / "prometheus"))
        with prometheus(tmp_path, config) as storage:
            rested = time.time() + 1.5  # a pass of the tally and of the bytes
            wait_until(lambda: storage.scraped_since(rested), lambda: storage.targets())
            info = read_info(server.admin)
            rows = {shown(name): row for name, row in known(info).items()}
            assert set(map(escaped, HOSTILE)) <= set(rows)
            for metric, column in COLUMNS.items():
                unit = 1e6 if column == "cpu_usec" else 1
                stored = storage.values(f"sum by (tenant) (valkey_tenant_{metric})")  # of all kinds, where none is named
                told = {name: row[column] / unit for name, row in rows.items() if column in row}
                assert {name: stored.get(name) for name in told} == told, metric
            for metric, field in STATUS.items():
                [(labels, value)] = storage.query("valkey_tenant_" + metric)
                assert value == info.status[field], metric
                assert labels["node"] == f"127.0.0.1:{server.port}"
            assert storage.values("valkey_tenant_max_memory_bytes", "job") == {"valkey": 2**30}
            assert storage.values("valkey_tenant_up", "job") == {"valkey": 1}
            assert storage.values("valkey_tenant_node_info", "role") == {"primary": 1}
            assert not storage.query("redis_script_values")
            assert not storage.query('{__name__=~"valkey_tenant_.+",key!=""}')
            wait_until(lambda: storage.query("tenant:valkey_tenant_keys:sum > 40"), "a rule to add up what came this way")
    lacks = [entry for entry in server.admin.call("ACL", "LOG") if b"redis_exporter" in entry]
    assert not lacks, "the shipped user lacks a right"


def test_a_replica_says_that_it_is_one(launch, tmp_path):
    primary, replica = launch(), launch()
    replica.admin.call("REPLICAOF", "127.0.0.1", primary.port)
    primary.admin.call("SET", "key", "value")
    wait_until(lambda: replica.admin.call("DBSIZE") == 1, "the replica to have the key")
    with redis_exporter(tmp_path, *own_user(replica)) as port:
        assert [key for key in scrape(port, replica) if key.startswith("valkey_tenant_node_info|")] == ["valkey_tenant_node_info|role=replica|"]


def test_without_the_module_the_script_says_so_and_nothing_fails(launch, tmp_path):
    server = launch(loading=None)
    with redis_exporter(tmp_path, *own_user(server, without="+tenants.list")) as port:
        for _ in range(3):
            assert scrape(port, server) == {"valkey_tenant_up||": "0", "valkey_tenant_server_reachable||": "1"}
        assert b"errorstat" not in server.admin.call("INFO", "errorstats")
    assert "level=error msg=\"Script" not in (tmp_path / "redis_exporter.log").read_text()


@pytest.mark.parametrize(
    "line, command, refused, reason",
    [
        ("cluster-enabled yes", "PING", "GET key", "CLUSTERDOWN"),
        ("replica-serve-stale-data no", "REPLICAOF 127.0.0.1 1", "GET key", "MASTERDOWN"),
        ("maxmemory-policy noeviction", "CONFIG SET maxmemory 1kb", "SET key value", "OOM"),
    ],
)
@pytest.mark.every_server
def test_the_script_answers_when_the_server_refuses_work(launch, line, command, refused, reason):
    server = launch(lines=[line])
    server.admin.call(*command.split())
    assert reason in str(server.admin.outcome(*refused.split()))
    reply = server.admin.call("EVAL", (DEPLOY / "redis_exporter/tenants.lua").read_text(), 0, 0)
    assert dict(zip(reply[::2], reply[1::2]))[b"valkey_tenant_up||"] == b"1"


def test_the_script_tells_a_bounded_number_of_tenants(launch, tmp_path):
    server = launch()
    server.admin.pipeline([("ACL", "SETUSER", f"app{n}", "on", ">secret", f"~app{n}:*", "+@all") for n in range(1000)])
    acl_taken_in(server.admin)
    busy = server.session("app777")
    busy.call("EVAL", "local n = 0 for i = 1, 5000000 do n = n + i % 7 end return n", 0)
    with redis_exporter(tmp_path, *own_user(server)) as port:
        server.admin.call("CONFIG", "RESETSTAT")
        told = wait_until(lambda: _with(scrape(port, server), "app777"), "the busiest tenant to be told")
    assert len([key for key in told if key.startswith("valkey_tenant_commands_total|kind=other|")]) == 50
    print("with 1,000 tenants:", re.search(rb"cmdstat_eval:.*", server.admin.call("INFO", "commandstats"))[0].decode())


def _with(values, tenant):
    return values if f"valkey_tenant_commands_total|kind=script|{tenant}" in values else None
