"""Workspaces: create, change, delete, lock, look up."""

from collections.abc import Mapping, Sequence

from sqlalchemy.orm import Session

from app.audit import service as audit
from app.core import clock
from app.core.errors import Invalid
from app.core.events import publish
from app.core.ids import new_id
from app.core.pages import PageParams
from app.core.permissions import Actor, Permission
from app.core.settings import get_settings
from app.fence import service as fence
from app.identity import service as identity
from app.specs import service as specs
from app.specs.schemas import StackRef, StackVersionSummary
from app.workspaces import gate_rules, placement, repository
from app.workspaces.errors import RulesMustBePerson, TagsAreRules, WorkspaceExists, WorkspaceHalted
from app.workspaces.lookup import find, find_with_stack, lock
from app.workspaces.models import TerraformWorkspace
from app.workspaces.placement import check_backend, move_state_backend
from app.workspaces.schemas import (
    ApprovalRulesChanged,
    EnginePinChanged,
    HeadRef,
    Named,
    NewWorkspace,
    Rules,
    StateBackendChanging,
    TagsChanged,
    WorkspaceChange,
    WorkspaceDeleting,
    WorkspaceFilter,
    WorkspaceHeadMoved,
    WorkspaceOut,
)
from app.workspaces.variables import (
    delete_variable,
    put_variable,
    sensitive_inputs,
    sensitive_version_ids,
    variable_version_ids,
    variables,
    variables_for_run,
)

__all__ = [
    "ages",
    "change",
    "check_backend",
    "count",
    "counts_by_stack",
    "create",
    "delete",
    "delete_variable",
    "following_head",
    "get",
    "get_locked",
    "get_many",
    "ids_with_tag",
    "lock_exclusive",
    "lock_share",
    "move_state_backend",
    "page",
    "put_variable",
    "sensitive_inputs",
    "sensitive_version_ids",
    "validities",
    "variable_version_ids",
    "variables",
    "variables_for_run",
]

RULE_FIELDS = frozenset(
    {
        "required_approvals",
        "approver_team_ids",
        "requester_may_approve",
        "approval_validity_seconds",
        "approval_conditions",
        "auto_apply",
        "auto_apply_allows_destroy",
    }
)
"""Rules whose change voids approvals."""

GATE_FIELDS = RULE_FIELDS | {"plan_max_age_seconds"}
"""Rules of the gate: setting one needs a right of its own, which people alone hold."""


def get(session: Session, organization_id: str, id_or_name: str) -> WorkspaceOut:
    """Return a workspace. Raises ``WorkspaceNotFound``, for another organization's too."""
    row, stack = find_with_stack(session, organization_id, id_or_name)
    return present(session, [row], {stack.id: stack})[0]


def get_many(session: Session, ids: Sequence[str]) -> dict[str, WorkspaceOut]:
    """Return the workspaces of those ids, by id; for lists that show them. The caller has checked who asks."""
    return {item.id: item for item in present(session, repository.of_ids(session, ids))}


def page(
    session: Session,
    organization_id: str,
    wanted: WorkspaceFilter,
    params: PageParams,
    only: Sequence[str] | None = None,
) -> tuple[list[WorkspaceOut], str | None]:
    """Return one page of workspaces by name; ``only`` keeps those of these ids."""
    stacks = specs.stack_ids_matching(session, organization_id, wanted.search) if wanted.search else []
    rows, cursor = repository.page(session, organization_id, wanted, stacks, params, only)
    return present(session, rows), cursor


def count(session: Session, organization_id: str) -> int:
    """Return how many workspaces the organization has."""
    return repository.count(session, organization_id)


def counts_by_stack(session: Session, stack_ids: Sequence[str]) -> dict[str, int]:
    """Return how many workspaces each stack has."""
    return repository.counts_by_stack(session, stack_ids)


def ids_with_tag(session: Session, organization_id: str, tag: str) -> list[str]:
    """Return the ids of the organization's workspaces that have the tag."""
    return list(repository.ids_with_tag(session, organization_id, tag))


def following_head(session: Session, stack_id: str) -> list[str]:
    """Return the stack's workspaces that follow its head."""
    return list(repository.following_head(session, stack_id))


def ages(session: Session) -> list[tuple[str, int]]:
    """Return (workspace id, maximum age of a plan in seconds) where there is one."""
    return list(repository.ages(session))


def validities(session: Session) -> list[tuple[str, int]]:
    """Return (workspace id, seconds that an approval counts) where there is a bound."""
    return list(repository.validities(session))


def lock_exclusive(session: Session, workspace_id: str) -> None:
    """Lock the workspace's row for oneself until commit. Raises ``WorkspaceNotFound``."""
    lock(session, workspace_id, exclusive=True)


