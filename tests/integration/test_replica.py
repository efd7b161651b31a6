"""A primary and its replica, both with the module."""

import re

import pytest

import truth
from checks import counted_between, observe, wrong_commands, wrong_connections, wrong_keys
from info import bytes_by_prefix, keys_by_prefix, read_info
from tenants import measured_pass, quick_passes
from traffic import Traffic, create_users
from waiting import wait_until


def replication(session, field):
    return re.search(field.encode() + rb":(\S+)", session.call("INFO", "replication"))[1]


def caught_up(primary, replica):
    """Waits until the replica has everything the primary has written."""
    wait_until(lambda: replication(replica.admin, "master_link_status") == b"up", "the link to be up")
    wait_until(
        lambda: replication(primary.admin, "master_repl_offset") == replication(replica.admin, "slave_repl_offset"), "the replica to catch up"
    )


def follow(primary, replica):
    replica.admin.call("REPLICAOF", "127.0.0.1", primary.port)
    caught_up(primary, replica)


@pytest.fixture(params=["disabled", "swapdb"])
def pair(launch, request):
    """A primary with users and data, and a server that is not yet its replica; the full sync loads it in both ways there are."""
    primary, replica = launch(), launch(lines=[f"repl-diskless-load {request.param}"])
    for server in (primary, replica):
        create_users(server.admin)
        quick_passes(server.admin)
    return primary, replica


@pytest.mark.fault(3)
def test_keys_on_a_replica_are_right_after_a_full_sync_and_after_writes(pair, seed):
    primary, replica = pair
    replica.admin.call("SET", "stale:1", "x")
    traffic = Traffic(primary, seed)
    traffic.run(150)
    traffic.settle()
    follow(primary, replica)
    assert not wrong_keys(replica), f"seed {seed}, after the full sync, prefix: (module, SCAN)"
    traffic.run(150)
    traffic.settle()
    caught_up(primary, replica)
    assert not wrong_keys(replica), f"seed {seed}, after writes, prefix: (module, SCAN)"
    assert not wrong_keys(primary), f"seed {seed}, on the primary, prefix: (module, SCAN)"
    assert read_info(replica.admin).status["drift"] == 0


def test_bytes_on_a_replica_equal_its_memory_usage(pair):
    primary, replica = pair
    primary.admin.pipeline([("SET", f"app{number % 4}:{number}", "x" * number) for number in range(500)])
    follow(primary, replica)
    assert bytes_by_prefix(measured_pass(replica.admin)) == truth.bytes_by_prefix(replica.admin)


def test_replicated_writes_are_charged_to_no_user(pair):
    primary, replica = pair
    follow(primary, replica)
    before = observe(replica)
    session = primary.session("app1")
    for number in range(200):
        session.pipeline([("SET", f"app1:{number}", "x"), ("MULTI",), ("INCR", "app1:n"), ("EXEC",), ("EVAL", "redis.call('INCR', 'app1:n')", 0)])
    caught_up(primary, replica)
    assert not wrong_commands(replica, before), "user: (module, ledger)"
    internal = counted_between(before, observe(replica))["(internal)"]
    assert internal["writes"] >= 600
    assert read_info(replica.admin).tenants["(internal)"]["writes"] >= 600


def test_links_are_counted_on_both_sides_as_client_list_shows_them(pair):
    primary, replica = pair
    follow(primary, replica)
    reader = replica.session("app1")
    assert not wrong_connections(primary.admin), "primary, user: (module, CLIENT LIST)"
    assert not wrong_connections(replica.admin), "replica, user: (module, CLIENT LIST)"
    primary.admin.call("CLIENT", "KILL", "TYPE", "replica")
    wait_until(lambda: b"flags=S" in primary.admin.call("CLIENT", "LIST"), "the replica to come back")
    caught_up(primary, replica)
    assert not wrong_connections(primary.admin), "primary after a partial resync, user: (module, CLIENT LIST)"
    assert not wrong_connections(replica.admin), "replica after a partial resync, user: (module, CLIENT LIST)"
    assert reader.call("PING") == b"PONG"


@pytest.mark.fault(4)
def test_a_promoted_replica_goes_on_counting(pair, seed):
    primary, replica = pair
    follow(primary, replica)
    primary.admin.pipeline([("SET", f"app1:{number}", "x") for number in range(100)])
    caught_up(primary, replica)
    replica.admin.call("REPLICAOF", "NO", "ONE")
    traffic = Traffic(replica, seed)
    traffic.run(80)
    traffic.settle()
    assert not wrong_keys(replica), f"seed {seed}, prefix: (module, SCAN)"
    assert not wrong_connections(replica.admin)
    assert sum(keys_by_prefix(read_info(replica.admin)).values()) == truth.keys_in_total(replica.admin)


def test_the_commands_work_on_a_replica_and_are_not_replicated(pair):
    primary, replica = pair
    follow(primary, replica)
    before = replication(primary.admin, "master_repl_offset")
    primary.admin.pipeline([("TENANTS.LIST",), ("TENANTS.STATUS",), ("INFO", "tenants")] * 20)
    after = replication(primary.admin, "master_repl_offset")
    assert int(after) - int(before) < 100  # a REPLCONF GETACK or PING of the server may pass by
    replica.admin.call("TENANTS.LIST")
    assert dict(zip(*[iter(replica.admin.call("TENANTS.STATUS"))] * 2))[b"acl"] == b"ok"
