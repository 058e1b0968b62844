import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.audit.models import AuditEvent
from app.core import events
from app.core.crypto import Binding, key_ring
from app.core.errors import IntegrityError
from app.core.permissions import Actor
from app.workspaces import service
from app.workspaces.errors import VariableNotFound, VariableRefused, WorkspaceNotFound
from app.workspaces.models import TerraformVariableVersion
from app.workspaces.schemas import VariableIn, VariableKind, VariableOut, VariablesMoved, WorkspaceOut
from tests.workspaces.tenant import new_tenant

SECRET = "planted-s3cret-value"


def put(
    session: Session, actor: Actor, key: str, value: str, kind: VariableKind = "terraform", **rest: bool
) -> VariableOut:
    wanted = VariableIn(value=value, **rest)  # type: ignore[arg-type]  # flags only
    return service.put_variable(session, actor, "prod-network", kind, key, wanted)


@pytest.fixture(autouse=True)
def _workspace(workspace: WorkspaceOut) -> WorkspaceOut:
    return workspace


def test_put_variable_new_value_is_a_new_version_and_is_told(
    session: Session, actor: Actor, workspace: WorkspaceOut, facts: list[events.Fact]
) -> None:
    first = put(session, actor, "region", "eu-west-1")
    second = put(session, actor, "region", "eu-west-2")
    assert first.id == second.id
    assert first.version_id != second.version_id
    assert second.value == "eu-west-2"
    assert service.variable_version_ids(session, workspace.id) == [second.version_id]
    assert facts == [VariablesMoved(actor.organization_id, workspace.id)] * 2


def test_put_variable_same_value_again_moves_nothing(session: Session, actor: Actor, facts: list[events.Fact]) -> None:
    first = put(session, actor, "region", "eu-west-1")
    again = put(session, actor, "region", "eu-west-1")
    assert again.version_id == first.version_id
    assert len(facts) == 1
    flagged = put(session, actor, "region", "eu-west-1", is_hcl=False, is_sensitive=True)
    assert flagged.version_id != first.version_id


def test_put_sensitive_variable_is_never_read_back_nor_guessed(
    session: Session, actor: Actor, workspace: WorkspaceOut
) -> None:
    first = put(session, actor, "token", SECRET, is_sensitive=True)
    again = put(session, actor, "token", SECRET, is_sensitive=True)
    assert first.value is None
    assert first.version_id != again.version_id
    assert [item.value for item in service.variables(session, actor, workspace.id)] == [None]
    assert service.sensitive_version_ids(session, workspace.id) == {again.version_id}
    resolved = service.variables_for_run(session, workspace.id)
    assert [(item.key, item.value, item.sensitive) for item in resolved] == [("token", SECRET, True)]
    assert SECRET not in repr(resolved)


def test_put_variable_value_is_sealed_to_its_version_and_in_no_row_or_event(session: Session, actor: Actor) -> None:
    made = put(session, actor, "token", SECRET, is_sensitive=True)
    row = session.scalars(select(TerraformVariableVersion).filter_by(id=made.version_id)).one()
    assert SECRET.encode() not in row.sealed_value
    assert key_ring().open(row.sealed_value, Binding(actor.organization_id, "variable", row.id)) == SECRET.encode()
    with pytest.raises(IntegrityError):
        key_ring().open(row.sealed_value, Binding(actor.organization_id, "variable", "varver-other"))
    assert not any(SECRET in str(event.evidence) for event in session.scalars(select(AuditEvent)))


