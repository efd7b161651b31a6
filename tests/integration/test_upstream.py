"""Faults of servers, which docs/upstream.md tells of. Its table says who has which; a test that fails says that it is not so any more: a
server was mended, and our way round, and the entry of the page, may go. tests/modules/upstream.cc is the module that they need."""

import json
import pathlib
import random
import re
import subprocess

import pytest
from redis.exceptions import ConnectionError, ResponseError

from conftest import REPOSITORY, server_binary
from server import Server
from session import Session
from waiting import wait_until

pytestmark = [
    pytest.mark.newest_server("a fault that the newest has not is mended"),
    pytest.mark.not_with("asan", "tsan", reason="the table is of servers as they are released"),
]

COLUMNS = ("8.0", "8.1", "9")
ROW = re.compile(r"^\| (?:\[(\d+)\]\(#[\w-]+\)|(\d+)) \| (.+?) \| (yes|no|–|\?) \| (yes|no|–|\?) \| (yes|no|–|\?) \|", re.MULTILINE)
TABLE = {int(linked or plain): (what, dict(zip(COLUMNS, has))) for linked, plain, what, *has in ROW.findall((REPOSITORY / "docs/upstream.md").read_text())}


@pytest.fixture
def shown(request, version):
    """A function that takes whether this server shows the fault, and compares it with the page. Skips where the page says that there is
    nothing to look at."""
    (number,) = request.node.get_closest_marker("upstream").args
    what, has = TABLE[number]
    if version not in has:
        pytest.skip("docs/upstream.md tells of Valkey as it is released")
    if has[version] in "–?":
        pytest.skip(f"docs/upstream.md: {what}: " + ("this server has nothing of the kind" if has[version] == "–" else "not tried with this server"))

    def compare(shows):
        server = subprocess.run([server_binary(version), "--version"], capture_output=True, text=True, check=True).stdout.split(" sha")[0]
        if has[version] == "yes":
            assert shows, f"{server} no longer shows what docs/upstream.md says of {version}: {what} ({number}). The entry and our way round may go."
        else:
            assert not shows, f"{server} shows what docs/upstream.md says that {version} has not: {what} ({number})."

    return compare


@pytest.fixture
def begin(version, module, tmp_path):
    """A function that starts a server with upstream.so, which does as it is told, and logins.so. Nobody looks at the logs: they may crash."""
    servers = []

    def make(*lines, words=(), name=version):
        directory = tmp_path / f"server{len(servers)}"
        directory.mkdir()
        ours = [" ".join(["loadmodule", str(module.with_name("upstream.so")), *words]), f"loadmodule {module.with_name('logins.so')}"]
        lines = ["crash-memcheck-enabled no", "crash-log-enabled no", *ours, *lines]
        servers.append(Server(server_binary(name), module, directory, loading=None, lines=lines))
        return servers[-1].start()

    yield make
    for server in servers:
        server.kill()


def ends(server, *commands):
    """Does the server end by these commands?"""
    session = Session(server.port)
    try:
        for command in commands:
            session.call(*command)
    except (ConnectionError, OSError):
        return True
    return False


def test_every_fault_of_the_page_has_a_test_or_says_that_it_has_none():
    tested = set(map(int, re.findall(r"^@pytest\.mark\.upstream\((\d+)\)", pathlib.Path(__file__).read_text(), re.MULTILINE)))
    page = (REPOSITORY / "docs/upstream.md").read_text()
    without = {number for number in TABLE if re.search(rf"^\| (?:\[{number}\]\(#[\w-]+\)|{number}) \|.*\| no test \|$", page, re.MULTILINE)}
    assert tested | without == set(TABLE) == set(range(1, len(TABLE) + 1)) and not tested & without


@pytest.mark.upstream(1)
def test_msetex_writes_to_slots_that_are_not_the_nodes(shown, begin):
    server = begin("cluster-enabled yes", "cluster-require-full-coverage no")
    server.admin.call("CLUSTER", "ADDSLOTSRANGE", 0, 8191)  # foo is in 12182
    wait_until(lambda: b"cluster_state:ok" in server.admin.call("CLUSTER", "INFO"), "the cluster to be ok")
    assert isinstance(server.admin.outcome("MSET", "foo", "1"), ResponseError)
    shown(server.admin.outcome("MSETEX", 2, "foo", "1", "bar", "2") == 1 and server.admin.call("DBSIZE") == 2)


