"""Rollback and migration over HTTP: who may ask, what the answers say, and that a repeated request is one run."""

from typing import Any

import pytest
from sqlalchemy.orm import Session

from app.identity.roles import Role
from app.state.schemas import StateVersionOut
from tests.factories.scene import Scene, new_scene
from tests.runs.test_rollback import store
from tests.support import people


@pytest.fixture
def scene(session: Session, sent_jobs: Any) -> Scene:
    return new_scene(state_backend="local")


@pytest.fixture
def versions(scene: Scene) -> list[StateVersionOut]:
    return [store(scene, 1, names=("a",)), store(scene, 2, names=("b",))]


def ask(
    session: Session, scene: Scene, what: str, body: dict[str, Any], role: Role = Role.OPERATOR, **more: Any
) -> Any:
    member = people.person(session, scene.organization_id, role)
    return people.client(member).post(f"/terraform/workspaces/{scene.workspace.name}/{what}", json=body, **more)


def test_rollback_is_queued_and_says_where_to(session: Session, scene: Scene, versions: list[StateVersionOut]) -> None:
    answer = ask(session, scene, "rollback", {"state_version_id": versions[0].id})
    assert answer.status_code == 201, answer.text
    run = answer.json()
    assert (run["kind"], run["status"], run["message"]) == ("rollback", "queued", "Roll the state back to version 1")
    assert run["target"]["state_version_number"] == 1
    assert run["configuration"] == {"id": None, "digest": ""}


def test_migration_is_queued_and_says_where_to(session: Session, scene: Scene, versions: list[StateVersionOut]) -> None:
    answer = ask(session, scene, "migrate", {"state_backend": "managed"})
    assert answer.status_code == 201, answer.text
    run = answer.json()
    assert (run["kind"], run["message"]) == ("migration", "Move the state from local to managed")
    assert (run["target"]["state_backend"], run["target"]["state_backend_settings"]) == ("managed", {})


@pytest.mark.parametrize("role", [Role.VIEWER, Role.PLANNER, Role.APPROVER])
def test_moves_need_the_right_to_write_state(
    session: Session, scene: Scene, versions: list[StateVersionOut], role: Role
) -> None:
    for what, body in (("rollback", {"state_version_id": versions[0].id}), ("migrate", {"state_backend": "managed"})):
        answer = ask(session, scene, what, body, role)
        assert (answer.status_code, answer.json()["permission"]) == (403, "state:write")


def test_same_key_gives_the_same_run(session: Session, scene: Scene, versions: list[StateVersionOut]) -> None:
    client = people.client(people.person(session, scene.organization_id, Role.OPERATOR))
    path = f"/terraform/workspaces/{scene.workspace.name}/rollback"
    headers = {"Idempotency-Key": "one"}
    first, second = (
        client.post(path, json={"state_version_id": versions[0].id}, headers=headers).json() for _ in range(2)
    )
    assert first["id"] == second["id"]
    other = client.post(path, json={"state_version_id": versions[1].id}, headers=headers)
    assert other.json()["code"] == "idempotency_key_reused"


def test_refusals_have_codes_and_name_fields(session: Session, scene: Scene, versions: list[StateVersionOut]) -> None:
    for what, body, status, code in (
        ("rollback", {"state_version_id": versions[1].id}, 409, "state_version_current"),
        ("rollback", {"state_version_id": "sv-none"}, 404, "state_version_not_found"),
        ("rollback", {}, 422, "invalid"),
        ("migrate", {"state_backend": "local"}, 409, "state_backend_unchanged"),
        ("migrate", {"state_backend": "floppy"}, 422, "invalid"),
        ("migrate", {"state_backend": "s3"}, 422, "state_backend_settings_invalid"),
    ):
        answer = ask(session, scene, what, body)
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    missing = ask(session, scene, "migrate", {"state_backend": "s3", "state_backend_settings": {"key": "a"}}).json()
    assert "state_backend_settings.bucket" in {item["field"] for item in missing["errors"]}
