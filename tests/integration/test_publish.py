"""INFO, TENANTS.LIST and TENANTS.STATUS: their form, their limits, who may use them."""

import csv
import io
import pathlib
import re

import pytest
from redis.exceptions import ResponseError

from info import Info, keys_by_prefix, read_info, rows_that_do_not_add_up
from tenants import acl_taken_in, full_pass, quick_passes
from traffic import Traffic
from waiting import wait_until

METRICS = (pathlib.Path(__file__).resolve().parents[2] / "docs/metrics.md").read_text()
SECTIONS = ["tenants_status", "tenants_users", "tenants_prefixes", "tenants_list"]
ABSENT_AT_FIRST = {"bytes", "unexplained_bytes", "sweep_age_seconds"}
WHERE_PAUSED = {"sweep_paused_by", "sample_keys"}  # and with many keys
NAME = rb"(?:\((?:orphans|none|other|internal|overhead)\)|(?:[!$&')*+\-./0-9;<>?@A-Z\[\]^_`a-z{|}~]|%[0-9A-F]{2})*)"
REASONS = b"".join(rb",denied_%b=\d+" % reason for reason in (b"auth", b"command", b"key", b"channel", b"database"))
BYTES = rb",bytes_in=\d+,bytes_out=\d+"  # Redis tells none
LINES = [
    rb"",
    rb"# tenants_(status|users|prefixes|list)",
    rb"tenants_(version|server|keys_mode|acl|sweep_state|sweep_paused_by):[ -~]+",
    rb"tenants_sweep_progress:[01]\.\d+",
    rb"tenants_[a-z_]+:\d+",
    rb"tenants_user_%b:connections=\d+,connections_peak=\d+,connections_total=\d+,commands=\d+,reads=\d+,writes=\d+,admin=\d+,scripts=\d+,pubsub=\d+"
    rb"(,errors=\d+,rejected=\d+,denied=\d+%b)?(,auth_failures=\d+)?,cpu_usec=\d+,slow=\d+,bytes_in=\d+,bytes_out=\d+" % (NAME, REASONS),
    rb"tenants_prefix_%b:(owner=%b,)?users=\d+,keys=\d+(,bytes=\d+)?(,bytes_error=\d+)?,coverage=[01]\.\d{3},hits_sampled=\d+,misses_sampled=\d+(,hit_ratio=[01]\.\d{3})?(,expired=\d+,evicted=\d+)?(,keys_without_ttl=\d+)?(,avg_ttl_msec=\d+)?" % (NAME, NAME),
    rb"tenants_tenant_%b:users=\d+,prefixes=\d+,connections=\d+(,connections_peak=\d+)?,connections_total=\d+,commands=\d+,reads=\d+,writes=\d+,admin=\d+,scripts=\d+,pubsub=\d+"
    rb"(,errors=\d+,rejected=\d+,denied=\d+%b)?(,auth_failures=\d+)?,cpu_usec=\d+,slow=\d+,bytes_in=\d+,bytes_out=\d+,keys=\d+(,bytes=\d+)?(,bytes_error=\d+)?" % (NAME, REASONS),
]  # fmt: skip


def documented_status_fields():
    section = METRICS[METRICS.index("## `# tenants_status`") : METRICS.index("## `# tenants_users`")]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return [name for cell in cells for name in re.findall(r"`tenants_(\w+)`", cell)]


def sections(text):
    return re.findall(rb"^# (\S+)", text, re.MULTILINE)


def field_names(text):
    return {line.split(b":")[0] for line in text.split(b"\r\n")}


@pytest.fixture
def busy(shared, seed):
    """A server that has seen traffic, odd names, and whole passes."""
    quick_passes(shared.admin)
    traffic = Traffic(shared, seed)
    traffic.run(60)
    shared.admin.call("ACL", "SETUSER", b"o:d=d,#%\xff", "on", "nopass", "~odd:*", "+@all")
    shared.session(b"o:d=d,#%\xff", "x").call("SET", b"odd:\r\n", "1")
    shared.admin.call("SET", b"a\r\n=,%#\x00(:1", "x")
    traffic.settle()
    full_pass(shared.admin)
    return shared


@pytest.mark.redis
def test_every_line_of_info_has_the_documented_form(busy):
    lines = busy.admin.call("INFO", "tenants").split(b"\r\n")
    assert len(lines) > 20
    forms = [form.replace(BYTES, b"") for form in LINES] if busy.is_redis else LINES
    assert not [line for line in lines if not any(re.fullmatch(form, line) for form in forms)]


def test_the_status_fields_are_those_of_the_documentation(busy):
    assert list(read_info(busy.admin).status) == [name for name in documented_status_fields() if name not in WHERE_PAUSED]


