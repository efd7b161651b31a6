"""Live key counts against SCAN after everything that creates, replaces, moves or removes keys."""

import re
import threading
import time

import pytest

import truth
from checks import wrong_keys
from filling import fill
from info import Info, keys_by_prefix, read_info, rows_that_do_not_add_up
from tenants import acl_taken_in, full_pass, quick_passes, settled_info
from traffic import Traffic, create_users
from waiting import patience, wait_until


def no_passes(server):
    """From here on only the live counts can be right, where there are such; where keys are `swept`, passes go on."""
    acl_taken_in(server.admin)
    if read_info(server.admin).status["keys_mode"] == "exact":
        server.admin.call("CONFIG", "SET", "tenants.sweep-cpu-percent", "0")


@pytest.fixture
def counting(shared):
    """A server with users whose background pass is not there to help."""
    quick_passes(shared.admin)
    no_passes(shared)
    return shared


def assert_right(server, why=""):
    differences = wrong_keys(server)
    info = read_info(server.admin)
    assert not differences, f"{why} prefix: (module, SCAN) {differences}, status {info.status}"
    assert info.status["drift"] == 0, why
    assert not rows_that_do_not_add_up(info), why


def test_live_counts_are_used_exactly_where_the_server_allows_it(server):
    acl_taken_in(server.admin)
    expected = "swept" if (8, 1, 0) <= server.version < (9, 1, 1) else "exact"
    assert read_info(server.admin).status["keys_mode"] == expected


@pytest.mark.redis
def test_counts_equal_scan_after_each_round_of_mixed_traffic(counting, seed):
    traffic = Traffic(counting, seed)
    for number in range(6):
        traffic.run(100)
        traffic.settle()
        assert_right(counting, f"seed {seed}, round {number}")


def test_counts_equal_scan_with_passes_running_through_mixed_traffic(shared, seed):
    quick_passes(shared.admin)
    traffic = Traffic(shared, seed)
    for number in range(3):
        traffic.run(100)
        traffic.settle()
        assert_right(shared, f"seed {seed}, round {number}")


