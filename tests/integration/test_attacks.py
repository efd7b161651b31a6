"""What somebody tries who wants to break the server, to fill the module's tables, to falsify numbers, or to read other tenants' names.

    pytest tests/integration/test_attacks.py --prefixes 10000000 --cycles 1000 --servers 9 -rP
"""

import random
import re
import socket
import subprocess
import threading
import time

import pytest
from redis.exceptions import ConnectionError, ResponseError

from checks import counted_between, observe, sums_of_commands, wrong_connections, wrong_keys
from filling import fill
from flood import Flood, Wire, packed
from info import Info, read_info, rows_that_do_not_add_up
from server import MAY_FAIL
from session import Session
from tenants import acl_taken_in, full_pass, quick_passes, settled_info
from traffic import create_users
from waiting import wait_until

# Ten million prefixes


class Pings:
    """Milliseconds of CPU time that the server spent while it was asked PING, one after the other, until the block ends."""

    def __init__(self, server):
        self.times, self._server, self._session, self._stop = [], server, Session(server.port), threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        while not self._stop.is_set():
            began = self._server.cpu_seconds()
            self._session.call("PING")
            self.times.append((self._server.cpu_seconds() - began) * 1000)
            self._stop.wait(0.001)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        self._session.close()
        self.times.sort()

    def at(self, share):
        return self.times[min(len(self.times) - 1, int(len(self.times) * share))]

    def __str__(self):
        return f"PING: {len(self.times)} times, p50 {self.at(0.5):.2f}, p99 {self.at(0.99):.2f}, at most {self.times[-1]:.1f} ms"


def random_prefixes(server, count):
    """SETs of so many keys, hardly any with the prefix of another, by valkey-benchmark. Returns PINGs meanwhile."""
    command = [server.program("benchmark"), "-p", server.port, "-n", count, "-r", 2**31 - 1, "-P", 64, "-c", 4, "-q"]
    with Pings(server) as pings:
        subprocess.run([*map(str, command), "SET", "__rand_int__:k", "v"], check=True, stdout=subprocess.DEVNULL)
    return pings


