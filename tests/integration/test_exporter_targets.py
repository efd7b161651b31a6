"""Targets of the exporter that misbehave: it stays alive, small, and tells of the others; nobody waits for them when it ends."""

import contextlib
import itertools
import re
import signal
import socket
import socketserver
import subprocess
import threading

import pytest

from exporter import bcrypt
from server import free_port
from tool import tool
from waiting import patience, wait_until

pytestmark = pytest.mark.newest_server("what the exporter does with a target that misbehaves does not depend on the server")

STATUS = b"*4\r\n$7\r\nversion\r\n$5\r\n0.1.0\r\n$5\r\nusers\r\n:1\r\n"
INFO = b"$26\r\nrole:master\r\nmaxmemory:0\r\n\r\n"


def page(cursor, *names):
    text = b"name,kind\n" + b"".join(b"%b,tenant\n" % name for name in names)
    return b"*2\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n" % (len(cursor), cursor, len(text), text)


def surplus(words, number):
    """More than was asked for: one reply and a half, the rest of it with the next."""
    half = page(b"0", b"abc")
    return {b"TENANTS.STATUS": STATUS + page(b"0") + half[:-9]}.get(words[0], half[-9:] + page(b"0") + INFO)


def late_surplus(words, number):
    return STATUS if words[0] == b"TENANTS.STATUS" else page(b"0") + page(b"0") + INFO + INFO


def endless(words, number):
    """Always a next page, with a name of half a MB."""
    return STATUS if words[0] == b"TENANTS.STATUS" else page(b"%d" % (number + 1), b"x" * 500_000)


def in_circles(words, number):
    return STATUS if words[0] == b"TENANTS.STATUS" else page(b"7", b"x")


def nils(words, number):
    """Short on the wire, long in memory."""
    return b"*1000000\r\n" + b"$-1\r\n" * 1_000_000


def huge(words, number):
    return b"$104857600\r\n" + b"x" * 104857600 + b"\r\n"


def garbage(words, number):
    return bytes(range(256)) * 1000


def silent(words, number):
    return b""


def drip(words, number):
    """Goes on for ever, and never says anything."""
    return (b"*1\r\n" for _ in itertools.count())


BAD = [surplus, late_surplus, endless, in_circles, nils, huge, garbage, silent, drip]


class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        stream, number = self.request.makefile("rb"), 0
        with contextlib.suppress(OSError):
            while head := stream.readline():
                words = [stream.read(int(stream.readline()[1:]) + 2)[:-2] for _ in range(int(head[1:]))]
                number += 1
                reply = self.server.reply(words, number)
                for part in [reply] if isinstance(reply, bytes) else reply:
                    self.request.sendall(part)
                    if self.server.ending.wait(0 if isinstance(reply, bytes) else 0.01):
                        return


class Target(socketserver.ThreadingTCPServer):
    """Speaks RESP as far as `reply(words, number of the command)` does."""

    daemon_threads = True

    def __init__(self, reply):
        super().__init__(("127.0.0.1", 0), Handler)
        self.reply, self.ending, self.port = reply, threading.Event(), self.server_address[1]

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.shutdown()
        self.server_close()


def most_memory(process):
    return int(re.search(r"VmHWM:\s+(\d+) kB", open(f"/proc/{process.pid}/status").read())[1]) * 1024


@pytest.mark.parametrize("reply", BAD)
def test_one_bad_target_is_not_up_and_costs_the_others_nothing(server, export, reply):
    with Target(reply) as bad:
        exporter = export(bad.port, server.port, connection=["-t", 2])
        for _ in range(3):
            metrics = exporter.metrics()
            assert metrics.one("valkey_tenant_up", node=f"127.0.0.1:{bad.port}") == 0
            assert not metrics.of("valkey_tenant_keys", node=f"127.0.0.1:{bad.port}")
            # On a busy machine the good one may miss two seconds, too.
            wait_until(lambda: exporter.metrics().one("valkey_tenant_up", node=f"127.0.0.1:{server.port}") == 1, "the good target to be up")
        assert most_memory(exporter.process) < 640 << 20
        result = tool("-p", bad.port, "-t", 2, "list")
        assert result.code in (1, 3) and result.err.startswith(f"valkey-tenants: 127.0.0.1:{bad.port}: "), result


