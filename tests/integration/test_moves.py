"""Keys that become another prefix's, by the ACL or tenants.prefixes: what is said of them meanwhile, and after."""

import pytest

import truth
from info import read_info
from tenants import acl_taken_in, full_pass
from waiting import wait_until

KEYS = 20_000
SIZES = {b"user:profile:": 1000, b"user:s:": 1, b"orphan:": 1}  # of values
RULES = ("on", "nopass", "+@all")


def fill(admin):
    """Returns {prefix: Σ MEMORY USAGE}; keys of a prefix are alike."""
    for prefix, size in SIZES.items():
        admin.pipeline([("SET", prefix + b"%06d" % number, "x" * size) for number in range(KEYS)])
    return {prefix: KEYS * admin.call("MEMORY", "USAGE", prefix + b"000001") for prefix in SIZES}


def untrue(info, held):
    """{prefix: (told, error, truth)} of those whose bytes are off by three times what they say: one of twenty may be by once."""
    off = {}
    for prefix, truth_ in held.items():
        row = info.prefixes.get(prefix, {})
        if "bytes" in row and "bytes_error" in row and abs(row["bytes"] - truth_) > 3 * row["bytes_error"]:
            off[prefix] = row["bytes"], row["bytes_error"], truth_
    return off


@pytest.mark.newest_server("how keys move is the module's own doing")
def test_sizes_of_keys_that_moved_are_not_taken_for_those_of_the_keys_that_are_left(launch):
    admin = launch().admin
    admin.call("ACL", "SETUSER", "app1", *RULES, "~user:*")
    acl_taken_in(admin)
    held = fill(admin)
    admin.call("CONFIG", "SET", "tenants.sweep-cpu-percent", 20, "tenants.sweep-interval", 0)
    full_pass(admin)
    wait_until(lambda: read_info(admin).status.get("sample_keys", 0) > 2000, "keys to be met at random")
    before = {b"user:": held[b"user:profile:"] + held[b"user:s:"], b"orphan:": held[b"orphan:"]}
    wait_until(lambda: not untrue(read_info(admin), before) and "bytes" in read_info(admin).prefixes[b"user:"], lambda: untrue(read_info(admin), before))
    admin.call("ACL", "SETUSER", "app2", *RULES, "~user:profile:*")
    acl_taken_in(admin)
    after = {b"user:": held[b"user:s:"], b"user:profile:": held[b"user:profile:"], b"orphan:": held[b"orphan:"]}
    readings = []  # true: the keys have been counted anew

    def look():
        info = read_info(admin)
        counted = info.prefixes.get(b"user:profile:", {}).get("keys") == KEYS
        off = untrue(info, after if counted else before)
        assert not off, f"{'after' if counted else 'before'} the new count: {off}"
        readings.append(counted)
        return sum(readings) == 20

    wait_until(look, lambda: f"the new count: {read_info(admin).prefixes}")


@pytest.mark.newest_server("how keys move is the module's own doing")
@pytest.mark.parametrize("leaves", [pytest.param("tenants.prefixes", marks=pytest.mark.long), "acl"])
def test_keys_of_a_prefix_that_goes_are_at_once_those_of_the_tenant_whose_pattern_covers_them(launch, leaves):
    admin = launch().admin
    admin.call("CONFIG", "SET", "tenants.sweep-cpu-percent", 20, "tenants.sweep-interval", 0)
    admin.call("ACL", "SETUSER", "app1", *RULES, "~user:*")
    admin.call("ACL", "SETUSER", "app2", *RULES, "~other:*")
    if leaves == "acl":
        admin.call("ACL", "SETUSER", "app1", "~user:profile:*")
    else:
        admin.call("CONFIG", "SET", "tenants.prefixes", "user:profile:")
    acl_taken_in(admin)
    fill(admin)
    full_pass(admin)
    wait_until(lambda: read_info(admin).prefixes[b"user:profile:"]["keys"] == KEYS, "the row of its own")
    admin.call("CONFIG", "SET", "tenants.sweep-cpu-percent", 0)  # so no new count comes
    if leaves == "acl":
        admin.call("ACL", "SETUSER", "app1", "resetkeys", "~user:*")
    else:
        admin.call("CONFIG", "SET", "tenants.prefixes", "")
    wait_until(lambda: read_info(admin).status["acl"] == "ok", "the ACL to be taken in")
    rows = {name: truth.pairs(admin.call("TENANTS.GET", name))[b"keys"] for name in ("app1", "(orphans)")}
    assert rows == {"app1": 2 * KEYS, "(orphans)": KEYS} and read_info(admin).status["orphan_keys"] == KEYS
    admin.call("CONFIG", "SET", "tenants.sweep-cpu-percent", 20)
    wait_until(lambda: read_info(admin).prefixes[b"user:"]["keys"] == 2 * KEYS, "the new count")
    assert truth.pairs(admin.call("TENANTS.GET", "app1"))[b"keys"] == 2 * KEYS
