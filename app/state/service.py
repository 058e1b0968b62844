"""State versions, outputs and locks."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from app.audit import service as audit
from app.core import clock, events
from app.core.artifacts import ArtifactRef, artifact_store
from app.core.canonical import sha256_hex
from app.core.ids import new_id
from app.core.pages import Page, PageParams
from app.core.permissions import Actor
from app.state import parsing, repository
from app.state.errors import StateConflict, StateLocked, StateVersionNotFound
from app.state.models import TerraformStateLock, TerraformStateVersion
from app.state.schemas import (
    CurrentState,
    LockOut,
    Output,
    StateKind,
    StateLockReleased,
    StateVersionDetail,
    StateVersionOut,
)
from app.workspaces import service as workspaces


def current(session: Session, workspace_id: str) -> CurrentState | None:
    """Return the workspace's newest state version, or None before the first."""
    row = repository.current(session, workspace_id)
    return _current(row) if row is not None else None


def currents(session: Session, workspace_ids: Sequence[str]) -> dict[str, CurrentState]:
    """Return the newest state version by workspace id, for those that have one."""
    return {row.workspace_id: _current(row) for row in repository.currents(session, workspace_ids)}


def _current(row: TerraformStateVersion) -> CurrentState:
    return CurrentState(
        id=row.id,
        number=row.number,
        serial=row.serial,
        lineage=row.lineage,
        digest=row.digest,
        artifact=ArtifactRef.model_validate(row.artifact),
        resource_count=row.resource_count,
    )


def store_version(
    session: Session,
    *,
    organization_id: str,
    workspace_id: str,
    run_id: str | None,
    kind: StateKind,
    data: bytes,
    created_by: dict[str, Any],
) -> StateVersionOut:
    """Store ``data`` as the workspace's next state version, and return it.

    The current content again adds nothing and returns the current version. Raises ``StateUnreadable``, and
    ``StateConflict`` when the lineage is another one or the serial is lower than the current one's.
    """
    parsed = parsing.parse(data)
    repository.serialize_writers(session, workspace_id)
    newest = repository.current(session, workspace_id)
    if newest is not None:
        if newest.digest == sha256_hex(data):
            return StateVersionOut.model_validate(newest)
        if newest.lineage != parsed.lineage:
            raise StateConflict(
                f"The state's lineage is {parsed.lineage}, the workspace's is {newest.lineage}: it belongs to another "
                "state."
            )
        if parsed.serial < newest.serial:
            raise StateConflict(f"The state's serial {parsed.serial} is older than the workspace's {newest.serial}.")
    row = TerraformStateVersion(
        id=new_id("sv"),
        organization_id=organization_id,
        workspace_id=workspace_id,
        run_id=run_id,
        number=newest.number + 1 if newest is not None else 1,
        kind=kind,
        serial=parsed.serial,
        lineage=parsed.lineage,
        digest=sha256_hex(data),
        size_bytes=len(data),
        engine_version=parsed.engine_version,
        resources=[resource.model_dump() for resource in parsed.resources],
        resource_count=sum(1 for resource in parsed.resources if resource.mode == "managed"),
        created_by=created_by,
    )
    store = artifact_store()
    row.artifact = store.put(data, organization_id=organization_id, kind="state", owner=row.id).model_dump()
    outputs = json.dumps([output.model_dump() for output in parsed.outputs]).encode()
    row.outputs_artifact = store.put(
        outputs, organization_id=organization_id, kind="state_outputs", owner=row.id
    ).model_dump()
    session.add(row)
    session.flush()
    return StateVersionOut.model_validate(row)


def versions(session: Session, actor: Actor, workspace: str, params: PageParams) -> Page[StateVersionOut]:
    """Return one page of a workspace's state versions, newest first."""
    found = workspaces.get(session, actor.organization_id, workspace)
    rows, cursor = repository.page(session, found.id, params)
    return Page(items=[StateVersionOut.model_validate(row) for row in rows], next_cursor=cursor)


def version(session: Session, actor: Actor, version_id: str) -> StateVersionDetail:
    """Return one state version with its resources. Raises ``StateVersionNotFound``."""
    return StateVersionDetail.model_validate(_get(session, actor, version_id))


def by_id(session: Session, organization_id: str, version_id: str) -> StateVersionOut | None:
    """Return one state version of the organization, or None."""
    row = repository.get(session, organization_id, version_id)
    return StateVersionOut.model_validate(row) if row is not None else None


