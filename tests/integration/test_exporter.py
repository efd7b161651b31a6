"""`valkey-tenants exporter`: its metrics are what the module says, in every form and under every load that a web server meets."""

import concurrent.futures
import gzip
import os
import re
import signal
import socket
import ssl
import subprocess
import textwrap
import time

import pytest

from exporter import OF_CLUSTERS, REPOSITORY, Metrics, bcrypt, promtool_says
from info import read_info
from server import free_port
from tenants import acl_taken_in, full_pass, quick_passes
from test_transports import Authority
from waiting import patience, wait_until

pytestmark = pytest.mark.newest_server("what the exporter does with its clients does not depend on the server")


def add_tenants(server, count, name="t{}"):
    """`count` tenants with a key and a command or two each."""
    names = [name.format(number) for number in range(count)]
    replies = server.admin.pipeline([("ACL", "SETUSER", each, "on", ">secret", f"~{each}:*", "+@all") for each in names])
    assert set(replies) == {b"OK"}
    session = server.session()
    for each in names:
        session.pipeline([("AUTH", each, "secret"), ("SET", f"{each}:k", "v" * 50), ("GET", f"{each}:k")])
    session.close()
    acl_taken_in(server.admin)
    return names


TENANT_METRICS = [  # (metric, its finer label, the module's field)
    ("connections", {}, "connections"),
    ("connections_peak", {}, "connections_peak"),
    ("connections_opened_total", {}, "connections_total"),
    *(("commands_total", {"kind": kind}, field) for kind, field in {"read": "reads", "write": "writes", "admin": "admin", "script": "scripts", "pubsub": "pubsub"}.items()),
    ("failed_commands_total", {}, "errors"),
    ("rejected_commands_total", {}, "rejected"),
    *(("denied_commands_total", {"reason": reason}, f"denied_{reason}") for reason in ("auth", "command", "key", "channel", "database")),
    ("authentication_failures_total", {}, "auth_failures"),
    ("slow_commands_total", {}, "slow"),
    ("input_bytes_total", {}, "bytes_in"),
    ("output_bytes_total", {}, "bytes_out"),
    ("keys", {}, "keys"),
    ("memory_bytes", {}, "bytes"),
    ("memory_error_bytes", {}, "bytes_error"),
]
PREFIX_METRICS = {
    "keys": "keys",
    "memory_bytes": "bytes",
    "memory_error_bytes": "bytes_error",
    "coverage_ratio": "coverage",
    "keys_without_ttl": "keys_without_ttl",
    "hits_total": "hits_sampled",
    "misses_total": "misses_sampled",
    "hit_ratio": "hit_ratio",
    "expired_keys_total": "expired",
    "evicted_keys_total": "evicted",
}


