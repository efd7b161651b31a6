"""What the machine under a server may do to it: stop it, set its clock, leave it without memory or without disk. Numbers in the names
of the sections are those of the list of faults, as in test_faults.py."""

import os
import random
import resource
import signal
import struct
import threading
import time

import pytest
from redis.exceptions import ResponseError

import truth
from checks import observe, wrong_bytes, wrong_commands, wrong_connections, wrong_keys
from filling import fill
from info import read_info, rows_that_do_not_add_up
from server import MAY_FAIL
from tenants import quick_passes, resp3
from test_usage import main_thread_usec
from traffic import create_users
from waiting import patience, wait_until

WORK = [("SET", "app1:k", "1"), ("GET", "app1:k"), ("MULTI",), ("INCR", "app1:n"), ("EXEC",), ("EVAL", "return 1", 0)]


def prepare(server):
    create_users(server.admin)
    quick_passes(server.admin)
    server.admin.call("CONFIG", "SET", "tenants.target-error", 0)


def assert_right(server, why=""):
    for name, compare in (("keys", wrong_keys), ("bytes", wrong_bytes)):
        differences = compare(server)
        assert not differences, f"{why} {name} by prefix: (module, outside) {differences}"
    differences = wrong_connections(server.admin)
    assert not differences, f"{why} user: (module, CLIENT LIST) {differences}"
    info = read_info(server.admin)
    assert info.status["drift"] == 0, why
    assert not rows_that_do_not_add_up(info), why


def grown(session):
    """What TENANTS.TOP tells of the last ten seconds: {tenant: row}."""
    reply = resp3(session, "TENANTS.TOP", "BY", "commands", "COUNT", 1000)
    return {row["name"]: row for row in reply["tenants"]}, reply["seconds"]


def assert_no_counter_ran_backwards(session, most):
    """`most`: commands that can have run in ten seconds."""
    rows, seconds = grown(session)
    assert 0 <= seconds <= 13 * patience(), seconds
    for row in rows.values():
        assert all(value >= 0 for name, value in row.items() if isinstance(value, int) and not name.endswith("_change")), row
        assert row["commands"] <= most, row


# 21: stalls


def proc(server, name):
    """What the kernel says of the server's main thread."""
    with open(f"/proc/{server.process.pid}/{name}") as file:
        return file.read()


def sleep(server, session):
    server.admin.call("DEBUG", "SLEEP", 1)


def stop(server, session):
    server.pause()
    threading.Timer(1, os.kill, (server.process.pid, signal.SIGCONT)).start()


def run_forever(server, session):
    """A script that is killed, while others are refused."""
    server.admin.call("CONFIG", "SET", "busy-reply-threshold", 100)
    other = server.session("app2")
    other.send("EVAL", "while true do end", 0)
    wait_until(lambda: str(session.outcome("SET", "app1:k", "1")).startswith("BUSY"), "the script to be busy")
    session.pipeline(WORK)
    assert server.admin.call("SCRIPT", "KILL") == b"OK"
    assert isinstance(other.read(), ResponseError)


@pytest.mark.fault(21)
@pytest.mark.parametrize("stall", [sleep, stop, run_forever])
def test_a_stall_loses_no_command_and_makes_no_counter_run_backwards(shared, stall):
    prepare(shared)
    session = shared.session("app1")
    before, cpu, kernel = observe(shared), read_info(shared.admin).status["cpu_usec"], main_thread_usec(shared)
    for _ in range(2):
        session.pipeline(WORK * 20)
        stall(shared, session)
        session.pipeline(WORK * 20)
        assert_no_counter_ran_backwards(shared.admin, 10_000)
    differences = wrong_commands(shared, before)
    assert not differences, f"user: (module, ledger) {differences}"
    used = lambda: (read_info(shared.admin).status["cpu_usec"] - cpu, main_thread_usec(shared) - kernel)  # noqa: E731
    # the thread that looks may have to wait for a core, too: nothing is lost
    wait_until(lambda: abs((now := used())[0] - now[1]) <= 0.02 * now[1] + 30_000, lambda: f"CPU time to agree, module and kernel: {used()} us")
    assert_right(shared)


