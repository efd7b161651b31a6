"""Comparisons of what the module says with the truth. Each returns what differs as {name: (module, truth)}, empty if all is right."""

import collections
import functools
import time

import truth
from info import Info, bytes_by_prefix, keys_by_prefix, read_info
from ledger import COUNTED
from tenants import measured_pass, settled_info

NOTHING = dict.fromkeys(COUNTED, 0)

# {oracle: seconds} of the running test: from the first comparison after something happened until one found no difference, its
# own time included; the longest of each. conftest.py passes them on to tests/faults/matrix.
truth_seconds = {}


def timed(compare):
    """For a comparison that is made when all is quiet; the first argument says of what."""
    since = {}

    @functools.wraps(compare)
    def timing(of, *rest):
        began = since.setdefault(of, time.monotonic())
        differences = compare(of, *rest)
        if not differences:
            oracle = compare.__name__.removeprefix("wrong_")
            truth_seconds[oracle] = max(time.monotonic() - since.pop(of, began), truth_seconds.get(oracle, 0))
        return differences

    return timing


def users(server):
    return read_info(server.admin).users


def _differences(module, outside):
    return {name: (module.get(name), outside.get(name)) for name in {**module, **outside} if module.get(name) != outside.get(name)}


@timed
def wrong_connections(session):
    """Both sides are read in one transaction: of the very same moment, quiet or not."""
    client_list, info = session.transaction(("CLIENT", "LIST"), ("INFO", "tenants"))
    return wrong_connections_in(client_list, info)


def wrong_connections_in(client_list, info_text):
    info = Info(info_text)
    module = {user: row["connections"] for user, row in info.users.items() if row["connections"]}
    outside = truth.connections_by_user(client_list)
    differences = _differences(module, outside)
    if info.status and info.status["connections"] != sum(outside.values()):
        differences["status"] = (info.status["connections"], sum(outside.values()))
    return differences


Observation = collections.namedtuple("Observation", "info ledger refused commandstats names")


def observe(server):
    """What module, ledger and commandstats say now. Only differences of two observations mean something, because each of the
    three counts the observing commands themselves at another moment. Module and commandstats are read by one command: a replica's
    REPLCONF, which no ledger has, may come at any time."""
    ledger, refused = server.ledger.snapshot(), server.ledger.snapshot_refused()
    text = server.admin.call("INFO", "commandstats", "tenants")
    info = Info(text)
    return Observation(info, ledger, refused, truth.calls_in(text), commands_by_name(server.admin, info))


def commands_by_name(session, info):
    """{(user, full command name): how often}, as TENANTS.GET has it."""
    users = [user for user in info.users if isinstance(user, bytes)]
    names = collections.Counter()
    for user, row in zip(users, session.transaction(*(("TENANTS.GET", user) for user in users))):
        row = truth.pairs(truth.pairs(row)[b"users"][0])
        by_name = truth.pairs(row[b"commands_by_name"])
        assert sum(by_name.values()) == row[b"commands"], (user, row)
        names.update({(user, name): times for name, times in by_name.items()})
    return names


def counted_between(before, after):
    """{user: {"commands" and each kind}} that the module counted, without the rows of which nothing was counted."""
    users = {}
    for name, row in after.info.users.items():
        old = before.info.users.get(name, NOTHING)
        users[name] = {field: row[field] - old[field] for field in NOTHING}
    return {name: row for name, row in users.items() if row != NOTHING}


@timed
def wrong_commands(server, before):
    """What was counted since `before`, against the ledger, by user, and by user and command. Everything must have been answered."""
    after = observe(server)
    counted = counted_between(before, after)
    counted.pop("(internal)", None)
    sent = after.ledger - before.ledger
    names = after.names - before.names
    for observing in [name for name in {*names, *sent} if name[1] == b"tenants.get"]:  # one per user known at that moment
        del names[observing], sent[observing]
    return _differences(counted, server.ledger.by_user(after.ledger - before.ledger)) | _differences(names, sent)


def sums_of_commands(server, before):
    """(the module's sum over users and what is nobody's, as a primary's PING; commandstats without what the module called itself and
    with the refused commands of which the server does not tell) since `before`."""
    after = observe(server)
    counted = counted_between(before, after)
    outside = after.commandstats - before.commandstats
    sent = server.ledger.by_command(after.ledger - before.ledger)
    for name in truth.OWN_COMMANDS:
        outside[name] = sent[name]
    refused = after.refused - before.refused
    return sum(row["commands"] for row in counted.values()), sum(outside.values()) + sum(refused.values())


@timed
def wrong_keys(server, separators=b":"):
    """Keys per prefix against SCAN."""
    info = settled_info(server.admin)
    return _differences(keys_by_prefix(info), truth.keys_by_prefix(server.admin, separators))


@timed
def wrong_bytes(server):
    """Bytes per prefix against MEMORY USAGE. Needs `quick_passes`."""
    return _differences(bytes_by_prefix(measured_pass(server.admin)), truth.bytes_by_prefix(server.admin))
