"""Servers that take turns in short blocks of the same commands; what each block costs is read from the process's clock.

The servers of all kinds live at the same time. In every round each of them runs the same block twice, in random order
and then in the reverse one, so every round gives one ratio for each kind to the first. They are started anew
several times, because where its memory happens to lie makes a process faster or slower for life.

A block is the same number of commands however many connections there are: some batches on each of a few connections, or
one on each of a random choice of many. Each connection is one ACL user's, and uses keys under that user's prefix.
"""

import argparse
import itertools
import multiprocessing
import resource
import signal
import statistics
import sys
import tempfile
import time
from typing import NamedTuple

from server import Server, connect, fail, receive, request

VALUE = b"x" * 64
BULK = b"$%d\r\n%b\r\n" % (len(VALUE), VALUE)
ELEMENTS = 100  # of each list
HASHES = 100  # of each user
SCRIPT = "return redis.call('GET', KEYS[1])"
FILL = "for i = ARGV[2], ARGV[3] do redis.call('SET', string.format('app%d:item:%08d', ARGV[1], i), ARGV[4]) end"
FILL_CHUNK = 20_000
RESAMPLES = 400  # of an interval


class Scale(NamedTuple):
    users: int = 4
    connections: int = 50
    keys: int = 100_000
    io_threads: int = 1
    fill: object = None  # fill(server): instead of the keys that the commands want


class Kind(NamedTuple):
    """A kind of server. `module`: the words after --loadmodule, or None."""

    name: str
    title: str
    module: object = None


class Costs(NamedTuple):
    """Nanoseconds of CPU: of all threads, and of the main thread alone."""

    process: float
    main_thread: float


class Command(NamedTuple):
    """What is sent, for a user's number and that of a random key of its: a function; the reply; how commandstats calls it.

    `weight`: in GETs, of a block. `undo`: a function likewise, for what a block made. `pushed`: what the subscriber gets.
    """

    title: str
    request: object
    reply: bytes
    calls: str
    weight: int = 1
    undo: object = None
    pushed: bytes = b""


def key_name(app, number):
    return b"app%d:item:%08d" % (app, number)


def transaction(app, number):
    key = key_name(app, number)
    return request("MULTI") + request("GET", key) + request("SET", key, VALUE) + request("GET", key) + request("EXEC")


COMMANDS = {
    "get": Command("GET", lambda app, number: request("GET", key_name(app, number)), BULK, "get"),
    "miss": Command("GET of a missing key", lambda app, number: request("GET", key_name(app, number) + b"x"), b"$-1\r\n", "get"),
    "set": Command("SET that overwrites", lambda app, number: request("SET", key_name(app, number), VALUE), b"+OK\r\n", "set"),
    "insert": Command(
        "SET of a new key",
        lambda app, number: request("SET", b"app%d:new:%08d" % (app, number), VALUE),
        b"+OK\r\n",
        "set",
        undo=lambda app, number: request("UNLINK", b"app%d:new:%08d" % (app, number)),
    ),
    "hset": Command("HSET", lambda app, number: request("HSET", b"app%d:hash:%d" % (app, number % HASHES), "field", VALUE), b":0\r\n", "hset"),
    "lrange": Command(
        f"LRANGE of {ELEMENTS}", lambda app, number: request("LRANGE", b"app%d:list" % app, 0, -1), b"*%d\r\n" % ELEMENTS + b"$8\r\nelement.\r\n" * ELEMENTS, "lrange", 4
    ),
    "multi": Command("MULTI, 3 commands, EXEC", transaction, b"+OK\r\n" + b"+QUEUED\r\n" * 3 + b"*3\r\n" + BULK + b"+OK\r\n" + BULK, "exec", 4),
    "eval": Command("EVAL of one GET", lambda app, number: request("EVAL", SCRIPT, 1, key_name(app, number)), BULK, "eval", 4),
    "publish": Command(
        "PUBLISH to one subscriber", lambda app, number: request("PUBLISH", "news", VALUE), b":1\r\n", "publish", 2, pushed=b"*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n" + BULK
    ),
}


class Block(NamedTuple):
    waves: list  # each of pairs: the number of a connection, the batch for it
    reply: bytes  # to each batch
    pushed: bytes  # to the subscriber, by each wave
    undo: list  # batches
    undo_reply: bytes


