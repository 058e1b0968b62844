"""Calls that must arrive are made again while the control plane is away: states and ends are never dropped."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from app.core.errors import AppError, Unavailable

_log = logging.getLogger(__name__)
T = TypeVar("T")


def insist(what: str, call: Callable[[], T], *, for_seconds: float, sleep: Callable[[float], None] = time.sleep) -> T:
    """Make ``call`` until it answers, for at most ``for_seconds``, with growing pauses; then raise its last error.

    A typed refusal is an answer and is raised at once; ``Unavailable`` and everything untyped (a lost connection) is
    not.
    """
    until = time.monotonic() + for_seconds
    pause = 0.05
    while True:
        try:
            return call()
        except AppError as error:
            if not isinstance(error, Unavailable) or time.monotonic() + pause > until:
                raise
            reason = error.code
        except Exception as error:
            if time.monotonic() + pause > until:
                raise
            reason = type(error).__name__
        _log.warning("A call to the control plane failed and is made again.", extra={"call": what, "reason": reason})
        sleep(pause)
        pause = min(pause * 2, 2.0)
