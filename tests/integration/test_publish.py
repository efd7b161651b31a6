"""INFO, TENANTS.LIST and TENANTS.STATUS: their form, their limits, who may use them."""

import pathlib
import re

import pytest
from redis.exceptions import ResponseError

from info import Info, keys_by_prefix, read_info, rows_that_do_not_add_up
from tenants import acl_taken_in, full_pass, quick_passes
from traffic import Traffic

METRICS = (pathlib.Path(__file__).resolve().parents[2] / "docs/metrics.md").read_text()
SECTIONS = ["tenants_status", "tenants_users", "tenants_prefixes", "tenants_list"]
ABSENT_AT_FIRST = {"bytes", "unexplained_bytes", "sweep_age_seconds"}
NAME = rb"(?:\((?:orphans|none|other|internal|overhead)\)|(?:[!$&')*+\-./0-9;<>?@A-Z\[\]^_`a-z{|}~]|%[0-9A-F]{2})*)"
LINES = [
    rb"",
    rb"# tenants_(status|users|prefixes|list)",
    rb"tenants_(version|server|keys_mode|acl|sweep_state):[ -~]+",
    rb"tenants_sweep_progress:[01]\.\d+",
    rb"tenants_[a-z_]+:\d+",
    rb"tenants_user_%b:connections=\d+,connections_peak=\d+,connections_total=\d+,commands=\d+,reads=\d+,writes=\d+,admin=\d+,scripts=\d+,pubsub=\d+"
    rb"(,errors=\d+,rejected=\d+,denied=\d+)?(,auth_failures=\d+)?,cpu_usec=\d+,slow=\d+,bytes_in=\d+,bytes_out=\d+" % NAME,
    rb"tenants_prefix_%b:(owner=%b,)?keys=\d+(,bytes=\d+)?(,bytes_error=\d+)?,coverage=[01]\.\d{3},hits_sampled=\d+,misses_sampled=\d+(,hit_ratio=[01]\.\d{3})?(,expired=\d+,evicted=\d+)?(,keys_without_ttl=\d+)?(,avg_ttl_msec=\d+)?" % (NAME, NAME),
    rb"tenants_tenant_%b:users=\d+,prefixes=\d+,connections=\d+,commands=\d+,reads=\d+,writes=\d+,cpu_usec=\d+,keys=\d+(,bytes=\d+)?" % NAME,
]  # fmt: skip


def documented_status_fields():
    section = METRICS[METRICS.index("## `# tenants_status`") : METRICS.index("## `# tenants_users`")]
    cells = [line.split("|")[1] for line in section.replace("\\|", "").splitlines() if line.startswith("| `")]
    return [name for cell in cells for name in re.findall(r"`tenants_(\w+)`", cell)]


def sections(text):
    return re.findall(rb"^# (\S+)", text, re.MULTILINE)


def field_names(text):
    return {line.split(b":")[0] for line in text.split(b"\r\n")}


@pytest.fixture
def busy(shared, seed):
    """A server that has seen traffic, odd names, and whole passes."""
    quick_passes(shared.admin)
    Traffic(shared, seed).run(60)
    shared.admin.call("ACL", "SETUSER", b"o:d=d,#%\xff", "on", "nopass", "~odd:*", "+@all")
    shared.session(b"o:d=d,#%\xff", "x").call("SET", b"odd:\r\n", "1")
    shared.admin.call("SET", b"a\r\n=,%#\x00(:1", "x")
    full_pass(shared.admin)
    return shared


def test_every_line_of_info_has_the_documented_form(busy):
    lines = busy.admin.call("INFO", "tenants").split(b"\r\n")
    assert len(lines) > 20
    assert not [line for line in lines if not any(re.fullmatch(form, line) for form in LINES)]


def test_the_status_fields_are_those_of_the_documentation(busy):
    assert list(read_info(busy.admin).status) == documented_status_fields()


def test_fields_without_a_value_yet_are_absent(launch):
    server = launch(module_arguments=["sweep-cpu-percent", "0"])
    assert set(documented_status_fields()) - set(read_info(server.admin).status) == ABSENT_AT_FIRST


def test_sections_can_be_asked_for_one_by_one(busy):
    everything = [section.encode() for section in SECTIONS]
    assert sections(busy.admin.call("INFO", "tenants")) == everything
    assert sections(busy.admin.call("INFO", "TENANTS")) == everything
    for section in everything:
        assert sections(busy.admin.call("INFO", section)) == [section]
    assert sections(busy.admin.call("INFO", "tenants_users", "tenants_list")) == [b"tenants_users", b"tenants_list"]
    for whole in ("everything", "modules"):
        found = sections(busy.admin.call("INFO", whole))
        assert [section for section in found if section.startswith(b"tenants")] == everything
    assert sections(busy.admin.call("INFO", "tenants_nothing")) == []


