"""Hits, misses, expired and evicted per prefix, against what INFO stats says of the whole server."""

import random
import re

import pytest

from info import read_info, total
from tenants import acl_taken_in, quick_passes
from truth import pairs, stat
from waiting import wait_until


@pytest.fixture
def quiet(shared):
    """A server that has had so little to do that every command is looked at."""
    acl_taken_in(shared.admin)
    shared.admin.call("CONFIG", "SET", "tenants.sweep-cpu-percent", 0)  # a pass that waits for a core lets the module adapt late
    wait_until(lambda: read_info(shared.admin).status["sweep_state"] == "off", "the passes to be off")
    rest(shared.admin)
    return shared


def rest(session):
    """Returns when two tenths of a second have passed, in which the module adapts to how many commands come."""
    seconds, usec = session.call("TIME")
    end = int(seconds) * 10**6 + int(usec) + 200_000

    def passed():
        seconds, usec = session.call("TIME")
        return int(seconds) * 10**6 + int(usec) > end

    session.call("WAIT", 1, 200)  # for a replica that there is not: asking for the time again and again would be too much to do
    wait_until(passed, "0.2 s of the server's time")


def cache(session, prefix=b"app1:"):
    row = read_info(session).prefixes[prefix]
    return row["hits_sampled"], row["misses_sampled"]


READS = {
    "a_get": ([("GET", "app1:a"), ("GET", "app1:nothing")], (1, 1)),
    "a_hash_field": ([("HGET", "app1:h", "f"), ("HGET", "app1:h", "nothing"), ("HGETALL", "app1:nothing")], (2, 1)),
    "many_keys": ([("MGET", "app1:a", "app1:b", "app1:nothing", "app1:nothing"), ("EXISTS", "app1:a", "app1:a")], (4, 2)),
    "reads_that_write": ([("GETEX", "app1:a", "EX", 100), ("GETSET", "app1:a", "x"), ("GETDEL", "app1:b"), ("GETDEL", "app1:b")], (3, 1)),
    "writes": ([("SET", "app1:a", "x"), ("INCR", "app1:n"), ("DEL", "app1:nothing"), ("LPUSH", "app1:l", "x")], (0, 0)),
    "of_the_wrong_type": ([("HGET", "app1:a", "f")], (1, 0)),
    "expired": ([("SET", "app1:gone", "x", "PX", 1), ("DEBUG", "SLEEP", "0.01"), ("GET", "app1:gone")], (0, 1)),
    "in_another_database": ([("SELECT", 1), ("GET", "app1:a"), ("SET", "app1:z", "x"), ("GET", "app1:z"), ("SELECT", 0)], (1, 1)),
    "in_a_transaction": ([("MULTI",), ("GET", "app1:a"), ("GET", "app1:nothing"), ("EXEC",)], (1, 1)),
    "in_a_transaction_that_is_given_up": ([("MULTI",), ("GET", "app1:a"), ("DISCARD",), ("MULTI",), ("GET", "app1:a"), ("NOSUCH",), ("EXEC",)], (0, 0)),
    "in_a_script": ([("EVAL", "redis.call('GET', 'app1:a') redis.call('GET', 'app1:nothing')", 0)], (1, 1)),
    "of_wrong_arity": ([("GET",), ("GET", "app1:a", "app1:b")], (0, 0)),
}  # fmt: skip


@pytest.mark.parametrize("begin", ["before_the_module", "alone", "in_a_transaction"])
def test_a_client_that_touches_nothing_ends_no_server(launch, begin):
    """Before 9.1 it does where a key is opened by the command filter."""
    server = launch(loading=None)
    early = server.session()
    if begin == "before_the_module":
        early.call("CLIENT", "NO-TOUCH", "ON")
    assert server.load_module() == b"OK"
    acl_taken_in(server.admin)
    rest(server.admin)
    session = early if begin == "before_the_module" else server.session()
    if begin == "alone":
        session.call("CLIENT", "NO-TOUCH", "ON")
    elif begin == "in_a_transaction":
        session.pipeline([("MULTI",), ("CLIENT", "NO-TOUCH", "ON"), ("EXEC",)])
    session.call("SET", "app1:a", "x")
    session.pipeline([("GET", "app1:a"), ("TOUCH", "app1:a"), ("EVAL", "return redis.call('GET', 'app1:a')", 0), ("MULTI",), ("GET", "app1:a"), ("EXEC",)])
    other = server.session()
    for session in (early, other):
        assert session.call("GET", "app1:a") == b"x"


