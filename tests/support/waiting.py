"""Waiting for what a test is about: a condition, however long a busy machine takes over it, and never a duration."""

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE_SECONDS = 60.0
"""Far beyond what anything takes that is as it should be: only a test that fails waits so long."""
T = TypeVar("T")


def until(done: Callable[[], T], what: str = "in time", *, seconds: float = PATIENCE_SECONDS) -> T:
    """Ask until the answer is true, and return it."""
    end = time.monotonic() + seconds
    while True:
        found = done()
        if found:
            return found
        assert time.monotonic() < end, f"not {what}"
        time.sleep(0.02)
