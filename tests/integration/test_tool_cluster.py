"""valkey-tenants over a cluster: found from any node, added up, through failures, failovers and moving slots."""

import json
import os
import re
import signal
import time

import pytest

import truth
from server import Server, free_port
from session import over_tls
from test_transports import Authority
from tenants import acl_taken_in, full_pass, quick_passes
from cluster import lose
from tool import ReplicatedCluster, Terminal, listed, ok, tool
from truth import connections_by_user
from waiting import exit_code, patience, wait_until

pytestmark = pytest.mark.newest_server("one version of the cluster's protocol is enough; the module's own tests have the others")

RULES = ("on", ">secret", "~app1:*", "+@all")


@pytest.fixture
def cluster(launch):
    cluster = ReplicatedCluster(launch)
    for node in cluster.all:
        node.admin.call("ACL", "SETUSER", "app1", *RULES)
        acl_taken_in(node.admin)
        quick_passes(node.admin)
    write(cluster, 600)
    return cluster


def write(cluster, keys, start=0):
    """app1's keys, each on the node that has its slot."""
    sessions = [node.session("app1") for node in cluster.nodes if node.process.poll() is None]
    for key in range(start, start + keys):
        for session in sessions:
            if session.outcome("SET", f"app1:{key}", "x" * 50) == b"OK":
                break
        else:
            raise AssertionError(f"nobody takes app1:{key}")
    for session in sessions:
        session.close()


def in_cluster(node, *arguments):
    return ("-p", node.port, "-c", *arguments)


def dbsize(nodes):
    return sum(node.admin.call("DBSIZE") for node in nodes)


def roles(reply):
    return sorted(node.get("role", "down") for node in reply["nodes"])


def roles_if(code, seed):
    """The roles that `list` tells of, as long as its exit code is this one; on a busy machine any node may miss its time-out once."""
    result = tool(*in_cluster(seed), "list", "-o", "json")
    return roles(json.loads(result.out)) if result.code == code else []


def test_the_sums_over_a_cluster_are_the_truth_from_whichever_node_it_is_found(cluster):
    held = [node.session("app1") for node in cluster.all for _ in range(2)]
    for node in cluster.nodes:
        full_pass(node.admin)
    for seed in cluster.all:
        seen = listed(*in_cluster(seed))
        assert roles(seen) == ["primary"] * 3 + ["replica"] * 3 and seen["complete"]
        assert {node["address"] for node in seen["nodes"]} == {f"127.0.0.1:{node.port}" for node in cluster.all}
        assert seen["rows"]["app1"]["keys"] == 600 == dbsize(cluster.nodes)
        connections = sum(connections_by_user(node.admin.call("CLIENT", "LIST"))[b"app1"] for node in cluster.all)
        assert seen["rows"]["app1"]["connections"] == connections == len(held)
    sizes = 0
    for node in cluster.nodes:
        names = node.admin.call("KEYS", "app1:*")
        sizes += sum(node.admin.pipeline([("MEMORY", "USAGE", name, "SAMPLES", 0) for name in names]))
    row = listed(*in_cluster(cluster.nodes[0]))["rows"]["app1"]
    assert (row["bytes"], row["bytes_error"]) == (sizes, 0)
    shown = json.loads(ok(*in_cluster(cluster.nodes[0]), "show", "app1", "-o", "json"))
    assert (shown["keys"], shown["bytes"], shown["connections"]) == (600, sizes, len(held))
    assert sum(node["tenant"]["keys"] for node in shown["nodes"] if node["role"] == "primary") == 600


def test_servers_that_several_targets_lead_to_count_once(cluster):
    a, b = cluster.nodes[0], cluster.replicas[1]
    for arguments in [("-c", "-p", a.port, "-p", b.port), ("-c", "-h", "127.0.0.1", "-h", "localhost", "-p", a.port)]:
        seen = json.loads(ok(*arguments, "list", "-o", "json"))
        assert roles(seen) == ["primary"] * 3 + ["replica"] * 3 and seen["complete"]
        assert next(row for row in seen["rows"] if row["name"] == "app1")["keys"] == 600
    alone = json.loads(ok("-h", "127.0.0.1", "-h", "localhost", "-p", a.port, "list", "-o", "json"))
    assert len(alone["nodes"]) == 1 and next(row for row in alone["rows"] if row["name"] == "app1")["keys"] == a.admin.call("DBSIZE")


def announce(cluster, name):
    """Each node shall be called so by clients; `name` of its number."""
    for number, node in enumerate(cluster.all):
        node.admin.call("CONFIG", "SET", "cluster-announce-hostname", name(number), "cluster-preferred-endpoint-type", "hostname")
    names = {name(number).encode() for number in range(6)}
    told = lambda node: {truth.pairs(each)[b"endpoint"] for shard in node.admin.call("CLUSTER", "SHARDS") for each in truth.pairs(shard)[b"nodes"]}  # noqa: E731
    wait_until(lambda: all(told(node) == names for node in cluster.all), "all to know the names")


