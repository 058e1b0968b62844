"""Background jobs: sent after commit, carrying ids only.

A job may come twice or never (a sweep sends again what was lost between commit and broker), so every task opens with a
compare-and-swap and returns quietly when it loses.
"""

from functools import partial
from typing import Literal

from sqlalchemy.orm import Session

from app.core.broker import celery_app, sending
from app.core.db import after_commit
from app.core.outbox import outbox

Queue = Literal["terraform", "control"]


def enqueue(session: Session, task: str, *ids: str, queue: Queue = "control") -> None:
    """Send ``task`` with ``ids`` once the session's transaction has committed; forget it on rollback.

    It is sent by another thread: nobody waits for a broker that is stopped or hangs. One that can't be reached is
    logged, never raised: PostgreSQL is the truth, and a sweep sends again.
    """
    after_commit(session, lambda: post(task, *ids, queue=queue))


def post(task: str, *ids: str, queue: Queue = "control") -> None:
    """Send ``task`` soon, from another thread."""
    outbox().put(partial(_send, task, ids, queue, None))


def send(task: str, *ids: str, queue: Queue = "control", expires_seconds: float | None = None) -> bool:
    """Send ``task`` now. Return False, after a warning in the log, when the broker can't be reached.

    A job that nobody has taken after ``expires_seconds`` is dropped. For some seconds after a failure nothing is tried:
    each would wait for the same time-out.
    """
    if outbox().is_silent:
        return False
    try:
        _send(task, ids, queue, expires_seconds)
    except Exception as error:  # any transport's own error type: the sweep sends again
        outbox().failed(error)
        return False
    return True


def _send(task: str, ids: tuple[str, ...], queue: Queue, expires_seconds: float | None) -> None:
    with sending() as producer:
        celery_app().send_task(task, args=list(ids), queue=queue, expires=expires_seconds, producer=producer)
