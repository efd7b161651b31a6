"""Connections per user against CLIENT LIST, and which rows there are."""

import re
import threading
import time

import pytest
from redis.exceptions import ConnectionError, ResponseError

from checks import observe, sums_of_commands, users, wrong_commands, wrong_connections, wrong_connections_in, wrong_keys
from info import read_info, rows_that_do_not_add_up
from tenants import acl_taken_in, quick_passes, settled_info
from session import Session
from test_usage import main_thread_usec
from traffic import USERS, Traffic, create_users
from waiting import patience, wait_until


def test_connections_equal_client_list_after_every_way_a_user_changes(shared):
    admin, session = shared.admin, shared.session()
    changes = [
        ("AUTH", "app1", "secret"), ("AUTH", "app2", "secret"), ("AUTH", "app1", "wrong"), ("AUTH", "nobody", "x"), ("RESET",),
        ("HELLO", 3, "AUTH", "app3", "secret"), ("HELLO", 2), ("HELLO", 3, "AUTH", "app3", "wrong"), ("AUTH", "secret"),
        ("AUTH", "reader", "secret"), ("RESET",), ("RESET",), ("AUTH", "app1", "secret"),
    ]  # fmt: skip
    for change in changes:
        session.outcome(*change)
        assert not wrong_connections(admin), f"after {change}: (module, CLIENT LIST)"
    session.close()
    wait_until(lambda: len(admin.call("CLIENT", "LIST").splitlines()) == 1, "the server to notice the disconnect")
    assert not wrong_connections(admin)


def test_connections_equal_client_list_at_every_moment_of_mixed_traffic(shared, seed):
    traffic = Traffic(shared, seed)
    for _ in range(150):
        traffic.step()
        assert not wrong_connections(shared.admin), f"seed {seed}: (module, CLIENT LIST)"


def test_connections_are_right_inside_the_transaction_that_authenticates(shared):
    session = shared.session("app1")
    commands = ("AUTH", "app2", "secret"), ("CLIENT", "LIST"), ("INFO", "tenants"), ("AUTH", "app3", "secret"), ("CLIENT", "LIST"), ("INFO", "tenants")
    _, first_list, first_info, _, second_list, second_info = session.transaction(*commands)
    assert not wrong_connections_in(first_list, first_info), "after the first AUTH: (module, CLIENT LIST)"
    assert not wrong_connections_in(second_list, second_info), "after the second AUTH: (module, CLIENT LIST)"
    assert not wrong_connections(shared.admin)


def test_connections_of_a_discarded_auth_do_not_change(shared):
    session = shared.session("app1")
    session.pipeline([("MULTI",), ("AUTH", "app2", "secret"), ("DISCARD",)])
    assert users(shared)[b"app1"]["connections"] == 1
    assert not wrong_connections(shared.admin)


def test_connections_of_killed_clients_go(shared):
    sessions = [shared.session("app1") for _ in range(5)]
    assert users(shared)[b"app1"]["connections"] == 5
    shared.admin.call("CLIENT", "KILL", "ID", sessions[0].call("CLIENT", "ID"))
    assert not wrong_connections(shared.admin)
    shared.admin.call("CLIENT", "KILL", "USER", "app1")
    assert not wrong_connections(shared.admin)
    assert users(shared)[b"app1"]["connections"] == 0


def test_clients_connected_before_the_module_was_loaded_are_counted(launch):
    server = launch(loading=None)
    create_users(server.admin)
    sessions = [server.session(user) for user in ("app1", "app1", "app2", None)]
    sessions[0].send("BLPOP", "app1:nothing", 30)
    assert server.load_module() == b"OK"
    assert not wrong_connections(server.admin)
    sessions[2].call("AUTH", "app3", "secret")
    server.admin.call("CLIENT", "KILL", "ID", sessions[1].call("CLIENT", "ID"))
    assert not wrong_connections(server.admin)


