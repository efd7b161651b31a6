"""What tests/fuzz/calls says: commands of the module and those around it; well formed, nearly so, and not at all."""

TENANT_COLUMNS = b"users prefixes connections commands reads writes errors denied cpu_usec slow bytes_in bytes_out keys bytes bytes_error".split()
USER_COLUMNS = b"connections connections_peak connections_total commands reads admin scripts pubsub rejected auth_failures slow bytes_out".split()
PREFIX_COLUMNS = b"users keys bytes coverage hits_sampled misses_sampled hit_ratio expired evicted keys_without_ttl avg_ttl_msec".split()
DATABASE_COLUMNS = b"users keys bytes bytes_error keys_without_ttl".split()
CHANGES = [b"connections_change", b"keys_change", b"bytes_change"]
COLUMNS = [*TENANT_COLUMNS, *USER_COLUMNS, *PREFIX_COLUMNS, *CHANGES]

LONG = b"x" * 65536
GARBAGE = [b"", b"\0", b"-1", b"0", b"1", b"abc", b"\r\n", b"+OK\r\n", b"*", b"%n%s", b"9" * 300, b"\xff\xfe", b"(other)", b"count", LONG]
NUMBERS = [b"%d" % number for number in (1, 2, 5, 10, 100, 1000)]
BAD_NUMBERS = [b"0", b"-1", b"1001", b"2147483648", b"9223372036854775807", b"9223372036854775808", b"18446744073709551615",
               b"18446744073709551616", b"1e3", b"+5", b" 7", b"0x10", b"1.0", b"nan", *GARBAGE]  # fmt: skip
CURSORS = [b"0", b"0", b"0", b"1", b"7", b"99", b"4294967295", b"4294967296", b"4294967297", b"4294967299", b"18446744073709551615",
           b"0-0", b"1-1", b"100-5", b"18446744073709551615-4294967295", b"5-4294967296", b"-", b"1-", b"-1", b"--", b"1-2-3"]  # fmt: skip
PATTERNS = [b"*", b"app*", b"*:", b"[a-z]*", b"[^a]*", b"?????", b"[", b"[^", b"[a-", b"\\", b"*" * 1000, b"a*" * 500 + b"b", b"a*" * 30000,
            b"*[" + b"x" * 1000, b"*" + b"[a-z]" * 200, b"*?" * 500, b"*?" * 513, b"(*", b"\0*"]  # fmt: skip
SETTINGS = {
    b"separators": [b":", b":/", b"|", b"", b"::", b" ", b"\xff", b"123456789", b":;,./|-_"],
    b"prefixes": [b"", b"app1:1 g:*", b"app1: app1:*", b"~a:*", b"*", b"a:*:b", b"a%", b"%00%FF p:", LONG],
    b"groups": [b"", b"shop=app1,~g:", b"a=b*,~* b=c", b"shop=app1 shop=app2", b"a", b"=", b"a=", b"a=,", b"a=%zz", b"a=%41%00,~%FF*", b"g=app*,~app*", LONG],
    b"info-rows": [b"0", b"1", b"100", b"10000", b"10001", b"-1"],
    b"slice-usec": [b"20", b"100", b"10000", b"19", b"10001"],
    b"sweep-cpu-percent": [b"0", b"5", b"50", b"51"],
    b"burst-cpu-percent": [b"0", b"10", b"50", b"51"],
    b"sweep-interval": [b"0", b"1", b"86400", b"86401"],
    b"target-error": [b"0", b"5", b"50", b"51"],
    b"cpu-sampling-hz": [b"0", b"100", b"1000", b"1001", b"-1"],
    b"bytes-interval": [b"0", b"1", b"1000", b"60000", b"60001"],
    b"max-users": [b"100", b"16"],
    b"max-prefixes": [b"300", b"1000000"],
    b"nonsense": [b"1"],
}
SECTIONS = [b"tenants", b"tenants_status", b"tenants_users", b"tenants_prefixes", b"tenants_list", b"tenants_nonsense", b"everything", b"modules"]
NAMES = [b"list", b"users", b"prefixes", b"databases", b"get", b"me", b"top", b"bigkeys", b"status", b"help"]
LISTS = {b"list": TENANT_COLUMNS, b"users": USER_COLUMNS, b"prefixes": PREFIX_COLUMNS, b"databases": DATABASE_COLUMNS}
RULES = [b"on", b"off", b">secret", b"nopass", b"+@all", b"-@all", b"+@tenants", b"-tenants.resetstat", b"+tenants.list", b"allkeys", b"resetkeys",
         b"allchannels", b"clearselectors", b"reset", b"sanitize-payload", b"+nonsense", b"(~sel:* +get)", b"(%W~log:*"]  # fmt: skip