@pytest.mark.redis
@pytest.mark.parametrize("reads", READS)
def test_few_reads_are_counted_one_by_one(quiet, reads):
    session = quiet.session()
    session.call("DEBUG", "SET-ACTIVE-EXPIRE", "0")
    for command in [("MSET", "app1:a", "1", "app1:b", "2"), ("HSET", "app1:h", "f", "v")]:
        session.call(*command)
    rest(session)
    commands, expected = READS[reads]
    before, hits, misses = cache(session), stat(session, "keyspace_hits"), stat(session, "keyspace_misses")
    session.pipeline(commands)
    after = cache(session)
    assert (after[0] - before[0], after[1] - before[1]) == expected
    assert (stat(session, "keyspace_hits") - hits, stat(session, "keyspace_misses") - misses) == expected, "what INFO stats says"


def test_refused_reads_are_neither_hits_nor_misses(quiet):
    if quiet.version < (9, 1):
        pytest.skip("servers before 9.1 do not tell a module of refusals")
    admin = quiet.admin
    admin.call("SET", "app1:a", "x")
    session = quiet.session("app2")
    before = cache(admin)
    session.outcome("GET", "app1:a")
    session.outcome("GET", "app1:nothing")
    assert cache(admin) == before


def test_looking_leaves_no_trace_in_the_data_or_the_statistics(quiet):
    admin = quiet.admin
    admin.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    admin.call("DEBUG", "SET-ACTIVE-EXPIRE", "0")
    admin.pipeline([("SET", "app1:old", "x"), ("SET", "app1:gone", "x", "PX", 1)])
    wait_until(lambda: admin.call("OBJECT", "IDLETIME", "app1:old") >= 2, "the key to be idle")
    hits, expired = stat(admin, "keyspace_hits"), stat(admin, "expired_keys")
    admin.call("EXISTS", "app1:old")  # does not touch it either
    assert admin.call("OBJECT", "IDLETIME", "app1:old") >= 2
    assert stat(admin, "keyspace_hits") - hits == 2
    admin.pipeline([("MULTI",), ("EXISTS", "app1:gone"), ("DISCARD",)])
    assert stat(admin, "expired_keys") == expired and admin.call("DBSIZE") == 2


@pytest.mark.newest_server("the sampling is the module's own")
def test_many_reads_are_estimated_by_prefix(quiet, seed):
    """Some 250 looks a second: so the estimates of a few seconds are right to some percent."""
    admin, choose = quiet.admin, random.Random(seed)
    shares = {b"app1:": 0.9, b"app2:": 0.5, b"orphan1:": 0.1}
    for prefix in shares:
        admin.pipeline([("SET", prefix + b"%d" % number, "x") for number in range(100)])
    quick_passes(admin)
    wait_until(lambda: b"orphan1:" in read_info(admin).prefixes, "the row of the orphan")
    session = quiet.session()
    hits, misses = stat(admin, "keyspace_hits"), stat(admin, "keyspace_misses")
    sent = dict.fromkeys(shares, 0)
    batches = {}
    for prefix, share in shares.items():
        batches[prefix] = [("GET", prefix + (b"%d" if choose.random() < share else b"no%d") % choose.randrange(100)) for _ in range(300)]
    found = {prefix: sum(b"no" not in name for _, name in batch) for prefix, batch in batches.items()}
    start = read_info(admin).status["uptime_seconds"]
    while read_info(admin).status["uptime_seconds"] < start + 5 or min(sent.values()) < 30:
        prefix = choose.choice(list(shares))
        session.pipeline(batches[prefix] * 3)
        sent[prefix] += 3
    info = read_info(admin)
    for prefix in shares:
        row, truth = info.prefixes[prefix], found[prefix] / 300
        assert abs(row["hit_ratio"] - truth) < 0.15, f"seed {seed}, {prefix}: {row}, truth {truth}"
        assert abs(row["hits_sampled"] + row["misses_sampled"] - 300 * sent[prefix]) < 0.35 * 300 * sent[prefix], f"seed {seed}, {prefix}: {row}, {sent}"
    for name, before, field in [("keyspace_hits", hits, "hits_sampled"), ("keyspace_misses", misses, "misses_sampled")]:
        truth, estimate = stat(admin, name) - before, total(info.prefixes, field)
        assert abs(estimate - truth) < 0.3 * truth, f"seed {seed}, {name}: {estimate}, truth {truth}"


