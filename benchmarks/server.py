"""A server of its own for a measurement: started on a free port, ended by its pid."""

import contextlib
import pathlib
import random
import shlex
import socket
import subprocess
import sys
import time

import redis

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build/release"
MODULE = shlex.quote(str(BUILD / "tenants.so"))


def fail(what):
    sys.exit(f"{pathlib.Path(sys.argv[0]).name}: {what}")


def binary(name):
    """The server of this name, as scripts/servers has it."""
    found = subprocess.run([ROOT / "scripts/servers", name], stdout=subprocess.PIPE, text=True)
    if found.returncode:
        fail(f"no server {name} could be had, see above")
    return found.stdout.strip()


def loadmodule(text):
    """The words after --loadmodule, of a text like 'tenants.so sweep-cpu-percent 0'."""
    words = shlex.split(text)
    if not words or not pathlib.Path(words[0]).is_file():
        fail(f"there is no module {text}; make build makes it")
    return (str(pathlib.Path(words[0]).resolve()), *words[1:])


def free_port():
    """Below the ports that outgoing connections get."""
    while True:
        port = random.SystemRandom().randrange(12000, 22000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


def request(*words):
    words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


def connect(port, user=None):
    """A connection; logged in, with the user's name as its password."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if user:
        connection.sendall(request("AUTH", user, user))
        receive(connection, b"+OK\r\n", bytearray(64))
    return connection


def receive(connection, expected, buffer):
    """Reads exactly `expected`, or fails. `buffer` is as long, or longer."""
    view, got = memoryview(buffer)[: len(expected)], 0
    while got < len(expected):
        received = connection.recv_into(view[got:])
        if not received:
            fail("the server closed a connection")
        got += received
        if view[:got] != expected[:got]:
            fail(f"unexpected reply {bytes(view[: min(got, 200)])!r}")


def cpu_nanoseconds(pid):
    return time.clock_gettime_ns((~pid << 3) | 2)  # Linux's name for the CPU clock of another process


@contextlib.contextmanager
def busy_processes(count):
    """Meanwhile so many processes do nothing but keep cores busy."""
    others = []
    try:
        for _ in range(count):
            others.append(subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True))  # the kernel is fair to sessions
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


class Server:
    """One server process; `path`: of the server, or the words before its options; `settings`: these. Ended by close()."""

    def __init__(self, path, folder, module=None, settings=()):
        while True:
            self.port = free_port()
            log = pathlib.Path(folder, f"log-{self.port}")
            command = [*([path] if isinstance(path, str) else path), "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", folder, "--logfile", str(log)]
            command += [*settings, *(["--loadmodule", *module] if module else [])]
            self.process = subprocess.Popen(command, start_new_session=True)  # Ctrl-C is for us: we end it by its pid
            self.admin = redis.Redis(host="127.0.0.1", port=self.port)
            try:
                if self._wait_for_start(log):
                    return
            except BaseException:
                self.close()
                raise
            self.close()

    def _wait_for_start(self, log):
        """False: another one took the port first."""
        deadline = time.monotonic() + 300
        while True:
            try:
                info = self.admin.info("server")
                self.version = f"Valkey {info['valkey_version']}" if "valkey_version" in info else f"Redis {info['redis_version']}"
                return info["process_id"] == self.process.pid
            except redis.ConnectionError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    fail(f"the server did not start; its log:\n{log.read_text() if log.exists() else '(none)'}")
                time.sleep(0.02)

    def cpu_nanoseconds(self):
        """That the process has used so far: all of its threads, system calls included, exact even while they run."""
        return cpu_nanoseconds(self.process.pid)

    def create_users(self, users):
        """Each may do everything but what is dangerous, to keys under its own prefix and to all channels."""
        pipeline = self.admin.pipeline(transaction=False)
        for user in users:
            pipeline.execute_command("ACL", "SETUSER", user, "on", f">{user}", f"~{user}:*", "&*", "+@all", "-@dangerous")
        pipeline.execute()

    def close(self):
        self.admin.close()
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