@pytest.mark.upstream(2)
@pytest.mark.parametrize("call", [("EVAL", "return redis.call('SET', 'new', 1)", 0), ("LOGINS.RUN", "SET", "new", 1)], ids=["script", "module"])
def test_asking_for_a_client_without_a_connection_ends_the_server(shown, begin, call):
    server = begin(words=["notify-client"])
    assert not ends(server, ("SET", "k", 1))
    shown(ends(server, call))


@pytest.mark.upstream(3)
def test_a_client_of_the_pool_keeps_the_id_of_a_blocked_client(shown, begin):
    server = begin(words=["filter-log"])
    first = Session(server.port)
    number = first.call("CLIENT", "ID")
    first.call("LOGINS.RUN_BEHIND", "PING")
    server.admin.call("LOGINS.RUN", "ECHO", "x")
    assert re.search(r"filter: client \d+ sends ECHO", server.log())
    shown(f"filter: client {number} sends ECHO" in server.log())


@pytest.mark.upstream(4)
def test_a_listener_of_successful_commands_tears_transactions_of_the_aof_apart(shown, begin):
    written = []
    for words in ([], ["failure"], ["success"]):
        server = begin("appendonly yes", "appendfsync always", words=words)
        server.admin.call("DEBUG", "SET-ACTIVE-EXPIRE", 0)
        server.admin.pipeline([("SET", "k", "1", "PX", 1), ("DEBUG", "SLEEP", "0.01"), ("INCR", "k")])
        (log,) = (server.directory / "appendonlydir").glob("*.incr.aof")
        written.append(log.read_bytes().count(b"MULTI"))
    assert written[:2] == [1, 1]
    shown(written[2] == 0)


@pytest.mark.upstream(5)
def test_a_look_up_while_a_key_is_overwritten_ends_the_server(shown, begin, seed):
    server, rng = begin(words=["key-lookups"]), random.Random(seed)
    session = Session(server.port)
    try:
        for size in range(400, 24_000, 400):
            session.pipeline([("FLUSHALL",), *(("SET", f"k{rng.randrange(size)}", "x") for _ in range(1000))])
    except (ConnectionError, OSError):
        return shown(True)
    shown(False)


@pytest.mark.long
@pytest.mark.upstream(7)
def test_client_list_reads_a_command_of_a_module_that_has_gone(shown, begin, with_addresses):
    server = begin(name=with_addresses)
    first, session = Session(server.port), Session(server.port)
    first.call("UPSTREAM.HELLO")
    session.call("MODULE", "UNLOAD", "upstream")
    shown(use_of_freed_memory(server, session, [("CLIENT", "LIST")]))


@pytest.mark.long
@pytest.mark.upstream(8)
def test_a_pipeline_goes_on_with_a_command_of_a_module_that_has_gone(shown, begin, with_addresses):
    server = begin(name=with_addresses)
    shown(use_of_freed_memory(server, Session(server.port), [("MODULE", "UNLOAD", "upstream"), ("UPSTREAM.HELLO",)]))


@pytest.fixture
def with_addresses(version):
    """The newest server with AddressSanitizer; older ones, which refuse the command, as they are."""
    if version != COLUMNS[-1]:
        return version
    if not (REPOSITORY / f".cache/servers/{version}-asan/valkey-server").exists():
        pytest.skip(f"it takes a server with AddressSanitizer: scripts/servers {version}-asan")
    return f"{version}-asan"


def use_of_freed_memory(server, session, commands):
    """Is there a report of it when `session` sends the commands at once?"""
    try:
        session.pipeline(commands)
        return False
    except (ConnectionError, OSError):
        wait_until(lambda: server.process.poll() is not None, "the server to end")
        return "heap-use-after-free" in server.log()


@pytest.mark.upstream(9)
def test_a_notification_within_a_transaction_names_the_wrong_database(shown, begin):
    server = begin(words=["notify-database"])
    Session(server.port).pipeline([("SET", "m", 1), ("MULTI",), ("MOVE", "m", 2), ("EXEC",)])
    named = re.search(r"notified: move_to m db (\d)", server.log())[1]
    assert named in "02"
    shown(named == "0")


@pytest.mark.upstream(10)
def test_a_key_that_a_filter_opens_for_a_client_without_touch_ends_the_server(shown, begin):
    server = begin(words=["filter-open"])
    assert not ends(server, ("SET", "k", 1), ("GET", "k"))
    shown(ends(server, ("CLIENT", "NO-TOUCH", "ON"), ("GET", "k")))


