"""Atomic slot migration (9.x): what moves between the nodes belongs to no user, and the keys are counted where they are."""

import collections
import random
import time

import pytest

import truth
from checks import counted_between, observe, users, wrong_commands, wrong_connections, wrong_keys
from cluster import LINES, Cluster
from info import Info, keys_by_prefix, read_info
from tenants import acl_taken_in, quick_passes
from traffic import create_users
from waiting import wait_until

SLOT, TAG = 0, "{06S}"
KEYS = 2000


@pytest.fixture
def nodes(launch):
    """The source and the target of the migration."""
    if launch(loading=None).version < (9, 0):
        pytest.skip("CLUSTER MIGRATESLOTS came with 9.0")
    nodes = Cluster(launch, 2).nodes
    for node in nodes:
        create_users(node.admin)
        quick_passes(node.admin)
        node.admin.call("CONFIG", "SET", "cluster-manual-failover-timeout", 60_000)  # twice as long may the pause be
    return nodes


def migrate(source, target, during=lambda: None):
    """Moves SLOT; calls `during` as long as it is under way."""
    source.admin.call("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", SLOT, SLOT, "NODE", target.admin.call("CLUSTER", "MYID"))

    def ended():
        during()
        newest = truth.pairs(source.admin.call("CLUSTER", "GETSLOTMIGRATIONS")[0])
        assert newest[b"state"] != b"failed", newest
        return newest[b"state"] == b"success"

    wait_until(ended, "the slot to be moved")


@pytest.mark.fault(6)
def test_what_a_migration_replays_is_internal_and_its_links_are_who_client_list_says(nodes):
    source, target = nodes
    session = source.session("app1")
    session.pipeline([("SET", f"app1:{TAG}:{number}", "x" * 100) for number in range(KEYS)])
    before = [observe(node) for node in nodes]

    def check():
        session.pipeline([("INCR", f"app1:{TAG}:n"), ("SET", "app1:other", "1")])
        assert not wrong_connections(target.admin)
        wrong = wrong_connections(source.admin)
        assert wrong in ({}, {"(internal)": (None, 1), "status": (2, 3)}), "the link out counts from its first command on"

    migrate(source, target, check)
    for node, start in zip(nodes, before):
        assert not wrong_connections(node.admin)
        assert not wrong_commands(node, start), "user: (module, ledger)"
    assert counted_between(before[1], observe(target))["(internal)"]["writes"] >= KEYS


@pytest.mark.fault(6)
def test_keys_of_a_migrated_slot_are_counted_where_they_are(nodes):
    source, target = nodes
    for number in range(KEYS):
        source.admin.outcome("SET", f"app{number % 3}:{TAG}:{number}", "x")
    migrate(source, target)
    assert target.admin.call("DBSIZE") == KEYS and source.admin.call("DBSIZE") == 0
    assert not wrong_keys(target), "target, prefix: (module, SCAN)"
    wait_until(lambda: not wrong_keys(source), lambda: f"source, prefix: (module, SCAN) {wrong_keys(source)}")
    assert [read_info(node.admin).status["drift"] for node in nodes] == [0, 0]
    migrate(target, source)
    assert not wrong_keys(source), "and back, prefix: (module, SCAN)"
    assert keys_by_prefix(read_info(target.admin)) == {}


class Sampler:
    """Reads the module's keys and the server's in one transaction, as often as it is called."""

    def __init__(self, *nodes):
        self.rules = [(node, truth.rule_of(node.admin)) for node in nodes]
        self.samples, self.wrong = collections.Counter(), []

    def __call__(self):
        for number, (node, rule) in enumerate(self.rules):
            size, names, text = node.admin.transaction(("DBSIZE",), ("KEYS", "*"), ("INFO", "tenants"))
            info, there = Info(text), dict(collections.Counter(map(rule.prefix_of, names)))
            self.samples[number] += 1
            all_shown = len(names) == size  # KEYS leaves out what has expired and is still there
            right = info.status["keys"] == size and (keys_by_prefix(info) == there or not all_shown)
            if not right or info.status["keys_mode"] != "exact" or info.status["drift"]:
                self.wrong.append((number, keys_by_prefix(info), there, size, info.status["keys_mode"], info.status["drift"]))