def test_info_default_and_all_are_as_without_the_module(launch):
    with_module, without = launch(), launch(loading=None)
    for server in (with_module, without):
        server.admin.pipeline([("SET", "a:1", "x"), ("GET", "a:2")])
    for arguments in [(), ("default",), ("all",), ("server",), ("commandstats",)]:
        texts = [server.admin.call("INFO", *arguments) for server in (with_module, without)]
        assert sections(texts[0]) == sections(texts[1]), arguments
        assert not [name for name in field_names(texts[0]) if name.startswith(b"tenants")]
    assert field_names(with_module.admin.call("INFO")) - {b"module"} == field_names(without.admin.call("INFO")) - {b"module"}


def test_info_rows_caps_each_section_with_the_biggest_first(server):
    admin = server.admin
    quick_passes(admin)
    for number in range(1, 21):
        admin.call("ACL", "SETUSER", f"u{number}", "on", ">secret", f"~u{number}:*", "+@all")
        admin.pipeline([("SET", f"u{number}:{key}", "x" * 100) for key in range(number)])
        sessions = [server.session(f"u{number}") for _ in range(1 + number // 5)]
        sessions[0].pipeline([("PING",)] * number * 10)
    full_pass(admin)
    admin.call("CONFIG", "SET", "tenants.info-rows", 5)
    info = read_info(admin)
    assert [len(rows) for rows in (info.users, info.prefixes, info.tenants)] == [5, 5, 5]
    assert list(info.prefixes) == [b"u%d:" % number for number in (20, 19, 18, 17, 16)]
    assert b"u20" in info.users and b"u1" not in info.users
    assert b"u20" in info.tenants
    assert info.status["keys"] == 210
    admin.call("CONFIG", "SET", "tenants.info-rows", 0)
    info = read_info(admin)
    assert not info.users and not info.prefixes and not info.tenants
    admin.call("CONFIG", "SET", "tenants.info-rows", 10000)
    assert keys_by_prefix(read_info(admin)) == {b"u%d:" % number: number for number in range(1, 21)}


def pages(session, count):
    """All rows of TENANTS.LIST as dicts, and the size of each page."""
    rows, sizes, cursor = [], [], b"0"
    while not sizes or cursor != b"0":
        cursor, page = session.call("TENANTS.LIST", cursor, "COUNT", count)
        rows += [row if isinstance(row, dict) else dict(zip(row[::2], row[1::2])) for row in page]
        sizes.append(len(page))
        assert len(sizes) < 1000, "paging does not end"
    return rows, sizes


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("count", [1, 7, 1000])
def test_list_pages_hold_every_tenant_exactly_once(server, protocol, count):
    for number in range(40):
        server.admin.call("ACL", "SETUSER", f"u{number}", "on", ">secret", f"~u{number}:*", "+@all")
    acl_taken_in(server.admin)
    server.admin.call("HELLO", protocol)
    rows, sizes = pages(server.admin, count)
    names = [row[b"name"] for row in rows if row[b"kind"] == b"tenant"]
    assert sorted(names) == sorted([b"default", *(b"u%d" % number for number in range(40))])
    assert max(sizes) <= count
    assert {row[b"kind"] for row in rows} <= {b"tenant", b"orphans", b"other", b"internal", b"overhead"}


def test_list_rows_are_maps_in_resp3_and_flat_arrays_in_resp2(busy):
    fields = [b"name", b"kind", b"users", b"prefixes", b"connections", b"commands", b"reads", b"writes", b"cpu_usec", b"keys", b"bytes"]
    _, flat = busy.admin.call("TENANTS.LIST")
    assert all(row[::2] == fields for row in flat), flat[0]
    assert all(isinstance(value, int) for row in flat for value in row[5::2])
    busy.admin.call("HELLO", 3)
    _, maps = busy.admin.call("TENANTS.LIST")
    assert all(list(row) == fields for row in maps), maps[0]
    assert [row[1] for row in flat] == [row[b"name"] for row in maps]


def test_list_says_the_same_as_info(busy):
    acl_taken_in(busy.admin)
    list_reply, text = busy.admin.transaction(("TENANTS.LIST", 0, "COUNT", 1000), ("INFO", "tenants"))
    rows = [dict(zip(row[::2], row[1::2])) for row in list_reply[1]]
    listed = {
        row[b"name"] if row[b"kind"] == b"tenant" else row[b"name"].decode(): {
            name.decode(): value for name, value in row.items() if name in (b"users", b"prefixes", b"connections", b"keys", b"bytes")
        }
        for row in rows
    }
    tenants = Info(text).tenants
    assert {name: {field: row[field] for field in listed[name]} for name, row in tenants.items()} == listed


def test_rows_add_up_at_every_moment_of_traffic(shared, seed):
    quick_passes(shared.admin)
    traffic = Traffic(shared, seed)
    for _ in range(60):
        traffic.step()
        problems = rows_that_do_not_add_up(read_info(shared.admin))
        assert not problems, f"seed {seed}: {problems}"


def test_list_gives_a_hundred_rows_by_default(server):
    for number in range(150):
        server.admin.call("ACL", "SETUSER", f"u{number}", "on", f"~u{number}:*")
    acl_taken_in(server.admin)
    cursor, rows = server.admin.call("TENANTS.LIST")
    assert len(rows) == 100
    cursor, rest = server.admin.call("TENANTS.LIST", cursor)
    assert cursor == b"0" and len(rest) >= 51


WRONG = [
    ("0", "COUNT", "0"), ("0", "COUNT", "-1"), ("0", "COUNT", "1001"), ("0", "COUNT", "9223372036854775808"), ("0", "COUNT", "many"),
    ("0", "COUNT", ""), ("0", "COUNT", "5 "), ("0", "COUNT", "1e2"), ("0", "COUNT"), ("0", "LIMIT", "5"), ("0", "COUNT", "5", "x"),
    ("-1",), ("text",), ("",), ("18446744073709551616",), ("0", "5"),
]  # fmt: skip


@pytest.mark.parametrize("arguments", WRONG, ids="_".join)
def test_list_refuses_wrong_arguments_and_says_what_is_allowed(server, arguments):
    reply = server.admin.outcome("TENANTS.LIST", *arguments)
    assert isinstance(reply, ResponseError), reply
    text = str(reply)
    assert re.match(r"ERR (tenants: |wrong number of arguments|syntax error)", text)
    if len(arguments) == 3 and arguments[1] == "COUNT":
        assert "1000" in text, "the message does not say what is allowed"


def test_a_cursor_from_beyond_the_end_ends(server):
    reply = server.admin.outcome("TENANTS.LIST", "9223372036854775807")
    assert isinstance(reply, ResponseError) or reply == [b"0", []]


@pytest.mark.parametrize("protocol", [2, 3])
def test_status_is_a_map_of_the_info_fields(busy, protocol):
    busy.admin.call("HELLO", protocol)
    reply = busy.admin.call("TENANTS.STATUS")
    status = reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2]))
    assert isinstance(reply, dict) == (protocol == 3)
    assert [name.decode() for name in status] == documented_status_fields()
    assert isinstance(status[b"keys"], int) and status[b"keys_mode"] in (b"exact", b"swept")
    assert isinstance(busy.admin.outcome("TENANTS.STATUS", "x"), ResponseError)


