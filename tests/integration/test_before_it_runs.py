"""What the module's filter has seen and the server has not run: it may wait (CLIENT PAUSE, a busy module), or be refused."""

import re

import pytest
from redis.exceptions import ResponseError

from checks import users
from info import read_info
from tenants import acl_taken_in, quick_passes, resp3
from traffic import create_users
from truth import server_milliseconds
from waiting import wait_until

pytestmark = pytest.mark.every_server


@pytest.fixture
def other(module):
    """The line that loads another module: tests/modules/logins.cc."""
    return f"loadmodule {module.parent / 'logins.so'}"


def unload(session):
    return str(session.outcome("MODULE", "UNLOAD", "tenants"))


def wait_until_blocked(server, client_id):
    line = lambda: server.admin.call("CLIENT", "LIST", "ID", client_id)  # noqa: E731
    wait_until(lambda: b"b" in re.search(rb" flags=(\S+)", line())[1], "the client to wait")


# Nothing of ours is run, or read, when we are gone


@pytest.mark.parametrize("what", ["WRITE", "ALL"])
def test_a_transaction_whose_exec_waits_keeps_the_module(launch, what):
    server = launch()
    client, unloading = server.session(), server.session()
    number = client.id
    client.pipeline([("MULTI",), ("SET", "x", "1"), ("TENANTS.STATUS",)])
    server.admin.call("CLIENT", "PAUSE", 3000, what)
    if what == "ALL":
        unloading.send("MODULE", "UNLOAD", "tenants")  # waits, too, and runs first
    client.send("EXEC")
    if what == "WRITE":
        wait_until_blocked(server, number)
        assert "not possible" in unload(unloading)
        server.admin.call("CLIENT", "UNPAUSE")
    else:
        assert "not possible" in str(unloading.read())
    done, told = client.read()
    assert done == b"OK" and told


def test_a_transaction_that_was_open_before_the_module_keeps_it(launch):
    server = launch(loading=None)
    client, loader = server.session(), server.session()
    client.pipeline([("MULTI",), ("PING",)])
    loader.pipeline([("MULTI",), server.loading_command(), ("EXEC",)])
    assert client.pipeline([("TENANTS.STATUS",), ("PING",)]) == [b"QUEUED"] * 2
    assert "not possible" in unload(server.admin)
    assert len(client.call("EXEC")) == 3


@pytest.mark.parametrize("has_logged_in", [True, False])
def test_a_refused_command_of_ours_keeps_the_module_also_after_another_one_went(launch, other, has_logged_in):
    server = launch(lines=[other])
    if not has_logged_in:
        server.admin.call("CONFIG", "SET", "requirepass", "secret")
    client = server.session()
    client.outcome("PING")
    server.admin.call("MODULE", "UNLOAD", "logins")
    reply = client.outcome("TENANTS.GET") if has_logged_in else client.outcome("TENANTS.STATUS")
    assert isinstance(reply, ResponseError)
    assert "not possible" in unload(server.admin)
    server.admin.call("CLIENT", "LIST")


@pytest.mark.parametrize("name", ['""', "xacl"])
def test_without_acl_nobody_knows_whether_a_rule_names_a_command_of_ours(launch, name):
    server = launch(lines=[f"rename-command ACL {name}", "user ops on nopass +tenants.list +ping"])
    assert str(server.admin.outcome("MODULE", "UNLOAD", "tenants")).startswith("ERR")
    assert server.admin.call("PING") == b"PONG"


def test_what_was_sent_behind_a_blocked_command_keeps_the_module(launch):
    server = launch()
    client = server.session()
    number = client.id
    client.send_all([("BLPOP", "q", 0), ("TENANTS.STATUS",)])
    wait_until_blocked(server, number)
    gone = unload(server.admin) == "b'OK'"
    assert not gone or server.version < (9, 1)
    server.admin.call("LPUSH", "q", 1)
    assert client.read() == [b"q", b"1"]
    assert ("unknown command" in str(client.read())) == gone


