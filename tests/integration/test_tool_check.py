"""`valkey-tenants check`: what monitoring plug-ins promise."""

import re

import pytest

from server import free_port
from tenants import acl_taken_in, full_pass, quick_passes
from tool import tool

pytestmark = pytest.mark.newest_server("the tool does not depend on the server")

PERFORMANCE = r"'(?:[^'|]|'')+'=(?:U|\d+(?:\.\d+)?(?:B|%)?);[\d.:]*;[\d.:]*;0"


@pytest.fixture
def filled(shared):
    """app1 has 100 keys and two connections, app2 one key."""
    quick_passes(shared.admin)
    shared.admin.pipeline([("SET", f"app1:{key}", "x" * 1000) for key in range(100)] + [("SET", "app2:1", "x")])
    shared.held = [shared.session("app1") for _ in range(2)]
    acl_taken_in(shared.admin)
    full_pass(shared.admin)
    return shared


def check(server, *arguments):
    """(exit code, the line before the performance data, the data)"""
    result = tool("-p", server.port, "check", *arguments)
    assert result.err == "" and result.out.count("\n") == 1 and result.out.count("|") <= 1, result
    line, _, data = result.out.strip().partition(" |")
    assert re.fullmatch(rf"( {PERFORMANCE})*", data), data
    return result.code, line, data


def test_thresholds_decide_between_ok_warning_and_critical(filled):
    assert check(filled, "--warn-keys", 100, "--crit-keys", 200)[:2] == (0, "TENANTS OK - 5 tenants on 1 nodes")
    code, line, data = check(filled, "--warn-keys", 99, "--crit-keys", 200)
    assert (code, line) == (1, "TENANTS WARNING - app1 keys 100 > 99; 5 tenants on 1 nodes")
    assert " 'app1 keys'=100;99;200;0" in data and " 'most keys'=100;99;200;0" in data
    code, line, _ = check(filled, "--warn-keys", 0, "--crit-keys", 50)
    assert code == 2 and line.startswith("TENANTS CRITICAL - app1 keys 100 > 50, app2 keys 1 > 0;")
    assert check(filled, "--tenant", "app2", "--crit-keys", 50)[0] == 0
    assert check(filled, "--crit-bytes", "50kb")[0] == 2 and check(filled, "--crit-bytes", "1mb")[0] == 0
    assert check(filled, "--tenant", "app1", "--crit-connections", 1)[0] == 2
    assert check(filled, "--crit-cpu-percent", 100)[0] == 0


def test_memory_percent_is_of_maxmemory_and_unknown_without(filled):
    code, line, data = check(filled, "--tenant", "app1", "--crit-memory-percent", 1)
    assert code == 3 and "no maxmemory is set" in line and "=U;" in data
    filled.admin.call("CONFIG", "SET", "maxmemory", 100_000_000)
    assert check(filled, "--tenant", "app1", "--crit-memory-percent", 1)[0] == 0
    assert check(filled, "--tenant", "app1", "--crit-memory-percent", 0.05)[0] == 2


def test_a_cache_that_misses_is_told(filled):
    assert check(filled, "--prefixes", "--warn-hit-ratio", 0.5)[0] == 0, "nothing has been looked up"
    app1 = filled.session("app1")
    for _ in range(20):
        app1.pipeline([("GET", "app1:nothing")] * 500)
    code, line, data = check(filled, "--prefixes", "--tenant", "app1*", "--warn-hit-ratio", 0.5)
    assert code == 1 and re.search(r"app1%3A hit-ratio 0(\.\d+)? < 0\.5", line) and "0.5:" in data


def test_what_cannot_be_checked_is_unknown_and_what_cannot_be_reached_critical(filled, launch):
    assert check(filled, "--tenant", "nobody*")[:2] == (3, "TENANTS UNKNOWN - no tenants match; 0 tenants on 1 nodes")
    for wrong in (["--crit-keys", "x"], ["--crit-bytes", "5x"], ["--warn-hit-ratio", "0.5"], ["--prefixes", "--crit-connections", "1"], ["--nonsense"]):
        code, line, _ = check(filled, *wrong)
        assert code == 3 and line.startswith("TENANTS UNKNOWN - ") and wrong[-2 if len(wrong) > 1 else -1] in line
    assert check(launch(loading=None))[0] == 3
    result = tool("-p", free_port(), "check")
    assert (result.code, result.out.split(" - ")[0]) == (2, "TENANTS CRITICAL")


def test_a_name_cannot_forge_the_performance_data(filled):
    filled.admin.call("ACL", "SETUSER", "a|b'=1;2", "on", "nopass", "~a:*", "+@all")
    acl_taken_in(filled.admin)
    _, line, data = check(filled, "--warn-connections", 0, "--tenant", "a|*")
    assert " 'a%7Cb''%3D1;2 connections'=0;0;;0" in data
