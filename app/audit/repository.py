"""Queries of the audit trail."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, func, select, text, update
from sqlalchemy.orm import Session

from app.audit.models import AuditCheckpoint, AuditEvent
from app.audit.schemas import AuditFilter, ExportFilter
from app.core.chain import ChainedEvent
from app.core.frozen import end_frozen_holder
from app.core.pages import PageParams, fetch_page

_SEQUENCER = 0x41554454
"""Class of the advisory locks of the sequencers (the letters AUDT)."""


def add(session: Session, row: AuditEvent) -> None:
    """Append an event."""
    session.add(row)


def page(
    session: Session, organization_id: str, wanted: AuditFilter, params: PageParams
) -> tuple[Sequence[AuditEvent], str | None]:
    """Return one page of an organization's events, newest first."""
    query = select(AuditEvent).where(AuditEvent.organization_id == organization_id)
    if wanted.action is not None:
        query = query.where(_is_action(wanted.action))
    if wanted.target_id is not None:
        query = query.where(AuditEvent.target_id == wanted.target_id)
    if wanted.actor_id is not None:
        query = query.where(AuditEvent.actor["id"].astext == wanted.actor_id)
    return fetch_page(session, query, AuditEvent.id, params)


def become_sequencer(session: Session, organization_id: str) -> bool:
    """Become the organization's one sequencer until the transaction ends; the loser gets False and goes home.

    One that is frozen loses to whoever comes: its transaction is ended.
    """
    lock = select(func.pg_try_advisory_xact_lock(_SEQUENCER, func.hashtext(organization_id)))
    if session.scalar(lock):
        return True
    return end_frozen_holder(session.connection(), _SEQUENCER, organization_id) and bool(session.scalar(lock))


def unchained_organizations(session: Session) -> Sequence[str]:
    """Return the organizations that have events without a position."""
    return session.scalars(
        select(AuditEvent.organization_id)
        .where(AuditEvent.chain_seq.is_(None))
        .distinct()
        .order_by(AuditEvent.organization_id)
    ).all()


def unchained(session: Session, organization_id: str, limit: int) -> Sequence[AuditEvent]:
    """Return an organization's oldest events without a position."""
    return session.scalars(
        select(AuditEvent)
        .where(AuditEvent.organization_id == organization_id, AuditEvent.chain_seq.is_(None))
        .order_by(AuditEvent.id)
        .limit(limit)
    ).all()


def head(session: Session, organization_id: str) -> AuditEvent | None:
    """Return the last chained event."""
    return session.scalars(
        select(AuditEvent)
        .where(AuditEvent.organization_id == organization_id, AuditEvent.chain_seq.is_not(None))
        .order_by(AuditEvent.chain_seq.desc())
        .limit(1)
    ).first()


def chained_after(session: Session, organization_id: str, position: int, limit: int) -> list[ChainedEvent]:
    """Return chained events behind ``position``, in chain order."""
    rows = session.execute(
        select(*_CHAINED)
        .where(AuditEvent.organization_id == organization_id, AuditEvent.chain_seq > position)
        .order_by(AuditEvent.chain_seq)
        .limit(limit)
    )
    # Written out in the order of the columns: this is done for millions of rows.
    return [ChainedEvent(*row) for row in rows]


_CHAINED = (
    AuditEvent.chain_seq,
    AuditEvent.previous_hash,
    AuditEvent.hash,
    AuditEvent.id,
    AuditEvent.organization_id,
    AuditEvent.created_at,
    AuditEvent.actor,
    AuditEvent.source_address,
    AuditEvent.action,
    AuditEvent.target_kind,
    AuditEvent.target_id,
    AuditEvent.evidence,
)


def filtered_after(
    session: Session, organization_id: str, position: int, wanted: ExportFilter, limit: int
) -> list[ChainedEvent]:
    """Return chained events behind ``position`` that the filter takes, in chain order."""
    query = select(*_CHAINED).where(AuditEvent.organization_id == organization_id, AuditEvent.chain_seq > position)
    if wanted.action is not None:
        query = query.where(_is_action(wanted.action))
    if wanted.since is not None:
        query = query.where(AuditEvent.created_at >= wanted.since)
    if wanted.until is not None:
        query = query.where(AuditEvent.created_at < wanted.until)
    return [ChainedEvent(*row) for row in session.execute(query.order_by(AuditEvent.chain_seq).limit(limit))]


