"""valkey-tenants on one server and on several: its numbers, formats, exit codes, and what must never reach a terminal."""

import csv
import io
import json
import os
import re
import signal
import subprocess
import time

import pytest

from server import free_port
from tenants import acl_taken_in, full_pass, quick_passes, resp3, settled_info
from tool import TOOL, Terminal, environment, listed, ok, tool
from traffic import Traffic, create_users
from truth import connections_by_user, key_names
from waiting import exit_code, patience, wait_until

pytestmark = pytest.mark.newest_server("the tool does not depend on the server")

OPERATOR = "-@all +@tenants -tenants.resetstat +info +cluster|shards"
HOSTILE = [b"a\x1b[31mred", b"\xff\xfe", "ünïcode".encode(), b"(other)", b"100%", b"a|b'c", b"=1+1"]


@pytest.fixture
def ready(shared):
    """A server with users that the module knows."""
    acl_taken_in(shared.admin)
    return shared


def settled_info_of(server):
    """Its key counts are right now, also where they are swept."""
    quick_passes(server.admin)
    return settled_info(server.admin)


def keys_of(server):
    return sum(len(names) for names in key_names(server.admin).values())


@pytest.mark.every_server
def test_list_says_what_client_list_and_scan_say(ready, seed):
    Traffic(ready, seed).run(40)
    sessions = [ready.session("app1") for _ in range(3)] + [ready.session("app2")]
    Traffic(ready, seed).settle()
    settled_info_of(ready)
    tenants = listed("-p", ready.port)
    truth = connections_by_user(ready.admin.call("CLIENT", "LIST"))
    for name in ("app1", "app2", "app3", "reader"):
        assert tenants["rows"][name]["connections"] == truth.get(name.encode(), 0), name
    assert len(sessions) == 4 and tenants["rows"]["app1"]["connections"] >= 3
    assert tenants["total"]["keys"] == keys_of(ready)
    prefixes = listed("-p", ready.port, what="prefixes")
    assert prefixes["total"]["keys"] == tenants["total"]["keys"]
    users = listed("-p", ready.port, what="users")
    assert users["rows"]["app1"]["connections"] == tenants["rows"]["app1"]["connections"]


def test_independent_servers_are_added_up(launch):
    servers = [launch(), launch()]
    for number, server in enumerate(servers, 1):
        create_users(server.admin)
        server.admin.pipeline([("SET", f"app1:{key}", "x") for key in range(10 * number)])
        server.held = [server.session("app1") for _ in range(number)]
        acl_taken_in(server.admin)
        quick_passes(server.admin)
        full_pass(server.admin)
    ports = [argument for server in servers for argument in ("-p", server.port)]
    for way in (ports, [argument for server in servers for argument in ("-u", f"valkey://127.0.0.1:{server.port}")]):
        both = listed(*way)
        assert (both["rows"]["app1"]["keys"], both["rows"]["app1"]["connections"]) == (30, 3)
        assert both["rows"]["app1"]["bytes"] == sum(listed("-p", server.port)["rows"]["app1"]["bytes"] for server in servers)
        assert both["complete"] and [node["role"] for node in both["nodes"]] == ["primary", "primary"]


def test_a_server_that_does_not_answer_is_named_beside_the_sum(ready):
    result = tool("-p", ready.port, "-p", free_port(), "list", "-o", "json")
    assert result.code == 1 and "incomplete, without 127.0.0.1:" in result.err and "Connection refused" in result.err
    reply = json.loads(result.out)
    assert not reply["complete"] and [node["up"] for node in reply["nodes"]] == [True, False]


def test_a_stopped_server_costs_its_timeout_and_no_more(ready, launch):
    stopped = launch()
    stopped.pause()
    try:
        begun = time.monotonic()
        result = tool("-t", "5", "-p", ready.port, "-p", stopped.port, "list")
        took = time.monotonic() - begun
    finally:
        os.kill(stopped.process.pid, signal.SIGCONT)
    assert result.code == 1 and "no answer within the time-out" in result.err
    assert "app1" in result.out
    assert 5 <= took < 10 * patience(), took