def test_nodes_are_read_under_the_names_that_they_announce(cluster):
    announce(cluster, lambda number: "localhost")
    for seed in cluster.all:
        seen = listed(*in_cluster(seed))
        assert {node["address"] for node in seen["nodes"]} == {f"localhost:{node.port}" for node in cluster.all}
        assert seen["complete"] and seen["rows"]["app1"]["keys"] == 600


def test_nodes_behind_nat_are_read_where_the_file_says(cluster, tmp_path):
    announce(cluster, lambda number: f"node{number}.invalid")
    seed, file = cluster.nodes[0], tmp_path / "targets.yml"
    assert tool(*in_cluster(seed), "list").code == 3, "the announced names lead nowhere"
    addresses = [f"node{number}.invalid: 127.0.0.1" for number in range(3)]
    addresses += [f"node{number}.invalid:{node.port}: localhost:{node.port}" for number, node in enumerate(cluster.all) if number >= 3]
    file.write_text(f"targets: [{{address: 127.0.0.1:{seed.port}, cluster: true, addresses: {{{', '.join(addresses)}}}}}]")
    seen = listed("--targets", file)
    here = {f"127.0.0.1:{node.port}" for node in cluster.nodes} | {f"localhost:{node.port}" for node in cluster.replicas}
    assert {node["address"] for node in seen["nodes"]} == here and seen["complete"]
    assert roles(seen) == ["primary"] * 3 + ["replica"] * 3 and seen["rows"]["app1"]["keys"] == 600


