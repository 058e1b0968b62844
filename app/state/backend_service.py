"""The managed backend: what an engine may do with a workspace's state over the `http` backend's protocol.

Each request is a transaction of its own. A state that is refused is kept in quarantine when it can be read, in another
transaction: nothing that an engine sends is lost.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.audit import service as audit
from app.core import clock, events
from app.core.canonical import sha256_hex
from app.core.db import unit_of_work
from app.core.errors import AppError, Unauthenticated
from app.core.permissions import Actor, Permission
from app.fence import service as fence
from app.fence.errors import Halted
from app.state import backend_body, backend_repository, locks, quarantine, repository, versions
from app.state.backend_body import LockInfo
from app.state.backend_errors import (
    PlanCredentialReadsOnly,
    RunCredentialForeign,
    RunCredentialQuiesced,
    StateHalted,
    StateHoldsResources,
    StateKeptElsewhere,
    StateLineageForeign,
    StateLockHeld,
    StateLockIdWrong,
    StateLockLost,
    StateRefused,
    StateSerialOutdated,
)
from app.state.backend_models import TerraformEngineLock, TerraformRunCredential
from app.state.errors import StateLocked
from app.state.events import StateMoved
from app.state.models import TerraformStateLock
from app.state.schemas import LockRequest, ParsedState, StateLockReleased
from app.workspaces import service as workspaces


@dataclass(frozen=True)
class RunBearer:
    """A request with a run's credential, by its hash; whether it holds is found out in the request's transaction."""

    secret_hash: str


Caller = Actor | RunBearer


@dataclass(frozen=True)
class _Party:
    """Who talks about which workspace: a run by its credential, or a person or program by its token."""

    organization_id: str
    workspace_id: str
    who: dict[str, Any]
    credential: TerraformRunCredential | None = None
    actor: Actor | None = None

    @property
    def run_id(self) -> str | None:
        return self.credential.run_id if self.credential is not None else None

    def holds(self, held: TerraformStateLock | None) -> bool:
        """Whether the state lock is the party's own."""
        if held is None:
            return False
        if self.credential is not None:
            return held.run_id == self.credential.run_id
        return held.kind == "manual" and held.holder.get("id") == self.who["id"]


def read(caller: Caller, workspace: str) -> bytes | None:
    """Return the workspace's newest state, or None before the first. A person's reading is audited."""
    with unit_of_work() as session:
        party = _admit(session, caller, workspace)
        newest = repository.current(session, party.workspace_id, with_content=True)
        if newest is None:
            return None
        if party.actor is not None:
            evidence = {"workspace_id": party.workspace_id, "by": "backend"}
            audit.record(session, party.actor, "state.downloaded", ("state_version", newest.id), evidence)
        return versions.content_of(session, newest)


def write(caller: Caller, workspace: str, body: bytes, *, lock_id: str | None, content_md5: str | None) -> None:
    """Store a state as the workspace's next version; the current one again is fine.

    Raises the backend's errors; what was a state and is refused goes into quarantine first.
    """
    try:
        with unit_of_work() as session:
            party = _admit(session, caller, workspace, writes=True)
            parsed = backend_body.check(body, content_md5)
            _check_may_write(session, party, lock_id)
            _store(session, party, body, parsed)
    except StateRefused as refusal:
        _keep(caller, workspace, body, refusal)
        raise


def delete(caller: Caller, workspace: str) -> None:
    """Leave an empty state as the newest version; what was before stays among the versions.

    Raises ``StateHoldsResources`` while the state manages anything: those would be forgotten.
    """
    with unit_of_work() as session:
        party = _admit(session, caller, workspace, writes=True)
        held = backend_repository.held_lock(session, party.workspace_id)
        if not party.holds(held):
            if held is not None or party.actor is None:
                raise _held(session, held)
            _refuse_halted(session, party)
        repository.serialize_writers(session, party.workspace_id)
        newest = repository.current(session, party.workspace_id)
        if newest is None:
            return
        if newest.resource_count:
            raise StateHoldsResources(
                f"The state manages {newest.resource_count} resources. Destroy them by a destroy run first: a state "
                "that manages something is never deleted."
            )
        data = backend_body.empty_state(newest.serial + 1, newest.lineage, newest.engine_version)
        _store(session, party, data, backend_body.check(data, None))


def lock(caller: Caller, workspace: str, info: LockInfo) -> None:
    """Take the lock for an engine. A run's lies under the run's own state lock; a person's is a manual lock.

    The same lock id again is fine: engines repeat a request whose answer was lost. Raises ``StateLockHeld``, which
    carries the holder.
    """
    with unit_of_work() as session:
        party = _admit(session, caller, workspace)
        if party.actor is None:
            held = backend_repository.held_lock(session, party.workspace_id)
            if held is None or not party.holds(held):
                raise _held(session, held)
            owns = False
        else:
            held, owns = _lock_by_hand(session, party, party.actor, info)
        note = TerraformEngineLock(
            workspace_id=party.workspace_id,
            organization_id=party.organization_id,
            lock_id=info.id,
            info=info.document(),
            owns_state_lock=owns,
            noted_at=clock.now(),
        )
        noted = backend_repository.note_engine_lock(session, note)
        if noted is None or noted.lock_id != info.id:
            raise _held(session, held)


