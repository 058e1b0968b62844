"""Queries of the fence. Every lock is taken in the order everything, organization, workspace."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Select, String, bindparam, case, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.fence.models import Fence
from app.fence.schemas import FenceOut, Scope

_QUEUE = 0x534C4943
"""Class of the advisory locks beside the fence rows (the letters SLIC)."""

_COLUMNS = (
    Fence.id,
    Fence.scope,
    Fence.organization_id,
    Fence.halt_id,
    Fence.raised_at,
    Fence.raised_by,
    Fence.reason,
)
_ORDER = case({"everything": 0, "organization": 1, "workspace": 2}, value=Fence.scope, else_=3)


def _fences(session: Session, query: Select[Any]) -> list[FenceOut]:
    return [FenceOut.model_validate(dict(row)) for row in session.execute(query).mappings()]


def insert_if_absent(session: Session, *, scope: Scope, fence_id: str, organization_id: str | None) -> None:
    """Add a lowered fence; the row that is there already wins and stays as it is."""
    session.execute(
        insert(Fence).values(id=fence_id, scope=scope, organization_id=organization_id).on_conflict_do_nothing()
    )


def remove(session: Session, fence_id: str) -> None:
    """Delete the fence of what is deleted."""
    session.execute(delete(Fence).where(Fence.id == fence_id))


def lock_shared(session: Session, fence_ids: Sequence[str]) -> list[FenceOut]:
    """Lock the fences in share mode, outermost first, and return them as the last commit left them.

    Row locks alone let a stream of sharers overtake a waiting halt for ever; the advisory lock queues in order of
    arrival, so a halt waits for those before it only.
    """
    # One statement takes them from left to right; what they guard is read by the next one, whose snapshot is newer.
    given = {f"fence_{number}": fence_id for number, fence_id in enumerate(fence_ids)}
    queue, rows = _sharing(len(fence_ids))
    session.execute(queue, given)
    return [FenceOut.model_validate(dict(row)) for row in session.execute(rows, given).mappings()]


@lru_cache(maxsize=4)
def _sharing(count: int) -> tuple[Select[Any], Select[Any]]:
    """Return what queues for ``count`` fences and what locks them: made once, since every start runs it."""
    wanted = [bindparam(f"fence_{number}", type_=String) for number in range(count)]
    queue = select(*(func.pg_advisory_xact_lock_shared(_QUEUE, func.hashtext(fence_id)) for fence_id in wanted))
    return queue, select(*_COLUMNS).where(Fence.id.in_(wanted)).order_by(_ORDER).with_for_update(read=True)


def lock_exclusive(session: Session, fence_id: str) -> FenceOut | None:
    """Lock one fence against all sharers and return it, or None when it does not exist."""
    _queue_alone(session, fence_id)
    found = _fences(session, select(*_COLUMNS).where(Fence.id == fence_id).with_for_update())
    return found[0] if found else None


def lock_raised(
    session: Session, fence_id: str, *, halt_id: str, raised_at: datetime, raised_by: dict[str, Any], reason: str
) -> FenceOut | None:
    """Lock one fence as ``lock_exclusive`` does, note on it the halt that raises it, and return it; None without one.

    A fence that another halt has raised is locked and returned as it is.
    """
    _queue_alone(session, fence_id)
    given = {"halt_id": halt_id, "raised_at": raised_at, "raised_by": raised_by, "reason": reason}
    is_lowered = Fence.halt_id.is_(None)
    noted = {
        name: case((is_lowered, bindparam(None, value, type_=getattr(Fence, name).type)), else_=getattr(Fence, name))
        for name, value in given.items()
    }
    raising = update(Fence).where(Fence.id == fence_id).values(noted).returning(*_COLUMNS)
    row = session.execute(raising.execution_options(synchronize_session=False)).mappings().one_or_none()
    return FenceOut.model_validate(dict(row)) if row is not None else None


def _queue_alone(session: Session, fence_id: str) -> None:
    session.execute(select(func.pg_advisory_xact_lock(_QUEUE, func.hashtext(fence_id))))


def set_lowered(session: Session, fence_id: str) -> None:
    """Take the halt off a fence that the caller has locked."""
    session.execute(
        update(Fence).where(Fence.id == fence_id).values(halt_id=None, raised_at=None, raised_by=None, reason=None)
    )


def raised(session: Session, organization_id: str) -> list[FenceOut]:
    """Return the raised fences that concern an organization, outermost first. Takes no lock."""
    return _fences(
        session,
        select(*_COLUMNS)
        .where(Fence.halt_id.is_not(None))
        .where(or_(Fence.scope == "everything", Fence.organization_id == organization_id))
        .order_by(_ORDER, Fence.id),
    )


def raised_ids() -> Select[str]:
    """Select the ids of the raised fences, for a query that is about many."""
    return select(Fence.id).where(Fence.halt_id.is_not(None))
