"""REST of workspaces and their variables. The list, with runs beside, is the overview's."""

from typing import Annotated

from fastapi import APIRouter

from app.core.db import SessionDep
from app.core.http import error_responses
from app.core.permissions import Actor, Permission, requires
from app.specs.errors import StackNotFound
from app.workspaces import service
from app.workspaces.errors import (
    VariableInvalid,
    VariableNotFound,
    WorkspaceExists,
    WorkspaceHalted,
    WorkspaceInUse,
    WorkspaceInvalid,
    WorkspaceNotFound,
)
from app.workspaces.schemas import (
    VariableIn,
    VariableKind,
    VariableOut,
    WorkspaceChange,
    WorkspaceIn,
    WorkspaceOut,
)

router = APIRouter(prefix="/terraform/workspaces", tags=["workspaces"])


@router.post(
    "",
    operation_id="create_workspace",
    status_code=201,
    summary="Create a workspace",
    responses=error_responses(StackNotFound, WorkspaceExists, WorkspaceInvalid),
)
def create_workspace(
    body: WorkspaceIn, actor: Annotated[Actor, requires(Permission.WORKSPACES_WRITE)], session: SessionDep
) -> WorkspaceOut:
    """Create a workspace of a stack, with its own state, variables and rules."""
    return service.create(session, actor, body)


@router.get(
    "/{id_or_name}",
    operation_id="get_workspace",
    summary="Show a workspace",
    responses=error_responses(WorkspaceNotFound),
)
def get_workspace(
    id_or_name: str, actor: Annotated[Actor, requires(Permission.WORKSPACES_READ)], session: SessionDep
) -> WorkspaceOut:
    """Return a workspace by id or name."""
    return service.get(session, actor.organization_id, id_or_name)


@router.patch(
    "/{id_or_name}",
    operation_id="change_workspace",
    summary="Change a workspace",
    responses=error_responses(WorkspaceNotFound, WorkspaceExists, WorkspaceInvalid),
)
def change_workspace(
    id_or_name: str,
    body: WorkspaceChange,
    actor: Annotated[Actor, requires(Permission.WORKSPACES_WRITE)],
    session: SessionDep,
) -> WorkspaceOut:
    """Change settings; what is left out stays. Rules of the gate need `workspaces:rules` as well."""
    return service.change(session, actor, id_or_name, body)


@router.delete(
    "/{id_or_name}",
    operation_id="delete_workspace",
    status_code=204,
    summary="Delete a workspace",
    responses=error_responses(WorkspaceNotFound, WorkspaceInUse, WorkspaceHalted),
)
def delete_workspace(
    id_or_name: str, actor: Annotated[Actor, requires(Permission.WORKSPACES_WRITE)], session: SessionDep
) -> None:
    """Delete a workspace that has nothing in its state and no unfinished run."""
    service.delete(session, actor, id_or_name)


@router.get(
    "/{id_or_name}/variables",
    operation_id="list_variables",
    summary="List a workspace's variables",
    responses=error_responses(WorkspaceNotFound),
)
def list_variables(
    id_or_name: str, actor: Annotated[Actor, requires(Permission.VARIABLES_READ)], session: SessionDep
) -> list[VariableOut]:
    """Return the variables by kind and key; a sensitive one's value is null."""
    return service.list_variables(session, actor.organization_id, id_or_name)


@router.put(
    "/{id_or_name}/variables/{kind}/{key}",
    operation_id="put_variable",
    summary="Set a variable",
    responses=error_responses(WorkspaceNotFound, VariableInvalid),
)
def put_variable(
    id_or_name: str,
    kind: VariableKind,
    key: str,
    body: VariableIn,
    actor: Annotated[Actor, requires(Permission.VARIABLES_WRITE)],
    session: SessionDep,
) -> VariableOut:
    """Create the variable or give it a new value; plans made with the old one are superseded."""
    return service.put_variable(session, actor, id_or_name, kind, key, body)


@router.delete(
    "/{id_or_name}/variables/{kind}/{key}",
    operation_id="delete_variable",
    status_code=204,
    summary="Delete a variable",
    responses=error_responses(WorkspaceNotFound, VariableNotFound),
)
def delete_variable(
    id_or_name: str,
    kind: VariableKind,
    key: str,
    actor: Annotated[Actor, requires(Permission.VARIABLES_WRITE)],
    session: SessionDep,
) -> None:
    """Delete the variable; plans made with it are superseded."""
    service.delete_variable(session, actor, id_or_name, kind, key)