def _lock_by_hand(
    session: Session, party: _Party, actor: Actor, info: LockInfo
) -> tuple[TerraformStateLock | None, bool]:
    """Take the state lock for a person, or find it taken by them; return it, and whether this took it."""
    _refuse_halted(session, party)
    before = backend_repository.held_lock(session, party.workspace_id)
    if before is not None and not party.holds(before):
        raise _held(session, before)
    if before is None:
        reason = f"{info.operation} with {info.who or 'an engine'}"[:500]
        try:
            locks.lock_manually(session, actor, party.workspace_id, LockRequest(reason=reason))
        except StateLocked as refusal:
            raise _held(session, backend_repository.held_lock(session, party.workspace_id), refusal.detail) from None
    return backend_repository.held_lock(session, party.workspace_id), before is None


def unlock(caller: Caller, workspace: str, info: LockInfo | None) -> None:
    """Give an engine's lock back; a run's state lock stays the run's.

    With another's lock id, or none, it is a force-unlock: the right to unlock is needed, and a living run's lock is
    not taken away. Without any lock there is nothing to do. Raises ``StateLockIdWrong`` and ``StateLockHeld``.
    """
    with unit_of_work() as session:
        party = _admit(session, caller, workspace)
        held = backend_repository.held_lock(session, party.workspace_id)
        if held is None:
            return
        noted = backend_repository.engine_lock(session, party.workspace_id)
        given = info.id.partition(" ")[0] if info is not None else None
        if party.holds(held) and given is not None and noted is None and party.actor is None:
            # The answer to this UNLOCK was lost, and it is sent again.
            return
        if given is not None and given != _lock_id(held, noted):
            raise StateLockIdWrong(
                f"The lock's id is not {given}. Nothing was unlocked; `force-unlock` takes the id that the refusal "
                "of a lock shows.",
                lock_id=_lock_id(held, noted),
            )
        if party.holds(held) and noted is not None:
            session.delete(noted)
            session.flush()
            if not noted.owns_state_lock:
                return
        elif party.actor is None:
            raise _held(session, held)
        _release(session, party, held)


def _release(session: Session, party: _Party, held: TerraformStateLock) -> None:
    assert party.actor is not None
    is_own = party.holds(held)
    if not is_own:
        party.actor.require(Permission.STATE_UNLOCK)
        if held.kind == "run" and held.orphaned_at is None:
            raise _held(session, held)
    evidence = {"kind": held.kind, "run_id": held.run_id, "holder": held.holder, "by": "backend"}
    if not repository.remove_lock(session, held):
        raise _held(session, backend_repository.held_lock(session, party.workspace_id))
    session.expunge(held)
    action = "state.unlocked" if is_own else "state.lock_forced"
    audit.record(session, party.actor, action, ("workspace", party.workspace_id), evidence)
    events.publish(session, StateLockReleased(party.organization_id, party.workspace_id))


def _admit(session: Session, caller: Caller, workspace: str, *, writes: bool = False) -> _Party:
    """Return who asks, once the credential is known to be good for this workspace and for writing."""
    if isinstance(caller, Actor):
        found = workspaces.get(session, caller.organization_id, workspace)
        if not found.is_state_here:
            raise StateKeptElsewhere(
                f"The state of {found.name} lies in its backend {found.state_backend}; what is here is a copy. Use "
                "that backend, or move the state here: `sluice state migrate --to managed`.",
                state_backend=found.state_backend,
            )
        return _Party(caller.organization_id, found.id, caller.describe(), actor=caller)
    credential = backend_repository.credential(session, caller.secret_hash)
    if credential is None:
        raise Unauthenticated("This is no run's credential.")
    if workspace != credential.workspace_id:
        raise RunCredentialForeign("The credential is good for another workspace, its run's own, and for no other.")
    if credential.revoked_at is not None:
        raise RunCredentialQuiesced(
            f"Run {credential.run_id} has quiesced, and its credential with it.", run_id=credential.run_id
        )
    if writes and credential.phase == "plan":
        raise PlanCredentialReadsOnly(
            f"Run {credential.run_id} is a plan: it reads state and never writes it.", run_id=credential.run_id
        )
    return _Party(credential.organization_id, credential.workspace_id, who=credential.holder, credential=credential)