def test_exit_codes_tell_what_is_wrong_and_messages_what_to_do(ready, launch):
    def expect(code, text, *arguments, **variables):
        result = tool(*arguments, **variables)
        assert result.code == code and text in result.err and result.out == "" and result.err.count("\n") == 1, result

    port = ready.port
    ready.admin.call("ACL", "SETUSER", "weak", "on", ">secret", "+ping")
    expect(1, "no such tenant", "-p", port, "show", "nobody")
    expect(1, "not part of a cluster", "-p", port, "-c", "list")
    expect(2, "unknown command nonsense, allowed are", "-p", port, "nonsense")
    expect(2, "unknown command lst, did you mean list?", "-p", port, "lst")
    expect(2, "unknown option --srt, did you mean --sort?", "-p", port, "list", "--srt", "keys")
    expect(2, "unknown option --filtr, did you mean --filter?", "-p", port, "top", "--filtr=x")
    expect(2, "option -n of list stands behind that word", "-p", port, "-n", "5", "list")
    expect(2, "option --delay is one of top and stands behind that word", "-p", port, "--delay", "5")
    expect(2, "option -b is one of top", "-p", port, "list", "-b")
    expect(4, "no password was given: VALKEYCLI_AUTH, --password-file or --askpass", "-p", port, "--user", "app1", "list")
    expect(2, "--sort: unknown column, did you mean memory?", "-p", port, "list", "--sort", "memry")
    expect(2, "only tenants, users and prefixes to be shown, did you mean prefixes?", "-p", port, "list", "prefxes")
    expect(1, "no such tenant app11, did you mean app1?", "-p", port, "show", "app11")
    expect(2, "--sort: unknown column, allowed are name, growth, users", "-p", port, "list", "--sort", "x")
    expect(2, "--nonsense", "-p", port, "list", "--nonsense")
    expect(2, "--timeout", "-t", "0", "list")
    expect(2, "VALKEYCLI_AUTH", "-a", "hunter2", "list")
    expect(2, "--password-file", "-u", f"valkey://ops:hunter2@127.0.0.1:{port}", "list")
    expect(2, "hosts and", "-h", "a", "-h", "b", "-p", "1", "-p", "2", "-p", "3", "list")
    expect(2, "cannot read", "-p", port, "--password-file", "/nonexistent", "list")
    expect(3, "Connection refused", "-p", free_port(), "list")
    expect(3, "no answer to TLS within the time-out: is this port for TLS?", "-p", port, "--tls", "-t", "1", "list")
    expect(4, "refuses the login: WRONGPASS", "-p", port, "--user", "app1", "list", VALKEYCLI_AUTH="wrong")
    expect(4, "ACL SETUSER weak +tenants.status", "-p", port, "--user", "weak", "list", VALKEYCLI_AUTH="secret")
    expect(5, "MODULE LOAD", "-p", launch(loading=None).port, "list")
    ready.admin.call("CONFIG", "SET", "requirepass", "secret")
    expect(4, "asks for a login", "-p", port, "list")
    assert "app1" in ok("-p", port, "list", VALKEYCLI_AUTH="secret")
    assert "app1" in ok("-p", port, "list", REDISCLI_AUTH="secret")


def test_a_user_with_the_least_rights_can_use_everything(ready, tmp_path):
    ready.admin.call("ACL", "SETUSER", "ops", "on", ">secret", *OPERATOR.split())
    (tmp_path / "secret").write_text("secret\n")
    login = ["-p", ready.port, "--user", "ops", "--password-file", tmp_path / "secret"]
    for command in (["list"], ["list", "users"], ["list", "prefixes"], ["show", "app1"], ["top", "-b", "-n", "1", "-d", "0.1"], ["check", "--cpu", "any > 100%"]):
        assert ok(*login, *command)


