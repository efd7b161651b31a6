"""Every way to load, configure and unload the module, and every way to get it wrong."""

import os
import pathlib
import re
import resource
import signal
import threading

import pytest
from redis.exceptions import ConnectionError, ResponseError

from checks import wrong_connections
from conftest import server_binary
from info import read_info
from ledger import in_lua
from server import Server
from tenants import acl_taken_in, pages
from traffic import Traffic, create_users
from waiting import exit_code, wait_until

CONFIGURATION = (pathlib.Path(__file__).resolve().parents[2] / "docs/configuration.md").read_text()


def documented_defaults():
    rows = re.findall(r"^\| `(tenants\.[a-z-]+)` \| (\S+) \|", CONFIGURATION, re.MULTILINE)
    return {name: default.strip("`").replace("(empty)", "") for name, default in rows}


def settings(session):
    flat = [word.decode() for word in session.call("CONFIG", "GET", "tenants.*")]
    return dict(zip(flat[::2], flat[1::2]))


def loaded(session):
    return b"tenants" in b" ".join(word for row in session.call("MODULE", "LIST") for word in row if isinstance(word, bytes))


def used_memory(session):
    return int(re.search(rb"used_memory:(\d+)", session.call("INFO", "memory"))[1])


@pytest.mark.redis
def test_the_defaults_are_those_of_the_documentation(server):
    assert len(documented_defaults()) == 13
    assert settings(server.admin) == documented_defaults()


WAYS = {
    "conf_line_with_arguments": dict(loading="conf", module_arguments=["sweep-cpu-percent", 7, "max-users", 50]),
    "conf_line_with_long_names": dict(loading="conf", module_arguments=["tenants.sweep-cpu-percent", 7, "tenants.max-users", 50]),
    "conf_parameters": dict(loading="conf", lines=["tenants.sweep-cpu-percent 7", "tenants.max-users 50"]),
    "the_conf_parameter_wins": dict(loading="conf", module_arguments=["sweep-cpu-percent", 3, "max-users", 50], lines=["tenants.sweep-cpu-percent 7"]),
    "arguments_of_the_server": dict(loading="argument", module_arguments=["sweep-cpu-percent", 7, "max-users", 50]),
    "long_arguments_of_the_server": dict(loading="argument", module_arguments=["tenants.sweep-cpu-percent", 7, "tenants.max-users", 50]),
}


@pytest.mark.parametrize("way", WAYS)
def test_settings_are_taken_at_start(launch, way):
    server = launch(**WAYS[way])
    assert settings(server.admin) == {**documented_defaults(), "tenants.sweep-cpu-percent": "7", "tenants.max-users": "50"}
    assert read_info(server.admin).status["users_capacity"] == 50


@pytest.mark.parametrize("prefix", ["", "tenants."], ids=["short_names", "long_names"])
def test_module_load_takes_arguments(launch, prefix):
    server = launch(loading=None)
    assert server.load_module(prefix + "sweep-cpu-percent", "7", prefix + "separators", "/|") == b"OK"
    assert settings(server.admin) == {**documented_defaults(), "tenants.sweep-cpu-percent": "7", "tenants.separators": "/|"}


def test_module_loadex_takes_configs_and_they_win_over_arguments(launch):
    server = launch(loading=None)
    command = ("MODULE", "LOADEX", server.module, "CONFIG", "tenants.sweep-cpu-percent", 7, "CONFIG", "tenants.info-rows", 5, "ARGS", "sweep-cpu-percent", 3)
    assert server.admin.call(*command) == b"OK"
    assert settings(server.admin) == {**documented_defaults(), "tenants.sweep-cpu-percent": "7", "tenants.info-rows": "5"}