def test_fields_without_a_value_yet_are_absent(launch):
    server = launch(module_arguments=["sweep-cpu-percent", "0"])
    assert set(documented_status_fields()) - set(read_info(server.admin).status) == ABSENT_AT_FIRST | WHERE_PAUSED


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


def documented_columns(section):
    """Of the table in docs/metrics.md, but `owner`, which INFO alone has among the columns."""
    text = METRICS[METRICS.index(f"## `# tenants_{section}`") :]
    text = text[3:].split("\n## ")[0]
    return [name for cell in re.findall(r"^\| (`.*?) \|", text, re.MULTILINE) for name in re.findall(r"`(\w+)`", cell) if name != "owner"]


@pytest.mark.parametrize("command, first, section", [("LIST", ["name", "kind"], "list"), ("USERS", ["name", "kind", "tenant"], "users"), ("PREFIXES", ["name", "kind", "owner"], "prefixes")])
def test_rows_are_maps_in_resp3_and_flat_arrays_in_resp2_with_the_documented_columns(busy, command, first, section):
    busy.admin.call("CONFIG", "SET", "tenants.sweep-cpu-percent", 0)  # a pass may free rows of orphans
    wait_until(lambda: read_info(busy.admin).status["sweep_state"] == "off", "the passes to be off")
    _, flat = busy.admin.call("TENANTS." + command, 0, "COUNT", 1000)
    busy.admin.call("HELLO", 3)
    _, maps = busy.admin.call("TENANTS." + command, 0, "COUNT", 1000)
    columns = documented_columns(section)
    assert len(flat) == len(maps) > 5 and len(columns) >= 12
    for row, same in zip(flat, maps):
        assert row[::2] == list(same) and row[1] == same[b"name"]
        names = [name.decode() for name in same]
        assert names[: len(first)] == first
        known = [column for column in columns if column in names]
        assert sorted(names[len(first) :]) == sorted(known), "every column has a row in docs/metrics.md"
        assert all(isinstance(value, (int, float)) for value in list(same.values())[len(first) :])
    assert {column for row in maps for column in map(bytes.decode, row)} >= set(columns) - {column for column in columns if column.startswith("denied")} - {"errors", "rejected", "auth_failures", "expired", "evicted", "avg_ttl_msec", "hit_ratio"} - ({"bytes_in", "bytes_out"} if busy.is_redis else set())


@pytest.mark.parametrize("command", ["LIST", "USERS", "PREFIXES"])
def test_rows_as_csv_say_the_same_as_maps(busy, command):
    """Read by Python's own reader. Names with all that a line of text could trip over, shares, and numbers that are not known."""
    admin = busy.admin
    for name in (b'"', b"a,b", b'"x,y"', b"\xff\xfe", b"'", b"a;b", b"%2C"):
        admin.call("ACL", "SETUSER", name, "on", b"~" + name + b":*", "+@all")
    for prefix in (b'"', b"a,b", b'"x,y"', b"line\nfeed", b"\r\n", b"\xff\xfe"):
        admin.call("SET", prefix + b":k", "v")
    acl_taken_in(admin)
    full_pass(admin)
    admin.call("CONFIG", "SET", "tenants.sweep-cpu-percent", 0)
    wait_until(lambda: read_info(admin).status["sweep_state"] == "off", "the passes to be off")

    def as_text(column, value):
        if column in ("name", "kind", "tenant", "owner"):
            return value.decode("latin-1")
        return f"{float(value):.3f}" if column in ("coverage", "hit_ratio") else str(value)

    for options in (), ("SORTBY", "connections" if command != "PREFIXES" else "keys"), ("MATCH", "*,*"):
        cursor, compared = b"0", 0
        while not compared or cursor != b"0":
            words = ("TENANTS." + command, cursor, "COUNT", 7, *options)
            (next_cursor, maps), (cursor, text) = admin.transaction(words, (*words, "format", "csv"))
            assert cursor == next_cursor
            rows = list(csv.DictReader(io.StringIO(text.decode("latin-1"), newline="")))
            maps = [{name.decode(): value for name, value in zip(flat[::2], flat[1::2])} for flat in maps]
            assert [{name: value for name, value in row.items() if value} for row in rows] == [{name: as_text(name, value) for name, value in same.items()} for same in maps]
            compared += len(rows)


@pytest.mark.parametrize("words, why", [(("FORMAT",), "option FORMAT has no value"), (("FORMAT", "json"), "invalid FORMAT, allowed are MAP and CSV"), (("AS", "csv"), "allowed are COUNT, MATCH, SORTBY and FORMAT")])
def test_a_format_that_there_is_not_is_refused(busy, words, why):
    with pytest.raises(ResponseError, match=why):
        busy.admin.call("TENANTS.LIST", 0, *words)


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
    overhead, same = tenants.pop("(overhead)"), listed.pop("(overhead)")  # both calls take a little memory themselves
    assert abs(overhead["bytes"] - same["bytes"]) < 1 << 16
    assert {name: {field: row[field] for field in listed[name]} for name, row in tenants.items()} == listed


