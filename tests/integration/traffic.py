"""Mixed traffic of several ACL users on real connections, the same for the same seed. Sessions write the ledger, so that
afterwards it is known what each user ran."""

import random
import re

from commands import DATABASES, KeySpace, random_command
from ledger import in_lua
from truth import key_names
from waiting import wait_until

USERS = {
    "app1": "~app1:* +@all",
    "app2": "~app2:* ~shared:* +@all",
    "app3": "~app3:* ~app1:sub:* %R~app1:* +@all",
    "reader": "%R~* +@all",
}
PREFIXES = {
    b"app1": [b"app1:", b"app1:", b"app1:sub:", b"app2:"],  # the last is foreign: NOPERM
    b"app2": [b"app2:", b"shared:"],
    b"app3": [b"app3:", b"app1:sub:", b"app1:"],
    b"reader": [b"app1:", b"app2:", b"orphan1:"],
    b"default": [b"app1:", b"app2:", b"app3:", b"shared:", b"app1:sub:", b"orphan1:", b"orphan2:", b"", b"{tag}:"],
}


def create_users(session, users=USERS):
    for user, rules in users.items():
        session.call("ACL", "SETUSER", user, "on", ">secret", *rules.split())


class Traffic:
    """`step()` sends one random thing and reads every reply to it."""

    def __init__(self, server, seed, connections=6):
        self.server, self.rng = server, random.Random(seed)
        self.sessions = [server.session() for _ in range(connections)]
        self.blocked = 0
        for session in self.sessions:
            self._authenticate(session)

    def run(self, steps):
        for _ in range(steps):
            self.step()

    def step(self):
        actions = (
            (self._commands, 60), (self._transaction, 8), (self._script, 8), (self._restore, 6), (self._select, 6),
            (self._authenticate, 5), (self._reset, 2), (self._hello, 2), (self._reconnect, 2), (self._blocking, 2),
            (self._nonsense, 3), (self._databases, 1),
        )  # fmt: skip
        action = self.rng.choices([action for action, _ in actions], [weight for _, weight in actions])[0]
        action(self.rng.choice(self.sessions))

    def settle(self):
        """Makes the moment quiet: until every short-lived key has expired and been removed."""
        session = self.server.admin
        wait_until(lambda: not self._volatile(session), "the short-lived keys to expire")

    def _volatile(self, session):
        """Keys with less than a minute to live. Asking for their names removes the expired ones."""
        for database, names in key_names(session).items():
            session.call("SELECT", database)
            times = session.pipeline([("PTTL", name) for name in names])
            session.call("SELECT", 0)
            if any(0 <= time < 60000 for time in times):
                return True
        return False

    def _space(self, session):
        return KeySpace(self.rng, PREFIXES[session.user])

    def _some(self, session, most):
        space = self._space(session)
        return [random_command(space) for _ in range(self.rng.randrange(1, most + 1))]

    def _commands(self, session):
        session.pipeline(self._some(session, 20))

    def _transaction(self, session):
        """MULTI … EXEC, sometimes DISCARD, an AUTH in the middle, an error that aborts, or a WATCH that fails."""
        commands, end = self._some(session, 8), "EXEC"
        twist = self.rng.randrange(6)
        if twist == 0:
            end = "DISCARD"
        elif twist == 1:
            commands.insert(self.rng.randrange(len(commands)), self._auth(wrong=False))
        elif twist == 2:
            commands.append(("NOSUCHCOMMAND", "x"))
        elif twist == 3:
            commands.append(in_lua(self._binary(self._some(session, 4))))
        elif twist == 4:
            self._fail_a_watch(session)
        session.pipeline([("MULTI",), *commands, (end,)])

    def _fail_a_watch(self, session):
        key = self._space(session).key("string")
        session.outcome("SELECT", 0)  # where admin is
        session.outcome("WATCH", key)
        self.server.admin.outcome("SET", key, "changed")

    def _script(self, session):
        session.outcome(*in_lua(self._binary(self._some(session, 10))))

    @staticmethod
    def _binary(commands):
        return [tuple(word if isinstance(word, bytes) else str(word).encode() for word in command) for command in commands]

    def _restore(self, session):
        space = self._space(session)
        source, target = space.key("hash"), space.key("string")
        payload = session.outcome("DUMP", source)
        if isinstance(payload, bytes):
            options = self.rng.choice([(), ("REPLACE",), ("REPLACE", "ABSTTL")])
            session.outcome("RESTORE", target, 1 if "ABSTTL" in options else 0, payload, *options)

    def _select(self, session):
        session.outcome("SELECT", self.rng.randrange(DATABASES))

    def _auth(self, wrong=True):
        """Never a wrong password inside MULTI: the server then gives no reply to that AUTH at all (addAuthErrReply)."""
        user = self.rng.choice([*USERS, "default"])
        password = "wrong" if wrong and user != "default" and self.rng.random() < 0.2 else "secret"
        return ("AUTH", user, password)

    def _authenticate(self, session):
        session.outcome(*self._auth())

    def _reset(self, session):
        session.outcome("RESET")

    def _hello(self, session):
        version = self.rng.choice((2, 3))
        session.outcome("HELLO", version, *self.rng.choice([(), self._auth()]))

    def _reconnect(self, session):
        session.close()
        self.sessions.remove(session)
        self.sessions.append(self.server.session())

    def _blocking(self, session):
        """A BLPOP that waits and is served by another client, or times out."""
        other = self.server.admin
        self.blocked += 1
        key = PREFIXES[session.user][0] + b"blocked%d" % self.blocked
        session.outcome("SELECT", 0)
        if self.rng.random() < 1 / 3:
            session.outcome("BLPOP", key, "0.001")
            return
        session.send("BLPOP", key, 5)
        wait_until(lambda: session.has_input() or self._blocked_clients() > 0, "BLPOP to block or be refused")
        other.call("RPUSH", key, "served")
        session.read()
        other.call("DEL", key)

    def _blocked_clients(self):
        info = self.server.admin.call("INFO", "clients")
        return int(re.search(rb"blocked_clients:(\d+)", info)[1])

    def _nonsense(self, session):
        """What is refused and must not count."""
        session.pipeline([("NOSUCHCOMMAND",), ("GET",), ("CLIENT", "NOSUCH"), ("EXEC",), ("DISCARD",)])

    def _databases(self, session):
        first, second = self.rng.randrange(DATABASES), self.rng.randrange(DATABASES)
        session.outcome(*self.rng.choice([("SWAPDB", first, second), ("FLUSHDB",), ("FLUSHDB", "ASYNC")]))
