"""The documents say what is so: their examples are run, their tables compared, their links followed."""

import os
import pathlib
import re
import shlex
import subprocess

import pytest

from conftest import REPOSITORY, server_binary
from info import read_info
from tenants import acl_taken_in, full_pass, quick_passes, resp3
from waiting import patience, wait_until

DOCUMENTS = sorted([*(REPOSITORY / "docs").glob("*.md"), *REPOSITORY.glob("*.md")])
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(path, language):
    return [text for found, text in BLOCK.findall(path.read_text()) if found == language]


WITH_EXAMPLES = [path for path in DOCUMENTS if blocks(path, "console")]


def steps(block):
    """[(command, the lines that it shall print)] of a console block."""
    found = []
    for line in block.splitlines():
        if line.startswith("valkey> "):
            found.append((line.removeprefix("valkey> "), []))
        else:
            found[-1][1].append(line)
    return found


def form(lines):
    """A pattern for the output: a number stands for any number, a line … for any lines, spaces for any number of spaces."""
    texts = []
    for line in lines:
        text = r"\s+".join(re.escape(word) for word in line.split())
        texts.append(r"(.*\n)*" if line == "…" else r"\s*" + re.sub(r"\d+(\\\.\d+)?(-\d+)?", r"\\d+(\\.\\d+)?([e-]+\\d+)?", text) + r"\s*\n")
    return "".join(texts)


def test_the_form_of_an_example_is_not_everything():
    assert re.fullmatch(form(["1) 1# \"keys\" => (integer) 20", "…", "b"]), '1)   1# "keys" => (integer) 7\nx\ny\nb\n')
    assert not re.fullmatch(form(["a 1", "b"]), "a 1\n")
    assert not re.fullmatch(form(["OK"]), "(error) no\n")
    assert steps("valkey> PING\nPONG\n") == [("PING", ["PONG"])]


@pytest.fixture
def example(launch):
    """Two applications on one server, as the documents have them."""
    server = launch()
    quick_passes(server.admin)
    for user in ("shop", "search"):
        server.admin.call("ACL", "SETUSER", user, "on", ">secret", f"~{user}:*", "+@all", "-@dangerous")
    shop = server.session("shop")
    server.session("shop")
    shop.pipeline([("SET", f"shop:cart:{n}", "x" * 10 * n) for n in range(1, 21)] + [("GET", "shop:cart:1")] * 5)
    server.session("search").pipeline([("SET", f"search:q:{n}", "x") for n in range(9)])
    acl_taken_in(server.admin)
    full_pass(server.admin)
    wait_until(lambda: "bytes_change" in str(server.admin.call("TENANTS.TOP", "BY", "keys")), "TOP to remember how much there was")
    return server


@pytest.mark.newest_server("the examples are of the newest server", always=True)
@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=lambda path: path.name)
def test_every_example_prints_what_the_document_says(example, path):
    client = pathlib.Path(server_binary("9")).with_name("valkey-cli")
    for command, expected in [step for block in blocks(path, "console") for step in steps(block)]:
        run = subprocess.run([client, "-p", str(example.port), "-3", "--no-raw", *shlex.split(command)], capture_output=True, text=True, timeout=120)
        output = run.stdout.replace("\r", "")
        assert re.fullmatch(form(expected), output.rstrip("\n") + "\n"), f"{command}\n\n{output}"


@pytest.mark.long
@pytest.mark.newest_server("the demo looks for the newest itself")
@pytest.mark.not_with("coverage", "asan", "tsan", reason="the demo runs the release build")
def test_the_demo_ends_as_the_readme_shows():
    shown = re.search(r"^```\n(TENANT .*?)```", (REPOSITORY / "README.md").read_text(), re.MULTILINE | re.DOTALL)[1].splitlines()
    run = subprocess.run([REPOSITORY / "scripts/demo"], env={**os.environ, "DEMO_SECONDS": str(int(40 * patience()))}, capture_output=True, text=True, timeout=300 * patience())
    assert run.returncode == 0, run.stderr
    end = run.stdout.partition("In the end:")[2]
    assert shown[0] in end.splitlines()
    for line in shown[1:]:
        first = line.split(" takes ")[0] if line.startswith("Alert") else line.split(" ")[0]
        assert first in ("", "…") or re.search(rf"^{re.escape(first)}\b", end, re.MULTILINE) or first.startswith("(") and first in end, f"{first} is not in\n{end}"


