"""What has expired is removed a week later, and nothing that still holds."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.core import clock
from app.core.idempotency import IdempotencyKeyReused, once
from app.identity import service, tasks
from app.identity.roles import Role
from tests.support import people


class Answer(BaseModel):
    number: int


@contextmanager
def later(**after: float) -> Iterator[None]:
    moment = clock.now() + timedelta(**after)
    with clock.using(lambda: moment):
        yield


def count(session: Session, table: str) -> int:
    found: int = session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()
    return found


@pytest.fixture
def member(session: Session) -> people.Member:
    return people.person(session, people.organization(session), Role.PLANNER, password=True)


def test_session_is_removed_a_week_after_its_end(session: Session, member: people.Member) -> None:
    email = session.execute(text("SELECT email FROM users WHERE id = :id"), {"id": member.id}).scalar_one()
    opened = service.log_in(session, email, people.PASSWORD, "203.0.113.5")
    assert opened is not None
    session.flush()
    lifetime = service.session_lifetime()
    with later(seconds=lifetime.total_seconds(), days=6):
        assert tasks.expire()["sessions"] == 0
    with later(seconds=lifetime.total_seconds(), days=7, minutes=1):
        assert tasks.expire()["sessions"] == 1
    assert count(session, "user_sessions") == 0


def test_login_link_is_removed_a_week_after_its_end(session: Session, member: people.Member) -> None:
    service.create_login_link(session, member.actor, member.id)
    session.flush()
    assert tasks.expire()["login_links"] == 0
    with later(days=60):
        assert tasks.expire()["login_links"] == 1


def test_idempotency_key_is_forgotten_after_a_week(session: Session, member: people.Member) -> None:
    def answer(number: int) -> dict[str, int]:
        return once(session, member.actor, "key", ("ask", {"number": 1}), lambda: Answer(number=number))

    assert answer(1) == {"number": 1}
    with later(days=6):
        tasks.expire()
        assert answer(2) == {"number": 1}
        with pytest.raises(IdempotencyKeyReused):
            once(session, member.actor, "key", ("ask", {"number": 2}), lambda: Answer(number=2))
    with later(days=8):
        assert tasks.expire()["idempotency_keys"] == 1
        assert answer(3) == {"number": 3}


def test_more_than_a_batch_is_removed(session: Session, member: people.Member, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "BATCH", 2)
    for number in range(5):
        once(session, member.actor, f"key-{number}", ("ask", {}), lambda: Answer(number=1))
    session.flush()
    with later(days=8):
        assert tasks.expire()["idempotency_keys"] == 5
