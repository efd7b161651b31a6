"""What users use beside commands: CPU time, bytes, errors and refusals, and what TENANTS.GET says of them."""

import contextlib
import os
import pathlib
import re
import subprocess
import sys
import time

import pytest
from redis.exceptions import ResponseError

from checks import users
from info import Info, read_info, total
from ledger import foreseeable, refused
from traffic import Traffic, create_users
from waiting import wait_until

BUSY = "local n = 0 for i = 1, %d do n = n + i %% 7 end return n"


def get(session, name):
    """What TENANTS.GET says of a tenant's only user."""
    session.call("HELLO", 3)
    (reply,) = session.call("TENANTS.GET", name)[b"users"]
    session.call("HELLO", 2)
    return {key.decode(): value for key, value in reply.items()}


def schedstat_usec(server, column):
    """Of the main thread, as the kernel has it. The wrapper of a fetched server execs, so the pid is its own."""
    return int(open(f"/proc/{server.process.pid}/task/{server.process.pid}/schedstat").read().split()[column]) // 1000


def main_thread_usec(server):
    """CPU time that it has used."""
    return schedstat_usec(server, 0)


def waited_usec(server):
    """For how long it has waited for a core."""
    return schedstat_usec(server, 1)


def cpu(server):
    return read_info(server.admin).status["cpu_usec"]


@contextlib.contextmanager
def every_core_busy():
    """By twice as many processes as there are cores, each of a session of its own: the kernel is fair to sessions."""
    command = [sys.executable, "-c", "while True: pass"]
    others = [subprocess.Popen(command, start_new_session=True) for _ in range(2 * os.cpu_count())]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


@contextlib.contextmanager
def a_third_of_a_core(server):
    """As a container's limit does it: all threads of the server together, in periods of a tenth of a second."""
    name = f"tenants-{server.process.pid}"
    old, new = pathlib.Path("/sys/fs/cgroup/cpu"), pathlib.Path("/sys/fs/cgroup")
    group = (old if old.is_dir() else new) / name
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    try:
        if old.is_dir():
            (group / "cpu.cfs_quota_us").write_text("33000")
        else:
            (group / "cpu.max").write_text("33000 100000")
        (group / "cgroup.procs").write_text(str(server.process.pid))
        yield
    finally:
        (group.parent / "cgroup.procs").write_text(str(server.process.pid))
        group.rmdir()


@pytest.mark.clocks
@pytest.mark.parametrize("io_threads", [1, pytest.param(3, marks=pytest.mark.fault(16))])
def test_cpu_of_all_users_is_the_main_threads(launch, io_threads, seed):
    server = launch(lines=[f"io-threads {io_threads}"])
    server.admin.call("ACL", "SETUSER", "app1", "on", ">secret", "~*", "+@all")
    session = server.session("app1")
    module, kernel = cpu(server), main_thread_usec(server)
    for number in range(400):
        session.pipeline([("SET", f"app1:{number}", "x" * 100), ("LRANGE", "app1:list", 0, -1)] * 50 + [("EVAL", BUSY % 200_000, 0)])
        if number % 100 == 0:
            server.admin.outcome("BGSAVE")
    used = lambda: (cpu(server) - module, main_thread_usec(server) - kernel)  # noqa: E731
    assert used()[1] > 400_000
    # a few looks of 4 ms; one that comes late makes up for it later
    wait_until(lambda: abs((now := used())[0] - now[1]) <= 0.01 * now[1] + 16_000, lambda: f"CPU time to agree, module and kernel: {used()} us")
    info = read_info(server.admin)
    assert abs(total(info.users, "cpu_usec") - info.status["cpu_usec"]) <= len(info.users)


def burnt_by_two(server, seconds):
    """CPU time of two users whose scripts differ by three times: {user: (as the module has it, as the kernel has it)} in us."""
    sessions = {user: server.session(user) for user in ("app1", "app2")}
    before, used = users(server), {"app1": 0, "app2": 0}
    end = main_thread_usec(server) + seconds * 1_000_000
    while main_thread_usec(server) < end:
        for user, iterations in (("app1", 300_000), ("app2", 100_000)):
            start = main_thread_usec(server)
            sessions[user].call("EVAL", BUSY % iterations, 0)
            used[user] += main_thread_usec(server) - start
    after = users(server)
    return {user: (after[user.encode()]["cpu_usec"] - before[user.encode()]["cpu_usec"], used[user]) for user in used}