@pytest.mark.every_server
def test_every_sample_is_what_the_module_says_and_unknown_is_absent(launch, export):
    server = launch()
    quick_passes(server.admin)
    names = add_tenants(server, 5)
    session = server.session(names[0])
    for command in ("EVAL return(1) 0", "GET nobodys:key", "INFO", "PUBLISH c m", "GET", "LPUSH t0:k x", "AUTH t0 wrong", "AUTH t1 secret"):
        session.outcome(*command.split())
    full_pass(server.admin)
    exporter = export(server.port)
    node = f"127.0.0.1:{server.port}"
    before, metrics, after = read_info(server.admin), exporter.metrics(), read_info(server.admin)
    assert promtool_says(metrics.text) == ""
    for metric, finer, field in TENANT_METRICS:
        for name in names:
            low, high = (info.tenants[name.encode()].get(field) for info in (before, after))  # bytes may be read in between
            found = metrics.of(f"valkey_tenant_{metric}", tenant=name, node=node, **finer)
            assert found == [] if low is None else len(found) == 1 and low <= found[0] <= high, (metric, finer, found, low, high)
    for name in names:
        assert sum(metrics.of("valkey_tenant_commands_total", tenant=name)) == before.tenants[name.encode()]["commands"]
    for metric, field in PREFIX_METRICS.items():
        for name in names:
            truth = before.prefixes[name.encode() + b":"].get(field)
            found = metrics.of(f"valkey_tenant_prefix_{metric}", prefix=name + "%3A", tenant=name, node=node)
            assert found == ([] if truth is None else [pytest.approx(truth)]), metric
    for name in names:
        low, high = (info.tenants[name.encode()]["cpu_usec"] for info in (before, after))
        assert low <= round(metrics.one("valkey_tenant_cpu_seconds_total", tenant=name) * 1e6) <= high
    assert sum(metrics.of("valkey_tenant_keys")) == server.admin.call("DBSIZE")
    assert metrics.one("valkey_tenant_node_info", node=node, role="primary", keys_mode=before.status["keys_mode"]) == 1
    assert metrics.one("valkey_tenant_up", node=node) == 1
    assert metrics.one("valkey_tenant_start_time_seconds") == before.status["start_unix_seconds"]
    assert metrics.one("valkey_tenant_rows", table="users") == before.status["users"]
    assert metrics.one("valkey_tenant_orphan_keys") == 0
    assert not metrics.of("valkey_tenant_max_memory_bytes"), "no maxmemory is set"
    assert abs(metrics.one("valkey_tenant_sweep_completed_timestamp_seconds") - time.time()) < 30


@pytest.mark.every_server
def test_the_documentation_tells_of_every_metric_that_there_is(launch, export):
    server = launch(lines=["maxmemory 1gb"])
    quick_passes(server.admin)
    add_tenants(server, 2)
    full_pass(server.admin)
    metrics = export(server.port).metrics()
    rows = re.findall(r"^\| `(valkey_tenant_\w+)` \| (\w+) \| ([^|]*) \|", (REPOSITORY / "docs/exporter.md").read_text(), re.M)
    documented = {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}
    # what this server's version cannot tell has no samples, and so no lines
    may_lack = OF_CLUSTERS | {"valkey_tenant_prefix_hit_ratio"}  # too few look-ups
    if server.is_redis:
        may_lack |= {"valkey_tenant_input_bytes_total", "valkey_tenant_output_bytes_total"}
    if not server.valkey_at_least(9, 1):
        may_lack |= {f"valkey_tenant_{what}_commands_total" for what in ("failed", "rejected", "denied")}
        may_lack |= {"valkey_tenant_prefix_expired_keys_total", "valkey_tenant_prefix_evicted_keys_total", "valkey_tenant_authentication_failures_total"}
    assert set(metrics.types) <= set(documented)
    assert set(documented) - set(metrics.types) <= may_lack
    for name, kind in metrics.types.items():
        labels = {label for key in metrics.samples[name] for label, _ in key}
        assert documented[name] == (kind, labels), name


HOSTILE = [b"<script>alert(1)</script>", b'"><img onerror=x>', b"a\nb{}", b"\x00\x1b[31m\xff", b"(other)", b"\\", "é".encode()]


def test_names_of_any_bytes_make_a_page_that_promtool_accepts(launch, export):
    server = launch()
    quick_passes(server.admin)
    session = server.session()
    for name in HOSTILE:
        if not {0, 32, 10} & set(name):  # the server refuses those as user names
            server.admin.call("ACL", "SETUSER", name, "on", ">secret", "~x:*", "+@all")
        session.call("SET", name + b":k", "v")
    acl_taken_in(server.admin)
    full_pass(server.admin)
    metrics = export(server.port).metrics()
    assert promtool_says(metrics.text) == ""
    assert "%28other)" in metrics.labels("valkey_tenant_commands_total", "tenant"), "a user who calls himself (other)"
    assert "a%0Ab{}%3A" in metrics.labels("valkey_tenant_prefix_keys", "prefix")
    assert metrics.text.isascii()


