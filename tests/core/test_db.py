"""Connections: one that died while nobody used it is replaced, and a busy one is not asked whether it lives."""

import psycopg
import pytest
from sqlalchemy import text

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
