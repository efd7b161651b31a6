"""What the tool says of itself: help, manual page, completion. They agree with each other."""

import pathlib
import re
import shutil
import subprocess

import pytest

from tool import ok

MANUAL = pathlib.Path(__file__).resolve().parents[2] / "docs/valkey-tenants.1"


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
        assert lines[1:3] == ["", "Examples:"] and lines[3].startswith("  valkey-tenants "), name
        assert max(map(len, lines)) <= 120 and "\n\n\n" not in text, name
    assert re.fullmatch(r"valkey-tenants \d+\.\d+\.\d+\n", ok("--version"))


def test_every_option_and_subcommand_is_in_the_manual_page():
    manual = MANUAL.read_text().replace("\\-", "-")
    for name, text in all_helps().items():
        missing = {option for option in options_of(text) if not re.search(rf"\B{re.escape(option)}\b", manual)}
        assert not missing, f"{name}: {missing}"
    for name in subcommands():
        assert re.search(rf"^\.S[SH] .*{name}", manual, re.MULTILINE), name


def test_the_manual_page_has_no_option_that_does_not_exist():
    manual = MANUAL.read_text().replace("\\-", "-")
    known = set().union(*(options_of(text) for text in all_helps().values())) | {"-a"}
    if "exporter" not in subcommands():
        manual = re.sub(r"\.SS exporter.*?(?=\.SS)", "", manual, flags=re.DOTALL)
    assert set(re.findall(r"(?<![\w-])(--[a-z][\w.-]*\w)", manual)) <= known


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_takes_the_completion_script(shell):
    script = ok("completion", shell)
    for name in subcommands():
        assert name in script
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed; the words are there")
    assert subprocess.run([shell, "-n"], input=script, text=True, capture_output=True).returncode == 0


def complete(*words):
    """What bash offers for the last word."""
    script = ok("completion", "bash") + f'COMP_WORDS=({" ".join(words)}); COMP_CWORD={len(words) - 1}; _valkey_tenants; printf "%s\\n" "${{COMPREPLY[@]}}"'
    return subprocess.run(["bash", "-c", script], text=True, capture_output=True).stdout.split()


def test_bash_completes_subcommands_options_and_words():
    assert complete("valkey-tenants", "sh") == ["show"]
    assert complete("valkey-tenants", "-p", "7000", "check", "--mem") == ["--memory"]
    assert complete("valkey-tenants", "list", "pre") == ["prefixes"]
    assert "--cacert" in complete("valkey-tenants", "list", "--ca")
