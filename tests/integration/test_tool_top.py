"""`valkey-tenants top` on a pseudo-terminal, with keys pressed, and without one."""

import re

import pytest

from tenants import acl_taken_in, quick_passes, settled_info
from tool import Terminal, ok, tool
from waiting import wait_until

pytestmark = pytest.mark.newest_server("the tool does not depend on the server")


@pytest.fixture
def top(shared):
    """A function that opens `top`; all are closed afterwards."""
    acl_taken_in(shared.admin)
    shared.admin.pipeline([("SET", f"app1:{key}", "x") for key in range(20)] + [("SET", "app2:1", "x")])
    opened = []

    def make(*arguments, **options):
        opened.append(Terminal("-p", shared.port, "top", "-d", "0.2", *arguments, **options))
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
    screen.press(b">")
    screen.wait_for(r"^TENANT .* KEYS\*(.*\n){2}app1 ")
    screen.press(b"r")
    screen.wait_for(r"^TENANT .* KEYS\^")
    screen.press(b"P")
    screen.wait_for(r"^TENANT +CPU%\^")
    screen.press(b"/app2\r")
    screen.wait_for(r"^filter: app2  q quit")
    screen.wait_for(r"^TENANT.*\ntotal .*\napp2 .*\n *\n")
    screen.press(b"/\x1b")
    screen.wait_for(r"^app1 ")
    screen.press(b"\t")
    screen.wait_for(r"^USER ")
    screen.press(b"\t")
    screen.wait_for(r"^app1%3A ")
    screen.press(b" ")
    screen.wait_for(r"^PAUSED")
    screen.press(b"?")
    screen.wait_for("Any key goes back")
    screen.press(b"x")
    screen.wait_for(r"^PREFIX ")
    assert leaves(screen) == 0


def test_arrows_and_pages_move_through_the_rows(top, shared):
    quick_passes(shared.admin)
    for number in range(30):
        shared.admin.call("ACL", "SETUSER", f"t{number}", f"~t{number}:*", "+@all")
        shared.admin.pipeline([("SET", f"t{number}:{key}", "") for key in range(21 + number)])
    settled_info(shared.admin)
    screen = top("--sort", "keys", lines=12)
    first = "^total .*\n%s "
    screen.wait_for(first % "t29")
    screen.press(b"\x1bOB")
    screen.wait_for(first % "t28")
    screen.press(b"\x1bOA")
    screen.wait_for(first % "t29")
    screen.press(b"\x1b[6~")
    screen.wait_for(first % "t2[0-7]")
    screen.press(b"\x1b[5~")
    screen.wait_for(first % "t29")
    assert leaves(screen) == 0


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
        screen.wait_for(r" ERR/S +DENY/S +±MEM$")
    assert leaves(screen) == 0


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"TERM": "vt100"}], ids=str)
def test_no_colour_where_none_is_wanted(top, variables):
    colour = rb"\x1b\[(\d+;)*3[0-7]m"
    plain, coloured = top(**variables), top()
    coloured.wait_for(r"^\S+ +[\d.]+ +\|")
    plain.wait_for(r"^\S+ +[\d.]+ +\|")
    assert leaves(plain) == 0
    assert re.search(colour, coloured.raw) and not re.search(colour, plain.raw)


def test_a_server_that_goes_away_and_comes_back_is_seen(top, shared):
    screen = top()
    screen.wait_for(r"^app1 ")
    shared.kill()
    screen.wait_for(r"0 primaries, 1 DOWN.*\nincomplete, without 127.0.0.1:\d+: Connection refused")
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