# Commands that replace, move or remove keys; all are run after PREPARE.
PREPARE = [
    ("MSET", "app1:a", "1", "app1:b", "1", "app2:a", "1", "app2:b", "1", "orphan1:a", "1", "plain", "1"),
    ("RPUSH", "app1:list", "3", "1"), ("RPUSH", "app2:list", "9"), ("SADD", "app1:set", "x"), ("SADD", "app2:set", "y"),
    ("ZADD", "app1:zset", 1, "x"), ("HSET", "app1:hash", "f", "v"), ("SELECT", 1), ("SET", "app1:a", "1"), ("SELECT", 0),
]  # fmt: skip
CHANGES = {
    "rename_over_another_prefix": [("RENAME", "app1:a", "app2:a")],
    "rename_to_nothing_yet": [("RENAME", "app1:a", "app2:new")],
    "rename_to_itself": [("RENAME", "app1:a", "app1:a")],
    "renamenx_both_ways": [("RENAMENX", "app1:a", "app2:a"), ("RENAMENX", "app1:a", "app2:new")],
    "rename_over_another_type": [("RENAME", "app1:hash", "app2:a"), ("RENAME", "app2:a", "plain")],
    "copy_replace": [("COPY", "app1:a", "app2:a", "REPLACE"), ("COPY", "app1:a", "app2:new"), ("COPY", "app1:a", "app2:b")],
    "copy_to_another_database": [("COPY", "app1:a", "app1:a", "DB", 1), ("COPY", "app1:a", "app1:a", "DB", 1, "REPLACE"), ("COPY", "app1:b", "app2:z", "DB", 2)],
    "move": [("MOVE", "app1:a", 1), ("MOVE", "app1:b", 1), ("MOVE", "app2:a", 3)],
    "sort_store": [("SORT", "app1:list", "STORE", "app2:a"), ("SORT", "app1:nothing", "STORE", "app2:list")],
    "sinterstore_to_empty": [("SINTERSTORE", "app1:set", "app1:set", "app2:set"), ("SUNIONSTORE", "app2:b", "app2:set", "app2:set")],
    "pops_to_empty": [("LPOP", "app1:list", 9), ("SPOP", "app1:set"), ("ZPOPMIN", "app1:zset"), ("HDEL", "app1:hash", "f")],
    "smove_and_lmove": [("SMOVE", "app1:set", "app2:set", "x"), ("LMOVE", "app2:list", "app1:list", "LEFT", "LEFT"), ("RPOPLPUSH", "app1:list", "app2:new")],
    "getdel_and_past_expiry": [("GETDEL", "app1:a"), ("EXPIREAT", "app1:b", 1), ("SET", "app2:a", "1", "PXAT", 1), ("PEXPIRE", "plain", 0)],
    "overwrites": [("SET", "app1:hash", "x"), ("MSET", "app2:list", "1", "app2:a", "2"), ("SETRANGE", "app1:a", 90, "x"), ("APPEND", "app1:new", "x")],
    "del_and_unlink": [("DEL", "app1:a", "app2:a", "app1:a"), ("UNLINK", "plain", "nothing"), ("DEL", "nothing")],
    "swapdb": [("SWAPDB", 0, 1), ("DEL", "app1:a"), ("SET", "app2:q", "1"), ("SWAPDB", 1, 2), ("SET", "app1:w", "1"), ("SWAPDB", 0, 0)],
    "flushdb": [("FLUSHDB",), ("SET", "app1:a", "1")],
    "flushdb_of_another": [("SELECT", 1), ("FLUSHDB", "ASYNC"), ("SELECT", 0), ("SET", "app1:a2", "1")],
    "flushall": [("FLUSHALL",), ("SET", "app2:a", "1")],
    "flushall_async_in_a_transaction": [("MULTI",), ("SET", "app1:n", "1"), ("FLUSHALL", "ASYNC"), ("SET", "app2:n", "1"), ("EXEC",)],
    "debug_reload": [("DEBUG", "RELOAD"), ("SET", "app1:n", "1")],
    "a_transaction": [("MULTI",), ("RENAME", "app1:a", "app2:a"), ("MOVE", "app2:a", 1), ("COPY", "app2:b", "app1:b", "REPLACE"), ("EXEC",)],
    "a_script": [("EVAL", "redis.call('RENAME','app1:a','app2:a') redis.call('SELECT',1) redis.call('SET','plain',1) redis.call('MOVE','app1:a',2)", 0)],
}  # fmt: skip


FAULTS = {"flushall": 7, "swapdb": 8, "a_transaction": 26, "a_script": 26, "debug_reload": 27}


@pytest.mark.parametrize("change", [pytest.param(name, marks=[pytest.mark.fault(FAULTS[name])] if name in FAULTS else []) for name in CHANGES])
def test_changes(counting, change):
    counting.admin.pipeline(PREPARE)
    counting.admin.pipeline(CHANGES[change])
    counting.admin.pipeline(PREPARE[:1])  # what follows must count rightly too
    assert_right(counting)


def test_restore_over_keys_of_other_prefixes_and_with_a_time_long_past(counting):
    admin = counting.admin
    admin.pipeline(PREPARE)
    payload = admin.call("DUMP", "app1:hash")
    for target, ttl, *options in [("app2:a", 0, "REPLACE"), ("app2:b", 0), ("plain", 1, "REPLACE", "ABSTTL"), ("app1:new", 0), ("app1:past", 1, "ABSTTL")]:
        admin.outcome("RESTORE", target, ttl, payload, *options)
    assert_right(counting)


@pytest.mark.redis
def test_the_client_stays_in_its_database_after_move_and_copy(counting):
    """Having any keyspace subscriber, servers from 8.1.0 to 9.1.0 leave the client in the other database (valkey #4024)."""
    session = counting.session()
    for home in (0, 3):
        session.pipeline([("SELECT", home), ("SET", "app1:a", "1"), ("SET", "app1:b", "1")])
        for command in [("MOVE", "app1:a", 1), ("COPY", "app1:b", "app1:c", "DB", 2), ("COPY", "app1:b", "app1:c", "DB", 2, "REPLACE")]:
            session.call(*command)
            assert b" db=%d " % home in session.call("CLIENT", "INFO"), f"after {command}"
        session.transaction(("SET", "app1:m", "1"), ("MOVE", "app1:m", 1), ("SET", "app1:here", "1"))
        assert b" db=%d " % home in session.call("CLIENT", "INFO"), "after MOVE in a transaction"
        assert session.call("GET", "app1:here") == b"1"
    assert_right(counting)


