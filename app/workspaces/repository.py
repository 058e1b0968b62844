"""Queries of workspaces and variables."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.core.pages import PageParams, decode_cursor, encode_cursor
from app.specs import service as specs
from app.specs.schemas import StackRef
from app.workspaces.models import TerraformVariable, TerraformVariableVersion, TerraformWorkspace
from app.workspaces.schemas import WorkspaceFilter

_STACK = specs.stacks_to_join().subquery("stack")
_FIND = (
    select(TerraformWorkspace, _STACK.c.id, _STACK.c.name, _STACK.c.latest_version_id)
    .join(_STACK, _STACK.c.id == TerraformWorkspace.stack_id)
    .where(
        TerraformWorkspace.organization_id == bindparam("organization"),
        or_(TerraformWorkspace.id == bindparam("wanted"), TerraformWorkspace.name == bindparam("wanted")),
    )
    .order_by((TerraformWorkspace.id == bindparam("wanted")).desc())
    .limit(1)
)
_LOCKED = (
    select(TerraformWorkspace)
    .where(TerraformWorkspace.id == bindparam("wanted"))
    .execution_options(populate_existing=True)
)
_EXCLUSIVE = _LOCKED.with_for_update(key_share=True)
_SHARED = _LOCKED.with_for_update(read=True)
_VARIABLES = (
    select(TerraformVariable, TerraformVariableVersion)
    .join(TerraformVariableVersion, TerraformVariableVersion.id == TerraformVariable.current_version_id)
    .where(TerraformVariable.workspace_id == bindparam("workspace"), TerraformVariable.deleted_at.is_(None))
    .order_by(TerraformVariable.kind, TerraformVariable.key)
)
_CURRENT_VERSIONS = select(TerraformVariable.current_version_id).where(
    TerraformVariable.workspace_id == bindparam("workspace"), TerraformVariable.deleted_at.is_(None)
)
_SENSITIVE_VERSIONS = _CURRENT_VERSIONS.where(TerraformVariable.is_sensitive.is_(True))


def find(session: Session, organization_id: str, id_or_name: str) -> tuple[TerraformWorkspace, StackRef] | None:
    """Return the organization's workspace of that id, else of that name, with its stack."""
    found = session.execute(_FIND, {"organization": organization_id, "wanted": id_or_name}).first()
    if found is None:
        return None
    workspace, stack_id, name, latest_version_id = found
    return workspace, StackRef(id=stack_id, name=name, latest_version_id=latest_version_id)


def of_ids(session: Session, ids: Sequence[str]) -> Sequence[TerraformWorkspace]:
    """Return the workspaces of these ids."""
    return session.scalars(select(TerraformWorkspace).where(TerraformWorkspace.id.in_(ids))).all()


def insert_unless_there(session: Session, row: TerraformWorkspace) -> bool:
    """Insert the workspace; False when another transaction took the name, and then nothing changed."""
    values = {
        column.name: getattr(row, column.name)
        for column in TerraformWorkspace.__table__.columns
        if getattr(row, column.name) is not None
    }
    statement = insert(TerraformWorkspace).values(values).on_conflict_do_nothing()
    return session.execute(statement.returning(TerraformWorkspace.id)).first() is not None


def lock(session: Session, workspace_id: str, *, exclusive: bool) -> TerraformWorkspace | None:
    """Return the workspace with its row locked until commit, for oneself alone or shared.

    The exclusive lock lets rows that refer to the workspace be inserted (their foreign key takes a key-share lock), so
    a transaction that holds a run and stores a state can't deadlock with one that holds the workspace.
    """
    return session.scalars(_EXCLUSIVE if exclusive else _SHARED, {"wanted": workspace_id}).one_or_none()


def page(
    session: Session,
    organization_id: str,
    wanted: WorkspaceFilter,
    stack_ids_by_search: Sequence[str],
    params: PageParams,
    only: Sequence[str] | None,
) -> tuple[Sequence[TerraformWorkspace], str | None]:
    """Return one page by name. A search matches the workspace's name, or its stack by ``stack_ids_by_search``."""
    query = select(TerraformWorkspace).filter_by(organization_id=organization_id)
    if wanted.search:
        pattern = "%" + wanted.search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        query = query.where(
            or_(TerraformWorkspace.name.ilike(pattern), TerraformWorkspace.stack_id.in_(stack_ids_by_search))
        )
    if wanted.tag:
        query = query.where(TerraformWorkspace.tags.contains([wanted.tag]))
    if wanted.stack_id:
        query = query.where(TerraformWorkspace.stack_id == wanted.stack_id)
    if only is not None:
        query = query.where(TerraformWorkspace.id.in_(only))
    if params.cursor is not None:
        query = query.where(TerraformWorkspace.name > decode_cursor(params.cursor, str))
    rows = session.scalars(query.order_by(TerraformWorkspace.name).limit(params.limit + 1)).all()
    if len(rows) <= params.limit:
        return rows, None
    return rows[: params.limit], encode_cursor(rows[params.limit - 1].name)


def count(session: Session, organization_id: str) -> int:
    """Return how many workspaces the organization has."""
    return session.scalars(
        select(func.count()).select_from(TerraformWorkspace).filter_by(organization_id=organization_id)
    ).one()


