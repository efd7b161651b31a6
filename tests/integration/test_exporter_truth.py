"""From a client's bytes to Prometheus' database: what it has scraped is what CLIENT LIST, SCAN, MEMORY USAGE, commandstats and the sender know."""

import collections
import contextlib
import os
import random
import re
import subprocess
import time
import urllib.parse

import pytest

import truth
from conftest import REPOSITORY
from exporter import OF_CLUSTERS
from ledger import foreseeable, in_lua, refused
from monitoring import prometheus
from redis.exceptions import ResponseError
from tenants import acl_taken_in, quick_passes
from test_cache import rest
from test_replica import caught_up, follow
from test_usage import BUSY, main_thread_usec, refuse_a_connection, waited_usec
from truth import stat
from waiting import wait_until

pytestmark = pytest.mark.newest_server("test_exporter.py asks every server; this one has all metrics", always=True)

WATCHER = "-@all +@tenants -tenants.resetstat +info"  # docs/exporter.md
JOB = "scrape_configs: [{{job_name: valkey-tenants, static_configs: [{{targets: ['127.0.0.1:{}']}}]}}]\n"
OF_STORAGE = {"__name__", "job", "instance", "node"}  # labels that the tests need not name


@pytest.fixture
def scraped(export, tmp_path):
    """A function that has Prometheus scrape these servers, through an exporter that logs in as `watcher`, over one connection; gives the Prometheus."""
    with contextlib.ExitStack() as running:

        def start(*servers, rules=WATCHER, options=(), scrape_seconds=1):
            for server in servers:
                server.admin.call("ACL", "SETUSER", "watcher", "on", ">secret", *rules.split())
            ports = [server.port for server in servers]
            exporter = export(*ports, connection=["--user", "watcher"], environment={"VALKEYCLI_AUTH": "secret"}, options=["--web.history-interval", "0", *options])
            return running.enter_context(prometheus(tmp_path, JOB.format(exporter.port), scrape_seconds))

        yield start


def of(metric, **labels):
    """What names a series here."""
    return f"valkey_tenant_{metric}", frozenset(labels.items())


def next_scrape(storage, node=None, up=True):
    """{series: value} of one scrape that began after this call, in which all servers answered unless `up` is false; of `node` alone where one is given."""
    while True:
        moment = time.time() + 0.01  # Prometheus writes down when it wanted to scrape, up to 2 ms from when it did
        wait_until(lambda: storage.scraped_since(moment), lambda: f"a scrape, {storage.targets()}")
        samples = storage.query('{job="valkey-tenants"}')
        if not up or min(value for labels, value in samples if labels["__name__"] == "valkey_tenant_up"):
            break  # else the machine is so busy that a server could not answer in time
    assert node is None or {labels["node"] for labels, _ in samples if "node" in labels} == {node}
    page = {}
    for labels, value in samples:
        series = labels["__name__"], frozenset((name, text) for name, text in labels.items() if name not in OF_STORAGE or node is None and name == "node")
        assert series not in page, f"twice: {labels}"
        page[series] = value
    return page


def total(page, metric, **labels):
    return sum(value for (name, found), value in page.items() if name == f"valkey_tenant_{metric}" and labels.items() <= found)


def escaped(name):
    """A name as the label that docs/exporter.md tells of."""
    return re.sub(rb'[^!-~]|[%:=,#"\\(]', lambda match: b"%%%02X" % match[0][0], name).decode()


def stands_for(label):
    """The bytes of a name, or the str of a row of the module's own."""
    return label if label.startswith("(") else urllib.parse.unquote_to_bytes(label)


def numbers_in(info_text):
    return {name.decode(): int(value) for name, value in re.findall(rb"^(\w+):(\d+)\r?$", info_text, re.MULTILINE)}


USERS = {
    "shop": "~shop:* resetchannels &shop.* +@all -debug resetdbs db=0,1",
    "api": "~api:* ~shared:* resetchannels &api.* +@all -debug resetdbs db=0,1",
    "batch": "~batch:* ~batch:lock ~shared:* resetchannels &batch.* +@all -debug resetdbs db=0,1",
    "reader": "%R~shop:* resetchannels &reader.* +@all -debug resetdbs db=0,1",
    "auditor": "%R~* +@all",  # asks for the truth
}
WORKERS = ["shop", "api", "batch"]
OWNERS = {b"shop:": "shop", b"api:": "api", b"shared:": "api", b"batch:": "batch", b"batch:lock": "batch"}  # of two writers the one with fewer prefixes
PATTERNS_WITHOUT_WILDCARD = {b"batch:lock"}
KINDS = {"read": "reads", "write": "writes", "admin": "admin", "script": "scripts", "pubsub": "pubsub"}
PACE_SECONDS = 0.01  # as slow as this every read is looked at (docs/accuracy.md)
SLOW_USEC = 20_000

# Right in each scrape; these only when the module has read, measured or charged what has happened.
LATE = {f"valkey_tenant_{name}" for name in (
    "input_bytes_total", "output_bytes_total", "cpu_seconds_total", "memory_bytes", "memory_error_bytes", "prefix_memory_bytes", "prefix_memory_error_bytes",
    "prefix_coverage_ratio", "prefix_keys_without_ttl", "sweep_completed_timestamp_seconds", "used_memory_bytes", "overhead_memory_bytes", "rows",
)}  # fmt: skip
OF_THE_MAIN_THREAD = "valkey_tenant_cpu_seconds_total"  # nobody else knows whose it was: compared as a sum
# {metric: what it may be less than the truth, and more}
SLACK = {f"valkey_tenant_{name}": bounds for name, bounds in {
    "start_time_seconds": (2, 2),  # the truth is a difference of whole seconds
    "counters_start_time_seconds": (2, 2),
    "used_memory_bytes": (300_000, 300_000),  # buffers of the clients that are answered at the moment
    "overhead_memory_bytes": (100_000, 300_000),  # and what the module has allocated since its start
    "prefix_hit_ratio": (0.001, 0.001),
    "cpu_seconds_total": (0.1, 0.02),  # the server's start, before the module; some looks that come late
}.items()}  # fmt: skip


