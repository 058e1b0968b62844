from datetime import UTC, datetime

import pytest
from sqlalchemy.orm import Session

from app.core import clock
from app.core.permissions import Actor
from app.fence import service
from app.fence.errors import FenceMissing, Halted

OPERATOR = Actor(id="user-1", kind="person", name="Olga", organization_id="org-1")
MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def fences(session: Session) -> Session:
    service.create_everything(session)
    service.create_fence(session, "organization", "org-1", "org-1")
    service.create_fence(session, "workspace", "ws-1", "org-1")
    service.create_fence(session, "organization", "org-2", "org-2")
    service.create_fence(session, "workspace", "ws-2", "org-2")
    return session


def test_hold_shared_lowered_fences_passes(fences: Session) -> None:
    service.hold_shared(fences, "org-1", "ws-1")
    service.hold_shared(fences, "org-1")


@pytest.mark.parametrize("fence_id", ["everything", "org-1", "ws-1"])
def test_hold_shared_any_fence_raised_says_who_why_when(fences: Session, fence_id: str) -> None:
    with clock.using(lambda: MOMENT):
        service.raise_fence(fences, fence_id, halt_id="halt-1", actor=OPERATOR, reason="smoke")
    with pytest.raises(Halted) as caught:
        service.hold_shared(fences, "org-1", "ws-1")
    assert caught.value.status == 409
    assert caught.value.code == "halted"
    assert "Olga" in caught.value.detail
    assert "smoke" in caught.value.detail
    assert "2026-01-02T03:04:05" in caught.value.detail
    assert caught.value.fields["halt"]["id"] == "halt-1"
    assert caught.value.fields["halt"]["scope_id"] == fence_id


def test_hold_shared_other_organization_halted_passes(fences: Session) -> None:
    service.raise_fence(fences, "org-2", halt_id="halt-1", actor=OPERATOR, reason="theirs")
    service.hold_shared(fences, "org-1", "ws-1")


def test_hold_shared_missing_fence_fails_closed(fences: Session) -> None:
    with pytest.raises(FenceMissing) as caught:
        service.hold_shared(fences, "org-1", "ws-unknown")
    assert "ws-unknown" in caught.value.detail


def test_raise_fence_raised_twice_keeps_the_first_halt(fences: Session) -> None:
    service.raise_fence(fences, "ws-1", halt_id="halt-1", actor=OPERATOR, reason="first")
    again = service.raise_fence(fences, "ws-1", halt_id="halt-2", actor=OPERATOR, reason="second")
    assert (again.halt_id, again.reason) == ("halt-1", "first")


def test_lower_fence_by_another_halt_leaves_it_up(fences: Session) -> None:
    service.raise_fence(fences, "ws-1", halt_id="halt-1", actor=OPERATOR, reason="first")
    assert service.lower_fence(fences, "ws-1", halt_id="halt-2") is False
    with pytest.raises(Halted):
        service.hold_shared(fences, "org-1", "ws-1")
    assert service.lower_fence(fences, "ws-1", halt_id="halt-1") is True
    service.hold_shared(fences, "org-1", "ws-1")


def test_standing_lists_own_and_everything_outermost_first(fences: Session) -> None:
    for fence_id in ("ws-1", "ws-2", "org-1", "everything"):
        service.raise_fence(fences, fence_id, halt_id=f"halt-{fence_id}", actor=OPERATOR, reason="x")
    assert [fence.id for fence in service.standing(fences, "org-1")] == ["everything", "org-1", "ws-1"]


def test_create_fence_twice_keeps_it_raised(fences: Session) -> None:
    service.raise_fence(fences, "ws-1", halt_id="halt-1", actor=OPERATOR, reason="x")
    service.create_fence(fences, "workspace", "ws-1", "org-1")
    with pytest.raises(Halted):
        service.hold_shared(fences, "org-1", "ws-1")
