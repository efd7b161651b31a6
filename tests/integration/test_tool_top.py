"""`valkey-tenants top` on a pseudo-terminal, with keys pressed, and without one."""

import os
import re
import signal
import subprocess

import pytest

from conftest import REPOSITORY
from tenants import acl_taken_in, quick_passes, settled_info
from tool import TOOL, Terminal, environment, ok, tool
from waiting import exit_code, wait_until

pytestmark = pytest.mark.newest_server("the tool does not depend on the server")


@pytest.fixture
def top(shared):
    """A function that opens `top`; all are closed afterwards."""
    acl_taken_in(shared.admin)
    shared.admin.pipeline([("SET", f"app1:{key}", "x") for key in range(20)] + [("SET", "app2:1", "x")])
    opened = []

    def make(*arguments, **options):
        opened.append(Terminal("-p", shared.port, "top", *(() if "-d" in arguments else ("-d", "0.2")), *arguments, **options))
        return opened[-1]

    yield make
    for terminal in opened:
        terminal.close()


def leaves(screen):
    """Its exit code after q; the terminal must be as it was."""
    screen.press(b"q")
    code = screen.rest()
    assert b"\x1b[?1049l" in screen.raw or b"\x1b[?1049h" not in screen.raw
    return code


def test_keys_sort_filter_switch_pause_and_quit(top):
    screen = top()
    screen.wait_for(r"^TENANT +CPU%\*")
    screen.wait_for(r"^app2 ")
    screen.press(b">")
    screen.wait_for(r"^TENANT .* MEMORY\*")
    screen.press(b">>")
    screen.wait_for(r"^TENANT .* KEYS\*(.*\n){2}app1 ")
    screen.press(b"r")
    screen.wait_for(r"^TENANT .* KEYS\^")
    screen.press(b"P")
    screen.wait_for(r"^TENANT +CPU%\^")
    screen.press(b"/app2\r")
    screen.wait_for(r"^filter: app2  rows 1–1 of 1  q quit .*\? help$")
    screen.wait_for(r"^TENANT.*\ntotal .*\napp2 .*\n *\n")
    screen.press(b"\x1b")
    screen.wait_for(r"^app1 ")
    screen.press(b"\t")
    screen.wait_for(r"^USER ")
    screen.press(b"\t")
    screen.wait_for(r"^app1%3A ")
    screen.press(b" ")
    screen.wait_for(r"^PAUSED  rows 1–\d+ of \d+ .*\? help$")
    screen.press(b"?")
    screen.wait_for("M  MEMORY +memory of its keys")
    screen.wait_for("Any key goes back")
    screen.press(b"x")
    screen.wait_for(r"^PREFIX ")
    assert leaves(screen) == 0


def test_a_letter_sorts_by_its_column_which_is_always_shown(top):
    screen = top()
    for key, heading in ("M", "MEMORY"), ("G", "ΔMEM"), ("K", "KEYS"), ("C", "CONNS"), ("N", "CMD/S"), ("B", r"IN\+OUT/S"), ("H", "HIT%"), ("E", "ERR/S"), ("D", "DENY/S"), ("P", "CPU%"):
        screen.press(key.encode())
        screen.wait_for(rf"^TENANT .*{heading}\*")
    heading = screen.wait_for(r"^TENANT .*$")[0]
    assert heading.split() == ["TENANT", "CPU%*", "MEMORY", "ΔMEM", "KEYS", "CONNS", "CMD/S", "IN+OUT/S", "HIT%", "ERR/S"], "80 columns"
    assert leaves(screen) == 0


def test_the_modules_own_rows_come_last_whatever_the_order(top):
    screen = top()
    for keys in b"M", b"r":
        screen.press(keys)
        screen.wait_for(r"^TENANT .*MEMORY[*^](.*\n)+app\d (.*\n)+\(overhead\) .*\n *\n")
    assert leaves(screen) == 0