def fate(reply):
    """How a command ended, by its reply: "ran", "failed", "rejected", or why it was denied."""
    if not isinstance(reply, ResponseError):
        return "ran"
    if str(reply).startswith("NOAUTH"):
        return "auth"
    if str(reply).startswith("NOPERM"):
        which = re.search(r" access (?:a )?(key|channel|database)$", str(reply))
        return which[1] if which else "command"
    return "rejected" if foreseeable(reply) or refused(reply) else "failed"


class Senders:
    """All clients but the exporter, in one thread, and what the replies told them."""

    def __init__(self, server):
        self.server, self.auditor = server, server.session("auditor")
        self.opened, self.open, self.peak = (collections.Counter(auditor=1) for _ in range(3))
        self.ended, self.failed_logins, self.slow = (collections.Counter() for _ in range(3))
        self.hits, self.misses, self.expired, self.evicted = (collections.Counter() for _ in range(4))
        self.bytes_elsewhere = collections.defaultdict(lambda: [0, 0])  # of a user, but not of its open connections
        self.resets, self.with_ttl = 0, set()

    def login(self, user):
        self._count_opened(user)
        return self.server.session(user if user != "default" else None)

    def _count_opened(self, user):
        self.opened[user] += 1
        self.open[user] += 1
        self.peak[user] = max(self.peak[user], self.open[user])

    def become(self, session, user):
        """AUTH in the middle, or RESET: what was received up to it was the old user's."""
        old, command = session.user.decode(), ("AUTH", user, "secret") if user != "default" else ("RESET",)
        received, sent = self._bytes_of(session)
        received += len(b"".join(session._connection.pack_command(*command)))
        self.send(session, command)
        for name, sign in (old, 1), (user, -1):
            self.bytes_elsewhere[name][0] += sign * received
            self.bytes_elsewhere[name][1] += sign * sent
        self.open[old] -= 1
        self._count_opened(user)
        self.resets += user == "default"

    def close(self, session):
        user = session.user.decode()
        for way, number in enumerate(self._bytes_of(session)):
            self.bytes_elsewhere[user][way] += number
        session.close()
        wait_until(lambda: not self.auditor.call("CLIENT", "LIST", "ID", session.id), "the server to see that it is closed")
        self.open[user] -= 1

    def _bytes_of(self, session):
        return bytes_by_user(self.auditor.call("CLIENT", "LIST", "ID", session.id))[session.user.decode()]

    def send(self, session, *commands):
        """One by one, as slowly as PACE_SECONDS says; the last reply."""
        for command in commands:
            user, reply = session.user.decode(), session.outcome(*command)
            time.sleep(PACE_SECONDS)  # the pace of the traffic, not a wait
            self.ended[fate(reply), user] += 1
            self.failed_logins[user] += isinstance(reply, ResponseError) and str(reply).startswith("WRONGPASS")
            if command[0] == "EXEC":
                self.ended["failed", user] += sum(isinstance(inner, ResponseError) for inner in reply)
        return reply

    def work(self, session, prefix, chance):
        """Some of everything that a user of this prefix can do, as often as chance will have it."""
        user, key = session.user.decode(), lambda name: f"{prefix}{name}"  # noqa: E731
        foreign = "api:k" if user == "shop" else "shop:k"
        self.send(session, ("SET", key("s"), "text"), ("SET", key("n"), 1), ("HSET", key("h"), "f", "v"))
        kinds = {  # commands, hits, misses
            "hit": ([("GET", key("s"))], 1, 0),
            "miss": ([("GET", key("nothing"))], 0, 1),
            "many": ([("MGET", key("s"), key("n"), key("nothing"))], 2, 1),
            "hash": ([("HGETALL", key("h")), ("EXISTS", key("nothing"))], 1, 1),
            "write": ([("INCR", key("n")), ("RPUSH", key("l"), "x" * 200), ("SADD", key("set"), 1), ("ZADD", key("z"), 1, "m")], 0, 0),
            "script": ([in_lua([(b"SET", key("by script").encode(), b"x"), (b"GET", key("s").encode())])], 1, 0),
            "transaction": ([("MULTI",), ("GET", key("s")), ("LPUSH", key("s"), "x"), ("PING",), ("EXEC",)], 1, 0),
            "pubsub": ([("PUBLISH", f"{user}.news", "hello")], 0, 0),
            "admin": ([("CONFIG", "GET", "port"), ("SLOWLOG", "LEN")], 0, 0),
            "other": ([("PING",), ("ECHO", "hello"), ("SELECT", 1), ("SELECT", 0)], 0, 0),
            "no command": ([("DEBUG", "JMAP")], 0, 0),
            "no key": ([("SET", foreign, "x")], 0, 0),
            "no channel": ([("PUBLISH", "elsewhere", "x")], 0, 0),
            "no database": ([("SELECT", 3)], 0, 0),
            "rejected": ([("NOSUCH",), ("GET",), ("CLIENT", "NOSUCH")], 0, 0),
            "failed": ([("LPUSH", key("s"), "x"), ("INCR", key("s"))], 0, 0),
            "login": ([("AUTH", "shop", "wrong")], 0, 0),
        }
        if user == "reader":
            kinds = {name: kinds[name] for name in ("hit", "miss", "many", "other", "no channel", "rejected", "login")}
        todo = [kind for kind in kinds for _ in range(chance.randrange(1, 5))]
        chance.shuffle(todo)
        for kind in todo:
            commands, hits, misses = kinds[kind]
            self.send(session, *commands)
            self.hits[prefix.encode()] += hits
            self.misses[prefix.encode()] += misses