def counts_by_stack(session: Session, stack_ids: Sequence[str]) -> dict[str, int]:
    """Return how many workspaces each stack has."""
    rows = session.execute(
        select(TerraformWorkspace.stack_id, func.count())
        .where(TerraformWorkspace.stack_id.in_(stack_ids))
        .group_by(TerraformWorkspace.stack_id)
    ).all()
    return {row[0]: row[1] for row in rows}


def following_head(session: Session, stack_id: str) -> Sequence[str]:
    """Return the stack's workspaces that are not pinned."""
    return session.scalars(
        select(TerraformWorkspace.id)
        .where(TerraformWorkspace.stack_id == stack_id, TerraformWorkspace.pinned_version_id.is_(None))
        .order_by(TerraformWorkspace.id)
    ).all()


def ages(session: Session) -> Sequence[tuple[str, int]]:
    """Return (workspace id, maximum age of a plan in seconds) where there is one."""
    rows = session.execute(
        select(TerraformWorkspace.id, TerraformWorkspace.plan_max_age_seconds).where(
            TerraformWorkspace.plan_max_age_seconds.is_not(None)
        )
    ).all()
    return [(workspace_id, seconds) for workspace_id, seconds in rows if seconds is not None]


def validities(session: Session) -> Sequence[tuple[str, int]]:
    """Return (workspace id, seconds that an approval counts) where there is a bound."""
    rows = session.execute(
        select(TerraformWorkspace.id, TerraformWorkspace.approval_validity_seconds).where(
            TerraformWorkspace.approval_validity_seconds.is_not(None)
        )
    ).all()
    return [(workspace_id, seconds) for workspace_id, seconds in rows if seconds is not None]


def in_location(
    session: Session, organization_id: str, backend: str, place: Mapping[str, Any], *, besides: str
) -> str | None:
    """Return the name of another workspace whose state lies in that very place, if there is one."""
    named = {name: value for name, value in place.items() if value is not None}
    rows = session.execute(
        select(TerraformWorkspace.name, TerraformWorkspace.state_backend_settings).where(
            TerraformWorkspace.organization_id == organization_id,
            TerraformWorkspace.state_backend == backend,
            TerraformWorkspace.id != besides,
            TerraformWorkspace.state_backend_settings.contains(named),
        )
    ).all()
    return next((name for name, found in rows if all(found.get(key) == value for key, value in place.items())), None)


def set_backend(session: Session, workspace_id: str, backend: str, settings: dict[str, Any]) -> None:
    """Set where the workspace's state lies."""
    session.execute(
        update(TerraformWorkspace)
        .filter_by(id=workspace_id)
        .values(state_backend=backend, state_backend_settings=settings)
    )


def variables(session: Session, workspace_id: str) -> Sequence[tuple[TerraformVariable, TerraformVariableVersion]]:
    """Return the workspace's variables with their current versions, by kind and key."""
    rows = session.execute(_VARIABLES, {"workspace": workspace_id}).all()
    return [(variable, version) for variable, version in rows]


def variable(session: Session, workspace_id: str, kind: str, key: str) -> TerraformVariable | None:
    """Return one variable that is not deleted."""
    return session.scalars(
        select(TerraformVariable).filter_by(workspace_id=workspace_id, kind=kind, key=key, deleted_at=None)
    ).one_or_none()


def variable_version(session: Session, version_id: str) -> TerraformVariableVersion | None:
    """Return one version of a variable."""
    return session.get(TerraformVariableVersion, version_id)


def sensitive_inputs(session: Session, workspace_id: str, version_ids: Sequence[str]) -> Sequence[str]:
    """Return the keys of Terraform variables that are sensitive, or were in one of these versions."""
    is_now = and_(TerraformVariable.is_sensitive, TerraformVariable.deleted_at.is_(None))
    was_then = TerraformVariable.id.in_(
        select(TerraformVariableVersion.variable_id).where(
            TerraformVariableVersion.id.in_(version_ids), TerraformVariableVersion.is_sensitive
        )
    )
    return session.scalars(
        select(TerraformVariable.key)
        .where(
            TerraformVariable.workspace_id == workspace_id,
            TerraformVariable.kind == "terraform",
            or_(is_now, was_then),
        )
        .distinct()
    ).all()


def ids_with_tag(session: Session, organization_id: str, tag: str) -> Sequence[str]:
    """Return the ids of the organization's workspaces that have the tag."""
    return session.scalars(
        select(TerraformWorkspace.id).where(
            TerraformWorkspace.organization_id == organization_id, TerraformWorkspace.tags.contains([tag])
        )
    ).all()


def current_version_ids(session: Session, workspace_id: str, *, only_sensitive: bool = False) -> Sequence[str]:
    """Return the ids of the current variable versions, sorted."""
    query = _SENSITIVE_VERSIONS if only_sensitive else _CURRENT_VERSIONS
    found = session.scalars(query, {"workspace": workspace_id}).all()
    return sorted(version_id for version_id in found if version_id is not None)


def delete_variable(session: Session, variable_id: str, at: datetime) -> None:
    """Mark the variable as deleted; its versions stay, since runs were made from them."""
    session.execute(update(TerraformVariable).filter_by(id=variable_id).values(deleted_at=at))
