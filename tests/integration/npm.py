"""Checkers that only npm has: fetched once, into .cache/."""

import shutil
import subprocess

import pytest

from monitoring import REPOSITORY


def fetched(name, packages):
    """The folder whose node_modules holds these packages, each with its version. Skips the test where they can't be had."""
    npm, folder = shutil.which("npm"), REPOSITORY / ".cache/npm" / name
    if not npm:
        pytest.skip(f"npm is not installed: no check with {packages[0]}")
    proof = folder / "complete"
    if proof.exists() and proof.read_text() == "\n".join(packages):
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text("{}")
    command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--save-exact", *packages]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm could not fetch {packages[0]} within two minutes")
    if done.returncode:
        pytest.skip(f"npm could not fetch {packages[0]}: {done.stderr.strip()[-300:]}")
    proof.write_text("\n".join(packages))
    return folder
