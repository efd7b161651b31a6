"""Everything at once, for as long as --steps says, against every truth there is.

    pytest tests/integration/test_soak.py --steps 100000 --seed 7       # some million commands
"""

import pytest

from checks import observe, sums_of_commands, wrong_commands, wrong_connections, wrong_keys
from info import read_info, rows_that_do_not_add_up, total
from tenants import quick_passes
from test_usage import failed_calls
from traffic import Traffic, create_users
from waiting import wait_until

ROUNDS = 10


def churn_the_acl(server, number):
    """A user appears, works, and is deleted while its connection is open."""
    name = f"guest{number}"
    create_users(server.admin, {name: f"~{name}:* +@all"})
    session = server.session(name)
    session.pipeline([("SET", f"{name}:k", "1"), ("GET", f"{name}:k"), ("DEL", f"{name}:k")])
    server.admin.call("ACL", "DELUSER", name)
    wait_until(lambda: name.encode() not in server.admin.call("CLIENT", "LIST"), "the guest's connection to be closed")


@pytest.mark.fault(26)
@pytest.mark.parametrize("io_threads", [1, pytest.param(3, marks=pytest.mark.fault(16))])
def test_nothing_is_lost_or_counted_twice(launch, io_threads, seed, request):
    server = launch(lines=[f"io-threads {io_threads}"])
    create_users(server.admin)
    quick_passes(server.admin)
    before, failed, errors = observe(server), failed_calls(server.admin), total(read_info(server.admin).users, "errors")
    traffic = Traffic(server, seed)
    for number in range(ROUNDS):
        traffic.run(request.config.getoption("steps") // ROUNDS)
        churn_the_acl(server, number)
        assert not wrong_connections(server.admin), f"seed {seed}, round {number}"
    assert not wrong_commands(server, before), f"seed {seed}: user: (module, ledger)"
    module, commandstats = sums_of_commands(server, before)
    assert module == commandstats, f"seed {seed}"
    if server.ledger.tells_refusals:
        assert total(read_info(server.admin).users, "errors") - errors == failed_calls(server.admin) - failed, f"seed {seed}"
    traffic.settle()
    assert not wrong_keys(server), f"seed {seed}: prefix: (module, SCAN)"
    print(f"seed {seed}: {sum(server.ledger.snapshot().values())} commands were counted right")
    info = read_info(server.admin)
    assert info.status["drift"] == 0, f"seed {seed}"
    assert not rows_that_do_not_add_up(info), f"seed {seed}"