def test_what_does_not_fit_is_in_other_whose_counters_never_fall(launch, export, seed):
    import random

    chance = random.Random(seed)
    server = launch()
    names = add_tenants(server, 30)
    exporter = export(server.port, options=["--tenants.max", "8"])
    totals, last = {}, {}
    session = server.session()

    def look():
        before = read_info(server.admin)
        metrics, info = exporter.metrics(), read_info(server.admin)
        same = all(before.status[what] == info.status[what] for what in ("keys", "connections"))
        return (metrics, info) if same else None

    for step in range(25):
        for name in chance.sample(names, 5):  # each step another one becomes heavy, and tenants come and go
            session.pipeline([("AUTH", name, "secret"), *[("SET", f"{name}:{chance.random()}", "x" * 100)] * chance.randrange(1, 40)])
        if step % 5 == 4:
            gone = chance.choice(names)
            names.remove(gone)
            server.admin.call("ACL", "DELUSER", gone)
            names += add_tenants(server, 1, f"new{step}")
            session = server.session()  # DELUSER closes the connections of that user
        metrics, info = wait_until(look, "a look between two passes, where keys are swept")
        shown = metrics.labels("valkey_tenant_keys", "tenant")
        assert len([name for name in shown if not name.startswith("(")]) <= 8
        assert sum(metrics.of("valkey_tenant_keys")) == info.status["keys"]
        assert sum(metrics.of("valkey_tenant_connections")) == info.status["connections"]
        counters = [name for name, kind in metrics.types.items() if kind == "counter" and not name.startswith("valkey_tenant_prefix")]
        assert len(counters) > 8
        for metric in counters:
            for labels, value in metrics.samples[metric].items():
                if ("tenant", "(other)") not in labels:
                    continue
                assert value >= last.get((metric, labels), 0), f"{metric} {labels} fell at step {step}"
                last[metric, labels] = value
        for tenant in shown:
            value = sum(metrics.of("valkey_tenant_commands_total", tenant=tenant))
            assert value >= totals.get(tenant, 0) or tenant not in totals
            totals[tenant] = value
    assert [value for (metric, labels), value in last.items() if metric == "valkey_tenant_commands_total" and ("kind", "write") in labels and value > 0]
    assert len(exporter.metrics("/metrics?top=2").labels("valkey_tenant_keys", "tenant") - {"(other)", "(orphans)", "(internal)", "(overhead)"}) == 2


def test_the_page_is_compressed_for_who_asks_and_prefixes_can_be_left_out(server, export):
    exporter = export(server.port, options=["--no-collect.prefixes", "--web.telemetry-path", "/m"])
    status, headers, body = exporter.request("/m", headers={"Accept-Encoding": "gzip"})
    assert (status, headers["Content-Encoding"]) == (200, "gzip")
    assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert b"valkey_tenant_up" in gzip.decompress(body)
    _, headers, body = exporter.request("/m")
    assert "Content-Encoding" not in headers and b"valkey_tenant_up" in body
    assert b"valkey_tenant_prefix" not in body
    assert exporter.request("/metrics")[0] == 404


def test_only_get_and_head_of_known_paths_are_answered_and_nothing_connects_elsewhere(server, export):
    exporter = export(server.port)
    for path in ("/", "/metrics", "/tenants", "/page.css", "/page.js", "/-/healthy", "/-/ready"):
        status, headers, body = exporter.request(path)
        assert status == 200 and body, path
        assert exporter.request(path, "HEAD")[::2] == (200, b"")
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert (headers["X-Content-Type-Options"], headers["Referrer-Policy"]) == ("nosniff", "no-referrer")
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"):
            assert exporter.request(path, method)[0] in (400, 405), f"{method} {path}"
    for path in ("/x", "/metrics/", "//metrics", "/-/reload", "/page.html", "/..%2f..%2fetc/passwd"):
        assert exporter.request(path)[0] == 404, path
    for path in ("/metrics?target=127.0.0.1:1", "/metrics?top=0", "/metrics?top=x", "/tenants?sort=x", "/tenants?order=up", "/tenants?table=x", "/tenants?format=x", "/tenants?top=-1"):
        status, _, body = exporter.request(path)
        assert status == 400 and b"allowed are" in body, path