class Workload:
    """A block is so many waves, each a batch of `depth` commands to `width` connections; all of it `repeats` times."""

    def __init__(self, command, depth, connections, repeats=1):
        self.command, self.depth = COMMANDS[command], depth
        batches = max(1, min(512, 8192 // depth) // self.command.weight)
        self.width = min(connections, batches)
        self.waves = batches // self.width
        self.title = f"{self.command.title}, {depth} at a time" if depth > 1 else f"{self.command.title}, one by one"
        self.repeats = 1 if self.command.undo else repeats
        self.commands = depth * self.width * self.waves * self.repeats  # of a block

    def block(self, scale, pick):
        command, waves, undo, numbers = self.command, [], [], itertools.count()
        for _ in range(self.waves):
            wave = []
            for connection in pick.sample(range(scale.connections), self.width):
                app = connection % scale.users
                keys = list(itertools.islice(numbers, self.depth)) if command.undo else pick.choices(range(scale.keys // scale.users), k=self.depth)
                wave.append((connection, b"".join(command.request(app, key) for key in keys)))
                if command.undo:
                    undo.append(b"".join(command.undo(app, key) for key in keys))
            waves.append(wave)
        return Block(waves * self.repeats, command.reply * self.depth, command.pushed * self.depth * self.width, undo, b":1\r\n" * self.depth)


def open_many_files(files):
    """For this process and the servers it starts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < files:
        fail(f"{files} open files are needed, the limit of this shell is {hard} (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, files), hard))


class LoadedServer(Server):
    """A server with users, keys and connections."""

    def __init__(self, path, folder, module, scale):
        self.connections = []
        settings = ["--maxclients", str(scale.connections + 100), "--io-threads", str(scale.io_threads), "--loglevel", "warning"]
        super().__init__(path, folder, module, settings)
        self.buffer = bytearray(1 << 20)
        try:
            self.create_users(f"app{app}" for app in range(scale.users))
            for number in range(scale.connections):
                self.connections.append(connect(self.port, f"app{number % scale.users}"))
            self.helper, self.subscriber = connect(self.port), connect(self.port)
            self.connections += [self.helper, self.subscriber]
            self.subscriber.sendall(request("SUBSCRIBE", "news"))
            receive(self.subscriber, b"*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n", self.buffer)
            (scale.fill or fill)(self, scale)
            if module:
                self._await_pass()
        except BaseException:
            self.close()
            raise

    def send(self, requests, replies):
        self.helper.sendall(requests)
        receive(self.helper, replies, self.buffer)

    def _await_pass(self):
        """Lets tenants.so look at all keys as fast as it may, so that it is between two passes when we measure, or in a later one."""
        percent = self.admin.config_get("tenants.sweep-cpu-percent").get("tenants.sweep-cpu-percent", "0")
        if percent != "0":
            self.admin.config_set("tenants.sweep-cpu-percent", 50)
            endless = self.admin.config_get("tenants.sweep-interval")["tenants.sweep-interval"] == "0"
            while not self._is_quiet(endless):
                time.sleep(0.01)
            self.admin.config_set("tenants.sweep-cpu-percent", percent)

    def _is_quiet(self, endless):
        status = self.admin.info("tenants_status")
        known = status["tenants_acl"] == "ok" and status["tenants_keys_mode"] != "seeding" and status["tenants_sweep_passes"] > 0
        return known and (endless or status["tenants_sweep_state"] != "running")

    def module_memory(self):
        """Bytes that tenants.so has from the server's allocator."""
        return self.admin.info("tenants_status")["tenants_memory_bytes"]

    def calls(self, command):
        return self.admin.info("commandstats").get(f"cmdstat_{command}", {"calls": 0})["calls"]

    def _main_thread(self):
        """Nanoseconds of CPU. The kernel brings it up to date when the thread rests, or at its tick."""
        before = None
        while before != (now := self._schedstat()):
            before = now
            time.sleep(0.0005)
        return now

    def _schedstat(self):
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/schedstat") as file:
            return int(file.read().split()[0])

    def run(self, block, main_thread):
        """Runs a block, checks every reply, and returns the CPU time that the process used for it."""
        main_before = self._main_thread() if main_thread else 0
        before = self.cpu_nanoseconds()
        for wave in block.waves:
            for number, batch in wave:
                self.connections[number].sendall(batch)
            for number, _ in wave:
                receive(self.connections[number], block.reply, self.buffer)
            receive(self.subscriber, block.pushed, self.buffer)
        used = Costs(self.cpu_nanoseconds() - before, self._main_thread() - main_before if main_thread else 0)
        for batch in block.undo:
            self.send(batch, block.undo_reply)
        return used

    def close(self):
        for connection in self.connections:
            connection.close()
        super().close()


def fill(server, scale):
    """The keys that the commands want. `server`: a Server."""
    for app in range(scale.users):
        for first in range(0, scale.keys // scale.users, FILL_CHUNK):
            server.admin.eval(FILL, 0, app, first, min(first + FILL_CHUNK, scale.keys // scale.users) - 1, VALUE)
        if app < 100:
            server.admin.rpush(f"app{app}:list", *["element."] * ELEMENTS)
            for number in range(HASHES):
                server.admin.hset(f"app{app}:hash:{number}", "field", VALUE)


class RemoteServer:
    """A LoadedServer in a process of its own, which may open as many files as any other: its connections."""

    def __init__(self, *arguments):
        self._pipe, theirs = multiprocessing.Pipe()
        self._process = multiprocessing.Process(target=self._serve, args=(theirs, arguments))
        self._process.start()
        theirs.close()

    def wait(self):
        """Until it is there and filled."""
        try:
            self.version = self._pipe.recv()
        except EOFError:
            sys.exit(1)  # the process has said why
        return self

    def _serve(self, pipe, arguments):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._pipe.close()
        server = LoadedServer(*arguments)
        try:
            pipe.send(server.version)
            while words := pipe.recv():
                pipe.send(getattr(server, words[0])(*words[1:]))
        except EOFError:
            pass  # the other end is gone
        finally:
            server.close()

    def call(self, *words):
        """A method of the LoadedServer, by its name."""
        try:
            self._pipe.send(words)
            return self._pipe.recv()
        except (EOFError, BrokenPipeError):
            sys.exit(1)

    def close(self):
        try:
            self._pipe.send(())
        except BrokenPipeError:
            pass
        self._process.join()


class Servers:
    """One of each kind, filled: a context manager."""

    def __init__(self, path, kinds, scale, pick):
        self.scale, self.pick, self.of = scale, pick, {}
        self._path, self._kinds = path, kinds

    def __enter__(self):
        self._folder = tempfile.TemporaryDirectory()
        try:
            for kind in self.pick.sample(self._kinds, len(self._kinds)):
                self.of[kind] = RemoteServer(self._path, self._folder.name, kind.module, self.scale)
            for server in self.of.values():
                server.wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for server in self.of.values():
            server.close()
        self._folder.cleanup()

    def measure(self, workload, rounds):
        """[{kind: Costs per command}], one for each round."""
        command = workload.command
        called = {kind: server.call("calls", command.calls) for kind, server in self.of.items()}
        self._round(workload)  # the first one grows buffers
        measured = [self._round(workload) for _ in range(rounds)]
        for kind, server in self.of.items():
            sent, counted = 2 * (rounds + 1) * workload.commands, server.call("calls", command.calls) - called[kind]
            if sent != counted:
                fail(f"{sent} times {command.title} was sent, commandstats of the server {kind.title} counted {counted}")
        return measured

    def _round(self, workload):
        block, order = workload.block(self.scale, self.pick), list(self.of)
        self.pick.shuffle(order)
        used = {kind: [] for kind in order}
        for kind in order + order[::-1]:
            used[kind].append(self.of[kind].call("run", block, self.scale.io_threads > 1))
        return {kind: Costs(*(sum(clock) / (2 * workload.commands) for clock in zip(*costs))) for kind, costs in used.items()}


class Ratio(NamedTuple):
    """Of one kind of server to the first."""

    nanoseconds: float
    more: float  # of these, median of the differences
    median: float
    interval: tuple  # the median's, 95 %
    quartiles: tuple


def ratio(starts, kind, base, clock, pick):
    """`starts`: for each start of the servers, what measure() returned. `clock`: a field of Costs."""
    pairs = [[(getattr(found[kind], clock), getattr(found[base], clock)) for found in start] for start in starts]
    everything = list(itertools.chain(*pairs))
    ratios = [[ours / theirs for ours, theirs in start] for start in pairs]
    flat = list(itertools.chain(*ratios))
    quartiles = statistics.quantiles(flat, method="inclusive") if len(flat) > 1 else flat * 3
    # Whole starts are drawn, since rounds of the same start are not independent of each other.
    medians = sorted(statistics.median(itertools.chain(*pick.choices(ratios, k=len(ratios)))) for _ in range(RESAMPLES))
    interval = medians[RESAMPLES // 40], medians[-1 - RESAMPLES // 40]
    nanoseconds, more = statistics.median(ours for ours, _ in everything), statistics.median(ours - theirs for ours, theirs in everything)
    return Ratio(nanoseconds, more, statistics.median(flat), interval, (quartiles[0], quartiles[2]))


def number(least, most):
    """The type of an option."""

    def parse(text):
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {least} to {most}")
        return int(text)

    return parse


def each(parse):
    """The type of an option that takes several, separated by commas."""
    return lambda text: [parse(part) for part in text.split(",")]


def choice(names):
    def parse(text):
        if text not in names:
            raise argparse.ArgumentTypeError(f"{text!r}; allowed are {', '.join(names)}")
        return text

    return parse


def progress(text):
    """Shown on a terminal only; '' clears it."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