def share(measured, which):
    return measured["app1"][which] / sum(pair[which] for pair in measured.values())


@pytest.mark.clocks
def test_cpu_goes_to_the_user_who_burns_it(shared):
    shared.admin.call("CONFIG", "SET", "tenants.cpu-sampling-hz", 1000)  # enough looks that chance does not matter
    used = burnt_by_two(shared, 1)
    assert 0.6 < share(used, 1) < 0.85, "the scripts are three to one"
    assert abs(share(used, 0) - share(used, 1)) < 0.13, used  # five standard errors of 300 looks


@pytest.mark.clocks
@pytest.mark.newest_server("who charges is the module")
@pytest.mark.parametrize("starved", [lambda server: every_core_busy(), a_third_of_a_core], ids=["busy", "quota"])
def test_cpu_goes_to_the_user_who_burns_it_while_the_server_has_to_wait_for_a_core(shared, starved):
    before = read_info(shared.admin).status
    since = lambda name: read_info(shared.admin).status[name] - before[name]  # noqa: E731
    with starved(shared):
        # how much it has to wait is the kernel's decision; it takes a moment to see it
        wait_until(lambda: burnt_by_two(shared, 0.3) and since("cpu_waited_usec") > 100_000, "the server to have to wait")
        used = burnt_by_two(shared, 1)
    assert since("cpu_looks_late") > 0
    assert abs(share(used, 0) - share(used, 1)) < 0.05, used
    wait_until(lambda: cpu(shared) >= sum(pair[1] for pair in used.values()), "all of it to be charged")


@pytest.mark.clocks
def test_an_idle_servers_cpu_is_internal(shared):
    session = shared.session("app1")
    shared.admin.call("CONFIG", "SET", "hz", 300)  # more work of its own
    session.call("PING")
    before, start = users(shared), main_thread_usec(shared)
    wait_until(lambda: main_thread_usec(shared) - start > 50_000, "the server to have done some work of its own")
    after = users(shared)
    assert after["(internal)"]["cpu_usec"] - before["(internal)"]["cpu_usec"] > 45_000
    assert after[b"app1"]["cpu_usec"] - before[b"app1"]["cpu_usec"] < 10_000


def test_sampling_can_be_switched_off_and_on(launch):
    server = launch(module_arguments=["cpu-sampling-hz", "0"])
    assert "cpu_usec" not in read_info(server.admin).status
    assert not any("cpu_usec" in row or "slow" in row for row in read_info(server.admin).users.values())
    server.admin.call("CONFIG", "SET", "tenants.cpu-sampling-hz", 1000)
    server.admin.call("EVAL", BUSY % 3_000_000, 0)
    first = wait_until(lambda: cpu(server), "CPU time")
    server.admin.call("CONFIG", "SET", "tenants.cpu-sampling-hz", 0)
    assert cpu(server) >= first
    wait_until(lambda: b"tenants-cpu" not in threads(server), "the thread to be gone")


def threads(server):
    names = b""
    for path in pathlib.Path(f"/proc/{server.process.pid}/task").glob("*/comm"):
        with contextlib.suppress(OSError):  # it has just ended
            names += path.read_bytes()
    return names


@pytest.mark.clocks
def test_a_command_that_blocks_the_server_is_kept_by_name_without_arguments(shared):
    session = shared.session("app1")
    for _ in range(50):
        session.call("GET", "app1:k")
    assert get(shared.admin, "app1")["slow_commands"] == []

    def block():
        usec, iterations = 0, 1_000_000
        while usec < 30_000:
            iterations *= 2
            start = main_thread_usec(shared)
            session.call("EVAL", BUSY % iterations, 0)
            usec = main_thread_usec(shared) - start
        return usec

    usec = block()
    row = get(shared.admin, "app1")
    slow = {key.decode(): value for key, value in row["slow_commands"][0].items()}
    assert row["slow"] >= 1 and set(slow) == {"command", "cpu_usec", "unix_msec"}
    assert slow["command"] == b"eval"
    assert usec / 2 <= slow["cpu_usec"] <= usec * 3 / 2 + 6_000, (slow, usec)
    seconds = int(shared.admin.call("TIME")[0])
    assert 0 <= seconds - slow["unix_msec"] // 1000 < 60
    assert users(shared)[b"default"]["slow"] == 0