@pytest.mark.newest_server("8.1 knows of keys what the last pass met", always=True)
def test_a_tenant_tells_which_node_has_most_of_it(cluster):
    tag = next(tag for tag in range(1000) if cluster.nodes[2].admin.call("CLUSTER", "KEYSLOT", tag) > 16384 * 2 // 3)
    session = cluster.nodes[2].session("app1")
    session.pipeline([("SET", f"app1:{{{tag}}}{number}", "x") for number in range(2400)])
    counts = {f"127.0.0.1:{node.port}": node.admin.call("DBSIZE") for node in cluster.nodes}
    node, most = max(counts.items(), key=lambda item: item[1])
    share = most * 1000 // 3000 / 1000
    assert node == f"127.0.0.1:{cluster.nodes[2].port}" and share > 0.8
    for what, name in ("tenants", "app1"), ("prefixes", "app1%3A"):
        row = listed(*in_cluster(cluster.nodes[0]), what=what)["rows"][name]
        assert (row["largest_node"], row["largest_node_share"]) == (node, share)
        wide = ok(*in_cluster(cluster.nodes[0]), "list", what, "-o", "wide").splitlines()
        assert wide[0].endswith("LARGEST-NODE") and next(line for line in wide if line.startswith(name)).endswith(f"% {node}")
        assert f",{node},{share:.3f}\n" in ok(*in_cluster(cluster.nodes[0]), "list", what, "-o", "csv")
    lines = ok(*in_cluster(cluster.nodes[0]), "show", "app1").splitlines()
    shown = {line.split()[0]: line.split()[3] for line in lines if line.startswith("127.0.0.1:") and " primary " in line}
    assert {address: f"{counts[address] * 1000 // 3000 / 10:.0f}%" for address in counts} == shown, lines


@pytest.mark.newest_server("8.1 does not count keys as they come and go", always=True)
def test_clusters_have_names_and_nodes_say_what_they_are_in_their_cluster(cluster, launch, export, tmp_path):
    other = launch(lines=["user app1 on >secret ~app1:* +@all"])
    other.session("app1").pipeline([("SET", f"app1:{number}", "x") for number in range(7)])
    file = tmp_path / "targets.yml"
    file.write_text(f"targets:\n  - {{name: orders, address: 127.0.0.1:{cluster.nodes[0].port}, cluster: true}}\n  - {{name: 'the rest', address: 127.0.0.1:{other.port}}}\n")
    offset = lambda node: re.search(rb"master_repl_offset:(\d+)", node.admin.call("INFO", "replication"))[1]  # noqa: E731
    for node in cluster.all:
        node.admin.call("CONFIG", "SET", "repl-ping-replica-period", 3600)
    wait_until(lambda: all(offset(node) == offset(replica) for node, replica in zip(cluster.nodes, cluster.replicas)), "the replicas to have all")
    seen = json.loads(ok("--targets", file, "list", "-o", "json"))
    assert next(row for row in seen["rows"] if row["name"] == "app1")["keys"] == 607 and seen["keys_mode"] == "exact"
    assert sorted(node["cluster"] for node in seen["nodes"]) == ["orders"] * 6 + ["the rest"]
    by_port = {int(node["address"].rpartition(":")[2]): node for node in seen["nodes"]}
    for i, node in enumerate(cluster.nodes):
        primary, replica = by_port[node.port], by_port[cluster.replicas[i].port]
        assert primary["slots"] == (i + 1) * 16384 // 3 - i * 16384 // 3 and primary["data_source"] and "copy_of" not in primary
        assert (replica["copy_of"], replica["lag_keys"], replica["lag_bytes"], replica["data_source"]) == (primary["address"], 0, 0, False)
    only = listed("--targets", file, "--only", "the rest")
    assert [node["cluster"] for node in only["nodes"]] == ["the rest"] and only["rows"]["app1"]["keys"] == 7
    wrong = tool("--targets", file, "--only", "oders", "list")
    assert wrong.code == 2 and "no target is named 'oders', there are 'orders', 'the rest'" in wrong.err
    assert tool("-p", other.port, "--only", "orders", "list").code == 2
    metrics = export(connection=["--targets", file]).metrics()
    orders, rest = {"cluster": "orders"}, {"cluster": "the rest"}
    assert sum(metrics.of("valkey_tenant_node_slots", **orders)) == 16384
    assert sum(metrics.of("valkey_tenant_node_data_source", **orders)) == 3 and metrics.of("valkey_tenant_node_data_source", **rest) == [1]
    assert metrics.one("valkey_tenant_data_complete", **orders) == metrics.one("valkey_tenant_data_complete", **rest) == 1
    assert sum(metrics.of("valkey_tenant_replica_lag_bytes", **orders)) == 0
    assert metrics.labels("valkey_tenant_replica_lag_bytes", "node") == {f"127.0.0.1:{node.port}" for node in cluster.replicas}


def test_a_dead_primary_is_marked_until_its_replica_has_taken_over(cluster):
    gone = cluster.nodes[0]
    lost = dbsize([gone])
    lose(gone, cluster.all)
    result = tool(*in_cluster(cluster.nodes[1]), "list", "-o", "json")
    assert result.code == 1 and f"incomplete, without 127.0.0.1:{gone.port}" in result.err
    seen = json.loads(result.out)
    assert not seen["complete"] and "down" in roles(seen)
    before = next(row for row in seen["rows"] if row["name"] == "app1")["keys"]
    assert before in (600 - lost, 600), "600 where the failover was quicker"

    def taken_over():
        return roles_if(1, cluster.nodes[1]) == ["down", "primary", "primary", "primary", "replica", "replica"]

    wait_until(taken_over, "the replica to take over")
    seen = listed(*in_cluster(cluster.nodes[1]), code=1)
    assert seen["rows"]["app1"]["keys"] == 600 and not seen["complete"]
    gone.start_again()
    gone.admin.call("ACL", "SETUSER", "app1", *RULES)
    wait_until(lambda: roles_if(0, cluster.nodes[1]) == ["primary"] * 3 + ["replica"] * 3, "the old primary to be a replica")
    wait_until(lambda: tool(*in_cluster(gone), "list", "-o", "json").code == 0, "all nodes to answer")
    assert listed(*in_cluster(gone))["rows"]["app1"]["keys"] == 600


def rates_of(text, column):
    """The column of the row of app1 in each frame of `top -b`."""
    values = []
    for frame in text.split("\n\n"):
        lines = frame.splitlines()
        if not lines:
            continue
        at = next(i for i, line in enumerate(lines) if line.startswith("TENANT"))
        end = lines[at].index(column) + len(column)
        values += [line[:end].split()[-1] for line in lines[at:] if line.startswith("app1 ")]
    return values


@pytest.mark.long
def test_top_follows_a_failover_without_a_negative_rate_or_a_spike(cluster):
    for node in cluster.nodes:  # more than what is sent while we look, so that a sum that jumps is a rate that nobody could reach
        session = node.session("app1")
        for _ in range(10):
            session.call("EVAL", "for _ = 1, 20000 do redis.call('PING') end", 0)
        session.close()
    terminal = Terminal(*in_cluster(cluster.nodes[1]), "top", "-b", "-d", "0.5", "-n", "45", columns=160)
    terminal.wait_for("3 primaries, 3 replicas")
    clients = [node.session("app1") for node in cluster.nodes[1:]]
    lose(cluster.nodes[0], cluster.all)
    deadline, begin = time.monotonic() + 120 * patience(), len(terminal.raw)
    while terminal.read(0.02) and time.monotonic() < deadline:
        for client in clients:
            client.call("PING")
    frames = terminal.raw[begin:].decode().replace("\r", "").split("\n\n", 1)[1]  # whole ones
    assert exit_code(terminal.process) == 0
    terminal.close()
    assert "1 DOWN" in frames and "3 primaries, 2 replicas" in frames
    rates = rates_of(frames, "CMD/S")
    assert len(rates) > 20 and all(re.fullmatch(r"<?[\d.]+[kM]?", rate) for rate in rates), rates
    plain = [float(rate.strip("<kM")) * {"k": 1e3, "M": 1e6}.get(rate[-1], 1) for rate in rates]
    assert max(plain) < 50_000, f"{plain}: the counters are at 200,000 each"


def test_moving_slots_moves_no_sum(cluster):
    source, target = cluster.nodes[0], cluster.nodes[1]
    slots = [slot for slot in range(0, 5000) if source.admin.call("CLUSTER", "COUNTKEYSINSLOT", slot)][:20]
    for slot in slots:
        keys = source.admin.call("CLUSTER", "GETKEYSINSLOT", slot, 100)
        target.admin.call("CLUSTER", "SETSLOT", slot, "IMPORTING", cluster.ids[0])
        source.admin.call("CLUSTER", "SETSLOT", slot, "MIGRATING", cluster.ids[1])
        source.admin.call("MIGRATE", "127.0.0.1", target.port, "", 0, 60000, "KEYS", *keys)
        cluster_nodes = cluster.nodes
        for node in (target, source, cluster_nodes[2]):
            node.admin.call("CLUSTER", "SETSLOT", slot, "NODE", cluster.ids[1], "TIMEOUT", 60000)
        assert listed(*in_cluster(source))["rows"]["app1"]["keys"] == 600
    assert slots and dbsize(cluster.nodes) == 600


def test_a_stopped_node_costs_its_timeout_once_and_a_node_that_is_forgotten_is_gone(cluster):
    stopped = cluster.replicas[2]
    stopped.pause()
    try:
        begun = time.monotonic()
        result = tool("-t", "5", *in_cluster(cluster.nodes[0]), "list")
        took = time.monotonic() - begun
        assert result.code == 1 and f"127.0.0.1:{stopped.port}: no answer within the time-out" in result.err
        assert 5 <= took < 10 * patience(), took
        for node in cluster.all[:5]:
            node.admin.call("CLUSTER", "FORGET", cluster.ids[5])
        wait_until(lambda: len(roles_if(0, cluster.nodes[0])) == 5, "the node to be forgotten")
    finally:
        os.kill(stopped.process.pid, signal.SIGCONT)


def test_a_seed_that_is_down_is_an_error_with_the_code_of_no_connection(cluster):
    assert tool("-c", "-p", free_port(), "list").code == 3


def test_check_is_critical_while_a_node_is_down(cluster):
    assert ok(*in_cluster(cluster.nodes[0]), "check").startswith("TENANTS OK - ")
    cluster.replicas[0].kill()
    result = tool(*in_cluster(cluster.nodes[0]), "check")
    assert result.code == 2 and result.out.startswith("TENANTS CRITICAL - no answer from 127.0.0.1:")


def test_a_cluster_that_speaks_only_tls(launch, tmp_path):
    authority = Authority(tmp_path)
    certificate, key = authority.issue("node", "-addext", "subjectAltName=IP:127.0.0.1")
    files = [f"tls-cert-file {certificate}", f"tls-key-file {key}", f"tls-ca-cert-file {authority.certificate}", "tls-auth-clients no"]
    nodes = []
    for _ in range(2):
        node = launch(start=False, lines=["cluster-enabled yes", "tls-cluster yes", "tls-replication yes", *files])
        conf = node.conf_path.read_text().replace(f"port {node.port}\n", f"port 0\ntls-port {node.port}\n", 1)
        node.conf_path.write_text(conf)
        nodes.append(node)
    sessions = []
    for node in nodes:
        Server.launch(node)
        node.expected_to_exit = True  # the fixture's polite way to end it needs plain TCP
        wait_until(lambda: "Ready to accept connections" in node.log(), "the node to start")
        sessions.append(node_session(node, authority))
    for number, session in enumerate(sessions):
        session.call("CLUSTER", "ADDSLOTSRANGE", number * 8192, number * 8192 + 8191)
    sessions[0].call("CLUSTER", "MEET", "127.0.0.1", nodes[1].port)
    wait_until(lambda: all(b"cluster_known_nodes:2" in session.call("CLUSTER", "INFO") for session in sessions), "the nodes to meet")
    wait_until(lambda: not any(b"handshake" in session.call("CLUSTER", "NODES") for session in sessions), "the nodes to shake hands")
    seen = json.loads(ok("-c", "-p", nodes[0].port, "--tls", "--cacert", authority.certificate, "list", "-o", "json"))
    assert roles(seen) == ["primary", "primary"]
    for session in sessions:
        session.close()


def node_session(node, authority):
    from session import Session

    return Session(node.port, None, over_tls(node.port, authority.certificate))