def test_targets_come_from_a_file(ready, tmp_path):
    ready.admin.call("ACL", "SETUSER", "ops", "on", ">secret", *OPERATOR.split())
    file = tmp_path / "targets.yml"
    file.write_text(f"targets:\n- address: 127.0.0.1:{ready.port}\n  user: ops\n  password_env: THE_SECRET\n")
    assert "app1" in ok("--targets", file, "list", THE_SECRET="secret")
    result = tool("--targets", file, "list")
    assert result.code == 2 and f"{file}:4: the environment has no THE_SECRET" in result.err
    assert tool("--targets", file, "-p", "1", "list", THE_SECRET="secret").code == 2
    file.write_text(f"targets:\n- address: 127.0.0.1:{ready.port}\n  password_env: THE_SECRET\n  password_file: x\n")
    assert "password_file and password_env exclude each other" in tool("--targets", file, "list", THE_SECRET="secret").err
    file.write_text(f"targets:\n- address: 127.0.0.1:{ready.port}\n  tls: true\n")
    assert tool("--targets", file, "list").code == 3, "the server speaks plain text there"
    file.write_text(f"targets:\n- address: 127.0.0.1:{ready.port}\n  tls: false\n")
    assert "app1" in ok("--targets", file, "list")


@pytest.fixture
def hostile(ready):
    """A server with users, prefixes and keys of names that would harm a terminal."""
    for name in HOSTILE:
        ready.admin.call("ACL", "SETUSER", name, "on", "nopass", b"~" + re.sub(rb"([*?\[\\])", rb"\\\1", name) + b":*", "+@all")
        ready.session(name, "x").call("SET", name + b":k\x1b]0;x\x07", "1")
    for name in (b"\x1b[2J", b"tab\there", b"new\r\nline", b""):
        ready.admin.call("SET", name + b":orphan", "1")
    quick_passes(ready.admin)
    full_pass(ready.admin)
    acl_taken_in(ready.admin)
    return ready


def test_no_byte_of_a_name_reaches_the_terminal_as_it_is(hostile):
    names = [name for name in listed("-p", hostile.port)["rows"] if name not in ("default", "app1")]
    commands = [["list"], ["list", "users", "-o", "wide"], ["list", "prefixes", "-o", "csv"], ["top", "-b", "-n", "1", "-d", "0.1"], ["top", "prefixes", "-b", "-n", "1", "-d", "0.1"], ["check", "--keys", "any > 0"]]
    commands += [["show", name] for name in names if not name.startswith("(")]
    for command in commands:
        out = tool("-p", hostile.port, *command).out
        assert out and re.fullmatch(r"[\n -~±Δ]*", out), (command, out)


def test_a_shown_name_finds_its_tenant_again(hostile):
    rows = listed("-p", hostile.port)["rows"]
    assert "%28other)" in rows and rows["(other)"]["kind"] == "other"
    for name in ("a%1B[31mred", "%FF%FE", "100%25", "%28other)", "%3D1+1"):
        assert json.loads(ok("-p", hostile.port, "show", name, "-o", "json"))["keys"] == 1, name
    assert json.loads(ok("-p", hostile.port, "show", "100%", "-o", "json"))["name"] == "100%25"


def test_formats_agree_with_each_other(hostile):
    for what in ("tenants", "users", "prefixes"):
        rows = listed("-p", hostile.port, what=what)["rows"]
        table = list(csv.DictReader(io.StringIO(ok("-p", hostile.port, "list", what, "-o", "csv"))))
        assert {row["name"] for row in table} == set(rows)
        column = "connections_total" if what == "users" else "keys"
        for row in table:
            if row["name"] not in ("default", "(internal)"):
                assert row[column] == str(rows[row["name"]][column]), row
        wide = ok("-p", hostile.port, "list", what, "-o", "wide", "--bytes").splitlines()
        assert len(wide) == len(rows) + 2 and wide[-1].startswith("total")


def test_rows_that_are_not_shown_are_in_the_total(hostile):
    whole, some = (ok("-p", hostile.port, "list", "--sort", "keys", "--bytes", *more) for more in ([], ["-n", "2"]))
    lines = some.splitlines()
    assert len(lines) == 5 and lines[3].startswith("... ")
    keys = [int(re.split(r"  +", line)[1]) for line in lines[1:]]
    assert sum(keys[:3]) == keys[3] == int(re.split(r"  +", whole.splitlines()[-1])[1])


