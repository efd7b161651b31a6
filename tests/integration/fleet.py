"""A cluster that lives: tenants work on it, nodes come, go, hang and die; and the truth about it, in which the module has no say."""

import collections
import contextlib
import random
import re
import signal
import time

from redis.crc import key_slot

import truth
from cluster import LINES
from info import read_info
from tenants import acl_taken_in, full_pass, measured_pass, quick_passes
from test_replica import replication
from tool import ReplicatedCluster
from waiting import wait_until

WORKERS = ["shop", "search", "mail", "chat"]
KEEPER = "keeper"  # never deletes a key
TENANTS = [*WORKERS, KEEPER]
COUNTED = ["commands", "reads", "writes", "scripts"]
# A node that is starved is no dead one: who shall take over is said by the test.
CONFIG = ["cluster-replica-no-failover yes", "cluster-manual-failover-timeout 60000", *(f"user {name} on >secret ~{name}:* +@all" for name in TENANTS)]
TIMEOUT_MSEC = 15_000  # cluster-node-timeout; LINES has it
SHORT_MSEC = 60_000  # who has less left to live may vanish while we look

Place = collections.namedtuple("Place", "role primary slots")  # as CLUSTER NODES says
# Unix seconds.
Sent = collections.namedtuple("Sent", "begun ended tenant node count")
Move = collections.namedtuple("Move", "begun ended keys")  # of the keeper


def address(node):
    return f"127.0.0.1:{node.port}"


@contextlib.contextmanager
def passes(nodes):
    """Meanwhile one pass after the other; else two busy cores would do little else."""
    for node in nodes:
        quick_passes(node.admin)
    yield
    for node in nodes:
        node.admin.call("CONFIG", "SET", "tenants.sweep-interval", 3600)


def view(node):
    """{id: Place}, and who shares slots, as this node sees it."""
    places = {}
    for line in node.admin.call("CLUSTER", "NODES").decode().splitlines():
        node_id, _, flags, primary, _, _, _, _, *slots = line.split()
        role = "unknown" if "handshake" in flags else "replica" if "slave" in flags else "primary"
        places[node_id] = Place(role, primary, tuple(text for text in slots if not text.startswith("[")))
    shards = [truth.pairs(shard) for shard in node.admin.call("CLUSTER", "SHARDS")]
    return places, sorted((sorted(truth.pairs(each)[b"id"] for each in shard[b"nodes"]), shard[b"slots"]) for shard in shards)


def slots_of(place):
    ranges = (list(map(int, text.split("-"))) for text in place.slots)
    return [slot for first, *last in ranges for slot in range(first, (last or [first])[0] + 1)]


