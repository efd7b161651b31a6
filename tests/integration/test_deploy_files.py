"""deploy/: valkey.conf, the systemd unit and the container files, as far as they can be run or checked here."""

import re
import shutil
import subprocess

import pytest
import yaml

from monitoring import DEPLOY, REPOSITORY, deployed, program
from npm import fetched
from tenants import quick_passes, settled_info

UNIT = DEPLOY / "systemd/valkey-tenants-exporter.service"
CONTAINER = DEPLOY / "container"


def outcome(*command, **options):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, **options)
    return done.returncode, done.stdout + done.stderr


def test_a_server_starts_with_the_shipped_valkey_conf(launch, module):
    snippet = deployed("valkey.conf", {"/usr/lib/valkey/tenants.so": str(module)})
    server = launch(loading=None, lines=snippet.splitlines())
    for line in re.findall(r"^(tenants\.\S+) (.*)$", snippet, re.MULTILINE):
        assert server.admin.call("CONFIG", "GET", line[0]) == [word.encode() for word in line]
    app, operator = server.session("app1", "change-this"), server.session("valkey-tenants", "change-this")
    app.call("SET", "app1:key", "value")
    assert "NOPERM" in str(app.outcome("SET", "app2:key", "value"))
    quick_passes(server.admin)
    assert settled_info(server.admin).tenants[b"app1"]["keys"] == 1
    for words in (("TENANTS.LIST",), ("TENANTS.PREFIXES",), ("TENANTS.STATUS",), ("INFO", "memory")):
        operator.call(*words)
    for words in (("TENANTS.RESETSTAT",), ("GET", "app1:key"), ("KEYS", "*"), ("CONFIG", "GET", "*")):
        assert "NOPERM" in str(operator.outcome(*words)), words


@pytest.fixture
def unit(tmp_path):
    """With a program that exists here."""
    path = tmp_path / UNIT.name
    path.write_text(deployed("systemd/" + UNIT.name, {"/usr/bin/valkey-tenants": "/bin/true"}))
    return path


def test_systemd_accepts_the_unit(unit):
    assert outcome(program("systemd-analyze"), "verify", unit) == (0, "")


def test_the_unit_may_do_nothing_but_what_it_needs(unit):
    code, says = outcome(program("systemd-analyze"), "security", "--offline=true", "--threshold=15", unit)
    assert code == 0, says  # an exposure of 1.5 of 10 at most


def test_the_targets_of_the_unit_take_the_password_from_its_credentials():
    [target] = yaml.safe_load((DEPLOY / "systemd/targets.yaml").read_text())["targets"]
    [name] = re.findall(r"^LoadCredential=(\w+):", UNIT.read_text(), re.MULTILINE)
    assert target["password_file"] == f"/run/credentials/{UNIT.name}/{name}"


def test_compose_accepts_its_file_and_finds_all_that_it_mounts():
    code, says = outcome(program("docker-compose"), "-f", CONTAINER / "compose.yaml", "config")
    assert code == 0, says
    services = yaml.safe_load((CONTAINER / "compose.yaml").read_text())["services"]
    for service in services.values():
        for volume in service.get("volumes", ()):
            assert (CONTAINER / volume.split(":")[0]).exists(), volume
    stages = re.findall(r"^FROM \S+ AS (\S+)$", (CONTAINER / "Containerfile").read_text(), re.MULTILINE)
    assert {service["build"]["target"] for service in services.values() if "build" in service} <= set(stages)


def test_the_containers_configuration_differs_from_the_shipped_one_by_names_only():
    for ours, shipped, name in (
        ("prometheus.yml", "prometheus/prometheus.yml", ("127.0.0.1:10911", "exporter:10911")),
        ("datasources.yaml", "grafana/provisioning/datasources.yaml", ("localhost:9090", "prometheus:9090")),
    ):
        assert yaml.safe_load((CONTAINER / ours).read_text()) == yaml.safe_load(deployed(shipped, dict([name])))


def test_the_containerfile_has_no_lint():
    folder = fetched("dockerfile-utils", ["dockerfile-utils@0.16.3"])
    code, says = outcome("node", folder / "node_modules/dockerfile-utils/bin/dockerfile-utils", "lint", CONTAINER / "Containerfile")
    assert (code, says.strip()) == (0, "")


def test_the_container_of_the_tool_has_every_library_that_it_needs():
    tool = REPOSITORY / "build/release/valkey-tenants"
    if not tool.exists():
        pytest.skip("build/release/valkey-tenants is not built")
    if not shutil.which("dpkg-query"):
        pytest.skip("this is no Debian: what a library's package is called cannot be told")
    libraries = re.findall(r"=> (/\S+)", outcome("ldd", tool)[1])
    packages = {_package(path) for path in libraries}
    stage = (CONTAINER / "Containerfile").read_text().rsplit("\nFROM ", 1)[1]
    given = set(re.search(r"--no-install-recommends (.*?) \\", stage)[1].split())
    wanted = {package for package in packages if not _comes_along(package, given)}
    assert wanted <= given, f"the image lacks {wanted - given}"
    assert given - packages <= {"ca-certificates"}, f"nothing needs {given - packages}"


def _package(path):
    """That the file is of, which may know it by its place from before /lib became /usr/lib."""
    for known in (path, "/usr" + path, path.removeprefix("/usr")):
        code, says = outcome("dpkg-query", "--search", known)
        if code == 0:
            return says.split(":")[0]
    raise AssertionError(f"{path} is of no package")


def _comes_along(package, given):
    """In every Debian, or needed by one of these."""
    if outcome("dpkg-query", "-W", "-f", "${Priority} ${Essential}", package)[1].startswith(("required", "important")):
        return True
    depends = outcome("dpkg-query", "-W", "-f", "${Depends}, ", "libc6", "libstdc++6", *sorted(given - {package}))[1]
    return package in {"libc6", "libgcc-s1", "libstdc++6"} or package in re.findall(r"[\w.+-]+", depends)


def test_the_page_installs_what_is_there(tmp_path):
    """Its commands, as they stand there, but into an empty tree."""
    page = (REPOSITORY / "docs/monitoring.md").read_text()
    commands = re.findall(r"^    (install .*|promtool .*)$", page, re.MULTILINE)
    commands = [command for command in commands if "build/release" not in command or (REPOSITORY / "build/release/valkey-tenants").exists()]
    assert len(commands) >= 3
    script = re.sub(r" /(?=usr|etc)", f" {tmp_path}/", "\n".join(["set -e", *commands]))
    assert outcome("bash", "-c", script, cwd=REPOSITORY) == (0, "")
    assert (tmp_path / "etc/valkey-tenants/password").read_text() == "change-this\n"
    assert (tmp_path / "etc/valkey-tenants/password").stat().st_mode & 0o777 == 0o600
    installed = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    prometheus = "etc/prometheus/valkey-tenants/"
    assert installed == {"etc/valkey-tenants/targets.yaml", "etc/valkey-tenants/password", prometheus + "rules.yml", prometheus + "alerts.yml"}


def test_the_links_of_the_page_lead_somewhere():
    page = REPOSITORY / "docs/monitoring.md"
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        assert (page.parent / link).exists() or link == "exporter.md", link
