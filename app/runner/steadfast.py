"""Calls that must arrive are made again while the control plane is away: states and ends are never dropped."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import exc

from app.core.errors import Unavailable

_log = logging.getLogger(__name__)
T = TypeVar("T")


# What a control plane raises while it can't be reached: its address, its database, a full pool.
_PASSING = (Unavailable, OSError, exc.OperationalError, exc.InterfaceError, exc.TimeoutError)


def may_pass(error: Exception) -> bool:
    """Return whether the control plane is merely away; anything else is an answer, or a fault that stays."""
    return isinstance(error, _PASSING)


def insist(what: str, call: Callable[[], T], *, for_seconds: float, sleep: Callable[[float], None] = time.sleep) -> T:
    """Make ``call`` until it answers, for at most ``for_seconds``, with growing pauses; then raise its last error.

    What does not look like a control plane that is away is raised at once.
    """
    until = time.monotonic() + for_seconds
    pause = 0.05
    while True:
        try:
            return call()
        except Exception as error:
            if not may_pass(error) or time.monotonic() + pause > until:
                raise
            _log.warning(
                "A call to the control plane failed and is made again.",
                extra={"call": what, "reason": type(error).__name__},
            )
        sleep(pause)
        pause = min(pause * 2, 2.0)