@pytest.mark.parametrize("end", ["EXEC", "DISCARD"])
def test_what_clients_older_than_the_module_are_in_the_middle_of_is_counted_right(launch, end):
    """What they had queued before is nobody's."""
    server = launch(loading=None)
    create_users(server.admin, {"app1": "~app1:* &* +@all"})
    open_transaction, subscriber, watcher = (server.session("app1") for _ in range(3))
    open_transaction.call("MULTI")
    subscriber.call("SUBSCRIBE", "channel")
    watcher.call("WATCH", "app1:k")
    assert server.load_module() == b"OK"
    assert not wrong_connections(server.admin)
    before = observe(server)
    open_transaction.pipeline([("SET", "app1:k", "1"), ("GET", "app1:k"), (end,), ("PING",)])
    watcher.pipeline([("MULTI",), ("SET", "app1:k", "1"), ("EXEC",), ("PING",)])
    subscriber.pipeline([("PING",), ("RESET",), ("GET", "app1:k")])
    assert not wrong_connections(server.admin)
    assert not wrong_commands(server, before), "user: (module, ledger)"


class Logins:
    """Threads that log in, work, reset and reconnect as the same few users, until told to stop."""

    def __init__(self, server, threads=2):
        self._stop, self.rounds = threading.Event(), 0
        self._server = server
        self._threads = [threading.Thread(target=self._work) for _ in range(threads)]

    def _work(self):
        while not self._stop.is_set():
            self.rounds += 1
            session = Session(self._server.port)
            try:
                for user in ("app1", "app2", "app3"):
                    session.pipeline([("AUTH", user, "secret"), ("MULTI",), ("PING",), ("AUTH", "reader", "secret"), ("EXEC",)])
                    session.pipeline([("HELLO", 2, "AUTH", user, "secret"), ("GET", "app1:k")])
                    session.pipeline([("RESET",), ("PING",)])
            except (ConnectionError, OSError):  # its user was deleted, or it was killed
                pass
            session.close()

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()


@pytest.mark.fault(12)
def test_connections_are_right_at_every_moment_while_users_vanish_and_return_under_traffic(launch, tmp_path):
    rules = [f"user {user} on >secret {rules}\n" for user, rules in USERS.items()]
    path = tmp_path / "users.acl"
    path.write_text("user default on nopass ~* &* +@all\n" + "".join(rules))
    server = launch(lines=[f"aclfile {path}"])
    admin = server.admin
    changes = [
        ("ACL", "DELUSER", "app1"), ("CLIENT", "KILL", "USER", "app2"), ("ACL", "LOAD"), ("ACL", "SETUSER", "app2", "off"), ("ACL", "DELUSER", "app2", "reader"),
        ("ACL", "SETUSER", "app1", "on", ">secret", "~*", "+@all"), ("ACL", "LOAD"), ("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"),
    ]  # fmt: skip
    with Logins(server) as logins:
        for change in changes * 8:
            admin.outcome(*change)
            assert not wrong_connections(admin), f"after {change}: (module, CLIENT LIST)"
        wait_until(lambda: logins.rounds > 20, "some traffic")
    wait_until(lambda: len(admin.call("CLIENT", "LIST").splitlines()) == 1, "all others to be gone")
    assert not wrong_connections(admin)


def test_connections_are_right_while_and_after_the_user_of_a_connection_is_deleted(shared):
    keep = shared.session("app2")
    shared.session("app1")
    _, client_list, info = shared.admin.transaction(("ACL", "DELUSER", "app1"), ("CLIENT", "LIST"), ("INFO", "tenants"))
    assert not wrong_connections_in(client_list, info), "in the transaction of DELUSER: (module, CLIENT LIST)"
    wait_until(lambda: b"user=app1" not in shared.admin.call("CLIENT", "LIST"), "the client to be closed")
    assert not wrong_connections(shared.admin)
    assert keep.call("PING") == b"PONG"