BAD_ARGUMENTS = {
    "unknown_name": (["no-such-thing", "1"], "no-such-thing"),
    "value_too_big": (["sweep-cpu-percent", "51"], "sweep-cpu-percent"),
    "value_too_small": (["max-users", "15"], "max-users"),
    "value_negative": (["sweep-interval", "-1"], "sweep-interval"),
    "value_not_a_number": (["slice-usec", "fast"], "slice-usec"),
    "value_empty": (["info-rows", ""], "info-rows"),
    "value_with_a_unit": (["slice-usec", "100us"], "slice-usec"),
    "value_beyond_64_bits": (["info-rows", "99999999999999999999"], "info-rows"),
    "separators_repeated": (["separators", "::"], "separators"),
    "separators_too_many": (["separators", "123456789"], "separators"),
    "prefix_with_a_star_inside": (["prefixes", "a:*:b"], "prefixes"),
    "group_without_members": (["groups", "shop="], "shop"),
    "separators_not_printable": (["separators", "\x01"], "separators"),
    "odd_number": (["sweep-cpu-percent", "5", "slice-usec"], "slice-usec"),
    "one_word": (["sweep-cpu-percent"], "sweep-cpu-percent"),
}  # fmt: skip


@pytest.mark.parametrize("bad", BAD_ARGUMENTS)
def test_module_load_with_bad_arguments_is_refused_and_the_server_goes_on(launch, bad):
    arguments, named = BAD_ARGUMENTS[bad]
    server = launch(loading=None)
    before = len(server.log())
    assert isinstance(server.load_module(*arguments), ResponseError)
    lines = [line for line in server.log()[before:].splitlines() if "tenants" in line and named in line]
    assert lines, f"no log line names {named!r}:\n{server.log()[before:]}"
    assert not loaded(server.admin)
    assert server.load_module() == b"OK"
    assert settings(server.admin) == documented_defaults()


@pytest.mark.parametrize("loading", ["argument", "conf"])
@pytest.mark.parametrize("bad", ["unknown_name", "value_too_big", "one_word"])
def test_a_server_does_not_start_with_bad_arguments_and_its_log_says_why(launch, loading, bad):
    arguments, named = BAD_ARGUMENTS[bad]
    server = launch(start=False, loading=loading, module_arguments=arguments)
    server.expected_to_exit = True
    server.launch()
    assert exit_code(server.process) != 0
    assert [line for line in server.log().splitlines() if "tenants" in line and named in line], server.log_tail()


@pytest.mark.parametrize("command", ["COMMAND", "INFO", "CLIENT"])
def test_a_server_without_a_command_that_is_needed_does_not_get_the_module_and_goes_on(launch, command):
    server = launch(start=False, loading=None, lines=[f"rename-command {command} hidden"])
    server.launch()
    session = server.plain_session()
    assert isinstance(session.outcome("MODULE", "LOAD", server.module), ResponseError)
    assert "tenants: not loaded: the server's COMMAND, INFO and CLIENT are needed" in server.log()
    assert session.call("PING") == b"PONG"


def test_a_server_that_has_a_command_of_that_name_does_not_get_the_module_and_goes_on(launch):
    server = launch(loading=None, lines=["rename-command FLUSHDB tenants.get"])
    server.admin.call("SET", "app1:1", "x")
    assert isinstance(server.load_module(), ResponseError)
    assert "tenants: not loaded: a command named tenants.* exists already" in server.log()
    server.admin.call("tenants.get")
    assert server.admin.call("DBSIZE") == 0


def test_without_a_timer_cpu_time_is_unknown_and_all_else_is_counted(launch):
    server = launch(loading=None)
    admin = server.admin
    unlimited = resource.prlimit(server.process.pid, resource.RLIMIT_SIGPENDING, (0, resource.getrlimit(resource.RLIMIT_SIGPENDING)[1]))
    assert server.load_module() == b"OK"
    assert "tenants: the system gives no thread or no timer: CPU time per user is not measured" in server.log()
    info = read_info(admin)
    assert "cpu_usec" not in info.status and "cpu_usec" not in info.users[b"default"]
    assert info.users[b"default"]["connections"] == 1
    refused = admin.outcome("CONFIG", "SET", "tenants.cpu-sampling-hz", 100)
    assert isinstance(refused, ResponseError) and "no thread or no timer" in str(refused)
    assert settings(admin)["tenants.cpu-sampling-hz"] == "0"
    resource.prlimit(server.process.pid, resource.RLIMIT_SIGPENDING, unlimited)
    assert admin.call("CONFIG", "SET", "tenants.cpu-sampling-hz", 100) == b"OK"
    assert "cpu_usec" in read_info(admin).users[b"default"]


