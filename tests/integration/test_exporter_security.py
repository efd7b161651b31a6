"""The exporter in a hostile network: it connects to nobody else, tells nobody's secrets, and answers a scrape whatever others do."""

import contextlib
import os
import pathlib
import re
import socket
import ssl
import threading
import time

import pytest

from server import free_port
from tenants import acl_taken_in
from exporter import bcrypt
from test_tool import OPERATOR
from waiting import patience, wait_until

pytestmark = pytest.mark.newest_server("what the exporter does with its clients does not depend on the server")

SECURE = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


def raw(port, data, timeout=60):
    """All that is answered to these bytes."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as client:
        try:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        answer = b""
        while True:
            try:
                got = client.recv(65536)
            except ConnectionError:
                return answer
            if not got:
                return answer
            answer += got


@pytest.fixture
def trap():
    """A port that somebody might make the exporter connect to, and a function that says whether it did."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)

        def caught():
            try:
                listener.accept()[0].close()
            except BlockingIOError:
                return False
            return True

        yield listener.getsockname()[1], caught


def test_nothing_that_a_client_sends_makes_it_connect_elsewhere(server, export, trap):
    port, caught = trap
    exporter = export(server.port)
    there = f"127.0.0.1:{port}"
    names = ("target", "addr", "address", "host", "url", "uri", "node", "redirect", "callback", "instance", "module", "check-keys", "q", "top", "sort")
    for path in ("/", "/metrics", "/tenants", "/scrape", "/probe", "/-/ready", "/-/reload", "/api/v1/query"):
        for name in names:
            for value in (there, f"redis://{there}", f"http://{there}/", f"%68ttp:%2F%2F127.0.0.1:{port}"):
                assert exporter.request(f"{path}?{name}={value}")[0] in (200, 400, 404)
        for header in ("Host", "X-Forwarded-Host", "X-Forwarded-For", "Forwarded", "Origin", "Referer", "X-Original-URL", "X-Rewrite-URL", "Proxy", "Upgrade", "Location", "Destination"):
            assert exporter.request(path, headers={header: there})[0] in (200, 400, 404)
    for request in (f"GET http://{there}/metrics HTTP/1.1\r\nHost: {there}\r\n\r\n", f"CONNECT {there} HTTP/1.1\r\nHost: {there}\r\n\r\n", f"GET //{there}/metrics HTTP/1.0\r\n\r\n", f"*3\r\n$9\r\nREPLICAOF\r\n$9\r\n127.0.0.1\r\n$5\r\n{port}\r\n\r\n\r\n"):
        answer = raw(exporter.port, request.encode())
        assert b"valkey_tenant" not in answer and (answer == b"" or answer.startswith(b"HTTP/1.1 4")), answer[:300]
    assert exporter.metrics().one("valkey_tenant_up") == 1
    assert not caught()
    socket.create_connection(("127.0.0.1", port)).close()
    assert caught(), "the trap is no trap"


@pytest.mark.parametrize("path", ["/../../etc/passwd", "/..%2f..%2fetc%2fpasswd", "/%2e%2e/%2e%2e/etc/passwd", "/page.css/../../../etc/passwd", "/tenants/..", "//etc/passwd", "/.//metrics", "/metrics%00", "/metrics%2500.css", "/\\..\\etc\\passwd", "/page.js%3f", "/-/../metrics", "/%6d%65%74%72%69%63%73/", "/;/metrics", "/metrics;x", "/file:///etc/passwd", "/proc/self/environ"])
def test_a_path_leads_to_no_file(server, export, path):
    exporter = export(server.port)
    answer = raw(exporter.port, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert answer.split(b" ")[1] in (b"404", b"400") and b"root:" not in answer and b"PATH=" not in answer


def children(pid):
    found = []
    for each in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):  # the thread has ended
            found += each.read_text().split()
    return found


