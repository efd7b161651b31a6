"""That the pass over all keys leaves no trace in the data, and how it waits, pauses and keeps out of the way."""

import itertools
import re
import time

import pytest
from redis.exceptions import ResponseError

import truth
from info import read_info
from tenants import acl_taken_in, full_pass, quick_passes
from truth import server_milliseconds, stat
from waiting import wait_until


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-lfu"])
def test_a_pass_changes_neither_lru_nor_lfu_nor_ttl(shared, policy):
    admin = shared.admin
    admin.call("CONFIG", "SET", "maxmemory-policy", policy, "lfu-log-factor", 0, "lfu-decay-time", 0)
    names = [f"app1:{number}" for number in range(100)]
    admin.pipeline([("SET", name, "x", "PX", 10_000_000) for name in names[:50]])
    admin.pipeline([("HSET", name, "f", "x") for name in names[50:]])
    how = "FREQ" if policy.endswith("lfu") else "IDLETIME"
    ages = lambda: admin.pipeline([("OBJECT", how, name) for name in names])  # noqa: E731
    if how == "IDLETIME":
        wait_until(lambda: min(ages()) >= 2, "the keys to be idle")
    before, expiry = ages(), admin.pipeline([("PEXPIRETIME", name) for name in names])
    quick_passes(admin)
    full_pass(admin)
    assert all(isinstance(age, int) for age in before)
    assert all(old <= new for old, new in zip(before, ages())) if how == "IDLETIME" else before == ages()
    assert admin.pipeline([("PEXPIRETIME", name) for name in names]) == expiry


def test_a_pass_does_not_remove_expired_keys_or_touch_the_hit_statistics(shared):
    admin = shared.admin
    admin.call("DEBUG", "SET-ACTIVE-EXPIRE", "0")
    admin.pipeline([("SET", f"app1:{number}", "x", "PX", 1) for number in range(100)] + [("SET", "app1:keep", "x")])
    end = server_milliseconds(admin) + 20
    wait_until(lambda: server_milliseconds(admin) > end, "the keys to expire")
    names = ("expired_keys", "keyspace_hits", "keyspace_misses")
    before = [stat(admin, name) for name in names]
    quick_passes(admin)
    full_pass(admin)
    assert [stat(admin, name) for name in names] == before
    assert truth.keys_in_total(admin) == 101 == read_info(admin).status["keys"]


def test_a_refused_monitor_pauses_nothing(shared):
    shared.admin.call("ACL", "SETUSER", "app1", "-monitor")
    session = shared.session("app1")
    assert isinstance(session.outcome("MONITOR"), ResponseError)
    quick_passes(shared.admin)
    full_pass(shared.admin)


def test_a_pass_pauses_while_a_client_monitors(shared):
    admin = shared.admin
    quick_passes(admin)
    admin.pipeline([("SET", f"app1:{number}", "x") for number in range(1000)])
    full_pass(admin)
    monitor = shared.session()
    monitor.call("MONITOR")
    wait_until(lambda: read_info(admin).status["sweep_state"] == "paused", "the pass to pause")
    assert read_info(admin).status["sweep_paused_by"] == "monitor"
    measured, end = read_info(admin).status["sweep_keys_measured"], server_milliseconds(admin) + 1000
    wait_until(lambda: server_milliseconds(admin) > end, "a second of the server's time")
    assert read_info(admin).status["sweep_keys_measured"] == measured
    admin.call("ECHO", "the last line")
    seen = b""
    while b"the last line" not in seen:
        seen += monitor.next_push()
    assert b"usage" not in seen.lower() and b"getuser" not in seen.lower()
    monitor.close()
    full_pass(admin)


def test_what_a_pass_calls_was_called_before_there_is_a_key(shared):
    """Each command takes 24 kB when it is called first, which a server close to its maxmemory may not have later."""
    assert truth.keys_in_total(shared.admin) == 0
    calls = lambda: set(re.findall(rb"cmdstat_([^:]+)", shared.admin.call("INFO", "commandstats")))
    wait_until(lambda: calls() >= {b"memory|usage", b"client|list", b"acl|users", b"acl|getuser", b"info"}, lambda: f"the first calls: {calls()}")


