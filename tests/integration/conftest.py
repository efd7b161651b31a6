"""Options and fixtures. Every test that asks for `launch` or `server` runs once per server version; the version is in its id.

    pytest tests/integration --servers 8.0,9 --module build/asan/tenants.so --seed 42
"""

import functools
import os
import pathlib
import random
import subprocess

import pytest

from server import Server
from traffic import create_users

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
VERSIONS = "8.0,8.1,9"


def pytest_addoption(parser):
    parser.addoption("--servers", default=os.environ.get("TENANTS_SERVERS", VERSIONS), help="versions, comma-separated")
    parser.addoption("--module", default=REPOSITORY / "build/release/tenants.so", type=pathlib.Path, help="the tenants.so to test")
    parser.addoption("--steps", type=int, default=500, help="of test_soak.py, each sends some ten commands, and of test_model.py, each makes 40 changes")
    parser.addoption("--seed", type=int, help="of the random tests; each prints the one it used")


def pytest_generate_tests(metafunc):
    if "version" in metafunc.fixturenames:
        metafunc.parametrize("version", metafunc.config.getoption("servers").split(","), scope="session")


@functools.lru_cache(maxsize=None)
def server_binary(version):
    found = subprocess.run([REPOSITORY / "scripts/servers", version], capture_output=True, text=True)
    if found.returncode:
        raise AssertionError(f"scripts/servers {version} failed:\n{found.stderr}")
    return found.stdout.strip()


@pytest.fixture
def module(request):
    path = request.config.getoption("module").resolve()
    assert path.exists(), f"{path} is missing; build it: cmake --preset release && cmake --build --preset release"
    return path


@pytest.fixture
def seed(request):
    chosen = request.config.getoption("seed")
    chosen = random.SystemRandom().randrange(2**32) if chosen is None else chosen
    print(f"seed: --seed {chosen}")
    return chosen


@pytest.fixture
def launch(version, tmp_path, request):
    """A function that starts a server and returns it; takes what Server takes. All of them are ended, and checked, afterwards."""
    servers = request.node.servers = []

    def make(start=True, loading="argument", **options):
        module = request.getfixturevalue("module") if loading else request.config.getoption("module").resolve()
        directory = tmp_path / f"server{len(servers)}"
        directory.mkdir()
        servers.append(Server(server_binary(version), module, directory, loading, **options))
        return servers[-1].start() if start else servers[-1]

    yield make
    for server in servers:
        if server.process:
            server.was_healthy = _health(server)
            server.stop()
    problems = [server.was_healthy for server in servers if server.process and server.was_healthy]
    assert not problems, "\n".join(problems)


def _health(server):
    try:
        server.check_health()
    except AssertionError as problem:
        return str(problem)
    return None


@pytest.fixture
def server(launch):
    """A server with the module and default settings."""
    return launch()


@pytest.fixture
def shared(server):
    """A server with the module and the users of traffic.py."""
    create_users(server.admin)
    return server


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Shows the tail of the servers' logs with a failure."""
    report = (yield).get_result()
    if report.failed:
        for server in getattr(item, "servers", ()):
            report.sections.append((f"log of the server in {server.directory}", server.log_tail()))