def bytes_by_user(client_list):
    """{user: [bytes in, bytes out]} of these lines of CLIENT LIST."""
    sums = collections.defaultdict(lambda: [0, 0])
    for line in client_list.splitlines():
        user, *numbers = (re.search(rb" %b=(\S+)" % field, line)[1] for field in (b"user", b"tot-net-in", b"tot-net-out"))
        for way, number in enumerate(numbers):
            sums[user.decode()][way] += int(number)
    return sums


class Moment:
    """What the server says, what it and the kernel have counted, and what was sent until then."""

    def __init__(self, server, auditor):
        self.ledger = server.ledger.snapshot()
        self.info, clients, seconds = auditor.transaction(
            ("INFO", "server", "memory", "stats", "commandstats", "keyspace", "replication", "modules"), ("CLIENT", "LIST"), ("TIME",))
        self.main_thread_usec, self.waited_usec = main_thread_usec(server), waited_usec(server)
        self.unix_seconds = int(seconds[0])
        self.numbers = numbers_in(self.info)
        self.connections = truth.connections_by_user(clients)
        self.bytes = bytes_by_user(clients)
        calls = truth.calls_in(self.info)
        sent = server.ledger.by_command(self.ledger) + collections.Counter({b"multi": 1, b"ping": 1})  # the one here, and the module's own when it was loaded
        self.measured = calls[b"memory|usage"] - sent[b"memory|usage"]
        self.config_gets = calls[b"config|get"] - sent[b"config|get"]
        for name in truth.OWN_COMMANDS:
            del calls[name], sent[name]
        self.exporters = calls - sent
        assert not sent - calls, "sent, and unknown to commandstats"
        assert all(name == b"auth" or name.startswith(b"tenants.") for name in self.exporters), f"nobody sent {self.exporters}"
        self.failed_calls = sum(int(number) for number in re.findall(rb"failed_calls=(\d+)", self.info))
        memory = truth.pairs(auditor.call("MEMORY", "STATS"))
        tables = sum(sum(value[1::2]) for value in memory.values() if isinstance(value, list))
        self.overhead = memory[b"overhead.total"] - (tables - memory[b"overhead.db.hashtable.lut"])  # the entries of keys are the keys'