@pytest.mark.newest_server("what is attacked is the module's own")
def test_random_prefixes_fill_no_memory_displace_nobody_and_are_all_counted(launch, request):
    count = request.config.getoption("prefixes")
    bare = launch(loading=None)
    without = random_prefixes(bare, min(count, 1_000_000))
    bare.admin.call("FLUSHALL")
    server = launch()
    admin = server.admin
    create_users(admin, {"app1": "~app1:* +@all"})
    quick_passes(admin)
    admin.pipeline([("SET", f"app1:{number}", "x") for number in range(50)] + [("SET", f"heavy:{number}", "x") for number in range(5000)])
    full_pass(admin)
    before = settled_info(admin).status["memory_bytes"]
    attacked = random_prefixes(server, count)
    print(f"without: {without}\nwith:    {attacked}")
    if read_info(admin).status["keys_mode"] == "swept":
        full_pass(admin, 60 + count // 1000)
    size = admin.call("DBSIZE")
    wait_until(lambda: read_info(admin).status["keys"] == size, "a tally of all rows")  # of more than 1,000 there is one every two seconds
    info = settled_info(admin)
    print(f"{info.status['keys']:,} keys; module {before:,} → {info.status['memory_bytes']:,} bytes; {info.status['prefixes']} rows, {info.prefixes['(other)']['keys']:,} keys in (other)")
    assert info.status["memory_bytes"] < before + 5_500_000, "1.3 kB a row"
    assert info.status["prefixes"] <= info.status["prefixes_capacity"] == 4096
    assert all_keys(admin) == info.status["keys"] == size > 0.99 * count
    assert (info.prefixes[b"app1:"]["keys"], info.prefixes[b"heavy:"]["keys"]) == (50, 5000)
    assert attacked.at(0.99) < 5 * without.at(0.99) + 20


def memory_at_rest(admin):
    """Bytes of the module after two whole passes, whose findings it keeps, and without a third."""
    full_pass(admin)
    full_pass(admin)
    admin.call("CONFIG", "SET", "tenants.sweep-cpu-percent", 0)
    info = wait_until(lambda: (info := read_info(admin)).status["sweep_state"] == "off" and info, "the passes to be off")
    quick_passes(admin)
    return info.status["memory_bytes"]


@pytest.mark.newest_server("what is kept is the module's")
def test_keys_in_thousands_of_databases_take_no_memory_from_the_others(launch):
    server = launch(lines=["databases 5000", "maxmemory 64mb", "maxmemory-policy allkeys-lru"], module_arguments=["info-rows", 10000])
    admin = server.admin
    quick_passes(admin)
    admin.pipeline([("SET", f"p{number}:k", "x") for number in range(4000)])  # rows of high numbers come to be
    before = memory_at_rest(admin)
    session = server.session()
    session.pipeline([command for number in range(1, 4001) for command in (("SELECT", number), ("SET", f"p{number}:k", "x"))])
    memory = memory_at_rest(admin)
    print(f"module {before:,} → {memory:,} bytes")
    assert memory < before + 5_000_000, "what TOP remembers of the rows takes more with time; 4,000 databases took 150 MB"
    assert all_keys(admin) == 8000 and b"\nevicted_keys:0\r" in admin.call("INFO", "stats")
    assert not wrong_keys(server)
    admin.call("FLUSHALL")
    assert all_keys(admin) == 0
    assert admin.call("SET", "after:k", "x") == b"OK"


@pytest.mark.long
@pytest.mark.newest_server("what is kept is the module's")
def test_more_pairs_of_database_and_prefix_than_are_kept_come_right_again_after_a_flush(launch):
    """65,536 are. 20 databases x 4,000 prefixes are more: a flush of one asks for a new count."""
    server = launch(lines=["databases 32"], module_arguments=["info-rows", 10000])
    admin = server.admin
    quick_passes(admin)
    session = server.session()
    for number in range(20):
        session.call("SELECT", number)
        session.pipeline([("SET", f"p{name}:k", "x") for name in range(4000)])
    assert not wrong_keys(server)
    session.pipeline([("FLUSHDB",), ("SWAPDB", 3, 31), ("SELECT", 31), ("SET", "p1:new", "x")])
    assert not wrong_keys(server)
    assert all_keys(admin) == 19 * 4000 + 1 and read_info(admin).status["drift"] == 0
    admin.call("FLUSHALL")
    session.pipeline([("SET", "p1:x", "x"), ("SELECT", 1), ("SET", "p1:x", "x"), ("FLUSHDB",)])
    assert read_info(admin).status["keys_mode"] != "seeding" and not wrong_keys(server)


def all_keys(admin):
    """Sum over the rows of TENANTS.PREFIXES, all pages."""
    cursor, keys = b"0", 0
    while True:
        cursor, rows = admin.call("TENANTS.PREFIXES", cursor, "COUNT", 1000)
        keys += sum(dict(zip(row[::2], row[1::2])).get(b"keys", 0) for row in rows)
        if cursor == b"0":
            return keys


# Names

FORGED = [
    b"user=victim", b"id=1_user=victim", b"a=1,commands=0", b"tenants_commands:0", b"(other)", b"%0D%0A", b"%s%n%n", b"$(id)", b"'\"\\", b"\xff\xfe", b"*3", b"~victim:*",
]  # fmt: skip
WITH_LINES = [b"x\r\ntenants_commands:0\r\n", b"# tenants_status\r\n", b"\n user=victim \n", b"\0", b"a b user=victim cmd=x", b"+OK\r\n$-1\r\n"]


def test_hostile_names_of_clients_channels_scripts_and_commands_are_nobodys_numbers(launch):
    """CLIENT LIST, which the module reads, is full of other people's words."""
    server = launch(loading=None)
    admin = server.admin
    create_users(admin, {"victim": "~victim:* &* +@all", "app1": "~app1:* &* +@all"})
    sessions = [server.session("app1") for _ in FORGED]
    for session, name in zip(sessions, FORGED):
        assert session.outcome("CLIENT", "SETNAME", name) == b"OK" or b"\xff" in name
        session.pipeline([("CLIENT", "SETINFO", "LIB-NAME", name), ("CLIENT", "SETINFO", "LIB-VER", name)])
    assert server.load_module() == b"OK"
    acl_taken_in(admin)
    assert not wrong_connections(admin), "user: (module, CLIENT LIST)"
    before = observe(server)
    for session, name in zip(sessions, FORGED):
        for word in [name, *WITH_LINES]:
            session.pipeline([
                ("CLIENT", "SETNAME", word), ("CLIENT", "SETINFO", "LIB-NAME", word), ("PUBLISH", word, word), ("EVAL", b"return 1 --" + word.replace(b"\n", b" "), 0),
                ("SCRIPT", "LOAD", b"return '" + word), (word,), (b"GET" + word, "app1:x"), ("OBJECT", word), ("GET", b"app1:" + word),
            ])  # fmt: skip
            session.outcome("AUTH", word, word)  # alone: 8.x may leave the second of two in a pipeline without a reply
            session.outcome("AUTH", "victim", word)
            listener = server.session("app1")
            listener.call("SUBSCRIBE", word)
            listener.close()
        session.pipeline([("CLIENT", "SETNAME", name)])
    wait_until(lambda: not wrong_connections(admin), lambda: f"connections to be right, {wrong_connections(admin)}")
    info = read_info(admin)
    assert set(info.users) == {b"victim", b"app1", b"default", "(internal)", "(other)"}
    assert info.users[b"victim"]["commands"] == 0 and info.users[b"victim"]["connections_total"] == 0
    assert not [name for name in counted_between(before, observe(server)) if name not in (b"app1", b"default", "(internal)")]
    module, commandstats = sums_of_commands(server, before)
    assert module == commandstats
    for line in info.text.split(b"\r\n"):
        assert re.fullmatch(rb"|# tenants_(status|users|prefixes|list)|tenants_[!-~]+:[!-~]+( [0-9.]+)?", line), line
    assert len(re.findall(rb"(?m)^tenants_commands:", info.text)) == 1
    logged = server.log_path.read_bytes()
    assert b"victim" not in logged and not [name for name in [*FORGED[:8], *WITH_LINES[:2]] if name in logged]


# Before the login

GIANT = b"x" * 60_000


def pre_auth_batches(rng):
    """What an unauthenticated client may try, in batches; the server closes on some."""
    junk = lambda: bytes(rng.randrange(33, 127) for _ in range(rng.randrange(1, 30)))  # noqa: E731
    yield packed([(junk(), junk()) for _ in range(300)])
    yield packed([("AUTH", junk(), junk()) for _ in range(100)])
    yield packed([("AUTH", "app1", junk()), ("HELLO", "3", "AUTH", junk(), junk()), ("HELLO", "9")] * 50)
    yield packed([("AUTH", GIANT, GIANT)])
    yield packed([("HELLO", "3", "AUTH", GIANT, GIANT, "SETNAME", GIANT)])
    yield packed([("SET", junk() + b":k", "v"), ("GET", junk()), ("EVAL", "return 1", "0"), ("TENANTS.LIST",), ("TENANTS.ME",), ("INFO", "tenants"), ("MULTI",), ("EXEC",)] * 30)
    yield packed([("GET", *[junk()] * 1000)])
    yield b"*1000000000\r\n" + GIANT
    yield b"*2\r\n$500000000\r\n" + GIANT
    yield b"*-1\r\n*0\r\n\r\n$\r\n" + junk() * 100 + b"\r\n"
    yield GIANT * 2
    yield packed([("QUIT",)] * 3)
    yield packed([("RESET",), ("MULTI",), ("GET", junk())])


def test_a_flood_before_the_login_leaves_no_row_no_memory_and_no_wrong_number(shared, seed):
    rng, admin = random.Random(seed), shared.admin
    quick_passes(admin)
    acl_taken_in(admin)
    admin.call("ACL", "SETUSER", "default", "resetpass", ">secret")
    admin.call("CONFIG", "SET", "acllog-max-len", 10)
    app1 = shared.session("app1")
    app1.pipeline([("SET", "app1:k", "v"), ("GET", "app1:k")])
    wait_until(lambda: not wrong_connections(admin), "quiet")
    before, memory = observe(shared), read_info(admin).status["memory_bytes"]
    sent = 0
    for _ in range(30):
        for batch in pre_auth_batches(rng):
            wire = Wire(shared.port)
            try:
                wire.send(batch)
                wire.socket.shutdown(socket.SHUT_WR)
                wire.rest()
            except OSError:
                pass  # the server has had enough of it
            wire.close()
            sent += 1
        app1.pipeline([("SET", "app1:k", "v"), ("GET", "app1:k"), ("MULTI",), ("INCR", "app1:n"), ("EXEC",)])
    assert sent == 390
    wait_until(lambda: not wrong_connections(admin), lambda: f"connections to be right, {wrong_connections(admin)}")
    after = observe(shared)
    assert set(after.info.users) == set(before.info.users)
    assert set(after.info.prefixes) == set(before.info.prefixes)
    assert read_info(admin).status["memory_bytes"] - memory < 100_000
    counted = counted_between(before, after)
    assert counted[b"app1"] == shared.ledger.by_user(after.ledger - before.ledger)[b"app1"]
    assert set(counted) <= {b"app1", b"default", "(internal)"}
    assert not wrong_keys(shared), "prefix: (module, SCAN)"


# Numbers from outside

NUMBERS = ["9223372036854775807", "9223372036854775808", "18446744073709551615", "18446744073709551616", "-1", "-9223372036854775808", "1" + "0" * 400, "0", "1e9", "0x10", "", " 1", "nan", "\0"]
PAGED = {"TENANTS.LIST": "commands", "TENANTS.USERS": "commands", "TENANTS.PREFIXES": "keys", "TENANTS.DATABASES": "keys"}  # and what they are sorted by


def numeric_calls(number):
    for command, column in PAGED.items():
        yield (command, number)
        yield (command, f"{number}-{number}")
        yield (command, "0", "COUNT", number)
        yield (command, number, "SORTBY", column)
        yield (command, f"{number}-{number}", "SORTBY", column, "COUNT", "1000")
        yield (command, "0", "MATCH", number)
    for command, options in (("TENANTS.TOP", ("BY", "COUNT", "OVER")), ("TENANTS.BIGKEYS", ("COUNT",))):
        for option in options:
            yield (command, option, number)
    for command in ("TENANTS.GET", "TENANTS.STATUS", "TENANTS.ME", "TENANTS.HELP", "TENANTS.RESETSTAT"):
        yield (command, number)
    for setting in ("max-users", "max-prefixes", "sweep-cpu-percent", "sweep-interval", "slice-usec", "info-rows", "cpu-sampling-hz", "bytes-interval", "target-error"):
        yield ("CONFIG", "SET", f"tenants.{setting}", number)


@pytest.mark.parametrize("number", NUMBERS, ids=range(len(NUMBERS)))
def test_numbers_at_the_ends_of_their_range_and_beyond_are_refused_or_mean_what_they_say(shared, number):
    admin = shared.admin
    acl_taken_in(admin)
    fill(admin, 200, 1)
    settings = admin.call("CONFIG", "GET", "tenants.*")
    for command in numeric_calls(number):
        began = shared.cpu_seconds()
        reply = admin.outcome(*command)
        assert shared.cpu_seconds() - began < 2, command
        if command[0] == "CONFIG":
            allowed = number == "0" and command[2].split(".")[1] not in ("max-users", "max-prefixes", "slice-usec")
            assert (reply == b"OK") == allowed, (command, reply)
        elif "COUNT" in command and command[-1] == number or "OVER" in command:
            assert isinstance(reply, ResponseError), (command, reply)
        elif command[0] in PAGED and isinstance(reply, list):
            assert len(reply[1]) <= 1000 and re.fullmatch(rb"[0-9]+(-[0-9]+)?", reply[0]), (command, reply[0])
    if number == "0":
        admin.call("CONFIG", "SET", "tenants.info-rows", 100)
    else:
        assert admin.call("CONFIG", "GET", "tenants.*") == settings
    assert not rows_that_do_not_add_up(read_info(admin))


@pytest.mark.newest_server("what is attacked is the module's own")
@pytest.mark.parametrize("size", [1025, 1 << 20, 1 << 26], ids=["1KiB", "1MiB", "64MiB"])
def test_giant_words_are_refused_at_once_and_kept_nowhere(shared, size):
    admin, giant = shared.admin, b"*" * size
    acl_taken_in(admin)
    memory = read_info(admin).status["memory_bytes"]
    for command in [*((paged, "0", "MATCH", giant) for paged in PAGED), ("TENANTS.GET", giant), ("TENANTS.LIST", giant), ("TENANTS.LIST", "0", giant, "1"), ("TENANTS.TOP", giant), ("TENANTS.HELP", giant)]:
        assert isinstance(admin.outcome(*command), ResponseError), command[0]
    admin.outcome("TENANTS.BIGKEYS", giant)
    admin.outcome("CONFIG", "SET", "tenants.groups", b"shop=" + giant)
    admin.outcome("CONFIG", "SET", "tenants.groups", "")
    assert admin.call("TENANTS.STATUS") and abs(read_info(admin).status["memory_bytes"] - memory) < 200_000


# Data


def dumps(session):
    names = {kind: None for kind in (b"string", b"hash", b"list", b"set", b"zset", b"stream")}
    for name in session.call("KEYS", "*"):
        kind = session.call("TYPE", name)
        if names.get(kind) is None:
            names[kind] = name
    return [session.call("DUMP", name) for name in names.values()]


def test_restore_of_garbage_and_of_damaged_dumps_leaves_the_counts_right(launch, seed):
    rng, shared = random.Random(seed), launch(environment=MAY_FAIL)
    create_users(shared.admin)
    admin = shared.admin
    quick_passes(admin)
    fill(admin, 500, 3)
    admin.outcome("CONFIG", "SET", "sanitize-dump-payload", "yes")  # 9.x always does
    session, refused = shared.session(), 0
    for dump in dumps(admin):
        damaged = [dump[:length] for length in range(0, len(dump), max(1, len(dump) // 60))]
        damaged += [bytes(rng.randrange(256) for _ in range(rng.randrange(100))) for _ in range(20)]
        replies = session.pipeline([("RESTORE", b"app1:bad%d" % number, 0, payload, "REPLACE") for number, payload in enumerate(damaged)])
        assert all(isinstance(reply, ResponseError) for reply in replies)
        admin.call("DEBUG", "SET-SKIP-CHECKSUM-VALIDATION", 1)
        for number in range(100):
            payload = bytearray(dump)
            for _ in range(rng.randrange(1, 4)):
                payload[rng.randrange(len(payload))] = rng.randrange(256)
            reply = session.outcome("RESTORE", b"app1:odd%d" % number, 0, bytes(payload), "REPLACE")
            refused += isinstance(reply, ResponseError)
        admin.call("DEBUG", "SET-SKIP-CHECKSUM-VALIDATION", 0)
    assert refused > 50
    full_pass(admin)
    assert not wrong_keys(shared), "prefix: (module, SCAN)"
    assert not rows_that_do_not_add_up(settled_info(admin))
    assert read_info(admin).status["drift"] == 0


READING = [("TENANTS.STATUS",), ("TENANTS.LIST",), ("TENANTS.USERS", "0", "SORTBY", "commands"), ("TENANTS.PREFIXES", "0", "COUNT", "1000"), ("TENANTS.DATABASES",), ("TENANTS.GET", "app1"), ("TENANTS.TOP",), ("TENANTS.BIGKEYS",), ("TENANTS.ME",), ("TENANTS.HELP",), ("TENANTS.RESETSTAT",)]


def test_while_the_server_loads_everything_is_answered_and_afterwards_right(launch):
    server = launch(loading="conf", lines=["loading-process-events-interval-bytes 1024"])
    create_users(server.admin, {"app1": "~app1:* +@all"})
    fill(server.admin, 10_000, 5)
    server.admin.call("SAVE")
    server.admin.call("CONFIG", "SET", "key-load-delay", 50)
    server.admin.call("CONFIG", "REWRITE")
    server.stop()
    server.launch()
    session = wait_until(lambda: connection(server), "the server to take connections")
    seen, refused, loading = [], [("SET", "app1:x", "1"), ("GET", "app1:x")], ("INFO", "persistence")
    settings = [("CONFIG", "SET", "tenants.separators", ";"), ("CONFIG", "SET", "tenants.separators", ":")]
    while True:
        replies = session.pipeline([*READING, ("INFO", "tenants"), *refused, *settings, loading])
        if b"loading:1" not in replies[-1]:
            break
        wrong = [command for command, reply in zip(READING, replies) if isinstance(reply, ResponseError) and command[0] != "TENANTS.GET"]
        assert not wrong
        seen.append(Info(replies[len(READING)]))
        assert not rows_that_do_not_add_up(seen[-1])
        assert all("LOADING" in str(reply) for reply in replies[len(READING) + 1 : len(READING) + 3])
    assert len(seen) > 10, "too quick: nothing was asked while it loaded"
    server.admin = server.session()
    server.admin.call("CONFIG", "SET", "key-load-delay", 0)
    quick_passes(server.admin)
    assert not wrong_keys(server), "prefix: (module, SCAN)"
    info = settled_info(server.admin)
    assert info.status["keys"] == all_keys(server.admin) >= 10_000 and not rows_that_do_not_add_up(info)


def connection(server):
    try:
        return Session(server.port)
    except ConnectionError:
        assert server.process.poll() is None, server.log_tail()
        return None


# Loading, unloading, and the ACL under load

SCRIPT = "for i = 1, 20 do redis.call('INCR', KEYS[1]) end return 1"


def busy_batches():
    plain = [word for number in range(250) for word in (("SET", f"app1:{number}", "x"), ("GET", f"app1:{number}"))]
    transaction = [("MULTI",), *[("SET", f"app2:{number}", "y") for number in range(30)], ("EXEC",), ("MULTI",), ("INCR", "app2:n"), ("DISCARD",)]
    scripts = [("EVAL", SCRIPT, 1, "app3:n"), ("DEL", "app3:n"), ("SET", "app3:k", "z")] * 10
    blocked = [("BLPOP", "app1:list", "0.01"), ("PING",)] * 20
    served = [("RPUSH", "app1:list", "x"), ("DEL", "app1:other")] * 20
    return [plain, plain, transaction * 10, scripts, blocked, served], ["app1", "app1", "app2", "app3", "app1", "app1"]


def test_the_module_comes_and_goes_under_load(launch, request):
    cycles = request.config.getoption("cycles")
    server = launch(loading=None)
    admin = server.admin
    create_users(admin, {"app1": "~app1:* +@all", "app2": "~app2:* +@all", "app3": "~app3:* +@all"})
    fill(admin, 1000, 1)
    began = time.monotonic()
    with Flood(server, *busy_batches()) as flood:
        wait_until(lambda: flood.commands > 1000, "traffic")
        for cycle in range(cycles):
            assert server.load_module("sweep-cpu-percent", "20", "sweep-interval", "0") == b"OK", cycle
            assert not wrong_connections(admin)
            if cycle % 10 == 0:
                reached = flood.commands
                wait_until(lambda: read_info(admin).status["sweep_passes"] > 0 and flood.commands > reached + 1000, "a pass under traffic")
                assert admin.call("TENANTS.LIST") and admin.call("PING")
            # on 9.1 not while a client is blocked
            wait_until(lambda: admin.outcome("MODULE", "UNLOAD", "tenants") == b"OK", "the module to go")
            assert flood.failure is None, flood.failure
    print(f"{cycles} cycles in {time.monotonic() - began:.0f} s, {flood.commands:,} commands answered, {flood.rate:,.0f} in a second")
    assert server.load_module() == b"OK"
    quick_passes(admin)
    assert not wrong_connections(admin)
    assert not wrong_keys(server), "prefix: (module, SCAN)"


def test_deleting_the_busiest_user_again_and_again_leaves_the_numbers_right(shared):
    admin = shared.admin
    quick_passes(admin)
    busy = {"busy": "~busy:* ~app1:* +@all"}
    create_users(admin, busy)
    batch = [word for number in range(100) for word in (("SET", f"busy:{number % 7}", "x"), ("GET", f"busy:{number}"))] + [("MULTI",), ("INCR", "busy:n"), ("EXEC",), ("EVAL", SCRIPT, 1, "busy:m")]
    commands = 0
    before = observe(shared)
    with Flood(shared, [batch] * 4, ["busy"] * 4) as flood:
        for turn in range(40):
            reached = flood.commands
            wait_until(lambda: flood.commands > reached + 500, "traffic of the user")
            row = read_info(admin).users[b"busy"]
            assert row["commands"] >= commands, f"turn {turn}: the counter fell"
            commands = row["commands"]
            admin.transaction(("ACL", "DELUSER", "busy"), ("ACL", "SETUSER", "busy", "on", ">secret", *busy["busy"].split())) if turn % 2 else admin.call("ACL", "DELUSER", "busy")
            create_users(admin, busy)
            assert not wrong_connections(admin), turn
    print(f"{flood.commands:,} commands, {flood.rate:,.0f} in a second")
    wait_until(lambda: not wrong_connections(admin), lambda: f"connections to be right, {wrong_connections(admin)}")
    counted = counted_between(before, observe(shared))
    assert set(counted) <= {b"busy", b"default", "(internal)"}
    assert counted[b"busy"]["commands"] > 40 * 500
    assert counted[b"default"]["writes"] < 10, "its commands are nobody else's"
    module, commandstats = sums_of_commands(shared, before)
    assert module == commandstats
    assert not wrong_keys(shared), "prefix: (module, SCAN)"
    assert not rows_that_do_not_add_up(read_info(admin))


@pytest.mark.newest_server("what is attacked is the module's own")
def test_loading_and_saving_the_acl_all_the_time_under_traffic_ends_right(launch, tmp_path, seed):
    rng, acl_file = random.Random(seed), tmp_path / "users.acl"
    always = "user default on nopass ~* &* +@all\nuser app1 on >secret ~app1:* +@all\nuser app2 on >secret ~app2:* +@all\n"
    acl_file.write_text(always)
    server = launch(lines=[f"aclfile {acl_file}"], module_arguments=["info-rows", 10000])
    admin = server.admin
    quick_passes(admin)
    batches = [[("SET", f"{app}:{number}", "x") for number in range(100)] + [("DEL", f"{app}:5"), ("SET", f"other{rng.randrange(9)}:1", "x")] for app in ("app1", "app2")]
    with Flood(server, batches, ["app1", "app2"]) as flood:
        for turn in range(150):
            more = "".join(f"user extra{rng.randrange(50)}x{number} on nopass ~app{rng.choice('123')}:{rng.choice('0123456789')}* ~e{number}:* +@all\n" for number in range(rng.randrange(20)))
            if turn % 3:
                acl_file.write_text(always + more)
                assert admin.call("ACL", "LOAD") == b"OK"
            else:
                admin.call("ACL", "SETUSER", f"mine{rng.randrange(5)}", f"~app1:{rng.randrange(9)}*")
                assert admin.call("ACL", "SAVE") == b"OK"
            assert not wrong_connections(admin), turn
        wait_until(lambda: flood.commands > 1000, "some traffic")
    print(f"{flood.commands:,} commands, {flood.rate:,.0f} in a second")
    assert not wrong_keys(server), "prefix: (module, SCAN)"
    assert not rows_that_do_not_add_up(read_info(admin))
    assert set(owner for owner in (row.get("owner") for row in read_info(admin).prefixes.values()) if owner) <= set(admin.call("ACL", "USERS"))


# A tenant who is curious

RIGHTS = ["+@all -@admin -@dangerous", "+@all -@dangerous"]
# They end the connection, or make it say nothing that can be read as replies.
LEFT_OUT = {b"quit", b"reset", b"subscribe", b"psubscribe", b"ssubscribe", b"unsubscribe", b"punsubscribe", b"sunsubscribe", b"client|reply", b"monitor", b"sync", b"psync", b"hello", b"multi", b"exec", b"discard", b"client|caching", b"auth", b"client|kill"}
# The server's own, and they tell the names of any keys.
NAMES_OF_KEYS = {b"scan", b"randomkey"}


def command_names(reply, found):
    for command in reply:
        if command[9]:
            command_names(command[9], found)
        else:
            found.append(bytes(command[0]).lower())
    return found


@pytest.mark.newest_server("what is attacked is the module's own")
@pytest.mark.parametrize("rights", RIGHTS)
def test_a_tenant_learns_nothing_of_others_from_any_command(shared, rights):
    admin = shared.admin
    create_users(admin, {"victimuser": "~victimprefix:* &victimchannel +@all", "curious": "~mine:* resetchannels &mine:* " + rights})
    victim = shared.session("victimuser")
    victim.pipeline([("SET", "victimprefix:victimkey", "x" * 1000), ("CLIENT", "SETNAME", "victimname"), ("SET", "victimprefix:n", "y"), ("GET", "mine:k")])
    admin.call("CONFIG", "SET", "tenants.groups", "victimgroup=victimuser,~victimprefix:")
    quick_passes(admin)
    full_pass(admin)
    assert b"victimgroup" in repr(admin.call("TENANTS.LIST")).encode() and b"victimkey" in repr(admin.call("TENANTS.BIGKEYS")).encode()
    curious = shared.session("curious")
    names = [name for name in command_names(admin.call("COMMAND"), []) if name not in LEFT_OUT]
    arguments = [(), ("mine:k",), ("1",), ("tenants",), ("everything",), ("mine:k", "1"), ("0", "1000"), ("tenants.*", "x"), ("mine:k", "mine:l", "1"), ("0", "COUNT", "1000"), ("0", "MATCH", "*")]
    tried = told = 0
    for name in names:
        for words in arguments:
            reply = curious.outcome(*name.split(b"|"), *words)
            tried, told = tried + 1, told + (not isinstance(reply, ResponseError))
            assert name in NAMES_OF_KEYS or b"victim" not in everything_in(reply), (name, words, reply)
    print(f"{tried} calls of {len(names)} commands, {told} of them did something")
    assert tried > 2000 and told > 150
    denied = [("INFO",), ("INFO", "tenants"), ("INFO", "everything"), ("CONFIG", "GET", "tenants.groups"), ("TENANTS.GET", "victimuser"), ("TENANTS.GET", "curious"), ("TENANTS.LIST",), ("TENANTS.USERS",),
              ("TENANTS.PREFIXES",), ("TENANTS.DATABASES",), ("TENANTS.BIGKEYS",), ("TENANTS.BIGKEYS", "mine:"), ("TENANTS.TOP",), ("TENANTS.STATUS",), ("TENANTS.RESETSTAT",), ("MONITOR",), ("CLIENT", "LIST"), ("ACL", "LIST"), ("MODULE", "UNLOAD", "tenants")]  # fmt: skip
    for command in denied:
        assert str(curious.outcome(*command)).startswith("NOPERM"), command
        queued = curious.pipeline([("MULTI",), command, ("EXEC",)])
        assert "NOPERM" in str(queued[1]) and "EXECABORT" in str(queued[2]), command
        through_a_script = curious.outcome("EVAL", "return redis.call(unpack(ARGV))", 0, *command)
        assert isinstance(through_a_script, ResponseError) and b"victim" not in everything_in(through_a_script), command
    me = everything_in(curious.call("TENANTS.ME"))
    assert b"curious" in me and b"victim" not in me


def everything_in(reply):
    if isinstance(reply, (list, tuple)):
        return b" ".join(map(everything_in, reply))
    if isinstance(reply, dict):
        return b" ".join(everything_in(part) for pair in reply.items() for part in pair)
    return reply if isinstance(reply, bytes) else str(reply).encode()
