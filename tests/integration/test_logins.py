"""Users that other modules log in, and commands that other modules run; the other module is tests/modules/logins.cc."""

import pytest
from redis.exceptions import ResponseError

from checks import counted_between, observe, sums_of_commands, users, wrong_commands, wrong_connections, wrong_connections_in, wrong_keys
from info import read_info
from ledger import in_lua
from tenants import acl_taken_in, quick_passes
from traffic import create_users
from waiting import wait_until

WORK = [("SET", "app1:sub:k", "1"), ("MULTI",), ("GET", "app1:sub:k"), ("EXEC",)]


@pytest.fixture
def server(launch, module):
    logins = module.parent / "logins.so"
    assert logins.exists(), f"{logins} is missing; build it: make build"
    server = launch(lines=[f"loadmodule {logins}"])
    create_users(server.admin)
    return server


def waiting_session(server, user):
    """One whose AUTH waits until LOGINS.RELEASE."""
    session = server.session()
    line = ("CLIENT", "LIST", "ID", session.id)
    session.send("AUTH", "anybody", f"later:{user}")
    wait_until(lambda: b"cmd=auth" in server.admin.call(*line), "AUTH to block")
    return session


LOGINS = {
    "auth": [("AUTH", "anybody", "as:app1")],
    "hello": [("HELLO", 3, "AUTH", "anybody", "as:app1"), ("HELLO", 2)],
    "a_command": [("LOGINS.BECOME", "app1")],
    "auth_in_a_transaction": [("MULTI",), ("PING",), ("AUTH", "anybody", "as:app1"), ("GET", "app1:sub:k"), ("EXEC",)],
    "a_command_at_the_end_of_a_transaction": [("MULTI",), ("PING",), ("LOGINS.BECOME", "app1"), ("EXEC",)],
    "auth_as_one_user_then_another": [("AUTH", "anybody", "as:app2"), ("LOGINS.BECOME", "app3"), ("AUTH", "anybody", "as:app1")],
}


@pytest.mark.parametrize("way", LOGINS)
def test_a_client_is_at_once_whom_a_module_made_it(server, way):
    session = server.session()
    before = observe(server)
    session.pipeline(LOGINS[way])
    assert not wrong_connections(server.admin), "before its next command: (module, CLIENT LIST)"
    session.pipeline(WORK)
    session.pipeline([*LOGINS[way], *WORK, ("RESET",), *WORK])
    assert not wrong_connections(server.admin)
    assert not wrong_commands(server, before), "user: (module, ledger)"
    assert b"anybody" not in users(server)


def test_a_login_that_a_module_refuses_is_charged_to_who_tried(server):
    session = server.session("app1")
    before = observe(server)
    for login in ("AUTH", "app2", "as:nobody"), ("LOGINS.BECOME", "nobody"), ("AUTH", "app2", "wrong"):
        assert isinstance(session.outcome(*login), ResponseError)
    session.call("PING")
    assert not wrong_connections(server.admin)
    assert not wrong_commands(server, before)
    assert users(server)[b"app1"].get("auth_failures", 2) == 2


def test_a_client_that_a_module_lets_in_from_its_thread_is_that_user_at_its_next_command_and_from_9_0_at_once(server):
    before = observe(server)
    session = waiting_session(server, "app1")
    assert not wrong_connections(server.admin), "while AUTH waits: (module, CLIENT LIST)"
    assert server.admin.call("LOGINS.RELEASE") == 1
    assert session.read() == b"OK"
    late = {} if server.version >= (9, 0) else {b"default": (2, 1), b"app1": (None, 1)}
    assert wrong_connections(server.admin) == late
    session.call("PING")
    assert not wrong_connections(server.admin)
    session.pipeline(WORK)
    assert not wrong_commands(server, before), "user: (module, ledger)"


def test_a_client_that_sent_more_behind_an_auth_that_waits_is_charged_as_whom_it_became(server):
    before = observe(server)
    session = waiting_session(server, "app1")
    for command in WORK:
        session.send(*command)
    server.admin.call("LOGINS.RELEASE")
    assert session.read() == b"OK"
    for _ in WORK:
        session.read()
    assert not wrong_connections(server.admin)
    assert not wrong_commands(server, before), "user: (module, ledger)"


def test_a_client_that_goes_while_its_auth_waits_was_never_anybody_else(server):
    before = observe(server)
    session = waiting_session(server, "app1")
    server.admin.call("CLIENT", "KILL", "ID", session.id)
    server.admin.call("LOGINS.RELEASE")
    assert not wrong_connections(server.admin)
    module, commandstats = sums_of_commands(server, before)
    assert module == commandstats
    assert b"app1" not in users(server) or not users(server)[b"app1"]["connections_total"]