def logged(admin):
    """The commands in the slow log, lower case."""
    return [b" ".join(entry[3]).lower() for entry in admin.call("SLOWLOG", "GET", -1)]


@pytest.mark.parametrize("how", ["alone", "EXEC"])
def test_a_log_of_every_command_has_none_of_the_modules(shared, how):
    admin = shared.admin
    quick_passes(admin)
    acl_taken_in(admin)
    admin.pipeline([("SET", f"app1:{number}", "x" * number) for number in range(1000)])
    full_pass(admin)
    setting = ("CONFIG", "SET", "SlowLog-Log-Slower-Than", 0)
    admin.call("CONFIG", "SET", "slowlog-max-len", 100000)
    admin.call("SLOWLOG", "RESET")
    if how == "EXEC":
        admin.pipeline([("MULTI",), setting, ("EXEC",)])
    else:
        admin.call(*setting)
    wait_until(lambda: read_info(admin).status["sweep_state"] == "paused", "the pass to pause")
    assert read_info(admin).status["sweep_paused_by"] == "slow_log"
    assert len([entry for entry in logged(admin) if entry.startswith(b"config get")]) == (how == "EXEC"), "of what CONFIG SET says nobody asks"
    admin.call("SLOWLOG", "RESET")
    shared.session("app1").close()
    end = server_milliseconds(admin) + 1000
    wait_until(lambda: server_milliseconds(admin) > end, "a second of the server's time")
    assert b"time" in logged(admin)
    assert not {entry for entry in logged(admin) if entry.startswith((b"client list", b"memory", b"info stats", b"info keyspace"))}
    admin.call("CONFIG", "SET", "slowlog-log-slower-than", 10000)
    full_pass(admin)


def test_a_refused_change_of_the_log_pauses_nothing(shared):
    reply = shared.admin.outcome("CONFIG", "SET", "slowlog-log-slower-than", 0, "maxmemory-policy", "none")
    assert isinstance(reply, ResponseError)
    quick_passes(shared.admin)
    full_pass(shared.admin)


def test_passes_can_be_switched_off_and_on(shared):
    admin = shared.admin
    quick_passes(admin)
    full_pass(admin)
    admin.call("CONFIG", "SET", "tenants.sweep-cpu-percent", 0)
    wait_until(lambda: read_info(admin).status["sweep_state"] == "off", "the state off")
    passes, end = read_info(admin).status["sweep_passes"], server_milliseconds(admin) + 500
    wait_until(lambda: server_milliseconds(admin) > end, "half a second of the server's time")
    assert read_info(admin).status["sweep_passes"] == passes
    quick_passes(admin)
    full_pass(admin)


@pytest.mark.newest_server("it waits for an interval to pass, on whatever server")
def test_an_interval_keeps_passes_apart(shared):
    admin = shared.admin
    acl_taken_in(admin)
    admin.call("SET", "app1:short-lived", "x", "EX", 10_000)  # without it nothing would change, and no pass be needed
    admin.call("CONFIG", "SET", "tenants.sweep-cpu-percent", 50, "tenants.sweep-interval", 2)
    first, moments = read_info(admin).status["sweep_passes"], {}  # {passes: the last moment at which there were so many}

    def passes():
        moment = server_milliseconds(admin)
        moments[read_info(admin).status["sweep_passes"]] = moment
        return max(moments)

    wait_until(lambda: passes() >= first + 3, "three passes")
    assert moments[first + 2] - moments[first] >= 3500, moments


