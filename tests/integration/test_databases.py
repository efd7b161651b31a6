"""TENANTS.DATABASES: keys and memory of each database, against DBSIZE and Σ MEMORY USAGE."""

import random

import pytest

import truth
from tenants import acl_taken_in, full_pass, measured_pass, pages, quick_passes
from waiting import wait_until


@pytest.fixture
def admin(launch):
    server = launch(lines=["databases 4096"])  # a million take servers before 9 seconds of each pass of their own
    quick_passes(server.admin)
    return server.admin


def fill(session, db, keys, size):
    session.call("SELECT", db)
    session.pipeline([("SET", f"app:{n}", "x" * size) for n in range(keys)] + [("HSET", f"hash:{n}", "f", "x" * size) for n in range(keys // 10)])
    session.call("SELECT", 0)


def databases(session, *words):
    rows, _ = pages(session, "TENANTS.DATABASES", 1000, *words)
    return {int(row[b"name"]): row for row in rows}


def outside(session):
    """{database: (keys, Σ MEMORY USAGE)}"""
    found = {}
    for db, names in truth.key_names(session).items():
        session.call("SELECT", db)
        found[db] = len(names), sum(session.pipeline([("MEMORY", "USAGE", name, "SAMPLES", 0) for name in names]))
    session.call("SELECT", 0)
    return found


def inside(session):
    return {db: (row[b"keys"], row.get(b"bytes")) for db, row in databases(session).items()}


def test_keys_and_bytes_are_those_of_dbsize_and_memory_usage(admin):
    for db, keys, size in [(0, 500, 10), (3, 300, 1000), (7, 20, 5000), (4095, 5, 10)]:
        fill(admin, db, keys, size)
    measured_pass(admin)
    assert inside(admin) == outside(admin)
    rows = databases(admin)
    assert {(row[b"kind"], row[b"bytes_error"], float(row[b"coverage"])) for row in rows.values()} == {(b"database", 0, 1)}
    assert [int(row[b"name"]) for row in pages(admin, "TENANTS.DATABASES", 1, "SORTBY", "bytes")[0]] == sorted(rows, key=lambda db: -rows[db][b"bytes"])
    assert [int(row[b"name"]) for row in pages(admin, "TENANTS.DATABASES", 1)[0]] == [0, 3, 7, 4095], "a page each"
    assert list(databases(admin, "MATCH", "4*")) == [4095]
    cursor, text = admin.call("TENANTS.DATABASES", "0", "FORMAT", "CSV")
    lines = text.decode().splitlines()
    assert cursor == b"0" and lines[0] == "name,kind,keys,bytes,bytes_error,coverage,keys_without_ttl,avg_ttl_msec"
    assert lines[1] == f"0,database,{rows[0][b'keys']},{rows[0][b'bytes']},0,1.000,{rows[0][b'keys']},"


def test_flushed_swapped_and_moved_keys_are_where_they_are(admin, seed):
    rng = random.Random(seed)
    for db, keys, size in [(0, 100, 10), (1, 50, 1000), (2, 30, 100)]:
        fill(admin, db, keys, size)
    for _ in range(6):
        what = rng.choice(["swap", "flush", "move", "fill"])
        if what == "swap":
            admin.call("SWAPDB", *rng.sample(range(4), 2))
        elif what == "fill":
            fill(admin, rng.randrange(4), rng.randrange(1, 50), rng.randrange(500))
        else:
            admin.call("SELECT", rng.randrange(4))
            admin.call("FLUSHDB") if what == "flush" else admin.pipeline([("MOVE", f"app:{n}", rng.randrange(4, 6)) for n in range(20)])
            admin.call("SELECT", 0)
        keys = {db: found[0] for db, found in inside(admin).items()}
        assert keys == {db: found[0] for db, found in outside(admin).items()}, f"seed {seed}: after {what}, at once"
        full_pass(admin)
        wait_until(lambda: inside(admin) == outside(admin), lambda: f"seed {seed}, after {what}: {inside(admin)}, {outside(admin)}")


def test_a_tenants_keys_are_told_by_database(admin, seed):
    rng = random.Random(seed)
    admin.call("ACL", "SETUSER", "app", "on", "nopass", "~app:*", "~more:*", "+@all")
    acl_taken_in(admin)

    def told(name):
        rows = truth.pairs(admin.call("TENANTS.GET", name))[b"databases"]
        return {row[b"database"]: row[b"keys"] for row in map(truth.pairs, rows)}

    def outside():
        """{database: keys of the tenant}, and of nobody."""
        of = [{db: len([name for name in names if name.startswith((b"app:", b"more:")) == own]) for db, names in truth.key_names(admin).items()} for own in (True, False)]
        return [{db: number for db, number in keys.items() if number} for keys in of]

    for step in range(8):
        for db in rng.sample(range(6), 3):
            admin.call("SELECT", db)
            admin.pipeline([("SET", f"{rng.choice(['app', 'more', 'else'])}:{n}", "x") for n in range(rng.randrange(1, 60))])
            admin.pipeline([("MOVE", f"app:{n}", rng.randrange(6, 9)) for n in range(3)])
            if rng.randrange(3) == 0:
                admin.call("FLUSHDB")
        admin.call("SELECT", 0)
        if step % 2:
            admin.call("SWAPDB", *rng.sample(range(6), 2))
        full_pass(admin)
        wait_until(lambda: [told("app"), told("(orphans)")] == outside(), lambda: f"seed {seed}, step {step}: {told('app')}, {told('(orphans)')}, {outside()}")
    admin.call("FLUSHALL")
    full_pass(admin)
    assert told("app") == told("(orphans)") == {}


def test_thousands_of_databases_have_their_keys_and_the_first_ones_their_bytes(admin):
    admin.call("CONFIG", "SET", "tenants.target-error", 0)  # every key is measured
    admin.call("EVAL", "for db = 1, 3000 do redis.call('SELECT', db) redis.call('SET', 'k:' .. db, 'x') end", 0)
    full_pass(admin)
    full_pass(admin)
    rows = databases(admin)
    assert len(rows) == 3000 and {row[b"keys"] for row in rows.values()} == {1}
    assert sum(b"bytes" in row for row in rows.values()) == 1024


def test_a_word_that_it_does_not_know_is_refused(admin):
    assert "allowed are COUNT, MATCH, SORTBY and FORMAT" in str(admin.outcome("TENANTS.DATABASES", "0", "NONSENSE", "1"))
    assert "allowed are keys, bytes" in str(admin.outcome("TENANTS.DATABASES", "0", "SORTBY", "nonsense"))
    assert admin.call("TENANTS.DATABASES") == [b"0", []]