class Fleet(ReplicatedCluster):
    """`members` are the nodes of the cluster, `missing` those of them that hang or are dead, and since when."""

    def __init__(self, launch, seed):
        super().__init__(launch, *CONFIG)
        self.launch = launch
        self.chance, self.traffic = random.Random(seed), random.Random(seed)  # how much is sent depends on how long things take; what happens does not
        self.members, self.missing, self.sent = list(self.all), {}, []
        self._id = {node: node_id.decode() for node, node_id in zip(self.all, self.ids)}
        self._before = collections.defaultdict(collections.Counter)  # of the ledger, what the node's process before this one did
        self._sessions, self._held = {}, []
        self.kept, self.moves = 0, []
        self.importing = None  # a node that has a part of a slot: the server lets no module measure keys there
        self.learn()

    def id_of(self, node):
        return self._id[node]

    def reachable(self):
        return [node for node in self.members if node not in self.missing]

    def placed(self, role):
        """Who answers and has this role."""
        return [node for node in self.reachable() if self.places[node].role == role]

    def sources(self):
        """Whose keys count."""
        return [node for node in self.placed("primary") if self.places[node].slots]

    def primary_of(self, replica):
        return next(node for node in self.members if self.id_of(node) == self.places[replica].primary)

    def is_whole(self):
        """Does somebody who answers own each slot?"""
        return not any(self.places[node].slots for node in self.missing)

    def agreed(self):
        """{node: Place} as soon as all who answer say the same of all members, and are what the others take them for."""
        views = [view(node) for node in self.reachable()]
        places = views[0][0]
        if any(each != views[0] for each in views) or {*places} != {self.id_of(node) for node in self.members}:
            return None
        found = {node: places[self.id_of(node)] for node in self.members}
        addresses = {place.primary: node for place in found.values() for node in self.members if self.id_of(node) == place.primary}
        for node in self.reachable():
            info = node.admin.call("INFO", "replication")
            if (b"role:master" in info) != (found[node].role == "primary") or b"cluster_state:ok" not in node.admin.call("CLUSTER", "INFO"):
                return None
            if found[node].role == "replica" and addresses[found[node].primary] not in self.missing and b"master_link_status:up" not in info:
                return None
        return found

    def learn(self):
        """Waits until the cluster agrees."""
        self.places = wait_until(self.agreed, lambda: f"all to agree: {[view(node) for node in self.reachable()]}", 120)
        self._owner = {slot: node for node in self.members for slot in slots_of(self.places[node])}

    # What the tenants do.

    def _session(self, tenant, node):
        if (tenant, node) not in self._sessions:
            self._sessions[tenant, node] = node.session(tenant)
        return self._sessions[tenant, node]

    def _command(self, tenant):
        """Mostly of many hash tags, so that most slots that are used have several keys of several tenants."""
        chance = self.traffic
        name = f"{tenant}:{{{chance.randrange(60)}}}"
        key = f"{name}{chance.randrange(40)}"
        return chance.choice([
            ("SET", key, "x" * chance.randrange(300)), ("SET", key, "x", "EX", 10_000), ("SET", key, "x", "PX", chance.randrange(1, 200)), ("GET", key), ("GET", key),
            ("DEL", key), ("MSET", key, "1", f"{name}other", "2"), ("MGET", key, f"{name}other"), ("HSET", f"{name}hash", chance.randrange(20), "v"),
            ("RPUSH", f"{name}list", "x"), ("LPOP", f"{name}list"), ("EXPIRE", key, 10_000), ("EVAL", "return redis.call('INCR', KEYS[1])", 1, f"{name}n"),
        ])  # fmt: skip

    def send(self, tenant, commands):
        """Each to the node that has its slot, as far as is known; what is refused there is written down as that."""
        batches = collections.defaultdict(list)
        for command in commands:
            key = command[3] if command[0] == "EVAL" else command[1]
            batches[self._owner[key_slot(key.encode())]].append(command)
        for node, batch in batches.items():
            if node not in self.missing:
                session, begun = self._session(tenant, node), time.time()
                for command, reply in zip(batch, session.pipeline(batch)):
                    if command[0] == "EVAL" and isinstance(reply, int):
                        node.ledger.count(tenant.encode(), (b"INCR", command[3].encode()), reply, inside=True)
                self.sent.append(Sent(begun, time.time(), tenant, node, sum(1 + (command[0] == "EVAL") for command in batch)))  # and what it runs

    def work(self, commands=30):
        for tenant in self.traffic.sample(WORKERS, 2):
            self.send(tenant, [self._command(tenant) for _ in range(commands)])

    def keep(self, keys):
        """Returns when no failover can lose them."""
        self.send(KEEPER, [("SET", f"{KEEPER}:{{{self.traffic.randrange(60)}}}{self.kept + number}", "x") for number in range(keys)])
        self.kept += keys
        wait_until(self._replicas_have_all, "the replicas to have all")

    def come_and_go(self):
        """Clients that do nothing; some stay, some leave."""
        for _ in range(self.traffic.randrange(1, 5)):
            tenant, node = self.traffic.choice(TENANTS), self.traffic.choice(self.reachable())
            self._held.append((tenant, node, node.session(tenant)))
        for each in self.traffic.sample(self._held, len(self._held) // 3):
            if each[1] not in self.missing:
                each[2].close()
                self._held.remove(each)

    def wait(self, condition, what):
        """Under load: the tenants don't wait."""

        def working():
            self.work(4)
            return condition()

        return wait_until(working, what, 180)

    # What happens to nodes and slots.

    @contextlib.contextmanager
    def moving(self, source, slots):
        """While the block moves them, a reading of two nodes at two moments may miss their keys, or have them twice."""
        begun = time.time()
        names = [name for slot in slots for name in source.admin.call("CLUSTER", "GETKEYSINSLOT", slot, 1000)]
        yield
        self.moves.append(Move(begun, time.time(), sum(name.startswith(KEEPER.encode()) for name in names)))

    def hang(self, node):
        node.pause()
        self.missing[node] = time.time()

    def go_on(self, node):
        node.process.send_signal(signal.SIGCONT)
        del self.missing[node]

    def kill(self, node):
        self.forget_sessions(node)
        node.kill()
        self._before[node] = node.ledger.snapshot()
        self.missing[node] = time.time()

    def start_again(self, node):
        node.start_again()
        del self.missing[node]

    def join(self):
        node = next((node for node in self.launched() if node not in self.members), None) or self.launch(lines=[*LINES, *CONFIG])
        self._id[node] = node.admin.call("CLUSTER", "MYID").decode()
        node.admin.call("CLUSTER", "MEET", "127.0.0.1", self.reachable()[0].port)
        self.members.append(node)
        return node

    def launched(self):
        return list(self._id)

    def leave(self, node):
        """It has no slots any more, and may have become a replica of who has them now."""
        self.forget_sessions(node)
        self.members.remove(node)
        for other in self.members:
            other.admin.call("CLUSTER", "FORGET", self.id_of(node))
        node.admin.outcome("FLUSHALL")
        node.admin.call("CLUSTER", "RESET", "HARD")

    def forget_sessions(self, node):
        for session in [*(session for (_, at), session in self._sessions.items() if at is node), *(session for _, at, session in self._held if at is node)]:
            session.close()
        self._sessions = {key: session for key, session in self._sessions.items() if key[1] is not node}
        self._held = [each for each in self._held if each[1] is not node]

    # The truth.

    def _open(self):
        counts = collections.Counter((tenant, node) for tenant, node in self._sessions)
        counts.update((tenant, node) for tenant, node, _ in self._held)
        return {key: count for key, count in counts.items() if key[1] not in self.missing}

    def _client_lists(self):
        found = {}
        for node in self.reachable():
            by_user = truth.connections_by_user(node.admin.call("CLIENT", "LIST"))
            found.update({(tenant, node): by_user[tenant.encode()] for tenant in TENANTS if by_user[tenant.encode()]})
        return found

    def _nothing_expires(self):
        names = {node: list(truth.key_names(node.admin).get(0, ())) for node in self.sources()}
        return not any(0 <= left < SHORT_MSEC for node in names for left in node.admin.pipeline([("PTTL", name) for name in names[node]]) if isinstance(left, int))

    def _replicas_have_all(self):
        offset = lambda node, name: replication(node.admin, name)  # noqa: E731
        pairs = [(self.primary_of(replica), replica) for replica in self.placed("replica")]
        return all(offset(primary, "master_repl_offset") == offset(replica, "slave_repl_offset") for primary, replica in pairs if primary not in self.missing)

    def settle(self):
        """Nothing moves any more, and whoever can know knows it."""
        self.learn()
        wait_until(self._replicas_have_all, "the replicas to have all")
        wait_until(self._nothing_expires, "the short-lived keys to expire")
        wait_until(lambda: self._client_lists() == self._open(), lambda: f"connections: {self._client_lists()}, {self._open()} are open")
        for node in self.reachable():
            acl_taken_in(node.admin)
        with passes(self.sources()):
            for node in self.sources():
                full_pass(node.admin) if node is self.importing else measured_pass(node.admin)

    def sent_between(self, begin, end):
        """{(tenant, node's address): commands}, at most."""
        counts = collections.Counter()
        for sent in self.sent:
            if sent.ended >= begin and sent.begun <= end:
                counts[sent.tenant, address(sent.node)] += sent.count
        return counts

    def truth(self):
        """({tenant: numbers}, {(tenant, node): numbers}), of those who answer: from SCAN, MEMORY USAGE, CLIENT LIST and the ledger."""
        by_node = {(tenant, node): collections.Counter() for tenant in TENANTS for node in self.reachable()}
        for node in self.sources():
            names = list(truth.key_names(node.admin).get(0, ()))
            asked = [command for name in names for command in (("ASKING",), ("MEMORY", "USAGE", name, "SAMPLES", 0))]  # in a slot that moves, too
            for name, size in zip(names, node.admin.pipeline(asked)[1::2]):
                by_node[re.match(b"[^:]*", name)[0].decode(), node].update(keys=1, bytes=size)
        for key, count in self._client_lists().items():
            by_node[key]["connections"] = count
        for node in self.reachable():
            ran = node.ledger.by_user(node.ledger.snapshot() - self._before[node])
            for tenant in TENANTS:
                by_node[tenant, node].update({name: ran.get(tenant.encode(), {}).get(name, 0) for name in COUNTED})
        sums = {tenant: collections.Counter() for tenant in TENANTS}
        for (tenant, _), numbers in by_node.items():
            sums[tenant].update(numbers)
        return sums, by_node

    def drift(self):
        return {node.port: read_info(node.admin).status["drift"] for node in self.reachable() if read_info(node.admin).status["drift"]}
