import json
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.audit.models import AuditEvent
from app.core.db import unit_of_work
from app.core.permissions import Actor
from app.core.settings import get_settings
from app.identity.roles import Role
from app.runs.tasks import supersede_moved
from app.state import service
from app.state.schemas import LockRequest
from tests.factories.scene import Scene
from tests.state import states
from tests.state.conftest import Store
from tests.support import people
from tests.support.client import ActingClient

STATE = states.document([states.resource(1), states.resource(2, sensitive="planted-secret")], 7)
ENCRYPTED = {
    "serial": 3,
    "lineage": "x",
    "meta": {"key_provider": {}},
    "encrypted_data": "…",
    "encryption_version": "v0",
}
Sent = list[tuple[str, tuple[str, ...], str]]


def send(
    client: ActingClient, scene: Scene, data: bytes = STATE, *, actor: Actor | None = None, key: str | None = None
) -> httpx.Response:
    headers = {"Content-Type": "application/json", **({"Idempotency-Key": key} if key else {})}
    path = f"/terraform/workspaces/{scene.workspace.name}/state-import"
    return client.acting(actor or scene.admin).post(path, content=data, headers=headers)


def numbers(session: Session, scene: Scene) -> list[int]:
    newest = service.current(session, scene.workspace.id)
    return [newest.number] if newest is not None else []


def test_imported_state_is_the_first_version_and_is_audited(
    client: ActingClient, scene: Scene, session: Session, sent_jobs: Sent
) -> None:
    answer = send(client, scene)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert [made[name] for name in ("number", "kind", "serial", "lineage", "resource_count", "run_id")] == [
        1,
        "imported",
        7,
        states.LINEAGE,
        2,
        None,
    ]
    assert service.content(session, scene.organization_id, made["id"]) == STATE
    event = session.scalars(select(AuditEvent).filter_by(action="state.imported")).one()
    assert event.evidence["source"] == {"from": "file"}
    assert event.evidence["digest"] == made["digest"]
    assert "planted-secret" not in str(event.evidence)
    assert ("runs.supersede_moved", (scene.workspace.id,), "control") in sent_jobs


def test_import_of_the_same_state_again_changes_nothing(client: ActingClient, scene: Scene, session: Session) -> None:
    first, again = send(client, scene).json(), send(client, scene)
    assert (again.status_code, again.json()["id"]) == (201, first["id"])
    assert send(client, scene, key="k").json()["id"] == first["id"]
    reused = send(client, scene, states.document([], 9), key="k")
    assert (reused.status_code, reused.json()["code"]) == (422, "idempotency_key_reused")
    assert numbers(session, scene) == [1]


def test_import_over_a_state_is_refused(client: ActingClient, scene: Scene, session: Session, store: Store) -> None:
    store(states.document([], 1))
    refused = send(client, scene)
    assert (refused.status_code, refused.json()["code"]) == (409, "state_exists")
    assert numbers(session, scene) == [1]


UNSHOWABLE = ("NaN", "-Infinity", '"\\ud800"', '{"\\ud800": 1}', "[" * 250 + "]" * 250, "9" * 5000)
"""Values that Python's reader takes, and that no answer can hold."""
MISSHAPEN: tuple[dict[str, Any], ...] = (
    {"attributes": [1]},
    {"attributes": "a"},
    {"attributes_flat": [1]},
    {"sensitive_attributes": {"a": 1}},
    {"sensitive_attributes": [[["a"]]]},
)


def with_output(value: str) -> bytes:
    return (
        f'{{"version": 4, "serial": 1, "lineage": "x", "outputs": {{"a": {{"value": {value}, "type": "string"}}}}}}'
    ).encode()


def with_instance(instance: dict[str, Any]) -> bytes:
    resource = {"mode": "managed", "type": "t", "name": "n", "instances": [instance]}
    return json.dumps({"version": 4, "serial": 1, "lineage": "x", "resources": [resource]}).encode()