def used_by(session, tenant, prefix):
    """{user: (reads, writes)}"""
    row = next(row for row in map(pairs, pairs(session.call("TENANTS.GET", tenant))[b"prefixes"]) if row[b"name"] == prefix)
    return {use[b"name"]: (use[b"reads_sampled"], use[b"writes_sampled"]) for use in map(pairs, row.get(b"used_by", []))}


def test_who_reads_and_who_writes_a_shared_prefix_is_known(quiet):
    admin = quiet.admin
    for name in ("app1", "app2"):
        admin.call("ACL", "SETUSER", name, "~shared:*")
    admin.call("ACL", "SETUSER", "reader", "on", ">secret", "%R~shared:*", "~reader:*", "+@all")
    acl_taken_in(admin)
    rest(admin)
    app1, app2, reader = (quiet.session(name) for name in ("app1", "app2", "reader"))
    app1.pipeline([("SET", "shared:a", "x")] * 3 + [("GET", "shared:a"), ("HGET", "shared:none", "f")])
    app1.pipeline([("MULTI",), ("SET", "shared:b", "x"), ("GET", "shared:b"), ("EXEC",), ("MULTI",), ("SET", "shared:b", "x"), ("DISCARD",)])
    rest(admin)
    app1.call("EVAL", "redis.call('SET', KEYS[1], 'x')", 1, "shared:a")
    app2.pipeline([("MGET", "shared:a", "shared:b"), ("DEL", "shared:none"), ("GETDEL", "shared:none")])
    refused = reader.pipeline([("SET", "reader:1", "x"), ("GET", "shared:a"), ("SET", "shared:a", "x")])
    assert "permission" in str(refused[2])
    writes = 0 if quiet.version >= (9, 1) else 1  # nobody tells of refusals before
    expected = {b"app1": (3, 5), b"app2": (2, 2), b"reader": (1, writes)}
    assert used_by(admin, "app1", b"shared:") == expected and used_by(admin, "reader", b"reader:") == {}
    rest(admin)
    admin.pipeline([("GET", "reader:1"), ("SET", "reader:1", "x")])
    reader.call("GET", "reader:1")
    assert used_by(admin, "reader", b"reader:") == {b"default": (1, 1), b"reader": (1, 0)}
    assert "used_by" not in str(app1.call("TENANTS.ME"))
    admin.call("ACL", "DELUSER", "app2")
    acl_taken_in(admin)
    assert used_by(admin, "app1", b"shared:") == expected, "it was so"
    admin.call("TENANTS.RESETSTAT")
    assert used_by(admin, "app1", b"shared:") == {}


@pytest.mark.newest_server("the sampling is the module's own")
def test_many_uses_of_a_shared_prefix_are_estimated_by_user(quiet, seed):
    admin, choose = quiet.admin, random.Random(seed)
    for name in ("app1", "app2"):
        admin.call("ACL", "SETUSER", name, "~shared:*")
    acl_taken_in(admin)
    sessions = {name: quiet.session(name.decode()) for name in (b"app1", b"app2")}
    batches = {b"app1": [("SET", "shared:k", "x")] * 240 + [("GET", "shared:k")] * 60, b"app2": [("GET", "shared:k")] * 100 + [("PING",)] * 200}
    sent, start = dict.fromkeys(sessions, 0), read_info(admin).status["uptime_seconds"]
    while read_info(admin).status["uptime_seconds"] < start + 5 or min(sent.values()) < 30:
        name = choose.choice(list(sessions))
        sessions[name].pipeline(choose.sample(batches[name], 300))
        sent[name] += 1
    found = used_by(admin, "app1", b"shared:")
    for estimate, right in zip((*found[b"app1"], *found[b"app2"]), (60 * sent[b"app1"], 240 * sent[b"app1"], 100 * sent[b"app2"], 0)):
        assert abs(estimate - right) <= 0.4 * right, f"seed {seed}: {found}, {sent}"


