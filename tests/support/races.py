"""Doing things at the same moment, each in its own thread with its own connection and commit."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.core.db import Pool, unit_of_work
from app.core.errors import AppError

SECONDS = 30


class EndedByHalt(AppError):
    """The answer of who kept a halt waiting: what it did was rolled back, and may be done again."""

    code = "ended_by_halt"


@contextmanager
def told_of_halts() -> Iterator[None]:
    """Raise ``EndedByHalt`` where the block lost its connection to the database."""
    try:
        yield
    except OperationalError as error:
        if not error.connection_invalidated:
            raise
        raise EndedByHalt(str(error.orig)) from error


def together(*actions: Callable[[], Any], delays: tuple[float, ...] = ()) -> list[Any]:
    """Do all actions at once and return what each returned, or the ``AppError`` it raised.

    ``delays`` (seconds after the start, by action) shift who is likely to come first. Whose connection a halt ended
    does it again, as every caller would. Anything else that is raised, a deadlock above all, fails the test.
    """
    barrier = threading.Barrier(len(actions))
    results: list[Any] = [None] * len(actions)
    broken: list[BaseException] = []

    def work(number: int, action: Callable[[], Any]) -> None:
        try:
            barrier.wait(SECONDS)
            if number < len(delays):
                time.sleep(delays[number])
            results[number] = _insisting(action)
        except AppError as error:
            results[number] = error
        except BaseException as error:
            broken.append(error)

    threads = [threading.Thread(target=work, args=pair, daemon=True) for pair in enumerate(actions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert not any(thread.is_alive() for thread in threads), "a race never ended"
    if broken:
        raise broken[0]
    return results


def _insisting(action: Callable[[], Any]) -> Any:
    while True:
        try:
            with told_of_halts():
                return action()
        except EndedByHalt:
            continue


ROUNDS = [(0.0, 0.0), (0.04, 0.0), (0.0, 0.04), (0.002, 0.0)]
"""Head starts for two racers: even, then one, then the other."""


class Holder:
    """A transaction in a thread of its own that holds locks, and does ``then`` before it commits."""

    def __init__(self, hold: Callable[[Session], object], then: Callable[[Session], object], pool: Pool = "default"):
        self.error: Exception | None = None
        self.let_go = threading.Event()
        self._holds = threading.Event()
        self._work = (hold, then, pool)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._holds.wait(10)

    def _run(self) -> None:
        hold, then, pool = self._work
        try:
            with unit_of_work(pool) as session:
                hold(session)
                self._holds.set()
                then(session)
                session.execute(text("select 1"))
        except OperationalError as error:
            self.error = error

    def end(self) -> Exception | None:
        """Let it go on to its commit; return what it raised."""
        self.let_go.set()
        self._thread.join(20)
        return self.error


def idle_holder(hold: Callable[[Session], object], pool: Pool = "default") -> Holder:
    go = threading.Event()
    holder = Holder(hold, lambda _: go.wait(20), pool)
    holder.let_go = go
    return holder