def test_the_configuration_in_the_documents_starts_a_server(launch, module):
    for text in [text for path in DOCUMENTS for text in blocks(path, "conf")]:
        server = launch(loading=None, lines=text.replace("loadmodule tenants.so", f"loadmodule {module}").splitlines())
        assert read_info(server.admin).status["users"] == 1


ROW = re.compile(r"^\| (.+?) " + r"\| (yes|no) " * 5 + r"\|$", re.MULTILINE)


def column(server):
    """Of the table of compatibility."""
    return f"Redis {server.version[0]}" if server.is_redis else "{}.{}".format(*server.version)


@pytest.mark.redis
@pytest.mark.not_with("asan", "tsan", reason="the table is of servers as they are released")
def test_the_table_of_compatibility_is_what_the_server_has(launch):
    server = launch()
    rows = {name: dict(zip(("8.0", "8.1", "9.1", "Redis 8", "Redis 7"), has))[column(server)] == "yes" for name, *has in ROW.findall((REPOSITORY / "docs/compatibility.md").read_text())}
    assert len(rows) == 13
    quick_passes(server.admin)
    server.admin.call("ACL", "SETUSER", "app", "on", ">secret", "~app:*", "+@all")
    session = server.session("app")
    acl_taken_in(server.admin)
    session.pipeline([("SET", f"app:{n}", "x") for n in range(9)] + [("GET", "app:1")] * 9)
    full_pass(server.admin)
    about = resp3(server.admin, "TENANTS.GET", "app")
    (user,), (prefix,) = about["users"], about["prefixes"]
    assert {
        "keys per prefix at every moment (`keys_mode` `exact`)": read_info(server.admin).status["keys_mode"] == "exact",
        "`expired`, `evicted`": {"expired", "evicted"} <= set(prefix),
        "keys and memory by passes, largest keys": prefix["keys"] == 9 and prefix["bytes"] > 0 and bool(server.admin.call("TENANTS.BIGKEYS")),
        "connections, commands by kind and name": (user["connections"], user["reads"], user["commands_by_name"]["set"]) == (1, 9, 9),
        "`cpu_usec`, `slow`": {"cpu_usec", "slow"} <= set(user),
        "`bytes_in`, `bytes_out`": {"bytes_in", "bytes_out"} <= set(user),
        "`errors`, `rejected`, `denied`": {"errors", "rejected", "denied"} <= set(user),
        "`auth_failures`": "auth_failures" in user,
        "hits and misses": prefix["hits_sampled"] > 0,
        "the ACL's category `@tenants`": server.admin.outcome("ACL", "SETUSER", "ops", "+@tenants") == b"OK",
        "a call by a module is told from a command by the stack": "told from clients' commands by their ids only" not in server.log(),
        "users limited to databases (`db=`)": server.admin.outcome("ACL", "SETUSER", "limited", "db=1") == b"OK",
        "`tenants.groups`, TENANTS.ME, TENANTS.TOP": server.admin.call("CONFIG", "SET", "tenants.groups", "x=app") == b"OK" and bool(session.call("TENANTS.ME")) and bool(session.call("TENANTS.TOP")),
    } == rows


def anchors(path):
    headings = re.findall(r"^#+ (.*)", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_inside_the_project_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        assert there.exists(), f"{target}: no such file"
        assert not anchor or anchor in anchors(there), f"{target}: no such heading"


def test_the_tests_that_the_page_on_security_names_are_there():
    text = (REPOSITORY / "SECURITY.md").read_text()
    files = re.findall(r"`(?:tests/fuzz/)?(\w+\.(?:py|cc))`", text)
    there = {path.name for path in [*REPOSITORY.glob("tests/integration/*.py"), *REPOSITORY.glob("tests/fuzz/*.cc")]}
    assert len(files) > 20 and set(files) <= there
