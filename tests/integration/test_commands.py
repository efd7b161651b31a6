"""Commands per user against the ledger and commandstats."""

import random

import pytest
from redis.exceptions import ResponseError

from checks import counted_between, observe, sums_of_commands, users, wrong_commands
from info import read_info, rows_that_do_not_add_up
from ledger import in_lua
from traffic import Traffic
from waiting import wait_until


def test_commands_reads_and_writes_of_each_user_equal_the_ledger(shared, seed):
    before = observe(shared)
    traffic = Traffic(shared, seed)
    for _ in range(4):
        traffic.run(100)
        assert not wrong_commands(shared, before), f"seed {seed}: user: (module, ledger)"
    assert not rows_that_do_not_add_up(read_info(shared.admin))


@pytest.mark.redis
def test_commands_of_all_users_equal_commandstats(shared, seed):
    before = observe(shared)
    Traffic(shared, seed).run(300)
    module, commandstats = sums_of_commands(shared, before)
    assert module == commandstats > 1000, f"seed {seed}"


# What app1 sends, and what must be counted: commands, reads, writes; before 9.1, if that is something else; on Redis, likewise.
CASES = {
    "a_read_and_a_write": ([("GET", "app1:k"), ("SET", "app1:k", "1")], (2, 1, 1)),
    "neither_read_nor_write": ([("PING",), ("ECHO", "x"), ("CLIENT", "ID"), ("SELECT", 1)], (4, 0, 0)),
    "an_error_at_run_time_counts": ([("SET", "app1:k", "1"), ("LPUSH", "app1:k", "x"), ("INCRBY", "app1:k", "x")], (3, 0, 3)),
    "unknown_commands_and_wrong_arity_do_not": ([("NOSUCH", "x"), ("GET",), ("CLIENT", "NOSUCH"), ("get", "a", "b")], (0, 0, 0)),
    "denied_commands_do_not": ([("GET", "other:k"), ("SET", "app2:k", "1"), ("FLUSHALL",)], (0, 0, 0), (3, 1, 2)),
    "a_transaction_counts_when_it_runs": ([("MULTI",), ("SET", "app1:k", "1"), ("GET", "app1:k"), ("EXEC",)], (4, 1, 1)),
    "a_discarded_transaction_counts_two": ([("MULTI",), ("SET", "app1:k", "1"), ("GET", "app1:k"), ("DISCARD",)], (2, 0, 0)),
    "a_reset_transaction_counts_two": ([("MULTI",), ("SET", "app1:k", "1"), ("RESET",)], (2, 0, 0)),
    "an_aborted_transaction_counts_two": ([("MULTI",), ("SET", "app1:k", "1"), ("NOSUCH",), ("EXEC",)], (2, 0, 0)),
    "a_denied_command_aborts_too": ([("MULTI",), ("SET", "app1:k", "1"), ("SET", "app2:k", "1"), ("EXEC",)], (2, 0, 0), (4, 0, 2)),
    "exec_without_multi_counts": ([("EXEC",), ("DISCARD",)], (2, 0, 0)),
    "exec_without_multi_ends_no_watch": ([("WATCH", "app1:k"), ("EXEC",), ("SET", "app1:k", "1"), ("MULTI",), ("GET", "app1:k"), ("EXEC",)], (5, 0, 1)),
    "discard_without_multi_ends_no_watch": ([("WATCH", "app1:k"), ("DISCARD",), ("SET", "app1:k", "1"), ("MULTI",), ("GET", "app1:k"), ("EXEC",)], (5, 0, 1)),
    "exec_with_arguments_is_refused_and_ends_the_transaction": ([("MULTI",), ("SET", "app1:k", "1"), ("EXEC", "x"), ("GET", "app1:k")], (2, 1, 0)),
    "nested_multi_is_refused": ([("MULTI",), ("MULTI",), ("SET", "app1:k", "1"), ("EXEC",)], (2, 0, 0), (2, 0, 0), (4, 0, 1)),
    "watch_within_multi_is_refused": ([("MULTI",), ("WATCH", "app1:k"), ("SET", "app1:k", "1"), ("EXEC",)], (2, 0, 0), (2, 0, 0), (4, 0, 1)),
    "a_failed_auth_counts_for_who_tried": ([("AUTH", "app2", "wrong")], (1, 0, 0)),
    "lower_case": ([("get", "app1:k"), ("sEt", "app1:k", "1")], (2, 1, 1)),
    "a_script_and_what_it_runs": ([("EVAL", "redis.call('SET', KEYS[1], 1) return redis.call('GET', KEYS[1])", 1, "app1:k")], (3, 1, 1)),
    "a_read_only_script": ([("EVAL_RO", "return redis.call('GET', KEYS[1])", 1, "app1:k")], (2, 1, 0)),
    "a_script_that_fails": ([("EVAL", "redis.call('SET', KEYS[1], 'x') return redis.call('LPUSH', KEYS[1], 1)", 1, "app1:k")], (3, 0, 2)),
    "what_a_script_can_never_run": ([("EVAL", "redis.pcall('NOSUCH') redis.pcall('GET') redis.pcall('WATCH', 'k')", 0)], (1, 0, 0)),
    "a_script_that_does_not_compile": ([("EVAL", "(", 0)], (1, 0, 0)),
    "a_script_in_a_transaction": ([("MULTI",), ("EVAL", "return redis.call('INCR', KEYS[1])", 1, "app1:n"), ("EXEC",)], (4, 0, 1)),
    "a_blocking_command_that_times_out": ([("BLPOP", "app1:nothing", "0.001")], (1, 0, 1)),
    "a_blocking_command_in_a_transaction": ([("MULTI",), ("BLPOP", "app1:nothing", 0), ("EXEC",)], (3, 0, 1)),
}  # fmt: skip