class Scene:
    """A server whose life the ledger has from the beginning, its users, and the truth about all of it."""

    def __init__(self, server):
        self.server, self.node = server, f"127.0.0.1:{server.port}"
        server.ledger.calls.clear()
        server.restart()
        for user, rules in USERS.items():
            server.admin.call("ACL", "SETUSER", user, "on", ">secret", *rules.split())
        acl_taken_in(server.admin)
        self.senders = Senders(server)
        self.auditor = self.senders.auditor

    def settle(self):
        """From here on only the auditor and the exporter do anything."""
        names = {key: database for database, keys in truth.key_names(self.auditor).items() for key in keys}
        rule = truth.rule_of(self.auditor)
        self.keys, self.bytes, self.lasting = collections.Counter(), collections.Counter(), collections.Counter()
        for database in (0, 1):
            keys = [key for key, home in names.items() if home == database]
            sizes = self.auditor.pipeline([("SELECT", database), *(("MEMORY", "USAGE", key, "SAMPLES", 0) for key in keys), ("SELECT", 0)])
            for key, size in zip(keys, sizes[1:]):
                prefix = rule.prefix_of(key)
                self.keys[prefix] += 1
                self.bytes[prefix] += size
                self.lasting[prefix] += key not in self.senders.with_ttl
        self.prefixes = {*rule.heads, *self.keys, "(none)", "(other)"}
        self.quiet_since = int(self.auditor.call("TIME")[0])

    def owner(self, prefix):
        return "(other)" if prefix == "(other)" else OWNERS.get(prefix, "(orphans)")

    def truth_at(self, moment):
        """{series: number}. What it leaves out must be 0."""
        return {**self._of_tenants(moment), **self._of_prefixes(), **self._of_node(moment)}

    def _of_tenants(self, moment):
        found, senders, watchers = {}, self.senders, moment.exporters
        sent = self.server.ledger.by_user(moment.ledger)
        others_bytes = [0, 0]
        for user in [*USERS, "watcher", "default"]:
            labels = {"tenant": user}
            found[of("connections", **labels)] = moment.connections[user.encode()]
            row = collections.Counter(sent.get(user.encode(), {}))
            if user == "watcher":
                reads = sum(number for name, number in watchers.items() if name != b"auth")
                row.update(reads=reads, commands=reads + watchers[b"tenants.status"])  # each of these with its INFO
            elif user == "default":
                row.update(commands=watchers[b"auth"])
            for kind, field in KINDS.items():
                found[of("commands_total", kind=kind, **labels)] = row[field]
            found[of("commands_total", kind="other", **labels)] = row["commands"] - sum(row[field] for field in KINDS.values())
            found[of("failed_commands_total", **labels)] = senders.ended["failed", user]
            found[of("rejected_commands_total", **labels)] = senders.ended["rejected", user]
            for reason in ("auth", "command", "key", "channel", "database"):
                found[of("denied_commands_total", reason=reason, **labels)] = senders.ended[reason, user]
            found[of("authentication_failures_total", **labels)] = senders.failed_logins[user]
            found[of("slow_commands_total", **labels)] = senders.slow[user]
            if user == "default":
                opened, peak = moment.numbers["total_connections_received"] + senders.resets, senders.peak[user] + 1  # and server.admin
                used = [moment.numbers[f"total_net_{way}_bytes"] - others_bytes[index] for index, way in enumerate(("input", "output"))]
            else:
                opened, peak = (watchers[b"auth"], 1) if user == "watcher" else (senders.opened[user], senders.peak[user])
                used = [moment.bytes[user][way] + senders.bytes_elsewhere[user][way] for way in (0, 1)]
                others_bytes = [others_bytes[way] + used[way] for way in (0, 1)]
            found[of("memory_error_bytes", **labels)] = 0
            found[of("connections_opened_total", **labels)], found[of("connections_peak", **labels)] = opened, peak
            if user not in ("watcher", "default") or watchers[b"auth"] == 1:
                found[of("input_bytes_total", **labels)], found[of("output_bytes_total", **labels)] = used
        for prefix in self.prefixes:
            for metric, numbers in ("keys", self.keys), ("memory_bytes", self.bytes):
                series = of(metric, tenant=self.owner(prefix))
                found[series] = found.get(series, 0) + numbers[prefix]
        return found

    def _of_prefixes(self):
        found, senders = {}, self.senders
        for prefix in self.prefixes:
            name = prefix if isinstance(prefix, str) else escaped(prefix) + " (key)" * (prefix in PATTERNS_WITHOUT_WILDCARD)
            labels = {"prefix": name, "tenant": self.owner(prefix)}
            found[of("prefix_keys", **labels)] = self.keys[prefix]
            found[of("prefix_memory_bytes", **labels)] = self.bytes[prefix]
            found[of("prefix_memory_error_bytes", **labels)] = 0
            found[of("prefix_coverage_ratio", **labels)] = 1
            found[of("prefix_keys_without_ttl", **labels)] = self.lasting[prefix]
            hits, misses = senders.hits[prefix], senders.misses[prefix]
            found[of("prefix_hits_total", **labels)], found[of("prefix_misses_total", **labels)] = hits, misses
            if hits + misses:
                found[of("prefix_hit_ratio", **labels)] = round(hits / (hits + misses), 3)
            found[of("prefix_expired_keys_total", **labels)] = senders.expired[prefix]
            found[of("prefix_evicted_keys_total", **labels)] = senders.evicted[prefix]
        return found

    def _of_node(self, moment):
        server, role = (re.search(field + rb":(\S+)", moment.info)[1].decode() for field in (rb"valkey_version", rb"role"))
        number = int(re.search(rb"name=tenants,ver=(\d+)", moment.info)[1])
        version = f"{number // 10000}.{number // 100 % 100}.{number % 100}"
        tool = subprocess.run([os.environ["TENANTS_TOOL"], "--version"], capture_output=True, text=True, check=True).stdout.split()[-1]
        settings = truth.pairs(self.auditor.call("CONFIG", "GET", "tenants.max-*", "maxmemory"))
        start = moment.unix_seconds - moment.numbers["uptime_in_seconds"]
        return {
            of("up"): 1,
            of("server_reachable"): 1,
            of("node_data_source"): 1,
            of("data_complete"): 1,
            of("exporter_refused_requests_total"): 0,
            of("node_info", role={"master": "primary", "slave": "replica"}[role], server=f"valkey {server}", module_version=version, keys_mode="exact"): 1,
            of("exporter_build_info", version=tool): 1,
            of("start_time_seconds"): start,
            of("counters_start_time_seconds"): start,
            of("cpu_waited_seconds_total"): moment.waited_usec / 1e6,
            of("used_memory_bytes"): moment.numbers["used_memory"],
            of("max_memory_bytes"): int(settings[b"maxmemory"]),
            of("overhead_memory_bytes"): moment.overhead,
            of("orphan_keys"): sum(number for prefix, number in self.keys.items() if self.owner(prefix) == "(orphans)"),
            of("sweep_running"): 1,
            of("sweep_measured_keys_total"): moment.measured,
            of("unread_connections_total"): 0,
            of("drift_keys_total"): 0,
            of("dropped_rows_total", table="users"): 0,
            of("dropped_rows_total", table="prefixes"): 0,
            of("rows", table="users"): len(self.auditor.call("ACL", "USERS")),
            of("rows", table="prefixes"): len(self.prefixes - {"(none)", "(other)"}),
            of("rows_capacity", table="users"): int(settings[b"tenants.max-users"]),
            of("rows_capacity", table="prefixes"): int(settings[b"tenants.max-prefixes"]),
            of("rejected_connections_total"): moment.numbers["rejected_connections"],
        }

    def sums_at(self, moment):
        """{(metric, labels): number} of what the server counts for all together."""
        numbers = moment.numbers
        return {
            of("failed_commands_total"): moment.failed_calls,
            **{of("denied_commands_total", reason=reason): numbers[f"acl_access_denied_{name}"] for reason, name in
               {"command": "cmd", "key": "key", "channel": "channel", "database": "db"}.items()},
            of("authentication_failures_total"): numbers["acl_access_denied_auth"],
            of("input_bytes_total"): numbers["total_net_input_bytes"],
            of("output_bytes_total"): numbers["total_net_output_bytes"],
            of("cpu_seconds_total"): moment.main_thread_usec / 1e6,
            of("prefix_expired_keys_total"): numbers["expired_keys"],
            of("prefix_evicted_keys_total"): numbers["evicted_keys"],
            of("keys"): sum(map(int, re.findall(rb":keys=(\d+)", moment.info))),
            of("prefix_keys"): sum(map(int, re.findall(rb":keys=(\d+)", moment.info))),
            of("prefix_keys_without_ttl"): sum(int(keys) - int(expires) for keys, expires in re.findall(rb":keys=(\d+),expires=(\d+)", moment.info)),
            of("connections"): sum(moment.connections.values()),
        }

    def within(self, page, after):
        """{series: (least, most)} of what is the module's own, so that only bounds are known from outside."""
        used = main_thread_usec(self.server) / 1e6
        sweeps = page[of("sweep_cpu_seconds_total")]
        unknown = ("watcher", "default") if after.exporters[b"auth"] > 1 else ()  # on a busy machine it connected anew: nobody has read its last connection
        all_bytes = after.numbers["total_net_input_bytes"] + after.numbers["total_net_output_bytes"]
        return {
            **{of(f"{way}_bytes_total", tenant=user): (0, all_bytes) for way in ("input", "output") for user in unknown},
            of("scrape_duration_seconds"): (0, next(value for (name, _), value in page.items() if name == "scrape_duration_seconds")),
            of("sweep_cpu_seconds_total"): (1e-6, used),
            of("sweep_longest_slice_seconds"): (1e-6, sweeps),
            of("sweep_progress_ratio"): (0, 1),
            of("sweep_completed_timestamp_seconds"): (self.quiet_since - 1, time.time() + 1),
            of("memory_bytes", tenant="(overhead)"): (page[of("overhead_memory_bytes")] - 100_000, page[of("overhead_memory_bytes")] + 100_000),
            of("module_memory_bytes"): (100_000, page[of("used_memory_bytes")]),  # test_a_module_that_goes… knows more
            of("commands_total", kind="admin", tenant="(internal)"): (0, after.config_gets),  # the server's Lua engine asks for settings
        }

    def differences(self, storage):
        """{series: (sample, least, most)} of a scrape between two looks at the truth."""
        before = Moment(self.server, self.auditor)
        page = next_scrape(storage, self.node)
        after = Moment(self.server, self.auditor)
        samples = {series: value for series, value in page.items() if series[0].startswith("valkey_tenant_")}
        known = self.within(page, after)
        for truths in self.truth_at(before), self.truth_at(after):
            for series, number in truths.items():
                low, high = known.get(series, (number, number))
                known[series] = min(low, number), max(high, number)
        for series, (low, high) in known.items():
            below, above = SLACK.get(series[0], (0, 0))
            known[series] = low - below, high + above
        found = {series: (value, 0, 0) for series, value in samples.items() if series[0] != OF_THE_MAIN_THREAD}
        found |= {series: (samples.get(series), *bounds) for series, bounds in known.items()}
        sums = self.sums_at(before), self.sums_at(after)
        for (metric, labels), low in sums[0].items():
            below, above = SLACK[metric] if metric == OF_THE_MAIN_THREAD else (0, 0)
            sample = sum(value for (name, own), value in samples.items() if name == metric and labels <= own)
            found[metric, "sum", labels] = sample, low - below, sums[1][metric, labels] + above
        self.compared = {series[0] for series in [*known, *sums[0]]}
        return {series: row for series, row in found.items() if row[0] is None or not row[1] <= row[0] <= row[2]}

    def assert_right(self, storage):
        looks = [self.differences(storage)]
        at_once = {series: row for series, row in looks[0].items() if series[0] not in LATE}
        assert not at_once, f"series: (sample, least, most) {at_once}"
        wait_until(lambda: not looks[-1] or looks.append(self.differences(storage)), lambda: f"the truth; series: (sample, least, most) {looks[-1]}", 120)