def test_the_cursor_moves_through_the_rows_and_stays_with_its_own(top, shared):
    quick_passes(shared.admin)
    for number in range(30):
        shared.admin.call("ACL", "SETUSER", f"t{number}", f"~t{number}:*", "+@all")
        shared.admin.pipeline([("SET", f"t{number}:{key}", "") for key in range(21 + number)])
    settled_info(shared.admin)
    screen = top("--sort", "keys", "--filter", "t[0-9]*", lines=12)
    first = "^total .*\n%s "
    marked = lambda name: wait_until(lambda: [screen.read(), screen.marked() == name][1], lambda: f"the cursor at {name}, on\n{screen.screen()}")  # noqa: E731
    screen.wait_for(first % "t29")
    screen.wait_for(r"rows 1–8 of 30 ")
    marked("t29")
    screen.press(b"\x1bOB")
    marked("t28")
    screen.press(b"\x1b[6~")
    marked("t20")
    screen.wait_for(first % "t27")
    screen.press(b"\x1b[5~" * 2)
    marked("t29")
    screen.press(b"\x1bOF")
    marked("t0")
    screen.wait_for(r"rows 23–30 of 30 ")
    screen.press(b"r")
    screen.wait_for(r"KEYS\^")
    marked("t0")
    screen.press(b"\x1bOH")
    marked("t0")
    screen.press(b"r")
    screen.wait_for(r"KEYS\*")
    marked("t29")
    assert leaves(screen) == 0


def test_enter_shows_a_tenants_largest_key_its_slow_commands_and_all_else(top, shared):
    quick_passes(shared.admin)
    app1 = shared.session("app1")
    app1.pipeline([("SET", "app1:giant", "x" * 100_000), ("SET", "app1:small", "x")])
    app1.call("EVAL", "local n = 0; for i = 1, 2e7 do n = n + i end", 0)
    wait_until(lambda: b"app1:giant" in str(shared.admin.call("TENANTS.BIGKEYS")).encode(), "the key to be measured")
    screen = top("--filter", "app1")
    screen.wait_for(r"^app1 ")
    screen.press(b"\r")
    screen.wait_for(r"^app1  \d+K ±")
    screen.wait_for(r"^LAST .*\n(\S+ +[\d.-]+ .*\n){3}")
    screen.wait_for(r"^LARGEST KEY.*\napp1%3Agiant +string +0 +[\d.]+K")
    for section in r"PREFIX .*\napp1%3A ", r"SLOW COMMAND .*\neval ", r"COMMAND.*\nset ", r"USER .*\napp1 ":
        screen.wait_for("^" + section)
    screen.wait_for(r"^commands/s +[▁▂▃▄▅▆▇█]{3,} .*\nmemory +[▁▂▃▄▅▆▇█]{3,} ")
    assert screen.wait_for(r"^Esc back .*\? help$")
    screen.press(b"\x1b")
    screen.wait_for(r"^TENANT ")
    for table in "USER", "PREFIX":
        screen.press(b"\t")
        screen.wait_for(rf"^{table} .*\ntotal.*\napp1")
        screen.press(b"\r")
        screen.wait_for(r"^LARGEST KEY.*\napp1%3Agiant")
        screen.press(b"\x7f")
        screen.wait_for(rf"^{table} ")
    assert leaves(screen) == 0


@pytest.mark.parametrize("lines, columns", [(5, 20), (12, 60), (60, 200)])
def test_a_tenants_page_fits_any_screen(top, lines, columns):
    screen = top("--filter", "app1", lines=lines, columns=columns)
    screen.wait_for(r"^app1 ")
    screen.press(b"\r")
    screen.wait_for(r"^app1  [\d.]+")
    screen.wait_for(r"\? help$")
    screen.press(b"q")
    screen.wait_for(r"^TENANT ")
    assert leaves(screen) == 0


def test_the_modules_own_rows_are_no_tenants_to_look_into(top):
    screen = top("--filter", "(overhead)")
    screen.wait_for(r"^\(overhead\)")
    screen.press(b"\r")
    screen.wait_for(r"^\(overhead\) is no tenant's")
    assert leaves(screen) == 0


def test_what_the_acl_forbids_is_said_with_what_allows_it_and_the_rest_goes_on(shared):
    acl_taken_in(shared.admin)
    shared.admin.call("ACL", "SETUSER", "ops", "on", ">secret", "-@all", "+tenants.status", "+tenants.list", "+info")
    screen = Terminal("-p", shared.port, "--user", "ops", "top", "-d", "0.2", VALKEYCLI_AUTH="secret")
    screen.wait_for(r"^tenants.top is not allowed; allow it: ACL SETUSER ops \+tenants.top")
    screen.wait_for(r"^tenants.prefixes is not allowed; allow it: ACL SETUSER ops \+tenants.prefixes")
    screen.wait_for(r"^app1 +[\d.<]+ ")
    screen.press(b"\r")
    screen.wait_for(r"^tenants.get is not allowed; allow it: ACL SETUSER ops \+tenants.get")
    shared.admin.call("ACL", "SETUSER", "ops", "+tenants.get", "+tenants.top")
    screen.wait_for(r"^LARGEST KEY\ntenants.bigkeys is not allowed; allow it: ACL SETUSER ops \+tenants.bigkeys|^LAST ")
    screen.press(b"q")
    screen.wait_for(r"^TENANT ")
    assert leaves(screen) == 0
    screen.close()