def failed_calls(session):
    return sum(int(calls) for calls in re.findall(rb"failed_calls=(\d+)", session.call("INFO", "commandstats")))


def test_errors_of_all_users_equal_the_failed_calls_of_commandstats(shared, seed):
    if not shared.ledger.tells_refusals:
        assert not any({"errors", "rejected", "denied"} & set(row) for row in users(shared).values())
        return
    before, failed = total(users(shared), "errors"), failed_calls(shared.admin)
    Traffic(shared, seed).run(200)
    assert total(users(shared), "errors") - before == failed_calls(shared.admin) - failed > 50, f"seed {seed}"


FAILS, NOT_RUN = "redis.call('LPUSH', 'app1:s', 'x')", "redis.call('GET')"  # the second is refused before it runs


@pytest.mark.parametrize(
    "script, failed, errors",
    [
        (f"return {FAILS}", 2, 1),
        (f"return {FAILS.replace('call', 'pcall')}", 2, 1),
        (f"for _ = 1, 3 do {FAILS.replace('call', 'pcall')} end return 1", 3, 3),
        (f"return {NOT_RUN}", 1, 0),
        (f"{NOT_RUN.replace('call', 'pcall')} return 1", 0, 0),
        ("return redis.call('FLUSHALL')", 1, 0),
        ("return redis.error_reply('X')", 1, 1),
        ("error('x')", 1, 1),
        ("if then", 1, 1),
    ],
)
def test_errors_of_scripts_lack_what_no_module_is_told(shared, script, failed, errors):
    """As docs/metrics.md has it: a script that replies the error of a call within counts once."""
    if not shared.ledger.tells_refusals:
        pytest.skip("servers before 9.1 do not tell a module of errors")
    shared.admin.call("ACL", "SETUSER", "app1", "-flushall")
    session = shared.session("app1")
    session.call("SET", "app1:s", "x")
    before, row = failed_calls(shared.admin), get(shared.admin, "app1")
    session.outcome("EVAL", script, 0)
    now = get(shared.admin, "app1")
    assert (failed_calls(shared.admin) - before, now["errors"] - row["errors"]) == (failed, errors)
    assert (now["rejected"], now["denied"]) == (row["rejected"], row["denied"])


def test_refusals_are_told_apart_and_belong_to_who_tried(shared):
    if not shared.ledger.tells_refusals:
        pytest.skip("servers before 9.1 do not tell a module of refusals")
    session = shared.session("app1")
    shared.admin.call("ACL", "SETUSER", "app1", "-flushall", "resetchannels")
    replies = session.pipeline(
        [("GET", "app2:k"), ("SET", "app2:k", "1"), ("FLUSHALL",), ("PUBLISH", "c", "x"), ("NOSUCH",), ("GET",), ("CLIENT", "NOSUCH"), ("GET", "app1:k")]
    )
    assert [refused(reply) or foreseeable(reply) for reply in replies] == [True] * 7 + [False]
    row = get(shared.admin, "app1")
    assert (row["denied"], row["rejected"], row["errors"]) == (4, 3, 0)
    reasons = ("auth", "command", "key", "channel", "database")
    assert [row[f"denied_{reason}"] for reason in reasons] == [0, 1, 2, 1, 0]
    tenant = read_info(shared.admin).tenants[b"app1"]
    assert [tenant[f"denied_{reason}"] for reason in reasons] == [0, 1, 2, 1, 0] and tenant["rejected"] == 3
    shared.admin.call("CONFIG", "SET", "maxmemory", 1, "maxmemory-policy", "noeviction")
    reply = session.outcome("SET", "app1:k", "1")
    shared.admin.call("CONFIG", "SET", "maxmemory", 0)
    assert str(reply).startswith("OOM")
    assert get(shared.admin, "app1")["rejected"] == 4


