"""Workspaces and variables over HTTP. The list, with runs and state beside it, belongs to overview."""

from typing import Annotated

from fastapi import APIRouter

from app.core.db import SessionDep
from app.core.http import error_responses
from app.core.permissions import Actor, Permission, requires
from app.specs.errors import SpecVersionNotFound, StackNotFound
from app.workspaces import service
from app.workspaces.errors import (
    BackendSettingsInvalid,
    RulesMustBePerson,
    StateBackendFixed,
    StateLocationTaken,
    TagsAreRules,
    VariableNotFound,
    VariableRefused,
    WorkspaceBusy,
    WorkspaceExists,
    WorkspaceHalted,
    WorkspaceNotFound,
)
from app.workspaces.schemas import (
    NewWorkspace,
    VariableIn,
    VariableKey,
    VariableKind,
    VariableOut,
    WorkspaceChange,
    WorkspaceOut,
)

router = APIRouter(prefix="/terraform/workspaces", tags=["workspaces"])
Reader = Annotated[Actor, requires(Permission.WORKSPACES_READ)]
Writer = Annotated[Actor, requires(Permission.WORKSPACES_WRITE)]
_SETTINGS = (SpecVersionNotFound, StateLocationTaken, BackendSettingsInvalid, RulesMustBePerson, TagsAreRules)
"""What is wrong with the settings that a workspace is given, when it is made and later."""


@router.post(
    "",
    operation_id="create_workspace",
    summary="Create a workspace",
    status_code=201,
    responses=error_responses(WorkspaceExists, StackNotFound, *_SETTINGS),
)
def create_workspace(wanted: NewWorkspace, session: SessionDep, actor: Writer) -> WorkspaceOut:
    """Create a workspace of a stack, with its rules."""
    return service.create(session, actor, wanted)


@router.get(
    "/{workspace}",
    operation_id="get_workspace",
    summary="Read a workspace",
    responses=error_responses(WorkspaceNotFound),
)
def get_workspace(workspace: str, session: SessionDep, actor: Reader) -> WorkspaceOut:
    """Return a workspace by name or id."""
    return service.get(session, actor.organization_id, workspace)


@router.patch(
    "/{workspace}",
    operation_id="change_workspace",
    summary="Change a workspace's settings",
    responses=error_responses(WorkspaceNotFound, WorkspaceExists, StateBackendFixed, *_SETTINGS),
)
def change_workspace(workspace: str, wanted: WorkspaceChange, session: SessionDep, actor: Writer) -> WorkspaceOut:
    """Change what the request names. Changed rules void approvals; another head supersedes waiting plans."""
    return service.change(session, actor, workspace, wanted)


@router.delete(
    "/{workspace}",
    operation_id="delete_workspace",
    summary="Delete a workspace",
    status_code=204,
    responses=error_responses(WorkspaceNotFound, WorkspaceHalted, WorkspaceBusy),
)
def delete_workspace(workspace: str, session: SessionDep, actor: Writer) -> None:
    """Delete a workspace that has no living run and no resources in its state."""
    service.delete(session, actor, workspace)


@router.get(
    "/{workspace}/variables",
    operation_id="list_variables",
    summary="List variables",
    responses=error_responses(WorkspaceNotFound),
)
def list_variables(
    workspace: str, session: SessionDep, actor: Annotated[Actor, requires(Permission.VARIABLES_READ)]
) -> list[VariableOut]:
    """Return a workspace's variables. A sensitive value is null: it can be written and never read."""
    return service.variables(session, actor, workspace)


@router.put(
    "/{workspace}/variables/{kind}/{key}",
    operation_id="put_variable",
    summary="Set a variable",
    responses=error_responses(WorkspaceNotFound, VariableRefused),
)
def put_variable(
    workspace: str,
    kind: VariableKind,
    key: VariableKey,
    wanted: VariableIn,
    session: SessionDep,
    actor: Annotated[Actor, requires(Permission.VARIABLES_WRITE)],
) -> VariableOut:
    """Set a variable. A new value supersedes the plans that wait in the workspace."""
    return service.put_variable(session, actor, workspace, kind, key, wanted)


@router.delete(
    "/{workspace}/variables/{kind}/{key}",
    operation_id="delete_variable",
    summary="Delete a variable",
    status_code=204,
    responses=error_responses(WorkspaceNotFound, VariableNotFound),
)
def delete_variable(
    workspace: str,
    kind: VariableKind,
    key: VariableKey,
    session: SessionDep,
    actor: Annotated[Actor, requires(Permission.VARIABLES_WRITE)],
) -> None:
    """Delete a variable. Plans that wait in the workspace are superseded."""
    service.delete_variable(session, actor, workspace, kind, key)