def lock_share(session: Session, workspace_id: str) -> None:
    """Lock the workspace's row against writers until commit. Raises ``WorkspaceNotFound``."""
    lock(session, workspace_id, exclusive=False)


def get_locked(session: Session, workspace_id: str, *, exclusive: bool) -> WorkspaceOut:
    """Return a workspace with its row locked until commit, as the two above do. Raises ``WorkspaceNotFound``."""
    return present(session, [lock(session, workspace_id, exclusive=exclusive)])[0]


def create(session: Session, actor: Actor, wanted: NewWorkspace) -> WorkspaceOut:
    """Create a workspace, with its fence.

    Rules of the gate other than the defaults need ``workspaces:rules``. Raises ``StackNotFound``, ``WorkspaceExists``,
    ``Forbidden``, ``BackendSettingsInvalid``, ``StateLocationTaken``, and ``Invalid`` for unknown teams or a version
    that is no pushed one of the stack.
    """
    defaults = Rules()
    _require_rules(actor, {name for name in GATE_FIELDS if getattr(wanted, name) != getattr(defaults, name)})
    stack = specs.get_stack(session, actor.organization_id, wanted.stack)
    _check(session, actor, stack.id, wanted.pinned_version_id)
    teams = gate_rules.with_teams(session, actor.organization_id, wanted, {"approver_team_ids", "approval_conditions"})
    workspace_id = new_id("ws")
    backend = placement.chosen(session, actor.organization_id, workspace_id, wanted)
    row = TerraformWorkspace(
        id=workspace_id,
        organization_id=actor.organization_id,
        stack_id=stack.id,
        created_at=clock.now(),
        created_by=actor.describe(),
        **wanted.model_dump(exclude={"stack", "tags", "requester_may_approve", *backend, *teams}),
        **backend,
        **teams,
        tags=sorted(set(wanted.tags)),
        requester_may_approve=_requester_may_approve(session, actor, wanted),
    )
    if not repository.insert_unless_there(session, row):
        message = "another workspace of this organization has this name; choose another"
        raise WorkspaceExists.of_field("name", message)
    fence.create_fence(session, "workspace", row.id, actor.organization_id)
    evidence = wanted.model_dump(mode="json") | backend | teams
    audit.record(session, actor, "workspace.created", ("workspace", row.id), evidence)
    return get(session, actor.organization_id, row.id)


def _requester_may_approve(session: Session, actor: Actor, wanted: NewWorkspace) -> bool:
    """Return the wish, else the default: where one person is all there is, nobody else could ever approve."""
    if "requester_may_approve" in wanted.model_fields_set or not get_settings().single_member_may_approve:
        return wanted.requester_may_approve
    return identity.count_people(session, actor.organization_id) == 1


def change(session: Session, actor: Actor, workspace: str, wanted: WorkspaceChange) -> WorkspaceOut:
    """Change settings; what the request leaves out stays. Publishes what it moved, under the row's exclusive lock.

    A rule of the gate, and taking a tag away (policies may bind to it), need ``workspaces:rules``. Raises
    ``WorkspaceNotFound``, ``WorkspaceExists``, ``Forbidden``, ``StateBackendFixed``, ``StateLocationTaken`` and, as
    ``create`` does, ``Invalid``.
    """
    found = find(session, actor.organization_id, workspace)
    row = lock(session, found.id, exclusive=True)
    values = {name: getattr(wanted, name) for name in wanted.model_fields_set}
    if "tags" in values and values["tags"] is not None:
        values["tags"] = sorted(set(values["tags"]))
    _check(session, actor, row.stack_id, values.get("pinned_version_id"))
    values |= gate_rules.with_teams(session, actor.organization_id, wanted, wanted.model_fields_set)
    if values.get("name") not in (None, row.name) and repository.find(session, actor.organization_id, values["name"]):
        message = "another workspace of this organization has this name; choose another"
        raise WorkspaceExists.of_field("name", message)
    backend = placement.wanted(session, row, wanted)
    values = {name: value for name, value in values.items() if not name.startswith("state_backend")} | backend
    nullable = {
        "pinned_version_id",
        "approval_validity_seconds",
        "plan_max_age_seconds",
        "engine_kind",
        "engine_version",
    }
    changed = {
        name: value
        for name, value in values.items()
        if (value is not None or name in nullable) and getattr(row, name) != value
    }
    if not changed:
        return present(session, [row])[0]
    loses_a_tag = bool(set(row.tags) - set(changed.get("tags", row.tags)))
    _require_rules(actor, (changed.keys() & GATE_FIELDS) | ({"tags"} if loses_a_tag else set()))
    if changed.keys() & backend.keys():
        publish(session, StateBackendChanging(row.organization_id, row.id))
    evidence = {name: {"before": getattr(row, name), "after": value} for name, value in changed.items()}
    for name, value in changed.items():
        setattr(row, name, value)
    session.flush()
    audit.record(session, actor, "workspace.changed", ("workspace", row.id), evidence)
    if "pinned_version_id" in changed:
        publish(session, WorkspaceHeadMoved(row.organization_id, row.id))
    if {"engine_kind", "engine_version"} & changed.keys():
        publish(session, EnginePinChanged(row.organization_id, row.id))
    if RULE_FIELDS & changed.keys():
        publish(session, ApprovalRulesChanged(row.organization_id, row.id))
    if "tags" in changed:
        publish(session, TagsChanged(row.organization_id, row.id))
    return present(session, [row])[0]


