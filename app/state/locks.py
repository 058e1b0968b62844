"""State locks: a run's, with proof of life, and a person's."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select
from sqlalchemy.orm import Session

from app.audit import service as audit
from app.core import clock, events
from app.core.permissions import Actor, system_actor
from app.state import repository
from app.state.errors import NotYourLock, StateLocked, StateNotLocked
from app.state.models import TerraformStateLock
from app.state.schemas import LockOut, LockRequest, StateLocking, StateLockReleased, UnlockRequest
from app.workspaces import service as workspaces


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
        kind="run",
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
        who = _name(held) if held is not None else "Another run"
        raise StateLocked(f"{who} holds the state lock. Wait until it is released, or release an orphaned lock.")


def unlock(session: Session, workspace_id: str, run_id: str) -> bool:
    """Release the lock if the run holds it; say whether it did."""
    return repository.release_lock(session, workspace_id, run_id)


def mark_orphaned(session: Session, workspace_id: str, run_id: str) -> bool:
    """Mark the lock as orphaned if the run, which is dead, holds it still; say whether it was marked."""
    organization_id = repository.orphan_lock(session, workspace_id, run_id, clock.now())
    if organization_id is None:
        return False
    actor = system_actor(organization_id)
    audit.record(session, actor, "state.lock_orphaned", ("workspace", workspace_id), {"run_id": run_id})
    return True


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


def kept_out() -> Select[str]:
    """Select the workspaces in which no run starts, as a part of another slice's query.

    Their lock is a person's, or waits for its release by one since its holder died.
    """
    return repository.kept_out()


def orphaned_locks(session: Session, organization_id: str) -> list[LockOut]:
    """Return the organization's locks whose holders are dead."""
    return [_lock_out(row) for row in repository.orphaned(session, organization_id)]


def lock_of(session: Session, actor: Actor, workspace: str) -> LockOut | None:
    """Return who holds the lock of an organization's workspace."""
    return held_lock(session, workspaces.get(session, actor.organization_id, workspace).id)


def lock_manually(session: Session, actor: Actor, workspace: str, wanted: LockRequest) -> LockOut:
    """Lock the state by hand: until it is unlocked, no run of the workspace starts, speculative ones aside.

    One's own lock again changes nothing. Raises ``StateLocked`` while a run is at work or somebody holds the lock.
    """
    found = workspaces.get(session, actor.organization_id, workspace)
    # As a claim does: whoever comes second finds what the first has done.
    workspaces.lock_exclusive(session, found.id)
    held = repository.lock(session, found.id)
    if held is not None and _is_own(held, actor):
        return _lock_out(held)
    events.publish(session, StateLocking(actor.organization_id, found.id))
    at = clock.now()
    row = TerraformStateLock(
        workspace_id=found.id,
        organization_id=actor.organization_id,
        kind="manual",
        run_id=None,
        fencing_token=0,
        holder=actor.describe(),
        reason=wanted.reason,
        acquired_at=at,
        heartbeat_at=at,
        orphaned_at=None,
    )
    if held is not None or not repository.take_manual_lock(session, row):
        held = held or repository.lock(session, found.id)
        who = _name(held) if held is not None else "Somebody"
        raise StateLocked(f"{who} holds the state lock already.")
    audit.record(session, actor, "state.locked", ("workspace", found.id), {"reason": wanted.reason})
    return _lock_out(row)


def unlock_own(session: Session, actor: Actor, workspace: str) -> None:
    """Release one's own manual lock. Raises ``StateNotLocked`` and ``NotYourLock``."""
    found = workspaces.get(session, actor.organization_id, workspace)
    row = repository.lock(session, found.id)
    if row is None:
        raise StateNotLocked(f"Nobody holds the state lock of {found.name}.")
    if not _is_own(row, actor):
        raise NotYourLock(
            f"{_name(row)} holds the lock. Ask for it to be released, or force the unlock with a reason "
            "(`sluice state force-unlock`)."
        )
    _remove(session, actor, row, "state.unlocked", {})


def force_unlock(session: Session, actor: Actor, workspace: str, wanted: UnlockRequest) -> None:
    """Take away a manual lock or one whose run is proven dead; audited with its reason.

    Raises ``StateNotLocked``, and ``StateLocked`` while a living run holds the lock: a run that is cancelled or halted
    gives it back itself, with its state stored, and taking it away would let two engines write.
    """
    found = workspaces.get(session, actor.organization_id, workspace)
    row = repository.lock(session, found.id)
    if row is None:
        raise StateNotLocked(f"Nobody holds the state lock of {found.name}.")
    if row.kind == "run" and row.orphaned_at is None:
        raise StateLocked(
            f"{row.run_id} holds the lock and is not proven dead. Cancel or halt the run: it stores its state and then "
            "releases the lock.",
            run_id=row.run_id,
        )
    _remove(session, actor, row, "state.lock_forced", {"reason": wanted.reason})


def release_orphaned(session: Session, actor: Actor, workspace: str) -> None:
    """Release a lock whose holder is proven dead. Raises ``StateLocked`` while the holder lives."""
    found = workspaces.get(session, actor.organization_id, workspace)
    row = repository.lock(session, found.id)
    if row is None:
        return
    if row.orphaned_at is None:
        raise StateLocked(f"{_name(row)} holds the lock and is not proven dead. Cancel the run instead.")
    _remove(session, actor, row, "state.lock_released", {})


def _remove(session: Session, actor: Actor, row: TerraformStateLock, action: str, evidence: dict[str, Any]) -> None:
    if not repository.remove_lock(session, row):
        raise StateLocked("The lock changed hands meanwhile. Look again.")
    session.expunge(row)
    evidence = {**evidence, "kind": row.kind, "run_id": row.run_id, "holder": row.holder}
    audit.record(session, actor, action, ("workspace", row.workspace_id), evidence)
    events.publish(session, StateLockReleased(row.organization_id, row.workspace_id))


def _is_own(row: TerraformStateLock, actor: Actor) -> bool:
    return row.kind == "manual" and row.holder.get("id") == actor.id


def _name(row: TerraformStateLock) -> str:
    return str(row.run_id) if row.kind == "run" else f"{row.holder.get('name', 'Somebody')} (by hand: {row.reason})"


def _lock_out(row: TerraformStateLock) -> LockOut:
    return LockOut(
        kind=row.kind,  # type: ignore[arg-type]  # the column holds a LockKind
        run_id=row.run_id,
        holder=row.holder,
        reason=row.reason,
        acquired_at=row.acquired_at,
        heartbeat_at=row.heartbeat_at,
        is_orphaned=row.orphaned_at is not None,
    )
