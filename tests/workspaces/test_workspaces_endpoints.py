from collections.abc import Iterator
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from app.core.permissions import Actor, Permission
from app.identity import service as identity
from app.workspaces.endpoints import router
from app.workspaces.schemas import WorkspaceOut
from tests.workspaces.api import client_of

BASE = "/terraform/workspaces"


@pytest.fixture
def client(actor: Actor, workspace: WorkspaceOut) -> Iterator[TestClient]:
    with client_of(actor, router) as client:
        yield client


def test_create_change_and_delete_a_workspace(client: TestClient) -> None:
    made = client.post(BASE, json={"name": "dev", "stack": "network", "tags": ["dev"], "required_approvals": 2})
    assert made.status_code == 201, made.text
    body = made.json()
    assert (body["required_approvals"], body["requester_may_approve"], body["state_backend"]) == (2, False, "managed")
    changed = client.patch(f"{BASE}/dev", json={"description": "for trying things"})
    assert changed.json() == {**body, "description": "for trying things"}
    assert client.delete(f"{BASE}/dev").status_code == 204
    assert client.get(f"{BASE}/dev").status_code == 404


def test_wrong_settings_are_422_by_field(client: TestClient) -> None:
    for body, field in [
        ({"name": "Dev", "stack": "network"}, "name"),
        ({"name": "dev", "stack": "network", "required_approvals": 0}, "required_approvals"),
        ({"name": "dev", "stack": "network", "surprise": 1}, "surprise"),
    ]:
        answer = client.post(BASE, json=body)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == field
    assert client.post(BASE, json={"name": "prod-network", "stack": "network"}).status_code == 409
    assert client.post(BASE, json={"name": "dev", "stack": "nothing"}).status_code == 404


def test_gate_rules_over_the_api_need_their_right(actor: Actor, workspace: WorkspaceOut) -> None:
    operator = replace(actor, permissions=frozenset(Permission) - {Permission.WORKSPACES_RULES})
    with client_of(operator, router) as client:
        assert client.patch(f"{BASE}/prod-network", json={"auto_apply": True}).status_code == 403
        assert client.patch(f"{BASE}/prod-network", json={"description": "x"}).status_code == 200


def test_approval_rules_over_the_api_are_replaced_and_shown_with_their_teams(
    client: TestClient, session: Session, actor: Actor
) -> None:
    team = identity.create_team(session, actor, "security")
    conditions = [
        {"when": "deletes", "required_approvals": 2},
        {"when": "tag", "tag": "env=prod", "required_approvals": 1, "approver_team_ids": ["security"]},
    ]
    body = {"approval_validity_seconds": 28800, "approval_conditions": conditions, "approver_team_ids": ["security"]}
    changed = client.patch(f"{BASE}/prod-network", json=body)
    assert changed.status_code == 200, changed.text
    assert changed.json()["approval_validity_seconds"] == 28800
    assert changed.json()["approver_teams"] == [{"id": team.id, "name": "security"}]
    assert changed.json()["approval_conditions"] == [
        {"when": "deletes", "threshold": None, "tag": None, "required_approvals": 2, "approver_teams": []},
        {
            "when": "tag",
            "threshold": None,
            "tag": "env=prod",
            "required_approvals": 1,
            "approver_teams": [{"id": team.id, "name": "security"}],
        },
    ]
    cleared = client.patch(f"{BASE}/prod-network", json={"approval_validity_seconds": None, "approval_conditions": []})
    assert (cleared.json()["approval_validity_seconds"], cleared.json()["approval_conditions"]) == (None, [])
    made = client.post(BASE, json={"name": "dev", "stack": "network", "approval_conditions": conditions})
    assert made.json()["approval_conditions"] == changed.json()["approval_conditions"]


@pytest.mark.parametrize(
    ("condition", "field", "message"),
    [
        ({"when": "deletes"}, "required_approvals", "Field required"),
        ({"when": "sometimes", "required_approvals": 1}, "when", "'deletes', 'changes_over' or 'tag'"),
        ({"when": "deletes", "required_approvals": 21}, "required_approvals", "less than or equal to 20"),
        ({"when": "changes_over", "required_approvals": 2}, "threshold", "is needed where `when` is changes_over"),
        ({"when": "changes_over", "threshold": -1, "required_approvals": 2}, "threshold", "greater than or equal to 0"),
        (
            {"when": "deletes", "threshold": 3, "required_approvals": 2},
            "threshold",
            "goes with `when` changes_over only",
        ),
        ({"when": "tag", "required_approvals": 2}, "tag", "is needed where `when` is tag"),
        ({"when": "tag", "tag": "=prod", "required_approvals": 2}, "tag", "has no key before the `=`"),
        ({"when": "tag", "tag": "env", "required_approvals": 2, "teams": ["x"]}, "teams", "not permitted"),
        (
            {"when": "tag", "tag": "env", "required_approvals": 2, "approver_team_ids": ["ghosts"]},
            "approver_team_ids",
            "There is no team ghosts",
        ),
    ],
)
def test_wrong_condition_is_422_and_names_its_field(
    client: TestClient, condition: dict[str, object], field: str, message: str
) -> None:
    good = {"when": "deletes", "required_approvals": 2}
    answer = client.patch(f"{BASE}/prod-network", json={"approval_conditions": [good, condition]})
    assert answer.status_code == 422
    errors = answer.json()["errors"]
    assert [error["field"] for error in errors] == [f"approval_conditions.1.{field}"]
    assert message in errors[0]["message"]
    assert client.get(f"{BASE}/prod-network").json()["approval_conditions"] == []


def test_wrong_validity_and_unknown_team_are_422_by_field(client: TestClient) -> None:
    for body, field in [
        ({"approval_validity_seconds": 59}, "approval_validity_seconds"),
        ({"approval_validity_seconds": 90 * 24 * 3600 + 1}, "approval_validity_seconds"),
        ({"approver_team_ids": ["ghosts"]}, "approver_team_ids"),
    ]:
        answer = client.patch(f"{BASE}/prod-network", json=body)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == field


def test_variables_over_the_api(client: TestClient) -> None:
    path = f"{BASE}/prod-network/variables"
    made = client.put(f"{path}/terraform/token", json={"value": "s3cret", "is_sensitive": True})
    assert made.status_code == 200, made.text
    assert made.json()["value"] is None
    assert "s3cret" not in made.text
    client.put(f"{path}/env/AWS_REGION", json={"value": "eu-west-1", "description": "where"})
    listed = client.get(path).json()
    assert [(item["kind"], item["key"], item["value"]) for item in listed] == [
        ("env", "AWS_REGION", "eu-west-1"),
        ("terraform", "token", None),
    ]
    refused = client.put(f"{path}/env/TF_CLI_ARGS", json={"value": "-destroy"})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "key"
    assert client.put(f"{path}/secret/x", json={"value": "x"}).status_code == 422
    assert client.delete(f"{path}/terraform/token").status_code == 204
    assert client.delete(f"{path}/terraform/token").status_code == 404


def test_variables_need_their_permissions(actor: Actor, workspace: WorkspaceOut) -> None:
    reader = replace(actor, permissions=frozenset({Permission.WORKSPACES_READ}))
    with client_of(reader, router) as client:
        assert client.get(f"{BASE}/prod-network").status_code == 200
        assert client.get(f"{BASE}/prod-network/variables").status_code == 403
        assert client.put(f"{BASE}/prod-network/variables/env/A", json={"value": "x"}).status_code == 403