@pytest.mark.redis
@pytest.mark.parametrize("case", CASES)
def test_commands(shared, case):
    commands, *expected = CASES[case]
    session = shared.session("app1")
    shared.admin.call("ACL", "SETUSER", "app1", "-flushall")
    before = users(shared)[b"app1"]
    start = observe(shared)
    session.pipeline(commands)
    module, commandstats = sums_of_commands(shared, start)
    assert module == commandstats
    after = users(shared)[b"app1"]
    of_server = 2 if shared.is_redis else 0 if shared.ledger.tells_refusals else 1
    assert tuple(after[field] - before[field] for field in ("commands", "reads", "writes")) == expected[min(of_server, len(expected) - 1)]


WORDS = [
    ("GET", "k"), ("SET", "k", "1"), ("SET", "k", "1"), ("MULTI",), ("MULTI",), ("EXEC",), ("EXEC",), ("EXEC", "x"), ("DISCARD",), ("DISCARD", "x"), ("WATCH", "k"), ("WATCH", "k"), ("WATCH",),
    ("UNWATCH",), ("PING",), ("NOSUCH",), ("GET",), in_lua([(b"GET", b"k")]), ("AUTH", "any1", "secret"), ("AUTH", "any2", "secret"), ("RESET",),
    ("BLPOP", "none", "0.001"), ("SUBSCRIBE",), ("CLIENT", "ID"), ("CLIENT", "NOSUCH"), ("SAVE",), ("MOVE", "k", 1), ("SELECT", 1), ("SELECT", 0),
]  # fmt: skip


