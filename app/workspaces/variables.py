"""Variables of a workspace: each value is a sealed version, and its id stands for it in a plan's fingerprint."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from app.audit import service as audit
from app.configurations.schemas import is_single_expression
from app.core import clock
from app.core.crypto import Binding, key_ring
from app.core.events import publish
from app.core.ids import new_id
from app.core.permissions import Actor
from app.executor.environment import check_user_variable
from app.executor.errors import ForbiddenVariable
from app.specs.schemas import input_name_problem, text_problem
from app.workspaces import repository
from app.workspaces.errors import VariableNotFound, VariableRefused
from app.workspaces.lookup import find, lock
from app.workspaces.models import TerraformVariable, TerraformVariableVersion
from app.workspaces.schemas import ResolvedVariable, VariableIn, VariableKind, VariableOut, VariablesMoved


def variables(session: Session, actor: Actor, workspace: str) -> list[VariableOut]:
    """Return the workspace's variables by kind and key; a sensitive value is null."""
    found = find(session, actor.organization_id, workspace)
    return [_variable(*pair) for pair in repository.variables(session, found.id)]


def put_variable(
    session: Session, actor: Actor, workspace: str, kind: VariableKind, key: str, wanted: VariableIn
) -> VariableOut:
    """Set a variable: a new version of its value, unless nothing differs.

    A sensitive value is a new version each time, so that writing it can't be used to guess it.
    Raises ``VariableRefused`` for a name or value that an engine must not get.
    """
    _check_variable(kind, key, wanted)
    row = lock(session, find(session, actor.organization_id, workspace).id, exclusive=True)
    known = repository.variable(session, row.id, kind, key)
    if known is None:
        known = TerraformVariable(
            id=new_id("var"),
            organization_id=row.organization_id,
            workspace_id=row.id,
            key=key,
            kind=kind,
            description=wanted.description,
            is_sensitive=wanted.is_sensitive,
            is_hcl=wanted.is_hcl,
        )
        session.add(known)
        session.flush()
    else:
        current = repository.variable_version(session, known.current_version_id or "")
        same_flags = (known.is_sensitive, known.is_hcl) == (wanted.is_sensitive, wanted.is_hcl)
        known.description = wanted.description
        is_readable = not known.is_sensitive
        if current is not None and same_flags and is_readable and _value(current) == wanted.value:
            session.flush()
            return _variable(known, current)
        known.is_sensitive, known.is_hcl = wanted.is_sensitive, wanted.is_hcl
    version = TerraformVariableVersion(
        id=new_id("varver"),
        organization_id=row.organization_id,
        variable_id=known.id,
        is_sensitive=wanted.is_sensitive,
        created_at=clock.now(),
        created_by=actor.describe(),
    )
    version.sealed_value = key_ring().seal(wanted.value.encode(), binding(version))
    session.add(version)
    known.current_version_id = version.id
    session.flush()
    evidence = {"workspace_id": row.id, "kind": kind, "key": key, "version_id": version.id}
    audit.record(session, actor, "variable.set", ("variable", known.id), {**evidence, "sensitive": wanted.is_sensitive})
    publish(session, VariablesMoved(row.organization_id, row.id))
    return _variable(known, version)


def delete_variable(session: Session, actor: Actor, workspace: str, kind: VariableKind, key: str) -> None:
    """Delete a variable; runs that were made from it keep its versions. Raises ``VariableNotFound``."""
    row = lock(session, find(session, actor.organization_id, workspace).id, exclusive=True)
    known = repository.variable(session, row.id, kind, key)
    if known is None:
        raise VariableNotFound(f"Workspace {row.name} has no {kind} variable {key!r}.")
    repository.delete_variable(session, known.id, clock.now())
    evidence = {"workspace_id": row.id, "kind": kind, "key": key}
    audit.record(session, actor, "variable.deleted", ("variable", known.id), evidence)
    publish(session, VariablesMoved(row.organization_id, row.id))


def variables_for_run(session: Session, workspace_id: str) -> list[ResolvedVariable]:
    """Return the workspace's variables with plain values, for a run's job only."""
    return [
        ResolvedVariable(
            version_id=version.id,
            key=variable.key,
            kind=variable.kind,  # type: ignore[arg-type]  # the column holds a VariableKind
            value=_value(version),
            sensitive=variable.is_sensitive,
            hcl=variable.is_hcl,
        )
        for variable, version in repository.variables(session, workspace_id)
    ]


def variable_version_ids(session: Session, workspace_id: str) -> list[str]:
    """Return the sorted ids of the current variable versions, which stand for the values in a fingerprint."""
    return list(repository.current_version_ids(session, workspace_id))


def sensitive_version_ids(session: Session, workspace_id: str) -> set[str]:
    """Return which of the current variable versions are sensitive."""
    return set(repository.current_version_ids(session, workspace_id, only_sensitive=True))


def sensitive_inputs(session: Session, workspace_id: str, version_ids: Sequence[str] = ()) -> set[str]:
    """Return the keys of the workspace's Terraform variables that are sensitive.

    With ``version_ids`` also of those that were when these were their values, changed or deleted since.
    """
    return set(repository.sensitive_inputs(session, workspace_id, version_ids))


def _check_variable(kind: VariableKind, key: str, wanted: VariableIn) -> None:
    if (problem := text_problem(wanted.value)) is not None:
        raise VariableRefused.of_field("value", problem)
    if kind == "env":
        try:
            check_user_variable(key, wanted.value)
        except ForbiddenVariable as error:
            raise VariableRefused(error.detail, errors=[{"field": "key", "message": error.detail}]) from None
        if wanted.is_hcl:
            message = "applies to terraform variables; an environment variable is always a string"
            raise VariableRefused.of_field("is_hcl", message)
        return
    if (problem := input_name_problem(key)) is not None:
        raise VariableRefused(f"key {key!r} {problem}.", errors=[{"field": "key", "message": problem}])
    if wanted.is_hcl and not is_single_expression(wanted.value):
        message = "is not one HCL expression: close its brackets and quotes, without comments, or set is_hcl to false"
        raise VariableRefused.of_field("value", message)


def _value(version: TerraformVariableVersion) -> str:
    return key_ring().open(version.sealed_value, binding(version)).decode()


def binding(version: TerraformVariableVersion) -> Binding:
    """Return what a value is bound to."""
    return Binding(version.organization_id, "variable", version.id)


def _variable(variable: TerraformVariable, version: TerraformVariableVersion) -> VariableOut:
    return VariableOut(
        id=variable.id,
        key=variable.key,
        kind=variable.kind,  # type: ignore[arg-type]  # the column holds a VariableKind
        is_sensitive=variable.is_sensitive,
        is_hcl=variable.is_hcl,
        description=variable.description,
        value=None if variable.is_sensitive else _value(version),
        version_id=version.id,
        updated_at=version.created_at,
        updated_by=version.created_by,
    )