@pytest.mark.parametrize("name", ["tenants.list", "tenants.get", "tenants.status", "tenants.bigkeys"])
def test_commands_describe_themselves(server, name):
    (info,) = server.admin.call("COMMAND", "INFO", name)
    assert {b"readonly", b"loading", b"stale"} <= set(info[2]) and b"write" not in info[2]
    assert info[3:6] == [0, 0, 0]
    assert b"@tenants" in info[6]
    docs = dict(zip(*[iter(server.admin.call("COMMAND", "DOCS", name))] * 2))
    fields = docs[name.encode()]
    fields = dict(zip(fields[::2], fields[1::2]))
    assert fields[b"summary"] and fields[b"complexity"] and fields[b"since"]
    assert (b"arguments" in fields) == (name != "tenants.status")
    assert isinstance(server.admin.outcome("COMMAND", "GETKEYS", name), ResponseError)
    server.admin.call("ACL", "SETUSER", "ops", "-@all", "+@tenants")
    assert server.admin.call("ACL", "DRYRUN", "ops", name, *(["x"] if name == "tenants.get" else [])) == b"OK"
    if server.version >= (8, 1, 0):  # before, ACL CAT leaves out the commands of modules
        assert name.encode() in server.admin.call("ACL", "CAT", "tenants")


def test_an_operator_who_may_only_look(server):
    server.admin.call("ACL", "SETUSER", "ops", "on", ">secret", "-@all", "+@tenants", "+info", "+ping")
    ops = server.session("ops")
    replies = ops.pipeline([("TENANTS.LIST",), ("TENANTS.STATUS",), ("INFO", "tenants"), ("PING",)])
    assert not [reply for reply in replies if isinstance(reply, ResponseError)]
    replies = ops.pipeline([("GET", "x"), ("SET", "x", "1"), ("ACL", "LIST"), ("CONFIG", "GET", "*"), ("KEYS", "*"), ("CLIENT", "LIST")])
    assert all(str(reply).startswith("NOPERM") for reply in replies)


def test_a_user_with_only_one_command_can_use_no_other(server):
    server.admin.call("ACL", "SETUSER", "lister", "on", ">secret", "+tenants.list")
    lister = server.session("lister")
    assert lister.call("TENANTS.LIST")
    for command in [("TENANTS.STATUS",), ("INFO", "tenants"), ("PING",)]:
        assert str(lister.outcome(*command)).startswith("NOPERM")