@pytest.mark.parametrize("transaction", [False, True])
def test_a_connection_that_deletes_its_own_user_is_counted_until_it_is_closed(shared, transaction):
    session = shared.session("app1")
    for command in [("MULTI",), ("ACL", "DELUSER", "app1"), ("EXEC",)] if transaction else [("ACL", "DELUSER", "app1")]:
        session.send(*command)
    wait_until(lambda: b"app1" not in shared.admin.call("ACL", "USERS"), "the user to be deleted")
    wait_until(lambda: len(shared.admin.call("CLIENT", "LIST").splitlines()) == 1, "its connection to be closed")
    assert not wrong_connections(shared.admin)


def test_a_user_that_is_deleted_and_made_again_is_counted_on(shared):
    shared.session("app1").call("PING")
    shared.admin.call("ACL", "DELUSER", "app1")
    create_users(shared.admin, {"app1": "~app1:* +@all"})
    before = observe(shared)
    shared.session("app1").call("PING")
    assert not wrong_commands(shared, before)
    assert not wrong_connections(shared.admin)


def test_connections_total_counts_every_connection_that_became_the_users(shared):
    before = users(shared)
    session = shared.session()
    session.call("AUTH", "app1", "secret")
    session.call("AUTH", "app2", "secret")
    session.call("RESET")
    session.call("HELLO", "3", "AUTH", "app1", "secret")
    session.outcome("AUTH", "app2", "wrong")
    session.transaction(("AUTH", "app2", "secret"))
    after = users(shared)
    totals = {name: row["connections_total"] - before.get(name, {}).get("connections_total", 0) for name, row in after.items()}
    assert {name: total for name, total in totals.items() if total} == {b"default": 2, b"app1": 2, b"app2": 2}


def test_connections_of_monitors_subscribers_and_blocked_clients_are_counted(shared):
    shared.admin.call("ACL", "SETUSER", "app1", "allchannels")
    monitor, subscriber, blocked = (shared.session("app1") for _ in range(3))
    monitor.call("MONITOR")
    subscriber.call("SUBSCRIBE", "channel")
    blocked.send("BLPOP", "app1:nothing", 30)
    wait_until(lambda: b"cmd=blpop" in shared.admin.call("CLIENT", "LIST"), "BLPOP to block")
    assert users(shared)[b"app1"]["connections"] == 3
    assert not wrong_connections(shared.admin)


def test_any_legal_user_name_has_its_own_row(server):
    names = [b"a:b", b"a_b", b"x=1,y=2", b"(other)", b"(internal)", b'#"q', b"%3A", b"\xff\xfe", b"s", b"\\", b"status:1", b"\x01"]
    for name in names:
        server.admin.call("ACL", "SETUSER", name, "on", "nopass", "~*", "+@all")
    before = observe(server)
    sessions = [server.session(name, "any") for name in names]
    for session in sessions:
        session.call("PING")
    assert not wrong_connections(server.admin)
    assert not wrong_commands(server, before)


def test_users_beyond_the_table_share_the_row_other_and_nothing_is_lost(launch):
    server = launch(module_arguments=["max-users", "16"])
    for number in range(60):
        server.admin.call("ACL", "SETUSER", f"user{number}", "on", ">secret", f"~user{number}:*", "+@all")
    before = observe(server)
    sessions = [server.session(f"user{number}") for number in range(60)]
    for session in sessions:
        session.call("PING")
    info = read_info(server.admin)
    assert info.users["(other)"]["connections"] >= 60 - 16
    assert info.status["connections"] == 61
    assert info.status["users_dropped"] > 0
    assert not rows_that_do_not_add_up(info)
    module, commandstats = sums_of_commands(server, before)
    assert module == commandstats
    for session in sessions:
        session.close()
    wait_until(lambda: read_info(server.admin).status["connections"] == 1, "all connections to be gone from the rows")
    assert not wrong_connections(server.admin)


