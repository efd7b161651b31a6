"""The model: every command that changes keys, at random and in great number; whenever traffic pauses, the live counts are
what SCAN finds, on a primary, on its replica, and on the nodes of a cluster.

    pytest tests/integration/test_model.py --steps 25000 --seed 7       # a million changes in each case
"""

import random
import secrets
import socket
import time

import truth
from changes import pack, pieces
from checks import wrong_keys
from cluster import Cluster
from info import read_info, rows_that_do_not_add_up
from tenants import acl_taken_in, quick_passes
from test_replica import caught_up, follow
from traffic import create_users
from waiting import wait_until

CHANGES_PER_STEP = 40
ROUNDS = 6
BATCH = 500  # pieces
PREFIXES = [b"app1:", b"app1:sub:", b"app2:", b"app3:", b"shared:", b"orphan1:", b"orphan2:", b"", b"{tag}:"]
# In four slots; commands with keys of two would all be refused, and make 9.1.2 refuse what scripts and modules do, too.
TAGGED = [[prefix.replace(b"t", b"%d" % slot) for prefix in (b"app1:{t}:", b"app1:sub:{t}:", b"app2:{t}:", b"orphan1:{t}:", b"{t}")] for slot in range(4)]


class Sender:
    """Connections over which batches go out at once; replies are only waited for."""

    def __init__(self, server, connections=3):
        self.sockets = [socket.create_connection(("127.0.0.1", server.port), timeout=600) for _ in range(connections)]

    def send(self, batches):
        """One batch to each connection, at the same time."""
        marks = [secrets.token_hex(16).encode() for _ in batches]
        for connection, batch, mark in zip(self.sockets, batches, marks):
            connection.sendall(batch + pack(("ECHO", mark)))
        for connection, mark in zip(self.sockets, marks):
            tail = b""
            while not tail.endswith(mark + b"\r\n"):
                received = connection.recv(1 << 18)
                assert received, "the server closed a connection"
                tail = (tail + received)[-64:]

    def close(self):
        for connection in self.sockets:
            connection.close()


def dumps(session):
    """What RESTORE may be given: one of each type."""
    makers = [("SET", "x"), ("RPUSH", "a", "b"), ("SADD", "a", "b"), ("ZADD", 1, "a"), ("HSET", "f", "v"), ("XADD", "*", "f", "v"), ("SET", "y" * 100)]
    key = next(name for name in map("made{}".format, range(100)) if session.outcome("SET", name, "x") == b"OK")  # in a cluster, one of ours
    for name, *arguments in makers:
        session.call("DEL", key)
        session.call(name, key, *arguments)
        yield session.call("DUMP", key)
    session.call("DEL", key)


def short_lived(server):
    """Keys with less than a minute to live. Asking for their names removes the expired ones."""
    session = server.admin
    for database, names in truth.key_names(session).items():
        session.call("SELECT", database)
        times = session.pipeline([("PTTL", name) for name in names])
        session.call("SELECT", 0)
        if any(0 <= left < 60_000 for left in times):
            return True
    return False


def assert_counts_are_right(server, why):
    """At once; but for fields of hashes from Valkey 9.0 on and in Redis, whose expiry may take a key with it at any moment."""
    differences = wrong_keys(server)
    if differences and (server.is_redis or server.version >= (9, 0)):
        wait_until(lambda: not wrong_keys(server), lambda: f"{why}, prefix: (module, SCAN) {wrong_keys(server)}")
    else:
        assert not differences, f"{why}, prefix: (module, SCAN) {differences}, {read_info(server.admin).status}"
    info = read_info(server.admin)
    assert info.status["drift"] == 0, why
    assert not rows_that_do_not_add_up(info), why


def only_live_counts(server, wanted):
    """Switches the passes off, which could repair something; only where the server lets the module count live."""
    acl_taken_in(server.admin)
    if read_info(server.admin).status["keys_mode"] == "swept":
        return
    if wanted:
        server.admin.call("CONFIG", "SET", "tenants.sweep-cpu-percent", 0)
    else:
        quick_passes(server.admin)


def run(servers, seed, steps, groups, checked=(), between=lambda number: None, without=()):
    """Changes on each of `servers`; what is right is asked of these and of `checked`, after `between(round)`."""
    began, rng = time.monotonic(), random.Random(seed)
    stock = pieces(seed, groups, list(dumps(servers[0].admin)), without)
    senders = [Sender(server) for server in servers]
    changes, wanted = 0, steps * CHANGES_PER_STEP
    for number in range(ROUNDS):
        for server in (*servers, *checked):
            only_live_counts(server, number < ROUNDS // 2)
        while changes < wanted * (number + 1) / ROUNDS:
            batches = []
            for _ in senders[0].sockets:
                chosen = rng.choices(stock, k=BATCH)
                changes += sum(count for _, count in chosen)
                batches.append(b"".join(packed for packed, _ in chosen))
            for sender in senders:
                sender.send(batches)
        for server in servers:
            wait_until(lambda: not short_lived(server), "the short-lived keys to expire")
        between(number)
        for server in (*servers, *checked):
            assert_counts_are_right(server, f"seed {seed}, after {changes} changes")
    for sender in senders:
        sender.close()
    print(f"{servers[0].version}: {changes} changes, {ROUNDS} pauses, {time.monotonic() - began:.1f} s, counts right")


def prepare(*servers):
    for server in servers:
        create_users(server.admin)
        quick_passes(server.admin)


def test_live_counts_are_what_scan_finds(launch, seed, request):
    server = launch()
    prepare(server)
    run([server], seed, request.config.getoption("steps"), [PREFIXES])


def test_live_counts_on_a_replica_are_what_scan_finds(launch, seed, request):
    primary, replica = launch(), launch(lines=[f"repl-diskless-load {random.Random(seed).choice(['swapdb', 'disabled'])}"])
    prepare(primary, replica)
    follow(primary, replica)

    def between(number):
        caught_up(primary, replica)
        if number % 2:  # a full synchronization, over keys of its own
            replica.admin.call("REPLICAOF", "NO", "ONE")
            replica.admin.call("SET", "stale:1", "x")
            follow(primary, replica)

    # 9.1.2 asserts in the process that saves when all fields of a hash have expired (dismissHashObject).
    run([primary], seed, request.config.getoption("steps"), [PREFIXES], [replica], between, without=("HPEXPIRE", "HSETEX", "HGETEX"))


def test_live_counts_in_a_cluster_are_what_scan_finds(launch, seed, request):
    nodes = Cluster(launch, 2).nodes
    prepare(*nodes)
    # 9.1.2 runs MSETEX on whichever node it is sent to.
    run(nodes, seed, request.config.getoption("steps"), TAGGED, without=("MSETEX",))