@pytest.mark.not_with("asan", reason="the other module's command is an error that it finds")
def test_no_client_is_asked_for_whose_last_command_went_with_its_module(launch, module, other, tmp_path):
    """Its next command waits, for another module lets the server work: that the filter has seen it says nothing."""
    server = launch(lines=[other, f"loadmodule {module.parent / 'faults.so'}", "busy-reply-threshold 100"])
    create_users(server.admin)
    client, busy = server.session("app1"), server.session()
    client.call("FAULTS.ADD", 1)
    server.admin.call("MODULE", "UNLOAD", "faults")
    busy.send("LOGINS.YIELD", tmp_path / "enough")
    client.send("AUTH", "app2", "secret")
    (tmp_path / "enough").touch()
    assert busy.read() == b"OK" and client.read() == b"OK" and client.call("PING")
    assert users(server)[b"app2"]["connections"] == 1


# Clients of the pool bear ids of real ones


def test_within_a_script_and_a_busy_module_no_stale_id_is_asked_for(launch, other, tmp_path):
    server = launch(lines=[other, "busy-reply-threshold 100"])
    create_users(server.admin)
    alice, bob = server.session("app1"), server.session("app2")
    server.admin.call("SET", "app1:x", 5)
    assert alice.call("LOGINS.RUN_BEHIND", "GET", "app1:x") == b"5"
    for _ in range(20):
        assert alice.call("EVAL", "return redis.call('logins.run','get','app1:x')", 0) == b"5"
    bob.send("LOGINS.RUN", "LOGINS.YIELD", tmp_path / "enough", "clients")
    for _ in range(20):
        reply = alice.outcome("GET", "app1:x")
        assert reply == b"5" or str(reply).startswith("BUSY")
    (tmp_path / "enough").touch()
    assert bob.read() == b"OK"


@pytest.mark.parametrize(
    "holder",
    [
        ("LOGINS.RUN",),
        ("LOGINS.READ",),  # is itself looked at for hits and misses
        ("LOGINS.RUN_LATER",),  # from a timer: no client's command holds
    ],
    ids=lambda words: words[0],
)
def test_who_comes_while_a_call_by_a_module_holds_is_not_asked_for_by_its_stale_id(launch, other, tmp_path, holder):
    server = launch(lines=[other, "busy-reply-threshold 100"])
    create_users(server.admin)
    alice, bob = server.session("app1"), server.session("app2")
    server.admin.call("SET", "app1:x", 5)
    for _ in range(5):  # as many clients of the pool as may be needed
        alice.call("LOGINS.RUN_BEHIND", "LOGINS.RUN", "GET", "app1:x")
    for number in range(2):
        done = tmp_path / f"enough{number}"
        bob.send(*holder, "LOGINS.YIELD", done, "clients")
        for _ in range(10):
            reply = alice.outcome("GET", "app1:x")
            assert reply == b"5" or str(reply).startswith("BUSY")
        done.touch()
        assert bob.read() == b"OK"
        wait_until(lambda: alice.outcome("GET", "app1:x") == b"5", "it to hold no more")


def test_me_answers_no_call_of_a_module(launch, other):
    server = launch(lines=[other])
    create_users(server.admin)
    alice, bob = server.session("app1"), server.session("app2")
    alice.call("LOGINS.RUN_BEHIND", "GET", "app1:x")
    for way in [("LOGINS.RUN", "TENANTS.ME"), ("EVAL", "return redis.pcall('logins.run','tenants.me')", 0)]:
        assert "app1" not in str(bob.outcome(*way))
    replies = bob.transaction(("LOGINS.RUN", "TENANTS.ME"))
    assert "app1" not in str(replies)
    assert resp3(bob, "TENANTS.ME")["name"] == b"app2"


# Changes of the ACL


CHANGES = [
    (("ACL", "SETUSER", "app", "~new:*"), b"new:", b"app"),
    (("ACL", "SETUSER", "later", "on", "nopass", "~later:*", "+@all"), b"later:", b"later"),
    (("ACL", "DELUSER", "app"), b"new:", "(orphans)"),
]


