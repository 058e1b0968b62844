"""The audit trail: what happened, who did it, and a hash chain that shows when history was changed.

Events are appended unchained in the transaction of what they tell; a chain in every transaction would put all of
them, halts too, in one line. One sequencer an organization chains them after commit (``sequencing``), and signs
checkpoints of the head, which ``verifying`` holds the chain against.
"""

from collections.abc import Iterator
from typing import Any

import rfc8785
from sqlalchemy.orm import Session

from app.audit import exporting, repository, sequencing, verifying
from app.audit.errors import EvidenceInvalid
from app.audit.models import AuditEvent
from app.audit.schemas import (
    AuditActor,
    AuditEventOut,
    AuditFilter,
    AuditTarget,
    CheckpointOut,
    ExportFilter,
    KeysOut,
)
from app.core import clock
from app.core.canonical import canonical_json
from app.core.checkpoints import SigningKeys
from app.core.crypto import key_ring
from app.core.pages import Page, PageParams
from app.core.permissions import Actor

chain = sequencing.chain
sign_under_present_key = sequencing.sign_under_present_key
verify_chain = verifying.verify_chain


def record(
    session: Session,
    actor: Actor,
    action: str,
    target: tuple[str, str],
    evidence: dict[str, Any] | None = None,
) -> None:
    """Append an event to the actor's organization's trail; it exists when the caller's transaction commits.

    ``action`` is what happened (``run.approve``), ``target`` the kind and id of what it happened to, ``evidence``
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


def list_checkpoints(session: Session, organization_id: str, params: PageParams) -> Page[CheckpointOut]:
    """Return one page of an organization's checkpoints, newest first. Raises ``Invalid`` for a foreign cursor."""
    rows, cursor = repository.checkpoint_page(session, organization_id, params)
    items = [
        CheckpointOut(
            sequence=row.sequence,
            position=row.position,
            head_hash=row.document["head_hash"],
            at=row.document["at"],
            digest=row.digest,
            key_id=row.document["keys"][0]["id"],
            is_stored=row.stored_at is not None,
            document=row.document,
        )
        for row in rows
    ]
    return Page(items=items, next_cursor=cursor)


def public_keys() -> KeysOut:
    """Return the public keys that this installation signs checkpoints with, the present one first."""
    return KeysOut(items=list(SigningKeys(key_ring()).public))


def export(session: Session, actor: Actor, wanted: ExportFilter) -> Iterator[str]:
    """Return the lines of an export of the actor's organization, read page by page after the session has committed.

    That it was exported is an event itself. Raises ``ArtifactStoreUnavailable``.
    """
    told = {key: value for key, value in wanted.model_dump(mode="json").items() if value}
    record(session, actor, "audit.exported", ("organization", actor.organization_id), told)
    return exporting.lines(actor.organization_id, wanted)


def _has_wide_float(value: Any) -> bool:
    if isinstance(value, float):
        return abs(value) >= 2**53
    if isinstance(value, dict):
        return any(_has_wide_float(item) for item in value.values())
    return isinstance(value, list | tuple) and any(_has_wide_float(item) for item in value)


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