def _check_may_write(session: Session, party: _Party, lock_id: str | None) -> None:
    held = backend_repository.held_lock(session, party.workspace_id)
    if held is None and party.actor is not None and lock_id is None:
        _refuse_halted(session, party)
        return
    if held is None or (party.actor is None and not party.holds(held)):
        holder = f"{_name(held)} holds it now" if held is not None else "nobody holds it now"
        raise StateLockLost(f"The state was sent under a lock that is the sender's no longer: {holder}.")
    if not party.holds(held):
        raise _held(session, held)
    noted = backend_repository.engine_lock(session, party.workspace_id)
    if lock_id != (noted.lock_id if noted is not None else None):
        raise StateLockIdWrong(
            f"The lock's id is not {lock_id}." if lock_id else "The state is locked, and the request names no lock id."
        )


def _store(session: Session, party: _Party, data: bytes, parsed: ParsedState) -> None:
    repository.serialize_writers(session, party.workspace_id)
    newest = repository.current(session, party.workspace_id)
    if newest is not None:
        if newest.digest == sha256_hex(data):
            return
        if newest.lineage != parsed.lineage:
            raise StateLineageForeign(
                f"The state's lineage is {parsed.lineage}, the workspace's is {newest.lineage}: it belongs to another "
                "state. It is in quarantine.",
                expected=newest.lineage,
                found=parsed.lineage,
            )
        if parsed.serial <= newest.serial:
            raise StateSerialOutdated(
                f"The state's serial {parsed.serial} does not rise above the workspace's {newest.serial}. It is in "
                "quarantine.",
                expected=newest.serial + 1,
                found=parsed.serial,
            )
    stored = versions.store_version(
        session,
        organization_id=party.organization_id,
        workspace_id=party.workspace_id,
        run_id=party.run_id,
        kind="snapshot" if party.credential is not None else "applied",
        data=data,
        created_by=party.who,
    )
    if party.actor is not None:
        evidence = {"state_version_id": stored.id, "serial": stored.serial}
        audit.record(session, party.actor, "state.written", ("workspace", party.workspace_id), evidence)
    events.publish(session, StateMoved(party.organization_id, party.workspace_id))


def _keep(caller: Caller, workspace: str, body: bytes, refusal: AppError) -> None:
    """Put a refused state into quarantine: a run's into its own workspace's, whatever workspace it was sent to."""
    if not backend_body.is_state(body):
        return
    with unit_of_work() as session:
        if isinstance(caller, Actor):
            workspace_id = workspaces.get(session, caller.organization_id, workspace).id
            organization_id, run_id, who = caller.organization_id, None, caller.describe()
        else:
            credential = backend_repository.credential(session, caller.secret_hash)
            if credential is None:
                return
            organization_id, workspace_id = credential.organization_id, credential.workspace_id
            run_id, who = credential.run_id, credential.holder
        quarantine.quarantine(
            session,
            organization_id=organization_id,
            workspace_id=workspace_id,
            run_id=run_id,
            kind="snapshot" if run_id is not None else "applied",
            code=refusal.code,
            reason=refusal.detail,
            data=body,
            created_by=who,
        )


def _refuse_halted(session: Session, party: _Party) -> None:
    try:
        fence.hold_shared(session, party.organization_id, party.workspace_id)
    except Halted as halted:
        text = halted.detail
        raise StateHalted(text, ID=f"halt ({text})", Who="a halt", Operation="halt", Info=text) from None


def _held(session: Session, held: TerraformStateLock | None, detail: str | None = None) -> StateLockHeld:
    """Return the refusal that names the holder, as the engines' lock info too."""
    if held is None:
        text = detail or "The run does not hold the state lock, so its engine can't take it."
        return StateLockHeld(text, ID=f"none ({text})", Who="Sluice", Operation="none", Info=text)
    noted = backend_repository.engine_lock(session, held.workspace_id)
    text = f"{_name(held)} holds the state lock since {held.acquired_at:%Y-%m-%d %H:%M:%S} UTC: {held.reason}."
    return StateLockHeld(
        text,
        # Terraform shows nothing but the id, so the holder stands in it too; an unlock may send it with or without.
        ID=f"{_lock_id(held, noted)} (held by {_name(held)})",
        Who=_name(held),
        Operation=str(noted.info.get("Operation", held.reason)) if noted is not None else held.reason,
        Info=text,
        Version=str(noted.info.get("Version", "")) if noted is not None else "",
        Created=held.acquired_at.isoformat(),
        Path=held.workspace_id,
        is_orphaned=held.orphaned_at is not None,
    )


def _lock_id(held: TerraformStateLock, noted: TerraformEngineLock | None) -> str:
    return noted.lock_id if noted is not None else held.run_id or held.workspace_id


def _name(held: TerraformStateLock) -> str:
    name = str(held.holder.get("name", "Somebody"))
    return f"run {held.run_id} of {name}" if held.run_id is not None else name