def documented():
    return set(re.findall(r"^\| `(valkey_tenant_\w+)` \|", (REPOSITORY / "docs/exporter.md").read_text(), re.MULTILINE))


def expire(scene, chance):
    before, senders = stat(scene.auditor, "expired_keys"), scene.senders
    for user, prefix in zip(WORKERS, ("shop:", "api:", "batch:")):
        number = chance.randrange(1, 9)
        senders.expired[prefix.encode()] += number
        senders.send(senders.login(user), *[("SET", f"{prefix}gone{each}", "x", "PX", 1) for each in range(number)])
    wait_until(lambda: stat(scene.auditor, "expired_keys") == before + sum(senders.expired.values()), "the keys to expire")


def evict(scene, chance):
    """Keys of random sizes until some hundred had to go."""
    senders, admin = scene.senders, scene.server.admin
    keys = lambda: truth.keys_by_prefix(scene.auditor)  # noqa: E731
    before, written = keys(), {}
    admin.call("CONFIG", "SET", "maxmemory-policy", "allkeys-random", "maxmemory", numbers_in(admin.call("INFO", "memory"))["used_memory"] + 200_000)
    for user, prefix in zip(WORKERS, ("shop:", "shared:", "batch:")):
        written[prefix.encode()] = 200 + chance.randrange(100)
        replies = senders.login(user).pipeline([("SET", f"{prefix}big{each}", "x" * chance.randrange(1000, 1500)) for each in range(written[prefix.encode()])])
        assert set(replies) == {b"OK"}
    admin.call("CONFIG", "SET", "maxmemory", 10**9)
    after = keys()
    senders.evicted.update({prefix: before.get(prefix, 0) + written.get(prefix, 0) - after.get(prefix, 0) for prefix in {*before, *written}})


