"""The audit trail: what happened, who did it, and a hash chain that shows when history was changed.

Events are appended unchained in the transaction of what they tell; a chain in every transaction would put all of
them, halts too, in one line. One sequencer an organization chains them after commit.
"""

from datetime import UTC
from typing import Any

import rfc8785
from sqlalchemy.orm import Session

from app.audit import repository
from app.audit.errors import EvidenceInvalid
from app.audit.models import AuditEvent
from app.audit.schemas import AuditActor, AuditEventOut, AuditFilter, AuditTarget, ChainReport
from app.core import clock
from app.core.canonical import canonical_json, digest
from app.core.pages import Page, PageParams
from app.core.permissions import Actor

_BATCH = 500


def record(
    session: Session,
    actor: Actor,
    action: str,
    target: tuple[str, str],
    evidence: dict[str, Any] | None = None,
) -> None:
    """Append an event to the actor's organization's trail; it exists when the caller's transaction commits.

    ``action`` is what happened (``run.approved``), ``target`` the kind and id of what it happened to, ``evidence``
    what proves it: JSON values, never a secret. Raises ``EvidenceInvalid`` for what canonical JSON can't hold.
    """
    known = evidence or {}
    try:
        canonical_json(known)
    except (rfc8785.CanonicalizationError, UnicodeError) as error:
        raise EvidenceInvalid(f"The evidence of {action} is not plain JSON: {error}.") from error
    if _has_wide_float(known):
        raise EvidenceInvalid(
            f"The evidence of {action} has a float beyond 2^53, which the database gives back changed."
        )
    repository.add(
        session,
        AuditEvent(
            created_at=clock.now(),
            organization_id=actor.organization_id,
            actor=actor.describe(),
            source_address=actor.source_address,
            action=action,
            target_kind=target[0],
            target_id=target[1],
            evidence=known,
        ),
    )


def list_events(session: Session, organization_id: str, wanted: AuditFilter, params: PageParams) -> Page[AuditEventOut]:
    """Return one page of an organization's events, newest first. Raises ``Invalid`` for a foreign cursor."""
    rows, cursor = repository.page(session, organization_id, wanted, params)
    return Page(items=[_present(row) for row in rows], next_cursor=cursor)


def unchained_organizations(session: Session) -> list[str]:
    """Return the organizations whose trail has events that wait for the sequencer."""
    return list(repository.unchained_organizations(session))


def chain(session: Session, organization_id: str) -> int:
    """Chain up to a batch of an organization's waiting events in the order they were written; return how many.

    Does nothing when another sequencer is at it.
    """
    if not repository.become_sequencer(session, organization_id):
        return 0
    last = repository.head(session, organization_id)
    position = last.chain_seq if last is not None and last.chain_seq is not None else 0
    previous = last.hash if last is not None else None
    rows = repository.unchained(session, organization_id, _BATCH)
    for row in rows:
        position += 1
        row.chain_seq, row.previous_hash = position, previous
        previous = row.hash = _link(row)
    session.flush()
    return len(rows)


def verify_chain(session: Session, organization_id: str) -> ChainReport:
    """Recompute an organization's chain from its first event and report the first position that does not fit."""
    position, previous = 0, None
    while rows := repository.chained_after(session, organization_id, position, _BATCH):
        for row in rows:
            position += 1
            if row.chain_seq != position or row.previous_hash != previous or row.hash != _link(row):
                return ChainReport(checked=position, head_hash=previous, broken_at=position, is_intact=False)
            previous = row.hash
        session.expunge_all()
    return ChainReport(checked=position, head_hash=previous, broken_at=None, is_intact=True)


def _has_wide_float(value: Any) -> bool:
    if isinstance(value, float):
        return abs(value) >= 2**53
    if isinstance(value, dict):
        return any(_has_wide_float(item) for item in value.values())
    return isinstance(value, list | tuple) and any(_has_wide_float(item) for item in value)


def _link(row: AuditEvent) -> str:
    return digest(
        {
            "position": row.chain_seq,
            "previous": row.previous_hash,
            "id": row.id,
            "organization_id": row.organization_id,
            "at": row.created_at.astimezone(UTC).isoformat(),
            "actor": row.actor,
            "source_address": row.source_address,
            "action": row.action,
            "target": [row.target_kind, row.target_id],
            "evidence": row.evidence,
        }
    )


def _present(row: AuditEvent) -> AuditEventOut:
    return AuditEventOut(
        id=row.id,
        at=row.created_at,
        actor=AuditActor.model_validate(row.actor),
        action=row.action,
        target=AuditTarget(kind=row.target_kind, id=row.target_id),
        evidence=row.evidence,
        source_address=row.source_address,
        chain_seq=row.chain_seq,
        previous_hash=row.previous_hash,
        hash=row.hash,
    )
