"""Calls that nobody would make, and patterns made to be slow."""

import pathlib
import random
import subprocess
import sys

import pytest
from redis.exceptions import ResponseError

import truth
from conftest import REPOSITORY, server_binary
from info import read_info, rows_that_do_not_add_up
from tenants import quick_passes, settled_info
from waiting import patience

CALLS = pathlib.Path(REPOSITORY, "tests/fuzz/calls")


@pytest.mark.long
def test_random_calls_break_nothing(seed):
    """A slice of what tests/fuzz/calls can do; docs/reliability.md tells of the long runs."""
    module = REPOSITORY / "build/asan/tenants.so"
    if not module.exists():
        pytest.skip(f"{module} is missing; build it: cmake --preset asan && cmake --build --preset asan")
    done = subprocess.run([sys.executable, "-B", CALLS, "--seconds", "20", "--seed", str(seed)], capture_output=True, text=True)
    print(done.stdout)
    assert done.returncode == 0, done.stderr


@pytest.mark.long
@pytest.mark.newest_server("valkey-benchmark has had its fuzzer since 9.1; it ends 8.1.1 without the module, too (valkey #2347)", always=True)
def test_the_servers_own_fuzzer_breaks_nothing(launch, request):
    """valkey-benchmark --fuzz: all commands that COMMAND DOCS tells of, ours among them, well formed and not, and CONFIG SET."""
    server = launch()
    benchmark = pathlib.Path(server_binary("9")).with_name("valkey-benchmark")
    for modes in ([], ["--fuzz-mode", "malformed-commands,config-commands"]):
        words = [benchmark, "-p", server.port, "-n", 20 * request.config.getoption("steps"), "-c", 10, "--fuzz", "--fuzz-loglevel", "error", *modes]
        run = subprocess.run([*map(str, words)], capture_output=True, text=True, timeout=1200 * patience())
        assert server.process.poll() is None, f"{run.stdout[-2000:]}{run.stderr[-2000:]}\n{server.log_tail()}"
    server.admin.close()
    server.admin = server.session()
    calls = truth.calls_by_command(server.admin)
    print({name.decode(): count for name, count in calls.items() if name.startswith(b"tenants.")})
    assert not rows_that_do_not_add_up(read_info(server.admin))
    server.check_log()


def names_of_all_pages(admin, *options):
    names, cursor = [], b"0"
    while True:
        cursor, rows = admin.call("TENANTS.PREFIXES", cursor, *options)
        names += [row[1] for row in rows if row[3] in (b"prefix", b"key")]
        if cursor == b"0":
            return names


def test_brackets_and_stars_match_as_in_keys(server, seed):
    """A key named as its prefix matches KEYS as the prefix matches TENANTS.PREFIXES."""
    rng, admin = random.Random(seed), server.admin
    names = {b"".join(bytes([rng.choice(b"abc-]^\\*[")]) for _ in range(rng.randrange(1, 6))) + b":" for _ in range(300)}
    for name in names:
        admin.call("SET", name, "")
    quick_passes(admin)
    settled_info(admin)  # 8.1 knows a prefix when a pass has met it
    for _ in range(300):
        pattern = b"".join(bytes([rng.choice(b"aabc**?[]^-\\:")]) for _ in range(rng.randrange(1, 9)))
        found = names_of_all_pages(admin, "COUNT", 1000, "MATCH", pattern)
        assert sorted(found) == sorted(admin.call("KEYS", pattern)), pattern


@pytest.mark.not_with("coverage", "asan", "tsan", reason="a bound of time that the release build keeps")
@pytest.mark.newest_server("the module matches")
def test_a_pattern_made_to_be_slow_holds_the_server_up_for_milliseconds_only(launch):
    server = launch(module_arguments=["max-prefixes", "3000"])
    names = [b"%04d" % number + b"x" * 240 + b":" for number in range(2000)]
    server.admin.pipeline(("SET", name + b"1", "") for name in names)
    quick_passes(server.admin)
    settled_info(server.admin)
    slow = b"*[" + b"y" * 1000 + b"]:"
    for options in ((), ("SORTBY", "keys")):
        server.admin.call("CONFIG", "RESETSTAT")
        begin = server.cpu_seconds()
        assert names_of_all_pages(server.admin, "MATCH", slow, *options) == []
        calls = truth.calls_by_command(server.admin)[b"tenants.prefixes"]
        assert server.cpu_seconds() - begin < 0.05 * calls, "whole, it would take a second"
    assert sorted(names_of_all_pages(server.admin, "MATCH", "0*", "COUNT", 1000)) == sorted(name for name in names if name.startswith(b"0"))


def test_a_pattern_of_more_than_1024_bytes_is_refused(server):
    for command in ("TENANTS.LIST", "TENANTS.USERS", "TENANTS.PREFIXES"):
        assert isinstance(server.admin.call(command, 0, "MATCH", "x" * 1024), list)
        refusal = server.admin.outcome(command, 0, "MATCH", "x" * 1025)
        assert isinstance(refusal, ResponseError) and "allowed are 1024 bytes" in str(refusal)