def test_no_secret_is_in_arguments_environment_logs_metrics_pages_or_errors(launch, export, tmp_path):
    server, dead = launch(), free_port()
    for user in ("watcher", "other"):
        server.admin.call("ACL", "SETUSER", user, "on", ">hunter2", *OPERATOR.split())
    acl_taken_in(server.admin)
    secret, config, targets = tmp_path / "password", tmp_path / "web.yml", tmp_path / "targets.yml"
    secret.write_text("hunter2\n")
    config.write_text(f"basic_auth_users:\n  ops: {bcrypt('open sesame')}\n")
    wrong = tmp_path / "wrong"
    wrong.write_text("hunter3\n")
    lines = [f"- address: 127.0.0.1:{server.port}\n  user: watcher\n  password_file: {secret}\n", f"- address: localhost:{server.port}\n  user: other\n  password_file: {wrong}\n", f"- address: 127.0.0.1:{dead}\n  user: watcher\n  password_file: {secret}\n"]
    targets.write_text("targets:\n" + "".join(lines))
    exporter = export(connection=["--targets", targets], options=["--web.config.file", config])
    login = ("ops", "open sesame")
    texts = [exporter.request(path, login=login)[2].decode("latin-1") for path in ("/metrics", "/tenants", "/tenants?format=json", "/tenants?format=csv", "/", "/-/ready", "/-/healthy", "/nowhere", "/metrics?top=x", "/tenants?sort=hunter")]
    texts += [exporter.request("/metrics", login=("ops", "wrong sesame"))[2].decode(), exporter.request("/metrics", "POST", login=login)[2].decode()]
    assert 'valkey_tenant_up{' in texts[0] and sorted(re.findall(r"valkey_tenant_up\{.*\} (\d)", texts[0])) == ["0", "0", "1"]
    pid = exporter.process.pid
    assert children(pid) == [], "it starts no other process"
    seen = {name: pathlib.Path(f"/proc/{pid}/{name}").read_bytes().decode("latin-1") for name in ("cmdline", "environ", "comm")}
    for where, text in [*enumerate(texts), *seen.items(), ("log", exporter.log())]:
        for word in ("hunter2", "hunter3", "sesame", "$2b$"):
            assert word not in text, (where, word)
    assert "WRONGPASS" in exporter.log(), "the reason is told all the same"


def test_a_secret_of_the_environment_goes_no_further(launch, export):
    server = launch()
    server.admin.call("ACL", "SETUSER", "watcher", "on", ">hunter2", *OPERATOR.split())
    acl_taken_in(server.admin)
    exporter = export(server.port, connection=["--user", "watcher"], environment={"VALKEYCLI_AUTH": "hunter2"})
    assert exporter.metrics().one("valkey_tenant_up") == 1
    texts = [exporter.text(path) for path in ("/metrics", "/tenants", "/tenants?format=json", "/")]
    assert not [text for text in [*texts, exporter.log(), pathlib.Path(f"/proc/{exporter.process.pid}/cmdline").read_text()] if "hunter2" in text]
    assert children(exporter.process.pid) == []


def test_every_answer_has_the_headers_that_keep_a_browser_from_harm(server, export):
    exporter = export(server.port)
    for path, method, expected in [("/", "GET", 200), ("/tenants", "GET", 200), ("/metrics", "GET", 200), ("/nowhere", "GET", 404), ("/tenants?sort=x", "GET", 400), ("/", "POST", 405), ("/page.js", "HEAD", 200)]:
        status, headers, _ = exporter.request(path, method)
        assert status == expected
        policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
        assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert {name: headers[name] for name in SECURE} == SECURE
        assert "Set-Cookie" not in headers and "Access-Control-Allow-Origin" not in headers and "Server" not in headers
    too_large = raw(exporter.port, b"GET / HTTP/1.1\r\nX: " + b"a" * 20000)
    assert too_large.startswith(b"HTTP/1.1 431 ") and b"X-Content-Type-Options: nosniff" in too_large


LIMITS = [
    (b"GET / HTTP/1.1\r\n" + b"X: " + b"a" * 16000 + b"\r\n\r\n", (b"200", b"400", b"431")),
    (b"GET / HTTP/1.1\r\n" + b"X: " + b"a" * 17000 + b"\r\n\r\n", (b"431",)),
    (b"GET /?" + b"a" * 17000 + b" HTTP/1.1\r\n\r\n", (b"431",)),
    (b"POST /metrics HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n" + b"x" * 100000, (b"400", b"405", b"413")),
    (b"POST /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n" + b"x" * 100000, (b"400", b"405", b"413")),
    (b"PUT / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", (b"400", b"405", b"413")),
    (b"BREW / HTTP/1.1\r\n\r\n", (b"400", b"405")),
    (b"GET / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /metrics HTTP/1.1\r\n\r\n", (b"200", b"400")),
]