@pytest.mark.fault(9)
@pytest.mark.parametrize("active", ["0", "1"], ids=["lazily", "actively"])
def test_expired_keys_are_counted_as_long_as_they_exist(counting, active):
    admin = counting.admin
    admin.call("DEBUG", "SET-ACTIVE-EXPIRE", active)
    admin.pipeline([("SET", f"app{number % 3}:{number}", "x", "PX", 1 + number % 50) for number in range(2000)])
    admin.pipeline([("SET", f"app{number % 3}:keep{number}", "x") for number in range(500)])
    names = [f"app{number % 3}:{number}" for number in range(2000)]
    wait_until(lambda: not any(admin.pipeline([("EXISTS", name) for name in names])), "the keys to expire")
    assert_right(counting)


@pytest.mark.fault(9)
def test_hashes_that_lose_their_last_field_to_its_expiry_are_gone(counting):
    admin = counting.admin
    if counting.version < (9, 0, 0):
        pytest.skip("no expiring hash fields before 9.0")
    admin.pipeline([("HSETEX", f"app1:{number}", "PX", 1, "FIELDS", 2, "a", "1", "b", "2") for number in range(200)])
    admin.pipeline([("HSET", f"app2:{number}", "a", "1") for number in range(50)])
    wait_until(lambda: truth.keys_in_total(admin) == 50, "the hashes to empty")
    assert_right(counting)


def test_evicted_keys_are_counted_off(counting):
    admin = counting.admin
    used = int(re.search(rb"used_memory:(\d+)", admin.call("INFO", "memory"))[1])
    admin.call("CONFIG", "SET", "maxmemory-policy", "allkeys-random", "maxmemory", used + 2_000_000)
    admin.pipeline([("SET", f"app{number % 3}:{number}", "x" * 500) for number in range(20000)])
    admin.call("CONFIG", "SET", "maxmemory", 0)
    assert int(re.search(rb"evicted_keys:(\d+)", admin.call("INFO", "stats"))[1]) > 1000
    assert_right(counting)


@pytest.mark.fault(1)
def test_counts_survive_a_restart_from_an_rdb_with_expired_keys(shared):
    admin = shared.admin
    quick_passes(admin)
    admin.call("DEBUG", "SET-ACTIVE-EXPIRE", "0")
    admin.pipeline(PREPARE)
    admin.pipeline([("SET", f"orphan2:{number}", "x", "PX", 1 if number % 2 else 1000000) for number in range(1000)])
    shared.restart(save=True)
    create_users(shared.admin)
    quick_passes(shared.admin)
    no_passes(shared)
    assert truth.keys_in_total(shared.admin) >= 500
    assert_right(shared)


@pytest.mark.fault(2)
def test_counts_are_right_after_a_restart_from_an_aof(launch, seed):
    server = launch(lines=["appendonly yes"])
    create_users(server.admin)
    traffic = Traffic(server, seed)
    traffic.run(150)
    traffic.settle()
    server.restart()
    create_users(server.admin)
    quick_passes(server.admin)
    no_passes(server)
    assert_right(server, f"seed {seed}")


