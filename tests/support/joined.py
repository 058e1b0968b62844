"""The one connection that every unit of work of a test joins, and who may use it.

Two threads that work in one transaction at once release each other's savepoints, and what one leaves failed the other
finds. So a thread that an earlier test has left (a fan-out that waits before it tries again, a drill) gets no session
of this one, what an application does beside its requests gets none at all, and a test ends only when whoever works for
it has closed theirs.
"""

import threading
import time
import weakref
from collections.abc import Callable

from sqlalchemy import Connection
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import Session

from app.core.db import Pool

SECONDS = 10.0
OF_ONE_TEST = ("fanout-", "drill-")
"""Threads that work for whoever started them and for nobody else; pools and servers serve many tests."""
BESIDE = ("halt-caretaker",)
"""Threads of an application that work every few seconds: in the middle of whatever a test does by then."""


class _Joined(Session):
    """A session that says when it is closed."""

    on_close: Callable[["_Joined"], None] | None = None

    def close(self) -> None:
        super().close()
        if self.on_close is not None:
            self.on_close(self)


class JoinedSessions:
    """Makes the sessions of one test over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._own = threading.current_thread()
        self._left_over = frozenset(
            thread for thread in threading.enumerate() if thread.name.startswith(OF_ONE_TEST) and thread != self._own
        )
        self._open: weakref.WeakKeyDictionary[Session, str] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()
        self._is_over = False

    def __call__(self, _pool: Pool = "default") -> Session:
        """Return a session. Raises ``InvalidRequestError`` for a thread of another test, and after the end."""
        thread = threading.current_thread()
        with self._lock:
            if self._is_over or thread in self._left_over:
                raise InvalidRequestError(f"{thread.name} works for a test that is over")
            if thread.name in BESIDE:
                raise InvalidRequestError(f"{thread.name} works beside the test, which has one transaction")
            made = _Joined(self._connection, expire_on_commit=False, join_transaction_mode="create_savepoint")
            if thread is not self._own:
                made.on_close = self._closed
                self._open[made] = thread.name
        return made

    def _closed(self, session: Session) -> None:
        with self._lock:
            self._open.pop(session, None)

    def end(self, seconds: float = SECONDS) -> None:
        """Make no session any more, and wait for those of other threads. Raises ``AssertionError`` that names them."""
        until = time.monotonic() + seconds
        while True:
            with self._lock:
                self._is_over = True
                names = sorted(self._open.values())
            if not names:
                return
            assert time.monotonic() < until, f"still at work in the test's transaction: {', '.join(names)}"
            time.sleep(0.01)
