"""Variables of a workspace: values are versions, sealed; sensitive ones can be written and never read.

A private part of ``service``: a decision a function, each under the workspace's exclusive lock.
"""

from sqlalchemy.orm import Session

from app.audit import service as audit
from app.configurations.schemas import is_single_expression
from app.core import clock
from app.core.crypto import Binding, key_ring
from app.core.errors import Invalid
from app.core.events import publish
from app.core.ids import new_id
from app.core.permissions import Actor
from app.executor.environment import check_user_variable
from app.specs.schemas import Who, input_name_problem, text_problem
from app.workspaces import repository
from app.workspaces.errors import VariableInvalid, VariableNotFound, WorkspaceNotFound
from app.workspaces.models import TerraformVariable, TerraformVariableVersion
from app.workspaces.schemas import ResolvedVariable, VariableIn, VariableKind, VariableOut, VariablesMoved


def put(
    session: Session, actor: Actor, workspace_id: str, kind: VariableKind, key: str, wanted: VariableIn
) -> VariableOut:
    """Set a variable. A changed value or flag is a new version and moves the workspace's variables.

    A sensitive value is always a new version, so that writing can't be used to guess it. Raises ``VariableInvalid``.
    """
    _check(kind, key, wanted)
    if repository.lock_exclusive(session, workspace_id) is None:
        raise WorkspaceNotFound("The workspace was deleted meanwhile.")
    known = repository.variable(session, workspace_id, kind, key)
    if known is not None and _is_same(known, wanted):
        known[0].description = wanted.description
        session.flush()
        return _present(known)
    row = known[0] if known is not None else None
    before = {"is_sensitive": row.is_sensitive, "is_hcl": row.is_hcl} if row is not None else None
    if row is None:
        row = TerraformVariable(
            id=new_id("var"),
            organization_id=actor.organization_id,
            workspace_id=workspace_id,
            key=key,
            kind=kind,
            is_sensitive=wanted.is_sensitive,
            is_hcl=wanted.is_hcl,
        )
        repository.add(session, row)
    version = _new_version(actor, row, wanted.value)
    repository.add(session, version)
    row.current_version_id = version.id
    row.is_sensitive, row.is_hcl, row.description = wanted.is_sensitive, wanted.is_hcl, wanted.description
    session.flush()
    _moved(session, actor, row, "variable.set", {"version_id": version.id, "before": before})
    return _present_pair(row, version)


def delete(session: Session, actor: Actor, workspace_id: str, kind: VariableKind, key: str) -> None:
    """Delete a variable; its versions stay for the runs that name them. Raises ``VariableNotFound``."""
    if repository.lock_exclusive(session, workspace_id) is None:
        raise WorkspaceNotFound("The workspace was deleted meanwhile.")
    known = repository.variable(session, workspace_id, kind, key)
    if known is None:
        raise VariableNotFound(f"The workspace has no {kind} variable {key!r}.")
    known[0].deleted_at = clock.now()
    session.flush()
    _moved(session, actor, known[0], "variable.deleted", {"version_id": known[1].id})


def listed(session: Session, workspace_id: str) -> list[VariableOut]:
    """Return the workspace's variables by kind and key; sensitive ones without their value."""
    return [_present(found) for found in repository.variables(session, workspace_id)]


def for_run(session: Session, workspace_id: str) -> list[ResolvedVariable]:
    """Return the workspace's variables with their plain values, by kind and key."""
    return [
        ResolvedVariable(
            version_id=version.id,
            key=row.key,
            kind=row.kind,  # type: ignore[arg-type]  # the table's check constraint
            value=_open(version),
            sensitive=row.is_sensitive,
            hcl=row.is_hcl,
        )
        for row, version in repository.variables(session, workspace_id)
    ]


def _refused(field: str, message: str) -> VariableInvalid:
    return VariableInvalid(f"{field}: {message}.", errors=[{"field": field, "message": message}])


def _check(kind: VariableKind, key: str, wanted: VariableIn) -> None:
    problem = text_problem(wanted.value)
    if problem is not None:
        raise _refused("value", problem)
    if kind == "env":
        _check_environment(key, wanted)
        return
    problem = input_name_problem(key)
    if problem is not None:
        raise _refused("key", f"{key[:80]!r} {problem}")
    if wanted.is_hcl and not is_single_expression(wanted.value):
        raise _refused("value", "is not one HCL expression: close its brackets and quotes, or set is_hcl to false")


def _check_environment(key: str, wanted: VariableIn) -> None:
    if wanted.is_hcl:
        raise _refused("is_hcl", "an environment variable is always literal text: set is_hcl to false")
    try:
        check_user_variable(key, wanted.value)
    except Invalid as error:
        raise _refused("key", error.detail.rstrip(".")) from None


def _is_same(known: repository.VariableRow, wanted: VariableIn) -> bool:
    row, version = known
    if row.is_sensitive or wanted.is_sensitive or row.is_hcl != wanted.is_hcl:
        return False
    return _open(version) == wanted.value


def _binding(version: TerraformVariableVersion) -> Binding:
    return Binding(version.organization_id, "variable", version.id)


def _open(version: TerraformVariableVersion) -> str:
    return key_ring().open(version.sealed_value, _binding(version)).decode()


def _new_version(actor: Actor, row: TerraformVariable, value: str) -> TerraformVariableVersion:
    version = TerraformVariableVersion(
        id=new_id("varver"),
        organization_id=row.organization_id,
        variable_id=row.id,
        created_by=actor.describe(),
        created_at=clock.now(),
    )
    version.sealed_value = key_ring().seal(value.encode(), _binding(version))
    return version


def _moved(session: Session, actor: Actor, row: TerraformVariable, action: str, evidence: dict[str, object]) -> None:
    told = {"key": row.key, "kind": row.kind, "is_sensitive": row.is_sensitive, "variable_id": row.id, **evidence}
    audit.record(session, actor, action, ("workspace", row.workspace_id), told)
    publish(session, VariablesMoved(row.workspace_id))


def _present(found: repository.VariableRow) -> VariableOut:
    return _present_pair(found[0], found[1])


def _present_pair(row: TerraformVariable, version: TerraformVariableVersion) -> VariableOut:
    return VariableOut(
        id=row.id,
        key=row.key,
        kind=row.kind,  # type: ignore[arg-type]  # the table's check constraint
        is_sensitive=row.is_sensitive,
        is_hcl=row.is_hcl,
        description=row.description,
        value=None if row.is_sensitive else _open(version),
        version_id=version.id,
        updated_at=version.created_at,
        updated_by=Who.model_validate(version.created_by),
    )