@pytest.mark.every_server
def test_who_was_made_to_grow_is_named_above_the_table(top, shared):
    quick_passes(shared.admin)
    app2 = shared.session("app2")
    screen = top()
    screen.wait_for(r"^app2 ")
    assert "grew" not in screen.screen(), "nothing has happened"
    app2.pipeline([("SET", f"app2:{number}", "x" * 1000) for number in range(5000)])
    screen.wait_for(r"^notice: app2 grew by 5\.\d MiB in \d+ (s|min)$")
    screen.press(b"G")
    screen.wait_for(r"^TENANT .* ΔMEM\*.*\ntotal .*\napp2 .* \+[45]\.\d+M \|")
    shared.admin.call("CONFIG", "SET", "maxmemory", "20mb")
    screen.wait_for(r"^warning: app2 grew by 5\.\d MiB in \d+ (s|min), full in about \d+ (s|min)$")
    assert "warning: app2 grew" in ok("-p", shared.port, "top", "-b", "-n", "1", "-d", "0.1")
    assert leaves(screen) == 0


def test_the_first_frame_has_rates_and_hit_ratios(top, shared):
    app1 = shared.session("app1")
    app1.pipeline([("GET", "app1:1")] * 3000 + [("GET", "app1:no")] * 1000)
    wait_until(lambda: b"app1" in str(shared.admin.call("TENANTS.TOP", "BY", "commands")).encode(), "the module to have looked")
    screen = top("-d", "60", "--filter", "app1", "--sort", "cmd/s")
    screen.press(b" ")
    screen.wait_for(r"^PAUSED .*")
    heading, _, row = (re.sub(r" \|+", "", line).split() for line in screen.wait_for(r"^TENANT .*\n.*\napp1 .*$")[0].splitlines())
    shown = dict(zip(heading, row))
    assert shown["CMD/S*"] not in ("0", "-") and 60 <= int(shown["HIT%"].rstrip("%")) <= 90, screen.screen()
    assert leaves(screen) == 0


def test_a_filter_is_typed_in_utf8_and_taken_back_by_character(top, shared):
    shared.admin.call("ACL", "SETUSER", "größe", "on")
    acl_taken_in(shared.admin)
    screen = top()
    screen.wait_for(r"^app1 ")
    screen.press("/größen".encode())
    screen.wait_for(r"^nothing matches; Esc shows all")
    screen.wait_for(r"^filter: größen_ ")
    screen.press(b"\x7f")
    screen.wait_for(r"^gr%C3%B6%C3%9Fe ")
    screen.press(b"\x7f" * 2)
    screen.wait_for(r"^filter: grö_ .*\? help$")
    screen.press(b"\r\x1b")
    screen.wait_for(r"^app1 ")
    assert leaves(screen) == 0


def test_it_ends_when_its_terminal_is_gone(top):
    screen = top()
    screen.wait_for(r"^app1 ")
    os.close(screen.leader)
    screen.leader = os.open(os.devnull, os.O_RDWR)
    assert exit_code(screen.process) == 1


def test_so_many_frames_are_enough_on_a_terminal_too(top):
    screen = top("-n", "2")
    assert screen.rest() == 0


