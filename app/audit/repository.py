"""Queries of the audit trail."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.audit.models import AuditEvent
from app.audit.schemas import AuditFilter
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
        family = wanted.action.removesuffix("*")
        query = query.where(
            AuditEvent.action.startswith(family, autoescape=True)
            if wanted.action.endswith(".*")
            else AuditEvent.action == wanted.action
        )
    if wanted.target_id is not None:
        query = query.where(AuditEvent.target_id == wanted.target_id)
    if wanted.actor_id is not None:
        query = query.where(AuditEvent.actor["id"].astext == wanted.actor_id)
    return fetch_page(session, query, AuditEvent.id, params)


def become_sequencer(session: Session, organization_id: str) -> bool:
    """Become the organization's one sequencer until the transaction ends; the loser gets False and goes home."""
    won = session.scalar(select(func.pg_try_advisory_xact_lock(_SEQUENCER, func.hashtext(organization_id))))
    return bool(won)


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


def chained_after(session: Session, organization_id: str, position: int, limit: int) -> Sequence[AuditEvent]:
    """Return chained events behind ``position``, in chain order."""
    return session.scalars(
        select(AuditEvent)
        .where(AuditEvent.organization_id == organization_id, AuditEvent.chain_seq > position)
        .order_by(AuditEvent.chain_seq)
        .limit(limit)
    ).all()