def test_failed_logins_belong_to_who_tried(shared):
    before = users(shared)
    if "auth_failures" not in before[b"default"]:
        pytest.skip("servers before 9.0 do not tell a module of authentications")
    session = shared.session("app1")
    session.pipeline([("AUTH", "app2", "wrong"), ("AUTH", "nobody", "wrong"), ("HELLO", 3, "AUTH", "app2", "wrong"), ("AUTH", "app1", "secret")])
    after = users(shared)
    assert after[b"app1"]["auth_failures"] == 3
    assert total(after, "auth_failures") - total(before, "auth_failures") == 3
    assert b"nobody" not in after


def tot_net(session):
    """{user: (bytes in, bytes out)} of the open connections."""
    sums = {}
    for line in session.call("CLIENT", "LIST").splitlines():
        user, read, written = (re.search(rb" %b=(\S+)" % field, line)[1] for field in (b"user", b"tot-net-in", b"tot-net-out"))
        old = sums.get(user, (0, 0))
        sums[user] = (old[0] + int(read), old[1] + int(written))
    return sums


@pytest.mark.not_on_redis(reason="CLIENT LIST tells no bytes")
def test_bytes_are_those_of_client_list_also_when_connections_close_or_change_their_user(shared):
    sessions = [shared.session("app1") for _ in range(4)]
    for session in sessions:
        session.call("SET", "app1:k", "x" * 100_000)
        session.call("GET", "app1:k")
    expected = tot_net(shared.admin)[b"app1"]
    sessions[0].call("AUTH", "app2", "secret")
    for session in sessions[1:3]:
        session.close()
    row = wait_until(lambda: at_least(shared, expected[1] - 100), lambda: f"{expected}, {users(shared)[b'app1']}")
    assert abs(row["bytes_in"] - expected[0]) < 100, (row, expected)
    assert abs(row["bytes_out"] - expected[1]) < 100, (row, expected)
    assert users(shared)[b"app2"]["bytes_in"] < 100


def at_least(server, bytes_out):
    row = users(server)[b"app1"]
    return row if row["bytes_out"] >= bytes_out else None


@pytest.mark.not_on_redis(reason="CLIENT LIST tells no bytes")
def test_bytes_of_many_connections_are_all_read(shared):
    sessions = [shared.session("app1") for _ in range(300)]
    for session in sessions:
        session.call("SET", "app1:k", "x" * 1000)
    wait_until(lambda: users(shared)[b"app1"]["bytes_in"] >= 300 * 1000, lambda: f"{users(shared)[b'app1']}")
    assert users(shared)[b"app1"]["bytes_in"] <= 300 * 1200


def spent_on_lists(server):
    """Microseconds of CLIENT LIST."""
    match = re.search(rb"cmdstat_client\|list:calls=\d+,usec=(\d+)", server.admin.call("INFO", "commandstats"))
    return int(match[1]) if match else 0


@pytest.mark.newest_server("the cost is the module's own")
def test_bytes_cost_little_however_many_connections_come_and_go(launch):
    """From 8.1 on the server looks at all clients to find one."""
    server = launch(lines=["maxclients 3000"])
    create_users(server.admin)
    crowd = [server.session("app1") for _ in range(2000)]
    before, start, waited = spent_on_lists(server), time.monotonic(), waited_usec(server)
    while time.monotonic() - start < 3:
        batch = [server.session("app1") for _ in range(100)]
        for session in batch:
            session.pipeline([("SET", "app1:k", "x" * 1000), ("AUTH", "app2", "secret"), ("PING",)])
            session.close()
    elapsed = time.monotonic() - start
    spent = spent_on_lists(server) - before - (waited_usec(server) - waited)  # a command that has no core goes on by the server's clock
    assert spent < 0.0125 * elapsed * 1e6 + 52_000, f"{spent} µs in {elapsed:.1f} s"
    after = read_info(server.admin)
    assert after.status["bytes_missed"] > 0 or spent < 0.0125 * elapsed * 1e6 + 50_000
    assert crowd[0].call("PING") == b"PONG"