@pytest.mark.parametrize(
    ("kind", "key", "value", "rest", "words"),
    [
        ("terraform", "a b", "x", {}, "name of a variable"),
        ("terraform", "source", "x", {}, "reserved"),
        ("terraform", "a", "x\x00", {}, "NUL"),
        ("terraform", "a", "[1, 2", {"is_hcl": True}, "one HCL expression"),
        ("terraform", "a", "1\nother = 2", {"is_hcl": True}, "one HCL expression"),
        ("terraform", "a", '"x" # ', {"is_hcl": True}, "one HCL expression"),
        ("terraform", "a", "1 /*", {"is_hcl": True}, "one HCL expression"),
        ("terraform", "a", "<<EOT\nx\nEOT", {"is_hcl": True}, "one HCL expression"),
        ("terraform", "a", '"open', {"is_hcl": True}, "one HCL expression"),
        ("terraform", "a", '"open\\"', {"is_hcl": True}, "one HCL expression"),
        ("terraform", "a", "]", {"is_hcl": True}, "one HCL expression"),
        ("terraform", "a", "", {"is_hcl": True}, "one HCL expression"),
        ("env", "A", "x", {"is_hcl": True}, "environment variable"),
        ("env", "A", "x\x00", {}, "NUL"),
        ("env", "TF_CLI_ARGS", "x", {}, "reserved"),
        ("env", "TF_TOKEN_example_com", "x", {}, "reserved"),
        ("env", "TF_DATA_DIR", "x", {}, "reserved"),
        ("env", "LD_PRELOAD", "x", {}, "reserved"),
        ("env", "SLUICE_MASTER_KEY", "x", {}, "reserved"),
        ("env", "A=B", "x", {}, "not a name"),
        ("env", "", "x", {}, "not a name"),
    ],
)
def test_put_variable_what_no_engine_may_get_is_refused_with_the_remedy(
    session: Session, actor: Actor, kind: VariableKind, key: str, value: str, rest: dict[str, bool], words: str
) -> None:
    with pytest.raises(VariableRefused, match=words) as caught:
        put(session, actor, key, value, kind, **rest)
    assert caught.value.fields["errors"][0]["field"] in {"key", "value", "is_hcl"}


@pytest.mark.parametrize(
    "value", ["5", "true", '["a", "}"]', '{\n  a = "${1 + 1}"\n  b = [1,\n 2]\n}', 'tolist(["x"])']
)
def test_put_variable_one_expression_is_taken(session: Session, actor: Actor, value: str) -> None:
    assert put(session, actor, "a", value, is_hcl=True).value == value


@pytest.mark.parametrize("key", ["AWS_REGION", "TF_VAR_region", "http_proxy"])
def test_put_variable_ordinary_environment_is_taken(session: Session, actor: Actor, key: str) -> None:
    assert put(session, actor, key, "x", "env").kind == "env"


def test_same_key_of_both_kinds_are_two_variables(session: Session, actor: Actor, workspace: WorkspaceOut) -> None:
    put(session, actor, "REGION", "a", "env")
    put(session, actor, "REGION", "b", "terraform")
    resolved = service.variables_for_run(session, workspace.id)
    assert [(item.kind, item.key, item.value) for item in resolved] == [
        ("env", "REGION", "a"),
        ("terraform", "REGION", "b"),
    ]


def test_delete_variable_keeps_its_versions_and_is_told(
    session: Session, actor: Actor, workspace: WorkspaceOut, facts: list[events.Fact]
) -> None:
    put(session, actor, "region", "x")
    service.delete_variable(session, actor, workspace.id, "terraform", "region")
    assert service.variables(session, actor, workspace.id) == []
    assert service.variables_for_run(session, workspace.id) == []
    assert session.scalar(select(func.count()).select_from(TerraformVariableVersion)) == 1
    assert len(facts) == 2
    with pytest.raises(VariableNotFound):
        service.delete_variable(session, actor, workspace.id, "terraform", "region")
    assert put(session, actor, "region", "again").value == "again"


def test_variables_of_another_organization_are_not_found(session: Session, workspace: WorkspaceOut) -> None:
    stranger = new_tenant(session)
    with pytest.raises(WorkspaceNotFound):
        service.variables(session, stranger, workspace.id)
    with pytest.raises(WorkspaceNotFound):
        service.put_variable(session, stranger, workspace.id, "env", "A", VariableIn(value="x"))
    with pytest.raises(WorkspaceNotFound):
        service.delete_variable(session, stranger, workspace.id, "env", "A")