def test_a_body_is_never_taken_for_the_next_request(server, export):
    exporter = export(server.port)
    with socket.create_connection(("127.0.0.1", exporter.port), timeout=60) as client:
        hidden = b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n"
        client.sendall(b"GET /-/ready HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(hidden), hidden))
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert answer.count(b"HTTP/1.1 ") == 1


def test_requests_one_after_the_other_share_a_connection(server, export):
    exporter = export(server.port)
    with socket.create_connection(("127.0.0.1", exporter.port), timeout=60) as client:
        client.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
        answer = b""
        while answer.count(b"healthy\n") < 3:
            answer += client.recv(65536)
    assert answer.count(b"HTTP/1.1 200 OK") == 3


@pytest.mark.parametrize("head", [b"GET / HTTP/1.1\r\nX: " + b"a" * 20000, b"GET /" + b"a" * 20000, b"\x00\xff\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 4000])
def test_a_request_that_is_none_gets_an_error_or_the_door(server, export, head):
    exporter = export(server.port)
    with socket.create_connection(("127.0.0.1", exporter.port), timeout=60) as client:
        try:
            client.sendall(head)
            answer = client.recv(100)
        except ConnectionError:
            answer = b""
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4")
    assert exporter.text("/-/healthy") == "healthy\n"


def test_passwords_are_asked_for_on_every_path(server, export, tmp_path):
    config = tmp_path / "web.yml"
    config.write_text(f"basic_auth_users:\n  ops: {bcrypt('open sesame')}\n")
    exporter = export(server.port, options=["--web.config.file", config])
    for path in ("/", "/metrics", "/tenants", "/-/healthy", "/page.js", "/nowhere"):
        status, headers, body = exporter.request(path)
        assert status == 401 and headers["WWW-Authenticate"].startswith("Basic "), path
        assert b"tenant" not in body
        for login in (("ops", "wrong"), ("nobody", "open sesame"), ("ops", ""), ("", "open sesame")):
            assert exporter.request(path, login=login)[0] == 401
        assert exporter.request(path, login=("ops", "open sesame"))[0] == (404 if path == "/nowhere" else 200)
    assert "sesame" not in exporter.log() and "$2b$" not in exporter.log()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_tls_with_and_without_client_certificates(server, export, tmp_path):
    authority = Authority(tmp_path)
    authority.issue("web", "-addext", "subjectAltName=IP:127.0.0.1")
    own = authority.issue("client")
    config = tmp_path / "web.yml"
    tls = "tls_server_config:\n  cert_file: web.crt\n  key_file: web.key\n"
    config.write_text(tls)
    plain = export(server.port, options=["--web.config.file", config], authority=authority.certificate)
    assert plain.metrics().one("valkey_tenant_up") == 1
    with pytest.raises(OSError), socket.create_connection(("127.0.0.1", plain.port)) as client:
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        old.set_ciphers("ALL:@SECLEVEL=0")
        old.maximum_version = ssl.TLSVersion.TLSv1_1
        old.wrap_socket(client)
    config.write_text(tls + f"  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: {authority.certificate}\n")
    strict = export(server.port, options=["--web.config.file", config], authority=authority.certificate)
    with pytest.raises(OSError):
        strict.request("/-/healthy")
    context = ssl.create_default_context(cafile=authority.certificate)
    context.load_cert_chain(*own)
    with socket.create_connection(("127.0.0.1", strict.port)) as client, context.wrap_socket(client, server_hostname="127.0.0.1") as channel:
        channel.sendall(b"GET /-/healthy HTTP/1.0\r\n\r\n")
        assert channel.recv(1000).startswith(b"HTTP/1.1 200")


def test_ciphers_and_curves_are_those_of_the_configuration(server, export, module, tmp_path):
    authority = Authority(tmp_path)
    authority.issue("web", "-addext", "subjectAltName=IP:127.0.0.1")
    config = tmp_path / "web.yml"

    def handshake(version, ciphers=None, curve=None):
        context = ssl.create_default_context(cafile=authority.certificate)
        context.minimum_version = context.maximum_version = version
        if ciphers:
            context.set_ciphers(ciphers)
        if curve:
            context.set_ecdh_curve(curve)
        try:
            with socket.create_connection(("127.0.0.1", exporter.port)) as client, context.wrap_socket(client, server_hostname="127.0.0.1") as channel:
                return channel.cipher()[0]
        except (ssl.SSLError, ConnectionError):
            return None

    old, new = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
    small, large = "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"
    for lines, outcomes in [
        ("cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]", [large, None, large, "TLS_AES_256_GCM_SHA384"]),
        (
            "cipher_suites:\n  - TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384\n  - TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256\n  - TLS_AES_128_GCM_SHA256",
            [large, small, large, "TLS_AES_128_GCM_SHA256"],
        ),
        (
            "cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]\nprefer_server_cipher_suites: false",
            [large, small, small, "TLS_AES_256_GCM_SHA384"],
        ),
        ("cipher_suites: [TLS_AES_128_GCM_SHA256]", [None, None, None, "TLS_AES_128_GCM_SHA256"]),
    ]:
        config.write_text("tls_server_config:\n  cert_file: web.crt\n  key_file: web.key\n" + textwrap.indent(lines, "  "))
        exporter = export(server.port, options=["--web.config.file", config], authority=authority.certificate)
        assert [handshake(old, large), handshake(old, small), handshake(old, f"{small}:{large}"), handshake(new)] == outcomes, lines
    for line, complaint in [
        ("cipher_suites: [TLS_NO_SUCH]", "OpenSSL has no cipher suite 'TLS_NO_SUCH'"),
        ("cipher_suites: TLS_AES_128_GCM_SHA256", "the value of cipher_suites is not a list"),
        ("curve_preferences: [P-256]", "curve_preferences is 'P-256', allowed are CurveP256"),
        ("prefer_server_cipher_suites: maybe", "allowed are true, false"),
    ]:
        config.write_text(f"tls_server_config:\n  cert_file: web.crt\n  key_file: web.key\n  {line}\n")
        command = [module.parent / "valkey-tenants", "exporter", "--web.config.file", config]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 2 and complaint in done.stderr and "web.yml:4" in done.stderr, done.stderr
    config.write_text("tls_server_config:\n  cert_file: web.crt\n  key_file: web.key\n  curve_preferences: [CurveP384]\n")
    exporter = export(server.port, options=["--web.config.file", config], authority=authority.certificate)
    assert handshake(new, curve="secp384r1") and not handshake(new, curve="prime256v1")


@pytest.mark.parametrize(
    "options, complaint",
    [
        (["--web.config.file", "/nowhere"], "cannot read '/nowhere'"),
        (["--web.listen-address", "nonsense"], "allowed are host:port"),
        (["--web.listen-address", "127.0.0.1:99999"], "cannot listen on"),
        (["--web.telemetry-path", "metrics"], "begins with /"),
        (["--web.telemetry-path", "/tenants"], "has already"),
        (["--tenants.max", "0"], "--tenants.max"),
        (["--nonsense"], "nonsense"),
    ],
)
def test_a_wrong_configuration_is_refused_with_what_is_wrong(module, options, complaint):
    done = subprocess.run([module.parent / "valkey-tenants", "exporter", *options], capture_output=True, text=True, timeout=120)
    assert done.returncode == 2 and complaint in done.stderr, done.stderr


def test_clients_that_send_a_byte_at_a_time_do_not_keep_others_waiting(server, export):
    exporter = export(server.port)
    slow = [socket.create_connection(("127.0.0.1", exporter.port)) for _ in range(900)]
    try:
        for client in slow:
            client.sendall(b"GET /metrics HT")
        for _ in range(20):
            begin = time.monotonic()
            assert exporter.request("/metrics")[0] == 200
            assert time.monotonic() - begin < 3 * patience()
            for client in slow[::30]:
                client.sendall(b"T")
        # and at last they are shown the door
        slow[0].settimeout(60)
        assert slow[0].recv(1000) == b""
    except ConnectionError:
        pass  # closed already: so much the better
    finally:
        for client in slow:
            client.close()


def test_clients_that_do_not_read_do_not_keep_others_waiting(launch, export):
    server = launch()
    add_tenants(server, 300)
    exporter = export(server.port)
    deaf = []
    try:
        for _ in range(100):
            client = socket.socket()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            client.connect(("127.0.0.1", exporter.port))
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
            deaf.append(client)
        wait_until(lambda: exporter.request("/-/healthy", timeout=60)[0] == 200, "an answer")
        assert exporter.metrics().one("valkey_tenant_up") == 1
    finally:
        for client in deaf:
            client.close()


def test_a_thousand_scrapes_at_once_cost_the_server_a_few_readings(server, export):
    exporter = export(server.port, connection=["-t", "60"])

    def readings():
        stats = server.admin.call("INFO", "commandstats").decode()
        return int(re.search(r"cmdstat_tenants\.status:calls=(\d+)", stats)[1])

    before = readings()
    server.pause()  # so that they are there at once, however slow we are
    try:
        clients = []
        for _ in range(1000):
            clients.append(socket.create_connection(("127.0.0.1", exporter.port), timeout=120))
            clients[-1].sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    finally:
        os.kill(server.process.pid, signal.SIGCONT)

    def status(client):
        with client:
            answer = b"".join(iter(lambda: client.recv(65536), b""))
        return int(answer.split(b" ", 2)[1])

    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        statuses = list(pool.map(status, clients))
    assert set(statuses) <= {200, 503} and statuses.count(200) >= 16
    assert readings() - before < 700
    assert exporter.metrics().one("valkey_tenant_up") == 1


@pytest.mark.fault(21)
def test_a_dead_and_a_stopped_node_are_told_in_time_and_the_others_are_there(launch, export):
    alive, stopped, dead = launch(), launch(), free_port()
    exporter = export(alive.port, stopped.port, dead, connection=["-t", "3"])
    wait_until(lambda: exporter.metrics().of("valkey_tenant_up").count(1) == 2, "two nodes to be up")
    stopped.pause()
    try:
        begin = time.monotonic()
        metrics = exporter.metrics()
        assert time.monotonic() - begin < 6 * patience(), "the time-out twice"
        assert metrics.one("valkey_tenant_up", node=f"127.0.0.1:{alive.port}") == 1
        for port in (stopped.port, dead):
            node = f"127.0.0.1:{port}"
            assert metrics.one("valkey_tenant_up", node=node) == 0
            assert not metrics.of("valkey_tenant_connections", node=node), "what is not known is absent"
        assert promtool_says(metrics.text) == ""
        page = exporter.text("/tenants")
        assert "The sums are incomplete" in page and f"127.0.0.1:{dead}" in page
    finally:
        os.kill(stopped.process.pid, signal.SIGCONT)
    wait_until(lambda: exporter.metrics().of("valkey_tenant_up").count(1) == 2, "the node to be up again")


@pytest.mark.fault(21)
def test_a_scrape_is_answered_before_prometheus_loses_patience(launch, export):
    server = launch()
    exporter = export(server.port, connection=["-t", "30"])
    exporter.metrics()
    server.pause()
    try:
        begin = time.monotonic()
        text = exporter.text("/metrics", headers={"X-Prometheus-Scrape-Timeout-Seconds": "2"})
        assert time.monotonic() - begin < 20, "the time-out of a node"
        assert Metrics(text).one("valkey_tenant_scrape_duration_seconds") < 2
    finally:
        os.kill(server.process.pid, signal.SIGCONT)


def test_ready_means_that_a_server_has_answered(launch, export):
    server = launch()
    nobody = export(free_port())
    assert nobody.request("/-/ready")[0] == 503
    assert nobody.text("/-/healthy") == "healthy\n"
    assert export(server.port).text("/-/ready") == "ready\n"


@pytest.mark.every_server
def test_a_server_without_the_module_is_not_up_and_the_reason_is_told(launch, export):
    exporter = export(launch(loading=None).port)
    assert exporter.metrics().one("valkey_tenant_up") == 0
    assert "does not answer" in exporter.text("/tenants")


def test_two_ways_to_one_server_count_once(server, export):
    metrics = export(server.port, server.port).metrics()
    assert len(metrics.of("valkey_tenant_up")) == 1


def test_no_secret_shows_anywhere(launch, export, tmp_path):
    server = launch()
    server.admin.call("ACL", "SETUSER", "watcher", "on", ">hunter2", "-@all", "+@tenants", "-tenants.resetstat", "+info", "+cluster|shards")
    acl_taken_in(server.admin)
    secret = tmp_path / "password"
    secret.write_text("hunter2\n")
    exporter = export(server.port, connection=["--user", "watcher", "--password-file", secret])
    texts = [exporter.text(path) for path in ("/metrics", "/tenants", "/tenants?format=json", "/tenants?format=csv", "/")]
    assert exporter.metrics().one("valkey_tenant_up") == 1
    command = open(f"/proc/{exporter.process.pid}/cmdline", "rb").read().decode()
    assert not [text for text in [*texts, command, exporter.log()] if "hunter2" in text]


@pytest.mark.long
@pytest.mark.not_with("coverage", "asan", "tsan", reason="a bound of time that the release build keeps")
def test_ten_thousand_tenants_are_scraped_quickly(launch, export):
    server = launch(module_arguments=["tenants.max-users", 12000, "tenants.max-prefixes", 12000])
    names = [f"tenant{number}" for number in range(10000)]
    server.admin.pipeline([("ACL", "SETUSER", name, "on", "nopass", f"~{name}:*", "+@all") for name in names])
    acl_taken_in(server.admin, 120)
    exporter = export(server.port, options=["--tenants.max", "20000"])
    wait_until(lambda: exporter.text("/metrics").count("valkey_tenant_commands_total{") >= 10000, "a tally of all rows")  # every two seconds
    times = []
    server.admin.call("CONFIG", "SET", "slowlog-log-slower-than", 100, "slowlog-max-len", 10_000)
    server.admin.call("CONFIG", "RESETSTAT")
    server.admin.call("SLOWLOG", "RESET")
    for _ in range(5):
        begin = time.monotonic()
        status, _, body = exporter.request("/metrics", headers={"Accept-Encoding": "gzip"})
        times.append(time.monotonic() - begin)
        assert status == 200
    text = gzip.decompress(body).decode()
    calls, usec = map(sum, zip(*((int(a), int(b)) for a, b in re.findall(rb"cmdstat_tenants\.\w+:calls=(\d+),usec=(\d+)", server.admin.call("INFO", "commandstats")))))
    longest = max((entry[2] for entry in server.admin.call("SLOWLOG", "GET", 10_000) if entry[3][0].upper().startswith(b"TENANTS.")), default=0)
    print(f"main thread: {usec / 5000:.1f} ms per scrape, {usec / calls:.0f} us per call, the longest {longest}")
    print(f"10,000 tenants and prefixes: {text.count(chr(10))} lines, {len(text)} bytes, {len(body)} compressed; seconds {sorted(times)}")
    assert text.count("valkey_tenant_commands_total{") >= 10000
    assert min(times) < 2 * patience()  # docs/exporter.md has the figure of a quiet machine