@pytest.mark.parametrize(
    ("data", "code", "said"),
    [
        (STATE[:-30], "state_unreadable", "cut short"),
        (b"PK\x03\x04", "state_unreadable", "not JSON"),
        (b"", "state_unreadable", "not JSON"),
        (b"[" * 100_000, "state_unreadable", "not JSON"),
        (json.dumps({"version": 3, "serial": 1, "lineage": "x"}).encode(), "state_unreadable", "format version 4"),
        (json.dumps({"version": 4, "serial": 1}).encode(), "state_unreadable", "lineage"),
        (json.dumps({"version": 4, "serial": -1, "lineage": "x"}).encode(), "state_unreadable", "serial"),
        (json.dumps({"version": 4, "serial": 2**40, "lineage": "x"}).encode(), "state_unreadable", "serial"),
        (json.dumps({"version": 4, "serial": 1, "lineage": "a\0"}).encode(), "state_unreadable", "lineage"),
        (
            json.dumps({"version": 4, "serial": 1, "lineage": "x", "resources": [{"instances": ["a"]}]}).encode(),
            "state_unreadable",
            "resources",
        ),
        (
            json.dumps({"version": 4, "serial": 1, "lineage": "x", "outputs": ["a"]}).encode(),
            "state_unreadable",
            "outputs",
        ),
        *((with_output(value), "state_unreadable", "not JSON") for value in UNSHOWABLE),
        *((with_instance(instance), "state_unreadable", "resources") for instance in MISSHAPEN),
        (
            json.dumps({"version": 4, "serial": 1, "lineage": "x", "terraform_version": "1\0"}).encode(),
            "state_unreadable",
            "terraform_version",
        ),
        (json.dumps(ENCRYPTED).encode(), "state_encrypted", "tofu state pull"),
    ],
)
def test_import_of_what_is_no_state_is_refused(
    client: ActingClient, scene: Scene, session: Session, data: bytes, code: str, said: str
) -> None:
    refused = send(client, scene, data)
    assert (refused.status_code, refused.json()["code"]) == (422, code)
    assert said in refused.json()["detail"]
    assert numbers(session, scene) == []


def test_import_of_more_than_the_backend_takes_is_refused(
    scene: Scene, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_MAX_STATE_BYTES", str(len(STATE) - 1))
    get_settings.cache_clear()
    operator = people.person(session, scene.organization_id, Role.OPERATOR)
    path = f"/terraform/workspaces/{scene.workspace.name}/state-import"
    refused = people.client(operator).post(path, content=STATE)
    assert (refused.status_code, refused.json()["code"]) == (413, "payload_too_large")
    assert numbers(session, scene) == []


def test_import_is_refused_while_a_run_is_at_work(client: ActingClient, scene: Scene) -> None:
    scene.claimed(scene.request())
    refused = send(client, scene)
    assert (refused.status_code, refused.json()["code"]) == (409, "state_locked")


def test_import_is_refused_under_anothers_lock_and_done_under_ones_own(client: ActingClient, scene: Scene) -> None:
    other = scene.approvers[0]
    with unit_of_work() as opened:
        service.lock_manually(opened, other, scene.workspace.id, LockRequest(reason="mine"))
    refused = send(client, scene)
    assert (refused.status_code, refused.json()["code"]) == (409, "state_locked")
    with unit_of_work() as opened:
        service.unlock_own(opened, other, scene.workspace.id)
        service.lock_manually(opened, scene.admin, scene.workspace.id, LockRequest(reason="to import"))
    assert send(client, scene).status_code == 201


def test_import_is_refused_under_a_halt(client: ActingClient, scene: Scene) -> None:
    scene.halt()
    refused = send(client, scene)
    assert (refused.status_code, refused.json()["code"]) == (409, "halted")
    scene.resume()
    assert send(client, scene).status_code == 201


def test_import_needs_the_right_to_write_state(client: ActingClient, scene: Scene, session: Session) -> None:
    planner = people.person(session, scene.organization_id, Role.PLANNER, Role.APPROVER).actor
    assert send(client, scene, actor=planner).status_code == 403
    operator = people.account(session, scene.organization_id, Role.OPERATOR).actor
    assert send(client, scene, actor=operator).status_code == 201


def test_waiting_plan_is_superseded_by_an_import(client: ActingClient, scene: Scene) -> None:
    run_id = scene.at_gate()
    assert send(client, scene).status_code == 201
    supersede_moved(scene.workspace.id)
    assert scene.run(run_id).status == "superseded"
