"""Connections: one that died while nobody used it is replaced, and a busy one is not asked whether it lives."""

from types import SimpleNamespace

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from app.core import db
from app.core.db import unit_of_work

pytestmark = pytest.mark.usefixtures("real_database")


def _pid() -> int:
    with unit_of_work() as session:
        return int(session.scalar(text("select pg_backend_pid()")) or 0)


def test_connection_that_died_while_idle_is_replaced(real_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db, "IDLE_SECONDS", 0.0)
    before = _pid()
    with psycopg.connect(real_database, autocommit=True) as other:
        other.execute("select pg_terminate_backend(%s, 5000)", [before])
    assert _pid() != before


def test_connection_in_use_is_not_asked_whether_it_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    pings = list[object]()
    dialect = db.engine("default").dialect
    monkeypatch.setattr(dialect, "do_ping", lambda connection: pings.append(connection) or True)
    first = _pid()
    assert (_pid(), pings) == (first, [])
    monkeypatch.setattr(db, "IDLE_SECONDS", 0.0)
    assert (_pid(), len(pings)) == (first, 1)


def _kill(url: str, pid: int) -> None:
    with psycopg.connect(url, autocommit=True) as other:
        other.execute("select pg_terminate_backend(%s, 5000)", [pid])


def test_work_that_may_be_done_twice_is_done_again_when_its_connection_was_lost(real_database: str) -> None:
    before = _pid()
    _kill(real_database, before)
    assert db.persistently(_pid) != before
    last = _pid()
    _kill(real_database, last)
    with pytest.raises(OperationalError):
        _pid()


def test_work_is_tried_for_as_long_as_it_is_told_while_the_database_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    passed, tries = [0.0], list[float]()

    def pause(seconds: float) -> None:
        passed[0] += seconds

    def away() -> int:
        tries.append(passed[0])
        if len(tries) < 4:
            raise OperationalError("select", {}, psycopg.OperationalError("the database system is starting up"))
        return len(tries)

    monkeypatch.setattr(db, "time", SimpleNamespace(monotonic=lambda: passed[0], sleep=pause))
    with pytest.raises(OperationalError):
        db.persistently(away)
    assert len(tries) == 1
    assert db.persistently(away, for_seconds=5) == 4
    tries.clear()
    with pytest.raises(OperationalError):
        db.persistently(away, for_seconds=0.1)
    assert len(tries) == 2