@pytest.mark.parametrize("in_transaction", [False, True])
def test_a_change_of_the_acl_that_waits_is_taken_in_when_it_has_run(launch, in_transaction):
    server = launch()
    admin, operator = server.admin, server.session()
    admin.call("ACL", "SETUSER", "app", "on", ">p", "~old:*", "+@all")
    admin.pipeline([("SET", "new:x", 1), ("SET", "later:x", 1)])
    acl_taken_in(admin)

    def owner(prefix):
        return read_info(admin).prefixes.get(prefix, {}).get("owner", "(orphans)")

    for change, prefix, name in CHANGES:
        commands = [("MULTI",), ("SET", "x", "1"), change, ("EXEC",)] if in_transaction else [change]
        admin.call("CLIENT", "PAUSE", 400, "WRITE" if in_transaction else "ALL")
        assert not [reply for reply in operator.pipeline(commands) if isinstance(reply, ResponseError)]
        wait_until(lambda: owner(prefix) == name, lambda: f"{prefix} to be {name}'s, {owner(prefix)}")


@pytest.mark.parametrize("way", ["in a transaction that a change refuses the rest of", "behind a pause"])
def test_a_change_of_the_acl_that_ran_is_taken_in_whatever_is_refused_after_it(launch, way):
    server = launch()
    admin = server.admin
    admin.call("ACL", "SETUSER", "app", "on", ">p", "~old:*", "+@all")
    admin.call("ACL", "SETUSER", "operator", "on", ">secret", "~*", "+@all", "-ping")
    admin.call("SET", "new:x", 1)
    acl_taken_in(admin)
    operator, change = server.session("operator"), ("ACL", "SETUSER", "app", "~new:*")
    if way == "behind a pause":
        admin.call("CLIENT", "PAUSE", 400, "ALL")
        replies = operator.pipeline([change, ("PING",)])
    else:
        replies = operator.transaction(change, ("ACL", "SETUSER", "operator", "-set"), ("SET", "x", "1"))
    assert isinstance(replies[-1], ResponseError) and not isinstance(replies[0], ResponseError), replies
    wait_until(lambda: read_info(admin).prefixes.get(b"new:", {}).get("owner") == b"app", "the change to be taken in")


def test_refused_changes_of_the_acl_keep_nothing(launch):
    server = launch()
    server.admin.call("ACL", "SETUSER", "tenant", "on", ">secret", "~t:*", "+@all", "-@admin", "-@dangerous")
    acl_taken_in(server.admin)
    tenant = server.session("tenant")
    before = read_info(server.admin).status["memory_bytes"]
    for _ in range(3):
        tenant.call("MULTI")
        for number in range(20):
            assert str(tenant.outcome("ACL", "SETUSER", b"%d" % number + b"x" * 1_000_000)).startswith("NOPERM")
        assert read_info(server.admin).status["memory_bytes"] < before + 100_000
        tenant.call("DISCARD")
    for number in range(3000):
        tenant.outcome("ACL", "SETUSER", f"user{number}" + "x" * 400)
    wait_until(lambda: read_info(server.admin).status["memory_bytes"] < before + 100_000, lambda: f"the memory to be given back, {read_info(server.admin).status}")
    acl_taken_in(server.admin)


def test_a_transaction_that_will_fail_takes_no_memory(launch):
    server = launch()
    client = server.session()
    before = read_info(server.admin).status["memory_bytes"]
    client.call("MULTI")
    client.outcome("NOSUCH")
    for _ in range(100):
        client.pipeline([("AUTH", "x", "y")] * 1000)
    assert read_info(server.admin).status["memory_bytes"] < before + 100_000


# Marks of clients