def under_way(source):
    return truth.pairs(source.admin.call("CLUSTER", "GETSLOTMIGRATIONS")[0])[b"state"]


def random_writes(rng):
    """To SLOT: keys appear, are overwritten, expire and vanish."""
    for _ in range(20):
        key = f"app{rng.randrange(3)}:{TAG}:{rng.randrange(2 * KEYS)}"
        yield rng.choice([("SET", key, "x"), ("SET", key, "x"), ("DEL", key), ("HSET", key + "h", "f", "v"), ("SET", key + "e", "x", "PX", 50)])


@pytest.mark.fault(6)
def test_keys_on_the_way_count_from_the_moment_of_their_arrival(nodes, launch, seed):
    """SCAN and DBSIZE leave them out until then, also on a replica. What is held open brings all it has and goes on; one
    migration is cancelled, the next one completes."""
    source, target = nodes
    replica = launch(lines=LINES)
    create_users(replica.admin)
    replica.admin.call("CLUSTER", "MEET", "127.0.0.1", target.port)
    wait_until(lambda: replica.admin.outcome("CLUSTER", "REPLICATE", target.admin.call("CLUSTER", "MYID")) == b"OK", "the replica to know its primary")
    wait_until(lambda: b"master_link_status:up" in replica.admin.call("INFO", "replication"), "the replica to be in sync")
    rng = random.Random(seed)
    source.admin.pipeline([("SET", f"app{number % 3}:{TAG}:{number}", "x") for number in range(KEYS)])
    target.admin.pipeline([("SET", f"app1:{{foo}}:{number}", "x") for number in range(100)])
    for node in (*nodes, replica):
        acl_taken_in(node.admin)
    sample = Sampler(source, target, replica)
    source.admin.call("DEBUG", "SLOTMIGRATION", "PREVENT-PAUSE", 1)
    for cancelled in (True, False):
        source.admin.call("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", SLOT, SLOT, "NODE", target.admin.call("CLUSTER", "MYID"))
        open_until = None
        while open_until is None or time.monotonic() < open_until:
            source.admin.pipeline(random_writes(rng))
            sample()
            if open_until is None and under_way(source) == b"waiting-to-pause":
                open_until = time.monotonic() + 1.2  # the sums are looked at once a second
        if cancelled:
            source.admin.call("CLUSTER", "CANCELSLOTMIGRATIONS")
        else:
            source.admin.call("DEBUG", "SLOTMIGRATION", "PREVENT-PAUSE", 0)
        wait_until(lambda: sample() or under_way(source) in (b"success", b"cancelled"), "the migration to end")
        moved = 100 if cancelled else 101
        wait_until(lambda: sample() or target.admin.call("DBSIZE") >= moved, "the target to have them")
        sample()
    assert not sample.wrong, f"{len(sample.wrong)} of {sample.samples}; node, module, KEYS, DBSIZE, mode, drift: {sample.wrong[:3]}"
    assert min(sample.samples.values()) > 20, sample.samples
    assert source.admin.call("DBSIZE") == 0


def test_who_only_claims_to_migrate_slots_is_charged_for_the_rest(nodes):
    session = nodes[0].session("app1")
    before = users(nodes[0])[b"app1"]
    for _ in range(3):
        session.outcome("CLUSTER", "SYNCSLOTS", "ESTABLISH", "SOURCE", "x")
        session.pipeline([("SET", f"app1:{TAG}", "1"), ("GET", f"app1:{TAG}")])
    counted = users(nodes[0])[b"app1"]
    assert [counted[kind] - before[kind] for kind in ("reads", "writes")] == [3, 3]