STOPPED_SECONDS = 2.5


@pytest.mark.fault(21)
def test_a_server_that_is_stopped_in_the_middle_of_a_slice_of_a_pass_goes_on_at_once(shared):
    """And does not rest for as long as if it had worked all the time."""
    prepare(shared)
    admin = shared.admin
    admin.call("CONFIG", "SET", "tenants.slice-usec", 10_000)
    fill(admin, 20_000, 1)

    def stopped_in_a_slice():
        """Only a thread that works, and not one that waits for events, has a chance to be in a slice."""
        shared.pause()
        try:
            if int(proc(shared, "syscall").split()[0].replace("running", "-1")) < 0:
                time.sleep(STOPPED_SECONDS)
        finally:
            os.kill(shared.process.pid, signal.SIGCONT)
        return read_info(admin).status["sweep_longest_slice_usec"] > STOPPED_SECONDS * 1e6

    wait_until(stopped_in_a_slice, "a stop that hits a slice")
    slices = read_info(admin).status["sweep_slices"]
    wait_until(lambda: read_info(admin).status["sweep_slices"] > slices, "another slice")


# 22: the clock


@pytest.mark.fault(22)
def test_the_clock_of_the_machine_may_jump(launch, tmp_path, request):
    library, clock = request.config.getoption("module").resolve().parent / "clock.so", tmp_path / "clock"
    if not library.exists():
        pytest.skip(f"{library} is missing")
    clock.write_bytes(struct.pack("=q", 0))
    sanitizer = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
    server = launch(environment={"LD_PRELOAD": str(library), "CLOCK": str(clock), "ASAN_OPTIONS": sanitizer})
    prepare(server)
    admin, session = server.admin, server.session("app1")
    began = time.monotonic()
    for hours in (1, -1, 0, 24, -24, 0):
        before = observe(server)
        session.pipeline([("SET", f"app1:{hours}:{n}", "x", "EX", 1800) for n in range(100)] + [("SET", f"app1:{hours}:stays", "x")])
        with open(clock, "r+b") as file:
            file.write(struct.pack("=q", hours * 3600))
        wait_until(lambda: abs(int(admin.call("TIME")[0]) - time.time() - hours * 3600) < 600, lambda: f"the clock to jump, {admin.call('TIME')}")
        session.pipeline(WORK * 20)
        differences = wrong_commands(server, before)
        assert not differences, f"after {hours} h, user: (module, ledger) {differences}"
        wait_until(lambda: len(truth.key_names(admin)[0]) == truth.keys_in_total(admin), "what is too old now to expire")
        assert_right(server, f"after {hours} h:")
        assert_no_counter_ran_backwards(admin, 10_000)
        status = read_info(admin).status
        most = time.monotonic() - began + 10
        assert 0 <= status["uptime_seconds"] <= most and 0 <= status["sweep_age_seconds"] <= most, f"after {hours} h: {status}"


# 23: memory


@pytest.mark.fault(23)
def test_a_module_for_which_there_is_no_memory_is_not_loaded(launch, version):
    if "san" in version:
        pytest.skip("a sanitizer maps terabytes")
    server = launch(loading=None)
    with open(f"/proc/{server.process.pid}/status") as status:
        kilobytes = next(int(line.split()[1]) for line in status if line.startswith("VmSize"))
    limits = resource.prlimit(server.process.pid, resource.RLIMIT_AS)
    resource.prlimit(server.process.pid, resource.RLIMIT_AS, ((kilobytes << 10) + (100 << 20), limits[1]))
    assert isinstance(server.load_module("max-users", 1_000_000, "max-prefixes", 1_000_000), ResponseError)
    assert server.admin.call("PING") == b"PONG"
    resource.prlimit(server.process.pid, resource.RLIMIT_AS, limits)
    assert server.load_module() == b"OK"
    prepare(server)
    server.admin.pipeline([("SET", f"app1:{n}", "x") for n in range(100)])
    assert_right(server)