@pytest.mark.not_on_redis(reason="CLIENT LIST tells no bytes")
def test_bytes_can_be_switched_off_and_on(shared):
    session = shared.session("app1")
    shared.admin.call("CONFIG", "SET", "tenants.bytes-interval", 0)
    assert not any("bytes_in" in row for row in users(shared).values())
    wait_until(lambda: read_info(shared.admin).status["sweep_passes"], "the first pass, before which the module calls CLIENT LIST once")
    calls = spent_on_lists(shared)
    session.call("SET", "app1:k", "x" * 50_000)
    shared.session("app1").close()
    assert spent_on_lists(shared) == calls
    shared.admin.call("CONFIG", "SET", "tenants.bytes-interval", 10)
    wait_until(lambda: users(shared)[b"app1"]["bytes_in"] > 50_000, "the bytes to be read")


@pytest.mark.not_on_redis(reason="CLIENT LIST tells no bytes")
def test_bytes_that_may_be_another_users_are_nobodys(shared):
    shared.admin.call("CONFIG", "SET", "tenants.bytes-interval", 0)
    session = shared.session("app1")
    session.call("SET", "app1:k", "x" * 50_000)
    session.call("AUTH", "app2", "secret")
    shared.admin.call("CONFIG", "SET", "tenants.bytes-interval", 10)
    wait_until(lambda: users(shared)["(other)"]["bytes_in"] > 50_000, "the bytes to be read")
    session.call("SET", "app2:k", "x" * 30_000)
    wait_until(lambda: users(shared)[b"app2"]["bytes_in"] > 30_000, "the bytes to be read")
    assert users(shared)[b"app2"]["bytes_in"] < 50_000 > users(shared).get(b"app1", {"bytes_in": 0})["bytes_in"]


def test_the_peak_of_connections_stays(shared):
    sessions = [shared.session("app1") for _ in range(7)]
    for session in sessions:
        session.call("PING")
        session.close()
    wait_until(lambda: users(shared)[b"app1"]["connections"] == 0, "all connections of app1 to be gone")
    assert users(shared)[b"app1"]["connections_peak"] == 7


def test_get_tells_the_commands_of_a_user_by_name_the_most_frequent_first(shared):
    session = shared.session("app1")
    session.pipeline([("GET", "app1:k")] * 5 + [("config", "GET", "port"), ("Set", "app1:k", "1"), ("GET",), ("NOSUCH",)])
    session.transaction(("SET", "app1:k", "1"), ("SET", "app1:k", "2"), ("LPUSH", "app1:l", "1"))
    session.outcome("EVAL", "redis.call('SET', 'app1:k', 1)", 0)
    by_name = get(shared.admin, "app1")["commands_by_name"]
    assert by_name == {b"get": 5, b"set": 4, b"config|get": 1, b"multi": 1, b"exec": 1, b"lpush": 1, b"eval": 1}
    assert list(by_name.values()) == sorted(by_name.values(), reverse=True)


def test_resetstat_starts_the_counters_anew_and_says_when(shared):
    info = read_info(shared.admin)
    assert info.status["reset_unix_seconds"] == info.status["start_unix_seconds"]
    text, now = shared.admin.transaction(("INFO", "tenants"), ("TIME",))
    assert abs(Info(text).status["start_unix_seconds"] + Info(text).status["uptime_seconds"] - int(now[0])) <= 2
    session, blocked, gone = (shared.session("app1") for _ in range(3))
    session.pipeline([("SET", "app1:k", "x" * 10_000), ("GET", "app1:k"), ("LPUSH", "app1:k", "1"), ("GET",), ("EVAL", BUSY % 5_000_000, 0)])
    blocked.send("BLPOP", "app1:nothing", 60)
    gone.close()
    if not shared.is_redis:
        wait_until(lambda: users(shared)[b"app1"]["bytes_in"] > 10_000, "the bytes to be read")
    wait_until(lambda: users(shared)[b"app1"]["connections"] == 2, "the connection to be closed")
    wait_until(lambda: int(shared.admin.call("TIME")[0]) > info.status["start_unix_seconds"], "the next second")
    info = Info(shared.admin.transaction(("TENANTS.RESETSTAT",), ("INFO", "tenants"))[1])
    row = info.users[b"app1"]
    assert row["connections"] == row["connections_peak"] == 2
    assert {field for field in row if field != "cpu_usec" and row[field]} == {"connections", "connections_peak"}
    assert row["cpu_usec"] < 4_000 and info.status["cpu_usec"] < 50_000
    assert get(shared.admin, "app1")["slow_commands"] == [] and get(shared.admin, "app1")["commands_by_name"] == {}
    assert info.status["reset_unix_seconds"] > info.status["start_unix_seconds"]
    shared.admin.call("CLIENT", "KILL", "ID", session.call("CLIENT", "ID"))
    shared.admin.call("CLIENT", "KILL", "USER", "app1")
    assert get(shared.admin, "app1")["commands_by_name"] == {b"client|id": 1}, "nothing that was counted before is taken back"


