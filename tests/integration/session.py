"""One real connection to a server. redis-py frames the commands; replies are read here, because redis-py 4.3 knows no RESP3
and hides some errors behind reconnects, which a ledger must not have."""

import collections

import redis
from redis.connection import PythonParser
from redis.exceptions import ConnectionError, ResponseError

from ledger import foreseeable, refused


# What Redis replies to MULTI and WATCH within a transaction, which goes on: they ran, and failed. Valkey refuses them.
RAN_IN_MULTI = ("ERR MULTI calls can not be nested", "ERR WATCH inside MULTI is not allowed")


class Parser(PythonParser):
    """RESP2 and RESP3, bytes as they are; errors are returned as values."""

    def read_response(self, disable_decoding=True):
        line = self._buffer.readline()
        if not line:
            raise ConnectionError("connection closed by the server")
        kind, rest = line[:1], line[1:]
        if kind == b"-":
            return ResponseError(rest.decode("latin-1"))
        if kind == b"+":
            return rest
        if kind in b":(":
            return int(rest)
        if kind == b",":
            return float(rest)
        if kind == b"#":
            return rest == b"t"
        if kind == b"_" or rest == b"-1":
            return None
        if kind == b"$":
            return self._buffer.read(int(rest))
        if kind == b"=":
            return self._buffer.read(int(rest))[4:]
        values = [self.read_response() for _ in range(int(rest) * (2 if kind == b"%" else 1))]
        if kind == b"%":
            return {_hashable(key): value for key, value in zip(values[::2], values[1::2])}
        return values


def _hashable(value):
    return tuple(value) if isinstance(value, list) else value


OPTIONS = {"parser_class": Parser, "socket_timeout": 600}


def over_tcp(port):
    return redis.Connection(host="127.0.0.1", port=port, **OPTIONS)


def over_unix_socket(path):
    return redis.UnixDomainSocketConnection(path=str(path), **OPTIONS)


def over_tls(port, authority, certificate=None, key=None):
    """`authority` signed the server's certificate; `certificate` and `key` are the client's own."""
    return redis.SSLConnection(
        host="127.0.0.1", port=port, ssl_ca_certs=str(authority), ssl_certfile=certificate, ssl_keyfile=key, **OPTIONS
    )


def to_bytes(word):
    return word if isinstance(word, bytes) else str(word).encode()


def user_of_login(name, password):
    """Whom AUTH logs in: the user it names, or whom a password for tests/modules/logins.cc names."""
    return password.split(b":", 1)[1] if password.startswith((b"as:", b"later:")) else name


class Session:
    """Knows its user, its open transaction, and tells the ledger of each executed command. `connection`: one of `over_…`,
    else it is a plain one to `port`."""

    def __init__(self, port, ledger=None, connection=None):
        self.ledger = ledger
        self.user = b"default"
        self._queued = None  # the commands of an open MULTI
        self._foreseen = False  # anybody can tell that EXEC will be refused
        self._id = None
        self._watching = False
        self._unread = collections.deque()
        self._connection = connection or over_tcp(port)
        self._connection.connect()

    def send(self, *command):
        """Sends without reading the reply."""
        self.send_all([command])

    def send_all(self, commands):
        """As one piece, without reading the replies."""
        commands = [tuple(map(to_bytes, command)) for command in commands]
        self._unread.extend(commands)
        self._connection.send_packed_command(self._connection.pack_commands(commands), check_health=False)

    def read(self):
        """The reply of the first command that has none yet; an error reply is returned as a ResponseError."""
        reply = self._connection._parser.read_response()
        command = self._unread.popleft()
        if self.ledger:
            self._settle(command, reply)
        return reply

    def pipeline(self, commands):
        """Sends all, then reads all replies; errors are values."""
        commands = list(commands)
        self.send_all(commands)
        return [self.read() for _ in commands]

    def outcome(self, *command):
        """The reply; an error is a value."""
        return self.pipeline([command])[0]

    def call(self, *command):
        """The reply; an error is raised."""
        reply = self.outcome(*command)
        if isinstance(reply, ResponseError):
            raise ResponseError(f"{reply} (to {b' '.join(map(to_bytes, command))[:200]!r})")
        return reply

    def transaction(self, *commands):
        """The replies of `commands` inside one MULTI/EXEC."""
        return self.pipeline([("MULTI",), *commands, ("EXEC",)])[-1]

    def next_push(self):
        """The next thing the server sends by itself (MONITOR lines, messages)."""
        return self._connection._parser.read_response()

    def has_input(self, timeout_seconds=0):
        return self._connection.can_read(timeout_seconds)

    @property
    def id(self):
        """As in CLIENT LIST; asked once, so not while a reply is awaited."""
        if self._id is None:
            self._id = self.call("CLIENT", "ID")
        return self._id

    def close(self):
        self._connection.disconnect()

    def _settle(self, command, reply):
        name = command[0].upper()
        if self._queued is not None and name not in (b"EXEC", b"DISCARD", b"RESET"):
            if str(reply).startswith(RAN_IN_MULTI):
                self.ledger.count(self.user, command, reply)
                return
            self._foreseen |= foreseeable(reply)
            if reply == b"QUEUED" or refused(reply) and not self.ledger.tells_refusals:
                self._queued.append(command)
            return
        user = self.user
        if name == b"EXEC":
            queued, self._queued = self._queued, None
            watching, self._watching = self._watching, self._watching and queued is None  # without MULTI it is an error, and ends nothing
            if len(command) > 1:  # refused, and the transaction with it
                return
            aborted = isinstance(reply, ResponseError) and (str(reply).startswith("EXECABORT") or refused(reply))
            seen = self._foreseen or self.ledger.tells_refusals or watching and "previous errors" in str(reply)
            if aborted and not seen:
                replies = [ResponseError("NOPERM, and the transaction with it")] * len(queued)
            else:
                replies = reply if isinstance(reply, list) else ()
            for inner, inner_reply in zip(queued or (), replies):
                self._count(inner, inner_reply, inside=True)
            self.ledger.count(user, command, reply)  # EXEC began as this user
            return
        self._count(command, reply)
        self._foreseen |= self._queued is not None and foreseeable(reply)
        if name == b"RESET" or name == b"DISCARD" and reply == b"OK":
            self._queued, self._watching = None, False
        elif name == b"UNWATCH" and reply == b"OK":
            self._watching = False
        elif name == b"MULTI" and reply == b"OK":
            self._queued, self._foreseen = [], False

    def _count(self, command, reply, inside=False):
        self.ledger.count(self.user, command, reply, inside)
        if command[0].upper() == b"WATCH" and not foreseeable(reply):
            self._watching = True  # or was refused, unheard
        if isinstance(reply, ResponseError):
            return
        words = [word.upper() for word in command]
        if words[0] == b"AUTH":
            self.user = user_of_login(*command[1:]) if len(command) == 3 else b"default"
        elif words[0] == b"HELLO" and b"AUTH" in words[2:]:
            at = words.index(b"AUTH", 2)
            self.user = user_of_login(*command[at + 1 : at + 3])
        elif words[0] == b"LOGINS.BECOME":
            self.user = command[1]
        elif words[0] == b"RESET":
            self.user = b"default"