def test_counts_are_right_in_cluster_mode(launch):
    server = launch(lines=["cluster-enabled yes"])
    admin = server.admin
    admin.call("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
    wait_until(lambda: b"cluster_state:ok" in admin.call("CLUSTER", "INFO"), "the cluster to be up")
    create_users(admin, {"app1": "~{app1}:* ~app1:* +@all"})
    quick_passes(admin)
    no_passes(server)
    admin.pipeline([("SET", f"{{app1}}:{number}", "x") for number in range(200)] + [("SET", f"app1:{number}", "x") for number in range(300)])
    admin.pipeline([("DEL", f"app1:{number}") for number in range(50)] + [("RENAME", "{app1}:1", "{app1}:2"), ("SET", "plain", "x")])
    assert_right(server)
    slot = admin.call("CLUSTER", "KEYSLOT", "{app1}:1")
    admin.call("CLUSTER", "DELSLOTS", slot)
    assert keys_by_prefix(settled_info(admin)) is not None
    admin.call("CLUSTER", "ADDSLOTS", slot)
    assert_right(server)


def test_a_key_that_is_migrated_twice_by_one_command_is_counted_off_once(launch):
    server, target = launch(), launch()
    for each in (server, target):
        create_users(each.admin)
        quick_passes(each.admin)
        no_passes(each)
    server.admin.pipeline([("MSET", "app1:a", "x", "app1:b", "x", "app2:c", "x")])
    server.admin.call("MIGRATE", "127.0.0.1", target.port, "", 0, 60000, "REPLACE", "KEYS", "app1:a", "app1:b", "app1:a")
    server.admin.pipeline([("SET", "app1:d", "x"), ("RENAME", "app1:d", "app2:c")])
    assert_right(server)
    assert_right(target)


def test_a_server_that_refuses_what_modules_ask_makes_no_number_wrong(launch):
    """9.1.2 does in cluster mode, once a script has run a command with keys of two slots."""
    server = launch(lines=["cluster-enabled yes"])
    admin = server.admin
    admin.call("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
    wait_until(lambda: b"cluster_state:ok" in admin.call("CLUSTER", "INFO"), "the cluster to be up")
    create_users(admin)
    quick_passes(admin)
    admin.pipeline([("SET", f"app1:{number}", "x" * 100) for number in range(300)])
    full_pass(admin)
    bytes_before = read_info(admin).prefixes[b"app1:"]["bytes"]
    admin.outcome("EVAL", "return redis.pcall('MSET', '{a}x', 1, '{b}x', 1)", 0)
    if admin.outcome("EVAL", "return redis.call('PING')", 0) == b"PONG":
        pytest.skip("this server goes on answering")
    wait_until(lambda: read_info(admin).status["sweep_state"] == "paused", lambda: f"the pass to pause, {read_info(admin).status}")
    assert read_info(admin).status["sweep_paused_by"] == "refused"
    admin.call("ACL", "SETUSER", "late", "~late:*", "+@all")
    wait_until(lambda: read_info(admin).status["acl"] == "unreadable", lambda: f"it to be told, {read_info(admin).status}")
    admin.pipeline([("SET", f"app2:{number}", "x") for number in range(50)] + [("DEL", f"app1:{number}") for number in range(100)])
    info = read_info(admin)
    assert keys_by_prefix(info) == truth.keys_by_prefix(admin)
    assert abs(info.prefixes[b"app1:"]["bytes"] - bytes_before * 2 / 3) <= 1  # rounded
    assert "bytes" not in info.prefixes[b"app2:"] and "connections_rejected" not in info.status and info.status["drift"] == 0


@pytest.mark.fault(27)
def test_debug_populate_is_noticed(shared):
    quick_passes(shared.admin)
    shared.admin.call("DEBUG", "POPULATE", 5000, "app1")
    full_pass(shared.admin)
    wait_until(lambda: not wrong_keys(shared), lambda: f"the counts to be right again, {wrong_keys(shared)}")


class Busy:
    """Threads that write and delete under several prefixes until told to stop."""

    def __init__(self, server, threads=2):
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(server.session(), number)) for number in range(threads)]
        self.rounds = 0

    def _work(self, session, number):
        while not self._stop.is_set():
            self.rounds += 1
            names = [f"app{step % 4}:{number}:{(self.rounds * 7 + step) % 3000}" for step in range(100)]
            session.pipeline([("SET", name, "x") for name in names])
            session.pipeline([("DEL", name) for name in names[::2]] + [("RENAME", names[1], names[3]), ("SPOP", names[5])])

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()


