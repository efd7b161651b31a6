"""What the module says: its INFO sections as dicts."""

import collections
import re

ROW = re.compile(rb"tenants_(user|prefix|key|pattern|elsewhere|tenant)_([^:]*):(.*)")


def unescape(name):
    """The bytes of a name in INFO. The module's own rows, as `(other)`, become str, so that no user's name can equal them."""
    if name.startswith(b"("):
        return name.decode("ascii")
    return re.sub(rb"%([0-9A-F]{2})", lambda match: bytes([int(match[1], 16)]), name)


class Info:
    """One INFO reply; all sections of one reply are of the same moment."""

    def __init__(self, text):
        self.text = text
        self.status, self.users, self.prefixes, self.keys, self.patterns, self.elsewhere, self.tenants = {}, {}, {}, {}, {}, {}, {}
        rows = {b"user": self.users, b"prefix": self.prefixes, b"key": self.keys, b"pattern": self.patterns, b"elsewhere": self.elsewhere, b"tenant": self.tenants}
        for line in text.split(b"\r\n"):
            row = ROW.fullmatch(line)
            if row:
                name = unescape(row[2])
                assert name not in rows[row[1]], f"two lines {line!r}"
                rows[row[1]][name] = _fields(row[3])
            elif line.startswith(b"tenants_"):
                name, value = line.split(b":", 1)
                self.status[name[len(b"tenants_") :].decode()] = _number(value)


def read_info(session):
    return Info(session.call("INFO", "tenants"))


def _fields(text):
    fields = dict(field.split(b"=", 1) for field in text.split(b","))
    return {
        name.decode(): unescape(value) if name == b"owner" else _number(value) for name, value in fields.items()
    }


def _number(text):
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text.decode("latin-1")


def total(rows, field):
    return sum(row.get(field, 0) for row in rows.values())


def _by_name(info, field):
    """Keys and patterns that have rows among the prefixes; what has the same name is one."""
    sums = collections.Counter()
    for rows in (info.keys, info.patterns, info.prefixes, info.elsewhere):
        sums.update({name: row[field] for name, row in rows.items() if row["keys"]})
    return dict(sums)


def keys_by_prefix(info):
    return _by_name(info, "keys")


def bytes_by_prefix(info):
    return _by_name(info, "bytes")


def rows_that_do_not_add_up(info):
    """Texts, empty when every sum agrees. Needs an INFO that was not cut by tenants.info-rows. The total of bytes is absent
    as long as some prefix has keys and no bytes."""
    sums = [
        ("connections of users", total(info.users, "connections"), info.status["connections"]),
        ("commands of users", total(info.users, "commands"), info.status["commands"]),
        *((f"{field} of tenants", total(info.tenants, field), total(info.users, field)) for field in info.users["(internal)"] if field != "connections_peak"),
        ("keys of prefixes", sum(total(rows, "keys") for rows in (info.prefixes, info.keys, info.patterns, info.elsewhere)), info.status["keys"]),
        ("keys of tenants", total(info.tenants, "keys"), info.status["keys"]),
        ("keys of orphans", info.tenants.get("(orphans)", {}).get("keys", 0), info.status["orphan_keys"]),
    ]
    if "bytes" in info.status:
        sums.append(("bytes of prefixes", sum(total(rows, "bytes") for rows in (info.prefixes, info.keys, info.patterns, info.elsewhere)), info.status["bytes"]))
        sums.append(("bytes of tenants", total(info.tenants, "bytes"), info.status["bytes"] + info.status["overhead_bytes"]))
        sums.append(("bytes in all", info.status["bytes"] + info.status["overhead_bytes"] + info.status["unexplained_bytes"], info.status["server_memory_bytes"]))
    return [f"{what}: rows {rows}, total {whole}" for what, rows, whole in sums if rows != whole]
