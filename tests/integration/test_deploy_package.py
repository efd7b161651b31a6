"""The Debian package that `make package` makes. `tests/clean_room --package` installs and removes it in a Debian without anything."""

import hashlib
import os
import pathlib
import re
import subprocess

import pytest

from monitoring import DEPLOY, REPOSITORY
from tenants import quick_passes, settled_info
from tool import TOOL

BUILD = pathlib.Path(TOOL).parent
FOLDERS = ("usr/bin", "usr/lib/valkey", "usr/lib/systemd/system", "usr/share/man/man1", "usr/share/doc/valkey-tenants",
           "usr/share/bash-completion/completions", "usr/share/zsh/site-functions", "usr/share/fish/vendor_completions.d")  # fmt: skip

pytestmark = [
    pytest.mark.newest_server("it is the same package for all"),
    pytest.mark.skipif(not (BUILD / "CPackConfig.cmake").exists() or BUILD.name != "release", reason="a release that was built here is what is packed"),
]


def pack(folder):
    subprocess.run(["cpack", "--config", BUILD / "CPackConfig.cmake", "-B", folder], check=True, capture_output=True, env={**os.environ, "SOURCE_DATE_EPOCH": "1000000000"})
    [package] = folder.glob("*.deb")
    return package


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    return pack(tmp_path_factory.mktemp("package"))


def field(package, name):
    return output("dpkg-deb", "--field", package, name).strip()


def test_it_holds_what_is_installed_with_the_rights_that_each_file_needs(package):
    lines = [line.split(maxsplit=5) for line in output("dpkg-deb", "--contents", package).splitlines()]
    files = {name.removeprefix("./"): rights for rights, _, _, _, _, name in lines if not rights.startswith("d")}
    assert {owner for _, owner, *_ in lines} == {"root/root"}
    assert {rights for rights, *_ in lines if rights.startswith("d")} == {"drwxr-xr-x"}
    assert {name for name, rights in files.items() if "x" in rights} == {"usr/bin/valkey-tenants", "usr/lib/valkey/tenants.so"}, "the server takes no module without it"
    assert set(files.values()) == {"-rwxr-xr-x", "-rw-r--r--"}
    assert {os.path.dirname(name).split("/examples")[0] for name in files} == set(FOLDERS)
    for example in "valkey.conf", "targets.yaml", "prometheus/rules.yml", "prometheus/alerts.yml", "grafana/tenant.json", "grafana/fleet.json":
        assert f"usr/share/doc/valkey-tenants/examples/{example}" in files


def test_what_it_needs_is_named_and_its_version_is_the_programs_and_the_modules(package, tmp_path, launch):
    assert field(package, "Package") == "valkey-tenants"
    version = field(package, "Version")
    needed = [re.split(r"[ (|]", one.strip())[0] for one in field(package, "Depends").split(",")]
    assert {"libc6", "libssl3"} <= set(needed)
    for name in needed:
        assert output("dpkg-query", "--show", "--showformat=${Status}", name) == "install ok installed", "what a build has is what a package needs"
    output("dpkg-deb", "--extract", package, tmp_path)
    assert output(tmp_path / "usr/bin/valkey-tenants", "--version").split()[-1] == version
    for page in "operating.md", "monitoring.md":
        assert f"apt install ./build/{package.name}" in (REPOSITORY / "docs" / page).read_text()
    server = launch(loading=None, lines=[f"loadmodule {tmp_path}/usr/lib/valkey/tenants.so"])
    quick_passes(server.admin)
    assert settled_info(server.admin).status["version"] == version
    assert "default" in output(tmp_path / "usr/bin/valkey-tenants", "-p", str(server.port), "list")
    unit = (tmp_path / "usr/lib/systemd/system/valkey-tenants-exporter.service").read_text()
    assert unit == (DEPLOY / "systemd/valkey-tenants-exporter.service").read_text()
    assert (tmp_path / re.search(r"^ExecStart=/(\S+)", unit, re.MULTILINE)[1]).is_file()
    assert (tmp_path / "usr/share/doc/valkey-tenants/copyright").read_text() == (REPOSITORY / "LICENSE").read_text()


def test_the_same_build_gives_the_same_bytes(package, tmp_path):
    first, second = (hashlib.sha256(path.read_bytes()).hexdigest() for path in (package, pack(tmp_path)))
    assert first == second
