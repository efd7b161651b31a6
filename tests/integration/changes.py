"""Random changes of the key space, packed in advance, so that a million of them take seconds. Nothing here talks to a server.

A piece is what must stay together: one command, a transaction, a script. Commands that a version does not know, or that a
cluster refuses, just answer an error."""

import random

from commands import DATABASES, KeySpace, random_command
from ledger import in_lua
from session import to_bytes

PIECES = 12_000


class SmallKeySpace(KeySpace):
    """Small values and collections: the changes count, not the bytes."""

    def value(self):
        return b"v" * self.rng.choice((1, 20, 44, 45))

    def words(self, pair=False):
        words = [b"e%d" % number for number in range(self.rng.choice((1, 1, 2, 3, 5) if self.rng.random() < 0.99 else (150, 600)))]
        return [part for word in words for part in (word, b"x")] if pair else words


def _rarer(space, rng, payloads):
    """What random_command() has not: other ways to make, replace, move and remove keys."""
    names = {kind: space.key(kind) for kind in ("string", "list", "set", "zset", "hash", "stream")}
    string, a_list, a_set, zset, a_hash, stream = names.values()
    other, fields = space.key(rng.choice(list(names))), rng.randrange(1, 40)
    return rng.choice([
        ("RESTORE", other, 0, rng.choice(payloads), "REPLACE"),
        ("RESTORE", other, 0, rng.choice(payloads)),
        ("RESTORE", other, 1, rng.choice(payloads), "REPLACE", "ABSTTL"),
        ("RESTORE", other, fields, rng.choice(payloads), "REPLACE"),
        ("SET", string, "x", "NX"),
        ("SET", other, "x", "XX"),
        ("SET", string, "y", "IFEQ", "x"),
        ("DELIFEQ", string, "x"),
        ("PSETEX", string, fields, "x"),
        ("GETEX", string, "PXAT", 1),
        ("MSETEX", 2, string, "1", other, "2", "PX", fields),
        ("BITFIELD", string, "SET", "u8", 0, 1),
        ("LINSERT", a_list, "BEFORE", "e0", "new"),
        ("BLPOP", a_list, other, "0.001"),
        ("BLMOVE", a_list, other, "LEFT", "LEFT", "0.001"),
        ("BRPOPLPUSH", a_list, other, "0.001"),
        ("BLMPOP", "0.001", 2, a_list, other, "LEFT", "COUNT", 1000),
        ("BZPOPMIN", zset, other, "0.001"),
        ("BZMPOP", "0.001", 1, zset, "MAX", "COUNT", 1000),
        ("SORT", a_set, "ALPHA", "STORE", other),
        ("SORT", other + b"nothing", "STORE", other),
        ("SUNIONSTORE", other, a_set, space.key("set")),
        ("SMOVE", a_set, space.key("set"), "e0"),
        ("ZADD", zset, "XX", 1, "e0"),
        ("ZREMRANGEBYSCORE", zset, "-inf", "+inf"),
        ("ZREMRANGEBYLEX", zset, "-", "+"),
        ("ZUNIONSTORE", other, 2, zset, a_set),
        ("ZRANGESTORE", other, zset, 5, 0),
        ("GEORADIUS", zset, 15, 37, 200, "km", "STORE", other),
        ("HINCRBYFLOAT", a_hash, "f", "0.5"),
        ("HSETEX", a_hash, "PX", fields, "FIELDS", 1, "e0", "x"),
        ("HGETDEL", a_hash, "FIELDS", 2, "e0", "e1"),
        ("HPEXPIRE", a_hash, fields, "FIELDS", 1, "e0"),
        ("HPEXPIRE", a_hash, 0, "FIELDS", 2, "e0", "e1"),
        ("HGETEX", a_hash, "PX", fields, "FIELDS", 1, "e0"),
        ("XADD", stream, "NOMKSTREAM", "*", "f", "x"),
        ("XGROUP", "CREATE", other, "group", "$", "MKSTREAM"),
        ("PFMERGE", other, string),
        ("RENAMENX", other, string),
        ("MOVE", other, rng.randrange(DATABASES)),
        ("COPY", other, string, "DB", rng.randrange(DATABASES), "REPLACE"),
        ("PEXPIREAT", other, 1),
        ("UNLINK", other, string, a_list),
        ("DEL", string + b"nothing"),
    ])  # fmt: skip


def _rare(rng):
    """Whole databases."""
    first, second = rng.randrange(DATABASES), rng.randrange(DATABASES)
    return rng.choices([("SWAPDB", first, second), ("FLUSHDB",), ("FLUSHDB", "ASYNC"), ("FLUSHALL",), ("FLUSHALL", "ASYNC")], [6, 2, 2, 1, 1])[0]


def pack(command):
    words = [to_bytes(word) for word in command]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


def pieces(seed, groups, payloads, without=()):
    """[(packed commands, how many changes they are)]. `groups`: lists of prefixes; a piece has keys of one of them, so that they may
    be one slot's. `payloads`: of DUMP; `without`: commands to leave out. The same for the same arguments."""
    rng = random.Random(seed)
    spaces = [SmallKeySpace(rng, prefixes) for prefixes in groups]
    space = spaces[0]

    def change(blocking=False):
        while True:
            command = random_command(space) if rng.random() < 0.6 else _rarer(space, rng, payloads)
            if command[0] not in without and (blocking or not command[0].startswith("B") or command[0].startswith("BIT")):
                return tuple(map(to_bytes, command))

    def piece():
        nonlocal space
        space, die = rng.choice(spaces), rng.random()
        if die < 0.75:
            return [change()], 1
        if die < 0.83:
            return [("SELECT", rng.randrange(DATABASES)), change()], 2
        if die < 0.90:
            commands = [change(blocking=True) for _ in range(rng.randrange(1, 7))]
            return [("MULTI",), *commands, (rng.choices(["EXEC", "DISCARD"], [9, 1])[0],)], len(commands)
        if die < 0.998:
            commands = [change(blocking=True) for _ in range(rng.randrange(1, 9))]
            return [in_lua(commands)], len(commands)
        return [_rare(rng)], 1

    made = [piece() for _ in range(PIECES)]
    return [(b"".join(map(pack, commands)), changes) for commands, changes in made]