def test_the_servers_crash_report_has_a_number_of_ours_and_no_name(version, module, tmp_path):
    server = Server(server_binary(version), module, tmp_path, lines=["crash-memcheck-enabled no"]).start()
    try:
        server.admin.call("ACL", "SETUSER", "some-user", "on", "~some-user:*", "+@all")
        with pytest.raises(ConnectionError):
            server.admin.call("DEBUG", "SEGFAULT")
        assert exit_code(server.process) == -signal.SIGSEGV
    finally:
        server.process.kill()
    log = server.log()
    report = log[log.index("BUG REPORT START") :]
    assert "tenants_version_number:" in report and "BUG REPORT END" in report, report
    assert "some-user" not in report


def test_an_acl_that_cannot_be_read_is_said_so_and_all_keys_are_orphans(launch):
    server = launch(loading=None, lines=['rename-command ACL ""'])
    server.admin.pipeline([("SET", f"app1:{number}", "x") for number in range(100)])
    assert server.load_module() == b"OK"
    wait_until(lambda: read_info(server.admin).prefixes.get(b"app1:", {}).get("keys") == 100, "a pass")
    info = read_info(server.admin)
    assert info.status["acl"] == "unreadable"
    assert "owner" not in info.prefixes[b"app1:"] and info.status["orphan_keys"] == 100
    assert not wrong_connections(server.admin)


RULES = [
    "+@all -@dangerous", "+@all -@admin", "+@all -@admin -@dangerous", "-@all +@read +@write +@admin", "-@all +@dangerous", "allcommands -@dangerous +info", "+@all -@dangerous +config|get -info",
    "+@all -@slow", "-@all +@all -@keyspace", "+@all -@read", "-@all +@admin -config", "+@all -@dangerous (~more:* -@all +@admin) (~other:* +@all -@dangerous)",
]  # fmt: skip


@pytest.mark.redis
@pytest.mark.parametrize("loading", ["argument", "command"])
def test_the_module_comes_to_users_whose_rules_name_the_categories_of_its_commands(launch, loading):
    """The server asserts that what users may run is worked out anew, which it is not while a module is being loaded."""
    server = launch(loading=None if loading == "command" else "argument")
    admin = server.admin
    for number, rules in enumerate(RULES):
        admin.call("ACL", "SETUSER", f"user{number}", "on", "nopass", f"~user{number}:*", *re.findall(r"\([^)]*\)|\S+", rules))
    sessions = [server.session(f"user{number}", "x") for number in range(len(RULES))]
    described, owners = admin.call("ACL", "LIST"), []
    for _ in range(2):  # an upgrade
        if loading == "argument":
            assert admin.outcome("MODULE", "UNLOAD", "tenants") == b"OK"
            loading = "command"
        assert server.load_module() == b"OK"
        admin.call("SET", "user0:k", "x")
        acl_taken_in(admin)
        rows = {row[b"name"]: row for row in pages(admin, "TENANTS.PREFIXES", 1000)[0]}
        owners.append({name: row[b"owner"] for name, row in rows.items() if name.startswith(b"user")})
        assert all(owners[-1][f"user{number}:".encode()] == f"user{number}".encode() for number in range(4)) and owners[-1] == owners[0]
        assert admin.call("ACL", "LIST") == described
        assert [row[b"connections"] for row in pages(admin, "TENANTS.USERS", 1000)[0] if row[b"name"].startswith(b"user")] == [1] * len(sessions)
        assert admin.outcome("MODULE", "UNLOAD", "tenants") == b"OK"
    assert admin.call("ACL", "LIST") == described


@pytest.mark.not_with("asan", "tsan", reason="a Redis without the sanitizer's runtime cannot load such a module")
def test_a_server_that_is_too_old_does_not_start_and_its_log_says_why(module, tmp_path):
    """Redis 7.0; the oldest that has all of what is needed are Valkey 8.0 and Redis 7.2."""
    if "VALKEY_SERVER" in os.environ:
        pytest.skip("VALKEY_SERVER stands for every version")
    server = Server(server_binary("redis-7"), module, tmp_path)
    server.launch()
    try:
        assert exit_code(server.process) == 1
    finally:
        server.process.kill()
    assert re.search(r"tenants: not loaded: this server .*; Valkey 8\.0 or Redis 7\.2 is needed", server.log()), server.log()