def test_rows_add_up_at_every_moment_of_traffic(shared, seed):
    quick_passes(shared.admin)
    traffic = Traffic(shared, seed)
    for _ in range(60):
        traffic.step()
        problems = rows_that_do_not_add_up(read_info(shared.admin))
        assert not problems, f"seed {seed}: {problems}"


@pytest.mark.parametrize("protocol", [2, 3])
def test_status_is_a_map_of_the_info_fields(busy, protocol):
    busy.admin.call("HELLO", protocol)
    reply = busy.admin.call("TENANTS.STATUS")
    status = reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2]))
    assert isinstance(reply, dict) == (protocol == 3)
    assert [name.decode() for name in status] == [name for name in documented_status_fields() if name not in WHERE_PAUSED]
    assert isinstance(status[b"keys"], int) and status[b"keys_mode"] in (b"exact", b"swept")
    assert isinstance(busy.admin.outcome("TENANTS.STATUS", "x"), ResponseError)


ARGUMENTS = {"get": ["tenant"], "bigkeys": ["prefix", "count"], "top": ["column", "seconds", "count", "format"], "help": [], "me": [], "status": [], "resetstat": []}
PAGE = ["cursor", "pattern", "count", "sorting", "format"]
FOR_EVERYBODY = {"help", "me"}


@pytest.mark.parametrize("name", ["list", "users", "prefixes", *ARGUMENTS])
def test_commands_describe_themselves(server, name):
    command = "tenants." + name
    (info,) = server.admin.call("COMMAND", "INFO", command)
    flags = set(info[2])
    assert {b"loading", b"stale"} <= flags and b"write" not in flags and (b"readonly" in flags) == (name != "resetstat")
    assert (b"noscript" in flags) == (name == "me")
    assert info[3:6] == [0, 0, 0]
    assert b"@tenants" in info[6] and (b"@dangerous" in info[6]) == (name not in FOR_EVERYBODY)
    docs = dict(zip(*[iter(server.admin.call("COMMAND", "DOCS", command))] * 2))
    fields = docs[command.encode()]
    fields = dict(zip(fields[::2], fields[1::2]))
    assert fields[b"summary"] and fields[b"complexity"] and fields[b"since"]
    assert [argument[1].decode() for argument in fields.get(b"arguments", [])] == ARGUMENTS.get(name, PAGE)
    assert isinstance(server.admin.outcome("COMMAND", "GETKEYS", command), ResponseError)
    server.admin.call("ACL", "SETUSER", "ops", "-@all", "+@tenants")
    assert server.admin.call("ACL", "DRYRUN", "ops", command, *(["x"] if name == "get" else [])) == b"OK"
    if server.version >= (8, 1, 0):  # before, ACL CAT leaves out the commands of modules
        assert command.encode() in server.admin.call("ACL", "CAT", "tenants")


def test_commands_work_while_loading_and_on_replicas_and_are_not_propagated(launch):
    primary, replica = launch(), launch()
    replica.admin.call("REPLICAOF", "127.0.0.1", primary.port)
    wait_until(lambda: b"master_link_status:up" in replica.admin.call("INFO", "replication"), "the replica to be in step")
    offset = lambda: int(re.search(rb"master_repl_offset:(\d+)", primary.admin.call("INFO", "replication"))[1])  # noqa: E731
    primary.admin.call("CONFIG", "SET", "repl-ping-replica-period", 3600)
    before = offset()
    for name in ["LIST", "USERS", "PREFIXES", "TOP", "BIGKEYS", "STATUS", "HELP", "ME", "RESETSTAT"]:
        for server in (primary, replica):
            assert not isinstance(server.admin.outcome("TENANTS." + name), ResponseError), name
    assert offset() == before
    replica.admin.call("REPLICAOF", "NO", "ONE")
    replica.admin.call("DEBUG", "POPULATE", 300_000)
    replica.admin.call("CONFIG", "SET", "key-load-delay", 20, "loading-process-events-interval-bytes", 1024)
    reloading = replica.session()
    reloading.send("DEBUG", "RELOAD")
    wait_until(lambda: "LOADING" in str(replica.admin.outcome("GET", "x")), "the replica to be loading")
    for name in ["LIST", "USERS", "PREFIXES", "TOP", "BIGKEYS", "STATUS", "HELP", "ME"]:
        assert not isinstance(replica.admin.outcome("TENANTS." + name), ResponseError), name
    assert "LOADING" in str(replica.admin.outcome("GET", "x")), "it was loading all the time"
    replica.admin.call("CONFIG", "SET", "key-load-delay", 0)
    assert reloading.read() == b"OK"


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