@pytest.mark.redis
@pytest.mark.parametrize("together", [1, 8])
def test_whatever_begins_and_ends_a_transaction_counts_as_commandstats_has_it(shared, seed, together):
    """Any of it after any other, by two clients that watch the same key. From 9.1 on a user may lack what ends a transaction, too."""
    rng = random.Random(seed)
    for user in ("any1", "any2"):
        shared.admin.call("ACL", "SETUSER", user, "on", ">secret", "~*", "+@all")
    words = WORDS
    if shared.ledger.tells_refusals:  # 8.x sends no reply to an AUTH that fails in a transaction
        words = [*WORDS, ("AUTH", "less", "secret"), ("AUTH", "any1", "wrong")]
    shared.admin.call("ACL", "SETUSER", "less", "on", ">secret", "~*", "+@all", "-discard", "-unwatch", "-multi", "-watch", "-exec")
    for _ in range(30):
        sessions = [shared.session("any1"), shared.session("any2")]
        before, logins = observe(shared), [0, 0]  # of each client, since its last EXEC
        for _ in range(60 // together):
            number, commands = rng.randrange(2), rng.choices(words, k=together)
            for command in list(commands) * (not shared.ledger.tells_refusals):
                logins[number] = logins[number] + 1 if command[0] == "AUTH" else 0 if command == ("EXEC",) else logins[number]
                if command[0] == "AUTH" and logins[number] > 1:
                    commands.remove(command)  # before 9.0 nobody knows whose is what lies between two
            sessions[number].pipeline(commands)
        for session in sessions:
            session.outcome("RESET")
        module, commandstats = sums_of_commands(shared, before)
        assert module == commandstats, f"seed {seed}"
        assert not wrong_commands(shared, before), f"seed {seed}: user: (module, ledger)"
        for session in sessions:
            session.close()


REFUSED = {  # before: what the ACL takes away; what app1 sends; how many of them run
    "a_discard": ("-discard", [("MULTI",), ("SET", "app1:k", "1"), ("DISCARD",), ("SET", "app1:k", "1"), ("EXEC",), ("GET", "app1:k")], 3),
    "an_unwatch": ("-unwatch", [("WATCH", "app1:k"), ("UNWATCH",), ("SET", "app1:k", "1"), ("MULTI",), ("GET", "app1:k"), ("EXEC",)], 4),
    "a_watch": ("-watch", [("WATCH", "app1:k"), ("SET", "app1:k", "1"), ("MULTI",), ("GET", "app1:k"), ("EXEC",)], 4),
    "an_exec": ("-exec", [("MULTI",), ("SET", "app1:k", "1"), ("EXEC",), ("GET", "app1:k")], 2),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_command_of_a_transaction_that_the_acl_refuses_changes_nothing(shared, case):
    if not shared.ledger.tells_refusals:
        pytest.skip("before 9.1 nobody tells of refusals (docs/accuracy.md)")
    rule, commands, ran = REFUSED[case]
    shared.admin.call("ACL", "SETUSER", "app1", rule)
    session = shared.session("app1")
    before, start = users(shared)[b"app1"], observe(shared)
    assert "NOPERM" in str(session.pipeline(commands))
    module, commandstats = sums_of_commands(shared, start)
    assert module == commandstats and users(shared)[b"app1"]["commands"] - before["commands"] == ran


def test_a_refused_multi_ends_no_watch(shared):
    shared.admin.call("ACL", "SETUSER", "app1", "-multi")
    session = shared.session("app1")
    before = users(shared)[b"app1"]
    assert "NOPERM" in str(session.pipeline([("WATCH", "app1:k"), ("MULTI",), ("SET", "app1:k", "1")])[1])
    shared.admin.call("ACL", "SETUSER", "app1", "+multi")
    assert session.pipeline([("MULTI",), ("GET", "app1:k"), ("EXEC",)])[-1] is None
    ran = 4 if shared.ledger.tells_refusals else 5  # the MULTI that was refused
    assert users(shared)[b"app1"]["commands"] - before["commands"] == ran


def test_a_denied_command_inside_a_script_or_a_running_transaction_counts(shared):
    """No version tells a module of these."""
    session = shared.session("app1")
    before = observe(shared)
    session.outcome(*in_lua([(b"SET", b"app2:k", b"1"), (b"GET", b"app1:k")]))
    session.pipeline([("MULTI",), ("SET", "app1:k", "1"), ("AUTH", "app2", "secret"), ("SET", "app1:k", "1"), ("EXEC",)])
    assert not wrong_commands(shared, before), "user: (module, ledger)"
    assert sum((observe(shared).refused - before.refused).values()) == 2


def test_what_functions_and_cached_scripts_run_counts_for_the_caller(shared):
    session = shared.session("app1")
    shared.admin.call("FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('f', function(keys) return redis.call('GET', keys[1]) end)")
    sha = session.call("SCRIPT", "LOAD", "return redis.call('SET', KEYS[1], 1)")
    before = users(shared)[b"app1"]
    session.pipeline([("FCALL", "f", 1, "app1:k"), ("EVALSHA", sha, 1, "app1:k"), ("EVALSHA", "0" * 40, 0)])
    after = users(shared)[b"app1"]
    assert [after[field] - before[field] for field in ("commands", "reads", "writes")] == [5, 1, 1]


def test_a_blocked_command_counts_once_when_it_is_served(shared):
    session = shared.session("app1")
    before = observe(shared)
    session.send("BLPOP", "app1:list", 0)
    wait_until(lambda: b"cmd=blpop" in shared.admin.call("CLIENT", "LIST"), "BLPOP to block")
    shared.admin.call("RPUSH", "app1:list", "x")
    assert session.read() == [b"app1:list", b"x"]
    assert not wrong_commands(shared, before)


def test_a_blocked_command_of_a_killed_client_is_counted_as_commandstats_counts_it(shared):
    session = shared.session("app1")
    before = observe(shared)
    session.send("BLPOP", "app1:list", 0)
    wait_until(lambda: b"cmd=blpop" in shared.admin.call("CLIENT", "LIST"), "BLPOP to block")
    shared.admin.call("CLIENT", "KILL", "USER", "app1")
    module, commandstats = sums_of_commands(shared, before)
    assert module == commandstats


def test_auth_inside_a_transaction_splits_its_commands_between_the_users(shared):
    session = shared.session("app1")
    before = observe(shared)
    key = "app1:sub:k"  # both may write it: the queue is checked by the rules of the user who queues
    session.transaction(("SET", key, "1"), ("AUTH", "app3", "secret"), ("SET", key, "2"), ("GET", key), ("HELLO", 2), ("GET", key))
    session.call("GET", key)
    assert not wrong_commands(shared, before), "user: (module, ledger)"


def test_of_two_auths_inside_a_transaction_nothing_is_lost(shared):
    """Exact where the server tells of authentications, from 9.0; before, what lies between counts for the last user."""
    session = shared.session("app1")
    before = observe(shared)
    session.transaction(("PING",), ("AUTH", "app3", "secret"), ("PING",), ("AUTH", "app2", "secret"), ("PING",))
    after = counted_between(before, observe(shared))
    counts = {user: after.get(user, {"commands": 0})["commands"] for user in (b"app1", b"app2", b"app3")}
    assert counts == {b"app1": 4, b"app2": 1 if shared.ledger.tells_refusals else 3, b"app3": 2 if shared.ledger.tells_refusals else 0}


def test_a_pipeline_that_changes_its_user_all_the_time_is_charged_to_each(shared):
    session = shared.session()
    before = observe(shared)
    for user in ("app1", "app2", "default", "app3") * 5:
        login = [("RESET",)] if user == "default" else [("AUTH", user, "secret")]
        session.pipeline(login + [("SET", f"{user}:k", "1"), ("MULTI",), ("GET", f"{user}:k"), ("EXEC",)])
    commands = [word for user in ("app1", "app2") * 20 for word in (("AUTH", user, "secret"), ("SET", f"{user}:k", "1"))]
    session.pipeline(commands)
    assert not wrong_commands(shared, before), "user: (module, ledger)"


def test_commands_after_a_refused_multi_are_counted(shared):
    session = shared.session("app1")
    for rule in ("+multi", "-multi", "+multi"):
        shared.admin.call("ACL", "SETUSER", "app1", rule)
        before = observe(shared)
        session.pipeline([("MULTI",), ("SET", "app1:k", "1"), ("PING",), ("EXEC",), ("GET", "app1:k")])
        module, commandstats = sums_of_commands(shared, before)
        assert module == commandstats
        assert not {name: counts for name, counts in wrong_commands(shared, before).items() if name in (b"default", (b"app1", b"set"), (b"app1", b"get"))}


def test_unauthenticated_and_failed_logins_make_no_rows_and_count_nothing(shared):
    shared.admin.call("CONFIG", "SET", "requirepass", "hidden")
    before = observe(shared)
    stranger = shared.session()
    replies = stranger.pipeline([("SET", "stranger:k", "1"), ("NOSUCH",), ("GET", "x")])
    assert all(isinstance(reply, ResponseError) for reply in replies)
    stranger.outcome("AUTH", "no-such-user", "x")
    assert not wrong_commands(shared, before), "user: (module, ledger)"
    assert b"no-such-user" not in users(shared)


def test_renamed_commands_keep_their_kind(launch):
    server = launch(lines=["rename-command GET FETCH", 'rename-command SET ""'])
    before = read_info(server.admin).users[b"default"]
    server.admin.pipeline([("FETCH", "k"), ("GET", "k"), ("SET", "k", "1")])
    after = read_info(server.admin).users[b"default"]
    assert [after[field] - before[field] for field in ("commands", "reads", "writes")] == [2, 1, 0]
