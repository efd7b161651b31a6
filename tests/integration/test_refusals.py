"""Commands that the server refuses for its own state: not counted where it says so (9.1+), and counted, as accuracy.md has it, where it
doesn't."""

import pytest

from checks import observe, sums_of_commands, users, wrong_commands, wrong_connections
from cluster import Cluster
from ledger import refused
from server import free_port
from traffic import create_users
from waiting import wait_until


class Refusal:
    """What app1 sends while the server refuses it `error`, in every way there is to send it.

    `refuse` makes the server refuse, `accept` ends that."""

    def __init__(self, server, error, command, refuse, accept):
        self.server, self.error, self.command = server, error, command
        self.refuse, self.accept = refuse, accept

    def check(self):
        """Alone, queued, and when EXEC is to run it."""
        server, session, late = self.server, self.server.session("app1"), self.server.session("app1")
        late.pipeline([("MULTI",), self.command, ("PING",)])
        before, rejected = observe(server), users(server)[b"app1"].get("rejected")
        self.refuse()
        replies = session.pipeline([self.command, ("ECHO", "x"), ("MULTI",), self.command, ("EXEC",), ("ECHO", "x")])
        replies.append(late.outcome("EXEC"))
        self.accept()
        was_refused = [self.error in str(reply) and refused(reply) for reply in replies]
        queued = not was_refused[3]  # ASK on 9.x, which leaves it to EXEC
        assert was_refused == [True, False, False, not queued, queued, False, True], replies
        session.pipeline([("MULTI",), self.command, ("EXEC",)])
        late.pipeline([self.command, ("MULTI",), ("ECHO", "x"), ("EXEC",)])
        assert not wrong_commands(server, before), f"{self.error}: user: (module, ledger)"
        module, commandstats = sums_of_commands(server, before)
        assert module == commandstats, f"{self.error}: {observe(server).commandstats - before.commandstats}"
        if server.ledger.tells_refusals:
            assert users(server)[b"app1"]["rejected"] - rejected == 3, self.error


WRITE = ("SET", "app1:k", "1")


def test_writes_that_wait_for_replicas_are_refused(shared):
    admin = shared.admin
    Refusal(
        shared, "NOREPLICAS", WRITE,
        lambda: admin.call("CONFIG", "SET", "min-replicas-to-write", 1),
        lambda: admin.call("CONFIG", "SET", "min-replicas-to-write", 0),
    ).check()  # fmt: skip


def test_writes_beyond_maxmemory_are_refused(shared):
    admin = shared.admin
    Refusal(shared, "OOM", WRITE, lambda: admin.call("CONFIG", "SET", "maxmemory", 1), lambda: admin.call("CONFIG", "SET", "maxmemory", 0)).check()


def test_writes_to_a_replica_are_refused(launch):
    primary, replica = launch(), launch(lines=["repl-diskless-load swapdb"])
    create_users(primary.admin)
    create_users(replica.admin)

    def follow():
        replica.admin.call("REPLICAOF", "127.0.0.1", primary.port)
        wait_until(lambda: b"master_link_status:up" in replica.admin.call("INFO", "replication"), "the link to be up")

    Refusal(replica, "READONLY", WRITE, follow, lambda: replica.admin.call("REPLICAOF", "NO", "ONE")).check()
    assert not wrong_connections(replica.admin)


def test_reads_of_a_replica_without_its_primary_are_refused(shared):
    shared.admin.call("CONFIG", "SET", "replica-serve-stale-data", "no")
    Refusal(
        shared, "MASTERDOWN", ("GET", "app1:k"),
        lambda: shared.admin.call("REPLICAOF", "127.0.0.1", free_port()),
        lambda: shared.admin.call("REPLICAOF", "NO", "ONE"),
    ).check()  # fmt: skip


@pytest.mark.fault(24)
def test_writes_after_a_failed_snapshot_are_refused(launch, tmp_path):
    server = launch(lines=["enable-protected-configs yes", "save 3600 1000000"])
    create_users(server.admin)
    (tmp_path / "gone").mkdir()

    def refuse():
        server.admin.call("CONFIG", "SET", "dir", tmp_path / "gone")
        (tmp_path / "gone").rmdir()
        server.admin.call("BGSAVE")
        wait_until(lambda: b"rdb_last_bgsave_status:err" in server.admin.call("INFO", "persistence"), "BGSAVE to fail")

    Refusal(server, "MISCONF", WRITE, refuse, lambda: server.admin.call("CONFIG", "SET", "stop-writes-on-bgsave-error", "no")).check()


def test_what_another_node_has_to_serve_is_refused(launch):
    """In a cluster: MOVED, ASK, CLUSTERDOWN, all for one slot that the first node has before and after."""
    cluster = Cluster(launch, 2)
    node = cluster.nodes[0]
    create_users(node.admin)
    key = "app1:{06S}"  # slot 0
    slot = node.admin.call("CLUSTER", "KEYSLOT", key)
    command = ("GET", key)

    def set_slot(*words):
        return lambda: node.admin.call("CLUSTER", "SETSLOT", slot, *words)

    Refusal(node, "MOVED", command, set_slot("NODE", cluster.ids[1]), set_slot("NODE", cluster.ids[0])).check()
    Refusal(node, "ASK", command, set_slot("MIGRATING", cluster.ids[1]), set_slot("STABLE")).check()
    Refusal(
        node, "CLUSTERDOWN", command, lambda: node.admin.call("CLUSTER", "DELSLOTS", slot), lambda: node.admin.call("CLUSTER", "ADDSLOTS", slot)
    ).check()
