"""The only way a test waits: for a condition, with a deadline."""

import os
import time

MOST_PATIENCE = 10


def patience():
    """How many times longer than on a quiet machine things may take now: as many processes as want each core."""
    return min(MOST_PATIENCE, max(1, os.getloadavg()[0] / os.cpu_count()))


def wait_until(condition, what, deadline_seconds=60):
    """Calls `condition` until it is true and returns its value; fails with `what` (text, or a function that gives it) after the
    deadline. A busy machine gets more time, see `patience`."""
    begin = time.monotonic()
    while True:
        value = condition()
        if value:
            return value
        waited = time.monotonic() - begin
        if waited > deadline_seconds * patience():
            raise AssertionError(f"not within {waited:.0f} s: {what() if callable(what) else what}")
        time.sleep(0.005)


def exit_code(process):
    """Waits a minute, or more on a busy machine, for its end. Raises subprocess.TimeoutExpired."""
    return process.wait(60 * patience())