@pytest.mark.parametrize("transaction", [False, True])
def test_clients_that_a_module_logged_in_go_with_it(server, transaction):
    """In the transaction of MODULE UNLOAD they are still there, as default's."""
    sessions = [server.session(), server.session(), server.session("app1")]
    sessions[0].call("AUTH", "anybody", "as:app1")
    sessions[1].pipeline([("LOGINS.BECOME", "app2"), ("PING",)])
    unload = ("MODULE", "UNLOAD", "logins")
    if transaction:
        reply, client_list, info = server.admin.transaction(unload, ("CLIENT", "LIST"), ("INFO", "tenants"))
        assert not wrong_connections_in(client_list, info), "in the transaction: (module, CLIENT LIST)"
    else:
        reply = server.admin.call(*unload)
    assert reply == b"OK"
    wait_until(lambda: len(server.admin.call("CLIENT", "LIST").splitlines()) == 2, "the two clients to be closed")
    assert not wrong_connections(server.admin)
    assert users(server)[b"app1"]["connections"] == 1


@pytest.mark.not_on_redis(reason="CLIENT LIST tells no bytes")
def test_clients_whose_last_command_went_with_its_module_are_left_alone(server):
    """The server would read it from freed memory, if it were asked for these clients."""
    watching, queuing, leaving, busy = (server.session("app1") for _ in range(4))
    watching.pipeline([("WATCH", "app1:k"), ("LOGINS.RUN", "PING")])
    queuing.pipeline([("MULTI",), ("LOGINS.RUN", "PING")])
    leaving.pipeline([("LOGINS.RUN", "PING")])
    assert server.admin.call("MODULE", "UNLOAD", "logins") == b"OK"
    server.admin.pipeline([("SET", f"filler:{number}", "y" * (number % 500)) for number in range(5000)])  # use the freed memory
    before = users(server)[b"app1"]

    def bytes_in():
        return users(server)[b"app1"]["bytes_in"] - before["bytes_in"]

    for _ in range(2):  # at least one round has read all clients
        start = bytes_in()
        busy.pipeline([("GET", "app1:k")] * 2)
        wait_until(lambda: bytes_in() > start, "the bytes to be read")
    leaving.close()
    queuing.pipeline([("DISCARD",), ("PING",)])
    watching.pipeline([("MULTI",), ("GET", "app1:k"), ("EXEC",)])
    start = bytes_in()
    watching.call("SET", "app1:k", "x" * 10_000)
    wait_until(lambda: bytes_in() > start + 10_000, "the bytes of who has sent other commands since")
    wait_until(lambda: users(server)[b"app1"]["connections"] == 3, "the client that left to be gone")
    queuing.call("PING")
    assert not wrong_connections(server.admin)


RUNS = {
    "a_command": [("LOGINS.RUN", "SET", "app1:k", "1")],
    "a_command_that_fails": [("LOGINS.RUN", "SET", "app1:k", "1"), ("LOGINS.RUN", "LPUSH", "app1:k", "1"), ("LOGINS.RUN", "NOSUCH"), ("LOGINS.RUN", "GET")],
    "a_script": [("LOGINS.RUN", *in_lua([(b"SET", b"app1:k", b"1"), (b"GET", b"app1:k")]))],
    "from_a_transaction": [("MULTI",), ("LOGINS.RUN", "SET", "app1:k", "1"), ("GET", "app1:k"), ("EXEC",)],
    "from_a_script": [in_lua([(b"LOGINS.RUN", b"SET", b"app1:k", b"1"), (b"GET", b"app1:k")])],
    "its_own_command": [("LOGINS.RUN", "LOGINS.RUN", "PING")],
}


@pytest.mark.redis
@pytest.mark.parametrize("case", RUNS)
def test_what_a_modules_command_runs_counts_for_its_caller(server, case):
    other, session = server.session("app2"), server.session("app1")
    before = observe(server)
    other.pipeline([in_lua([(b"PING",)]), ("LOGINS.RUN", "PING")])
    session.pipeline(RUNS[case])
    other.call("PING")
    assert not wrong_commands(server, before), "user: (module, ledger)"
    module, commandstats = sums_of_commands(server, before)
    assert module == commandstats