def test_the_targets_of_these_tests_can_be_read_if_they_behave():
    with Target(lambda words, number: {b"TENANTS.STATUS": STATUS, b"INFO": INFO}.get(words[0], page(b"0", b"ab"))) as good:
        result = tool("-p", good.port, "list", "-o", "csv")
        assert result.code == 0 and "\nab," in result.out, result


def test_it_ends_at_once_although_a_target_hangs(export):
    with Target(silent) as hanging:
        exporter = export(hanging.port, connection=["-t", 3000], wait=False)
        wait_until(lambda: "msg=started" in exporter.log(), "the exporter to listen")
        with socket.create_connection(("127.0.0.1", exporter.port)) as client:
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            assert exporter.stop() == 0


SHIM = {
    # One name takes the resolver longer than anybody waits.
    "slow_names": """
        #define _GNU_SOURCE
        #include <dlfcn.h>
        #include <netdb.h>
        #include <string.h>
        #include <unistd.h>
        int getaddrinfo(const char* node, const char* service, const struct addrinfo* hints, struct addrinfo** found) {
          int (*next)(const char*, const char*, const struct addrinfo*, struct addrinfo**) = dlsym(RTLD_NEXT, "getaddrinfo");
          if (node && !strcmp(node, "slow.example") && !(hints->ai_flags & AI_NUMERICHOST)) sleep(3000);
          return next(node, service, hints, found);
        }""",
    # A kernel without IPv6.
    "only_ipv4": """
        #define _GNU_SOURCE
        #include <dlfcn.h>
        #include <errno.h>
        #include <sys/socket.h>
        int socket(int family, int type, int protocol) {
          int (*next)(int, int, int) = dlsym(RTLD_NEXT, "socket");
          if (family == AF_INET6) { errno = EAFNOSUPPORT; return -1; }
          return next(family, type, protocol);
        }""",
}


@pytest.fixture
def shim(tmp_path):
    def make(name):
        source, library = tmp_path / f"{name}.c", tmp_path / f"{name}.so"
        source.write_text(SHIM[name])
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
        return {"LD_PRELOAD": str(library)}

    return make


@pytest.mark.not_with("asan", "tsan", reason="their runtimes must be loaded first")
def test_a_name_that_is_not_resolved_costs_the_others_nothing(server, export, shim):
    both = ["-t", 2, "-u", "valkey://slow.example:6379", "-u", f"valkey://127.0.0.1:{server.port}"]
    exporter = export(connection=both, environment=shim("slow_names"), wait=False)
    wait_until(lambda: "msg=started" in exporter.log(), "the exporter to listen")
    wait_until(lambda: exporter.metrics().of("valkey_tenant_up", node=f"127.0.0.1:{server.port}") == [1], "the other one to be up")
    assert exporter.metrics().one("valkey_tenant_up", node="slow.example:6379") == 0
    assert exporter.stop() == 0


@pytest.mark.not_with("asan", "tsan", reason="their runtimes must be loaded first")
def test_all_addresses_are_those_of_ipv4_where_there_is_no_other(server, export, shim):
    exporter = export(server.port, listen=f":{free_port()}", environment=shim("only_ipv4"))
    assert exporter.text("/-/healthy") == "healthy\n"


def test_a_new_password_and_a_broken_file_are_taken_in_while_it_runs(server, export, tmp_path):
    config = tmp_path / "web.yml"
    config.write_text(f"basic_auth_users:\n  ops: {bcrypt('old')}\n")
    exporter = export(server.port, options=["--web.config.file", config])

    def status(password):
        return exporter.request("/-/healthy", login=("ops", password))[0]

    assert (status("old"), status("new")) == (200, 401)
    for text, told, expected in [("nonsense: 1\n", "left as before", (200, 401)), (f"basic_auth_users:\n  ops: {bcrypt('new')}\n", "loaded anew", (401, 200))]:
        config.write_text(text)
        exporter.process.send_signal(signal.SIGHUP)
        wait_until(lambda: told in exporter.log(), lambda: exporter.log())
        assert (status("old"), status("new")) == expected


