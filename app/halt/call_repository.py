"""Queries of the calls that fan a halt out."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from app.halt.models import Halt, HaltCall


class Claimed(NamedTuple):
    """A call that its claimer alone may make now; ``attempts`` counts this one."""

    id: str
    name: str
    attempts: int
    halt_id: str
    origin_id: str | None
    reason: str
    actor_name: str


def add(session: Session, rows: Iterable[HaltCall]) -> None:
    """Add calls that nobody has tried yet."""
    session.add_all(rows)


def of_halts(session: Session, halt_ids: Sequence[str]) -> Sequence[HaltCall]:
    """Return the calls of these halts, by name."""
    query = select(HaltCall).where(HaltCall.halt_id.in_(halt_ids)).order_by(HaltCall.halt_id, HaltCall.name)
    return session.scalars(query.execution_options(populate_existing=True)).all()


def due(session: Session, at: datetime, never_tried_since: datetime) -> Sequence[tuple[str, str]]:
    """Return (id, name) of the calls that wait and that nobody has: their claim ran out, or nobody ever came."""
    query = select(HaltCall.id, HaltCall.name).where(
        HaltCall.status == "pending",
        or_(
            HaltCall.claimed_until < at,
            HaltCall.claimed_until.is_(None) & (HaltCall.created_at < never_tried_since),
        ),
    )
    return [(row.id, row.name) for row in session.execute(query.order_by(HaltCall.id))]


def claim(session: Session, call_id: str, *, seen: int | None, at: datetime, until: datetime) -> Claimed | None:
    """Take a call for one attempt, by compare-and-swap; None for whoever loses.

    ``seen`` is the number of attempts that its claimer has made last: it holds the call until somebody else has
    counted one more. Without it only a call that nobody has is taken.
    """
    free = or_(HaltCall.claimed_until.is_(None), HaltCall.claimed_until < at)
    taken = session.execute(
        update(HaltCall)
        .where(
            HaltCall.id == call_id, HaltCall.status == "pending", free if seen is None else HaltCall.attempts == seen
        )
        .values(attempts=HaltCall.attempts + 1, claimed_until=until)
        .returning(HaltCall.name, HaltCall.attempts, HaltCall.halt_id)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if taken is None:
        return None
    halt = session.execute(select(Halt.origin_id, Halt.reason, Halt.actor).where(Halt.id == taken.halt_id)).one()
    return Claimed(
        call_id, taken.name, taken.attempts, taken.halt_id, halt.origin_id, halt.reason, str(halt.actor.get("name"))
    )


def note(
    session: Session,
    claimed: Claimed,
    *,
    status: str,
    http_status: int | None,
    detail: str,
    ended_at: datetime | None,
    until: datetime | None,
) -> bool:
    """Note what an attempt came to; False when somebody else has the call by now, or the halt was lifted."""
    done = session.execute(
        update(HaltCall)
        .where(HaltCall.id == claimed.id, HaltCall.status == "pending", HaltCall.attempts == claimed.attempts)
        .values(status=status, http_status=http_status, detail=detail, ended_at=ended_at, claimed_until=until)
        .returning(HaltCall.id)
        .execution_options(synchronize_session=False)
    )
    return done.one_or_none() is not None


def give_up(session: Session, halt_id: str, *, detail: str, at: datetime) -> None:
    """End what is still tried for a halt: nobody asks any more."""
    session.execute(
        update(HaltCall)
        .where(HaltCall.halt_id == halt_id, HaltCall.status == "pending")
        .values(status="timed_out", detail=detail, ended_at=at)
        .execution_options(synchronize_session=False)
    )


def give_up_older(session: Session, before: datetime, *, detail: str, at: datetime) -> None:
    """End calls that were wanted before ``before``: no process that still names their system has made them."""
    session.execute(
        update(HaltCall)
        .where(HaltCall.status == "pending", HaltCall.created_at < before)
        .values(status="timed_out", detail=detail, ended_at=at)
        .execution_options(synchronize_session=False)
    )
