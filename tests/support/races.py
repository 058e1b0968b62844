"""Doing things at the same moment, each in its own thread with its own connection and commit."""

import math
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.core import impatience
from app.core.db import Pool, engine, unit_of_work
from app.core.errors import AppError
from tests.support.waiting import PATIENCE_SECONDS, until

SECONDS = PATIENCE_SECONDS
AFTER = math.inf


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

    ``delays`` (seconds after the start, by action) shift who is likely to come first; ``AFTER`` is once all others have
    ended. Whose connection a halt ended does it again, as every caller would. Anything else that is raised, a deadlock
    above all, fails the test.
    """
    barrier = threading.Barrier(len(actions))
    first = [number for number in range(len(actions)) if delays[number : number + 1] != (AFTER,)]
    left, have_ended = set(first), threading.Event()
    results: list[Any] = [None] * len(actions)
    broken: list[BaseException] = []

    def work(number: int, action: Callable[[], Any]) -> None:
        try:
            barrier.wait(SECONDS)
            if number not in first:
                assert have_ended.wait(SECONDS)
            elif number < len(delays):
                time.sleep(delays[number])
            results[number] = _insisting(action)
        except AppError as error:
            results[number] = error
        except BaseException as error:
            broken.append(error)
        finally:
            left.discard(number)
            if not left:
                have_ended.set()

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


ROUNDS = [(0.0, 0.0), (AFTER, 0.0), (0.0, AFTER), (0.002, 0.0)]
"""Head starts for two racers: even, then one, then the other."""


class Holder:
    """A transaction in a thread of its own that holds locks, and does ``then`` before it commits."""

    def __init__(self, hold: Callable[[Session], object], then: Callable[[Session], object], pool: Pool = "default"):
        self.error: Exception | None = None
        self.let_go: Callable[[], object] = lambda: None
        self._holds = threading.Event()
        self._work = (hold, then, pool)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._holds.wait(SECONDS)

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

    @property
    def is_there(self) -> bool:
        """Whether it has neither committed nor been told that it was ended."""
        return self._thread.is_alive()

    def end(self) -> Exception | None:
        """Let it go on to its commit; return what it raised."""
        self.let_go()
        self._thread.join(SECONDS)
        assert not self.is_there, "a holder never ended"
        return self.error


def idle_holder(hold: Callable[[Session], object], pool: Pool = "default") -> Holder:
    """Return one that does nothing until it is let go, as a process that is frozen; for a while, then it commits."""
    go = threading.Event()
    holder = Holder(hold, lambda _: go.wait(SECONDS), pool)
    holder.let_go = go.set
    return holder


def working_holder(hold: Callable[[Session], object]) -> Holder:
    """Return one that is in the middle of a statement until it is let go."""
    door = Door()
    holder = Holder(hold, lambda session: session.execute(text(f"select {door.passing}")))
    holder.let_go = door.open
    until(waiting_for_locks)
    return holder


class Door:
    """What a statement waits at, at work, until it is opened. ``passing`` is what the statement calls."""

    def __init__(self) -> None:
        key = secrets.randbelow(2**31)
        self.passing = f"pg_advisory_xact_lock({key})"
        self._connection = psycopg.connect(address("psql"), autocommit=True)
        self._connection.execute("select pg_advisory_lock(%s)", [key])

    def open(self) -> None:
        """Let everybody pass."""
        self._connection.close()


def address(application: str) -> str:
    """Return the database's address for a connection that calls itself ``application``."""
    url = engine().url.set(drivername="postgresql").update_query_dict({"application_name": application})
    return url.render_as_string(hide_password=False)


def waiting_for_locks() -> int:
    """Return how many connections to the database wait for a lock."""
    query = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    with engine("watch").connect() as connection:
        return int(connection.scalar(text(query)) or 0)


def noted_looks(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Note how long somebody had waited at each look at what holds them up, once it was done."""
    look, looks = impatience._end_blockers, list[float]()

    def noted(connection: Any, waiting: int, waited: float, *patience: Any) -> None:
        look(connection, waiting, waited, *patience)
        looks.append(waited)

    monkeypatch.setattr(impatience, "_end_blockers", noted)
    return looks
