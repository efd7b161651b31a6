"""Crashes, failovers, storms: whatever happens to a server, its numbers are right afterwards. Numbers in the names of the
sections are those of the project's list of faults; what other files test already is not repeated here."""

import os
import random
import re
import resource
import shutil
import signal
import socket

import pytest
from redis.exceptions import ResponseError

import truth
from checks import counted_between, observe, wrong_bytes, wrong_commands, wrong_connections, wrong_keys
from cluster import Cluster
from conftest import server_binary
from filling import fill
from info import keys_by_prefix, read_info, rows_that_do_not_add_up, total
from tenants import acl_taken_in, full_pass, quick_passes
from test_keys import Busy
from test_keys import no_passes as only_live_counts
from test_migration import migrate
from test_replica import caught_up, follow, replication
from traffic import create_users
from waiting import wait_until


def prepare(*servers):
    for server in servers:
        create_users(server.admin)
        quick_passes(server.admin)
        server.admin.call("CONFIG", "SET", "tenants.target-error", 0)


def assert_right(server, bytes_too=True):
    differences = wrong_keys(server)
    assert not differences, f"prefix: (module, SCAN) {differences}"
    differences = bytes_too and wrong_bytes(server)
    assert not differences, f"prefix: (module, MEMORY USAGE) {differences}"
    info = read_info(server.admin)
    assert info.status["drift"] == 0
    assert not rows_that_do_not_add_up(info)


def number(session, section, name):
    return int(re.search(name.encode() + rb":(\d+)", session.call("INFO", section))[1])


# 1, 2: kill -9


@pytest.mark.parametrize("aof", [pytest.param(False, id="rdb", marks=pytest.mark.fault(1)), pytest.param(True, id="aof", marks=pytest.mark.fault(2))])
def test_after_a_kill_the_numbers_are_those_of_what_was_loaded(launch, aof, seed):
    server = launch(lines=["appendonly yes", "appendfsync always"] if aof else [])
    prepare(server)
    fill(server.admin, 5000, seed)
    if not aof:
        server.admin.call("SAVE")
    server.admin.pipeline([("SET", f"app1:late{n}", "x") for n in range(100)])
    started = read_info(server.admin).status["start_unix_seconds"]
    server.kill()
    if aof:  # and the last command was written by half
        log = max((server.directory / "appendonlydir").glob("*.incr.aof"))
        os.truncate(log, log.stat().st_size - 7)
    server.start_again()
    prepare(server)
    assert read_info(server.admin).status["start_unix_seconds"] >= started, "the start tells that counters began anew"
    assert truth.keys_in_total(server.admin) == (5099 if aof else 5000)
    assert_right(server)
    app1 = read_info(server.admin).users[b"app1"]
    assert (app1["commands"], app1["connections"]) == (0, 0), "what was replayed is nobody's"


# 3: full synchronization that fails half-way, and the one over two channels


@pytest.mark.fault(3)
def test_a_primary_that_dies_in_the_middle_of_a_full_synchronization(launch):
    primary, replica = launch(lines=["repl-backlog-size 16kb"]), launch(lines=["repl-diskless-load swapdb", "repl-timeout 10", "loading-process-events-interval-bytes 1024"])
    prepare(primary, replica)
    primary.admin.pipeline([("SET", f"app2:{n}", "old") for n in range(300)])
    follow(primary, replica)
    primary.admin.call("CONFIG", "SET", "rdb-key-save-delay", 1000)
    replica.pause()  # it misses more than the backlog holds
    primary.admin.call("CLIENT", "KILL", "TYPE", "replica")
    primary.admin.pipeline([("SET", f"app1:{n}", "x" * 5000) for n in range(3000)])
    replica.process.send_signal(signal.SIGCONT)
    wait_until(lambda: b"async_loading:1" in replica.admin.call("INFO", "persistence"), "the replica to load beside its own data")
    primary.kill()
    wait_until(lambda: b"async_loading:0" in replica.admin.call("INFO", "persistence"), "the replica to give up")
    replica.admin.call("REPLICAOF", "NO", "ONE")
    assert truth.keys_by_prefix(replica.admin) == {b"app2:": 300}
    assert_right(replica)
    primary.start_again()
    prepare(primary)
    primary.admin.call("CONFIG", "SET", "rdb-key-save-delay", 0)
    primary.admin.pipeline([("SET", f"app1:{n}", "x") for n in range(100)])
    follow(primary, replica)
    assert_right(replica)


