"""More commands than a ledger could follow: threads that send the same batches over and over and read the replies without looking at them."""

import socket
import threading
import time

from session import to_bytes

END = b"end-of-batch"


def packed(commands):
    return b"".join(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words) for words in (list(map(to_bytes, command)) for command in commands))


class Wire:
    """A bare socket; what it sends is in no ledger."""

    def __init__(self, port, timeout=600):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def log_in(self, user):
        """Nobody's: user None. Where the user is not there, that is as if the connection were closed."""
        if user:
            self.send(packed([("AUTH", user, "secret")]))
            if self.socket.recv(1000) != b"+OK\r\n":
                raise ConnectionError(f"no login of {user}")

    def send(self, data):
        self.socket.sendall(data)

    def read_until(self, end):
        tail = b""
        while not tail.endswith(end):
            got = self.socket.recv(1 << 18)
            if not got:
                raise ConnectionError("closed by the server")
            tail = (tail + got)[-len(end) :]

    def rest(self):
        """All that comes before the server closes."""
        data = b""
        while True:
            try:
                got = self.socket.recv(1 << 18)
            except ConnectionError:
                return data
            if not got:
                return data
            data += got

    def close(self):
        self.socket.close()


class Flood:
    """`batches`: for each connection the commands that it repeats. `users`: whom each logs in as, None: nobody. A connection that the
    server closes is opened again. Ends with the block; `commands` is how many were answered, `rate` how many in a second."""

    def __init__(self, server, batches, users=None):
        self._port, self._stop, self.failure = server.port, threading.Event(), None
        users = users or [None] * len(batches)
        self._sent = [0] * len(batches)
        self._threads = [threading.Thread(target=self._run, args=(number, batch, user)) for number, (batch, user) in enumerate(zip(batches, users))]

    def _run(self, number, batch, user):
        data, size = packed([*batch, ("ECHO", END)]), len(batch) + 1
        wire = None
        try:
            while not self._stop.is_set():
                try:
                    if wire is None:
                        wire = Wire(self._port)
                        wire.log_in(user)
                    wire.send(data)
                    wire.read_until(END + b"\r\n")
                    self._sent[number] += size
                except ConnectionError:
                    if wire:
                        wire.close()
                    wire = None
        except Exception as failure:  # noqa: BLE001: told where the block ends
            self.failure = failure
        finally:
            if wire:
                wire.close()

    @property
    def commands(self):
        return sum(self._sent)

    def __enter__(self):
        self._began = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self.rate = self.commands / (time.monotonic() - self._began)
        assert self.failure is None, self.failure
