"""What tests do with the module: settings for quick passes, waiting for a whole pass, for the ACL to be taken in."""

import re

from info import Info, read_info
from waiting import wait_until


def quick_passes(session):
    """One pass after the other, with a fifth of the main thread: many tests run at a time."""
    session.call("CONFIG", "SET", "tenants.sweep-cpu-percent", "20", "tenants.sweep-interval", "0")


def full_pass(session, deadline_seconds=180):
    """Returns when a pass that began after this call is complete. Needs `quick_passes`."""
    begun = read_info(session).status["sweep_passes"]
    # one pass may have been under way; the second one began later
    wait_until(
        lambda: read_info(session).status["sweep_passes"] >= begun + 2,
        lambda: f"two more passes than {begun}; status {read_info(session).status}",
        deadline_seconds,
    )


def measured_pass(session):
    """INFO after a pass that began after this call and met and measured each key once: one that meets keys again while a table
    of the server grows says so by its error. Needs `quick_passes`."""
    session.call("CONFIG", "SET", "tenants.target-error", 0)
    full_pass(session)
    return wait_until(lambda: _exact(_adds_up(session)), lambda: f"bytes without error, {read_info(session).prefixes}")


def _exact(info):
    return info if info and all(row.get("bytes_error") == 0 for row in info.prefixes.values() if row["keys"]) else None


def _adds_up(session):
    """INFO where its keys are as many as DBSIZE says. SCAN leaves none out, but a pass may meet a key twice while a table of the
    server shrinks or grows; where the server tells of no keys (`swept`), what that pass met is what is shown."""
    text = session.call("INFO", "keyspace", "tenants")
    info = Info(text)
    return info if info.status["keys"] == sum(int(keys) for keys in re.findall(rb":keys=(\d+)", text)) else None


def acl_taken_in(session, deadline_seconds=90):
    """The INFO of the moment at which the module knows the ACL as it is now, and its counts are by it."""
    return wait_until(
        lambda: _settled(read_info(session)),
        lambda: f"the ACL to be taken in; status {read_info(session).status}",
        deadline_seconds,
    )


def _settled(info):
    return info if info.status["acl"] == "ok" and info.status["keys_mode"] != "seeding" else None


def settled_info(session):
    """INFO whose key counts must be right now: at once where the mode is `exact`, after a full pass where it is `swept`."""
    info = acl_taken_in(session)
    if info.status["keys_mode"] == "swept":
        full_pass(session)
        return wait_until(lambda: _adds_up(session), lambda: f"as many keys as in DBSIZE; status {read_info(session).status}")
    return info


def pages(session, command, count, *words):
    """All rows of a paged command as dicts, and the size of each page."""
    rows, sizes, cursor = [], [], b"0"
    while not sizes or cursor != b"0":
        cursor, page = session.call(command, cursor, "COUNT", count, *words)
        rows += [row if isinstance(row, dict) else dict(zip(row[::2], row[1::2])) for row in page]
        sizes.append(len(page))
        assert len(sizes) < 1000, "paging does not end"
    return rows, sizes


def _deep(reply):
    """Maps of a RESP3 reply with str keys."""
    if isinstance(reply, dict):
        return {key.decode(): _deep(value) for key, value in reply.items()}
    return [_deep(item) for item in reply] if isinstance(reply, list) else reply


def resp3(session, *command):
    """The reply with maps as dicts; the session is back in RESP2."""
    session.call("HELLO", 3)
    reply = _deep(session.call(*command))
    session.call("HELLO", 2)
    return reply
