"""The only way a test waits: for a condition, with a deadline."""

import time


def wait_until(condition, deadline_seconds, what):
    """Calls `condition` until it is true and returns its value; fails with `what` (text, or a function that gives it) after the deadline."""
    deadline = time.monotonic() + deadline_seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {deadline_seconds} s: {what() if callable(what) else what}")
        time.sleep(0.005)