def test_a_user_that_a_modules_command_makes_is_known(server):
    server.admin.call("SET", "made:1", "x")
    server.admin.call("LOGINS.RUN", "ACL", "SETUSER", "made", "on", "~made:*", "+@all")
    acl_taken_in(server.admin)
    assert read_info(server.admin).prefixes[b"made:"]["owner"] == b"made"
    server.admin.call("LOGINS.RUN", "ACL", "DELUSER", "made")
    acl_taken_in(server.admin)
    assert "owner" not in read_info(server.admin).prefixes[b"made:"]


def test_what_a_module_runs_by_itself_is_internal(server):
    """As soon as another command has followed the one that made it do so."""
    listener, session = server.session(), server.session("app1")
    listener.call("SUBSCRIBE", "done")
    before = observe(server)
    session.pipeline([("LOGINS.RUN_LATER", "PUBLISH", "done", "x"), ("PING",)])
    assert listener.next_push() == [b"message", b"done", b"x"]
    assert not wrong_commands(server, before), "user: (module, ledger)"
    assert counted_between(before, observe(server))["(internal)"]["commands"] == 1


@pytest.fixture
def stale(server):
    """(server, app1, app2): the server's pool has a client that bears the id of app1's connection, which is still there."""
    app1, app2 = server.session("app1"), server.session("app2")
    quick_passes(server.admin)
    app1.pipeline([("SET", "app1:k", "1"), ("LOGINS.RUN_BEHIND", "GET", "app1:k"), ("PING",)])
    server.admin.call("PING")
    return server, app1, app2


BY_A_POOLED_CLIENT = {
    "a_script": [in_lua([(b"SET", b"app2:k", b"1")] * 100)],
    "a_call": [("LOGINS.RUN", "SET", "app2:k", "1")] * 100,
    "a_script_that_a_module_calls": [("LOGINS.RUN", *in_lua([(b"GET", b"app1:k"), (b"SET", b"app2:k", b"1")]))] * 300,
    "what_fails": [("LOGINS.RUN", "LPUSH", "app1:k", "1"), ("LOGINS.RUN", *in_lua([(b"LPUSH", b"app1:k", b"1")])), in_lua([(b"LPUSH", b"app1:k", b"1")])],
    "a_transaction": [("SET", "app2:a", "1"), ("SET", "app2:b", "1"), ("MULTI",), ("LOGINS.RUN", "MOVE", "app2:a", "1"), ("MOVE", "app2:b", "1"), ("LOGINS.RUN", *in_lua([(b"COPY", b"app1:k", b"app2:c")])), ("EXEC",)],
}


@pytest.mark.parametrize("case", BY_A_POOLED_CLIENT)
@pytest.mark.parametrize("open_transaction", [False, True], ids=["", "while_its_client_queues"])
def test_a_call_that_bears_a_clients_id_is_not_that_clients(stale, case, open_transaction):
    server, app1, app2 = stale
    if open_transaction:
        app1.pipeline([("MULTI",), ("GET", "app1:k")])
    before, errors = observe(server), users(server)
    app2.pipeline(BY_A_POOLED_CLIENT[case])
    if open_transaction:
        assert len(app1.call("EXEC")) == 1
    app2.call("PING")
    assert not wrong_commands(server, before), "user: (module, ledger)"
    module, commandstats = sums_of_commands(server, before)
    assert module == commandstats
    if "errors" in errors[b"app1"]:
        assert users(server)[b"app1"]["errors"] == errors[b"app1"]["errors"]
    assert not wrong_keys(server), "prefix: (module, SCAN)"


@pytest.mark.redis
def test_a_call_by_the_client_whose_id_it_bears(stale):
    server, app1, _ = stale
    before = observe(server)
    app1.pipeline([("LOGINS.RUN", "SET", "app1:k", "1")] * 10 + BY_A_POOLED_CLIENT["a_script_that_a_module_calls"] + [("GET", "app1:k")] * 10)
    assert not wrong_commands(server, before), "user: (module, ledger)"


def test_a_timers_call_that_bears_a_clients_id_is_internal(stale):
    server, app1, app2 = stale
    listener = server.session()
    listener.call("SUBSCRIBE", "done")
    before = observe(server)
    app2.pipeline([("LOGINS.RUN_LATER", "PUBLISH", "done", "x"), ("PING",)])
    assert listener.next_push() == [b"message", b"done", b"x"]
    app1.call("PING")
    assert not wrong_commands(server, before), "user: (module, ledger)"
    assert counted_between(before, observe(server))["(internal)"]["commands"] == 1