def waiting(session: Session, organization_id: str, before: datetime) -> tuple[int, int | None]:
    """Return how many events without a position were written before a moment, and the id of the oldest."""
    query = select(func.count(), func.min(AuditEvent.id)).where(
        AuditEvent.organization_id == organization_id,
        AuditEvent.chain_seq.is_(None),
        AuditEvent.created_at < before,
    )
    count, oldest = session.execute(query).one()
    return count, oldest


def event(session: Session, event_id: int) -> AuditEvent | None:
    """Return an event."""
    return session.get(AuditEvent, event_id)


_BEHIND = text("""
WITH RECURSIVE held AS (
  SELECT min(organization_id) AS id FROM audit_events
  UNION ALL
  SELECT (SELECT min(organization_id) FROM audit_events WHERE organization_id > held.id)
  FROM held WHERE held.id IS NOT NULL
)
SELECT id FROM held
WHERE id IS NOT NULL AND (
  (SELECT max(chain_seq) FROM audit_events WHERE organization_id = held.id)
    > coalesce((SELECT max(position) FROM audit_checkpoints WHERE organization_id = held.id), 0)
  OR EXISTS (SELECT 1 FROM audit_checkpoints WHERE organization_id = held.id AND stored_at IS NULL)
)
ORDER BY id
""")
"""Jumps from organization to organization by the index, since a DISTINCT would read the whole of it."""


def organizations_behind(session: Session) -> list[str]:
    """Return the organizations whose chain goes on behind its last checkpoint, or whose checkpoint is not stored."""
    return list(session.scalars(_BEHIND))


def organizations_with_checkpoints(session: Session) -> list[str]:
    """Return the organizations that have a checkpoint."""
    return list(session.scalars(select(AuditCheckpoint.organization_id).distinct().order_by("organization_id")))


def add_checkpoint(session: Session, row: AuditCheckpoint) -> None:
    """Index a checkpoint."""
    session.add(row)
    session.flush()


def last_checkpoint(session: Session, organization_id: str) -> AuditCheckpoint | None:
    """Return an organization's newest indexed checkpoint."""
    return session.scalars(
        select(AuditCheckpoint)
        .where(AuditCheckpoint.organization_id == organization_id)
        .order_by(AuditCheckpoint.sequence.desc())
        .limit(1)
    ).first()


def checkpoint_page(
    session: Session, organization_id: str, params: PageParams
) -> tuple[Sequence[AuditCheckpoint], str | None]:
    """Return one page of an organization's indexed checkpoints, newest first."""
    query = select(AuditCheckpoint).where(AuditCheckpoint.organization_id == organization_id)
    return fetch_page(session, query, AuditCheckpoint.sequence, params)


def unstored(session: Session, organization_id: str) -> Sequence[AuditCheckpoint]:
    """Return the checkpoints that the artifact store may not have yet."""
    return session.scalars(
        select(AuditCheckpoint)
        .where(AuditCheckpoint.organization_id == organization_id, AuditCheckpoint.stored_at.is_(None))
        .order_by(AuditCheckpoint.sequence)
    ).all()


def mark_stored(session: Session, organization_id: str, sequence: int, at: datetime) -> None:
    """Note that the artifact store has a checkpoint; again changes nothing."""
    session.execute(
        update(AuditCheckpoint)
        .where(
            AuditCheckpoint.organization_id == organization_id,
            AuditCheckpoint.sequence == sequence,
            AuditCheckpoint.stored_at.is_(None),
        )
        .values(stored_at=at)
    )


def indexed(session: Session, organization_id: str, after: int) -> list[tuple[int, int, str]]:
    """Return (sequence, position, digest) of stored checkpoints behind ``after``."""
    query = select(AuditCheckpoint.sequence, AuditCheckpoint.position, AuditCheckpoint.digest).where(
        AuditCheckpoint.organization_id == organization_id,
        AuditCheckpoint.position > after,
        AuditCheckpoint.stored_at.is_not(None),
    )
    return [(row[0], row[1], row[2]) for row in session.execute(query.order_by(AuditCheckpoint.sequence))]


def _is_action(action: str) -> ColumnElement[bool]:
    """Return the condition of an action, or of a family of them (``run.*``)."""
    if action.endswith(".*"):
        return AuditEvent.action.startswith(action.removesuffix("*"), autoescape=True)
    return AuditEvent.action == action
