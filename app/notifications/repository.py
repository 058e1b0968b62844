"""Queries of notifications."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.core.pages import PageParams, fetch_page
from app.notifications.models import NotificationDelivery, NotificationDestination

# Made once: every run asks it whenever it moves.
_LISTENING = (
    select(NotificationDestination)
    .where(NotificationDestination.is_enabled, NotificationDestination.events.contains(bindparam("events")))
    .order_by(NotificationDestination.id)
)
_LISTENING_IN = _LISTENING.where(NotificationDestination.organization_id == bindparam("organization"))


def add(session: Session, row: NotificationDestination) -> None:
    """Insert a destination now, so that a name that is taken shows here."""
    session.add(row)
    session.flush()


def destination(
    session: Session, organization_id: str, destination_id: str, *, for_update: bool = False
) -> NotificationDestination | None:
    """Return a destination of the organization, by id or name; its row locked ``for_update``."""
    query = select(NotificationDestination).where(
        NotificationDestination.organization_id == organization_id,
        or_(NotificationDestination.id == destination_id, NotificationDestination.name == destination_id),
    )
    if for_update:
        query = query.with_for_update().execution_options(populate_existing=True)
    return session.scalars(query).first()


def is_name_taken(session: Session, organization_id: str, name: str, besides: str | None) -> bool:
    """Whether another destination of the organization has the name."""
    query = select(NotificationDestination.id).where(
        NotificationDestination.organization_id == organization_id, NotificationDestination.name == name
    )
    if besides is not None:
        query = query.where(NotificationDestination.id != besides)
    return session.scalars(query).first() is not None


def destination_page(
    session: Session, organization_id: str, params: PageParams
) -> tuple[Sequence[NotificationDestination], str | None]:
    """Return one page of destinations, newest first."""
    query = select(NotificationDestination).where(NotificationDestination.organization_id == organization_id)
    return fetch_page(session, query, NotificationDestination.id, params)


def listening(session: Session, organization_id: str | None, event: str) -> Sequence[NotificationDestination]:
    """Return the enabled destinations that want an event; of every organization where none is named."""
    if organization_id is None:
        return session.scalars(_LISTENING, {"events": [event]}).all()
    return session.scalars(_LISTENING_IN, {"events": [event], "organization": organization_id}).all()


def add_delivery(session: Session, values: dict[str, Any]) -> bool:
    """Insert a delivery; return False when what is told once has been told to the destination."""
    statement = insert(NotificationDelivery).values(**values).on_conflict_do_nothing()
    return session.scalar(statement.returning(NotificationDelivery.id)) is not None


def delivery(
    session: Session, organization_id: str, delivery_id: str, *, for_update: bool = False
) -> NotificationDelivery | None:
    """Return a delivery of the organization; its row locked ``for_update``."""
    query = select(NotificationDelivery).where(
        NotificationDelivery.organization_id == organization_id, NotificationDelivery.id == delivery_id
    )
    if for_update:
        query = query.with_for_update().execution_options(populate_existing=True)
    return session.scalars(query).first()


def delivery_page(
    session: Session, destination_id: str, params: PageParams
) -> tuple[Sequence[NotificationDelivery], str | None]:
    """Return one page of a destination's deliveries, newest first."""
    query = select(NotificationDelivery).where(NotificationDelivery.destination_id == destination_id)
    return fetch_page(session, query, NotificationDelivery.id, params)


def claim(session: Session, delivery_id: str, now: datetime, until: datetime) -> NotificationDelivery | None:
    """Begin an attempt: of two workers the one whose update comes first has it until ``until``, the other gets None."""
    statement = (
        update(NotificationDelivery)
        .where(NotificationDelivery.id == delivery_id, _is_due(now))
        .values(claimed_until=until, attempts=NotificationDelivery.attempts + 1, attempted_at=now)
        .returning(NotificationDelivery)
        .execution_options(populate_existing=True)
    )
    return session.scalars(statement).first()


def end_attempt(session: Session, delivery_id: str, attempt: int, values: dict[str, Any]) -> bool:
    """Write what came of an attempt; False, and nothing, when another attempt has begun or ended meanwhile."""
    statement = (
        update(NotificationDelivery)
        .where(
            NotificationDelivery.id == delivery_id,
            NotificationDelivery.status == "pending",
            NotificationDelivery.attempts == attempt,
        )
        .values(claimed_until=None, **values)
    )
    return session.scalar(statement.returning(NotificationDelivery.id)) is not None


def due(session: Session, now: datetime, limit: int) -> list[str]:
    """Return deliveries whose next attempt is due and that nobody has, longest due first."""
    query = select(NotificationDelivery.id).where(_is_due(now)).order_by(NotificationDelivery.next_attempt_at)
    return list(session.scalars(query.limit(limit)))


def _is_due(now: datetime) -> ColumnElement[bool]:
    return and_(
        NotificationDelivery.status == "pending",
        NotificationDelivery.next_attempt_at <= now,
        or_(NotificationDelivery.claimed_until.is_(None), NotificationDelivery.claimed_until <= now),
    )


def drop_pending(session: Session, destination_id: str, now: datetime, why: str) -> int:
    """Give up what waits for a destination; return how much."""
    statement = (
        update(NotificationDelivery)
        .where(NotificationDelivery.destination_id == destination_id, NotificationDelivery.status == "pending")
        .values(status="dropped", error=why, ended_at=now, claimed_until=None)
    )
    return len(session.scalars(statement.returning(NotificationDelivery.id)).all())


def remove_ended(session: Session, before: datetime, limit: int) -> int:
    """Remove old deliveries that have ended; return how many."""
    old = (
        select(NotificationDelivery.id)
        .where(NotificationDelivery.created_at < before, NotificationDelivery.status != "pending")
        .limit(limit)
    )
    statement = delete(NotificationDelivery).where(NotificationDelivery.id.in_(old)).returning(NotificationDelivery.id)
    return len(session.scalars(statement).all())


def pending_count(session: Session, destination_id: str) -> int:
    """Return how many deliveries wait for a destination."""
    query = select(func.count()).where(
        NotificationDelivery.destination_id == destination_id, NotificationDelivery.status == "pending"
    )
    return session.scalars(query).one()