def test_rows_of_users_long_gone_are_reused_when_no_other_is_free_and_their_counters_stay_in_other(launch):
    server = launch(module_arguments=["max-users", "16"])

    def generation(number):
        names = [f"user{number}.{i}" for i in range(10)]
        create_users(server.admin, {name: f"~{name}:* +@all" for name in names})
        for name in names:
            session = server.session(name)
            session.pipeline([("SET", f"{name}:k", "x" * 1000), ("GET", f"{name}:k"), ("GET",)])
            session.close()
        acl_taken_in(server.admin)
        info = read_info(server.admin)
        assert not set(names) - {name.decode() for name in info.users if isinstance(name, bytes)}
        server.admin.call("ACL", "DELUSER", *names)
        acl_taken_in(server.admin)
        return info

    before = observe(server)
    first = generation(1)
    assert first.users["(other)"]["commands"] == 0
    assert first.status["users_reused"] == 0
    for number in range(2, 5):
        last = generation(number)
        assert last.status["users_dropped"] == 0
    assert last.status["users_reused"] >= 40 - 16
    assert last.users["(other)"]["writes"] == last.status["users_reused"]  # one SET of each user whose row was reused
    if not server.is_redis:
        assert last.users["(other)"]["bytes_in"] > 1000 * (last.status["users_reused"] - last.status["bytes_missed"])
    assert last.users["(other)"]["connections"] == 0
    assert not rows_that_do_not_add_up(last)
    module, commandstats = sums_of_commands(server, before)
    assert module == commandstats
    assert not wrong_connections(server.admin)


def test_no_row_of_a_user_with_a_connection_or_in_the_acl_is_reused(launch):
    server = launch(module_arguments=["max-users", "16"])
    names = [f"user{i}" for i in range(15)]  # and default
    create_users(server.admin, dict.fromkeys(names, "~* +@all"))
    sessions = [server.session(name) for name in names]
    acl_taken_in(server.admin)
    create_users(server.admin, {"late": "~* +@all"})
    late = server.session("late")
    late.call("PING")
    assert read_info(server.admin).status["users_reused"] == 0
    assert read_info(server.admin).users["(other)"]["connections"] == 1
    sessions[3].close()
    acl_taken_in(server.admin)
    create_users(server.admin, {"later": "~* +@all"})
    server.session("later").call("PING")
    assert read_info(server.admin).status["users_reused"] == 0


def test_a_client_that_has_not_logged_in_is_connected_as_default_but_what_the_server_refuses_it_is_not_counted(shared):
    server = shared
    server.admin.call("CONFIG", "SET", "requirepass", "secret")
    before = observe(server)
    session = server.session()
    flood = [("GET", "k"), ("SET", "k", "1"), ("MULTI",), ("NOSUCH",), ("EVAL", "return 1", 0), ("PING",), ("HELLO", 3), ("QUIT2",)]
    assert all(isinstance(reply, ResponseError) for reply in session.pipeline(flood))
    assert not wrong_connections(server.admin)
    assert not wrong_commands(server, before)
    session.call("AUTH", "app1", "secret")
    session.pipeline([("PING",), ("RESET",), *flood])
    assert not wrong_commands(server, before)
    server.admin.call("CONFIG", "SET", "requirepass", "")
    session.pipeline([("GET", "k"), ("SET", "k", "1")])
    server.admin.call("ACL", "SETUSER", "default", "resetpass", ">other")
    session.pipeline([("GET", "k"), ("SET", "k", "1")])
    server.session().pipeline(flood)
    late = server.session()
    late.call("AUTH", "other")
    late.pipeline([("GET", "k"), ("SET", "k", "1")])
    assert not wrong_commands(server, before)


