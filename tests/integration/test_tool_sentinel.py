"""valkey-tenants over a primary and its replicas that real Sentinels watch: found, added up once, and followed when another takes over."""

import json
import subprocess

import pytest
from redis.exceptions import ConnectionError

from conftest import server_binary
from server import free_port
from session import Session
from tenants import acl_taken_in, quick_passes
from tool import listed, tool
from waiting import exit_code, patience, wait_until

pytestmark = pytest.mark.newest_server("the tool does not depend on the server")

KEYS = 300


class Sentinel:
    def __init__(self, version, primary, directory, *lines):
        self.port = free_port()
        self.primary, self.log = primary, directory / f"sentinel{self.port}.log"
        config = directory / f"sentinel{self.port}.conf"
        config.write_text(
            "\n".join(
                [f"port {self.port}", "bind 127.0.0.1", f"dir {directory}", f"logfile {self.log}", f"sentinel monitor shop 127.0.0.1 {primary.port} 2"]
                + [f"sentinel down-after-milliseconds shop {int(1000 * patience())}", "sentinel failover-timeout shop 20000", *lines, ""]
            )
        )
        self.process = subprocess.Popen([server_binary(version), config, "--sentinel"])
        self.session = None
        wait_until(self.answers, lambda: f"a Sentinel: {self.log.read_text()}")

    def answers(self):
        try:
            self.session = Session(self.port)
            return self.session.outcome("PING") is not None
        except (ConnectionError, OSError):
            return False

    def end(self):
        self.process.kill()
        exit_code(self.process)


@pytest.fixture
def watched(launch, version, tmp_path):
    """A primary, two replicas in step with it, and a function that starts a Sentinel; all are ended."""
    servers = [launch(lines=["user app1 on >secret ~app1:* +@all", "repl-diskless-sync yes"]) for _ in range(3)]
    for server in servers:
        quick_passes(server.admin)
        acl_taken_in(server.admin)
    for replica in servers[1:]:
        replica.admin.call("REPLICAOF", "127.0.0.1", servers[0].port)
    servers[0].session("app1").pipeline([("SET", f"app1:{key}", "x") for key in range(KEYS)])
    wait_until(lambda: all(replica.admin.call("DBSIZE") == KEYS for replica in servers[1:]), "the replicas to be in step")
    sentinels = []

    def watch(*lines):
        sentinels.append(Sentinel(version, servers[0], tmp_path, *lines))
        return sentinels[-1]

    yield servers, watch
    for sentinel in sentinels:
        sentinel.end()


def three(watch):
    sentinels = [watch() for _ in range(3)]

    def know_all():
        return all(
            len(sentinel.session.call("SENTINEL", "SENTINELS", "shop")) == 2 and len(sentinel.session.call("SENTINEL", "REPLICAS", "shop")) == 2
            for sentinel in sentinels
        )

    wait_until(know_all, "the Sentinels to know each other and the replicas")
    return sentinels


def primary_of(sentinel):
    return int(sentinel.session.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "shop")[1])


def seen(port, codes=(0,)):
    result = tool("--sentinel", "shop", "-p", port, "list", "-o", "json")
    assert result.code in codes, result
    reply = json.loads(result.out)
    reply["rows"] = {row["name"]: row for row in reply["rows"]}
    roles = {int(node["address"].rpartition(":")[2]): node.get("role") if node["up"] else None for node in reply["nodes"]}
    return reply, roles


def test_the_primary_and_its_replicas_are_found_and_a_takeover_is_followed(watched, export):
    (old, *replicas), watch = watched
    sentinels = three(watch)
    exporter = export(sentinels[0].port, connection=["--sentinel", "shop"])

    def counted():
        page = exporter.metrics()
        sources = [labels for labels, value in page.samples["valkey_tenant_node_data_source"].items() if value]
        assert len(sources) == 1, sources
        keys = page.samples["valkey_tenant_keys"]
        return sum(value for labels, value in keys.items() if ("tenant", "app1") in labels and dict(sources[0])["node"] == dict(labels)["node"])

    for sentinel in sentinels:
        reply, roles = seen(sentinel.port)
        assert roles == {old.port: "primary", **{replica.port: "replica" for replica in replicas}}
        assert reply["complete"] and reply["rows"]["app1"]["keys"] == KEYS
    assert counted() == KEYS

    sentinels[0].session.call("SENTINEL", "FAILOVER", "shop")

    def taken_over():
        reply, roles = seen(sentinels[1].port, codes=(0, 1))  # who changes its role closes its connections
        assert reply["rows"]["app1"].get("keys") == KEYS or not reply["complete"], reply
        return primary_of(sentinels[1]) != old.port and list(roles.values()).count("primary") == 1 and roles[old.port] == "replica"

    wait_until(taken_over, "another one to be the primary")
    reply, roles = seen(sentinels[2].port)
    assert roles[primary_of(sentinels[2])] == "primary" and reply["rows"]["app1"]["keys"] == KEYS and reply["complete"]
    assert counted() == KEYS
    sentinels[0].end()  # the exporter knows the others by now
    assert counted() == KEYS


@pytest.mark.long
def test_a_primary_that_dies_is_missed_replaced_and_counts_no_more_when_it_is_back(watched):
    (old, *_), watch = watched
    sentinels = three(watch)
    old.kill()

    def replaced():
        reply, roles = seen(sentinels[0].port, codes=(1,))
        assert roles[old.port] is None and not reply["complete"]
        keys = reply["rows"].get("app1", {}).get("keys")
        assert keys in (None, KEYS), reply
        return list(roles.values()).count("primary") == 1 and keys == KEYS

    wait_until(replaced, "a replica to take over")
    wait_until(lambda: all(primary_of(sentinel) != old.port for sentinel in sentinels), "all Sentinels to know of it")
    old.start_again()

    def is_back():
        reply, roles = seen(sentinels[0].port, codes=(0, 1))
        assert reply["rows"]["app1"].get("keys") == KEYS or not reply["complete"], f"it comes back empty, and as a primary: {reply}"
        return roles[old.port] == "replica"

    wait_until(is_back, "the old primary to be a replica")


def test_what_a_sentinel_does_not_do_or_know_is_told(watched, tmp_path):
    (primary, *_), watch = watched
    sentinel = watch()
    for arguments, code, message in (
        (["--sentinel", "nobody", "-p", sentinel.port], 1, "the Sentinel knows no primary named nobody"),
        (["--sentinel", "shop", "-p", primary.port], 1, "the server is no Sentinel"),
        (["--sentinel", "shop", "-p", free_port()], 3, "refused"),
        (["--sentinel", "shop", "-c", "-p", sentinel.port], 2, "exclude each other"),
    ):
        result = tool(*arguments, "list")
        assert result.code == code and message in result.err, result
    locked = watch("requirepass sesame")
    (tmp_path / "password").write_text("sesame\n")
    file = tmp_path / "targets.yaml"
    target = f"targets:\n- address: 127.0.0.1:{locked.port}\n  sentinel: shop\n"
    file.write_text(target)
    assert tool("--targets", file, "list").code == 4
    file.write_text(target + f"  sentinel_password_file: {tmp_path}/password\n")
    assert listed("--targets", file)["rows"]["app1"]["keys"] == KEYS
