"""Who must not wait long for a lock ends what holds it: a halt whatever it is, a sweep what has been frozen.

A process that was frozen in the middle of a transaction (SIGSTOP, a machine that swaps) keeps its locks as long as its
connection lives. Ending the connection rolls its transaction back: what it was about to start has not started.
"""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.core.db import HALT_APPLICATION, engine
from app.core.errors import AppError
from app.core.frozen import end_frozen

IDLE_SECONDS = 0.02
"""A blocker that has done nothing within its transaction for so long is ended."""
BUSY_SECONDS = 0.04
"""So is one that works, once a halt has waited this long: most take a tenth of it. What is ended is sent again by
whoever sent it; what it wanted to start may not start any more."""
FROZEN_SECONDS = 1.0
"""Whose transaction does nothing for so long is taken for frozen by a sweep, which ends nobody at work, and by a halt
that waits for another halt, or behind somebody who waits himself."""
COMMIT_SECONDS = 1.0
"""One that is committing has until then: who is ended there can't know what became of it, and might do it twice."""
LOOK_SECONDS = 0.01
AGAIN_SECONDS = 0.2
"""After a look that failed."""
_END = text(
    """
    select pg_terminate_backend(blocker.pid) from unnest(pg_blocking_pids(:waiting)) blocking
    join pg_stat_activity blocker on blocker.pid = blocking
    where blocker.application_name <> :own and blocker.usename = current_user
      and (:is_late or (blocker.state like 'idle in transaction%'
                        and clock_timestamp() - blocker.state_change > make_interval(secs => :idle)))
      and (:is_very_late or not (blocker.state = 'active' and blocker.query ilike 'commit%'))
    """
)
_log = logging.getLogger(__name__)


@contextmanager
def impatient(
    session: Session, *, idle_seconds: float = IDLE_SECONDS, busy_seconds: float | None = BUSY_SECONDS
) -> Iterator[None]:
    """End what makes the statements inside the block wait for their locks.

    A transaction that is idle is ended after ``idle_seconds``, one at work once the block has waited ``busy_seconds``;
    with None it is let be. Other halts are let be unless they are frozen.
    """
    waiting = session.connection().connection.driver_connection.info.backend_pid  # type: ignore[union-attr]  # psycopg's
    over = threading.Event()
    watcher = threading.Thread(
        target=_watch, args=(int(waiting), over, idle_seconds, busy_seconds), name="impatience", daemon=True
    )
    watcher.start()
    try:
        yield
    finally:
        over.set()


@contextmanager
def past_frozen(session: Session) -> Iterator[None]:
    """End what makes the statements inside the block wait and has done nothing for ``FROZEN_SECONDS``."""
    with impatient(session, idle_seconds=FROZEN_SECONDS, busy_seconds=None):
        yield


def _watch(waiting: int, over: threading.Event, idle_seconds: float, busy_seconds: float | None) -> None:
    began = time.monotonic()
    pause = idle_seconds
    while not over.wait(pause):
        try:
            with engine("watch").connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                while True:
                    _end_blockers(connection, waiting, time.monotonic() - began, idle_seconds, busy_seconds)
                    if over.wait(max(LOOK_SECONDS, idle_seconds / 2)):
                        return
        except (SQLAlchemyError, AppError) as error:
            _log.warning("what holds locks for too long can't be ended now", extra={"error": str(error)})
        pause = AGAIN_SECONDS


def _end_blockers(
    connection: Connection, waiting: int, waited: float, idle_seconds: float, busy_seconds: float | None
) -> None:
    facts = {
        "waiting": waiting,
        "own": HALT_APPLICATION,
        "is_late": busy_seconds is not None and waited >= busy_seconds,
        "is_very_late": waited >= COMMIT_SECONDS,
        "idle": idle_seconds,
    }
    ended = connection.execute(_END, facts).all()
    if waited >= FROZEN_SECONDS:
        end_frozen(connection, idle_seconds=FROZEN_SECONDS)
    if ended:
        _log.warning("transactions that held locks for too long were ended", extra={"count": len(ended)})
