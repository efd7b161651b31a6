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


def held_by(session, name):
    """Of a tenant: {database: (keys, bytes, error)}"""
    rows = truth.pairs(session.call("TENANTS.GET", name))[b"databases"]
    return {row[b"database"]: (row[b"keys"], row.get(b"bytes"), row.get(b"bytes_error")) for row in map(truth.pairs, rows)}


def test_a_tenants_keys_and_bytes_are_told_by_database(admin, seed):
    rng = random.Random(seed)
    admin.call("CONFIG", "SET", "tenants.target-error", 0)  # every key is measured
    admin.call("ACL", "SETUSER", "app", "on", "nopass", "~app:*", "~more:*", "+@all")
    acl_taken_in(admin)

    def outside():
        """Of the tenant, and of nobody."""
        found = {}, {}
        for db, names in truth.key_names(admin).items():
            admin.call("SELECT", db)
            for name, size in zip(names, admin.pipeline([("MEMORY", "USAGE", name, "SAMPLES", 0) for name in names])):
                of = found[not name.startswith((b"app:", b"more:"))]
                keys, held, _ = of.get(db, (0, 0, 0))
                of[db] = keys + 1, held + size, 0
        admin.call("SELECT", 0)
        return list(found)

    for step in range(8):
        for db in rng.sample(range(6), 3):
            admin.call("SELECT", db)
            admin.pipeline([("SET", f"{rng.choice(['app', 'more', 'else'])}:{n}", "x" * rng.randrange(500)) for n in range(rng.randrange(1, 60))])
            admin.pipeline([("MOVE", f"app:{n}", rng.randrange(6, 9)) for n in range(3)])
            if rng.randrange(3) == 0:
                admin.call("FLUSHDB")
        admin.call("SELECT", 0)
        if step % 2:
            admin.call("SWAPDB", *rng.sample(range(6), 2))
        full_pass(admin)
        wait_until(
            lambda: [held_by(admin, "app"), held_by(admin, "(orphans)")] == outside(),
            lambda: f"seed {seed}, step {step}: {held_by(admin, 'app')}, {held_by(admin, '(orphans)')}, {outside()}",
        )
    admin.call("FLUSHALL")
    full_pass(admin)
    assert held_by(admin, "app") == held_by(admin, "(orphans)") == {}


def test_the_bytes_of_a_tenant_in_each_database_lie_within_their_error(launch, seed):
    """Values are a thousand times as long in one database as in the others, and only a part of the keys is measured."""
    rng = random.Random(seed)
    admin = launch(lines=["databases 16"]).admin
    admin.call("CONFIG", "SET", "tenants.target-error", 5)
    admin.call("ACL", "SETUSER", "app", "on", "nopass", "~app:*", "+@all")
    acl_taken_in(admin)
    true = {}
    for db, keys, size in [(0, 8000, 40), (1, 8000, 4), (2, 2000, 4000), (5, 3, 10)]:
        admin.call("SELECT", db)
        admin.pipeline([("SET", f"app:{n}", "x" * rng.randrange(size, 2 * size)) for n in range(keys)])
        true[db] = sum(admin.pipeline([("MEMORY", "USAGE", f"app:{n}", "SAMPLES", 0) for n in range(keys)]))
    admin.call("SELECT", 0)
    quick_passes(admin)
    for _ in range(2):  # the second measures by what the first has found
        full_pass(admin)
    held = held_by(admin, "app")
    off = {db: (held[db], true[db]) for db in true if abs(held[db][1] - true[db]) > held[db][2]}
    assert held.keys() == true.keys() and not off, f"seed {seed}: {off}"
    coverage = truth.pairs(truth.pairs(admin.call("TENANTS.GET", "app"))[b"prefixes"][0])[b"coverage"]
    assert float(coverage) < 0.9, "some were not measured"
    assert held[2][2] < true[2] / 10, "the error is small where most bytes are"


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
