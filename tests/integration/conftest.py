"""Options and fixtures. Every test that asks for `launch` or `server` runs once per server version; the version is in its id.

    pytest tests/integration --servers 8.0,9 --module build/asan/tenants.so --seed 42

Without --servers those of VERSIONS are taken, and REDIS for the tests marked `redis`. What does not depend on the server
(`newest_server`) never runs on Redis.
"""

import functools
import os
import pathlib
import random
import re
import subprocess

import pytest

import checks
from exporter import Exporter
from server import Server
from traffic import create_users

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
VERSIONS = "8.0,8.1,9"
REDIS = "redis-8"
IO_THREADS = re.compile(r"^io-threads ([2-9]|\d\d)", re.MULTILINE)


def pytest_addoption(parser):
    parser.addoption("--servers", default=os.environ.get("TENANTS_SERVERS"), help=f"versions, comma-separated; {VERSIONS}, and {REDIS} for a part")
    parser.addoption("--every-server", action="store_true", help="tests marked newest_server, too, run on all of --servers")
    parser.addoption("--module", default=REPOSITORY / "build/release/tenants.so", type=pathlib.Path, help="the tenants.so to test")
    parser.addoption("--steps", type=int, default=500, help="of test_soak.py, each sends some ten commands, of test_model.py, each makes 40 changes, and of test_fleet_truth.py, 125 are an event")
    parser.addoption("--prefixes", type=int, default=50_000, help="random ones of test_attacks.py; 10000000 takes a gigabyte and some minutes")
    parser.addoption("--samples", type=int, default=60, help="of memory in test_memory.py, 60 and more")
    parser.addoption("--cycles", type=int, default=20, help="of MODULE LOAD and UNLOAD in test_attacks.py")
    parser.addoption("--faults", help="only tests that provoke these of tests/faults/matrix: numbers, comma-separated, or all")
    parser.addoption("--seed", type=int, help="of the random tests; each prints the one it used")


def pytest_configure(config):
    config.addinivalue_line("markers", "not_on_redis(reason): what is not there")
    config.addinivalue_line("markers", "not_with(*builds, reason): what can't pass with these builds of module and server, and why")
    os.environ.setdefault("TENANTS_TOOL", str(_build(config) / "valkey-tenants"))


def pytest_runtest_setup(item):
    if _is_redis(item.callspec.params.get("version", "") if hasattr(item, "callspec") else ""):
        for marker in item.iter_markers("not_on_redis"):
            pytest.skip(f"Redis: {marker.kwargs['reason']}")
    for marker in item.iter_markers("not_with"):
        if _build(item.config).name in marker.args:
            pytest.skip(f"with {_build(item.config).name}: {marker.kwargs['reason']}")


def _build(config):
    """The folder of the module under test; its name is that of the preset."""
    return config.getoption("module").resolve().parent


def pytest_generate_tests(metafunc):
    if "version" in metafunc.fixturenames:
        mark = metafunc.definition.get_closest_marker
        chosen = metafunc.config.getoption("servers")
        versions = (chosen or VERSIONS).split(",") + [REDIS] * (not chosen and mark("redis") is not None)
        newest = mark("newest_server")
        if newest and not mark("every_server"):
            versions = [version for version in versions if not _is_redis(version)]
            every = metafunc.config.getoption("--every-server") and not newest.kwargs.get("always")
            versions = versions if every else versions[-1:]
        metafunc.parametrize("version", versions, scope="session")


def _is_redis(version):
    return version.startswith("redis-")


def faults_of(item):
    return {str(number) for mark in item.iter_markers("fault") for number in mark.args}


def pytest_collection_modifyitems(config, items):
    for item in items:
        if "seed" in item.fixturenames:
            item.add_marker("seeded")
    chosen = config.getoption("--faults")
    if chosen:
        items[:] = [item for item in items if faults_of(item) and (chosen == "all" or faults_of(item) & set(chosen.split(",")))]


@pytest.fixture(autouse=True)
def for_the_matrix(request, record_property):
    """What tests/faults/matrix wants to know of a test, skipped ones too."""
    for number in faults_of(request.node):
        record_property("fault", number)
    record_property("server", getattr(request.node, "callspec", None) and request.node.callspec.params.get("version"))
    checks.truth_seconds.clear()
    yield
    for oracle, seconds in checks.truth_seconds.items():
        record_property(f"seconds to {oracle}", round(seconds, 3))


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
        if _build(request.config).name == "tsan" and IO_THREADS.search("\n".join(options.get("lines", ()))):
            pytest.skip("with tsan: it does not understand how the server hands commands to its I/O threads")
        module = request.getfixturevalue("module") if loading else request.config.getoption("module").resolve()
        directory = tmp_path / f"server{len(servers)}"
        directory.mkdir()
        servers.append(Server(server_binary(version), module, directory, loading, **options))
        return servers[-1].start() if start else servers[-1]

    yield make
    for server in servers:
        if server.process:
            server.problem = _problem(server.check_health)
            server.stop()
            server.problem = server.problem or _problem(server.check_log)
    problems = [server.problem for server in servers if server.process and server.problem]
    assert not problems, "\n".join(problems)


def _problem(check):
    try:
        check()
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


@pytest.fixture
def export(module, tmp_path):
    """A function that starts an exporter; takes what Exporter takes. All are ended, and must end well."""
    exporters = []

    def make(*targets, **options):
        directory = tmp_path / f"exporter{len(exporters)}"
        directory.mkdir()
        exporters.append(Exporter(module, directory, targets, **options))
        return exporters[-1]

    yield make
    codes = [exporter.stop() if exporter.process.poll() is None else exporter.process.returncode for exporter in exporters]
    assert codes == [0] * len(exporters), "\n".join(exporter.log() for exporter in exporters)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Shows the tail of the servers' logs with a failure."""
    report = (yield).get_result()
    if report.failed:
        for server in getattr(item, "servers", ()):
            report.sections.append((f"log of the server in {server.directory}", server.log_tail()))
