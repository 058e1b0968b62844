"""Runs that move a state and change no resource: what they share, and rollbacks."""

import json
from typing import Any

from sqlalchemy.orm import Session

from app.core.artifacts import ArtifactRef, artifact_store
from app.core.errors import Forbidden
from app.core.ids import new_id
from app.core.permissions import Actor
from app.fence import service as fence
from app.runner import summary
from app.runner.port import ArtifactKind, Counts, MovePlan
from app.runs import repository
from app.runs.machine import Facts, Kind, Trigger, decide
from app.runs.models import TerraformRun
from app.runs.requesting import insert
from app.runs.schemas import RollbackRequest, RunSource
from app.specs import service as specs
from app.specs.schemas import SpecVersionOut, TerraformStackSpec
from app.state import service as state
from app.state.errors import StateLocked, StateVersionNotFound
from app.state.schemas import AttributeChange, CurrentState, ResourceChange, StateChanges, StateVersionOut
from app.workspaces import service as workspaces
from app.workspaces.schemas import WorkspaceOut

_ATTRIBUTE_ACTIONS = {"add": "create", "change": "update", "remove": "delete"}
_RESOURCE_ACTIONS = {"add": "import", "change": "update", "remove": "forget"}
"""In the engines' words: a resource that only the state gains or loses is imported or forgotten, not made or
destroyed."""


def request_rollback(
    session: Session, actor: Actor, id_or_name: str, wanted: RollbackRequest
) -> tuple[TerraformRun, WorkspaceOut]:
    """Queue a run that rolls a workspace's state back, and return it with its workspace.

    Raises ``Halted``, ``Forbidden`` for an AI agent, ``StateLocked`` while a run or a person holds the lock, and what
    ``state.rollback_target`` raises.
    """
    workspace = admit(session, actor, id_or_name, "roll a state back")
    found = state.rollback_target(session, actor.organization_id, workspace.id, wanted.state_version_id)
    target = {
        "state_version_id": found.id,
        "state_version_number": found.number,
        "state_version_serial": found.serial,
        "state_version_digest": found.digest,
    }
    message = wanted.message or f"Roll the state back to version {found.number}"
    return queue(session, actor, workspace, Kind.ROLLBACK, target, message, wanted.source), workspace


def admit(session: Session, actor: Actor, id_or_name: str, what: str) -> WorkspaceOut:
    """Return the workspace, its row shared, once its state may be moved.

    Raises ``Forbidden`` for AI agents, ``WorkspaceNotFound``, ``Halted``, and ``StateLocked`` while a run or a person
    holds the state.
    """
    if actor.kind == "agent":
        raise Forbidden(f"{actor.name} is an AI agent. Agents never {what}; ask a person.")
    workspace = workspaces.get(session, actor.organization_id, id_or_name)
    fence.hold_shared(session, actor.organization_id, workspace.id)
    workspaces.lock_share(session, workspace.id)
    held = state.held_lock(session, workspace.id)
    run_id = held.run_id if held is not None else repository.at_work(session, workspace.id)
    if run_id is not None:
        raise StateLocked(
            f"Run {run_id} holds the state of {workspace.name}. Wait until it has quiesced, or cancel it; release its "
            "lock if it is orphaned.",
            run_id=run_id,
        )
    if held is not None:
        raise StateLocked(
            f"{held.holder.get('name', 'Somebody')} holds the state lock of {workspace.name}: {held.reason}. Release "
            "it first (`sluice state unlock`).",
            holder=held.holder,
        )
    return workspace


def queue(
    session: Session,
    actor: Actor,
    workspace: WorkspaceOut,
    kind: Kind,
    target: dict[str, Any],
    message: str,
    source: RunSource,
) -> TerraformRun:
    """Queue a run that moves the workspace's state to ``target``, and return it."""
    decision = decide(kind, None, Trigger.REQUEST, Facts(fence_is_clear=True, inputs_exist=True))
    run = TerraformRun(
        id=new_id("run"),
        organization_id=actor.organization_id,
        workspace_id=workspace.id,
        kind=kind.value,
        status=decision.status.value,
        follows_head=False,
        message=message,
        source=source,
        requested_by=actor.describe(),
        requested_by_id=actor.id,
        spec_version_id=_spec_version(session, actor, workspace).id,
        configuration_digest="",
        target=target,
    )
    insert(session, run, actor)
    return run


def _spec_version(session: Session, actor: Actor, workspace: WorkspaceOut) -> SpecVersionOut:
    """Return the version that says which engine the workspace uses; no configuration of it is laid out."""
    if workspace.head is not None:
        return specs.version(session, actor.organization_id, workspace.head.id)
    return specs.add_detached_version(session, actor, workspace.stack.id, TerraformStackSpec(name=workspace.stack.name))