@pytest.mark.fault(3)
@pytest.mark.not_on_redis(reason="dual-channel-replication-enabled is no setting")
def test_a_full_synchronization_over_two_channels_under_writes(launch):
    primary = launch(lines=["dual-channel-replication-enabled yes", "repl-diskless-sync yes"])
    replica = launch(lines=["dual-channel-replication-enabled yes", "repl-diskless-load swapdb"])
    prepare(primary, replica)
    replica.admin.pipeline([("SET", f"app2:{n}", "old") for n in range(300)])
    with Busy(primary):
        replica.admin.call("REPLICAOF", "127.0.0.1", primary.port)
        wait_until(lambda: replication(replica.admin, "master_link_status") == b"up", "the link to be up")
    caught_up(primary, replica)
    assert replica.admin.call("DEBUG", "DIGEST") == primary.admin.call("DEBUG", "DIGEST")
    assert_right(replica)
    assert keys_by_prefix(read_info(replica.admin)) == keys_by_prefix(read_info(primary.admin)) or read_info(primary.admin).status["keys_mode"] == "swept"


@pytest.mark.fault(3)
def test_full_synchronizations_by_disk_and_by_socket_loaded_in_every_way(launch):
    """With swapdb the replica serves its old keys meanwhile, but only of the same history."""
    primary, replica = launch(lines=["repl-backlog-size 16kb"]), launch()
    prepare(primary, replica)
    follow(primary, replica)
    ways = [("no", "disabled"), ("yes", "disabled"), ("yes", "on-empty-db"), ("yes", "flush-before-load"), ("yes", "swapdb")]
    for by_socket, load, same_history in [(*way, False) for way in ways] + [("yes", "swapdb", True)]:
        if isinstance(replica.admin.outcome("CONFIG", "SET", "repl-diskless-load", load), ResponseError):
            continue  # came with 8.1
        only_live_counts(replica)
        primary.admin.call("CONFIG", "SET", "repl-diskless-sync", by_socket)
        full = number(primary.admin, "stats", "sync_full")
        if not same_history:
            primary.admin.call("DEBUG", "CHANGE-REPL-ID")
        replica.pause()  # it misses more than the backlog holds
        primary.admin.call("CLIENT", "KILL", "TYPE", "replica")
        primary.admin.pipeline([("SET", f"app{n % 3}:{by_socket}{load}:{n}", "x" * 1000) for n in range(300)] + [("DEL", f"app1:nodisabled:{n}") for n in range(99)])
        replica.process.send_signal(signal.SIGCONT)
        wait_until(lambda: number(primary.admin, "stats", "sync_full") > full, f"a full synchronization, {by_socket} {load}")
        caught_up(primary, replica)
        differences = wrong_keys(replica)
        assert not differences, f"{by_socket} {load} {same_history}: prefix: (module, SCAN) {differences}"
        quick_passes(replica.admin)
        assert_right(replica)
        assert replica.admin.call("DEBUG", "DIGEST") == primary.admin.call("DEBUG", "DIGEST")


# 4: failover


@pytest.mark.fault(4)
def test_a_failover_that_was_asked_for_leaves_both_right(launch):
    primary, replica = launch(), launch()
    prepare(primary, replica)
    follow(primary, replica)
    primary.admin.pipeline([("SET", f"app{n % 3}:{n}", "x") for n in range(1000)])
    caught_up(primary, replica)
    primary.admin.call("FAILOVER", "TO", "127.0.0.1", replica.port)
    wait_until(lambda: replication(primary.admin, "role") == b"slave", "the failover")
    wait_until(lambda: replication(replica.admin, "role") == b"master", "the failover")
    replica.admin.pipeline([("DEL", f"app1:{n}") for n in range(1000)] + [("SET", "app2:new", "x")])
    caught_up(replica, primary)
    for server in (replica, primary):
        assert_right(server)


