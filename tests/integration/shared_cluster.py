"""A cluster with replicas that many tenants share, and their traffic."""

import random
import time

from cluster import LINES, SLOTS, Cluster, lose
from tenants import acl_taken_in
from waiting import wait_until

NAMES = {"shop": 40, "search": 25, "sessions": 60, "recommendations": 12, "billing": 4, "chat": 18, "mail": 6, "inventory": 9,
         "reports": 2, "feature-flags": 30, "images": 3, "payments": 5, "geo": 14, "audit": 1, "tracking": 22}  # fmt: skip


class SharedCluster:
    def __init__(self, launch, primaries=3):
        cluster = Cluster(launch, primaries)
        self.primaries, self.replicas = cluster.nodes, [launch(lines=LINES) for _ in range(primaries)]
        for replica, primary_id in zip(self.replicas, cluster.ids):
            replica.admin.call("CLUSTER", "MEET", "127.0.0.1", self.primaries[0].port)
            wait_until(lambda: primary_id in replica.admin.call("CLUSTER", "NODES"), "the replica to meet its primary")
            wait_until(lambda: replica.admin.outcome("CLUSTER", "REPLICATE", primary_id) == b"OK", "REPLICATE to be accepted")
        for replica in self.replicas:
            wait_until(lambda: b"master_link_status:up" in replica.admin.call("INFO", "replication"), "the replica to be in step")
        self.nodes = self.primaries + self.replicas
        for node in self.nodes:
            wait_until(lambda: node.admin.call("CLUSTER", "NODES").count(b"connected") >= len(self.nodes), "all to know all")
        self.tags = [self._tag(number) for number in range(primaries)]
        self.tenants, self.sent = [], 0
        self._sessions = [node.session() for node in self.primaries]

    def _tag(self, number):
        """A hash tag whose slot is on primary `number`."""
        slots = range(number * SLOTS // len(self.primaries), (number + 1) * SLOTS // len(self.primaries))
        return next(str(tag) for tag in range(10000) if self.primaries[0].admin.call("CLUSTER", "KEYSLOT", tag) in slots)

    def add_tenants(self, names):
        self.tenants += names
        for node in self.nodes:
            node.admin.pipeline([("ACL", "SETUSER", name, "on", ">secret", f"~{name}:*", "+@all") for name in names])
            acl_taken_in(node.admin)

    def work(self, number, tenant, writes, reads, size=100):
        """On primary `number`, which may have moved; counts what is sent, AUTH included."""
        key = f"{tenant}:{{{self.tags[number]}}}"
        commands = [("AUTH", tenant, "secret")]
        commands += [("SET", f"{key}{random.randrange(5000)}", "x" * random.randrange(size), "EX", "3600") for _ in range(writes)]
        commands += [("GET", f"{key}{random.randrange(5000)}") for _ in range(reads)]
        self._sessions[number].pipeline(commands)
        self.sent += len(commands)

    def lose(self, number):
        """Kills a primary, and returns when its replica has taken over."""
        lose(self.primaries[number], self.nodes)
        replica = self.replicas[number]
        wait_until(lambda: b"role:master" in replica.admin.call("INFO", "replication"), "the replica to take over")
        wait_until(lambda: b"cluster_state:ok" in replica.admin.call("CLUSTER", "INFO"), "the cluster to be whole")
        self._sessions[number] = replica.session()

    def fill_with_life(self):
        """Tenants of different size and temper, for a picture."""
        self.add_tenants(list(NAMES))
        self._clients = {name: [node.session(name) for node in self.primaries] for name in NAMES}
        self._idle = [random.choice(self.primaries).session(name) for name, weight in NAMES.items() for _ in range(weight // 4)]
        for name, weight in NAMES.items():
            for number in range(len(self.primaries)):
                self._visit(name, number, range(weight * 40), 4000 if name == "images" else 20 + 15 * weight)

    def _visit(self, name, number, writes, size, reads=()):
        key = f"{name}:{{{self.tags[number]}}}"
        commands = [("SET", f"{key}{at}", "x" * random.randrange(size // 2, size), "EX", "3600") for at in writes]
        self._clients[name][number].pipeline(commands + [("GET", f"{key}{at}") for at in reads])

    def live(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for name, weight in NAMES.items():
                for number in range(len(self.primaries)):
                    busy = int(random.random() * weight) + 1
                    some = lambda count: [random.randrange(weight * 44) for _ in range(count)]  # noqa: E731
                    self._visit(name, number, some(busy // 4), 20 + 15 * weight, some(busy))
            self._clients["payments"][0].outcome("GET", "billing:1")  # outside its fence
            self._clients["reports"][0].outcome("INCR", f"reports:{{{self.tags[0]}}}1")  # no number
            time.sleep(0.05)  # the pace of the traffic, not a wait
