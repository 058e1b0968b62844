"""States that could not become versions: kept as they came, until a person adopts or discards them."""

import logging
import uuid
from typing import Any

from sqlalchemy.orm import Session

from app.audit import service as audit
from app.core import clock, events
from app.core.canonical import sha256_hex
from app.core.ids import new_id
from app.core.pages import Page, PageParams
from app.core.permissions import Actor, system_actor
from app.state import parsing, quarantine_repository, repository, versions
from app.state.errors import QuarantineDecided, QuarantineNotFound, StateConflict, StateLocked, StateUnreadable
from app.state.events import QuarantineMoved, StateMoved
from app.state.models import TerraformQuarantinedState
from app.state.schemas import AdoptRequest, QuarantinedState, StateKind, StateLocking, StateVersionOut
from app.state.vault import Vault
from app.workspaces import service as workspaces

MOST_HELD_PER_RUN = 50
"""A run whose configuration is hostile may send as many refused states as it likes; so many are kept."""
_log = logging.getLogger(__name__)


def quarantine(
    session: Session,
    *,
    organization_id: str,
    workspace_id: str,
    run_id: str | None,
    kind: StateKind,
    code: str,
    reason: str,
    data: bytes,
    created_by: dict[str, Any],
) -> QuarantinedState | None:
    """Keep a state that was refused with ``code``, whatever it holds, and return it.

    The same bytes refused with the same code are one while they are held. None when the run has filled its share.
    """
    repository.serialize_writers(session, workspace_id)
    digest = sha256_hex(data)
    known = quarantine_repository.held_twin(session, workspace_id, digest, code)
    if known is not None:
        return QuarantinedState.model_validate(known)
    if run_id is not None and quarantine_repository.held_of_run(session, run_id) >= MOST_HELD_PER_RUN:
        _log.error("quarantine of a run is full; a refused state was not kept", extra={"run_id": run_id, "code": code})
        return None
    try:
        parsed = parsing.parse(data, needs_lineage=False)
    except StateUnreadable:
        parsed = None
    row = TerraformQuarantinedState(
        id=new_id("qs"),
        organization_id=organization_id,
        workspace_id=workspace_id,
        run_id=run_id,
        kind=kind,
        code=code,
        reason=reason,
        serial=parsed.serial if parsed is not None else None,
        lineage=(parsed.lineage or None) if parsed is not None else None,
        digest=digest,
        size_bytes=len(data),
        created_by=created_by,
        status="held",
    )
    row.manifest = Vault(organization_id, workspace_id).put(
        session,
        owner=row.id,
        digest=digest,
        parts={"content": data},
        previous=versions.newest_manifest(session, workspace_id),
    )
    session.add(row)
    session.flush()
    told = {**_evidence(row), "code": code, "by": created_by}
    audit.record(session, system_actor(organization_id), "quarantine.held", ("quarantined_state", row.id), told)
    _moved(session, row)
    return QuarantinedState.model_validate(row)


def _moved(session: Session, row: TerraformQuarantinedState) -> None:
    if row.run_id is not None:
        events.publish(session, QuarantineMoved(row.run_id))


def left_by_first_apply(session: Session, workspace_id: str, data: bytes) -> bytes:
    """Return what an engine left of a workspace's first apply with a lineage, where it could not make one up itself.

    Everything else is returned as it is.
    """
    try:
        parsed = parsing.parse(data, needs_lineage=False)
    except StateUnreadable:
        return data
    if parsed.lineage or repository.current(session, workspace_id) is not None:
        return data
    return parsing.with_lineage(data, str(uuid.uuid4()))


def quarantined(
    session: Session, actor: Actor, params: PageParams, *, workspace: str | None, status: str | None
) -> Page[QuarantinedState]:
    """Return one page of the organization's quarantined states, newest first."""
    workspace_id = workspaces.get(session, actor.organization_id, workspace).id if workspace is not None else None
    rows, cursor = quarantine_repository.page(
        session, actor.organization_id, params, workspace_id=workspace_id, status=status
    )
    return Page(items=[QuarantinedState.model_validate(row) for row in rows], next_cursor=cursor)


def quarantined_state(session: Session, actor: Actor, quarantine_id: str) -> QuarantinedState:
    """Return one quarantined state. Raises ``QuarantineNotFound``."""
    return QuarantinedState.model_validate(_get(session, actor, quarantine_id))


def download_quarantined(session: Session, actor: Actor, quarantine_id: str) -> bytes:
    """Return what was refused, byte for byte; the reading is audited."""
    row = _get(session, actor, quarantine_id)
    data = _content(session, row)
    audit.record(session, actor, "quarantine.downloaded", ("quarantined_state", row.id), _evidence(row))
    return data


