"""Background jobs: sent after commit, carrying ids only.

A job may come twice or never (a sweep sends again what was lost between commit and broker), so every task opens with a
compare-and-swap and returns quietly when it loses.
"""

import logging
import time
from functools import partial
from typing import Literal

from sqlalchemy.orm import Session

from app.core.broker import celery_app
from app.core.db import after_commit

Queue = Literal["terraform", "control"]
_SILENCE_SECONDS = 3.0
_silent_until = 0.0
_log = logging.getLogger(__name__)


def enqueue(session: Session, task: str, *ids: str, queue: Queue = "control") -> None:
    """Send ``task`` with ``ids`` once the session's transaction has committed; forget it on rollback.

    A broker that can't be reached is logged, never raised: PostgreSQL is the truth, and a sweep sends again.
    """
    after_commit(session, partial(_send_quietly, task, *ids, queue=queue))


def send(task: str, *ids: str, queue: Queue = "control", expires_seconds: float | None = None) -> bool:
    """Send ``task`` now. Return False, after a warning in the log, when the broker can't be reached.

    A job that nobody has taken after ``expires_seconds`` is dropped.

    For some seconds after a failure nothing is tried: each would wait for the same time-out, and a request with it.
    """
    global _silent_until
    if time.monotonic() < _silent_until:
        return False
    try:
        celery_app().send_task(task, args=list(ids), queue=queue, expires=expires_seconds)
    except Exception as error:  # any transport's own error type: the sweep sends again
        _silent_until = time.monotonic() + _SILENCE_SECONDS
        _log.warning(
            "job not sent; the sweep will send it again", extra={"task": task, "ids": ids, "error": str(error)}
        )
        return False
    return True


def _send_quietly(task: str, *ids: str, queue: Queue) -> None:
    send(task, *ids, queue=queue)
