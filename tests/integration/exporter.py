"""An exporter process, and what it says."""

import base64
import http.client
import os
import pathlib
import re
import signal
import ssl
import subprocess
import warnings

from server import free_port
from waiting import exit_code, wait_until

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


def bcrypt(password):
    """As `htpasswd -B` makes it; Python's crypt is the same library."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import crypt
    return crypt.crypt(password, "$2b$04$" + "abcdefghijklmnopqrstuu")


# Of one server alone there are none; test_tool_cluster.py has their truth.
OF_CLUSTERS = {"valkey_tenant_node_slots", "valkey_tenant_replica_lag_bytes"}

SAMPLE = re.compile(r'(\w+)(?:\{(.*)\})? ([^ ]+)')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class Exporter:
    """`targets` are ports of servers; `options` are added to the command line; `authority` is the CA file where it speaks TLS."""

    def __init__(self, module, directory, targets=(), options=(), connection=(), authority=None, environment=None, listen=None, wait=True):
        self.port, self.log_path = free_port(), pathlib.Path(directory) / "exporter.log"
        self.authority = authority
        ports = [word for port in targets for word in ("-p", str(port))]
        tool = module.parent / "valkey-tenants"  # not there with the sanitizers' modules
        command = [tool if tool.exists() else REPOSITORY / "build/release/valkey-tenants", *ports, *connection, "exporter"]
        listen = listen or f"127.0.0.1:{self.port}"
        self.port = int(listen.rpartition(":")[2])
        command += ["--web.listen-address", listen, *options]
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                list(map(str, command)), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, **(environment or {})}
            )
        if wait:
            wait_until(self._has_read, lambda: f"the exporter to listen, and to have asked the servers; its log:\n{self.log()}")

    def _has_read(self):
        """Whoever comes while it asks for the first time would get what was so before."""
        assert self.process.poll() is None, f"the exporter ended with {self.process.returncode}:\n{self.log()}"
        return "msg=started" in self.log() and re.search(r'msg="(node is|cannot read)', self.log())

    def log(self):
        return self.log_path.read_text(errors="replace")

    def stop(self):
        """Returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return exit_code(self.process)

    def connection(self, timeout=60):
        if not self.authority:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        context = ssl.create_default_context(cafile=self.authority)
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout, context=context)

    def request(self, path, method="GET", headers=None, login=None, timeout=60):
        """(status, headers, body as bytes)"""
        headers = dict(headers or {})
        if login:
            headers["Authorization"] = "Basic " + base64.b64encode(":".join(login).encode()).decode()
        connection = self.connection(timeout)
        try:
            connection.request(method, path, headers=headers)
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def text(self, path, **options):
        status, _, body = self.request(path, **options)
        assert status == 200, f"{path}: {status} {body[:300]!r}"
        return body.decode()

    def metrics(self, path="/metrics", **options):
        return Metrics(self.text(path, **options))

    @property
    def address(self):
        return f"{'https' if self.authority else 'http'}://127.0.0.1:{self.port}"


class Metrics:
    """A page of metrics: {name: {labels as a frozenset of pairs: value}}."""

    def __init__(self, text):
        self.text, self.samples, self.types, self.help = text, {}, {}, {}
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                name, kind = line[7:].split(" ")
                self.types[name] = kind
            elif line.startswith("# HELP "):
                name, self.help[name] = line[7:].split(" ", 1)
            elif line:
                name, labels, value = SAMPLE.fullmatch(line).groups()
                series = self.samples.setdefault(name, {})
                key = frozenset(LABEL.findall(labels or ""))
                assert key not in series, f"twice: {line}"
                series[key] = float(value)

    def of(self, name, **labels):
        """Values of all samples that have these labels."""
        wanted = set(labels.items())
        return [value for key, value in self.samples.get(name, {}).items() if wanted <= key]

    def one(self, name, **labels):
        values = self.of(name, **labels)
        assert len(values) == 1, f"{len(values)} samples of {name} with {labels}"
        return values[0]

    def labels(self, name, label):
        return {dict(key)[label] for key in self.samples.get(name, {})}


def promtool_says(text):
    """What `promtool check metrics` finds wrong with the page; empty: nothing."""
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
    return "" if done.returncode == 0 else done.stdout + done.stderr
