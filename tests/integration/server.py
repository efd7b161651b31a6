"""One real server process in its own directory: started, waited for, ended by its own pid."""

import collections
import os
import pathlib
import random
import re
import signal
import socket
import subprocess
import time

from ledger import CommandTable, Ledger
from session import Session
from redis.exceptions import ConnectionError, ResponseError
from waiting import exit_code, wait_until

# What a log must never hold: the server's crash report, its asserts, a sanitizer's report.
BAD_LOG_LINES = ("=== VALKEY BUG REPORT", "=== REDIS BUG REPORT", "ASSERTION FAILED", "Sanitizer", "runtime error: ", "crashed by signal")
command_tables = {}
MOST_RESERVATIONS = 30
reservations = collections.deque()  # sockets with a name for the port, oldest first

# For a server with AddressSanitizer: an allocation of a size that is garbage fails, as it does without.
MAY_FAIL = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":allocator_may_return_null=1"}


def free_port():
    """Below the ports that outgoing connections get, and free together with its cluster bus, 10,000 above. It stays reserved, for all
    who ask here, until this process has asked for some more: long enough to be bound."""
    while True:
        port = random.SystemRandom().randrange(12000, 22000)
        reservation = socket.socket(socket.AF_UNIX)
        try:
            reservation.bind(f"\0valkey-tenants-port-{port}")
            for number in (port, port + 10000):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", number))
        except OSError:
            reservation.close()
            continue
        reservations.append(reservation)
        if len(reservations) > MOST_RESERVATIONS:
            reservations.popleft().close()
        return port


