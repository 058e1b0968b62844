"""Bringing a state in that was made without Sluice."""

from typing import Any

from sqlalchemy.orm import Session

from app.audit import service as audit
from app.core import events
from app.core.canonical import sha256_hex
from app.core.idempotency import once
from app.core.permissions import Actor
from app.fence import service as fence
from app.state import repository, versions
from app.state.errors import StateElsewhere, StateExists, StateLocked
from app.state.events import StateMoved
from app.state.schemas import StateLocking, StateVersionOut
from app.workspaces import service as workspaces

KEPT_BY_SLUICE: frozenset[str] = frozenset({"managed", "local"})
"""Backends whose state is a state version here, and nowhere else."""


def import_state(session: Session, actor: Actor, workspace: str, data: bytes, key: str | None) -> dict[str, Any]:
    """Make a state file the workspace's first state version, once per idempotency key; return it as JSON data.

    Raises what ``bring_in`` raises.
    """
    request = ("import_state", {"workspace": workspace, "digest": sha256_hex(data)})
    return once(session, actor, key, request, lambda: bring_in(session, actor, workspace, data, {"from": "file"}))


def bring_in(session: Session, actor: Actor, workspace: str, data: bytes, source: dict[str, Any]) -> StateVersionOut:
    """Make ``data`` the workspace's first state version; audited with its ``source``. The current state again is fine.

    Raises ``StateUnreadable`` and ``StateEncrypted``; ``Halted`` under a halt; ``StateElsewhere``; ``StateLocked``
    while a run is at work or another holds the lock; ``StateExists``.
    """
    found = workspaces.get(session, actor.organization_id, workspace)
    prepared = versions.prepare(data)
    fence.hold_shared(session, actor.organization_id, found.id)
    workspaces.lock_exclusive(session, found.id)
    found = workspaces.get(session, actor.organization_id, found.id)
    if found.state_backend not in KEPT_BY_SLUICE:
        raise StateElsewhere(
            f"The state of {found.name} lies in its backend {found.state_backend}, where its first plan finds it. To "
            "have Sluice keep it, import into a workspace with the backend managed."
        )
    newest = repository.current(session, found.id)
    if newest is not None and newest.digest == prepared.digest:
        return StateVersionOut.model_validate(newest)
    events.publish(session, StateLocking(actor.organization_id, found.id))
    held = repository.lock(session, found.id)
    if held is not None and not (held.kind == "manual" and held.holder.get("id") == actor.id):
        raise StateLocked(f"The state lock of {found.name} is held. Release it, then import the state.")
    if newest is not None:
        raise StateExists(
            f"{found.name} has state version {newest.number} already, and an import never replaces one. Import into a "
            "new workspace; what was refused earlier is in quarantine (`sluice state quarantine list`)."
        )
    made = versions.store_version(
        session,
        organization_id=actor.organization_id,
        workspace_id=found.id,
        run_id=None,
        kind="imported",
        data=data,
        created_by=actor.describe(),
        prepared=prepared,
    )
    found_in = {"serial": prepared.parsed.serial, "lineage": prepared.parsed.lineage}
    evidence = {"state_version_id": made.id, **found_in, "digest": made.digest}
    audit.record(session, actor, "state.imported", ("workspace", found.id), {**evidence, "source": source})
    events.publish(session, StateMoved(actor.organization_id, found.id))
    return made
