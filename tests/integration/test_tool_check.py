"""`valkey-tenants check`: what monitoring plug-ins promise."""

import re

import pytest

from server import free_port
from tenants import acl_taken_in, full_pass, quick_passes
from tool import tool
from waiting import wait_until

pytestmark = pytest.mark.newest_server("the tool does not depend on the server")

NUMBER = r"\d+(?:\.\d+)?"
RANGE = rf"(?:{NUMBER}:?|@{NUMBER}:?)?"
PERFORMANCE = rf"'(?:[^'|]|'')+'=(?:U|{NUMBER}(?:B|%)?);{RANGE};{RANGE};0"


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
    line, bar, data = result.out.removesuffix("\n").partition(" |")
    assert re.fullmatch(rf"( {PERFORMANCE})+", data) if bar else data == "", result.out
    return result.code, line, data


def test_sentences_decide_between_ok_warning_and_critical(filled):
    levels = ["--keys", "any > 200", "--keys"]
    assert check(filled, *levels, "any > 100 warn")[:2] == (0, "TENANTS OK - 5 tenants on 1 node")
    code, line, data = check(filled, *levels, "any > 99 warn")
    assert (code, line) == (1, "TENANTS WARNING - app1 keys 100 > 99; 5 tenants on 1 node")
    assert " 'app1 keys'=100;99;200;0" in data and data.startswith(" 'most keys'=100;99;200;0")
    code, line, _ = check(filled, "--keys", "any > 0 warn", "--keys", "any > 50")
    assert code == 2 and line.startswith("TENANTS CRITICAL - app1 keys 100 > 50, app2 keys 1 > 0;")
    assert check(filled) == (0, "TENANTS OK - 5 tenants on 1 node", "")


def test_a_comparison_is_what_it_says(filled):
    for sentence, code in {"app1 > 100": 0, "app1 >= 100": 2, "app1 < 100": 0, "app1 <= 100 warn": 1, "app2>1": 0, "app*>99": 2, "total < 101": 0, "total <= 101": 2}.items():
        assert check(filled, "--keys", sentence)[0] == code, sentence


def test_the_worst_comes_first_and_each_number_once(filled):
    line = check(filled, "--keys", "app2 >= 1", "--keys", "any > 10", "--connections", "app1 > 1 warn", "--keys", "app1 > 90 warn")[1]
    assert line == "TENANTS CRITICAL - app1 keys 100 > 10, app2 keys 1 >= 1, app1 connections 2 > 1; 5 tenants on 1 node"


def test_memory_is_told_in_the_unit_of_the_sentence(filled):
    code, line, data = check(filled, "--memory", "app1 > 50kB", "--memory", "app1 > 1MiB warn")
    assert code == 2 and re.search(r"app1 memory 1\d\d(\.\d+)?kB > 50kB", line) and re.search(r"'app1 memory'=1\d{5}B;1048576;50000;0", data)
    assert check(filled, "--memory", "any > 1GB")[0] == 0
    assert check(filled, "--memory", "prefix app1:* > 50kB")[1].startswith("TENANTS CRITICAL - app1%3A memory 1")


def test_memory_of_maxmemory_is_unknown_without(filled):
    code, line, data = check(filled, "--memory", "app1 > 1% of maxmemory")
    assert code == 3 and "app1 memory: no maxmemory is set" in line and "=U;" in data
    filled.admin.call("CONFIG", "SET", "maxmemory", 100_000_000)
    assert check(filled, "--memory", "app1 > 1% of maxmemory")[0] == 0
    assert check(filled, "--memory", "app1 > 0.05 % of maxmemory")[0] == 2


def test_what_is_known_to_be_wrong_is_worse_than_what_is_not_known(filled):
    code, line, _ = check(filled, "--memory", "app1 > 1% of maxmemory", "--keys", "app1 > 1 warn")
    assert code == 1 and line.startswith("TENANTS WARNING - app1 keys 100 > 1, app1 memory: no maxmemory is set;")


