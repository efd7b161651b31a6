"""What happens to clusters. Each event takes a Fleet and `look`, which it calls in the moments that last: a node hangs, a slot has half moved."""

import truth
from fleet import TIMEOUT_MSEC, slots_of


def some_replica(fleet):
    return fleet.chance.choice(fleet.placed("replica"))


def is_primary(node):
    return b"role:master" in node.admin.call("INFO", "replication")


def take_over(fleet, replica, *how):
    """CLUSTER FAILOVER, under load. An election that fails is repeated after four times this time-out."""
    replica.admin.call("CONFIG", "SET", "cluster-node-timeout", 1000)
    fleet.wait(lambda: replica.admin.outcome("CLUSTER", "FAILOVER", *how) == b"OK", "CLUSTER FAILOVER to be accepted")
    fleet.wait(lambda: is_primary(replica), "the replica to take over")
    replica.admin.call("CONFIG", "SET", "cluster-node-timeout", TIMEOUT_MSEC)


def failover(fleet, look):
    take_over(fleet, some_replica(fleet))


def failover_of_a_hanging_primary(fleet, look, how):
    replica = some_replica(fleet)
    primary = fleet.primary_of(replica)
    fleet.hang(primary)
    look(f"{how}: the primary hangs")
    take_over(fleet, replica, how)
    look(f"{how}: replaced, and hangs")
    fleet.go_on(primary)


def force(fleet, look):
    failover_of_a_hanging_primary(fleet, look, "FORCE")


def takeover(fleet, look):
    if fleet.chance.random() < 0.5:
        return take_over(fleet, some_replica(fleet), "TAKEOVER")
    return failover_of_a_hanging_primary(fleet, look, "TAKEOVER")


def a_primary_dies(fleet, look):
    """Its replica takes over when all have noticed; then it comes back."""
    replica = some_replica(fleet)
    primary = fleet.primary_of(replica)
    fleet.kill(primary)
    look("dead")
    for node in fleet.reachable():
        node.admin.call("CONFIG", "SET", "cluster-node-timeout", 2000)
    replica.admin.call("CONFIG", "SET", "cluster-replica-no-failover", "no")
    fleet.wait(lambda: is_primary(replica), "the replica to take over")
    replica.admin.call("CONFIG", "SET", "cluster-replica-no-failover", "yes")
    for node in fleet.reachable():
        node.admin.call("CONFIG", "SET", "cluster-node-timeout", TIMEOUT_MSEC)
    look("dead and replaced")
    fleet.start_again(primary)


def a_node_hangs(fleet, look):
    node = fleet.chance.choice(fleet.members)
    fleet.hang(node)
    look("hangs")
    fleet.wait(lambda: True, "the others to go on")
    fleet.go_on(node)


def legacy_migration(fleet, look):
    source, target = fleet.chance.sample(fleet.placed("primary"), 2)
    if not slots_of(fleet.places[source]):
        source, target = target, source
    move(fleet, source, target, look)


def used_slots(fleet, node, most):
    slots = slots_of(fleet.places[node])
    keys = node.admin.pipeline([("CLUSTER", "COUNTKEYSINSLOT", slot) for slot in slots])
    used = [slot for slot, count in zip(slots, keys) if count] or slots
    return fleet.chance.sample(used, min(most, len(used)))


def move(fleet, source, target, look=None, most=3):
    """As valkey-cli does it."""
    for slot in used_slots(fleet, source, most):
        with fleet.moving(source, [slot]):
            target.admin.call("CLUSTER", "SETSLOT", slot, "IMPORTING", fleet.id_of(source))
            source.admin.call("CLUSTER", "SETSLOT", slot, "MIGRATING", fleet.id_of(target))
            send_keys(source, target, source.admin.call("CLUSTER", "GETKEYSINSLOT", slot, 10))
            if look:
                fleet.importing = target
                look("a part of a slot has moved")
                fleet.importing = look = None
            fleet.wait(lambda: not send_keys(source, target, source.admin.call("CLUSTER", "GETKEYSINSLOT", slot, 1000)), "the slot to be empty")
            for node in (target, source, *(each for each in fleet.placed("primary") if each not in (source, target))):
                node.admin.call("CLUSTER", "SETSLOT", slot, "NODE", fleet.id_of(target), "TIMEOUT", 60_000)


def send_keys(source, target, keys):
    """How many there were."""
    if keys:
        source.admin.call("MIGRATE", "127.0.0.1", target.port, "", 0, 60_000, "KEYS", *keys)
    return len(keys)


def atomic_migration(fleet, look):
    source = fleet.chance.choice(fleet.sources())
    target = fleet.chance.choice([node for node in fleet.placed("primary") if node is not source])
    migrate(fleet, source, target, used_slots(fleet, source, 5), look)


def migrate(fleet, source, target, slots, look=None):
    """Held open while one looks: what is on its way counts where it comes from."""
    state = lambda: truth.pairs(source.admin.call("CLUSTER", "GETSLOTMIGRATIONS")[0])[b"state"]  # noqa: E731
    with fleet.moving(source, slots):
        if look:
            source.admin.call("DEBUG", "SLOTMIGRATION", "PREVENT-PAUSE", 1)
        source.admin.call("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", *(number for slot in sorted(slots) for number in (slot, slot)), "NODE", fleet.id_of(target))
        if look:
            fleet.wait(lambda: state() == b"waiting-to-pause", "the migration to wait")
            look("a migration under way")
            source.admin.call("DEBUG", "SLOTMIGRATION", "PREVENT-PAUSE", 0)

        def ended():
            assert state() != b"failed", source.admin.call("CLUSTER", "GETSLOTMIGRATIONS")[0]
            return state() == b"success"

        fleet.wait(ended, "the slots to be moved")


def guest(fleet):
    return next((node for node in fleet.members if node not in fleet.all), None)


def a_node_joins(fleet, look):
    """And gets slots, if it had not joined before."""
    if guest(fleet):
        return
    node = fleet.join()
    look("joined")
    source = fleet.chance.choice(fleet.sources())
    migrate(fleet, source, node, used_slots(fleet, source, 8))


def a_node_leaves(fleet, look):
    a_node_joins(fleet, look)
    fleet.learn()
    node = guest(fleet)
    if fleet.places[node].slots:
        migrate(fleet, node, fleet.chance.choice([each for each in fleet.sources() if each is not node]), slots_of(fleet.places[node]))
    fleet.wait(lambda: (places := fleet.agreed()) and all(place.primary != fleet.id_of(node) for place in places.values()), "its replicas to follow another primary")
    fleet.leave(node)


EVENTS = [failover, force, takeover, a_primary_dies, legacy_migration, atomic_migration, a_node_joins, a_node_leaves, a_node_hangs]


def events(fleet, number):
    """Each kind once before any comes again."""
    while number > 0:
        some = fleet.chance.sample(EVENTS, len(EVENTS))[:number]
        yield from some
        number -= len(some)
