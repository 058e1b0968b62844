"""Workspaces: a stack's places, each with its own state, variables and rules.

Every write locks the workspace exclusively before it looks, so that approve and verify, which share the lock, see all
of a change or none of it.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from app.audit import service as audit
from app.core import clock
from app.core.events import publish
from app.core.ids import new_id
from app.core.pages import PageParams
from app.core.permissions import Actor, Permission
from app.fence import service as fence
from app.identity import service as identity
from app.specs import service as specs
from app.specs.errors import SpecVersionNotFound
from app.workspaces import repository, variables
from app.workspaces.errors import WorkspaceExists, WorkspaceHalted, WorkspaceInvalid, WorkspaceNotFound
from app.workspaces.models import TerraformWorkspace
from app.workspaces.schemas import (
    APPROVAL_RULES,
    GATE_RULES,
    ApprovalRulesChanged,
    HeadRef,
    Reference,
    ResolvedVariable,
    VariableIn,
    VariableKind,
    VariableOut,
    WorkspaceChange,
    WorkspaceDeleting,
    WorkspaceFilter,
    WorkspaceHeadMoved,
    WorkspaceIn,
    WorkspaceOut,
    WorkspaceTagsChanged,
)

specs.set_workspace_counter(repository.counts_by_stack)


def create(session: Session, actor: Actor, wanted: WorkspaceIn) -> WorkspaceOut:
    """Create a workspace with its lowered fence.

    Rules of the gate other than the defaults need ``workspaces:rules``. Raises ``StackNotFound``,
    ``WorkspaceExists``, ``WorkspaceInvalid`` or ``Forbidden``.
    """
    stack = specs.get_stack(session, actor.organization_id, wanted.stack)
    values = wanted.model_dump(exclude={"stack", "approver_teams"})
    values["approver_team_ids"] = _team_ids(session, actor, wanted.approver_teams)
    defaults = WorkspaceIn(name="x", stack="x").model_dump(exclude={"approver_teams"}) | {"approver_team_ids": []}
    _require_rules(actor, {field for field in GATE_RULES if values[field] != defaults[field]})
    _check_pin(session, actor, stack.id, wanted.pinned_version_id)
    workspace_id = new_id("ws")
    values |= {
        "id": workspace_id,
        "organization_id": actor.organization_id,
        "stack_id": stack.id,
        "state_backend": "local",
        "created_by": actor.describe(),
        "created_at": clock.now(),
    }
    if not repository.insert_unless_there(session, values):
        raise _name_taken(wanted.name)
    fence.create_fence(session, "workspace", workspace_id, actor.organization_id)
    evidence = {"name": wanted.name, "stack_id": stack.id, **_rules(values)}
    audit.record(session, actor, "workspace.created", ("workspace", workspace_id), evidence)
    return get(session, actor.organization_id, workspace_id)


def change(session: Session, actor: Actor, id_or_name: str, wanted: WorkspaceChange) -> WorkspaceOut:
    """Change settings and rules, and tell who depends on what moved.

    A rule of the gate, and taking a tag away (policies may bind to it), need ``workspaces:rules``. Raises
    ``WorkspaceNotFound``, ``WorkspaceExists``, ``WorkspaceInvalid`` or ``Forbidden``.
    """
    found = _get(session, actor.organization_id, id_or_name)
    row = repository.lock_exclusive(session, found.id)
    if row is None:
        raise _not_found(id_or_name)
    moved = _changes(session, actor, row, wanted)
    if not moved:
        return _present(session, [row])[0]
    is_loosened = "tags" in moved and bool(set(row.tags) - set(moved["tags"]))
    _require_rules(actor, (moved.keys() & GATE_RULES) | ({"tags"} if is_loosened else set()))
    if "name" in moved and repository.by_id_or_name(session, actor.organization_id, moved["name"]) is not None:
        raise _name_taken(moved["name"])
    if "pinned_version_id" in moved:
        _check_pin(session, actor, row.stack_id, moved["pinned_version_id"])
    evidence = {field: {"before": getattr(row, field), "after": value} for field, value in moved.items()}
    for field, value in moved.items():
        setattr(row, field, value)
    session.flush()
    audit.record(session, actor, "workspace.changed", ("workspace", row.id), evidence)
    _tell(session, row.id, set(moved))
    return _present(session, [row])[0]


def delete(session: Session, actor: Actor, id_or_name: str) -> None:
    """Delete a workspace, unless someone who hears ``WorkspaceDeleting`` objects.

    Raises ``WorkspaceNotFound``, ``WorkspaceHalted``, and what a subscriber raises (``WorkspaceInUse``).
    """
    found = _get(session, actor.organization_id, id_or_name)
    if fence.hold_exclusive(session, found.id).is_raised:
        raise WorkspaceHalted(f"A halt stands over {found.name}. Resume it before you delete it.")
    row = repository.lock_exclusive(session, found.id)
    if row is None:
        raise _not_found(id_or_name)
    publish(session, WorkspaceDeleting(row.id, row.organization_id))
    audit.record(session, actor, "workspace.deleted", ("workspace", row.id), {"name": row.name})
    fence.remove_fence(session, row.id)
    repository.delete(session, row)


def get(session: Session, organization_id: str, id_or_name: str) -> WorkspaceOut:
    """Return a workspace. Raises ``WorkspaceNotFound``, for another organization's too."""
    return _present(session, [_get(session, organization_id, id_or_name)])[0]


