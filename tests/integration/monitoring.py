"""Real Prometheus and redis_exporter, each a process of its own on loopback: started, waited for, ended by its own pid."""

import contextlib
import json
import pathlib
import re
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import pytest

from server import free_port
from waiting import exit_code, wait_until

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = REPOSITORY / "deploy"


def program(name):
    """Its path; skips the test where the package is not installed."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if not found:
        pytest.skip(f"{name} is not installed; scripts/install deploy")
    return found


def deployed(path, replacements):
    """The text of a file of deploy/, with each of the given texts, which must be in it, replaced."""
    text = (DEPLOY / path).read_text()
    for old, new in replacements.items():
        assert old in text, f"{old!r} is not in deploy/{path}"
        text = text.replace(old, new)
    return text


def fetch(url, timeout_seconds=60):
    with urllib.request.urlopen(url, timeout=timeout_seconds) as answer:
        return answer.read().decode()


def answers(url):
    try:
        return bool(fetch(url))
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


@contextlib.contextmanager
def running(command, log, ready_url):
    """The process, from when its URL answers until the block ends."""
    with open(log, "wb") as output:
        process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=output, stderr=output)

    def ready():
        assert process.poll() is None, f"{command[0]} exited with {process.returncode}:\n{log.read_text()}"
        return answers(ready_url)

    try:
        wait_until(ready, lambda: f"{command[0]} to answer; it says\n{log.read_text()}")
        yield process
    finally:
        process.terminate()
        try:
            exit_code(process)
        except subprocess.TimeoutExpired:
            process.kill()
            exit_code(process)


@contextlib.contextmanager
def redis_exporter(directory, *options):
    """Serves /scrape?target= for the user of deploy/redis_exporter/users.acl; gives its port."""
    port = free_port()
    command = [program("prometheus-redis-exporter"), "--web.listen-address", f"127.0.0.1:{port}", "--redis.addr="]
    command += ["--script", DEPLOY / "redis_exporter/tenants.lua", *options]
    with running(command, directory / "redis_exporter.log", f"http://127.0.0.1:{port}/"):
        yield port


@contextlib.contextmanager
def prometheus(directory, config, scrape_seconds=1):
    """Runs with this text as its configuration; gives a Prometheus."""
    path, port = directory / "prometheus.yml", free_port()
    path.write_text(f"global: {{scrape_interval: {scrape_seconds}s, evaluation_interval: 1s}}\n{config}")
    command = [program("prometheus"), f"--config.file={path}", f"--storage.tsdb.path={directory / 'tsdb'}"]
    command += [f"--web.listen-address=127.0.0.1:{port}"]
    with running(command, directory / "prometheus.log", f"http://127.0.0.1:{port}/-/ready"):
        yield Prometheus(port)


class Prometheus:
    def __init__(self, port):
        self._url = f"http://127.0.0.1:{port}/api/v1"

    def _get(self, path, **parameters):
        answer = json.loads(fetch(f"{self._url}/{path}?{urllib.parse.urlencode(parameters)}"))
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expression):
        """[(labels, value), …] now."""
        return [(sample["metric"], float(sample["value"][1])) for sample in self._get("query", query=expression)["result"]]

    def values(self, expression, label="tenant"):
        """{value of the label: number} now; a label that two samples share is an error."""
        samples = self.query(expression)
        found = {labels.get(label): value for labels, value in samples}
        assert len(found) == len(samples), samples
        return found

    def history(self, expression, begin, end, step_seconds=1):
        """[(labels, [(unix seconds, value), …]), …]; where there was nothing there is no pair."""
        result = self._get("query_range", query=expression, start=begin, end=end, step=step_seconds)["result"]
        return [(series["metric"], [(moment, float(value)) for moment, value in series["values"]]) for series in result]

    def rules(self, kind):
        """All rules of "alerting" or "recording" kind."""
        return [rule for group in self._get("rules")["groups"] for rule in group["rules"] if rule["type"] == kind]

    def targets(self):
        return self._get("targets")["activeTargets"]

    def scraped_since(self, moment_unix_seconds, count=1):
        """Have all targets been scraped without an error after that moment?"""
        return len(self.query(f"min by (job, instance) (timestamp(up)) > {moment_unix_seconds} and on (job, instance) up == 1")) >= count


@contextlib.contextmanager
def exporter(directory, server):
    """Runs as its systemd unit would, with the shipped targets and the user of the shipped valkey.conf; gives its port."""
    tool, port = REPOSITORY / "build/release/valkey-tenants", free_port()
    if not tool.exists():
        pytest.skip("build/release/valkey-tenants is not built")
    [user] = re.findall(r"^user (valkey-tenants .*)$", deployed("valkey.conf", {}), re.MULTILINE)
    server.admin.call("ACL", "SETUSER", *user.split())
    password, targets = directory / "password", directory / "targets.yaml"
    password.write_text(re.search(r">(\S+)", user)[1] + "\n")
    credential = "/run/credentials/valkey-tenants-exporter.service/password"
    places = {"127.0.0.1:6379": f"127.0.0.1:{server.port}", credential: str(password)}
    targets.write_text(deployed("systemd/targets.yaml", places))
    places = {"/usr/bin/valkey-tenants": str(tool), "/etc/valkey-tenants/targets.yaml": str(targets)}
    unit = deployed("systemd/valkey-tenants-exporter.service", {**places, "$ARGS": f"--web.listen-address 127.0.0.1:{port}"})
    command = re.search(r"^ExecStart=(.*)$", unit, re.MULTILINE)[1].split()
    with running(command, directory / "exporter.log", f"http://127.0.0.1:{port}/-/ready"):
        yield port
