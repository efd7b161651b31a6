"""What tests do with the module: settings for quick passes, waiting for a whole pass, for the ACL to be taken in."""

from info import read_info
from waiting import wait_until


def quick_passes(session):
    """One pass after the other, with half of the main thread."""
    session.call("CONFIG", "SET", "tenants.sweep-cpu-percent", "50", "tenants.sweep-interval", "0")


def full_pass(session, deadline_seconds=60):
    """Returns when a pass that began after this call is complete. Needs `quick_passes`."""
    begun = read_info(session).status["sweep_passes"]
    # one pass may have been under way; the second one began later
    wait_until(
        lambda: read_info(session).status["sweep_passes"] >= begun + 2,
        deadline_seconds,
        lambda: f"two more passes than {begun}; status {read_info(session).status}",
    )


def acl_taken_in(session, deadline_seconds=30):
    """Returns when the module knows the ACL as it is now, and its counts are by it."""
    wait_until(
        lambda: _settled(read_info(session).status),
        deadline_seconds,
        lambda: f"the ACL to be taken in; status {read_info(session).status}",
    )


def _settled(status):
    return status["acl"] == "ok" and status["keys_mode"] != "seeding"


def settled_info(session):
    """INFO whose key counts must be right now: at once where the mode is `exact`, after a full pass where it is `swept`."""
    acl_taken_in(session)
    if read_info(session).status["keys_mode"] == "swept":
        full_pass(session)
    return read_info(session)
