"""The only way a test waits: for a condition, with a deadline."""

import os
import time

MOST_PATIENCE = 10


def patience():
    """How many times longer than on a quiet machine things may take now: as many processes as want each core."""
    return min(MOST_PATIENCE, max(1, os.getloadavg()[0] / os.cpu_count()))


def wait_until(condition, deadline_seconds, what):
    """Calls `condition` until it is true and returns its value; fails with `what` (text, or a function that gives it) after the
    deadline. A busy machine gets more time, see `patience`."""
    seconds = deadline_seconds * patience()
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {what() if callable(what) else what}")
        time.sleep(0.005)
