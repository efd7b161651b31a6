"""Ten thousand tenants: how long an operator waits. The bound has room for a busy machine."""

import json
import time

import pytest

from tenants import acl_taken_in
from tool import listed, ok
from waiting import patience, wait_until

pytestmark = pytest.mark.newest_server("a figure of one version is enough")

TENANTS = 10_000


@pytest.mark.long
@pytest.mark.not_with("coverage", "asan", "tsan", reason="a bound of time that the release build keeps")
def test_ten_thousand_tenants_are_listed_in_a_second(launch, version):
    server = launch(module_arguments=["max-users", "20000", "max-prefixes", "20000"])
    for first in range(0, TENANTS, 1000):
        server.admin.pipeline([("ACL", "SETUSER", f"tenant{n}", "on", "nopass", f"~tenant{n}:*", "+@all") for n in range(first, first + 1000)])
        server.admin.pipeline([("SET", f"tenant{n}:k", "x") for n in range(first, first + 1000)])
    acl_taken_in(server.admin, 120)
    # with so many rows the module adds up every two seconds, and lists who was there then
    wait_until(lambda: sum(name.startswith("tenant") for name in listed("-p", server.port)["rows"]) == TENANTS, "the module to have added up all tenants")
    took = {}
    for what in (["list"], ["list", "prefixes"], ["list", "-o", "json"], ["show", "tenant77"], ["top", "-b", "-n", "1", "-d", "0.1"], ["check", "--keys", "any > 5"], ["check", "--growth", "any > 1TB"]):
        best = 99
        for _ in range(3):
            begun = time.monotonic()
            out = ok("-p", server.port, *what)
            best = min(best, time.monotonic() - begun)
        took[" ".join(what)] = best
        if what[-1] == "json":
            rows = json.loads(out)["rows"]
            assert len({row["name"] for row in rows}) == len(rows) and sum(row["name"].startswith("tenant") for row in rows) == TENANTS
    print(f"{TENANTS} tenants on {version}, best of 3: " + ", ".join(f"{what} {seconds:.2f} s" for what, seconds in took.items()))
    assert took["list"] <= patience()
