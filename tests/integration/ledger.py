"""What the tests themselves know about the commands they sent: who ran what, how often.

Every Session writes here, so the ledger holds each executed command of a server's life. Its rules are those of
docs/accuracy.md: an executed command counts once, for the user the connection had when the command began; a command the
server refused to execute (unknown, wrong arity, NOPERM, queued and then discarded ...) does not count. Before 9.1 the
server does not tell a module of the refusals that its rules alone can't foresee (NOPERM, OOM ...), and no version does
inside scripts and EXEC: the module counts these; the ledger keeps them in `refused`.
"""

import collections
import threading

from redis.exceptions import ResponseError

# How an error reply of a command begins that was refused before it ran. The rest ran, and failed while running.
REFUSALS = (
    "NOPERM", "LOADING", "MASTERDOWN", "MISCONF", "READONLY", "OOM", "NOREPLICAS", "BUSY ",
    "MOVED ", "ASK ", "CLUSTERDOWN", "CROSSSLOT", "TRYAGAIN",
    "ERR Can't execute '", "ERR ACL failure in script", "EXECABORT Transaction discarded because of: ",
)  # fmt: skip
# Of these, what anybody can foresee who has the command table.
FORESEEABLE = (
    "NOAUTH Authentication required",
    "ERR unknown command", "ERR unknown subcommand", "ERR Unknown subcommand", "ERR wrong number of arguments for '",
    "ERR Command not allowed inside a transaction", "ERR This Redis command is not allowed from script",
    "ERR This Valkey command is not allowed from script", "ERR Unknown command called from script",
    "ERR Wrong number of args calling command from script",
)  # fmt: skip

# Runs the commands listed in ARGV (a count, then that many words, and again); replies one error text, or "", for each.
RUN_IN_LUA = b"""local replies, at = {}, 1
while at <= #ARGV do
  local words = tonumber(ARGV[at])
  local reply = redis.pcall(unpack(ARGV, at + 1, at + words))
  replies[#replies + 1] = type(reply) == 'table' and reply.err or ''
  at = at + 1 + words
end
return replies"""


def refused(reply):
    """Whether `reply` says that its command did not run, for a reason that depends on the server's state."""
    return isinstance(reply, ResponseError) and str(reply).startswith(REFUSALS)


def foreseeable(reply):
    """Whether `reply` says that its command never could have run."""
    return isinstance(reply, ResponseError) and str(reply).startswith(FORESEEABLE)


def in_lua(commands):
    """The EVAL that runs `commands` inside a script; the ledger understands it."""
    arguments = []
    for command in commands:
        arguments += [b"%d" % len(command), *command]
    return (b"EVAL", RUN_IN_LUA, b"0", *arguments)


def words_of_lua(command):
    """The commands inside an `in_lua` EVAL."""
    arguments, commands = list(command[3:]), []
    while arguments:
        words = int(arguments[0])
        commands.append(tuple(arguments[1 : 1 + words]))
        del arguments[: 1 + words]
    return commands


# What INFO has of each user about commands.
COUNTED = ("commands", "reads", "writes", "admin", "scripts", "pubsub")


# The module's own, which the table lacks where it is loaded later.
READING = (b"bigkeys", b"databases", b"get", b"help", b"list", b"me", b"prefixes", b"status", b"top", b"users")


class CommandTable:
    """Full names and flags, as `COMMAND` tells them."""

    def __init__(self, reply):
        self.flags = {b"tenants." + name: {b"readonly"} for name in READING}
        self.flags[b"tenants.resetstat"] = {b"admin"}
        self._read(reply)

    def _read(self, commands):
        for command in commands:
            self.flags[bytes(command[0]).lower()] = {bytes(flag).lower() for flag in command[2]}
            self._read(command[9])

    def full_name(self, command):
        """As in commandstats: `client|list`, `get`."""
        name = command[0].lower()
        if len(command) > 1 and name + b"|" + command[1].lower() in self.flags:
            return name + b"|" + command[1].lower()
        return name

    def kind(self, name):
        """One of the kinds of docs/metrics.md; "other" for the rest."""
        if name.startswith((b"eval", b"fcall")):
            return "scripts"
        flags = self.flags.get(name, set())
        kinds = ((b"write", "writes"), (b"readonly", "reads"), (b"pubsub", "pubsub"), (b"admin", "admin"))
        return next((kind for flag, kind in kinds if flag in flags), "other")


class Ledger:
    def __init__(self, table, tells_refusals):
        self.table = table
        self.tells_refusals = tells_refusals  # whether the server tells modules of refusals outside scripts: 9.1+
        self.calls = collections.Counter()  # (user, full command name) -> commands that the module has to count
        self.refused = collections.Counter()  # the same, of these the ones that did not run
        self._lock = threading.Lock()

    def count(self, user, command, reply, inside=False):
        """Counts `command`, and what ran inside it. `inside`: a script or EXEC runs it."""
        if command[0].upper() == b"LOGINS.RUN":  # tests/modules/logins.cc; the reply is that of the command it runs
            self.count(user, command[1:], reply, inside=True)
            reply = None
        if foreseeable(reply) or refused(reply) and self.tells_refusals and not inside:
            return
        with self._lock:
            self.calls[user, self.table.full_name(command)] += 1
            self.refused[user, self.table.full_name(command)] += refused(reply)
        if command[0].upper() == b"EVAL" and command[1] == RUN_IN_LUA and isinstance(reply, list):
            for inner, text in zip(words_of_lua(command), reply):
                self.count(user, inner, ResponseError(text.decode("latin-1")) if text else b"OK", inside=True)

    def snapshot(self):
        with self._lock:
            return self.calls.copy()

    def snapshot_refused(self):
        with self._lock:
            return self.refused.copy()

    def by_user(self, calls):
        """{user: {"commands" and each kind}} of a snapshot, or of the difference of two."""
        users = {}
        for (user, name), times in calls.items():
            row = users.setdefault(user, dict.fromkeys(COUNTED, 0))
            kind = self.table.kind(name)
            row["commands"] += times
            if kind in row:
                row[kind] += times
        return users

    @staticmethod
    def by_command(calls):
        commands = collections.Counter()
        for (_, name), times in calls.items():
            commands[name] += times
        return +commands
