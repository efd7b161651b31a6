"""What the tool says of itself: help, manual page, completion, examples. They agree with each other, and are installed."""

import os
import pathlib
import pty
import re
import select
import shlex
import shutil
import subprocess

import pytest

from conftest import REPOSITORY
from tenants import acl_taken_in, quick_passes
from tool import TOOL, environment, ok, tool
from waiting import exit_code, wait_until

FRAME = REPOSITORY / "docs/valkey-tenants.1.in"


def manual():
    return subprocess.run([TOOL, "manual"], input=FRAME.read_text(), text=True, capture_output=True, check=True).stdout


def plain(page):
    return re.sub(r"\\f[BIR]", "", page).replace("\\-", "-")


def options_of(text):
    first_words = re.findall(r"^ +(-\S+)", text, re.MULTILINE)
    return {option for word in first_words for option in re.findall(r"--?[\w.-]+", word)}


def subcommands():
    return re.findall(r"^  (\w+) ", ok("--help").split("Subcommands:")[1], re.MULTILINE)


def all_helps():
    return {"": ok("--help"), **{name: ok(name, "--help") for name in subcommands()}}


def test_every_help_begins_with_what_it_is_and_examples():
    for name, text in all_helps().items():
        lines = text.splitlines()
        assert lines[1:3] == ["", "Examples:"] and re.match("  (source <.)?valkey-tenants ", lines[3]), name
        assert max(map(len, lines)) <= 120 and "\n\n\n" not in text, name
    assert re.fullmatch(r"valkey-tenants \d+\.\d+\.\d+\n", ok("--version"))
    assert not {"names", "manual"} & set(subcommands()), "what is for programs is in no help"


def test_every_option_and_subcommand_is_in_the_manual_page():
    page = plain(manual())
    for name, text in all_helps().items():
        missing = {option for option in options_of(text) if not re.search(rf"\B{re.escape(option)}\b", page)}
        assert not missing, f"{name}: {missing}"
    for name in subcommands():
        assert re.search(rf"^\.S[SH] .*{name}", page, re.MULTILINE), name


def test_the_manual_page_has_no_option_that_does_not_exist():
    known = set().union(*(options_of(text) for text in all_helps().values()))
    assert set(re.findall(r"(?<![\w-])(--[a-z][\w.-]*\w)", plain(manual()))) <= known


def test_the_manual_page_can_forget_nothing():
    for mark in ("options list", "examples check", "options TLS"):
        done = subprocess.run([TOOL, "manual"], input=FRAME.read_text().replace(f"@{mark}@\n", ""), text=True, capture_output=True)
        assert done.returncode == 1 and f"no @{mark}@" in done.stderr


@pytest.mark.skipif(not os.path.exists(pathlib.Path(TOOL).parent / "cmake_install.cmake"), reason="it was not built here")
def test_cmake_installs_the_manual_page_and_what_shells_complete(tmp_path):
    build = pathlib.Path(TOOL).parent
    subprocess.run(["cmake", "--install", build, "--prefix", tmp_path], check=True, capture_output=True)
    page, bash, zsh, fish = (
        tmp_path / "share" / name
        for name in ("man/man1/valkey-tenants.1", "bash-completion/completions/valkey-tenants", "zsh/site-functions/_valkey-tenants", "fish/vendor_completions.d/valkey-tenants.fish")
    )
    assert os.access(tmp_path / "bin/valkey-tenants", os.X_OK)
    assert page.read_text() == manual()
    assert [path.read_text() for path in (bash, zsh, fish)] == [ok("completion", shell) for shell in ("bash", "zsh", "fish")]
    assert subprocess.run(["bash", "-n", bash]).returncode == 0
    if shutil.which("man"):
        done = subprocess.run(["man", "--warnings", "-l", page], capture_output=True, text=True, env={**environment(), "MANWIDTH": "200", "MANROFFOPT": "", "LC_ALL": "C.UTF-8"})
        assert done.returncode == 0 and done.stderr == "" and "--hit-ratio" in done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_takes_the_completion_script(shell):
    script = ok("completion", shell)
    for name in subcommands():
        assert name in script
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed (scripts/install deploy); the words are there")
    assert subprocess.run([shell, "-n"], input=script, text=True, capture_output=True).returncode == 0


def with_tool():
    """The environment of a shell that finds the tool."""
    return environment(PATH=f"{pathlib.Path(TOOL).parent}:{os.environ['PATH']}")


def in_bash(*words):
    """What bash offers for the last word."""
    script = ok("completion", "bash") + f'COMP_WORDS=({shlex.join(words)}); COMP_CWORD={len(words) - 1}; _valkey_tenants; printf "%s\\n" "${{COMPREPLY[@]}}"'
    return subprocess.run(["bash", "-c", script], text=True, capture_output=True, env=with_tool()).stdout.split()


def in_fish(*words):
    script = ok("completion", "fish") + "\ncomplete -C " + shlex.quote(" ".join(words))
    out = subprocess.run(["fish", "--no-config", "-c", script], text=True, capture_output=True, env=with_tool()).stdout
    return [line.split("\t")[0] for line in out.splitlines()]


