"""TENANTS.LIST, TENANTS.USERS and TENANTS.PREFIXES: every row once, in the order and by the pattern that were asked for."""

import fnmatch
import re

import pytest
from redis.exceptions import ResponseError

from tenants import acl_taken_in, full_pass, pages, quick_passes

pytestmark = pytest.mark.newest_server("rows and pages are the module's; test_publish.py asks every server")

COMMANDS = ["TENANTS.LIST", "TENANTS.USERS", "TENANTS.PREFIXES"]
OWN = {"TENANTS.LIST": {b"orphans", b"internal", b"other", b"overhead"}, "TENANTS.USERS": {b"internal", b"other"}, "TENANTS.PREFIXES": {b"none", b"other"}}
USERS = 60


@pytest.fixture
def crowded(server, seed):
    """Users u0 … u59, each with its prefix, some keys, some commands, so that columns differ and some values are equal."""
    admin = server.admin
    quick_passes(admin)
    for number in range(USERS):
        admin.call("ACL", "SETUSER", f"u{number}", "on", ">secret", f"~u{number}:*", "+@all")
        session = server.session(f"u{number}")
        session.pipeline([("SET", f"u{number}:{key}", "x" * (10 * number)) for key in range(number % 7)] + [("GET", f"u{number}:0")] * (number % 5))
        if number % 3:
            session.close()
    acl_taken_in(admin)
    full_pass(admin)
    return server


def names_of(rows, command):
    return [row[b"name"] for row in rows if row[b"kind"] not in OWN[command]]


def expected_names(command):
    names = {b"u%d" % number for number in range(USERS)}
    return {b"u%d:" % number for number in range(USERS)} if command == "TENANTS.PREFIXES" else names | {b"default"}


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("command", COMMANDS)
def test_pages_hold_every_row_exactly_once(crowded, command, protocol):
    crowded.admin.call("HELLO", protocol)
    for count in (1, 7, 1000):
        rows, sizes = pages(crowded.admin, command, count)
        assert sorted(names_of(rows, command)) == sorted(expected_names(command))
        assert {row[b"kind"] for row in rows} - OWN[command] <= {b"tenant", b"user", b"prefix"}
        assert OWN[command] <= {row[b"kind"] for row in rows} and max(sizes) <= count


@pytest.mark.parametrize("command", COMMANDS)
def test_rows_are_sorted_by_any_column_up_and_down(crowded, command):
    crowded.admin.call("CONFIG", "SET", "tenants.sweep-cpu-percent", 0, "tenants.bytes-interval", 0)  # nothing changes by itself
    rows, _ = pages(crowded.admin, command, 1000)
    numeric = [name.decode() for name, value in rows[-1].items() if name not in (b"name", b"kind", b"tenant", b"owner")]
    assert len(numeric) >= 7
    for column in numeric:
        for order, reverse in [("DESC", True), ("asc", False), (None, True)]:
            words = ("SORTBY", column, order) if order else ("SORTBY", column)
            for count in (9, 1000):
                found, _ = pages(crowded.admin, command, count, *words)
                if column in ("commands", "admin", "reads", "bytes_in", "bytes_out", "cpu_usec"):  # asking changes it
                    found = [row for row in found if row[b"name"] not in (b"default", b"(internal)", b"(overhead)")]
                values = [float(row[column.encode()]) for row in found if column.encode() in row]
                assert values == sorted(values, reverse=reverse), (column, order, count)
                known = [column.encode() in row for row in found]
                assert known == sorted(known, reverse=True), f"what is not known comes last: {column}"
                assert expected_names(command) - {b"default"} == set(names_of(found, command)) - {b"default"}, (column, order, count)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("pattern", ["u1*", "*5*", "u?", "u[1-3][!0]", "none", "*", "u1", "u1:"])
def test_match_gives_the_rows_whose_name_matches(crowded, command, pattern):
    expected = {name for name in expected_names(command) if fnmatch.fnmatchcase(name.decode(), pattern)}
    for words in [("MATCH", pattern.replace("!", "^")), ("match", pattern.replace("!", "^"), "SORTBY", "keys" if command != "TENANTS.USERS" else "commands")]:
        for count in (3, 1000):
            rows, _ = pages(crowded.admin, command, count, *words)
            assert sorted(names_of(rows, command)) == sorted(expected), words


WRONG = [
    ("0", "COUNT", "0"), ("0", "COUNT", "-1"), ("0", "COUNT", "1001"), ("0", "COUNT", "9223372036854775808"), ("0", "COUNT", "many"),
    ("0", "COUNT", ""), ("0", "COUNT", "5 "), ("0", "COUNT", "1e2"), ("0", "COUNT"), ("0", "LIMIT", "5"), ("0", "COUNT", "5", "x"), ("0", "MATCH"),
    ("0", "SORTBY"), ("0", "SORTBY", "name"), ("0", "SORTBY", "commands", "up"), ("0", "SORTBY", "commands", "ASC", "DESC"), ("0", "ASC"),
    ("-1",), ("text",), ("",), ("18446744073709551616",), ("0", "5"), ("1-", "SORTBY", "commands"), ("-1", "SORTBY", "commands"), ("x-y", "SORTBY", "commands"),
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_wrong_arguments_are_refused_with_what_is_allowed(server, command):
    for arguments in WRONG:
        if command == "TENANTS.PREFIXES":
            arguments = tuple("keys" if word == "commands" else word for word in arguments)
        reply = server.admin.outcome(command, *arguments)
        assert isinstance(reply, ResponseError), (arguments, reply)
        text = str(reply)
        assert re.match(r"ERR tenants: .*(allowed|has no value)", text), (arguments, text)
        if arguments[1:2] == ("COUNT",) and len(arguments) == 3:
            assert "1 to 1000" in text
        if arguments[1:3] == ("SORTBY", "name"):
            assert "keys" in text or "commands" in text, "the columns are named"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_cursor_from_beyond_the_end_ends(server, command):
    for words in [("9223372036854775807",), ("0-4294967295", "SORTBY", "connections" if command != "TENANTS.PREFIXES" else "keys")]:
        assert server.admin.call(command, *words) == [b"0", []]


def test_a_page_has_a_hundred_rows_by_default(server):
    for number in range(150):
        server.admin.call("ACL", "SETUSER", f"u{number}", "on", f"~u{number}:*")
    acl_taken_in(server.admin)
    for command in COMMANDS[:2]:
        cursor, rows = server.admin.call(command)
        assert len(rows) == 100
        cursor, rest = server.admin.call(command, cursor)
        assert cursor == b"0" and len(rest) >= 51


def test_no_row_is_lost_while_users_come_and_go(server):
    """A row that is there all the time is in exactly one page, whatever happens to others meanwhile."""
    admin = server.admin
    for number in range(80):
        admin.call("ACL", "SETUSER", f"stays{number}", "on", f"~stays{number}:*")
    acl_taken_in(admin)
    cursor, seen, turn = b"0", [], 0
    while True:
        cursor, rows = admin.call("TENANTS.USERS", cursor, "COUNT", 9)
        seen += [row[1] for row in rows if row[1].startswith(b"stays")]
        admin.call("ACL", "SETUSER", f"comes{turn}", "on")
        admin.call("ACL", "DELUSER", f"comes{turn - 2}")
        turn += 1
        if cursor == b"0":
            break
    assert sorted(seen) == sorted(b"stays%d" % number for number in range(80))
