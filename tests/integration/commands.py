"""Random commands that create, change, overwrite, rename and remove keys of every type. Nothing here talks to a server."""

TYPES = ("string", "list", "set", "zset", "hash", "stream", "counter")
SIZES = (1, 1, 2, 5, 40, 150, 900)  # below and above every limit at which an encoding changes (128, 512)
DATABASES = 4


class KeySpace:
    """Names under some prefixes; few names per type, so that keys are met again and overwritten."""

    def __init__(self, rng, prefixes, names_per_type=6):
        self.rng, self.prefixes, self.names_per_type = rng, prefixes, names_per_type

    def key(self, type_name):
        """Mostly a key of the wanted type; one in eight is of another, for WRONGTYPE and overwriting across types."""
        if self.rng.random() < 1 / 8:
            type_name = self.rng.choice(TYPES)
        prefix = self.rng.choice(self.prefixes)
        return prefix + type_name.encode() + b"%d" % self.rng.randrange(self.names_per_type)

    def value(self):
        return b"v" * self.rng.choice((1, 20, 44, 45, 100, 3000))

    def words(self, pair=False):
        """Elements, or field-value pairs; some too long for a listpack."""
        long_word = b"w" * self.rng.choice((0, 0, 0, 80))
        words = [b"e%d" % number + long_word for number in range(self.rng.choice(SIZES))]
        return [part for word in words for part in (word, b"x")] if pair else words

    def scores(self):
        return [part for number, word in enumerate(self.words()) for part in (b"%d" % number, word)]


def _string(space, rng):
    key, other = space.key("string"), space.key("string")
    return rng.choice([
        ("SET", key, space.value()),
        ("SET", key, space.value(), "GET"),
        ("SET", key, space.value(), "KEEPTTL"),
        ("SET", key, space.value(), "PX", rng.randrange(1, 40)),
        ("SET", key, space.value(), "PXAT", 1),
        ("SETNX", key, space.value()),
        ("SETEX", key, 10000, space.value()),
        ("GETSET", key, space.value()),
        ("GETDEL", key),
        ("GETEX", key, "PX", rng.randrange(1, 40)),
        ("GET", key),
        ("APPEND", key, "more"),
        ("SETRANGE", key, rng.randrange(200), "range"),
        ("SETBIT", key, rng.randrange(2000), 1),
        ("MSET", key, "1", other, "2"),
        ("MSETNX", key, "1", other, "2"),
        ("BITOP", "OR", key, other, space.key("string")),
        ("PFADD", key, "a", "b"),
        ("PFMERGE", key, other),
        ("MGET", key, other),
    ])  # fmt: skip


def _counter(space, rng):
    key = space.key("counter")
    return rng.choice([("INCR", key), ("DECRBY", key, 3), ("INCRBYFLOAT", key, "0.5"), ("GET", key), ("GETDEL", key)])


def _list(space, rng):
    key, other = space.key("list"), space.key("list")
    return rng.choice([
        ("RPUSH", key, *space.words()),
        ("LPUSH", key, *space.words()),
        ("LPUSHX", key, "x"),
        ("LPOP", key, 1000),
        ("RPOP", key),
        ("LMOVE", key, other, "LEFT", "RIGHT"),
        ("RPOPLPUSH", key, key),
        ("LTRIM", key, 1, 0),
        ("LREM", key, 0, "e0"),
        ("LMPOP", 2, key, other, "LEFT", "COUNT", 2000),
        ("SORT", key, "ALPHA", "STORE", other),
        ("SORT", key, "ALPHA"),
        ("LRANGE", key, 0, 10),
        ("LLEN", key),
    ])  # fmt: skip


def _set(space, rng):
    key, other, third = space.key("set"), space.key("set"), space.key("set")
    return rng.choice([
        ("SADD", key, *space.words()),
        ("SADD", key, 1, 2, 3),
        ("SREM", key, *space.words()),
        ("SPOP", key, 1000),
        ("SPOP", key),
        ("SMOVE", key, other, "e0"),
        ("SINTERSTORE", key, other, third),
        ("SDIFFSTORE", key, key, key),
        ("SUNIONSTORE", key, other, third),
        ("SCARD", key),
        ("SMEMBERS", key),
    ])  # fmt: skip


def _zset(space, rng):
    key, other = space.key("zset"), space.key("zset")
    return rng.choice([
        ("ZADD", key, *space.scores()),
        ("ZINCRBY", key, 1, "e1"),
        ("ZPOPMIN", key, 1000),
        ("ZPOPMAX", key),
        ("ZREM", key, *space.words()),
        ("ZREMRANGEBYRANK", key, 0, -1),
        ("ZMPOP", 1, key, "MIN", "COUNT", 1000),
        ("ZINTERSTORE", key, 2, key, other),
        ("ZUNIONSTORE", key, 2, key, other),
        ("ZRANGESTORE", key, other, 0, 5),
        ("ZDIFFSTORE", key, 2, key, key),
        ("GEOADD", key, 13.361389, 38.115556, "Palermo"),
        ("GEOSEARCHSTORE", key, other, "FROMLONLAT", 15, 37, "BYRADIUS", 200, "km"),
        ("ZCARD", key),
    ])  # fmt: skip


def _hash(space, rng):
    key = space.key("hash")
    return rng.choice([
        ("HSET", key, *space.words(pair=True)),
        ("HSETNX", key, "e0", "x"),
        ("HINCRBY", key, "count", 2),
        ("HDEL", key, *space.words()),
        ("HDEL", key, "e0", "count"),
        ("HGETALL", key),
        ("HGET", key, "e0"),
    ])  # fmt: skip


def _stream(space, rng):
    key = space.key("stream")
    return rng.choice([
        ("XADD", key, "*", "field", space.value()),
        ("XADD", key, "MAXLEN", "3", "*", "field", "x"),
        ("XTRIM", key, "MAXLEN", "0"),
        ("XLEN", key),
        ("XGROUP", "CREATE", key, "group", "$", "MKSTREAM"),
        ("XGROUP", "DESTROY", key, "group"),
    ])  # fmt: skip


def _any(space, rng):
    """Commands that do not ask for the type."""
    key, other, third = (space.key(rng.choice(TYPES)) for _ in range(3))
    return rng.choice([
        ("DEL", key),
        ("DEL", key, other, third),
        ("UNLINK", key, other),
        ("RENAME", key, other),
        ("RENAME", key, key),
        ("RENAMENX", key, other),
        ("COPY", key, other),
        ("COPY", key, other, "REPLACE"),
        ("COPY", key, other, "DB", rng.randrange(DATABASES), "REPLACE"),
        ("COPY", key, key, "DB", rng.randrange(DATABASES)),
        ("MOVE", key, rng.randrange(DATABASES)),
        ("PEXPIRE", key, rng.randrange(1, 40)),
        ("PEXPIRE", key, 0),
        ("EXPIRE", key, 10000),
        ("EXPIREAT", key, 1),
        ("PERSIST", key),
        ("EXISTS", key, other),
        ("TYPE", key),
        ("PTTL", key),
        ("OBJECT", "ENCODING", key),
        ("TOUCH", key),
    ])  # fmt: skip


FAMILIES = ((_string, 5), (_counter, 2), (_list, 4), (_set, 3), (_zset, 3), (_hash, 3), (_stream, 2), (_any, 7))


def random_command(space):
    family = space.rng.choices([family for family, _ in FAMILIES], [weight for _, weight in FAMILIES])[0]
    return family(space, space.rng)