def burn(scene, user, chance):
    """Some commands that keep the main thread busy, and for how long, in seconds."""
    session, burned = scene.senders.login(user), 0
    for _ in range(chance.randrange(5, 10)):
        used = main_thread_usec(scene.server)
        session.call("EVAL", BUSY % 5_000_000, 0)
        used = main_thread_usec(scene.server) - used
        assert used > SLOW_USEC
        burned += used / 1e6
        scene.senders.slow[user] += 1
    return burned


def without_login(scene):
    admin = scene.server.admin
    admin.call("ACL", "SETUSER", "default", "resetpass", ">secret")
    session = scene.senders.login("default")
    scene.senders.send(session, ("GET", "shop:s"), ("SET", "shop:s", "x"))
    admin.call("ACL", "SETUSER", "default", "nopass")


def be_refused(scene):
    limit = truth.pairs(scene.server.admin.call("CONFIG", "GET", "maxclients"))[b"maxclients"]
    scene.server.admin.call("CONFIG", "SET", "maxclients", 1)
    for _ in range(3):
        refuse_a_connection(scene.server)
    scene.server.admin.call("CONFIG", "SET", "maxclients", limit)


def test_every_metric_in_prometheus_equals_the_truth(launch, scraped, seed):
    chance = random.Random(seed)
    server = launch()
    scene = Scene(server)
    senders, admin = scene.senders, server.admin
    storage = scraped(server, scrape_seconds=2)  # as long may an answer take, on a busy machine
    admin.call("CONFIG", "SET", "tenants.sweep-cpu-percent", 0)  # its MEMORY USAGE would be a hit in INFO stats
    wait_until(lambda: next_scrape(storage)[of("sweep_running", node=scene.node)] == 0, "the passes to be off")

    sessions = {user: [senders.login(user) for _ in range(chance.randrange(2, 5))] for user in [*WORKERS, "reader"]}
    rest(admin)
    crowd = [senders.login("default") for _ in range(7)]
    for session in crowd:
        senders.close(session)
    senders.send(senders.login("shop"), ("SUBSCRIBE", "shop.news"))
    rest(admin)
    hits, misses = stat(admin, "keyspace_hits"), stat(admin, "keyspace_misses")
    for user, prefix in ("shop", "shop:"), ("api", "api:"), ("batch", "batch:"), ("api", "shared:"), ("batch", "shared:"), ("reader", "shop:"):
        senders.work(chance.choice(sessions[user]), prefix, chance)
    assert stat(admin, "keyspace_hits") - hits == sum(senders.hits.values())
    assert stat(admin, "keyspace_misses") - misses == sum(senders.misses.values())
    expire(scene, chance)
    evict(scene, chance)
    admin.pipeline([("SET", "orphan:1", "x"), ("SET", "without separator", "x" * 77), ("SELECT", 1), ("SET", "orphan:2", "x"), ("SET", "shop:2", "x"), ("SELECT", 0)])
    senders.send(sessions["batch"][0], ("SET", "batch:lock", "x", "EX", 10_000))
    senders.with_ttl.add(b"batch:lock")
    burned = burn(scene, "api", chance)
    without_login(scene)
    be_refused(scene)
    senders.become(sessions["batch"][0], "api")
    senders.become(sessions["batch"][1], "default")
    for user in WORKERS:
        senders.close(sessions[user][-1])
    acl_taken_in(admin)
    quick_passes(admin)
    admin.call("CONFIG", "SET", "tenants.target-error", 0)
    scene.settle()
    scene.assert_right(storage)
    assert documented() - OF_CLUSTERS <= scene.compared, "a metric without a truth"
    cpu = {user: total(next_scrape(storage, scene.node), "cpu_seconds_total", tenant=user) for user in USERS}
    assert cpu.pop("api") == pytest.approx(burned, rel=0.5), "as good as shares are on a busy machine"
    assert max(cpu.values()) < burned / 2


def keys_and_bytes(page):
    """{prefix: keys}, {prefix: bytes} of a page, without rows that have none."""
    found = []
    for metric in "prefix_keys", "prefix_memory_bytes":
        series = {dict(labels)["prefix"]: value for (name, labels), value in page.items() if name == f"valkey_tenant_{metric}" and value}
        found.append({stands_for(prefix): value for prefix, value in series.items()})
    return tuple(found)


def wait_for_the_data(storage, server):
    """Until keys and bytes of each prefix are what SCAN and MEMORY USAGE say; the page."""
    server.admin.call("CONFIG", "SET", "tenants.target-error", 0)
    expected = truth.keys_by_prefix(server.admin), truth.bytes_by_prefix(server.admin)
    pages = []

    def differences():
        both = zip(keys_and_bytes(pages[-1]), expected)
        return [{name: (found.get(name), outside.get(name)) for name in {**found, **outside} if found.get(name) != outside.get(name)} for found, outside in both]

    def right():
        pages.append(next_scrape(storage, f"127.0.0.1:{server.port}"))
        return not any(differences())

    wait_until(right, lambda: f"keys and bytes, prefix: (Prometheus, truth) {differences()}", 120)
    return pages[-1]