LUA = b"return redis.call(unpack(ARGV))"
LUA_3 = b"redis.setresp(3) return redis.pcall(unpack(ARGV))"


class Words:
    """`rng` decides everything but what `learn` takes out of the replies."""

    def __init__(self, rng):
        self.rng = rng
        self.users = [b"default", b"app1"]
        self.prefixes = [b"app1:", b"g:"]
        self.cursors = [b"0"]

    def learn(self, command, reply):
        """A cursor that the server gave is used again; a user that it took may log in."""
        if command[0].lower().startswith(b"tenants.") and isinstance(reply, list) and len(reply) == 2 and reply[0] != b"0":
            if isinstance(reply[0], bytes):
                self.cursors = [*self.cursors[-20:], reply[0]]
        if command[0] == b"ACL" and command[1] == b"SETUSER" and reply == b"OK":
            self.users.append(command[2])

    def call(self):
        """One command, as a tuple of its words."""
        chance = self.rng.random()
        if chance < 0.55:
            return self._of_module()
        if chance < 0.60:
            return (b"EVAL", self.rng.choice((LUA, LUA_3)), b"0", *self._of_module())
        if chance < 0.86:
            return self._of_keys()
        if chance < 0.88:  # each makes the module read all of the ACL
            return self._of_acl()
        if chance < 0.93:
            return self._of_connection()
        return self._of_server()

    def setting(self):
        """A name and a value for CONFIG SET."""
        name = self.rng.choice(list(SETTINGS))
        value = self.rng.choice(SETTINGS[name]) if self.rng.random() < 0.8 else self.rng.choice(BAD_NUMBERS)
        return b"tenants." + name, value

    def _of_module(self):
        rng = self.rng
        if rng.random() < 0.03:
            return (self._case(b"tenants." + rng.choice((*NAMES, b"nonsense", b"resetstat"))), *(rng.choice(GARBAGE) for _ in range(rng.randrange(6))))
        if rng.random() < 0.01:
            return (b"TENANTS.RESETSTAT",)
        name = rng.choice(NAMES)
        arguments = getattr(self, "_" + name.decode(), tuple)() if name not in LISTS else self._page(LISTS[name])
        if rng.random() < 0.05:  # one word is lost, another one comes from nowhere
            arguments = list(arguments)
            rng.shuffle(arguments)
            arguments = (*arguments[1:], rng.choice(GARBAGE))
        return (self._case(b"tenants." + name), *arguments)

    def _page(self, columns):
        rng = self.rng
        arguments = []
        if rng.random() < 0.9:
            arguments = [rng.choice(CURSORS) if rng.random() < 0.2 else rng.choice([b"0", *self.cursors[-3:]])]
        if arguments and rng.random() < 0.4:
            arguments += [self._case(b"count"), self._number()]
        if arguments and rng.random() < 0.4:
            pattern = rng.choice(PATTERNS) if rng.random() < 0.3 else self._name()[:8] + b"*"
            arguments += [self._case(b"match"), pattern]
        if arguments and rng.random() < 0.4:
            arguments += [self._case(b"sortby"), rng.choice(columns) if rng.random() < 0.9 else rng.choice(COLUMNS)]
            arguments += rng.choice(([], [b"ASC"], [b"desc"], [b"DOWN"]))
        return arguments

    def _get(self):
        own = self.rng.choice((b"(orphans)", b"(other)", b"(internal)", b"(overhead)", b"shop", b"g"))
        return (self.rng.choice((self._name(), self.rng.choice(self.users), self.rng.choice(self.users), own)),)

    def _top(self):
        arguments = [self._case(b"by"), self.rng.choice([*TENANT_COLUMNS, *CHANGES])] if self.rng.random() < 0.6 else []
        if self.rng.random() < 0.5:
            arguments += [self._case(b"over"), self.rng.choice((b"10", b"60", b"300", b"11", self._number()))]
        if self.rng.random() < 0.5:
            arguments += [self._case(b"count"), self._number()]
        return arguments

    def _bigkeys(self):
        arguments = [self.rng.choice(self.prefixes)] if self.rng.random() < 0.5 else []
        if self.rng.random() < 0.5:
            arguments += [self._case(b"count"), self._number()]
        return arguments

    def _number(self):
        return self.rng.choice(NUMBERS) if self.rng.random() < 0.7 else self.rng.choice(BAD_NUMBERS)

    def _case(self, word):
        return self.rng.choice((word, word.upper(), word.title()))

    def _name(self):
        """Of a user or a prefix: any bytes, as hostile ones choose them."""
        rng = self.rng
        chance = rng.random()
        if chance < 0.5:
            return b"app%d" % rng.randrange(50)
        if chance < 0.55:
            return rng.choice(GARBAGE)
        if chance < 0.56:
            return b"long" * rng.choice((60, 64, 127, 128, 1000))
        return bytes(rng.choice(b"a:=,#(%\"\\\xff\x01*?[]~ \r\n\0{}") for _ in range(rng.randrange(1, 9)))

    def _key(self):
        if self.rng.random() < 0.05:
            self.prefixes = [*self.prefixes[-100:], self._name() + b":"]
        return self.rng.choice(self.prefixes) + b"%d" % self.rng.randrange(30)

    def _of_keys(self):
        key, other = self._key(), self._key()
        return self.rng.choice((
            (b"SET", key, b"v" * self.rng.randrange(300)), (b"SET", key, b"1", b"PX", b"50"), (b"GET", key), (b"MGET", key, other), (b"DEL", key, other),
            (b"HSET", key, b"f%d" % self.rng.randrange(99), b"v"), (b"RPUSH", key, b"a", b"b"), (b"SADD", key, key), (b"INCR", key), (b"UNLINK", key),
            (b"RENAME", key, other), (b"COPY", key, other, b"REPLACE"), (b"COPY", key, other, b"DB", b"1"), (b"MOVE", key, b"1"), (b"EXPIRE", key, b"1"),
            (b"GETDEL", key), (b"TYPE", key), (b"SORT", key, b"ALPHA", b"STORE", other), (b"EXISTS",), (b"GET", LONG[:1000]),
        ))  # fmt: skip

    def _of_acl(self):
        rng = self.rng
        name = self._name()
        if len(self.users) > 60:
            return (b"ACL", b"DELUSER", *(self.users.pop(2) for _ in range(20)))
        if rng.random() < 0.5:
            pattern = rng.choice((b"~", b"%R~", b"%W~", b"%RW~")) + rng.choice((self._name(), rng.choice(self.prefixes))) + rng.choice((b"*", b"", b"?x", b"[ab]*"))
            return (b"ACL", b"SETUSER", name, b"on", b">secret", b"+@all", pattern, *rng.sample(RULES, rng.randrange(2)))
        if rng.random() < 0.5:
            victim = rng.choice((name, rng.choice(self.users)))
            return (b"ACL", b"DELUSER", victim)
        return rng.choice(((b"ACL", b"LIST"), (b"ACL", b"GETUSER", name), (b"ACL", b"WHOAMI"), (b"ACL", b"CAT", b"tenants"), (b"ACL", b"DRYRUN", name, b"TENANTS.ME"),
                           (b"ACL", b"SETUSER", name, *rng.sample(RULES, 3))))  # fmt: skip

    def _of_connection(self):
        user = self.rng.choice(self.users)
        return self.rng.choice((
            (b"HELLO", b"2"), (b"HELLO", b"3"), (b"HELLO", b"3", b"AUTH", user, b"secret"), (b"AUTH", user, b"secret"), (b"AUTH", self._name(), b"wrong"),
            (b"RESET",), (b"SELECT", b"%d" % self.rng.randrange(3)), (b"PING",), (b"CLIENT", b"NO-TOUCH", b"on"), (b"AUTH", b"default", b""),
            (b"WATCH", self._key()), (b"UNWATCH",), (b"NONSENSE", user), (b"GET",), (b"AUTH", b"default", b"any"),
        ))  # fmt: skip

    def _of_server(self):
        rng = self.rng
        chance = rng.random()
        if chance < 0.5:
            return (b"INFO", rng.choice(SECTIONS))
        if chance < 0.52:
            return rng.choice(((b"FLUSHDB",), (b"FLUSHALL", b"ASYNC"), (b"SWAPDB", b"0", b"1"), (b"SCRIPT", b"FLUSH")))
        name = b"tenants." + rng.choice(NAMES)
        return rng.choice(((b"COMMAND", b"DOCS", name), (b"COMMAND", b"INFO", name), (b"COMMAND", b"GETKEYS", name, b"x"), (b"CONFIG", b"GET", b"tenants.*"),
                           (b"DBSIZE",), (b"CONFIG", b"RESETSTAT"), (b"CLIENT", b"LIST"), (b"MODULE", b"LIST"), (b"SLOWLOG", b"GET"), (b"SCAN", b"0")))  # fmt: skip
