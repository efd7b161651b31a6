"""Where there is no memory the module does less, and says so: the server goes on. scarce.so is the module with an allocator
that fails when told to (tests/modules/scarce.cc)."""

import mmap
import random
import struct

import pytest
from redis.exceptions import ResponseError

from info import read_info
from tenants import acl_taken_in, full_pass, quick_passes
from traffic import Traffic, create_users
from checks import observe, wrong_commands, wrong_keys
from waiting import wait_until


class Plan:
    """Which allocations of the module fail; shared with the server that runs."""

    def __init__(self, path):
        path.write_bytes(bytes(24))
        with open(path, "r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 24)

    @property
    def count(self):
        return struct.unpack_from("=Q", self._memory)[0]

    @property
    def failing(self):
        return struct.unpack_from("=Q", self._memory, 8)[0]

    def fail(self, ahead=0, every=0):
        """The allocation so many ahead, and every one so many. No arguments: none fails any more."""
        struct.pack_into("=QQ", self._memory, 8, self.count + ahead if ahead else 0, every)


@pytest.fixture
def scarce(launch, request, tmp_path):
    """(server without the module, path of the module, plan)"""
    module = request.config.getoption("module").resolve().parent / "scarce.so"
    if not module.exists():
        pytest.skip(f"{module} is missing")
    plan = Plan(tmp_path / "plan")
    return launch(loading=None, environment={"SCARCE": str(tmp_path / "plan")}), module, plan


@pytest.mark.newest_server("the allocations are the module's own")
@pytest.mark.fault(23)
def test_the_module_is_loaded_whole_or_not_at_all(scarce):
    server, module, plan = scarce
    admin = server.admin
    create_users(admin)
    admin.pipeline(("SET", f"app{number}:1", "x") for number in range(5))
    before = plan.count
    assert admin.outcome("MODULE", "LOAD", module) == b"OK"
    needed = plan.count - before
    assert admin.outcome("MODULE", "UNLOAD", "tenants") == b"OK"
    assert needed > 100
    refused = 0
    for ahead in range(1, needed + 20):
        plan.fail(ahead)
        reply = admin.outcome("MODULE", "LOAD", module)
        plan.fail()
        assert admin.call("PING") == b"PONG"
        refused += isinstance(reply, ResponseError)
        if reply == b"OK":
            assert admin.call("MODULE", "UNLOAD", "tenants") == b"OK"
    print(f"{needed} allocations, {refused} of which it cannot do without")
    assert refused > 50
    server.check_health()


@pytest.mark.fault(23)
def test_without_memory_the_module_stays(scarce):
    server, module, plan = scarce
    assert server.admin.outcome("MODULE", "LOAD", module) == b"OK"
    plan.fail(every=1)
    assert isinstance(server.admin.outcome("MODULE", "UNLOAD", "tenants"), ResponseError)
    plan.fail()
    server.check_health()
    assert server.admin.call("MODULE", "UNLOAD", "tenants") == b"OK"


def test_what_is_loaded_without_memory_is_counted_when_there_is_some(scarce):
    server, module, plan = scarce
    admin = server.admin
    assert admin.outcome("MODULE", "LOAD", module) == b"OK"
    create_users(admin)
    admin.pipeline([("SET", f"app1:{number}", "x") for number in range(50)])
    plan.fail(every=1)
    assert admin.call("DEBUG", "RELOAD") == b"OK"
    assert admin.outcome("MODULE", "LOAD", module.parent / "logins.so") == b"OK"
    plan.fail()
    admin.call("PING")
    before = observe(server)
    session = server.session("app1")
    session.pipeline([("LOGINS.RUN", "PING"), ("SET", "app1:k", "1"), ("GET", "app1:k"), ("CONFIG", "GET", "port"), ("MULTI",), ("INCR", "app1:k"), ("EXEC",)])
    admin.call("PING")
    assert not wrong_commands(server, before), "user: (module, ledger)"
    quick_passes(admin)
    wait_until(lambda: not wrong_keys(server), lambda: f"the counts to be right, {wrong_keys(server)}; {read_info(admin).status}")


@pytest.mark.fault(23)
@pytest.mark.parametrize("every", [2, 3, 7, 50])
def test_the_server_goes_on_and_counts_are_right_again_when_there_is_memory(scarce, every, seed):
    server, module, plan = scarce
    admin = server.admin
    assert admin.outcome("MODULE", "LOAD", module, "max-users", 100, "max-prefixes", 500) == b"OK"
    create_users(admin)
    quick_passes(admin)
    traffic = Traffic(server, seed)
    rng = random.Random(seed)
    plan.fail(every=every)
    failures = plan.count
    for _ in range(400):
        traffic.step()
        admin.outcome("ACL", "SETUSER", f"user{rng.randrange(40)}", "on", ">secret", f"~user{rng.randrange(40)}:*", "+@all")
        admin.outcome("SET", f"orphan{rng.randrange(100)}:1", "x")
        admin.outcome(*rng.choice([
            ("INFO", "tenants"), ("TENANTS.LIST",), ("TENANTS.USERS", "0", "SORTBY", "commands"), ("TENANTS.PREFIXES", "0", "MATCH", "app*"), ("TENANTS.ME",),
            ("TENANTS.GET", "app1"), ("TENANTS.TOP",), ("TENANTS.BIGKEYS",), ("TENANTS.STATUS",), ("TENANTS.RESETSTAT",), ("CONFIG", "GET", "tenants.*"),
            ("CONFIG", "SET", "tenants.groups", "shop=app1,~app2:"), ("CONFIG", "SET", "tenants.groups", ""), ("CONFIG", "SET", "tenants.separators", rng.choice(":;")),
            ("CONFIG", "SET", "tenants.prefixes", rng.choice(["", "app1:sub: app2:a app3:b", "app2:a orphan1:"])), ("ACL", "SETUSER", "app2", "resetkeys", rng.choice(["~app2:*", "~app2:*:*", "~app[24]:*"])),
            ("FLUSHDB",), ("SWAPDB", "0", "1"),
        ]))  # fmt: skip
        server.check_health()
    assert plan.count > failures + 200
    plan.fail()
    admin.call("CONFIG", "SET", "tenants.separators", ":", "tenants.groups", "", "tenants.prefixes", "")
    admin.call("ACL", "SETUSER", "app1", "on")
    traffic.settle()
    full_pass(admin)
    wait_until(lambda: not wrong_keys(server), lambda: f"the counts to be right, {wrong_keys(server)}; {read_info(admin).status}")

# Commands and settings, each with what its reply is like when there is memory.
CALLS = [
    ("INFO", "tenants"), ("TENANTS.LIST",), ("TENANTS.LIST", "0", "SORTBY", "keys"), ("TENANTS.USERS", "0", "SORTBY", "commands"), ("TENANTS.PREFIXES", "0", "MATCH", "*app*"), ("TENANTS.ME",),
    ("TENANTS.GET", "app1"), ("TENANTS.TOP",), ("TENANTS.TOP", "BY", "keys", "OVER", "60"), ("TENANTS.BIGKEYS",), ("TENANTS.BIGKEYS", "app1:"), ("TENANTS.STATUS",), ("TENANTS.HELP",), ("TENANTS.RESETSTAT",),
    ("CONFIG", "GET", "tenants.*"), ("CONFIG", "SET", "tenants.groups", "shop=app1,~app2: other=app3"), ("CONFIG", "SET", "tenants.groups", ""), ("CONFIG", "SET", "tenants.separators", ";"),
    ("CONFIG", "SET", "tenants.prefixes", "app1:1 app2:1 a-prefix-with-a-long-name:of-its-own:"),
    ("CONFIG", "SET", "tenants.separators", ":"), ("CONFIG", "SET", "tenants.cpu-sampling-hz", "100"), ("SET", "new:1", "x"), ("FLUSHALL",), ("SWAPDB", "0", "1"), ("CLIENT", "LIST"),
]  # fmt: skip


def in_effect(admin):
    """What is set, and whether it is in use: tenants and prefixes by name."""
    info = read_info(admin)
    return admin.call("CONFIG", "GET", "tenants.*"), {name for name in info.tenants if name in (b"shop", b"app1")}, {name for name, row in info.prefixes.items() if name in (b"app1:1", b"app1:2") and "owner" in row}


@pytest.mark.parametrize("call", CALLS, ids=lambda call: " ".join(call))
def test_each_allocation_of_a_call_may_fail(scarce, call):
    """The first alone, the second alone …, until the call does without the one that would fail. A setting that is refused changes nothing."""
    server, module, plan = scarce
    admin = server.admin
    assert admin.outcome("MODULE", "LOAD", module, "max-users", 100, "max-prefixes", 500) == b"OK"
    create_users(admin)
    quick_passes(admin)
    admin.pipeline(("SET", f"app{number % 4}:{number}", "x" * number) for number in range(300))
    acl_taken_in(admin)
    full_pass(admin)
    refused, ahead, failing = 0, 0, True
    while failing:
        ahead += 1
        if call[:2] == ("CONFIG", "SET"):  # so that it always has something to do
            admin.call("CONFIG", "SET", "tenants.prefixes", "app1:2", "tenants.groups", "" if call[3] else "x=app1", "tenants.separators", "|" if call[3] != "|" else ":", "tenants.cpu-sampling-hz", 250)
            # a row that the setting made before, and that has no keys, goes with the next pass
            wait_until(lambda: in_effect(admin)[2] == {b"app1:2"}, lambda: f"no other prefix: {in_effect(admin)}")
        before = in_effect(admin)
        plan.fail(ahead)
        chosen = plan.failing
        reply = admin.outcome(*call)
        failing = plan.count >= chosen
        plan.fail()
        if isinstance(reply, ResponseError):
            refused += 1
            assert in_effect(admin) == before, (ahead, reply)
        assert ahead < 3000, "it allocates without end"
    server.check_health()
    print(f"{ahead - 1} allocations, {refused} of which it cannot do without")
    admin.call("CONFIG", "SET", "tenants.prefixes", "", "tenants.groups", "", "tenants.separators", ":")
    full_pass(admin)
    wait_until(lambda: not wrong_keys(server), lambda: f"the counts to be right, {wrong_keys(server)}; {read_info(admin).status}")


@pytest.mark.newest_server("the allocations are the module's own")
def test_each_allocation_of_the_work_in_between_may_fail(scarce):
    """Reading a changed ACL, connections that come and go, passes, ticks: whatever comes after the change, nobody asks meanwhile."""
    server, module, plan = scarce
    admin = server.admin
    assert admin.outcome("MODULE", "LOAD", module, "max-users", 100, "max-prefixes", 500, "info-rows", 10000) == b"OK"
    create_users(admin)
    quick_passes(admin)
    admin.pipeline(("SET", f"app{number % 4}:{number}", "x" * number) for number in range(300))
    full_pass(admin)
    for ahead in range(1, 300):
        plan.fail(ahead)
        chosen = plan.failing
        replies = admin.pipeline([("ACL", "SETUSER", f"user{ahead % 7}", "on", "+@all", "resetkeys", f"~p{ahead}:*", f"~app1:{ahead % 9}*"), ("SET", f"q{ahead % 50}:1", "x"), ("HSET", f"h{ahead}:1", "f", "v" * ahead)])
        assert not [reply for reply in replies if isinstance(reply, ResponseError)]
        server.session().close()
        wait_until(lambda: plan.count >= chosen, "so many allocations")
        plan.fail()
        server.check_health()
    admin.call("ACL", "SETUSER", "user0", "on")
    full_pass(admin)
    wait_until(lambda: not wrong_keys(server), lambda: f"the counts to be right, {wrong_keys(server)}; {read_info(admin).status}")