def test_no_write_is_refused_because_the_module_grows_close_to_maxmemory(launch):
    """Each key has a prefix of its own, for which the module needs memory, too: less than 4 kB between two commands."""
    server = launch()
    admin = server.admin
    admin.call("MSET", "first:1", "x", "second:1", "x")
    quick_passes(admin)
    full_pass(admin)
    admin.call("CONFIG", "SET", "tenants.sweep-interval", 1, "tenants.sweep-cpu-percent", 50, "maxmemory-policy", "noeviction")

    def used():
        """Bytes, and milliseconds of the server's clock."""
        memory, (seconds, microseconds) = admin.pipeline([("INFO", "memory"), ("TIME",)])
        return int(re.search(rb"used_memory:(\d+)", memory)[1]), int(seconds) * 1000 + int(microseconds) // 1000

    before, then = used()
    limit = before + 800_000
    admin.call("CONFIG", "SET", "maxmemory", limit)
    for number in itertools.count():
        (seconds, microseconds), reply = admin.pipeline([("TIME",), ("SET", f"{number}-{'x' * (number % 60)}:k", "x")])
        ticks = 1 + (int(seconds) * 1000 + int(microseconds) // 1000 - then) // 20  # more of them, if we had to wait for a core
        if reply != b"OK":
            assert before + 4096 + 2048 * ticks > limit, (number, limit - before, ticks, read_info(admin).status)
            break
        before, then = used()
        if before + 4096 > limit:
            break
        time.sleep(0.002)
    assert number > 1000, "more rows than are added up at once"


@pytest.mark.newest_server("what it takes is the module's")
def test_no_key_is_evicted_because_keys_are_counted_anew(launch):
    """That takes memory for the keys that come and go meanwhile: 1.5 MiB here, if the server has it."""
    server = launch(lines=["maxmemory-policy allkeys-lru"])
    admin = server.admin
    quick_passes(admin)
    admin.call("EVAL", "for number = 0, 199999 do redis.call('SET', 'app1:' .. number, 'x') end", 0)
    full_pass(admin)
    if read_info(admin).status["keys_mode"] == "swept":
        pytest.skip("this server counts in each pass, without that memory")
    used = int(re.search(rb"used_memory:(\d+)", admin.call("INFO", "memory"))[1])
    admin.call("CONFIG", "SET", "maxmemory", used + 900_000)
    admin.call("ACL", "SETUSER", "new", "~app1:1*", "+@all")
    info = acl_taken_in(admin)
    assert stat(admin, "evicted_keys") == 0
    assert info.status["keys"] == 200_000 and info.prefixes[b"app1:1"]["keys"] == sum(str(number).startswith("1") for number in range(200_000))


@pytest.mark.newest_server("the cost is the module's own")
def test_an_idle_server_is_asked_little(shared):
    """Once a second, for the bytes of its connections; no key is measured again. A write ends that."""
    admin = shared.admin
    admin.pipeline([("SET", f"app1:{number}", "x") for number in range(1000)])
    quick_passes(admin)
    full_pass(admin)
    if read_info(admin).status["keys_mode"] == "swept":
        pytest.skip("this server does not tell of keys: each pass may find something new")
    admin.call("CONFIG", "SET", "tenants.sweep-interval", 2)
    admin.call("APPEND", "app1:1", "x")
    last = read_info(admin).status

    def is_left_alone():
        """The age of what is known fell without a pass: it was seen that nothing had changed."""
        nonlocal last
        before, last = last, read_info(admin).status
        return last["sweep_passes"] == before["sweep_passes"] and last["sweep_age_seconds"] < before["sweep_age_seconds"]

    wait_until(is_left_alone, lambda: f"the passes to end, {last}")
    info = read_info(admin)

    def calls():
        by_name = truth.calls_by_command(admin)
        return {name: by_name[name] for name in (b"memory|usage", b"client|list", b"acl|getuser", b"info")}

    before, begin = calls(), server_milliseconds(admin)
    wait_until(lambda: server_milliseconds(admin) - begin > 4000, "four seconds of the server's time")
    after, seconds = calls(), (server_milliseconds(admin) - begin) / 1000
    own = 1  # the INFO of calls()
    assert after[b"memory|usage"] == before[b"memory|usage"]
    assert sum(after.values()) - sum(before.values()) - own <= 2 * seconds + 2
    assert read_info(admin).status["sweep_passes"] == info.status["sweep_passes"]
    wait_until(is_left_alone, lambda: f"the age to fall once more, {last}")
    admin.call("APPEND", "app1:1", "x")
    wait_until(lambda: read_info(admin).status["sweep_passes"] > info.status["sweep_passes"], "another pass")