@pytest.mark.fault(4)
def test_a_replica_that_takes_over_from_a_killed_primary_in_a_cluster(launch):
    primary, replica = launch(lines=["cluster-enabled yes", "cluster-node-timeout 2000"]), launch(lines=["cluster-enabled yes", "cluster-node-timeout 2000", "cluster-allow-replica-migration no"])
    prepare(primary, replica)
    primary.admin.call("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
    replica.admin.call("CLUSTER", "MEET", "127.0.0.1", primary.port)
    me = primary.admin.call("CLUSTER", "MYID")
    wait_until(lambda: me in replica.admin.call("CLUSTER", "NODES"), "the nodes to meet")
    wait_until(lambda: not isinstance(replica.admin.outcome("CLUSTER", "REPLICATE", me), ResponseError), "the replica to follow")
    caught_up(primary, replica)
    primary.admin.pipeline([("SET", f"app{n % 3}:{n}", "x" * n) for n in range(500)])
    caught_up(primary, replica)
    assert not wrong_keys(replica), "a cluster's replica counts keys"
    full_pass(replica.admin)
    assert not any("bytes" in row for row in read_info(replica.admin).prefixes.values() if row["keys"]), "MEMORY USAGE is refused there: unknown"
    wait_until(lambda: b"cluster_slots_ok:16384" in replica.admin.call("CLUSTER", "INFO"), "the replica to know the slots")
    primary.kill()
    replica.admin.call("CLUSTER", "FAILOVER", "TAKEOVER")
    wait_until(lambda: replication(replica.admin, "role") == b"master", "the replica to take over")
    wait_until(lambda: not isinstance(replica.admin.outcome("SET", "app1:new", "x"), ResponseError), lambda: f"the cluster to be up, {replica.admin.outcome('SET', 'app1:new', 'x')}, {replica.admin.call('CLUSTER', 'NODES')}")
    assert_right(replica)


# 5, 6: slots that move


@pytest.mark.fault(5)
def test_keys_that_migrate_one_by_one_are_counted_on_one_side(launch):
    nodes = Cluster(launch, 2).nodes
    prepare(*nodes)
    source, target = nodes
    slot, ids = 0, [node.admin.call("CLUSTER", "MYID") for node in nodes]
    keys = [f"app{n % 3}:{{06S}}:{n}" for n in range(300)]
    source.admin.pipeline([("SET", key, "x" * 50) for key in keys])
    target.admin.call("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[0])
    source.admin.call("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[1])
    before = [observe(node) for node in nodes]
    source.admin.call("MIGRATE", "127.0.0.1", target.port, "", 0, 60000, "KEYS", *keys[:150])
    moved = keys[0]
    assert str(source.admin.outcome("GET", moved)).startswith("ASK")
    session = target.session("app1")
    session.pipeline([("ASKING",), ("GET", "app0:{06S}:0"), ("ASKING",), ("SET", "app1:{06S}:asked", "x")])
    for node in nodes:
        assert not wrong_keys(node), "half of them moved"
    assert sum(sum(truth.keys_by_prefix(node.admin).values()) for node in nodes) == 301
    assert counted_between(before[1], observe(target))[b"app1"]["writes"] == 1, "what was asked for counts once"
    source.admin.call("MIGRATE", "127.0.0.1", target.port, "", 0, 60000, "KEYS", *keys[150:])
    for node in reversed(nodes):
        node.admin.call("CLUSTER", "SETSLOT", slot, "NODE", ids[1])
    for node in nodes:
        assert_right(node)
    assert read_info(source.admin).status["keys"] == 0


def _importing(launch):
    if launch(loading=None).version < (9, 0):
        pytest.skip("CLUSTER MIGRATESLOTS came with 9.0")
    nodes = Cluster(launch, 2).nodes
    prepare(*nodes)
    for node in nodes:
        node.admin.call("CONFIG", "SET", "cluster-manual-failover-timeout", 60_000)  # twice as long may the pause be
    nodes[0].admin.pipeline([("SET", f"app{n % 3}:{{06S}}:{n}", "x" * 100) for n in range(5000)])
    nodes[0].admin.call("DEBUG", "SLOTMIGRATION", "PREVENT-PAUSE", 1)
    nodes[0].admin.call("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", 0, 0, "NODE", nodes[1].admin.call("CLUSTER", "MYID"))
    wait_until(lambda: b"importing_slot" in nodes[1].admin.call("INFO", "all") or nodes[1].admin.call("CLUSTER", "GETSLOTMIGRATIONS"), "the import to begin")
    return nodes


@pytest.mark.fault(6)
def test_a_migration_that_is_cancelled_leaves_nothing_behind(launch):
    source, target = _importing(launch)
    source.admin.call("CLUSTER", "CANCELSLOTMIGRATIONS")
    wait_until(lambda: truth.pairs(source.admin.call("CLUSTER", "GETSLOTMIGRATIONS")[0])[b"state"] in (b"cancelled", b"failed"), "the migration to end")
    wait_until(lambda: not wrong_keys(target) and read_info(target.admin).status["keys"] == 0, lambda: f"the target to be empty, {read_info(target.admin).prefixes}")
    assert_right(source)
    source.admin.call("DEBUG", "SLOTMIGRATION", "PREVENT-PAUSE", 0)
    migrate(source, target)
    assert_right(target)


@pytest.mark.fault(6)
def test_a_source_that_dies_in_the_middle_of_a_migration_leaves_nothing_at_the_target(launch):
    source, target = _importing(launch)
    target.admin.call("CONFIG", "SET", "cluster-node-timeout", 600_000)  # the half that is left is to go on
    source.kill()
    wait_until(lambda: not wrong_keys(target) and read_info(target.admin).status["keys"] == 0, lambda: f"the target to be empty, {read_info(target.admin).prefixes}")
    target.admin.call("SET", "app1:{0}", "x")  # of a slot of its own
    assert not wrong_keys(target)


# 7, 8, 9, 10: storms


FLUSHES = [("FLUSHALL",), ("FLUSHALL", "ASYNC"), ("FLUSHDB", "SYNC"), ("FLUSHDB", "ASYNC")]
MANY = 100_000


@pytest.mark.fault(7)
def test_a_flush_is_seen_at_once_and_under_writes(launch):
    server = launch()
    prepare(server)
    admin = server.admin
    acl_taken_in(admin)
    for flush in FLUSHES:
        admin.call("EVAL", "for i = 1, ARGV[1] do redis.call('SET', 'app' .. i % 3 .. ':' .. i, 'x') end", 0, MANY)
        _, _, info = admin.transaction(flush, ("SET", "app1:first", "x"), ("INFO", "tenants"))
        if read_info(admin).status["keys_mode"] == "exact":
            assert b"tenants_keys:1\r\n" in info, f"in the same transaction as {flush}"
    with Busy(server) as busy:
        for flush in FLUSHES * 3:
            rounds = busy.rounds
            admin.call(*flush)
            admin.call("SWAPDB", 0, 1)
            wait_until(lambda: busy.rounds > rounds, "some writes")
    assert_right(server)


@pytest.mark.fault(7)
def test_slots_that_are_flushed_are_counted_off(launch):
    server = launch(lines=["cluster-enabled yes"])
    admin = server.admin
    if isinstance(admin.outcome("CLUSTER", "FLUSHSLOT", 0), ResponseError):
        pytest.skip("this server has no CLUSTER FLUSHSLOT")
    admin.call("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
    wait_until(lambda: b"cluster_state:ok" in admin.call("CLUSTER", "INFO"), "the cluster to be up")
    prepare(server)
    admin.pipeline([("SET", f"app{n % 3}:{{06S}}:{n}", "x") for n in range(500)] + [("SET", f"app1:{n}", "x") for n in range(100)])
    admin.call("CLUSTER", "FLUSHSLOT", 0, "ASYNC")
    assert sum(truth.keys_by_prefix(admin).values()) == 100
    assert_right(server)


@pytest.mark.fault(8)
def test_databases_that_are_swapped_all_the_time_under_writes(launch, seed):
    server, rng = launch(), random.Random(seed)
    prepare(server)
    only_live_counts(server)
    with Busy(server) as busy:
        for _ in range(100):
            rounds = busy.rounds
            server.admin.transaction(("SWAPDB", *rng.sample(range(4), 2)), ("SET", f"app1:{rng.random()}", "x"), ("SWAPDB", *rng.sample(range(4), 2)))
            wait_until(lambda: busy.rounds > rounds, "some writes")
    assert len(truth.databases(server.admin)) > 1, f"seed {seed}"
    assert_right(server, bytes_too=False)
    quick_passes(server.admin)
    assert_right(server)


@pytest.mark.newest_server("it takes long; test_keys.py asks every server")
@pytest.mark.fault(9)
@pytest.mark.parametrize("active", [0, 1], ids=["lazily", "actively"])
def test_a_hundred_thousand_keys_that_expire_at_once_on_a_primary_and_its_replica(launch, active):
    primary, replica = launch(), launch()
    prepare(primary, replica)
    follow(primary, replica)
    admin = primary.admin
    admin.call("DEBUG", "SET-ACTIVE-EXPIRE", active)
    admin.call("EVAL", "local t = redis.call('TIME') for i = 1, ARGV[1] do redis.call('SET', 'app' .. i % 3 .. ':' .. i, 'x', 'PXAT', t[1] * 1000 + 1500) end", 0, MANY)
    admin.pipeline([("SET", f"app1:keep{n}", "x") for n in range(500)])

    def expired():
        """Lazily: a key goes when SCAN meets it, and it may miss some while the table shrinks."""
        return (active or truth.key_names(admin)) and truth.keys_in_total(admin) == 500

    wait_until(expired, "the keys to expire")
    caught_up(primary, replica)
    for server in (primary, replica):
        assert_right(server)


POLICIES = ["noeviction", "allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"]


@pytest.mark.fault(10)
def test_a_storm_of_evictions_under_every_policy(launch):
    server = launch()
    prepare(server)
    admin = server.admin
    for policy in POLICIES:
        used, evicted = number(admin, "memory", "used_memory"), number(admin, "stats", "evicted_keys")
        admin.call("CONFIG", "SET", "maxmemory-policy", policy, "maxmemory", used + 1_000_000)
        admin.pipeline([("SET", f"app{n % 3}:{policy}:{n}", "x" * 400, "EX", 1000 + n) for n in range(6000)])
        assert number(admin, "stats", "evicted_keys") - evicted > 1000 or policy == "noeviction"
        admin.call("CONFIG", "SET", "maxmemory", 0)
        assert_right(server, bytes_too=False)
    if read_info(admin).status["keys_mode"] == "exact":
        assert sum(row["evicted"] for row in read_info(admin).prefixes.values()) == number(admin, "stats", "evicted_keys")
    assert_right(server)


# 11, 12: connections and users that come and go

CROWD = 10_000


@pytest.mark.fault(11)
def test_ten_thousand_connections_at_once_all_killed(launch):
    descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if descriptors < CROWD + 1000:
        pytest.skip(f"only {descriptors} open files are allowed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
    server = launch(lines=["unixsocket server.sock", f"maxclients {CROWD + 100}"])
    prepare(server)
    admin = server.admin
    received, memory = number(admin, "stats", "total_connections_received"), read_info(admin).status["memory_bytes"]
    crowd = []
    for client in range(CROWD):
        crowd.append(socket.socket(socket.AF_UNIX))
        crowd[-1].connect(str(server.directory / "server.sock"))
        crowd[-1].sendall(f"AUTH app{client % 3 + 1} secret\r\n".encode())
    for connection in crowd:
        assert connection.recv(100) == b"+OK\r\n"
    assert not wrong_connections(admin)
    grown = read_info(admin).status["memory_bytes"] - memory
    print(f"{server.version}: {grown / CROWD:.0f} bytes per connection")
    assert grown < 200 * CROWD
    rows = read_info(admin).users
    assert sum(rows[user]["connections_total"] for user in (b"app1", b"app2", b"app3")) == CROWD == number(admin, "stats", "total_connections_received") - received
    admin.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    wait_until(lambda: read_info(admin).status["connections"] == 1, "all of them to be gone")
    assert not wrong_connections(admin)
    for connection in crowd:
        connection.close()


@pytest.mark.fault(12)
def test_users_that_are_made_and_deleted_while_they_work_are_charged_rightly(launch, tmp_path, seed):
    (tmp_path / "users.acl").write_text("user default on nopass ~* &* +@all\n")
    server, rng = launch(lines=[f"aclfile {tmp_path}/users.acl"]), random.Random(seed)
    prepare(server)
    admin, before = server.admin, observe(server)
    for _ in range(200):
        name = f"guest{rng.randrange(8)}"
        create_users(admin, {name: f"~{name}:* ~shared{rng.randrange(3)}:* +@all"})
        session = server.session()
        session.pipeline([rng.choice([("AUTH", name, "secret"), ("HELLO", 3, "AUTH", name, "secret")]), ("SET", f"{name}:k", "x"), ("GET", f"{name}:k")])
        session.transaction(("INCR", f"{name}:n"), ("AUTH", "app1", "secret"), ("INCR", "app1:n"))
        session.pipeline(rng.choice([[("RESET",), ("GET", "k")], [("AUTH", name, "secret"), ("DEL", f"{name}:k")], []]))
        admin.outcome(*rng.choice([("ACL", "DELUSER", name), ("ACL", "SAVE"), ("ACL", "LOAD"), ("ACL", "SETUSER", name, "resetkeys", "~app2:*")]))
        differences = wrong_connections(admin)
        assert not differences, f"seed {seed}, user: (module, CLIENT LIST) {differences}"
    differences = wrong_commands(server, before)
    assert not differences, f"seed {seed}, user: (module, ledger) {differences}"
    assert_right(server)


# 14: children


@pytest.mark.newest_server("it takes long, and is the same on all")
@pytest.mark.fault(14)
def test_saving_again_and_again_and_a_child_that_is_killed(launch, seed):
    server = launch(lines=["appendonly yes"])
    prepare(server)
    admin = server.admin
    fill(admin, 5000, seed)
    idle = lambda: b"rdb_bgsave_in_progress:0" in admin.call("INFO", "persistence") and b"aof_rewrite_in_progress:0" in admin.call("INFO", "persistence")  # noqa: E731
    with Busy(server):
        for command in [("BGSAVE",), ("BGREWRITEAOF",)] * 4:
            wait_until(idle, "the child to end")
            admin.outcome(*command)
        wait_until(idle, "the child to end")
        admin.call("CONFIG", "SET", "rdb-key-save-delay", 1000)
        admin.call("BGSAVE")
        wait_until(lambda: b"rdb_bgsave_in_progress:1" in admin.call("INFO", "persistence"), "a child")
        children = _children(server.process.pid)
        assert children
        for child in children:
            os.kill(child, signal.SIGKILL)
        wait_until(idle, "the killed child to be noticed")
    assert_right(server)


def _children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as children:
        return [int(child) for child in children.read().split()]


# 15: defragmentation


@pytest.mark.fault(15)
def test_active_defragmentation_moves_values_and_nothing_else(launch):
    server = launch()
    prepare(server)
    admin = server.admin
    if isinstance(admin.outcome("CONFIG", "SET", "activedefrag", "yes"), ResponseError):
        pytest.skip("this build of the server cannot defragment")
    admin.call("CONFIG", "SET", "active-defrag-ignore-bytes", "1", "active-defrag-threshold-lower", "0", "active-defrag-cycle-min", "50", "active-defrag-cycle-max", "80")
    for length in (40, 100, 200, 400):
        admin.call("EVAL", "for i = 1, 20000 do redis.call('SET', 'app' .. i % 3 .. ':' .. i, string.rep('x', ARGV[1])) if i % 3 > 0 then redis.call('DEL', 'app' .. i % 3 .. ':' .. i - 1) end end", 0, length)
    wait_until(lambda: number(admin, "stats", "active_defrag_hits") > 0, "something to be moved")
    assert_right(server)


# 17, 20: huge keys

FIELDS = 1_000_000


@pytest.mark.newest_server("it takes long, and is the same on all")
@pytest.mark.fault(17)
def test_a_huge_hash_stalls_no_pass_and_is_told_as_unsure(launch):
    server = launch()
    prepare(server)
    admin = server.admin
    for start in range(0, FIELDS, 50_000):
        admin.call("EVAL", "for i = ARGV[1], ARGV[1] + 49999 do redis.call('HSET', 'app1:huge', i, 'value') end", 0, start)
    admin.pipeline([("SET", f"app2:{n}", "x") for n in range(100)])
    before = read_info(admin).status["sweep_longest_slice_cpu_usec"]
    full_pass(admin)
    info = read_info(admin)
    print(f"{server.version}: longest slice before {before} us, after {info.status['sweep_longest_slice_cpu_usec']} us, of CPU time")
    assert info.status["sweep_longest_slice_cpu_usec"] < 100_000, "the whole hash was walked"
    row, exact = info.prefixes[b"app1:"], admin.call("MEMORY", "USAGE", "app1:huge", "SAMPLES", 0)
    assert "bytes_error" not in row and abs(row["bytes"] - exact) < 0.2 * exact
    assert truth.pairs(admin.call("TENANTS.BIGKEYS")[0])[b"key"] == b"app1:huge"
    admin.call("UNLINK", "app1:huge")
    assert_right(server)


@pytest.mark.fault(20)
def test_a_value_of_half_a_gigabyte_counts_whole(launch):
    with open("/proc/meminfo") as meminfo:
        available = int(re.search(r"MemAvailable:\s+(\d+) kB", meminfo.read())[1])
    if available < 3 << 20:
        pytest.skip(f"only {available >> 10} MiB of memory are available")
    server = launch()
    prepare(server)
    admin = server.admin
    admin.call("SETRANGE", "app1:huge", 2**29 - 2, "x")
    full_pass(admin)
    assert read_info(admin).prefixes[b"app1:"]["bytes"] == admin.call("MEMORY", "USAGE", "app1:huge") > 2**29
    assert_right(server)


# 18: prefixes without end

MILLION = "for i = ARGV[1], ARGV[1] + 99999 do redis.call('SET', i .. ':k', 'x') end"


@pytest.mark.long
@pytest.mark.fault(18)
@pytest.mark.not_with("coverage", reason="a pass of that build takes minutes")
def test_a_million_prefixes_take_the_memory_of_the_table_and_hide_no_large_one(launch, version):
    prefixes = 200_000 if "san" in version else 1_000_000  # a pass over the million takes a sanitizer minutes
    server = launch()
    prepare(server)
    admin = server.admin
    admin.call("CONFIG", "SET", "tenants.target-error", 1, "tenants.slice-usec", 10_000, "tenants.info-rows", 10_000)
    admin.pipeline([("SET", f"{name}:{n}", "x") for name in ("app1", "heavy") for n in range(5000)])
    full_pass(admin)
    memory = read_info(admin).status["memory_bytes"]
    for start in range(0, prefixes, 100_000):
        admin.call("EVAL", MILLION, 0, start)
    passes, keys = read_info(admin).status["sweep_passes"], truth.keys_in_total(admin)
    assert keys == prefixes + 10_000

    def counted():
        status = read_info(admin).status
        return status["sweep_passes"] > passes and status["keys"] == keys

    wait_until(counted, lambda: f"a pass, and the sum of all rows, {read_info(admin).status}", deadline_seconds=240)
    info = read_info(admin)
    print(f"{server.version}: {memory} bytes before, {info.status['memory_bytes']} after")
    assert info.status["memory_bytes"] < memory + 30_000_000, "and a pass that counts anew"
    assert total(info.prefixes, "keys") == keys
    assert (info.prefixes[b"app1:"]["keys"], info.prefixes[b"heavy:"]["keys"]) == (5000, 5000)
    assert info.prefixes["(other)"]["keys"] >= prefixes - info.status["prefixes_capacity"]
    admin.call("FLUSHALL", "ASYNC")
    admin.call("SET", "app1:k", "x")
    differences = wrong_keys(server)
    assert not differences, f"prefix: (module, SCAN) {differences}"
    wait_until(lambda: read_info(admin).status["keys"] == 1, "the sum of all rows, which is made every two seconds")
    assert read_info(admin).status["drift"] == 0


# 25: settings, 27: DEBUG


@pytest.mark.fault(25)
def test_settings_that_change_under_traffic_and_after_a_restart(launch):
    server = launch(loading="conf")
    prepare(server)
    admin = server.admin
    changes = [("separators", "/:"), ("sweep-cpu-percent", 0), ("sweep-cpu-percent", 30), ("target-error", 5), ("slice-usec", 1000), ("info-rows", 5), ("info-rows", 200), ("cpu-sampling-hz", 100), ("bytes-interval", 0), ("separators", ":|")]
    with Busy(server) as busy:
        for name, value in changes:
            rounds = busy.rounds
            admin.call("CONFIG", "SET", f"tenants.{name}", value)
            wait_until(lambda: busy.rounds > rounds, "some writes")
    acl_taken_in(admin)
    assert not wrong_keys(server, b":|")
    admin.call("CONFIG", "REWRITE")
    admin.call("FLUSHDB")
    admin.pipeline([("SET", f"a|{n}", "x") for n in range(100)])
    server.conf_path.write_text(server.conf_path.read_text() + "\ndatabases 1\n")
    server.restart(save=True)
    assert dict(zip(*[iter(server.admin.call("CONFIG", "GET", "tenants.separators"))] * 2)) == {b"tenants.separators": b":|"}
    create_users(server.admin)
    assert not wrong_keys(server, b":|")
    assert keys_by_prefix(read_info(server.admin))[b"a|"] == 100


@pytest.mark.fault(27)
def test_debug_loadaof_counts_what_is_loaded(launch, seed):
    server = launch(lines=["appendonly yes"])
    prepare(server)
    fill(server.admin, 3000, seed)
    server.admin.call("DEBUG", "LOADAOF")
    assert_right(server)


# 28: upgrade

OLDER = {"8.1": "8.0", "9": "8.1"}


@pytest.mark.fault(28)
def test_a_newer_replica_takes_over_and_its_file_loads_without_the_module(launch, version):
    """With the module on both sides where the older server can load the same one."""
    older = OLDER.get(version, "8.1")
    if version == "8.0":
        pytest.skip("8.0 is the oldest")
    primary = launch(start=False, loading="argument" if version in OLDER else None)
    primary.binary = server_binary(older)
    primary.start()
    replica = launch()
    prepare(replica)
    create_users(primary.admin)
    fill(primary.admin, 3000, 1)
    follow(primary, replica)
    if version in OLDER:
        quick_passes(primary.admin)
        assert not wrong_keys(primary)
    assert_right(replica)
    if version in OLDER:
        primary.admin.call("FAILOVER", "TO", "127.0.0.1", replica.port)
        wait_until(lambda: replication(replica.admin, "role") == b"master", "the failover")
    else:
        primary.kill()
        replica.admin.call("REPLICAOF", "NO", "ONE")
    replica.admin.pipeline([("SET", f"app1:new{n}", "x") for n in range(100)])
    assert_right(replica)
    replica.admin.call("SAVE")
    without = launch(start=False, loading=None)
    shutil.copy(replica.directory / "dump.rdb", without.directory)
    without.start()
    assert truth.key_names(without.admin) == truth.key_names(replica.admin)
