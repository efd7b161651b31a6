"""Are the sanitizers awake? tests/modules/faults.cc is wrong on purpose, and each fault must be told of."""

import subprocess

import pytest
from redis.exceptions import ConnectionError

from conftest import REPOSITORY
from server import Server

pytestmark = pytest.mark.long

FAULTS = [
    ("asan", "overflow", "AddressSanitizer: heap-buffer-overflow"),
    ("asan", "use_freed", "AddressSanitizer: heap-use-after-free"),
    ("asan", "leak", "1000 byte(s) leaked in 1 allocation(s)"),
    ("asan", "add", "runtime error: signed integer overflow"),
    ("tsan", "race", "ThreadSanitizer: data race"),
]


def start(sanitizer, module, directory):
    path = REPOSITORY / f"build/{sanitizer}/{module}.so"
    binary = REPOSITORY / f".cache/servers/9-{sanitizer}/valkey-server"
    for needed, how in ((path, f"cmake --preset {sanitizer} && cmake --build --preset {sanitizer}"), (binary, f"scripts/servers 9-{sanitizer}")):
        if not needed.exists():
            pytest.skip(f"{needed} is missing: {how}")
    return Server(binary, path, directory).start()


@pytest.mark.parametrize("sanitizer, fault, report", FAULTS, ids=[fault for _, fault, _ in FAULTS])
def test_a_fault_is_told_of(sanitizer, fault, report, tmp_path):
    server = start(sanitizer, "faults", tmp_path)
    try:
        server.admin.outcome(f"FAULTS.{fault}")
    except ConnectionError:
        pass  # the server ended at once
    code = server.stop()
    assert code not in (0, None) and report in server.log(), server.log_tail()
    with pytest.raises(AssertionError):
        server.check_log()


@pytest.mark.parametrize("sanitizer", ["asan", "tsan"])
def test_without_a_fault_there_is_no_report(sanitizer, tmp_path):
    server = start(sanitizer, "tenants", tmp_path)
    server.admin.call("TENANTS.LIST")
    assert server.stop() == 0 or server.leak_check_broke_off()
    server.check_log()


@pytest.mark.parametrize("sanitizer, symbol", [("asan", "__asan_init"), ("tsan", "__tsan_init")])
def test_the_module_under_test_is_instrumented(sanitizer, symbol):
    module = REPOSITORY / f"build/{sanitizer}/tenants.so"
    if not module.exists():
        pytest.skip(f"{module} is missing: cmake --preset {sanitizer} && cmake --build --preset {sanitizer}")
    assert symbol in subprocess.run(["nm", "-D", module], check=True, stdout=subprocess.PIPE, text=True).stdout