def outline(session: Session, run: TerraformRun, found: bytes | None) -> MovePlan:
    """Compare what is with what will be, and store the plan: its document, its view, and the state to write.

    ``found`` is the state that the workspace's backend holds, where Sluice doesn't keep it. Raises
    ``StateVersionNotFound`` and ``StateVersionPruned``.
    """
    newest = state.current(session, run.workspace_id)
    target = state.by_id(session, run.organization_id, str((run.target or {})["state_version_id"]))
    if newest is None or target is None:
        raise StateVersionNotFound("The state version is no longer there: its workspace was emptied meanwhile.")
    before = found if found is not None else state.content(session, run.organization_id, newest.id)
    after = state.rolled_back(session, run.organization_id, target.id, int(json.loads(before)["serial"]))
    changes = state.changes(session, run.workspace_id, before, after)
    counts = _counts(changes)
    has_changes = bool(changes.resources or changes.outputs)
    change = _change(newest, target, changes)
    view = _view(target, changes, counts, has_changes=has_changes)
    return MovePlan(
        has_changes=has_changes,
        counts=counts,
        output_changes=len(changes.outputs),
        plan_file=put(run, "plan_file", after),
        plan_json=put(run, "plan_json", document(target.engine_version, change)),
        plan_view=put(run, "plan_view", view_json(view, {name: change[name] for name in ("kind", "from", "to")})),
    )


def put(run: TerraformRun, kind: ArtifactKind, data: bytes) -> ArtifactRef:
    """Store an artifact of the run."""
    return artifact_store().put(data, organization_id=run.organization_id, kind=kind, owner=run.id)


def _counts(changes: StateChanges) -> Counts:
    managed = [item.op for item in changes.resources if item.mode == "managed"]
    return Counts(imports=managed.count("add"), change=managed.count("change"), forget=managed.count("remove"))


def document(engine_version: str, change: dict[str, Any]) -> bytes:
    """Return what policies judge: a plan that touches no resource, and beside it what happens to the state."""
    return json.dumps(
        {
            "format_version": "1.2",
            "terraform_version": engine_version,
            "planned_values": {"root_module": {}},
            "resource_changes": [],
            "output_changes": {},
            "configuration": {"root_module": {}},
            "state_change": change,
        }
    ).encode()


def _change(newest: CurrentState, target: StateVersionOut, changes: StateChanges) -> dict[str, Any]:
    return {
        "kind": Kind.ROLLBACK.value,
        "from": {"lineage": newest.lineage, "serial": newest.serial, "number": newest.number},
        "to": {"lineage": target.lineage, "serial": target.serial, "number": target.number},
        "resources": [
            {**item.model_dump(exclude={"attributes", "op"}), "action": _RESOURCE_ACTIONS[item.op]}
            for item in changes.resources
        ],
        "outputs": [
            {"name": item.name, "action": _ATTRIBUTE_ACTIONS[item.op], "sensitive": item.sensitive}
            for item in changes.outputs
        ],
    }


def view_json(view: summary.PlanView, change: dict[str, Any]) -> bytes:
    """Return a plan's view with what happens to the state, as JSON, to be stored."""
    return json.dumps({**view.model_dump(mode="json"), "state_change": change}).encode()


def _view(target: StateVersionOut, changes: StateChanges, counts: Counts, *, has_changes: bool) -> summary.PlanView:
    return summary.PlanView(
        engine_version=target.engine_version,
        has_changes=has_changes,
        counts=counts.model_dump(by_alias=True),
        resources=tuple(_resource(item) for item in changes.resources),
        outputs=tuple(
            summary.OutputChange(
                name=item.name,
                action=_ATTRIBUTE_ACTIONS[item.op],
                before=item.before,
                after=item.after,
                after_unknown=False,
                sensitive=item.sensitive,
            )
            for item in changes.outputs
        ),
        drift=(),
    )


def _resource(item: ResourceChange) -> summary.ResourceChange:
    shown = () if item.op == "remove" else tuple(_attribute(change) for change in item.attributes)
    return summary.ResourceChange(
        address=item.address,
        module=item.module,
        mode=item.mode,
        type=item.type,
        name=item.name,
        index=None,
        provider=item.provider,
        action=_RESOURCE_ACTIONS[item.op],
        replace_order=None,
        reason=None,
        previous_address=None,
        attributes=shown,
        unchanged_count=0,
    )


def _attribute(change: AttributeChange) -> summary.AttributeChange:
    return summary.AttributeChange(
        path=change.path,
        action=_ATTRIBUTE_ACTIONS[change.op],  # type: ignore[arg-type]  # the values are its three
        before=change.before,
        after=change.after,
        before_sensitive=change.sensitive,
        after_sensitive=change.sensitive,
    )