@pytest.mark.fault(11)
def test_a_storm_of_connections_leaves_no_trace(shared):
    for _ in range(10):
        sessions = [shared.session("app1") for _ in range(50)]
        assert not wrong_connections(shared.admin)
        for session in sessions:
            session.close()
    wait_until(lambda: users(shared)[b"app1"]["connections"] == 0, "all connections of app1 to be gone")
    assert not wrong_connections(shared.admin)
    assert users(shared)[b"app1"]["connections_total"] == 500


def test_a_client_that_quits_or_breaks_the_protocol_is_gone(shared):
    session = shared.session("app1")
    session._connection._sock.sendall(b"*1\r\n$-5\r\n")
    assert isinstance(session.next_push(), ResponseError)
    with pytest.raises(ConnectionError):
        session.next_push()
    assert not wrong_connections(shared.admin)
    assert (users(shared)[b"app1"]["connections"], users(shared)[b"app1"]["connections_total"]) == (0, 1)


def users_read(server):
    """How often the module has asked for a user."""
    found = re.search(rb"cmdstat_acl\|getuser:calls=(\d+)", server.admin.call("INFO", "commandstats"))
    return int(found[1]) if found else 0


CHANGES = {
    "SETUSER": ([("ACL", "SETUSER", "u7", "~more:*")], {b"more:": b"u7"}),
    "DELUSER": ([("ACL", "DELUSER", "u7", "nobody")], {b"u7:": None}),
    "in a transaction": ([("MULTI",), ("ACL", "SETUSER", "u7", "~more:*"), ("ACL", "DELUSER", "u8"), ("EXEC",)], {b"more:": b"u7", b"u8:": None}),
    "given up": ([("MULTI",), ("ACL", "SETUSER", "u7", "~more:*"), ("DISCARD",)], {b"u7:": b"u7"}),
    "refused": ([("ACL", "SETUSER", "u7", "~more:*", "nonsense")], {b"u7:": b"u7"}),
    "of the configuration": ([("CONFIG", "SET", "requirepass", ""), ("CONFIG", "SET", "hz", "20"), ("CONFIG", "SET", "tenants.slice-usec", "200")], {b"u7:": b"u7"}),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_change_of_one_user_reads_no_other(server, case):
    admin = server.admin
    admin.call("CONFIG", "SET", "tenants.info-rows", 10_000)
    quick_passes(admin)
    admin.pipeline([("ACL", "SETUSER", f"u{number}", "on", "nopass", f"~u{number}:*", "+@all") for number in range(300)])
    admin.pipeline([("SET", f"u{number}:k", "x") for number in range(300)] + [("SET", "more:k", "x")])
    info = settled_info(admin)
    assert info.prefixes[b"u7:"]["owner"] == b"u7" and "owner" not in info.prefixes[b"more:"]
    before = users_read(server)
    commands, owners = CHANGES[case]
    admin.pipeline(commands)
    info = settled_info(admin)
    assert {name: info.prefixes[name].get("owner") for name in owners} == owners
    assert users_read(server) - before <= 6, "each command names one user or two, and EXEC has them read once more"


def test_owners_are_taken_in_while_the_acl_changes_all_the_time(server):
    """A reading of all users never starts over."""
    admin, other = server.admin, server.session()
    quick_passes(admin)
    admin.call("CONFIG", "SET", "tenants.slice-usec", 20)
    stop = threading.Event()

    def change():
        number = 0
        while not stop.is_set():
            number += 1
            other.pipeline([("ACL", "SETUSER", f"busy{number % 10}", "on", "nopass", f"~busy{number % 10}:{number % 7}:*")] * 5)

    thread = threading.Thread(target=change)
    thread.start()
    try:
        admin.pipeline([("ACL", "SETUSER", f"u{number}", "on", "nopass", f"~u{number}:*", "+@all") for number in range(500)])
        admin.pipeline([("SET", f"u{number}:k", "x") for number in range(500)])
        admin.call("CONFIG", "SET", "tenants.info-rows", 10000)
        known = lambda: sum(row.get("owner") == name[:-1] for name, row in read_info(admin).prefixes.items() if isinstance(name, bytes) and name.startswith(b"u"))  # noqa: E731
        wait_until(lambda: known() == 500, lambda: f"500 owners, {known()}")
    finally:
        stop.set()
        thread.join()
    assert not wrong_keys(server)


@pytest.mark.long
def test_a_change_among_ten_thousand_users_is_taken_in_at_once(launch):
    server = launch(module_arguments=["max-users", 12_000, "max-prefixes", 120_000])
    admin = server.admin
    for first in range(0, 10_000, 1000):
        admin.pipeline([("ACL", "SETUSER", f"u{n}", "on", "nopass", *(f"~u{n}:{k}:*" for k in range(10)), "+@all") for n in range(first, first + 1000)])
    acl_taken_in(admin, 120)
    seconds, cpu = [], []
    for number in range(20):
        used, begun = main_thread_usec(server), time.monotonic()
        admin.call("ACL", "SETUSER", f"u{number}", f"~new{number}:*")
        wait_until(lambda: admin.call("INFO", "tenants_status").find(b"tenants_acl:ok") > 0, "the change to be taken in")
        seconds.append(time.monotonic() - begun)
        cpu.append(main_thread_usec(server) - used)
    print(f"taken in after {sorted(seconds)[10] * 1000:.0f} ms (median), {max(seconds) * 1000:.0f} ms at most; main thread {sorted(cpu)[10]} us, INFO included")
    assert sorted(seconds)[10] < 0.1 * patience() and sorted(cpu)[10] < 20_000


@pytest.mark.parametrize("change", [("ACL", "SETUSER", "queued", "on", ">secret", "~mine:*", "+@all"), ("ACL", "LOAD")])
def test_a_queued_change_of_the_acl_is_taken_in_when_it_runs_whoever_ran_a_transaction_meanwhile(launch, tmp_path, change):
    acl = tmp_path / "users.acl"
    acl.write_text("user default on nopass ~* &* +@all\nuser app1 on >secret ~app1:* &* +@all\n")
    server = launch(lines=[f"aclfile {acl}"])
    admin, other, waiting = server.admin, server.session("app1"), server.session()
    acl_taken_in(admin)
    waiting.pipeline([("MULTI",), change])
    acl_taken_in(admin)
    acl.write_text(acl.read_text() + "user queued on >secret ~mine:* &* +@all\n")
    other.pipeline([("MULTI",), ("AUTH", "app1", "secret"), ("EXEC",)])
    acl_taken_in(admin)
    assert b"queued" not in users(server)
    waiting.call("EXEC")
    info = acl_taken_in(admin)
    assert info.prefixes[b"mine:"]["owner"] == b"queued"


IDENTITIES = {"a login": [("MULTI",), ("AUTH", "app1", "secret"), ("EXEC",)], "a user who goes": [("ACL", "SETUSER", "gone"), ("ACL", "DELUSER", "gone")]}


@pytest.mark.clocks
@pytest.mark.parametrize("change", IDENTITIES.values(), ids=IDENTITIES)
@pytest.mark.not_with("coverage", reason="a bound of time that the release build keeps")
def test_a_change_of_one_users_identity_does_not_ask_for_all_connections(launch, change):
    """Of CPU time of the main thread."""
    server = launch(lines=["maxclients 6000"])
    create_users(server.admin)
    session = server.session("app1")

    def used():
        before = main_thread_usec(server)
        for _ in range(100):
            session.pipeline([*change, ("TENANTS.ME",)])  # its answer is of now
        return main_thread_usec(server) - before

    alone = min(used() for _ in range(5))
    crowd = [server.session("app2") for _ in range(3000)]
    beside = min(used() for _ in range(5))
    print(f"{server.version}: {alone / 100:.1f} us alone, {beside / 100:.1f} us with {len(crowd):,} connections")
    assert beside < 3 * alone + 20_000  # the server itself looks at each connection when a user goes