def test_resetstat_is_an_administrators_command(server):
    rules = {"+@all": True, "+@tenants": True, "+@all -@dangerous": False, "+@all -@admin": False, "+@tenants -tenants.resetstat": False}
    for number, (rule, allowed) in enumerate(rules.items()):
        server.admin.call("ACL", "SETUSER", f"user{number}", *rule.split())
        assert (server.admin.call("ACL", "DRYRUN", f"user{number}", "TENANTS.RESETSTAT") == b"OK") == allowed, rule


def test_refused_connections_are_counted_since_the_module_was_loaded(launch):
    server = launch(loading=None)
    server.admin.call("CONFIG", "SET", "maxclients", 1)
    refuse_a_connection(server)
    assert server.load_module() == b"OK"
    assert read_info(server.admin).status["connections_rejected"] == 0
    for _ in range(3):
        refuse_a_connection(server)
    assert read_info(server.admin).status["connections_rejected"] == 3
    server.admin.call("TENANTS.RESETSTAT")
    assert read_info(server.admin).status["connections_rejected"] == 0
    refuse_a_connection(server)
    server.admin.call("CONFIG", "RESETSTAT")
    refuse_a_connection(server)
    assert read_info(server.admin).status["connections_rejected"] == 1


def refuse_a_connection(server):
    session = server.session()
    assert "max number of clients" in str(session.next_push())
    session.close()


def test_get_refuses_what_it_does_not_know(shared):
    assert str(shared.admin.outcome("TENANTS.GET", "nobody")).startswith("ERR tenants: no such tenant")
    for words in [("TENANTS.GET",), ("TENANTS.GET", "app1", "app2")]:
        assert isinstance(shared.admin.outcome(*words), ResponseError)


# Commands that fail after they, or something before them, have changed a key: what a listener must not tear apart.
FAILING = [
    ("SET", "app1:s", "x"), ("LPUSH", "app1:s", "1"), ("SET", "app1:e", "1", "PX", 1), ("WAIT", 1, 20), ("LPUSH", "app1:e", "1"), ("INCR", "app1:e"),
    ("SET", "app1:f", "1", "PX", 1), ("WAIT", 1, 20), ("LSET", "app1:f", 0, "x"), ("EVAL", "redis.call('SET', 'app1:a', 1) redis.call('SET', 'app1:b', 2) error('no')", 0),
    ("MULTI",), ("SET", "app1:c", "1"), ("LPUSH", "app1:c", "1"), ("INCR", "app1:n"), ("EXEC",),
    ("EVAL", "redis.call('SET', 'app1:d', 1) redis.pcall('LPUSH', 'app1:d', 1) redis.call('INCR', 'app1:n')", 0),
]  # fmt: skip


def test_what_fails_is_written_to_the_aof_as_without_the_module(launch):
    written = []
    for loading in ("argument", None):
        server = launch(loading=loading, lines=["appendonly yes", "appendfsync always", "hz 100"])
        server.admin.call("DEBUG", "SET-ACTIVE-EXPIRE", "0")
        for command in FAILING:
            server.admin.outcome(*command)
        (log,) = (server.directory / "appendonlydir").glob("*.incr.aof")
        text = re.sub(rb"(?s)(PXAT\r\n\$13\r\n)\d{13}", rb"\1time", log.read_bytes())
        written.append(re.sub(rb"#TS:\d+\r\n", b"", text))
    assert written[0] == written[1]
    assert written[0].count(b"MULTI") >= 2