def download(session: Session, actor: Actor, version_id: str) -> bytes:
    """Return the state as the engine wrote it; the reading is audited."""
    row = _get(session, actor, version_id)
    audit.record(session, actor, "state.downloaded", ("state_version", row.id), {"workspace_id": row.workspace_id})
    return artifact_store().get(ArtifactRef.model_validate(row.artifact))


def outputs(session: Session, actor: Actor, version_id: str) -> list[Output]:
    """Return the outputs of a version; sensitive values are null."""
    return _outputs(_get(session, actor, version_id))


def current_outputs(session: Session, actor: Actor, workspace: str) -> list[Output]:
    """Return the outputs of the workspace's newest state; none before the first."""
    found = workspaces.get(session, actor.organization_id, workspace)
    row = repository.current(session, found.id)
    return _outputs(row) if row is not None else []


def _outputs(row: TerraformStateVersion) -> list[Output]:
    document = json.loads(artifact_store().get(ArtifactRef.model_validate(row.outputs_artifact)))
    found = [Output.model_validate(item) for item in document]
    return [output.model_copy(update={"value": None}) if output.sensitive else output for output in found]


def _get(session: Session, actor: Actor, version_id: str) -> TerraformStateVersion:
    row = repository.get(session, actor.organization_id, version_id)
    if row is None:
        raise StateVersionNotFound(f"There is no state version {version_id}.")
    return row


def lock(
    session: Session,
    *,
    organization_id: str,
    workspace_id: str,
    run_id: str,
    fencing_token: int,
    holder: dict[str, Any],
    reason: str,
) -> None:
    """Take the workspace's state lock for a run. Raises ``StateLocked`` that names the holder."""
    at = clock.now()
    row = TerraformStateLock(
        workspace_id=workspace_id,
        organization_id=organization_id,
        run_id=run_id,
        fencing_token=fencing_token,
        holder=holder,
        reason=reason,
        acquired_at=at,
        heartbeat_at=at,
        orphaned_at=None,
    )
    if not repository.take_lock(session, row):
        held = repository.lock(session, workspace_id)
        who = held.run_id if held is not None else "another run"
        raise StateLocked(f"{who} holds the state lock. Wait until it has ended, or release an orphaned lock.")


def unlock(session: Session, workspace_id: str, run_id: str) -> bool:
    """Release the lock if the run holds it; say whether it did."""
    return repository.release_lock(session, workspace_id, run_id)


def mark_orphaned(session: Session, workspace_id: str, run_id: str) -> bool:
    """Mark the lock as orphaned if the run holds it: its holder is dead and did not release it."""
    return repository.orphan_lock(session, workspace_id, run_id, clock.now())


def beat(session: Session, run_id: str) -> None:
    """Note that the holder of the run's lock lives."""
    repository.beat_lock(session, run_id, clock.now())


def held_lock(session: Session, workspace_id: str) -> LockOut | None:
    """Return who holds the workspace's state lock."""
    row = repository.lock(session, workspace_id)
    return _lock_out(row) if row is not None else None


def held_locks(session: Session, workspace_ids: Sequence[str]) -> dict[str, LockOut]:
    """Return the held locks by workspace id."""
    return {row.workspace_id: _lock_out(row) for row in repository.locks(session, workspace_ids)}


def orphaned_locks(session: Session, organization_id: str) -> list[LockOut]:
    """Return the organization's locks whose holders are dead."""
    return [_lock_out(row) for row in repository.orphaned(session, organization_id)]


def release_orphaned(session: Session, actor: Actor, workspace: str) -> None:
    """Release a lock whose holder is proven dead. Raises ``StateLocked`` while the holder lives."""
    found = workspaces.get(session, actor.organization_id, workspace)
    row = repository.lock(session, found.id)
    if row is None:
        return
    if row.orphaned_at is None:
        raise StateLocked(f"{row.run_id} holds the lock and is not proven dead. Cancel the run instead.")
    repository.release_lock(session, found.id, row.run_id)
    audit.record(session, actor, "state.lock_released", ("workspace", found.id), {"run_id": row.run_id})
    events.publish(session, StateLockReleased(actor.organization_id, found.id))


def _lock_out(row: TerraformStateLock) -> LockOut:
    return LockOut(
        run_id=row.run_id,
        holder=row.holder,
        reason=row.reason,
        acquired_at=row.acquired_at,
        heartbeat_at=row.heartbeat_at,
        is_orphaned=row.orphaned_at is not None,
    )