def test_filter_and_order(ready):
    acl_taken_in(ready.admin)
    ready.admin.pipeline([("SET", f"app2:{key}", "x") for key in range(7)])
    ready.admin.call("SET", "app1:k", "x")
    settled_info_of(ready)
    names = [line.split()[0] for line in ok("-p", ready.port, "list", "--filter", "app*", "--sort", "keys").splitlines()]
    assert names[:3] == ["TENANT", "app2", "app1"] and names[-1] == "total" and "default" not in names
    names = [line.split()[0] for line in ok("-p", ready.port, "list", "--filter", "app*", "--sort", "name", "-r").splitlines()]
    assert names[1:-1] == ["app3", "app2", "app1"]
    for order in ([], ["--sort", "name"], ["--sort", "name", "-r"], ["--sort", "keys", "-r"]):  # the module's own rows come last
        own = [name[0] == "(" for name in re.findall(r"^\S+", ok("-p", ready.port, "list", *order), re.MULTILINE)[1:-1]]
        assert own == sorted(own) and sum(own) >= 3, own


@pytest.mark.parametrize("table, column, headings", [("tenants", "bytes", ["memory", "MEMORY"]), ("tenants", "connections", ["conns"]), ("tenants", "cpu_usec", ["cpu"]), ("tenants", "bytes_in", ["bytes-in", "BYTES-IN"]), ("prefixes", "keys_without_ttl", ["no-ttl"])])
def test_an_order_is_told_by_a_column_or_its_heading(ready, table, column, headings):
    quick_passes(ready.admin)
    ready.admin.pipeline([("SET", f"app{n}:k", "x" * 1000 * n) for n in (1, 2, 3)])
    full_pass(ready.admin)
    order = lambda by: [name for name in re.findall("^app\\d", ok("-p", ready.port, "list", table, "-o", "csv", "--sort", by), re.MULTILINE)]  # noqa: E731
    assert len(order(column)) >= 3 and all(order(heading) == order(column) for heading in headings)


def test_a_filter_is_a_part_of_the_name_or_a_pattern_in_list_and_top(ready):
    for text, names in {"pp1": ["app1"], "app*": ["app1", "app2", "app3"], "*pp[12]": ["app1", "app2"], "app1": ["app1"], "none": []}.items():
        listed_names = {line.split(",")[0] for line in ok("-p", ready.port, "list", "--filter", text, "-o", "csv").splitlines()[1:]}
        top = ok("-p", ready.port, "top", "-b", "-n", "1", "-d", "0.1", "--filter", text).splitlines()[2:]
        assert listed_names == set(names) == {line.split()[0] for line in top} - {"total"}, text


def test_whose_memory_grew_most_and_which_keys_are_two_commands(ready):
    quick_passes(ready.admin)
    ready.admin.pipeline([("SET", f"app2:{n}", "x" * 1000) for n in range(100)] + [("SET", "app1:k", "x" * 100)])  # by somebody else
    full_pass(ready.admin)
    growth = lambda: listed("-p", ready.port)["rows"]["app2"].get("bytes_change_5m", 0)  # noqa: E731
    wait_until(lambda: growth() > 100_000, "TOP to remember how much there was")
    lines = ok("-p", ready.port, "list", "--sort", "growth", "--bytes").splitlines()
    names, grown = [line.split()[0] for line in lines], [line.split()[4] for line in lines]
    assert grown[0] == "GROWTH" and names[1] == "app2" and int(grown[1]) == growth() and grown[1].startswith("+")
    assert int(grown[-1]) == sum(int(change) for change in grown[1:-1] if change != "-")
    assert "GROWTH" not in ok("-p", ready.port, "list") and "GROWTH" in ok("-p", ready.port, "list", "-o", "wide")
    assert [row["bytes_change_5m"] for row in csv.DictReader(io.StringIO(ok("-p", ready.port, "list", "--filter", "app2", "-o", "csv")))] == [str(growth())]
    shown = ok("-p", ready.port, "show", "app2")
    assert re.search(r"since start .*\+100 +\+\d+K$", shown, re.MULTILINE) and re.search(r"^LARGEST KEY .*\napp2%3A\d+ ", shown, re.MULTILINE), shown