@pytest.mark.upstream(11)
def test_migrate_tells_twice_of_a_key_that_it_names_twice(shown, begin):
    server, target = begin(words=["notify-database"]), begin()
    server.admin.call("SET", "g", 1)
    server.admin.call("MIGRATE", "127.0.0.1", target.port, "", 0, 60000, "REPLACE", "KEYS", "g", "g")
    told = server.log().count("notified: del g db 0")
    assert told > 0
    shown(told == 2)


@pytest.mark.upstream(12)
def test_events_that_are_there_are_said_not_to_be(shown, begin):
    said = begin().admin.call("UPSTREAM.EVENTS")
    assert (said[0], said[5]) == (1, 1)
    shown(said[1:5] == [0, 0, 0, 0])


@pytest.mark.upstream(13)
def test_a_simple_string_and_a_field_of_info_hold_lines_of_their_own(shown, begin):
    server = begin(words=["info"])
    assert b"name:me" in server.admin.call("INFO", "upstream_text")
    injected = b"\r\nused_memory:1" in server.admin.call("INFO", "upstream_text")
    replies = Session(server.port).pipeline([("UPSTREAM.SIMPLE", "a\r\n+INJECTED"), ("ECHO", "end")])
    assert replies[1] in (b"INJECTED", b"end")
    shown(injected and replies[1] == b"INJECTED")


@pytest.mark.upstream(14)
def test_a_reload_that_merges_ends_a_server_with_a_listener_of_keys(shown, begin):
    server = begin(words=["key"])
    server.admin.pipeline([("SET", "a", 1), ("SAVE",)])
    shown(ends(server, ("DEBUG", "RELOAD", "NOSAVE", "NOFLUSH", "MERGE")))


@pytest.mark.upstream(15)
def test_the_first_call_of_a_command_takes_24_kb(shown, begin):
    admin = begin().admin

    def used():
        return int(re.search(rb"used_memory:(\d+)", admin.call("INFO", "memory"))[1])

    used()
    before = used()
    admin.call("LOLWUT")
    shown(used() - before > 20_000)


@pytest.mark.upstream(17)
def test_valkey_cli_writes_json_that_is_none(shown, begin):
    server = begin()
    server.admin.call("SET", 'a"b', 1)
    output = subprocess.run([server.program("cli"), "-p", str(server.port), "--quoted-json", "KEYS", "*"], capture_output=True, text=True, check=True).stdout
    try:
        shown(json.loads(output) != ['a"b'])
    except json.JSONDecodeError:
        shown(True)


@pytest.mark.upstream(18)
def test_a_command_that_waits_while_a_module_lets_others_work_comes_to_filters_twice(shown, begin, tmp_path):
    server = begin("busy-reply-threshold 1", words=["filter-log"])
    busy, other = Session(server.port), Session(server.port)
    busy.send("LOGINS.YIELD", tmp_path / "end")
    wait_until(lambda: "sends LOGINS.YIELD" in server.log(), "the module to be busy")
    other.send("ECHO", "x")
    wait_until(lambda: "sends ECHO" in server.log(), "the other's command to come")
    (tmp_path / "end").touch()
    assert (busy.read(), other.read()) == (b"OK", b"x")
    shown(server.log().count("sends ECHO") == 2)


@pytest.mark.upstream(20)
def test_a_listener_of_keys_leaves_a_client_in_the_other_database(shown, begin):
    session = Session(begin(words=["notify"]).port)
    session.pipeline([("SET", "a", 1), ("MOVE", "a", 1)])
    shown(b" db=1 " in session.call("CLIENT", "INFO"))


@pytest.mark.upstream(21)
def test_a_rule_that_names_a_command_of_a_module_that_goes_ends_the_server(shown, begin):
    server = begin()
    server.admin.call("ACL", "SETUSER", "u", "+upstream.hello")
    try:
        shown(not isinstance(server.admin.outcome("MODULE", "UNLOAD", "upstream"), ResponseError))
    except ConnectionError:
        shown(True)


@pytest.mark.upstream(22)
def test_an_auth_that_fails_behind_another_reply_gets_none(shown, begin):
    session = Session(begin().port)
    session.send_all([("PING",), ("AUTH", "x", "y"), ("ECHO", "end")])
    assert session.read() == b"PONG"
    shown(session.read() == b"end")
