"""A cluster of servers that know each other; the slots are shared out evenly."""

from waiting import wait_until

SLOTS = 16384
LINES = ["cluster-enabled yes", "cluster-node-timeout 15000", "cluster-require-full-coverage no", "cluster-replica-validity-factor 0"]


def lose(node, nodes):
    """It dies, and the others of these shall notice soon; before, a busy machine must not make them think so."""
    for each in nodes:
        each.admin.call("CONFIG", "SET", "cluster-node-timeout", 2000)
    node.kill()


class Cluster:
    def __init__(self, launch, nodes, *lines):
        self.nodes = [launch(lines=[*LINES, *lines]) for _ in range(nodes)]
        self.ids = [node.admin.call("CLUSTER", "MYID") for node in self.nodes]
        for number, node in enumerate(self.nodes):
            node.admin.call("CLUSTER", "ADDSLOTSRANGE", number * SLOTS // nodes, (number + 1) * SLOTS // nodes - 1)
            node.admin.call("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            node.admin.call("CLUSTER", "MEET", "127.0.0.1", self.nodes[0].port)
        wait_until(lambda: all(self._knows_all(node) for node in self.nodes), "every node to know all slots")

    def _knows_all(self, node):
        info = node.admin.call("CLUSTER", "INFO")
        return b"cluster_state:ok" in info and b"cluster_slots_ok:%d" % SLOTS in info

    def everywhere(self, *command):
        for node in self.nodes:
            node.admin.call(*command)

    def own(self, slot, number):
        """Node `number` has the slot; all others are told so."""
        self.everywhere("CLUSTER", "SETSLOT", slot, "NODE", self.ids[number])
