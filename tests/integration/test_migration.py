"""Atomic slot migration (9.x): what moves between the nodes belongs to no user, and the keys are counted where they are."""

import pytest

import truth
from checks import counted_between, observe, users, wrong_commands, wrong_connections, wrong_keys
from cluster import Cluster
from info import keys_by_prefix, read_info
from tenants import quick_passes
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


@pytest.mark.fault(6)
def test_keys_on_the_way_count_when_they_have_arrived(nodes):
    """SCAN and DBSIZE leave them out until then."""
    source, target = nodes
    source.admin.pipeline([("SET", f"app1:{TAG}:{number}", "x") for number in range(KEYS)])
    source.admin.call("DEBUG", "SLOTMIGRATION", "PREVENT-PAUSE", 1)
    start, arrived = [], []

    def let_go_after_a_check_of_the_sums():
        uptime = read_info(target.admin).status["uptime_seconds"]
        if not start and truth.pairs(source.admin.call("CLUSTER", "GETSLOTMIGRATIONS")[0])[b"state"] == b"waiting-to-pause":
            start.append(uptime)  # all have arrived
        if start and not arrived and uptime > start[0] + 2:
            arrived.append(not wrong_keys(target))
            source.admin.call("DEBUG", "SLOTMIGRATION", "PREVENT-PAUSE", 0)

    migrate(source, target, let_go_after_a_check_of_the_sums)
    assert arrived == [True], "on the way, prefix: (module, SCAN)"
    assert not wrong_keys(target), "target, prefix: (module, SCAN)"
    assert read_info(target.admin).status["drift"] == 0


def test_who_only_claims_to_migrate_slots_is_charged_for_the_rest(nodes):
    session = nodes[0].session("app1")
    before = users(nodes[0])[b"app1"]
    for _ in range(3):
        session.outcome("CLUSTER", "SYNCSLOTS", "ESTABLISH", "SOURCE", "x")
        session.pipeline([("SET", f"app1:{TAG}", "1"), ("GET", f"app1:{TAG}")])
    counted = users(nodes[0])[b"app1"]
    assert [counted[kind] - before[kind] for kind in ("reads", "writes")] == [3, 3]