@pytest.mark.newest_server("it takes long, and is the same pass on all")
@pytest.mark.fault(13)
def test_a_module_loaded_into_a_full_and_busy_server_becomes_exact(launch):
    server = launch(loading=None)
    create_users(server.admin)
    server.admin.call("DEBUG", "POPULATE", 40_000, "app1")
    server.admin.call("DEBUG", "POPULATE", 10_000, "orphan1")
    with Busy(server) as busy:
        loaded, text = server.admin.pipeline([server.loading_command("sweep-cpu-percent", "20", "sweep-interval", "0"), ("INFO", "tenants")])
        assert loaded == b"OK"
        modes = [Info(text).status["keys_mode"]]
        wait_until(lambda: modes.append(read_info(server.admin).status["keys_mode"]) or modes[-1] != "seeding", "the seeding to end", deadline_seconds=240)
        wait_until(lambda: busy.rounds > 20, "some traffic")
    expected = {"seeding", "exact"} if modes[-1] == "exact" else {"swept"}
    assert set(modes) == expected
    assert_right(server)


def test_a_pass_that_counts_keys_is_not_confused_by_renaming_onto_names_that_were_deleted(launch, seed):
    """As a queue does: RENAME inbox work, DEL work, and again, while the first pass is under way. Some 1,000 removals in a pass are
    one too many by chance (its Bloom filter), and then it is repeated; so one of three servers must do without that."""
    for _ in range(3):
        server = launch(loading=None)
        create_users(server.admin)
        names = [f"app1:work{number}" for number in range(200)]
        server.admin.pipeline([("SET", name, "x") for name in names])
        fill(server.admin, 15_000, seed)
        assert server.load_module("sweep-cpu-percent", "1", "sweep-interval", "0") == b"OK"
        wait_until(lambda: read_info(server.admin).status["sweep_progress"] > 0.3, "the first pass to be in its middle")
        server.admin.call("CONFIG", "SET", "slowlog-log-slower-than", 0)  # it pauses
        wait_until(lambda: read_info(server.admin).status["sweep_state"] != "running", "the pass to pause")
        assert read_info(server.admin).status["sweep_state"] == "paused" and read_info(server.admin).status["sweep_passes"] == 0, "the pass was too quick for this test"
        server.admin.pipeline([("DEL", name) for name in names])
        server.admin.pipeline([command for name in names for command in (("SET", name + ":inbox", "x"), ("RENAME", name + ":inbox", name))])
        server.admin.call("CONFIG", "SET", "slowlog-log-slower-than", 10_000, "tenants.sweep-cpu-percent", 50)
        info = wait_until(lambda: (info := read_info(server.admin)).status["sweep_passes"] and info, "the pass to end")
        quick_passes(server.admin)
        assert_right(server)
        if info.status["keys_mode"] != "seeding":
            return
    raise AssertionError(f"seed {seed}: the first pass did not add up, three times")


def test_a_change_of_the_acl_is_not_lost_while_the_first_pass_counts(launch, seed):
    """Nothing has been counted yet, but the pass has met keys that belong elsewhere now."""
    server = launch(loading=None)
    create_users(server.admin)
    server.admin.pipeline([("SET", f"app1:later:{number}", "x") for number in range(5000)])
    assert server.load_module("sweep-cpu-percent", "1", "sweep-interval", "0") == b"OK"
    wait_until(lambda: read_info(server.admin).status["sweep_progress"] > 0.3, "the first pass to be in its middle")
    server.admin.call("ACL", "SETUSER", "later", "on", ">secret", "~app1:later:*", "+@all")
    acl_taken_in(server.admin)
    assert_right(server)


@pytest.mark.long
@pytest.mark.not_with("coverage", reason="a pass of that build takes minutes")
def test_with_default_settings_a_server_with_many_keys_becomes_exact_while_thousands_come(launch):
    """At one per cent of the main thread the pass would take a minute, and more keys come in that time than it can remember."""
    server = launch(loading=None)
    create_users(server.admin)
    server.admin.call("DEBUG", "POPULATE", 500_000, "app1")
    assert server.load_module() == b"OK"
    number = 0
    began = time.monotonic()
    while read_info(server.admin).status["keys_mode"] == "seeding":
        assert time.monotonic() - began < 60 * patience(), read_info(server.admin).status
        server.admin.pipeline([("SET", f"app2:new{number + more}", "x") for more in range(500)])
        number += 500
        time.sleep(0.05)  # the pace of the traffic, some 5,000 keys a second; not a wait
    print(f"{server.version}: {number} keys came")
    assert_right(server)