def delete(session: Session, actor: Actor, workspace: str) -> None:
    """Delete a workspace that has no living run and no resources left; subscribers refuse by raising.

    Raises ``WorkspaceNotFound`` and ``WorkspaceHalted``.
    """
    found = find(session, actor.organization_id, workspace)
    if fence.hold_exclusive(session, found.id).is_raised:
        raise WorkspaceHalted(f"A halt stands over {found.name}: resume it before you delete the workspace.")
    row = lock(session, found.id, exclusive=True)
    publish(session, WorkspaceDeleting(row.organization_id, row.id))
    audit.record(session, actor, "workspace.deleted", ("workspace", row.id), {"name": row.name})
    session.delete(row)
    fence.remove_fence(session, row.id)
    session.flush()


def present(
    session: Session, rows: Sequence[TerraformWorkspace], stacks: Mapping[str, StackRef] | None = None
) -> list[WorkspaceOut]:
    """Present workspaces, in a number of queries that does not grow with them; their stacks are read unless given."""
    if not rows:
        return []
    organization_id = rows[0].organization_id
    if stacks is None:
        stacks = specs.stack_refs(session, sorted({row.stack_id for row in rows}))
    heads = {row.id: row.pinned_version_id or stacks[row.stack_id].latest_version_id for row in rows}
    versions = specs.version_refs(session, sorted({head for head in heads.values() if head is not None}))
    team_ids = sorted({team for row in rows for team in gate_rules.team_ids(row)})
    teams = identity.team_names(session, organization_id, team_ids) if team_ids else {}
    return [
        WorkspaceOut(
            id=row.id,
            organization_id=row.organization_id,
            name=row.name,
            description=row.description,
            tags=row.tags,
            stack=Named(id=row.stack_id, name=stacks[row.stack_id].name),
            head=_head(versions.get(heads[row.id] or "")),
            pinned_version_id=row.pinned_version_id,
            required_approvals=row.required_approvals,
            approver_teams=[Named(id=team, name=teams.get(team, team)) for team in row.approver_team_ids],
            requester_may_approve=row.requester_may_approve,
            approval_validity_seconds=row.approval_validity_seconds,
            approval_conditions=gate_rules.present_conditions(row, teams),
            auto_apply=row.auto_apply,
            auto_apply_allows_destroy=row.auto_apply_allows_destroy,
            plan_max_age_seconds=row.plan_max_age_seconds,
            engine_kind=row.engine_kind,  # type: ignore[arg-type]  # the column holds an EngineKind
            engine_version=row.engine_version,
            state_backend=row.state_backend,  # type: ignore[arg-type]  # the column holds a StateBackend
            state_backend_settings=row.state_backend_settings,
            created_at=row.created_at,
        )
        for row in rows
    ]


def _require_rules(actor: Actor, fields: set[str]) -> None:
    right = Permission.WORKSPACES_RULES
    if not fields or actor.kind == "system" or actor.may(right):
        return
    named = ", ".join(sorted(fields))
    if actor.kind != "person":
        raise RulesMustBePerson(
            f"{named}: only people change what it takes to pass the gate, and {actor.name} is none. Ask an admin.",
            permission=right.value,
        )
    if fields == {"tags"}:
        raise TagsAreRules(
            f"tags: policies may bind a workspace by a tag, so taking one away takes {right.value}. "
            f"{actor.why_not([right])}",
            permission=right.value,
        )
    actor.require(right)


def _head(version: StackVersionSummary | None) -> HeadRef | None:
    return HeadRef(id=version.id, number=version.number, hash=version.hash) if version is not None else None


def _check(session: Session, actor: Actor, stack_id: str, pinned: str | None) -> None:
    version = specs.version(session, actor.organization_id, pinned) if pinned is not None else None
    if version is not None and (version.stack_id != stack_id or version.number is None):
        problem = "is a version of another stack" if version.stack_id != stack_id else "was never pushed"
        message = f"{problem}; name a pushed version of the workspace's stack, or null to follow the stack"
        raise Invalid.of_field("pinned_version_id", message)