def test_a_cache_that_misses_is_told(filled):
    assert check(filled, "--hit-ratio", "any < 0.5")[0] == 0, "nothing has been looked up"
    app1 = filled.session("app1")
    for _ in range(20):
        app1.pipeline([("GET", "app1:nothing")] * 500)
    for who, name in (("any", "app1"), ("app1", "app1"), ("prefix app1:*", "app1%3A"), ("total", "total")):
        code, line, data = check(filled, "--hit-ratio", f"{who} < 50% warn")
        assert code == 1 and re.search(rf"{name} hit-ratio \d+(\.\d+)?% < 50%", line) and "0.5:;" in data


@pytest.mark.newest_server("servers before 9.1 tell nobody of what they refuse", always=True)
def test_what_happened_lately_is_what_the_server_remembers(filled):
    app1 = filled.session("app1")
    app1.pipeline([("SET", f"app1:more{key}", "x" * 100_000) for key in range(20)])
    for _ in range(200):
        app1.outcome("LPUSH", "app1:more1", "x")
    quick_passes(filled.admin)
    full_pass(filled.admin)
    wait_until(lambda: check(filled, "--growth", "app1 > 1MB in 5m")[0] == 2, "the growth to be seen")
    code, line, data = check(filled, "--growth", "any > 1MB", "--errors", "any > 100 in 5m warn", "--errors", "app1 > 0.01/s in 5m")
    assert code == 2 and re.search(r"app1 growth \d+(\.\d+)?MB > 1MB in 5m", line) and "app1 errors 200 > 100 in 5m" in line and re.search(r"app1 errors [\d.]+/s > 0.01/s in 5m", line), line
    assert "'app1 errors in 5m'=200;100;;0" in data and "app2 growth" not in line
    for option, sentence in (("--cpu", "any > 100%"), ("--cpu", "total > 1000%"), ("--denied", "any > 0/s"), ("--commands", "app2 > 1M/s")):
        assert check(filled, option, sentence)[0] == 0, sentence


def test_keys_of_nobody(filled):
    assert check(filled, "--orphans", "> 0")[0] == 0
    filled.admin.pipeline([("SET", f"lost:{key}", "x" * 100) for key in range(7)])
    full_pass(filled.admin)
    code, line, data = check(filled, "--orphans", "> 5", "--orphans", "> 1MB warn")
    assert code == 2 and "orphans 7 > 5" in line and "'orphans'=7;;5;0" in data and "'orphans memory'=" in data
    assert check(filled, "--keys", "(orphans) > 5")[0] == 2 and check(filled, "--keys", "any > 500")[0] == 0


def test_who_is_not_there_is_unknown(filled):
    assert check(filled, "--keys", "nobody* > 5")[:2] == (3, "TENANTS UNKNOWN - no tenant matches nobody*; 5 tenants on 1 node")
    assert check(filled, "--keys", "app11 > 5")[:2] == (3, "TENANTS UNKNOWN - no tenant app11, did you mean app1?; 5 tenants on 1 node")


@pytest.mark.parametrize(
    "arguments, text",
    [
        (["--keys", "any > x"], "--keys 'any > x', column 7: allowed is a number"),
        (["--memory", "any > 5x"], "--memory 'any > 5x', column 8: allowed units are B, kB"),
        (["--connections", "prefix app1:* > 5"], "column 1: prefixes have only memory, keys and hit-ratio"),
        (["--keys", "any"], "column 4: a comparison is missing"),
        (["--key", "any > 5", "--nonsense"], "--nonsense"),
    ],
)
def test_a_sentence_that_is_none_is_unknown_and_says_where(filled, arguments, text):
    code, line, _ = check(filled, *arguments)
    assert code == 3 and line.startswith("TENANTS UNKNOWN - ") and text in line


def test_what_cannot_be_reached_is_critical(launch):
    assert check(launch(loading=None))[0] == 3
    result = tool("-p", free_port(), "check")
    assert (result.code, result.out.split(" - ")[0]) == (2, "TENANTS CRITICAL")


def test_a_name_cannot_forge_the_performance_data(filled):
    filled.admin.call("ACL", "SETUSER", "a|b'=1;2", "on", "nopass", "~a:*", "+@all")
    acl_taken_in(filled.admin)
    _, line, data = check(filled, "--connections", "a|* > 0 warn")
    assert " 'a%7Cb''%3D1;2 connections'=0;0;;0" in data