BAD_SETTINGS = {
    "sweep-cpu-percent": (["51", "-1", "x", "", "1.5"], ["0", "50"]),
    "target-error": (["-1", "51", "0.5"], ["0", "50"]),
    "sweep-interval": (["-1", "86401", "1h"], ["0", "86400"]),
    "slice-usec": (["19", "10001", "0x20"], ["20", "10000"]),
    "info-rows": (["-1", "10001"], ["0", "10000"]),
    "cpu-sampling-hz": (["-1", "1001"], ["0", "1000"]),
    "bytes-interval": (["-1", "60001"], ["0", "60000"]),
    "separators": (["", "::", "123456789", "a b", "\x7f", "\u20ac"], ["8"]),
}


@pytest.mark.parametrize("name", BAD_SETTINGS)
def test_bad_settings_are_refused_with_what_is_allowed_and_change_nothing(server, name):
    values, allowed = BAD_SETTINGS[name]
    for value in values:
        reply = server.admin.outcome("CONFIG", "SET", f"tenants.{name}", value)
        assert isinstance(reply, ResponseError), f"{value!r} was accepted"
        text = str(reply)
        if re.fullmatch(r"-?\d+", value) or name == "separators":
            assert all(re.search(rf"\b{number}\b", text) for number in allowed), f"{value!r}: {text}"
    assert settings(server.admin) == documented_defaults()


def test_one_bad_setting_of_several_changes_none(server):
    reply = server.admin.outcome("CONFIG", "SET", "tenants.sweep-cpu-percent", 7, "tenants.info-rows", -1, "tenants.separators", "/")
    assert isinstance(reply, ResponseError)
    assert settings(server.admin) == documented_defaults()


@pytest.mark.parametrize("name", ["max-users", "max-prefixes"])
def test_table_sizes_cannot_be_changed_at_run_time(server, name):
    assert "only be set when the module is loaded" in str(server.admin.outcome("CONFIG", "SET", f"tenants.{name}", 100))
    assert settings(server.admin) == documented_defaults()


def test_every_setting_takes_the_value_that_it_has(server):
    for name, value in settings(server.admin).items():
        assert server.admin.outcome("CONFIG", "SET", name, value) == b"OK", name
    assert settings(server.admin) == documented_defaults()


@pytest.mark.parametrize("loading", ["argument", "conf"])
def test_config_rewrite_and_a_restart_keep_the_settings(launch, loading):
    server = launch(loading=loading)
    changed = {"tenants.sweep-cpu-percent": "7", "tenants.separators": "/|:", "tenants.slice-usec": "500", "tenants.info-rows": "9"}
    server.admin.call("CONFIG", "SET", *[word for pair in changed.items() for word in pair])
    server.admin.call("CONFIG", "REWRITE")
    server.loading = "conf"  # REWRITE wrote the loadmodule line
    server.restart()
    assert settings(server.admin) == {**documented_defaults(), **changed}
    server.admin.call("CONFIG", "REWRITE")
    assert server.conf_path.read_text().count("loadmodule") == 1


@pytest.mark.parametrize("name, value, instead", [("separators", '":', None), ("separators", "\\", None), ("prefixes", 'a"b: \\x:', "a%22b: %5Cx:"), ("groups", 'g=u"x,a\\b', "g=u%22x,a%5Cb")])
def test_what_the_servers_config_rewrite_can_not_keep_is_refused(launch, name, value, instead):
    server = launch(loading="conf")
    name = "tenants." + name
    before = settings(server.admin)[name]
    reply = server.admin.outcome("CONFIG", "SET", name, value)
    if (8, 1) <= server.version < (9, 0):
        assert "CONFIG REWRITE" in str(reply) and settings(server.admin)[name] == before
        assert (instead is None) != ("write %22 and %5C" in str(reply))
        value = instead or before
        assert server.admin.outcome("MODULE", "UNLOAD", "tenants") == b"OK"
        assert "ERR" in str(server.load_module(name.removeprefix("tenants."), '"')), "nor as an argument"
        assert server.load_module() == b"OK"
        assert server.admin.call("CONFIG", "SET", name, value) == b"OK"
    else:
        assert reply == b"OK"
    server.admin.call("CONFIG", "REWRITE")
    server.loading = "conf"
    server.restart()
    assert settings(server.admin)[name] == value


