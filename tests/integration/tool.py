"""Runs valkey-tenants as an operator does, with pipes or on a terminal."""

import collections
import fcntl
import json
import os
import pathlib
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

import pyte

from cluster import LINES, Cluster
from waiting import exit_code, patience, wait_until

TOOL = os.environ.get("TENANTS_TOOL") or str(pathlib.Path(__file__).resolve().parents[2] / "build/release/valkey-tenants")
Result = collections.namedtuple("Result", "code out err")


def environment(**more):
    """Without what the developer's own shell may have set; None removes."""
    clean = {name: value for name, value in os.environ.items() if name not in ("VALKEYCLI_AUTH", "REDISCLI_AUTH", "NO_COLOR")}
    clean.update({"TERM": "xterm", **more})
    return {name: value for name, value in clean.items() if value is not None}


def tool(*arguments, timeout=60, **variables):
    """Exit code, stdout and stderr, as text."""
    done = subprocess.run([TOOL, *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout * patience(), env=environment(**variables))
    return Result(done.returncode, done.stdout.decode(), done.stderr.decode())


def ok(*arguments, **variables):
    """stdout of a call that must do well, and say nothing."""
    result = tool(*arguments, **variables)
    assert (result.code, result.err) == (0, ""), result
    return result.out


def listed(*arguments, what="tenants", code=0):
    """The JSON of `list`, its rows by name."""
    result = tool(*arguments, "list", what, "-o", "json")
    assert result.code == code, result
    reply = json.loads(result.out)
    reply["rows"] = {row["name"]: row for row in reply["rows"]}
    return reply


class _Screen(pyte.Screen):
    """pyte leaves out two sequences that ncurses scrolls with: CSI S and CSI T."""

    def _scroll(self, count, last, step):
        top, bottom = self.margins or (0, self.lines - 1)
        line, self.cursor.y = self.cursor.y, bottom if last else top
        for _ in range(min(count or 1, self.lines)):
            step()
        self.cursor.y = line

    def scroll_up(self, count=1):
        self._scroll(count, True, self.index)

    def scroll_down(self, count=1):
        self._scroll(count, False, self.reverse_index)


class _Stream(pyte.ByteStream):
    csi = {**pyte.ByteStream.csi, "S": "scroll_up", "T": "scroll_down"}
    events = pyte.ByteStream.events | {"scroll_up", "scroll_down"}


class Terminal:
    """The tool on a terminal of so many columns and lines; `raw` is all that it has written, `screen()` what can be seen."""

    def __init__(self, *arguments, columns=80, lines=24, **variables):
        leader, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.process = subprocess.Popen(
            [TOOL, *map(str, arguments)], stdin=follower, stdout=follower, stderr=follower, env=environment(**variables), start_new_session=True
        )
        os.close(follower)
        self.leader, self.raw = leader, b""
        self._screen = _Screen(columns, lines)
        self._stream = _Stream(self._screen)

    def press(self, keys):
        os.write(self.leader, keys)

    def resize(self, columns, lines):
        fcntl.ioctl(self.leader, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self._screen.resize(lines, columns)
        self.process.send_signal(signal.SIGWINCH)  # it is no controlling terminal, so the kernel tells nobody

    def read(self, seconds=0.05):
        """Takes in what there is. Returns False at the end."""
        poll = select.poll()  # not select(), which knows descriptors below 1,024 only
        poll.register(self.leader, select.POLLIN)
        if poll.poll(seconds * 1000):
            try:
                got = os.read(self.leader, 65536)
            except OSError:  # EIO: the other end is closed
                return False
            self.raw += got
            self._stream.feed(got)
            return bool(got)
        return True

    def screen(self):
        return "\n".join(line.rstrip() for line in self._screen.display)

    def marked(self):
        """The first word of the line with the cursor, which is shown reversed."""
        lines = self._screen.buffer
        return next((text.split()[0] for number, text in enumerate(self._screen.display) if lines[number][0].reverse), None)

    def wait_for(self, pattern):
        """Until the screen matches; returns the match."""

        def seen():
            self.read()
            return re.search(pattern, self.screen(), re.MULTILINE)

        return wait_until(seen, lambda: f"{pattern!r} on the screen:\n{self.screen()}")

    def rest(self):
        """All until it ends; its exit code."""
        deadline = time.monotonic() + 60 * patience()
        while self.read() and time.monotonic() < deadline:
            pass
        return exit_code(self.process)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            exit_code(self.process)
        os.close(self.leader)


class ReplicatedCluster(Cluster):
    """Three primaries, each with a replica: node i + 3 is that of node i."""

    def __init__(self, launch, *lines):
        super().__init__(launch, 3, *lines)
        self.replicas = [launch(lines=[*LINES, *lines]) for _ in range(3)]
        for primary, replica in zip(self.nodes, self.replicas):
            replica.admin.call("CLUSTER", "MEET", "127.0.0.1", primary.port)
        self.ids += [replica.admin.call("CLUSTER", "MYID") for replica in self.replicas]
        self.all = [*self.nodes, *self.replicas]
        known = lambda node: all(node_id in node.admin.call("CLUSTER", "NODES") for node_id in self.ids)  # noqa: E731
        wait_until(lambda: all(known(node) for node in self.all), "every node to know every other")
        for primary_id, replica in zip(self.ids, self.replicas):
            replica.admin.call("CLUSTER", "REPLICATE", primary_id)
        wait_until(lambda: all(b"master_link_status:up" in replica.admin.call("INFO", "replication") for replica in self.replicas), "the replicas to be in sync")
        wait_until(lambda: all(self._sees_replicas(node) for node in self.all), "all nodes to know the replicas")

    def _sees_replicas(self, node):
        return node.admin.call("CLUSTER", "NODES").count(b"slave") == 3
