"""Names of users and prefixes are bytes chosen by others. Whatever they choose, every reader gets them back, and no other line."""

import json
import random
import re
import subprocess

import pytest
import redis

from info import read_info, total
from tenants import acl_taken_in, pages, quick_passes, settled_info
from waiting import wait_until

USERS, PREFIXES = 400, 800
MEANING = b":=,#%\"\\()[]{}*?<>'`$;&|/+-_0AFxn"  # to INFO, to the escape, to JSON, to shells, to printf


def random_name(rng, more=b""):
    if rng.random() < 0.5:
        return bytes(rng.choice(MEANING + more) for _ in range(rng.randrange(1, 12)))
    return bytes(byte for byte in (rng.randrange(256) for _ in range(rng.randrange(1, 12))) if byte not in b" \t\n\v\f\r\0:*?[\\" or byte in more) or b"_"


FORGED = [b"x\r\ntenants_commands:0", b"\r\n# tenants_status\r\n", b"(other)", b"a%3A", b"a\0b", b"\xff\xfe", b"+OK\r\n", b"$-1\r\n", b" ", b"\n"]


@pytest.fixture
def hostile(launch, seed):
    """A server with (names of users, names of prefixes); both are known to the module."""
    rng = random.Random(seed)
    server = launch(module_arguments=["max-users", 2000, "max-prefixes", 4000, "info-rows", 10000])
    users = sorted({random_name(rng) for _ in range(USERS)} | {b"(other)", b"a%3A", b"\xff\xfe", b"app1"})
    prefixes = [*FORGED, *(random_name(rng, b" \t\n\r\0*?[\\") for _ in range(PREFIXES))]
    prefixes = sorted({(name.replace(b":", b"") or b"_") + b":" for name in prefixes})
    replies = server.admin.pipeline(("ACL", "SETUSER", name, "on", "nopass", b"~u%d:*" % number, "+@all") for number, name in enumerate(users))
    assert set(replies) == {b"OK"}
    assert set(server.admin.pipeline(("SET", name + b"key", "") for name in prefixes)) == {b"OK"}
    quick_passes(server.admin)
    acl_taken_in(server.admin, 60)
    settled_info(server.admin)  # where keys are swept, their prefixes are known after a pass
    wait_until(lambda: (info := read_info(server.admin)) and len(info.tenants) == len(users) + 5 and info.status["keys"] == len(prefixes), "a tally of all rows")
    return server, users, prefixes


@pytest.mark.fault(19)
def test_names_in_info_are_decoded_to_the_same_bytes_and_none_forges_a_line(hostile):
    server, users, prefixes = hostile
    info = read_info(server.admin)
    assert set(info.users) == {*users, b"default", "(internal)", "(other)"}
    assert {name for name, row in info.prefixes.items() if row["keys"]} == set(prefixes)
    assert {row["owner"] for row in info.prefixes.values() if "owner" in row} == set(users), "each owns one"
    assert set(info.tenants) == {*users, b"default", "(orphans)", "(overhead)", "(internal)", "(other)"}
    assert total(info.prefixes, "keys") == len(prefixes) == info.status["keys"]
    for line in info.text.split(b"\r\n"):
        assert re.fullmatch(rb"|# tenants_(status|users|prefixes|list)|tenants_[!-~]+:[!-~]+( [0-9.]+)?", line), line


class RedisPy:
    """As other people read it: redis-py with its own parser."""

    def __init__(self, port):
        client = redis.Redis(host="127.0.0.1", port=port)
        self.call = client.execute_command


OWN = (b"internal", b"other", b"none", b"orphans", b"overhead")
COMMANDS = ("TENANTS.USERS", "TENANTS.PREFIXES", "TENANTS.LIST")


def test_names_reach_redis_py_and_resp3_as_they_are(hostile):
    server, users, prefixes = hostile
    resp3 = server.session()
    resp3.call("HELLO", 3)
    for command in COMMANDS:
        expected = [*users, b"default"]
        if command == "TENANTS.PREFIXES":
            expected = {*prefixes, *(b"u%d:" % number for number in range(len(users)))}  # one of the former may be one of the latter
        for reader in (RedisPy(server.port), resp3):
            rows, _ = pages(reader, command, 1000)
            assert sorted(row[b"name"] for row in rows if row[b"kind"] not in OWN) == sorted(expected), command


def unquoted(text):
    """What valkey-cli made of a string: "a\\x00b" """
    simple = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"a": b"\a", b"b": b"\b"}
    return re.sub(rb"\\(x[0-9a-f]{2}|.)", lambda match: bytes([int(match[1][1:], 16)]) if len(match[1]) == 3 else simple.get(match[1], match[1]), text)


STRING = rb'"((?:[^"\\]|\\.)*)"'


def test_names_reach_valkey_cli_in_each_of_its_formats(hostile):
    server = hostile[0]
    cli = server.program("cli")

    def output(command, *options):
        return subprocess.run([cli, "-p", str(server.port), *options, command, "0", "COUNT", "1000"], check=True, stdout=subprocess.PIPE).stdout

    for command in COMMANDS:
        rows = server.admin.call(command, 0, "COUNT", 1000)[1]
        expected = [row[1] for row in rows]
        for options in (["--no-raw"], ["--no-raw", "-3"]):
            assert [unquoted(name) for name in re.findall(rb'"name"(?: =>|\n *2\)) ' + STRING, output(command, *options))] == expected
        found = json.loads(output(command, "--json").decode("latin-1"))[1]  # where there are bytes above 127 it is no UTF-8
        assert [row["name"].encode("latin-1") for row in found] == expected