def get_many(session: Session, workspace_ids: Sequence[str]) -> dict[str, WorkspaceOut]:
    """Return the workspaces of those ids, by id; for lists that show them. The caller has checked who asks."""
    rows = repository.by_ids(session, workspace_ids)
    return {found.id: found for found in _present(session, rows)}


def page(
    session: Session, organization_id: str, wanted: WorkspaceFilter, params: PageParams
) -> tuple[list[WorkspaceOut], str | None]:
    """Return one page of workspaces by name, and the next cursor."""
    rows, cursor = repository.page(session, organization_id, wanted, params)
    return _present(session, rows), cursor


def following(session: Session, stack_id: str) -> list[str]:
    """Return the ids of the workspaces that follow the stack's head, in the order in which they are to be locked."""
    return list(repository.following(session, stack_id))


def lock_exclusive(session: Session, workspace_id: str) -> None:
    """Lock the workspace until the transaction ends: no one else holds it, shared or not.

    Raises ``WorkspaceNotFound``.
    """
    if repository.lock_exclusive(session, workspace_id) is None:
        raise _not_found(workspace_id)


def lock_share(session: Session, workspace_id: str) -> None:
    """Lock the workspace against writers until the transaction ends. Raises ``WorkspaceNotFound``."""
    if repository.lock_share(session, workspace_id) is None:
        raise _not_found(workspace_id)


def put_variable(
    session: Session, actor: Actor, id_or_name: str, kind: VariableKind, key: str, wanted: VariableIn
) -> VariableOut:
    """Set a variable of the workspace. Raises ``WorkspaceNotFound`` or ``VariableInvalid``."""
    return variables.put(session, actor, _get(session, actor.organization_id, id_or_name).id, kind, key, wanted)


def delete_variable(session: Session, actor: Actor, id_or_name: str, kind: VariableKind, key: str) -> None:
    """Delete a variable of the workspace. Raises ``WorkspaceNotFound`` or ``VariableNotFound``."""
    variables.delete(session, actor, _get(session, actor.organization_id, id_or_name).id, kind, key)


def list_variables(session: Session, organization_id: str, id_or_name: str) -> list[VariableOut]:
    """Return the workspace's variables; sensitive ones without their value. Raises ``WorkspaceNotFound``."""
    return variables.listed(session, _get(session, organization_id, id_or_name).id)


def variables_for_run(session: Session, workspace_id: str) -> list[ResolvedVariable]:
    """Return the workspace's variables with their plain values: for the run's process alone."""
    return variables.for_run(session, workspace_id)


def variable_version_ids(session: Session, workspace_id: str) -> list[str]:
    """Return the ids of the variables' current versions, sorted: they stand for the values in a fingerprint."""
    return list(repository.version_ids(session, workspace_id))


def sensitive_version_ids(session: Session, workspace_id: str) -> set[str]:
    """Return the ids of the current versions of sensitive variables."""
    return set(repository.version_ids(session, workspace_id, is_sensitive=True))


def _changes(session: Session, actor: Actor, row: TerraformWorkspace, wanted: WorkspaceChange) -> dict[str, Any]:
    """Return the columns that ``wanted`` gives another value."""
    values: dict[str, Any] = {field: getattr(wanted, field) for field in wanted.model_fields_set}
    if "approver_teams" in values:
        values["approver_team_ids"] = _team_ids(session, actor, values.pop("approver_teams") or [])
    nullable = {"pinned_version_id", "plan_max_age_seconds", "engine_kind"}
    for field, value in values.items():
        if value is None and field not in nullable:
            message = "can't be null; leave it out to keep what it is"
            raise WorkspaceInvalid(f"{field}: {message}.", errors=[{"field": field, "message": message}])
    return {field: value for field, value in values.items() if getattr(row, field) != value}