def test_growth_is_left_out_where_it_may_not_be_asked_for(ready):
    ready.admin.call("ACL", "SETUSER", "ops", "on", ">secret", *OPERATOR.split(), "-tenants.top")
    login = ["-p", ready.port, "--user", "ops"]
    assert "GROWTH" not in ok(*login, "list", "-o", "wide", VALKEYCLI_AUTH="secret") and "bytes_change_5m" not in ok(*login, "list", "-o", "json", VALKEYCLI_AUTH="secret")
    result = tool(*login, "list", "--sort", "growth", VALKEYCLI_AUTH="secret")
    assert result.code == 4 and "tenants.top" in result.err


@pytest.mark.parametrize("command", [["list"], ["list", "users"], ["list", "prefixes", "-o", "wide"], ["show", "long" * 30], ["top", "-b", "-n", "1", "-d", "0.1"]], ids=" ".join)
@pytest.mark.parametrize("columns", [80, 50])
def test_no_line_is_wider_than_the_terminal(ready, command, columns):
    ready.admin.call("ACL", "SETUSER", "long" * 30, "on", "nopass", f"~{'long' * 30}:*", "+@all")
    acl_taken_in(ready.admin)
    terminal = Terminal("-p", ready.port, *command, columns=columns)
    assert terminal.rest() == 0
    lines = terminal.raw.decode().split("\r\n")
    terminal.close()
    assert len(lines) > 3 and max(map(len, lines)) <= columns, lines
    if command[0] == "list":
        assert any("+" in line for line in lines), "a cut name says so"
        assert "long" * 30 in ok("-p", ready.port, *command), "without a terminal nothing is cut"