def growth(storage, expression):
    """{tenant: increase() over all that Prometheus has}. Seen from the last sample, and from 0 on, Prometheus extrapolates nothing."""
    [(_, last)] = storage.query('timestamp(up{job="valkey-tenants"})')
    return storage.values(f"sum by (tenant) (increase({expression}[1h] @ {last}))")


TWO = ["user shop on >secret ~shop:* +@all", "user api on >secret ~api:* +@all", f"user watcher on >secret {WATCHER}"]


def test_counters_begin_anew_after_resetstat_and_a_restart_and_no_rate_tells_of_more_than_was_done(launch, scraped, seed):
    chance = random.Random(seed)
    server = launch(lines=TWO)
    quick_passes(server.admin)
    storage = scraped(server)
    wait_until(lambda: of("commands_total", tenant="shop", kind="write", node=f"127.0.0.1:{server.port}") in next_scrape(storage), "the counters at 0")
    sent = collections.Counter()

    def work(most):
        """Fewer each time, so that Prometheus sees each counter fall."""
        counted = {}
        for user in "shop", "api":
            counted[user] = chance.randrange(most // 2, most)
            session = server.session(user)
            session.pipeline([("SET", f"{user}:{chance.randrange(1000)}", "x" * chance.randrange(100)) for _ in range(counted[user])])
            session.close()
        page = next_scrape(storage)
        assert {user: total(page, "commands_total", tenant=user, kind="write") for user in counted} == counted
        sent.update(counted)
        return page

    work(800)
    start = total(wait_for_the_data(storage, server), "start_time_seconds")
    wait_until(lambda: int(server.admin.call("TIME")[0]) > start, "the next second")
    _, (seconds, _) = server.admin.transaction(("TENANTS.RESETSTAT",), ("TIME",))
    page = work(400)
    assert int(seconds) - total(page, "counters_start_time_seconds") in (0, 1)
    assert total(page, "start_time_seconds") == start
    server.restart(save=True)
    quick_passes(server.admin)
    page = work(200)
    assert total(page, "start_time_seconds") == total(page, "counters_start_time_seconds") > start
    wait_for_the_data(storage, server)

    increase = growth(storage, 'valkey_tenant_commands_total{kind="write"}')
    assert {tenant: value for tenant, value in increase.items() if value} == pytest.approx(sent)
    assert storage.values('resets(valkey_tenant_commands_total{kind="write",tenant=~"shop|api"}[1h])') == {"shop": 2, "api": 2}
    for name in documented():
        assert all(value >= 0 for _, value in storage.query(f"increase({name}[1h])")), name


def test_the_peak_of_connections_is_no_more_than_were_ever_open_at_once(launch, scraped):
    server = launch(lines=TWO)
    storage = scraped(server)
    server.admin.call("TENANTS.RESETSTAT")
    for _ in range(5):
        server.session("shop")  # has logged in before the next one connects
    page = next_scrape(storage)
    assert (total(page, "connections_peak", tenant="shop"), total(page, "connections_peak", tenant="default")) == (5, 2)


def stored(storage):
    """{tenant: keys} as docs/exporter.md adds them up: over primaries."""
    return storage.values('sum by (tenant) (valkey_tenant_keys and on (job, instance, node) (valkey_tenant_node_data_source == 1)) > 0')


def test_each_key_counts_once_before_during_and_after_a_failover(launch, scraped, seed):
    chance = random.Random(seed)
    old, new = launch(lines=TWO), launch(lines=TWO)

    def write(server, what):
        for user in "shop", "api":
            server.session(user).pipeline([("SET", f"{user}:{what}{number}", "x") for number in range(chance.randrange(50, 100))])

    write(old, "first")
    follow(old, new)
    storage = scraped(old, new)

    def primaries(page):
        return {dict(labels)["node"] for name, labels in page if name == "valkey_tenant_node_info" and ("role", "primary") in labels}

    def truth_of(server):
        return {key.split(b":")[0].decode(): number for key, number in truth.keys_by_prefix(server.admin).items()}

    def right(server):
        page, expected = next_scrape(storage, up=False), truth_of(server)
        wait_until(lambda: stored(storage) == expected, lambda: f"{expected}, in Prometheus {stored(storage)}")
        assert sum(expected.values()) == server.admin.call("DBSIZE")
        assert primaries(page) == {f"127.0.0.1:{server.port}"}

    right(old)
    assert total(next_scrape(storage), "keys") == 2 * old.admin.call("DBSIZE"), "a replica has all of it once more"
    most = old.admin.call("DBSIZE")
    old.kill()
    assert total(next_scrape(storage, up=False), "up") <= 1
    assert stored(storage) == {}, "nobody is a primary"
    new.admin.call("REPLICAOF", "NO", "ONE")
    right(new)
    old.start_again()
    old.admin.call("REPLICAOF", "127.0.0.1", new.port)
    caught_up(new, old)
    right(new)
    everything = 'sum(valkey_tenant_keys and on (job, instance, node) (valkey_tenant_node_data_source == 1))'
    [(_, seen)] = storage.query(f"max_over_time(({everything})[1h:1s])")
    assert seen == most, "never counted twice"
    write(new, "second")
    caught_up(new, old)
    right(new)


def test_a_module_that_goes_takes_its_samples_with_it_and_begins_anew_when_it_comes_back(launch, scraped):
    server = launch()
    quick_passes(server.admin)
    server.admin.call("ACL", "SETUSER", "shop", "on", ">secret", "~shop:*", "+@all")
    work = [("SET", f"shop:{number}", "x" * number) for number in range(50)]
    session = server.session("shop")
    session.pipeline(work)
    storage = scraped(server, rules="+@all")  # a rule that names a command of the module would keep it there
    page = wait_for_the_data(storage, server)
    assert total(page, "up") == 1 and total(page, "commands_total", tenant="shop", kind="write") == len(work)

    used = lambda: numbers_in(server.admin.call("INFO", "memory"))["used_memory"]  # noqa: E731
    before = used()
    # refused in the middle of a scrape
    wait_until(lambda: server.admin.outcome("MODULE", "UNLOAD", "tenants") == b"OK", lambda: f"the module to go\n{server.log_tail()}")
    freed = before - used()
    assert abs(freed - total(page, "module_memory_bytes")) < 300_000, "what it says it has allocated, and buffers of the clients"
    session.pipeline(work)
    page = next_scrape(storage, up=False)
    assert (total(page, "up"), total(page, "server_reachable")) == (0, 1)
    left = {name.removeprefix("valkey_tenant_") for name, _ in page if re.match("valkey_tenant_(?!exporter_)", name)}
    assert left == {"up", "server_reachable", "scrape_duration_seconds", "data_complete"}
    assert total(page, "data_complete") == 0

    assert server.load_module() == b"OK"
    quick_passes(server.admin)
    assert total(next_scrape(storage), "up") == 1
    session.pipeline(work[:20])
    page = wait_for_the_data(storage, server)
    assert total(page, "commands_total", tenant="shop", kind="write") == 20
    assert total(page, "connections", tenant="shop") == 1
    assert total(page, "orphan_keys") == 0 and total(page, "keys", tenant="shop") == server.admin.call("DBSIZE")
    assert growth(storage, 'valkey_tenant_commands_total{kind="write"}')["shop"] <= len(work) + 20


LONGEST_USER, LONGEST_PREFIX = 512, 256  # bytes; a longer name has no row of its own
HOSTILE = [
    b'"', b'\\"}', b"a\\", b"\\n", b"a\nb{}", b"a\r\n# TYPE x counter\n", b"\x00\x1b[31m\xff", b"(other)", b"(overhead)", b"%41", b"%", b"a,b=c", b"{}", b"#", b" ", b"a b",
    b"*?[a]", b"<script>", b"\xc3", "\N{PILE OF POO}\N{FAMILY}".encode(), "\N{LATIN SMALL LETTER E WITH ACUTE}".encode(), b"\xff" * (LONGEST_PREFIX - 1),
    b"x" * (LONGEST_PREFIX - 1),
]  # fmt: skip


def names_by_chance(chance, allowed, lengths):
    return [bytes(chance.choice(allowed) for _ in range(length)) for length in lengths]


def glob_of(name):
    return re.sub(rb"[*?\[\]\\]", lambda match: b"\\" + match[0], name)


def test_hostile_names_reach_prometheus_and_come_back_unharmed(launch, scraped, seed):
    chance = random.Random(seed)
    server = launch()
    quick_passes(server.admin)
    of_prefixes = [byte for byte in range(256) if byte != ord(":")]
    of_users = [byte for byte in of_prefixes if chr(byte) not in "\0\t\n\v\f\r "]
    names = [*HOSTILE, *names_by_chance(chance, of_prefixes, [1, 2, 8, 100, LONGEST_PREFIX - 1] * 6)]
    owners = {name + b":": name if set(name) <= set(of_users) else None for name in names}
    long_names = [b'"' * LONGEST_USER, b"\xff" * LONGEST_USER, *names_by_chance(chance, of_users, [LONGEST_USER] * 5)]
    owners.update({b"of %d:" % number: None for number in range(3)} | {b"of-long-%d:" % number: name for number, name in enumerate(long_names)})
    keys = {prefix: chance.randrange(1, 20) for prefix in owners}
    for prefix, owner in owners.items():
        if owner:
            server.admin.call("ACL", "SETUSER", owner, "on", ">secret", b"~" + glob_of(prefix) + b"*", "+@all")
    acl_taken_in(server.admin)
    session = server.session()
    for prefix, owner in owners.items():
        session.call("AUTH", owner or "default", "secret")
        session.pipeline([("SET", prefix + b"%d" % number, "x") for number in range(keys[prefix])])
    storage = scraped(server, options=["--tenants.max", 5000])
    assert truth.keys_by_prefix(server.admin) == keys
    page = wait_for_the_data(storage, server)
    assert keys_and_bytes(page)[0] == keys

    rows = [(name.removeprefix("valkey_tenant_"), dict(labels), value) for (name, labels), value in page.items()]
    users = {stands_for(labels["tenant"]) for metric, labels, _ in rows if metric == "connections" and not labels["tenant"].startswith("(")}
    assert users == set(server.admin.call("ACL", "USERS"))
    written = {stands_for(labels["tenant"]): value for metric, labels, value in rows if metric == "commands_total" and labels["kind"] == "write"}
    kept = {stands_for(labels["tenant"]): value for metric, labels, value in rows if metric == "keys"}
    billed = {stands_for(labels["prefix"]): stands_for(labels["tenant"]) for metric, labels, value in rows if metric == "prefix_keys" and value}
    sent = {owner: keys[prefix] for prefix, owner in owners.items() if owner}
    assert {user: written[user] for user in sent} == sent == {user: kept[user] for user in sent}
    assert billed == {prefix: owner or "(orphans)" for prefix, owner in owners.items()}
    assert storage.values("min_over_time(up[1h])", "job") == {"valkey-tenants": 1}, "each scrape was taken"