def test_without_a_terminal_it_is_text_and_ends_quietly_with_its_reader(shared):
    acl_taken_in(shared.admin)
    process = subprocess.Popen([TOOL, "-p", str(shared.port), "top", "-d", "0.1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    lines = [process.stdout.readline() for _ in range(40)]
    process.stdout.close()
    assert exit_code(process) == -signal.SIGPIPE and process.stderr.read() == b""
    process.stderr.close()
    assert sum(line.startswith(b"TENANT ") for line in lines) > 1 and b"\x1b" not in b"".join(lines)


@pytest.mark.every_server
def test_it_shows_who_works_right_now(top, shared):
    screen = top()
    screen.wait_for(r"^app2 ")
    app2 = shared.session("app2")

    def working():
        app2.call("EVAL", "for _ = 1, 20000 do redis.call('GET', KEYS[1]) end", 1, "app2:1")
        screen.read(0)
        return re.search(r"^app2 +[\d.]+ +\|{2,6} .* [\d.]+k ", screen.screen(), re.MULTILINE)

    wait_until(working, screen.screen)


@pytest.mark.parametrize("columns, lines", [(80, 24), (50, 8), (200, 60), (10, 3)])
def test_it_survives_any_size_of_the_terminal(top, columns, lines):
    screen = top()
    screen.wait_for(r"^app1 ")
    screen.resize(columns, lines)
    screen.press(b"\x1bOB\x1b[6~\x1bOF\x1bOH")
    screen.wait_for(r"^TENANT .*\ntotal .*\n\S" if lines > 4 else r"^valkey")
    if columns == 200:
        screen.wait_for(r" ERR/S +±MEM +DENY/S .* OUT/S$")
    assert leaves(screen) == 0


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"TERM": "vt100"}], ids=str)
def test_no_colour_where_none_is_wanted(top, variables):
    colour = rb"\x1b\[(\d+;)*3[0-7]m"
    plain, coloured = top(**variables), top()
    wait_until(lambda: coloured.read() and re.search(colour, coloured.raw), lambda: f"a colour: {coloured.raw}")
    plain.wait_for(r"^\S+ +[\d.]+ +\|")
    assert leaves(plain) == 0
    assert not re.search(colour, plain.raw)


def test_a_server_that_goes_away_and_comes_back_is_seen(top, shared):
    screen = top()
    screen.wait_for(r"^app1 ")
    shared.kill()
    screen.wait_for(r"0 primaries, 1 DOWN.*\ncritical: 127.0.0.1:\d+ is down: Connection refused")
    shared.start_again()
    screen.wait_for(r"  1 primary  cpu")
    assert leaves(screen) == 0


def test_a_hostile_name_cannot_drive_the_terminal(top, shared):
    shared.admin.call("ACL", "SETUSER", b"evil\x1b]0;owned\x07\x1b[2J", "on")
    acl_taken_in(shared.admin)
    screen = top(columns=160)
    screen.wait_for(r"^evil%1B\]0;owned%07%1B\[2J ")
    assert leaves(screen) == 0
    assert b"\x1b]0;owned" not in screen.raw


@pytest.mark.parametrize("terminal", ["dumb", "nonsense-terminal"])
def test_a_terminal_that_cannot_show_it_is_an_error_with_a_way_out(top, terminal):
    screen = top(TERM=terminal)
    assert screen.rest() == 1
    assert b"top -b" in screen.raw


def test_batch_frames_have_rates_and_no_control_bytes(shared):
    acl_taken_in(shared.admin)
    for number in range(5):
        shared.session("app1").pipeline([("PING",)] * 10)
    out = ok("-p", shared.port, "top", "-b", "-n", "3", "-d", "0.2", "--sort", "conns")
    assert out.count("\nTENANT ") == 3 and "\x1b" not in out
    assert "CONNS*" in out and re.search(r"^app1 ", out, re.MULTILINE)
    first = out.split("TENANT", 1)[1].splitlines()[2]
    assert first.startswith("app1"), "it has most connections"


def test_batch_says_what_is_wrong(shared):
    assert tool("-p", shared.port, "top", "-b", "-n", "0").code == 2
    result = tool("-p", shared.port, "top", "prefixes", "-b", "-n", "1", "--sort", "cpu%")
    assert result.code == 2 and "allowed are MEMORY" in result.err


@pytest.mark.parametrize("document", ["README.md", "docs/tool.md"])
def test_the_recorded_screen_is_what_it_shows(top, document):
    recorded = re.search(r"^```\n(valkey-tenants \d\d:\d\d:\d\d .*?)^```", (REPOSITORY / document).read_text(), re.MULTILINE | re.DOTALL)[1].splitlines()
    screen = top()
    screen.press(b"G")
    heading = screen.wait_for(r"^TENANT .*ΔMEM\*.*$")[0]
    status = screen.wait_for(r"^rows .*$")[0]
    at = next(number for number, line in enumerate(recorded) if line.startswith("TENANT"))
    assert recorded[at].split() == heading.split() and max(map(len, recorded)) <= 80
    assert all(re.match(r"(critical|warning|notice): \S", line) for line in recorded[1:at])
    assert recorded[-1].split("  ", 1)[1].split() == status.split("  ", 1)[1].split()
    assert leaves(screen) == 0