@pytest.mark.fault(23)
def test_a_server_beyond_its_maxmemory_is_measured(launch):
    server = launch(loading=None)
    create_users(server.admin)
    fill(server.admin, 1000, 1)
    server.admin.call("CONFIG", "SET", "maxmemory", 1)
    assert server.load_module() == b"OK"
    prepare(server)
    assert_right(server)


# 24: disks, and data that is none


@pytest.mark.fault(24)
def test_a_full_disk_stops_saving_and_writes_but_no_count(launch, tmp_path):
    """A limit on the size of files, told by an error instead of a signal, is a disk of that size."""
    server = launch(start=False, lines=["appendonly yes", "appendfsync everysec", "auto-aof-rewrite-percentage 0"])
    shell = tmp_path / "valkey-server"
    shell.write_text(f"#!/bin/sh\ntrap '' XFSZ\nexec {server.binary} \"$@\"\n")
    shell.chmod(0o755)
    server.binary = str(shell)
    server.start()
    prepare(server)
    admin, session = server.admin, server.session("app1")
    session.pipeline([("SET", f"app1:{n}", os.urandom(800)) for n in range(1000)])
    limits = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (1 << 19, limits[1]))
    before = observe(server)
    for number in range(50_000):
        if str(session.outcome("SET", f"app1:more{number}", "x" * 1000)).startswith("MISCONF"):
            break
    else:
        raise AssertionError("the log of commands still has room")
    admin.outcome("BGSAVE")
    wait_until(lambda: b"rdb_bgsave_in_progress:0" in admin.call("INFO", "persistence"), "the child to end")
    assert b"rdb_last_bgsave_status:err" in admin.call("INFO", "persistence")
    session.pipeline(WORK)
    differences = wrong_commands(server, before)
    assert not differences, f"user: (module, ledger) {differences}"
    assert_right(server, "while the disk is full:")
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, limits)
    wait_until(lambda: session.outcome("SET", "app1:again", "x") == b"OK", "writes to be taken again")
    assert_right(server)


@pytest.mark.fault(24)
def test_payloads_of_restore_that_are_garbage(launch, seed):
    """Bytes of DUMP, some changed. The server checks the structure but, told so, not the checksum; it takes some of them."""
    server, rng = launch(environment=MAY_FAIL), random.Random(seed)
    prepare(server)
    admin = server.admin
    fill(admin, 300, seed)
    admin.outcome("CONFIG", "SET", "sanitize-dump-payload", "yes")  # 9.x always does
    admin.call("DEBUG", "SET-SKIP-CHECKSUM-VALIDATION", 1)
    payloads = [admin.call("DUMP", name) for name in sorted(truth.key_names(admin)[0])]
    taken = 0
    for number in range(2000):
        payload = bytearray(rng.choice(payloads))
        for _ in range(rng.randrange(1, 4)):
            payload[rng.randrange(max(1, len(payload) - 10))] = rng.randrange(256)
        taken += admin.outcome("RESTORE", f"app{rng.randrange(3)}:{rng.randrange(200)}", 0, bytes(payload), *rng.choice([(), ("REPLACE",)])) == b"OK"
    print(f"{server.version}, seed {seed}: {taken} of 2000 taken")
    assert taken > 20, f"seed {seed}"
    # A length that is garbage, too: collections that claim to be very long are measured by their first elements only.
    lengths = {b"list": "LLEN", b"stream": "XLEN", b"set": "SCARD", b"zset": "ZCARD", b"hash": "HLEN"}
    for name in sorted(truth.key_names(admin)[0]):
        length = lengths.get(admin.call("TYPE", name))
        claimed = admin.outcome(length, name) if length else 0
        if isinstance(claimed, int) and not 0 <= claimed <= 10_000:  # a stream of 2⁶⁴ − 1 says -1
            print(f"{name} claims {claimed} elements")
            admin.call("DEL", name)
    assert_right(server, f"seed {seed}")