def test_targets_that_come_and_go_are_taken_in_while_it_runs(launch, export, tmp_path):
    first, second = launch(), launch()
    targets = tmp_path / "targets.yml"

    def file(*ports):
        return "targets:\n" + "".join(f"  - address: 127.0.0.1:{port}\n" for port in ports)

    targets.write_text(file(first.port))
    exporter = export(connection=["--targets", targets])

    def nodes():
        metrics = exporter.metrics()
        return {node: metrics.one("valkey_tenant_up", node=node) for node in metrics.labels("valkey_tenant_up", "node")}

    up = {server: f"127.0.0.1:{server.port}" for server in (first, second)}
    assert nodes() == {up[first]: 1}
    for text, told, expected in [
        (file(first.port) + "  - nonsense: 1\n", "left as before", {up[first]: 1}),
        (file(first.port, second.port), "loaded anew", {up[first]: 1, up[second]: 1}),
        ("nothing\n", "left as before", {up[first]: 1, up[second]: 1}),
        (file(second.port), "loaded anew", {up[second]: 1}),
    ]:
        before = exporter.log().count(told)
        targets.write_text(text)
        exporter.process.send_signal(signal.SIGHUP)
        wait_until(lambda: exporter.log().count(told) > before, lambda: exporter.log())
        wait_until(lambda: nodes() == expected, lambda: nodes())


@pytest.mark.parametrize(
    "arguments, lines",
    [
        (["-u", "valkey://ops:hunter2@127.0.0.1"], None),
        (["-u", "valkey://ops:hun/ter2@127.0.0.1"], None),
        (["-u", "valkey://ops:hun@ter2@127.0.0.1"], None),
        (["-u", "unix://ops:hunter2@/run/x"], None),
        (["-u", "http://ops:hunter2@127.0.0.1"], None),
        (["-h", "ops:hunter2@127.0.0.1"], None),
        (["-h", "valkey://ops:hunter2@127.0.0.1"], None),
        (["--password", "hunter2"], None),
        (["--password=hunter2"], None),
        (["-a", "hunter2"], None),
        ([], "  - address: valkey://ops:hunter2@127.0.0.1:6379\n"),
        ([], "  - address: ops:hunter2@127.0.0.1:6379\n"),
        ([], "  - address: ops:hun/ter2@127.0.0.1:6379\n"),
    ],
)
def test_a_password_in_the_wrong_place_is_refused_and_not_repeated(tmp_path, arguments, lines):
    if lines:
        (tmp_path / "targets.yml").write_text("targets:\n" + lines)
        arguments = ["--targets", tmp_path / "targets.yml"]
    for subcommand in ("list", "exporter"):
        result = tool(*arguments, subcommand) if arguments[0] != "--password" else tool(subcommand, *arguments)
        assert result.code == 2 and "ter2" not in result.out + result.err, result


def test_a_password_leaves_the_environment(server, export):
    server.admin.call("ACL", "SETUSER", "watcher", "on", ">hunter2", "+@all")
    exporter = export(server.port, connection=["--user", "watcher"], environment={"VALKEYCLI_AUTH": "hunter2"})
    assert exporter.metrics().one("valkey_tenant_up") == 1
    text = open(f"/proc/{exporter.process.pid}/environ", "rb").read()
    assert b"VALKEYCLI_AUTH=" in text and b"hunter2" not in text


def test_who_is_turned_away_is_counted_and_told(server, export):
    exporter = export(server.port, connection=["-t", 3000])
    assert exporter.metrics().one("valkey_tenant_exporter_refused_requests_total") == 0
    server.pause()
    try:
        clients = [socket.create_connection(("127.0.0.1", exporter.port), timeout=60 * patience()) for _ in range(300)]
        for client in clients:  # sixteen are answered at once, 128 wait
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_until(lambda: re.search(r"turned away.* count=\d+", exporter.log()), "the log to tell of it")
        for client in clients:
            client.close()
    finally:
        server.process.send_signal(signal.SIGCONT)
    wait_until(lambda: exporter.request("/metrics")[0] == 200, "room again")
    assert exporter.metrics().one("valkey_tenant_exporter_refused_requests_total") > 0


def test_a_port_that_is_taken_is_no_wrong_usage(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = tool("exporter", "--web.listen-address", f"127.0.0.1:{taken.getsockname()[1]}")
    assert result.code == 1 and "Address already in use" in result.err, result


@pytest.mark.parametrize("option", ["--cacert", "--cert"])
def test_a_file_that_is_not_there_is_told_as_such(server, option):
    result = tool("-p", server.port, "--tls", option, "/nowhere", "list")
    assert "/nowhere: No such file or directory" in result.err, result