def test_expired_and_evicted_keys_are_their_prefixes(quiet):
    admin = quiet.admin
    if read_info(admin).status["keys_mode"] == "swept":
        assert not any("expired" in row or "evicted" in row for row in read_info(admin).prefixes.values())
        pytest.skip("this server's notifications are not used (valkey #4024): no counters, and none shown")
    admin.pipeline([("SET", f"app{1 + number % 3}:{number}", "x", "PX", 1) for number in range(300)] + [("SET", "app1:keep", "x")])
    wait_until(lambda: admin.call("DBSIZE") == 1, "the keys to expire")
    info = read_info(admin)
    assert [info.prefixes[b"app%d:" % number]["expired"] for number in (1, 2, 3)] == [100, 100, 100]
    used = int(re.search(rb"used_memory:(\d+)", admin.call("INFO", "memory"))[1])
    admin.call("CONFIG", "SET", "maxmemory-policy", "allkeys-random", "maxmemory", used + 2_000_000)
    admin.pipeline([("SET", f"app{1 + number % 3}:{number}", "x" * 500) for number in range(20000)])
    admin.call("CONFIG", "SET", "maxmemory", 0)
    info, evicted = read_info(admin), stat(admin, "evicted_keys")
    assert total(info.prefixes, "evicted") == evicted > 1000
    assert min(info.prefixes[b"app%d:" % number]["evicted"] for number in (1, 2, 3)) > evicted / 4


def test_what_a_prefix_without_keys_had_counted_goes_to_other(quiet):
    admin = quiet.admin
    admin.call("CONFIG", "SET", "tenants.sweep-cpu-percent", 50, "tenants.sweep-interval", 0)
    admin.call("SET", "gone:a", "x")
    wait_until(lambda: b"gone:" in read_info(admin).prefixes, "the row of the prefix")
    rest(admin)
    admin.call("GET", "gone:a")
    assert cache(admin, b"gone:") == (1, 0)
    admin.call("DEL", "gone:a")
    wait_until(lambda: b"gone:" not in read_info(admin).prefixes, "the row to be given back")
    rest(admin)
    admin.outcome("GET", "gone:a")
    row = read_info(admin).prefixes["(other)"]
    assert (row["hits_sampled"], row["misses_sampled"]) == (1, 1)
    assert b"gone:" not in read_info(admin).prefixes, "who asks for what there is not gets no row"


def test_resetstat_starts_the_counters_of_prefixes_anew(quiet):
    admin = quiet.admin
    admin.call("SET", "app1:a", "x")
    admin.call("GET", "app1:a")
    assert cache(admin) == (1, 0)
    admin.call("TENANTS.RESETSTAT")
    assert cache(admin) == (0, 0)


def test_a_flush_changes_no_counter(shared):
    admin, session = shared.admin, shared.session("app1")
    acl_taken_in(admin)
    session.pipeline([("SET", f"app1:{number}", "x", "PX", 10_000_000) for number in range(100)] + [("GET", "app1:1")] * 10)
    counters = ("hits_sampled", "misses_sampled", "expired", "evicted")

    def counted():
        info = read_info(admin)
        return {name: info.prefixes[b"app1:"].get(name) for name in counters}, info.users[b"app1"]["commands"]

    before = counted()
    for flush in (("FLUSHDB",), ("FLUSHALL",), ("FLUSHALL", "ASYNC")):
        session.call(*flush)
    names, commands = counted()
    assert (names, commands) == (before[0], before[1] + 3)
    quick_passes(admin)  # for the server that does not tell of keys
    wait_until(lambda: read_info(admin).prefixes[b"app1:"]["keys"] == 0, "the keys to be gone")