def _tell(session: Session, workspace_id: str, moved: set[str]) -> None:
    if "pinned_version_id" in moved:
        publish(session, WorkspaceHeadMoved(workspace_id))
    if moved & APPROVAL_RULES:
        publish(session, ApprovalRulesChanged(workspace_id))
    if "tags" in moved:
        publish(session, WorkspaceTagsChanged(workspace_id))


def _require_rules(actor: Actor, fields: set[str]) -> None:
    if fields and actor.kind != "system":
        actor.require(Permission.WORKSPACES_RULES)


def _team_ids(session: Session, actor: Actor, ids_or_names: Sequence[str]) -> list[str]:
    return sorted(team.id for team in identity.teams_named(session, actor.organization_id, ids_or_names))


def _check_pin(session: Session, actor: Actor, stack_id: str, version_id: str | None) -> None:
    if version_id is None:
        return
    try:
        version = specs.version(session, actor.organization_id, version_id)
        problem = "belongs to another stack" if version.stack_id != stack_id else None
        problem = "was never pushed" if problem is None and version.number is None else problem
    except SpecVersionNotFound:
        problem = "does not exist"
    if problem is not None:
        message = f"{version_id} {problem}; name a pushed version of the workspace's stack, or null to follow it"
        raise WorkspaceInvalid(
            f"pinned_version_id: {message}.", errors=[{"field": "pinned_version_id", "message": message}]
        )


def _rules(values: dict[str, Any]) -> dict[str, Any]:
    return {field: values[field] for field in sorted(GATE_RULES)}


def _name_taken(name: str) -> WorkspaceExists:
    message = f"there is a workspace {name!r} already; choose another name"
    return WorkspaceExists(f"name: {message}.", errors=[{"field": "name", "message": message}])


def _not_found(id_or_name: str) -> WorkspaceNotFound:
    return WorkspaceNotFound(f"There is no workspace {id_or_name!r}.")


def _get(session: Session, organization_id: str, id_or_name: str) -> TerraformWorkspace:
    row = repository.by_id_or_name(session, organization_id, id_or_name)
    if row is None:
        raise _not_found(id_or_name)
    return row


def _present(session: Session, rows: Sequence[TerraformWorkspace]) -> list[WorkspaceOut]:
    """Present workspaces in a number of queries that does not grow with them."""
    stacks = specs.stack_refs(session, sorted({row.stack_id for row in rows}))
    head_ids = {row.id: row.pinned_version_id or stacks[row.stack_id].latest_version_id for row in rows}
    heads = specs.version_refs(session, sorted({head for head in head_ids.values() if head is not None}))
    teams: dict[str, str] = {}
    for organization_id in {row.organization_id for row in rows}:
        wanted = {team for row in rows if row.organization_id == organization_id for team in row.approver_team_ids}
        teams |= identity.team_names(session, organization_id, sorted(wanted))
    return [_out(row, stacks[row.stack_id].name, heads.get(head_ids[row.id] or ""), teams) for row in rows]


def _out(row: TerraformWorkspace, stack_name: str, head: Any, teams: dict[str, str]) -> WorkspaceOut:
    return WorkspaceOut(
        id=row.id,
        name=row.name,
        description=row.description,
        tags=row.tags,
        stack=Reference(id=row.stack_id, name=stack_name),
        head=HeadRef(id=head.id, number=head.number, hash=head.hash) if head is not None else None,
        pinned_version_id=row.pinned_version_id,
        required_approvals=row.required_approvals,
        approver_teams=[Reference(id=team, name=teams.get(team, "(deleted team)")) for team in row.approver_team_ids],
        requester_may_approve=row.requester_may_approve,
        auto_apply=row.auto_apply,
        auto_apply_allows_destroy=row.auto_apply_allows_destroy,
        plan_max_age_seconds=row.plan_max_age_seconds,
        engine_kind=row.engine_kind,  # type: ignore[arg-type]  # written through WorkspaceIn only
        state_backend=row.state_backend,  # type: ignore[arg-type]  # the same
        created_at=row.created_at,
    )