def test_the_largest_tables_can_be_had(launch):
    server = launch(module_arguments=["max-users", 1_000_000, "max-prefixes", 1_000_000])
    status = read_info(server.admin).status
    assert (status["users_capacity"], status["prefixes_capacity"]) == (1_000_000, 1_000_000)


def test_memory_of_the_module_is_the_servers_and_is_published(launch):
    server = launch(loading=None)
    server.admin.call("CONFIG", "GET", "tenants.*")
    before = used_memory(server.admin)
    assert server.load_module("max-users", "100000") == b"OK"
    acl_taken_in(server.admin)
    grown, published = used_memory(server.admin) - before, read_info(server.admin).status["memory_bytes"]
    assert published > 100000 * 250, "rows of users are on cache lines of their own, which the server's allocator gave, too"
    assert abs(grown - published) < 500_000, f"used_memory grew by {grown}, published {published}"


class Threads:
    """Traffic from another thread until the block ends."""

    def __init__(self, server, seed):
        self._traffic, self._stop = Traffic(server, seed, connections=4), threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        names = [f"app{number % 5}:{number}" for number in range(200)]
        while not self._stop.is_set():
            for session in self._traffic.sessions:
                session.pipeline([("SET", name, "x") for name in names] + [("DEL", name) for name in names[::3]])
                session.pipeline([("MULTI",), ("INCR", "app1:n"), ("EXEC",), ("EVAL", "return redis.call('PING')", 0), ("RESET",)])

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()


@pytest.mark.fault(13)
def test_unloading_and_loading_under_traffic_leaks_nothing(launch, seed):
    server = launch(loading=None)
    create_users(server.admin)
    with Threads(server, seed):
        for _ in range(20):
            assert server.load_module("sweep-cpu-percent", "20", "sweep-interval", "0") == b"OK"
            wait_until(lambda: read_info(server.admin).status["sweep_passes"] > 0, "a pass under traffic")
            assert not wrong_connections(server.admin)
            assert server.admin.outcome("MODULE", "UNLOAD", "tenants") == b"OK"
    assert not loaded(server.admin)
    assert server.admin.call("PING") == b"PONG"


@pytest.mark.fault(13)
def test_memory_does_not_grow_from_unloading_and_loading(launch):
    server = launch(loading=None, lines=["slowlog-log-slower-than -1"])  # it would grow by each slow MODULE LOAD
    server.admin.pipeline([("SET", f"app1:{number}", "x") for number in range(100)])

    def cycles(number):
        for _ in range(number):
            assert server.load_module("sweep-cpu-percent", "50", "sweep-interval", "0") == b"OK"
            wait_until(lambda: read_info(server.admin).status["sweep_passes"] > 0, "a pass")
            assert server.admin.outcome("MODULE", "UNLOAD", "tenants") == b"OK"
        return used_memory(server.admin)

    cycles(5)
    sizes = [cycles(6) for _ in range(5)]
    grown = min(after - before for before, after in zip(sizes, sizes[1:]))  # once in a while a buffer of the server grows
    assert grown < 6 * 16, f"{sizes}: {grown / 6} bytes per cycle"


@pytest.mark.redis
def test_what_the_module_brought_is_gone_after_unload(server):
    server.admin.call("MODULE", "UNLOAD", "tenants")
    assert isinstance(server.admin.outcome("TENANTS.STATUS"), ResponseError)
    assert settings(server.admin) == {}
    assert b"tenants" not in server.admin.call("INFO", "everything")
    assert server.load_module() == b"OK"
    assert not wrong_connections(server.admin)


@pytest.mark.redis
def test_unload_while_an_acl_rule_names_a_command_does_not_harm_the_server(server):
    """8.x would crash when the rule outlives the command (valkey #2797); refusing to unload is right on every version."""
    server.admin.call("ACL", "SETUSER", "ops", "on", ">secret", "+tenants.list")
    reply = server.admin.outcome("MODULE", "UNLOAD", "tenants")
    server.admin.call("ACL", "LIST")
    server.admin.call("ACL", "GETUSER", "ops")
    assert isinstance(reply, ResponseError), "unloaded although a rule names tenants.list"
    server.admin.call("ACL", "DELUSER", "ops")
    assert server.admin.outcome("MODULE", "UNLOAD", "tenants") == b"OK"