class Zsh:
    """An interactive zsh in which the Tab key was pressed."""

    def __init__(self, folder):
        (folder / "_valkey-tenants").write_text(ok("completion", "zsh"))
        self.leader, follower = pty.openpty()
        self.process = subprocess.Popen(["zsh", "-f", "-i"], stdin=follower, stdout=follower, stderr=follower, env={**with_tool(), "TERM": "vt100", "ZDOTDIR": str(folder)}, start_new_session=True)
        os.close(follower)
        self.seen = ""
        self.type(f"PS1='> '; fpath=({folder} $fpath); autoload -Uz compinit; compinit -u -D; LISTMAX=9999; zstyle ':completion:*' list-prompt ''; echo rea''dy\n")
        self.wait_for("ready")

    def type(self, text):
        os.write(self.leader, text.encode())

    def wait_for(self, *texts):
        def there():
            if select.select([self.leader], [], [], 0.05)[0]:
                self.seen += os.read(self.leader, 65536).decode(errors="replace")
            return all(text in re.sub(r"\x1b\[[\d;?]*[A-Za-z]|\x00", "", self.seen) for text in texts)

        wait_until(there, lambda: f"{texts} in {self.seen!r}")

    def complete(self, line, *offered):
        self.type("\x15" + line)
        self.wait_for(line)
        self.seen = ""
        self.type("\t")
        self.wait_for(*offered)

    def close(self):
        self.process.kill()
        exit_code(self.process)
        os.close(self.leader)


@pytest.fixture
def named(shared):
    """Tenants, one of them with a name that a shell would run."""
    shared.admin.call("ACL", "SETUSER", "app`touch${IFS}owned`", "on")
    acl_taken_in(shared.admin)
    return shared


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """A folder in which a command of a name would leave its file."""
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")


def test_bash_completes_subcommands_options_values_and_tenants(named, empty):
    assert in_bash("valkey-tenants", "sh") == ["show"]
    assert in_bash("valkey-tenants", "-p", "7000", "check", "--mem") == ["--memory"]
    assert in_bash("valkey-tenants", "list", "pre") == ["prefixes"]
    assert "--cacert" in in_bash("valkey-tenants", "list", "--ca")
    assert in_bash("valkey-tenants", "list", "--sort", "mem") == ["memory"]
    assert "CMD/S" in in_bash("valkey-tenants", "top", "--sort", "")
    assert in_bash("valkey-tenants", "list", "-o", "") == ["table", "wide", "json", "csv"] and in_bash("valkey-tenants", "show", "-o", "") == ["text", "json"]
    assert in_bash("valkey-tenants", "list", "users", "--sor") == ["--sort"]
    offered = in_bash("valkey-tenants", "-p", str(named.port), "show", "app")
    assert offered[:3] == ["app1", "app2", "app3"] and len(offered) == 4 and "\\`" in offered[3]
    assert in_bash("valkey-tenants", "-p", "1", "show", "app") == [] and os.listdir() == []


@pytest.mark.skipif(not shutil.which("fish"), reason="fish is not installed (scripts/install deploy)")
def test_fish_completes_subcommands_options_values_and_tenants(named, empty):
    assert in_fish("valkey-tenants", "sh") == ["show"]
    assert in_fish("valkey-tenants", "check", "--mem") == ["--memory"]
    assert in_fish("valkey-tenants", "list", "--sort", "mem") == ["memory"]
    assert set(in_fish("valkey-tenants", "show", "-o", "''")) <= {"text", "json"}
    assert in_fish("valkey-tenants", "list", "pre") == ["prefixes"]
    offered = in_fish("valkey-tenants", "-p", str(named.port), "show", "app")
    assert offered[:3] == ["app1", "app2", "app3"] and len(offered) == 4
    assert os.listdir() == []


@pytest.mark.skipif(not shutil.which("zsh"), reason="zsh is not installed (scripts/install deploy)")
def test_zsh_completes_subcommands_options_values_and_tenants(named, empty, tmp_path):
    folder = tmp_path / "functions"
    folder.mkdir()
    zsh = Zsh(folder)
    try:
        zsh.complete("valkey-tenants sho", "w")
        zsh.complete("valkey-tenants check --mem", "ory")
        zsh.complete("valkey-tenants list --sort mem", "ory")
        zsh.complete("valkey-tenants list pre", "fixes")
        zsh.complete(f"valkey-tenants -p {named.port} show app", "app1", "app2", "app3", "touch")
    finally:
        zsh.close()
    assert os.listdir() == []


def examples():
    """Every example of a document and of a help, without what stands behind it."""
    found = [line for path in (REPOSITORY / "README.md", REPOSITORY / "docs/tool.md") for line in re.findall(r"^    (valkey-tenants .*)", path.read_text(), re.MULTILINE)]
    for text in all_helps().values():
        found += re.findall(r"^  (valkey-tenants .*)", text.split("Examples:")[1].split("Usage:")[0], re.MULTILINE)
    return sorted({re.split(r"\s{3,}|\s+# ", line)[0].rstrip() for line in found})


@pytest.fixture
def shops(shared):
    """A server with the tenants that the examples name."""
    quick_passes(shared.admin)
    for name in ("shop", "search"):
        shared.admin.call("ACL", "SETUSER", name, "on", "nopass", f"~{name}:*", "+@all")
        shared.session(name, "x").call("SET", f"{name}:k", "x")
    shared.admin.call("CONFIG", "SET", "maxmemory", 1_000_000_000)
    acl_taken_in(shared.admin)
    return shared


@pytest.mark.newest_server("the tool does not depend on the server")
def test_every_example_does_what_it_says(shops):
    lines = examples()
    assert len(lines) > 25
    for line in lines:
        words = shlex.split(re.sub(r" --sentinel \S+| -h [\d.]+| -h db\d| -c\b| --targets \S+| > (/|~|use)\S+", "", line))[1:]
        if "exporter" in words:  # runs on: test_exporter.py
            continue
        if words[0] == "top":
            words = [word for word in words if word not in ("-b", "-n", "3", "-d", "5")] + ["-b", "-n", "1", "-d", "0.1"]
        result = tool("-p", shops.port, *words)
        assert result.err == "" and result.out and result.code <= (2 if words[0] == "check" else 0), (line, result)
