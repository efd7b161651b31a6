"""The hot path stays as short as it was. Instructions are counted, not time: noise can't fool it."""

import pathlib
import subprocess
import sys

import pytest

from conftest import REPOSITORY


def test_a_command_takes_no_more_instructions_than_recorded(module):
    if module != pathlib.Path(REPOSITORY, "build/release/tenants.so"):
        pytest.skip("only the release build has a record")
    checked = subprocess.run([sys.executable, "-B", REPOSITORY / "benchmarks/instructions", "--check"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(checked.stdout)
    if "skipped:" in checked.stdout:
        pytest.skip(checked.stdout.strip())
    assert checked.returncode == 0, checked.stdout