@pytest.mark.parametrize("request_bytes, statuses", LIMITS, ids=range(len(LIMITS)))
def test_heads_bodies_and_methods_are_limited(server, export, request_bytes, statuses):
    exporter = export(server.port)
    answer = raw(exporter.port, request_bytes)
    assert answer.split(b" ")[1] in statuses and answer.count(b"HTTP/1.1 ") == 1
    assert exporter.text("/-/healthy") == "healthy\n"


def memory(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1]) * 1024


@pytest.mark.not_with("asan", "tsan", reason="a bound of memory that the release build keeps")
def test_idle_slow_and_greedy_clients_by_the_thousand_leave_a_scrape_its_answer(server, export):
    """Twice as many connections as it has places: idle ones, half a request, a byte now and then, requests whose answers nobody reads."""
    exporter = export(server.port)
    exporter.metrics()
    before, clients, times, stop = memory(exporter.process.pid), [], [], threading.Event()
    kinds = (b"", b"GET /metrics HTTP/1.1\r\nHost: x\r\n", b"GET / HTTP/1.1\r\nX-Slow: ", b"GET /tenants HTTP/1.1\r\nHost: x\r\n\r\n")

    def trickle():
        while not stop.is_set():
            for client in clients[2::4]:
                try:
                    client.send(b"a")
                except OSError:
                    pass
            stop.wait(0.2)

    try:
        for number in range(4000):
            client = socket.create_connection(("127.0.0.1", exporter.port), timeout=60)
            clients.append(client)
            try:
                client.send(kinds[number % 4])
            except OSError:
                pass
            if number == 1000:
                thread = threading.Thread(target=trickle)
                thread.start()
            if number % 100 == 99:
                began = time.monotonic()
                assert exporter.metrics().one("valkey_tenant_up") == 1
                times.append(time.monotonic() - began)
        began = time.monotonic()
        while time.monotonic() - began < 8:  # beyond the five seconds that a request may take
            start = time.monotonic()
            assert exporter.metrics().one("valkey_tenant_up") == 1
            times.append(time.monotonic() - start)
    finally:
        stop.set()
        thread.join()
        for client in clients:
            client.close()
    times.sort()
    grown = memory(exporter.process.pid) - before
    print(f"{len(times)} scrapes beside 4,000 hostile connections: median {times[len(times) // 2] * 1000:.0f} ms, p99 {times[int(len(times) * 0.99)] * 1000:.0f} ms, longest {times[-1] * 1000:.0f} ms; grew by {grown >> 10} KiB")
    assert times[int(len(times) * 0.99)] < 5 * patience() and grown < 200 << 20
    wait_until(lambda: len(os.listdir(f"/proc/{exporter.process.pid}/fd")) < 100, "the places to be free again")


def test_who_guesses_passwords_gets_none_and_keeps_nobody_waiting(server, export, tmp_path):
    config = tmp_path / "web.yml"
    config.write_text(f"basic_auth_users:\n  ops: {bcrypt('open sesame')}\n")
    exporter = export(server.port, options=["--web.config.file", config])
    right, stop, statuses = ("ops", "open sesame"), threading.Event(), []
    assert exporter.request("/metrics", login=right)[0] == 200

    def guess(number):
        while not stop.is_set():
            try:
                statuses.append(exporter.request("/metrics", login=(("ops", "admin", "root")[number % 3], f"guess{len(statuses)}"))[0])
            except OSError:
                pass

    threads = [threading.Thread(target=guess, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    times = []
    try:
        for _ in range(30):
            began = time.monotonic()
            assert exporter.request("/metrics", login=right)[0] == 200
            times.append(time.monotonic() - began)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    print(f"{len(statuses)} guesses; a right password waits {max(times) * 1000:.0f} ms at most")
    assert set(statuses) <= {401, 503} and statuses.count(401) > 50
    assert max(times) < 5 * patience()


def test_without_tls_a_tls_client_and_with_tls_a_plain_one_get_nothing(server, export):
    exporter = export(server.port)
    with pytest.raises((ssl.SSLError, OSError)):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.wrap_socket(socket.create_connection(("127.0.0.1", exporter.port), timeout=60))
    assert exporter.text("/-/healthy") == "healthy\n"


def test_it_is_told_that_a_listener_beyond_loopback_has_no_password(server, export):
    exporter = export(server.port, options=["--web.listen-address", "0.0.0.0:0"])
    assert re.search(r"level=warn .*every tenant's name", exporter.log())