class Server:
    """`loading` says how the module comes in: "conf" (a line of valkey.conf), "argument" (--loadmodule), or None.

    `lines` are added to valkey.conf, `module_arguments` to the loadmodule line, `environment` to the process's.
    """

    def __init__(self, binary, module, directory, loading="argument", lines=(), module_arguments=(), environment=None):
        self.binary, self.module, self.directory = str(binary), str(module), pathlib.Path(directory)
        self.loading, self.module_arguments = loading, tuple(map(str, module_arguments))
        self.environment = {**os.environ, **(environment or {})}
        self._lines = tuple(lines)
        self.port = free_port()
        self.expected_to_exit = False  # set by a test that wants it to refuse, or to end
        self.process = None
        self.ledger = None
        self._sessions = []
        self.log_path = self.directory / "server.log"
        self.conf_path = self.directory / "valkey.conf"
        self.conf_path.write_text("\n".join([*self._conf_lines(), *lines, ""]))

    def _conf_lines(self):
        lines = [f"port {self.port}", "bind 127.0.0.1", f"dir {self.directory}", f"logfile {self.log_path}"]
        lines += ['save ""', "appendonly no", "enable-module-command yes", "enable-debug-command yes"]
        lines += ["repl-diskless-sync-delay 0"]
        if self.loading == "conf":
            lines.append(" ".join(["loadmodule", self.module, *self.module_arguments]))
        return lines

    def cpu_seconds(self):
        """CPU time of the process so far, all threads: what others on the machine do is not in it."""
        return time.clock_gettime(~self.process.pid << 3 | 2)

    def launch(self):
        """Starts the process only."""
        command = [self.binary, str(self.conf_path)]
        if self.loading == "argument":
            command += ["--loadmodule", self.module, *self.module_arguments]
        with open(self.directory / "output.log", "ab") as output:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=self.environment, cwd=self.directory
            )

    def start(self):
        """Starts, and returns when it answers PING."""
        self.launch()
        wait_until(self._answers, lambda: f"the server to answer PING; its log:\n{self.log_tail()}")
        if self.ledger is None:
            self._begin_ledger()
        return self

    def _answers(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the server exited with {self.process.returncode}; its log:\n{self.log_tail()}")
        try:
            session = Session(self.port, self.ledger)
        except ConnectionError:
            return False
        try:
            return session.outcome("PING") == b"PONG"
        finally:
            session.close()

    def _begin_ledger(self):
        probe = Session(self.port)
        info = probe.call("INFO", "server").decode()
        versions = {flavour: tuple(map(int, numbers)) for flavour, *numbers in re.findall(r"(valkey|redis)_version:(\d+)\.(\d+)\.(\d+)", info)}
        self.is_redis = "valkey" not in versions  # Valkey tells of a Redis that it can stand for, too
        self.version = versions["redis" if self.is_redis else "valkey"]
        self.ledger = Ledger(self._command_table(probe), tells_refusals=self.valkey_at_least(9, 1))
        probe.close()
        self.admin = self.session()

    def valkey_at_least(self, *version):
        return not self.is_redis and self.version >= version

    def program(self, name):
        """The path of the server's own cli or benchmark."""
        return self.binary.replace("-server", f"-{name}")

    def _command_table(self, session):
        """COMMAND is long: once for all servers that have the same commands."""
        key = (self.binary, self.loading and self.module, *(line for line in self._lines if line.startswith(("loadmodule", "rename-command"))))
        if key not in command_tables:
            command_tables[key] = CommandTable(session.call("COMMAND"))
        return command_tables[key]

    def session(self, user=None, password="secret", connection=None):
        """A new connection, as `user` or as default; `connection` as in Session."""
        session = Session(self.port, self.ledger, connection)
        self._sessions.append(session)
        if user is not None:
            session.call("AUTH", user, password)
        return session

    def plain_session(self):
        """A connection without a ledger, once the server answers; for one that start() can't talk to."""
        wait_until(self._answers, lambda: f"the server to answer PING; its log:\n{self.log_tail()}")
        self._sessions.append(Session(self.port))
        return self._sessions[-1]

    def load_module(self, *arguments):
        return self.admin.outcome(*self.loading_command(*arguments))

    def loading_command(self, *arguments):
        return ("MODULE", "LOAD", self.module, *arguments)

    def stop(self):
        """Ends the process by its own pid, politely first. Returns its exit code, None if it had to be killed."""
        for session in self._sessions:
            session.close()
        self._sessions.clear()
        if self.process.poll() is None:
            self._ask_to_shut_down()
        try:
            return exit_code(self.process)
        except subprocess.TimeoutExpired:
            os.kill(self.process.pid, signal.SIGKILL)
            exit_code(self.process)
            return None

    def pause(self):
        """SIGSTOP; returns when no thread of it runs any more. SIGCONT ends that."""
        self.process.send_signal(signal.SIGSTOP)
        wait_until(lambda: " T " in pathlib.Path(f"/proc/{self.process.pid}/stat").read_text(), "the process to stop")

    def kill(self):
        """Ends the process with SIGKILL, as a crash or the kernel would."""
        self.expected_to_exit = True
        self.process.kill()
        exit_code(self.process)
        for session in self._sessions:
            session.close()
        self._sessions.clear()

    def start_again(self):
        """After kill(): the same directory and valkey.conf."""
        self.expected_to_exit = False
        self.start()
        self.admin = self.session()

    def _ask_to_shut_down(self):
        try:
            Session(self.port).outcome("SHUTDOWN", "NOSAVE")
        except (ConnectionError, ResponseError, OSError):
            pass
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGTERM)

    def restart(self, save=False):
        """Stops and starts with the same directory and valkey.conf; with `save`, the data set comes back from an RDB file."""
        if save:
            self.admin.call("SAVE")
        self.check_health()
        self.stop()
        self.start()
        self.admin = self.session()

    def log(self):
        output = self.directory / "output.log"
        return "".join(path.read_text(errors="replace") for path in (output, self.log_path) if path.exists())

    def log_tail(self, lines=40):
        return "\n".join(self.log().splitlines()[-lines:])

    def check_health(self):
        """Fails if the process has ended by itself, or its log tells of a crash."""
        if not self.expected_to_exit and self.process.poll() is not None:
            raise AssertionError(f"the server died with {self.process.returncode}; its log:\n{self.log_tail(120)}")
        self.check_log()

    def leak_check_broke_off(self):
        """A fault of LeakSanitizer's own, rare; it makes the exit code wrong."""
        return "LeakSanitizer has encountered a fatal error" in self.log()

    def check_log(self):
        """Fails if the log tells of a crash; also after stop(): leaks are told at the end of the process."""
        log = re.sub(r".*Sanitizer failed to allocate.*\n", "", self.log())  # where a test lets allocations fail
        if self.leak_check_broke_off():
            print("LeakSanitizer broke off, so nobody looked for leaks of this server")
            log = "".join(line for line in log.splitlines(keepends=True) if "LeakSanitizer" not in line)
        for text in BAD_LOG_LINES:
            if text in log:
                raise AssertionError(f"{text!r} in the server's log:\n{log[log.index(text):][:6000]}")
