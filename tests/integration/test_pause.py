"""Commands that wait because of CLIENT PAUSE: the filter sees them when they come, the server runs them later, or never."""

import re

import pytest
from redis.exceptions import ResponseError

from checks import observe, sums_of_commands, users, wrong_commands, wrong_connections
from ledger import in_lua
from waiting import wait_until

LONG = 60_000  # ms; ended by UNPAUSE

# What is sent before the pause, and what in it; of this something has to wait.
WAITING = {
    "a_write": ([], [("SET", "app1:k", "1")]),
    "a_queued_write": ([], [("MULTI",), ("SET", "app1:k", "1"), ("GET", "app1:k"), ("EXEC",)]),
    "a_transaction": ([("MULTI",), ("SET", "app1:k", "1"), ("GET", "app1:k")], [("EXEC",)]),
    "a_script": ([], [in_lua([(b"SET", b"app1:k", b"1")])]),
    "a_blocking_command": ([], [("BLPOP", "app1:list", 0)]),
    "a_pipeline": ([], [("SET", "app1:k", "1"), ("GET", "app1:k"), ("AUTH", "app2", "secret"), ("PING",)]),
}


def blocked_clients(server):
    return int(re.search(rb"blocked_clients:(\d+)", server.admin.call("INFO", "clients"))[1])


def send_into_a_pause(server, session, case):
    """Returns when a command of `case` waits; the replies to those in the pause are still to be read."""
    first, then = WAITING[case]
    session.pipeline(first)
    server.admin.call("CLIENT", "PAUSE", LONG, "WRITE")
    for command in then:
        session.send(*command)
    wait_until(lambda: blocked_clients(server), "the command to wait")


def end_the_pause(server, session, case):
    """Returns the replies."""
    server.admin.call("CLIENT", "UNPAUSE")
    server.admin.outcome("RPUSH", "app1:list", "served")
    return [session.read() for _ in WAITING[case][1]]


@pytest.mark.parametrize("case", WAITING)
def test_what_waits_in_a_pause_of_writes_counts_once_for_who_sent_it(shared, case):
    session, reader = shared.session("app1"), shared.session("app2")
    before = observe(shared)
    send_into_a_pause(shared, session, case)
    reader.pipeline([("GET", "app2:k"), ("AUTH", "app3", "secret"), ("GET", "app3:k")])
    assert not wrong_connections(shared.admin), "in the pause: (module, CLIENT LIST)"
    end_the_pause(shared, session, case)
    assert not wrong_connections(shared.admin)
    if case != "a_script":  # what it runs counts for whose command came last
        assert not wrong_commands(shared, before), "user: (module, ledger)"
    module, commandstats = sums_of_commands(shared, before)
    assert module == commandstats


def test_what_waits_in_a_pause_of_everything_counts_once_for_who_sent_it(shared):
    sessions = [shared.session(user) for user in ("app1", "app2", None)]
    before = observe(shared)
    shared.admin.call("CLIENT", "PAUSE", 150, "ALL")
    for session in sessions:
        for command in ("AUTH", "app3", "secret"), ("GET", "app3:k"), ("PING",):
            session.send(*command)
    shared.admin.call("PING")
    for session in sessions:
        assert [session.read() for _ in range(3)] == [b"OK", None, b"PONG"]
    assert users(shared)[b"app3"]["connections"] == 3
    assert not wrong_connections(shared.admin)
    assert not wrong_commands(shared, before), "user: (module, ledger)"


@pytest.mark.parametrize("case", WAITING)
def test_what_waited_when_its_client_was_killed_never_ran_and_does_not_count(shared, case):
    session = shared.session("app1")
    before = observe(shared)
    send_into_a_pause(shared, session, case)
    shared.admin.call("CLIENT", "KILL", "USER", "app1")
    shared.admin.call("CLIENT", "UNPAUSE")
    module, commandstats = sums_of_commands(shared, before)
    assert module == commandstats
    assert not wrong_connections(shared.admin)


@pytest.mark.parametrize("case", ["a_write", "a_queued_write", "a_transaction"])
def test_what_is_refused_after_the_pause_does_not_count_from_9_1(shared, case):
    session = shared.session("app1")
    before = observe(shared)
    rejected = users(shared)[b"app1"].get("rejected")
    send_into_a_pause(shared, session, case)
    shared.admin.call("CONFIG", "SET", "maxmemory", 1)
    replies = end_the_pause(shared, session, case)
    shared.admin.call("CONFIG", "SET", "maxmemory", 0)
    assert isinstance(replies[-1], ResponseError)
    assert not wrong_commands(shared, before), "user: (module, ledger)"
    module, commandstats = sums_of_commands(shared, before)
    assert module == commandstats
    if shared.ledger.tells_refusals:
        assert users(shared)[b"app1"]["rejected"] - rejected == 1