def test_a_reader_that_goes_away_is_no_error_message(ready):
    for number in range(300):
        ready.admin.call("ACL", "SETUSER", f"user{number}" + "x" * 500, "on")
    acl_taken_in(ready.admin)
    process = subprocess.Popen([TOOL, "-p", str(ready.port), "list", "-o", "json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    process.stdout.read(10)
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert exit_code(process) == -signal.SIGPIPE


def test_output_that_cannot_be_written_is_an_error(ready):
    with open("/dev/full", "wb") as full:
        done = subprocess.run([TOOL, "-p", str(ready.port), "list"], stdout=full, stderr=subprocess.PIPE, env=environment())
    assert done.returncode == 1 and b"cannot write: No space left" in done.stderr


@pytest.mark.every_server
def test_show_tells_all_of_a_tenant(ready):
    acl_taken_in(ready.admin)
    app1 = ready.session("app1")
    app1.pipeline([("SET", f"app1:{key}", "x" * 2**key) for key in range(20)] + [("GET", "app1:1")] * 5)
    app1.outcome("STRLEN", "app2:denied")
    app1.call("EVAL", "local n = 0 for i = 1, 2e7 do n = n + i end return n", 0)
    quick_passes(ready.admin)
    full_pass(ready.admin)
    seen = json.loads(ok("-p", ready.port, "show", "app1", "-o", "json"))
    assert (seen["keys"], seen["connections"], seen["commands_by_name"]["set"], seen["commands_by_name"]["get"]) == (20, 1, 20, 5)
    assert [row["name"] for row in seen["prefix_rows"]] == ["app1%3A"] and [row["name"] for row in seen["user_rows"]] == ["app1"]
    assert seen["big_keys"][0]["key"] == "app1%3A19" and seen["big_keys"][0]["bytes"] == ready.admin.call("MEMORY", "USAGE", "app1:19", "SAMPLES", 0)
    assert seen["bytes"] == sum(ready.admin.call("MEMORY", "USAGE", f"app1:{key}", "SAMPLES", 0) for key in range(20))
    assert [trend["window_seconds"] for trend in seen["trend"]] == [10, 60, 300] and seen["trend"][2]["commands_per_second"] > 0
    if ready.version >= (9, 1, 0):
        assert seen["denied_key"] == seen["user_rows"][0]["denied_key"] == 1
    assert [row["command"] for row in seen["slow_commands"]] == ["eval"] and seen["slow_commands"][0]["cpu_usec"] >= 10_000
    text = ok("-p", ready.port, "show", "app1")
    for heading in ("TENANT", "LAST", "USER", "PREFIX", "COMMAND", "LARGEST KEY", "SLOW COMMAND"):
        assert re.search(f"^{heading} ", text, re.MULTILINE), text


def test_show_fits_a_terminal_and_leaves_no_column_out(ready):
    quick_passes(ready.admin)
    app1 = ready.session("app1")
    app1.pipeline([("SET", f"app1:{key}", "x" * 2**key) for key in range(12)] + [(name, "app1:1") for name in ("GET", "STRLEN", "TYPE", "TTL", "PTTL", "EXISTS", "TOUCH")])
    full_pass(ready.admin)
    everything = ok("-p", ready.port, "show", "app1")
    for columns, lines in ((80, 24), (40, 24)):
        terminal = Terminal("-p", ready.port, "show", "app1", columns=columns, lines=lines)
        assert terminal.rest() == 0
        text = terminal.raw.decode()
        terminal.close()
        headings = {word for line in everything.splitlines() if line[:1].isupper() for word in line.split()}
        assert headings <= set(text.split()), headings - set(text.split())
        assert max(map(len, text.split("\r\n"))) <= columns and re.search(r"\.\.\. \d+ more", text)
        assert columns < 80 or text.count("\n") < lines, text


def test_the_trend_says_what_it_knows_once(ready):
    rows = [line for line in re.search(r"^LAST .*\n((?:.+\n)+)", ok("-p", ready.port, "show", "app1"), re.MULTILINE)[1].splitlines()]
    labels = [re.match(r"\S+ \S+(?: start)?", row)[0] for row in rows]
    assert len(set(labels)) == len(labels) <= 3 and labels[-1].endswith(", since start"), rows
    assert [trend["window_seconds"] for trend in json.loads(ok("-p", ready.port, "show", "app1", "-o", "json"))["trend"]] == [10, 60, 300]


def test_show_says_in_which_databases_and_who_else(ready):
    ready.admin.call("ACL", "SETUSER", "guest", "on", "nopass", "~app1:*", "+@all")
    acl_taken_in(ready.admin)
    app1, guest = ready.session("app1"), ready.session("guest")
    app1.pipeline([("SET", f"app1:{key}", "x" * 100) for key in range(20)] + [("SELECT", 2), ("SET", "app1:k", "x" * 1000)])
    guest.pipeline([("GET", "app1:1")] * 300)
    quick_passes(ready.admin)
    full_pass(ready.admin)
    (owner,) = [row["owner"] for row in listed("-p", ready.port, what="prefixes")["rows"].values() if row["name"] == "app1%3A"]
    seen = json.loads(ok("-p", ready.port, "show", owner, "-o", "json"))
    assert [(row["database"], row["keys"]) for row in seen["databases"]] == [(0, 20), (2, 1)]
    assert sum(row["bytes"] for row in seen["databases"]) == seen["bytes"]
    (prefix,) = [row for row in seen["prefix_rows"] if row["name"] == "app1%3A"]
    assert prefix["shared_with"] == [{"app1": "guest", "guest": "app1"}[owner]]
    used = {row["name"]: (row["reads_sampled"], row["writes_sampled"]) for row in prefix["used_by"]}
    (told,) = [row["used_by"] for row in resp3(ready.admin, "TENANTS.GET", owner)["prefixes"] if row["name"] == b"app1:"]
    assert used == {row["name"].decode(): (row["reads_sampled"], row["writes_sampled"]) for row in told}
    assert used["app1"][0] == 0 < used["app1"][1] and used["guest"][1] == 0 < used["guest"][0]
    text = ok("-p", ready.port, "show", owner)
    assert re.search(r"^DATABASE .*\n0 +20 .*\n2 +1 ", text, re.MULTILINE) and re.search(r"^SHARED PREFIX .*(\napp1%3A +(guest +[1-9]\d* +0|app1 +0 +[1-9]\d*) .*){2}", text, re.MULTILINE), text
    assert "DATABASE" not in ok("-p", ready.port, "show", "app2")


def test_show_in_all_digits_and_of_what_is_no_estimate(ready):
    quick_passes(ready.admin)
    ready.session("app1").pipeline([("SET", f"app1:{key}", "x" * 1000) for key in range(100)])
    full_pass(ready.admin)
    seen = json.loads(ok("-p", ready.port, "show", "app1", "-o", "json"))
    line = ok("-p", ready.port, "show", "app1", "--bytes").splitlines()[1].split()
    assert line[:4] == ["app1", "100", str(seen["bytes"]), str(seen["bytes_error"])]
    assert ok("-p", ready.port, "show", "(overhead)").splitlines()[1].split()[3] == "-"


def test_show_has_a_line_for_a_node_that_is_down(ready):
    down = free_port()
    result = tool("-p", ready.port, "-p", down, "show", "app1")
    assert result.code == 1 and re.search(rf"^127.0.0.1:{down} +down ", result.out, re.MULTILINE)
    assert f"127.0.0.1:{down}: down: Connection refused\n" in result.out


def test_show_cuts_long_lists_and_says_so_and_json_has_all(ready):
    ready.admin.call("ACL", "SETUSER", "many", "on", ">secret", "+@all", *(f"~many{number}:*" for number in range(30)))
    acl_taken_in(ready.admin)
    names = "GET STRLEN TYPE TTL PTTL LLEN HLEN SCARD ZCARD XLEN EXISTS TOUCH DEL UNLINK PERSIST GETDEL DUMP".split()
    ready.session("many").pipeline([(name, "many0:k") for name in names])
    text = ok("-p", ready.port, "show", "many")
    assert re.search(r"^\.\.\. 10 more *$", text, re.MULTILINE), text
    seen = json.loads(ok("-p", ready.port, "show", "many", "-o", "json"))
    assert len(seen["prefix_rows"]) == 30 and set(seen["commands_by_name"]) >= {name.lower() for name in names}
    assert re.search(rf"^\.\.\. {len(seen['commands_by_name']) - 15} more ", text, re.MULTILINE), text


def test_a_password_is_asked_for_on_the_terminal_and_not_shown(ready):
    terminal = Terminal("-p", ready.port, "--user", "app1", "--askpass", "list")
    terminal.wait_for("Password:")
    terminal.press(b"secret\n")
    assert terminal.rest() == 0
    assert b"TENANT" in terminal.raw and b"secret" not in terminal.raw
    terminal.close()
    assert tool("-p", ready.port, "--askpass", "list").code == 2


@pytest.mark.every_server
def test_a_replica_holds_copies_and_alone_speaks_for_its_primary(launch):
    primary, replica = launch(), launch()
    create_users(primary.admin)
    primary.admin.pipeline([("SET", f"app1:{key}", "x") for key in range(10)])
    replica.admin.call("REPLICAOF", "127.0.0.1", primary.port)
    create_users(replica.admin)
    wait_until(lambda: b"master_link_status:up" in replica.admin.call("INFO", "replication"), "the replica to be in sync")
    settled_info_of(replica)
    settled_info_of(primary)
    both = listed("-p", primary.port, "-p", replica.port)
    assert [node["role"] for node in both["nodes"]] == ["primary", "replica"]
    assert both["rows"]["app1"]["keys"] == 10, "a replica holds copies"
    wait_until(lambda: listed("-p", replica.port)["rows"]["app1"]["keys"] == 10, "a replica alone to speak for its primary")