def readable(session: Session, actor: Actor, quarantine_id: str) -> tuple[QuarantinedState, bytes]:
    """Return a held state and what it holds, to be compared. Not audited: the content must not leave unmasked.

    Raises ``QuarantineNotFound``, ``QuarantineDecided``, and ``StateUnreadable`` when it is no whole state.
    """
    row = _get(session, actor, quarantine_id)
    data = _content(session, row)
    parsing.parse(data, needs_lineage=False)
    return QuarantinedState.model_validate(row), data


def adopt(session: Session, actor: Actor, quarantine_id: str, wanted: AdoptRequest) -> StateVersionOut:
    """Make a quarantined state the workspace's next version.

    A serial that is not newer is raised, and an empty lineage is set: the current one, or one made up.
    Raises ``QuarantineDecided``; ``StateUnreadable``; ``StateLocked`` while a run is at work or another holds the lock;
    ``StateConflict`` for another lineage unless ``replace_lineage``.
    """
    seen = _get(session, actor, quarantine_id)
    workspaces.lock_exclusive(session, seen.workspace_id)
    row = _get_held(session, actor, quarantine_id)
    events.publish(session, StateLocking(row.organization_id, row.workspace_id))
    held = repository.lock(session, row.workspace_id)
    if held is not None and not (held.kind == "manual" and held.holder.get("id") == actor.id):
        raise StateLocked("The state lock is held. Release it, then adopt the state.")
    data = _content(session, row)
    parsed = parsing.parse(data, needs_lineage=False)
    newest = repository.current(session, row.workspace_id)
    if not parsed.lineage:
        data = parsing.with_lineage(data, newest.lineage if newest is not None else str(uuid.uuid4()))
        parsed = parsing.parse(data)
    if newest is not None:
        if newest.lineage != parsed.lineage and not wanted.replace_lineage:
            raise StateConflict(
                f"Its lineage is {parsed.lineage}, the workspace's is {newest.lineage}: it is a state of something "
                "else. Compare them; to take it all the same, set replace_lineage.",
                errors=[{"field": "replace_lineage", "message": "must be true to adopt another lineage"}],
            )
        if parsed.serial <= newest.serial and newest.digest != row.digest:
            data = parsing.with_serial(data, newest.serial + 1)
    made = versions.store_version(
        session,
        organization_id=row.organization_id,
        workspace_id=row.workspace_id,
        run_id=row.run_id,
        kind="recovered",
        data=data,
        created_by=actor.describe(),
        replaces_lineage=wanted.replace_lineage,
    )
    row.state_version_id = made.id
    _decide(session, actor, row, "adopted", wanted.reason)
    events.publish(session, StateMoved(row.organization_id, row.workspace_id))
    return made


def discard(session: Session, actor: Actor, quarantine_id: str, reason: str) -> QuarantinedState:
    """Let go of a quarantined state; what is said about it stays. Raises ``QuarantineDecided``."""
    row = _get_held(session, actor, quarantine_id)
    _decide(session, actor, row, "discarded", reason)
    return QuarantinedState.model_validate(row)


def _decide(session: Session, actor: Actor, row: TerraformQuarantinedState, status: str, reason: str) -> None:
    row.status, row.decision_reason = status, reason
    row.decided_at, row.decided_by = clock.now(), actor.describe()
    row.manifest = None
    session.flush()
    Vault(row.organization_id, row.workspace_id).collect(session)
    _moved(session, row)
    evidence = {**_evidence(row), "reason": reason, "state_version_id": row.state_version_id}
    audit.record(session, actor, f"quarantine.{status}", ("quarantined_state", row.id), evidence)


def _evidence(row: TerraformQuarantinedState) -> dict[str, Any]:
    return {"workspace_id": row.workspace_id, "run_id": row.run_id, "digest": row.digest}


def _content(session: Session, row: TerraformQuarantinedState) -> bytes:
    if row.manifest is None:
        raise QuarantineDecided(f"{row.id} was {row.status}; its content is no longer kept here.")
    vault = Vault(row.organization_id, row.workspace_id)
    return vault.get_content(session, vault.open_manifest(row.manifest, owner=row.id, digest=row.digest), row.digest)


def _get(session: Session, actor: Actor, quarantine_id: str, *, for_update: bool = False) -> TerraformQuarantinedState:
    row = quarantine_repository.get(session, actor.organization_id, quarantine_id, for_update=for_update)
    if row is None:
        raise QuarantineNotFound(f"There is no quarantined state {quarantine_id}.")
    return row


def _get_held(session: Session, actor: Actor, quarantine_id: str) -> TerraformQuarantinedState:
    row = _get(session, actor, quarantine_id, for_update=True)
    if row.status != "held":
        raise QuarantineDecided(f"{row.id} was {row.status} already.")
    return row