@pytest.mark.parametrize("commands", [[("TENANTS.LIST",)], [("TENANTS.GET",)], [("MULTI",), ("TENANTS.STATUS",)]], ids=["done", "refused", "queued"])
def test_unload_is_refused_while_a_clients_last_command_is_ours(server, commands):
    """CLIENT LIST names it, freed or not."""
    session = server.session()
    session.pipeline(commands)
    assert isinstance(server.admin.outcome("MODULE", "UNLOAD", "tenants"), ResponseError)
    assert loaded(server.admin) and not wrong_connections(server.admin)
    session.pipeline([("PING",), ("DISCARD",), ("PING",)])
    session.pipeline([in_lua([(b"TENANTS.STATUS",)]), ("TENANTS.STATUS",), ("CLIENT", "ID")])
    server.admin.call("TENANTS.LIST")  # of who unloads it, MODULE UNLOAD is the last
    assert server.admin.outcome("MODULE", "UNLOAD", "tenants") == b"OK"
    assert b"cmd=client|id" in server.admin.call("CLIENT", "LIST")


@pytest.mark.parametrize("queued", [[("TENANTS.STATUS",)], [("PING",), ("TENANTS.LIST",), ("SET", "k", "1")], [("AUTH", "app1", "secret"), ("TENANTS.ME",), ("PING",)]], ids=["alone", "among others", "after AUTH"])
def test_unload_is_refused_while_a_transaction_holds_a_command_of_ours(shared, queued):
    """EXEC would run freed memory."""
    session, other = shared.session(), shared.session()
    session.pipeline([("MULTI",), *queued, ("PING",)])
    other.pipeline([("MULTI",), ("PING",)])
    assert isinstance(shared.admin.outcome("MODULE", "UNLOAD", "tenants"), ResponseError)
    assert "an open transaction holds a command of this module" in shared.log()
    assert len(session.call("EXEC")) == len(queued) + 1
    session.call("PING")
    assert shared.admin.outcome("MODULE", "UNLOAD", "tenants") == b"OK"
    assert other.call("EXEC") == [b"PONG"]


@pytest.mark.parametrize("end", ["DISCARD", "RESET", "QUIT"])
def test_a_transaction_that_is_given_up_does_not_keep_the_module(server, end):
    session = server.session()
    session.pipeline([("MULTI",), ("TENANTS.STATUS",), ("PING",)])
    assert isinstance(server.admin.outcome("MODULE", "UNLOAD", "tenants"), ResponseError)
    session.outcome(end)
    assert server.admin.outcome("MODULE", "UNLOAD", "tenants") == b"OK"


@pytest.mark.parametrize("transaction", [[("TENANTS.STATUS",), ("MODULE", "UNLOAD", "tenants")], [("MODULE", "UNLOAD", "tenants"), ("TENANTS.STATUS",)], [("MODULE", "UNLOAD", "tenants"), ("PING",)]], ids=["before", "after", "alone"])
def test_unload_inside_a_transaction(server, transaction):
    session = server.session()
    session.pipeline([("MULTI",), *transaction])
    replies = session.outcome("EXEC")
    refused = isinstance(replies[transaction.index(("MODULE", "UNLOAD", "tenants"))], ResponseError)
    assert refused == (("TENANTS.STATUS",) in transaction)
    assert server.admin.call("PING") == b"PONG" and loaded(server.admin) == refused


def test_a_pipeline_that_goes_on_with_a_command_of_ours_survives_the_unload(server):
    if server.version >= (9, 1):
        pytest.skip("Valkey 9.1 looks up a whole pipeline before it runs the first command, and then runs what was freed, whatever the module (docs/architecture.md)")
    session = server.session()
    replies = session.pipeline([("PING",), ("MODULE", "UNLOAD", "tenants"), ("TENANTS.STATUS",), ("TENANTS.ME",), ("PING",)])
    assert replies[1] == b"OK" and isinstance(replies[2], ResponseError) and replies[-1] == b"PONG"
    assert server.admin.call("PING") == b"PONG"


def test_the_log_names_neither_keys_nor_users(shared, seed):
    shared.admin.call("SET", "secretkey:1", "x")
    shared.admin.call("ACL", "SETUSER", "secretuser", "on", ">secret", "~secretprefix:*", "+@all")
    acl_taken_in(shared.admin)
    shared.restart()
    assert not re.search(r"secretkey|secretuser|secretprefix", shared.log())