def test_a_refused_command_leaves_no_mark_after_another_module_went(launch, other):
    server = launch(lines=[other])
    quick_passes(server.admin)
    server.admin.call("ACL", "SETUSER", "app1", "on", ">secret", "~app1:*", "+@all", "-@admin", "-@dangerous")
    refused = [("MONITOR",)] + ([("CLUSTER", "SYNCSLOTS", "ESTABLISH", "x", "y")] if server.version >= (9, 0) else [])
    clients = [server.session("app1") for _ in refused]
    for client in clients:
        client.call("PING")
    server.admin.call("MODULE", "UNLOAD", "logins")
    for client, command in zip(clients, refused):
        assert isinstance(client.outcome(*command), ResponseError)
        client.pipeline([("PING",)] * 3)
        before = users(server)[b"app1"]["commands"]
        client.pipeline([("SET", "app1:x", "1")] * 100)
        assert users(server)[b"app1"]["commands"] == before + 100, command
    wait_until(lambda: read_info(server.admin).status["sweep_state"] != "paused", "the pass to go on")


def test_a_monitor_that_waited_sees_nothing_of_the_pass(launch):
    server = launch()
    quick_passes(server.admin)
    server.admin.pipeline([("SET", f"app1:{number}", "x" * 50) for number in range(500)])
    monitor = server.session()
    server.admin.call("CLIENT", "PAUSE", 400, "ALL")
    monitor.send("MONITOR")
    assert monitor.read() == b"OK"
    begin = server_milliseconds(server.admin)
    wait_until(lambda: server_milliseconds(server.admin) - begin > 2000, "two seconds of the server's time")
    server.admin.call("PING")
    assert read_info(server.admin).status["sweep_paused_by"] == "monitor"


def test_the_slow_log_is_what_the_server_says(launch):
    server = launch()
    quick_passes(server.admin)
    server.admin.pipeline([("SET", f"app1:{number}", "x" * 50) for number in range(500)])
    client = server.session()
    client.pipeline([("MULTI",), ("CONFIG", "SET", "slowlog-log-slower-than", 0)])
    server.admin.call("CONFIG", "SET", "slowlog-log-slower-than", 20000)
    client.call("EXEC")
    wait_until(lambda: read_info(server.admin).status.get("sweep_paused_by") == "slow_log", "the pass to pause")
    server.admin.outcome("CONFIG", "SET", "slowlog-log-slower-than", "nonsense")
    server.admin.call("CONFIG", "SET", "slowlog-log-slower-than", 20000)
    wait_until(lambda: read_info(server.admin).status["sweep_state"] != "paused", "the pass to go on")


# Databases


def test_a_database_costs_nothing_for_its_number(launch):
    server = launch(lines=["databases 1000000"])
    quick_passes(server.admin)
    before = read_info(server.admin).status["memory_bytes"]
    session = server.session()
    session.call("SELECT", 999_999)
    session.call("SET", "app1:x", "1")
    wait_until(lambda: read_info(server.admin).status["sweep_passes"] > 2, "some passes")
    status = read_info(server.admin).status
    assert status["keys"] == 1 and status["memory_bytes"] < before + 100_000
    if server.version >= (9, 0):  # before, INFO keyspace looks at each database that there may be
        assert status["sweep_longest_slice_cpu_usec"] < 3000


def test_flushing_and_swapping_what_is_empty_does_not_disturb_a_count(launch):
    server = launch(loading=None)
    admin = server.admin
    admin.pipeline([("SET", f"app1:{number}", "x") for number in range(30_000)])
    assert server.load_module("sweep-cpu-percent", 5) == b"OK"
    other = server.session()
    other.call("SELECT", 5)

    def disturbed():
        other.pipeline([("FLUSHDB",), ("SWAPDB", 6, 7)])
        status = read_info(admin).status
        return status["keys_mode"] != "seeding" and status["sweep_passes"] > 0 and status

    status = wait_until(disturbed, lambda: f"the keys to be counted, {read_info(admin).status}")
    assert status["keys"] == 30_000 and (status["keys_mode"] == "swept" or status["sweep_passes"] == 1)
