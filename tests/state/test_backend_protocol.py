"""The managed backend's protocol, request by request: what it answers, and what every bad request leaves behind."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from app.core.db import unit_of_work
from app.core.settings import get_settings
from app.runner.port import RunnerJob
from app.state import service as state
from tests.factories.scene import Scene, new_scene, second_workspace, state_document
from tests.state.managed import Backend, lock_document, md5, quarantined, token_of, versions
from tests.support.application import application


@pytest.fixture
def scene(session: Session, sent_jobs: Any) -> Scene:
    return new_scene(state_backend="managed", requester_may_approve=True)


@pytest.fixture
def http(session: Session) -> Iterator[TestClient]:
    with TestClient(application(), base_url="http://127.0.0.1:8080") as client:
        yield client


def backend(http: TestClient, scene: Scene, password: str, workspace: str | None = None) -> Backend:
    return Backend(http, f"/terraform/state/{workspace or scene.workspace.id}", password)


@pytest.fixture
def person(http: TestClient, scene: Scene) -> Backend:
    return backend(http, scene, token_of(scene.admin))


def of_run(http: TestClient, scene: Scene, job: RunnerJob) -> Backend:
    return backend(http, scene, job.backend_environment["TF_HTTP_PASSWORD"])


@pytest.fixture
def applying(scene: Scene) -> RunnerJob:
    return scene.applying()[1]


@pytest.fixture
def run(http: TestClient, scene: Scene, applying: RunnerJob) -> Backend:
    found = of_run(http, scene, applying)
    assert found.lock("lock-1").status_code == 200
    return found


# What a run's engine does.


def test_run_reads_writes_and_gives_its_lock_back(scene: Scene, run: Backend, applying: RunnerJob) -> None:
    assert run.get().status_code == 204
    assert run.post(state_document(1), "lock-1").status_code == 200
    assert run.post(state_document(1), "lock-1").status_code == 200
    assert run.post(state_document(2, names=("a", "b")), "lock-1").status_code == 200
    got = run.get()
    assert got.json()["serial"] == 2
    assert got.headers["content-md5"] == md5(got.content)
    assert [row.kind for row in versions(scene)] == ["snapshot", "snapshot"]
    assert run.unlock("lock-1").status_code == 200
    assert run.unlock("lock-1").status_code == 200
    with unit_of_work() as session:
        held = state.held_lock(session, scene.workspace.id)
    assert held is not None
    assert held.run_id == applying.run_id
    scene.finish(applying)
    scene.quiesce(applying)
    assert [row.kind for row in versions(scene)] == ["snapshot", "applied"]
    assert scene.run(applying.run_id).state_version_id == versions(scene)[-1].id


def test_run_lock_sent_again_is_fine_and_another_id_is_not(run: Backend) -> None:
    assert run.lock("lock-1").status_code == 200
    refused = run.lock("lock-2")
    assert refused.status_code == 423
    assert refused.json()["ID"].startswith("lock-1 ")


def test_halted_run_writes_until_it_has_quiesced(scene: Scene, run: Backend, applying: RunnerJob) -> None:
    scene.halt()
    assert scene.status(applying.run_id) == "cancelled"
    assert run.post(state_document(1), "lock-1").status_code == 200
    scene.quiesce(applying)
    assert run.post(state_document(2), "lock-1").json()["code"] == "run_credential_quiesced"
    assert [row.kind for row in versions(scene)] == ["applied"]
    assert [row.serial for row in quarantined(scene)] == [2]


def test_plan_at_work_locks_and_reads_only(http: TestClient, scene: Scene) -> None:
    plan = of_run(http, scene, scene.claimed(scene.request()))
    assert plan.lock("lock-1").status_code == 200
    assert plan.get().status_code == 204
    assert plan.unlock("lock-1").status_code == 200


def test_state_written_by_hand_supersedes_the_plan_at_the_gate(
    scene: Scene, person: Backend, sent_jobs: list[tuple[str, tuple[str, ...], str]]
) -> None:
    scene.at_gate()
    assert person.post(state_document(1)).status_code == 200
    assert ("runs.supersede_moved", (scene.workspace.id,), "control") in sent_jobs


# People.


def test_person_locks_writes_and_unlocks(scene: Scene, person: Backend) -> None:
    assert person.lock("mine").status_code == 200
    assert person.lock("mine").status_code == 200
    assert person.post(state_document(1), "mine").status_code == 200
    assert person.unlock("mine").status_code == 200
    with unit_of_work() as session:
        assert state.held_lock(session, scene.workspace.id) is None
    assert [row.created_by["id"] for row in versions(scene)] == [scene.admin.id]


def test_person_finds_the_runs_lock_with_its_holder(
    http: TestClient, scene: Scene, person: Backend, run: Backend
) -> None:
    refused = person.lock("mine")
    assert refused.status_code == 423
    document = refused.json()
    assert document["code"] == "state_locked_by_another"
    assert scene.planner.name in document["Who"]
    assert document["ID"].startswith("lock-1 ")
    assert {"Operation", "Info", "Created", "Path", "Version"} <= document.keys()
    assert person.unlock("lock-1").status_code == 423
    assert person.post(state_document(1)).status_code == 423
    assert [row.code for row in quarantined(scene)] == ["state_locked_by_another"]


def test_persons_lock_keeps_others_out_and_runs_waiting(http: TestClient, scene: Scene, person: Backend) -> None:
    assert person.lock("mine").status_code == 200
    other = backend(http, scene, token_of(scene.admin))
    assert other.lock("yours").status_code == 423
    queued = scene.request()
    assert scene.claim(queued) is None
    assert person.unlock("mine").status_code == 200
    assert scene.claim(queued) is not None


def test_force_unlock_of_another_persons_lock_needs_the_right(http: TestClient, scene: Scene, person: Backend) -> None:
    assert person.lock("mine").status_code == 200
    approver = backend(http, scene, token_of(scene.approvers[0]))
    assert approver.unlock("mine").status_code == 403
    assert person.unlock("other").json()["code"] == "state_lock_id_wrong"
    assert person.unlock(None).status_code == 200


def test_halt_keeps_people_from_locking(scene: Scene, person: Backend) -> None:
    scene.halt()
    refused = person.lock("mine")
    assert (refused.status_code, refused.json()["code"]) == (423, "state_halted")
    assert person.post(state_document(1)).json()["code"] == "state_halted"
    assert versions(scene) == []


def test_delete_leaves_an_empty_state_only_where_nothing_is_managed(scene: Scene, person: Backend) -> None:
    assert person.send("DELETE").status_code == 200
    person.post(state_document(1))
    assert person.send("DELETE").json()["code"] == "state_holds_resources"
    person.post(state_document(2, names=()))
    assert person.send("DELETE").status_code == 200
    assert person.get().json()["serial"] == 3
    assert len(versions(scene)) == 3


def test_reading_by_hand_needs_the_right_to_download(http: TestClient, scene: Scene, person: Backend) -> None:
    person.post(state_document(1))
    viewer = backend(http, scene, token_of(scene.approvers[0]))
    assert viewer.get().json()["permission"] == "state:download"
    assert person.get().status_code == 200


def test_cookie_or_nothing_is_no_credential(http: TestClient, scene: Scene) -> None:
    answer = http.get(f"/terraform/state/{scene.workspace.id}")
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


# Every bad request: its own error, no version, and a real state in quarantine.

REAL = state_document(6, names=("a", "z"))


@pytest.fixture
def written(run: Backend) -> Backend:
    assert run.post(state_document(5), "lock-1").status_code == 200
    return run


def _expect(scene: Scene, answer: Any, status: int, code: str, *, kept: int = 1) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["detail"]
    assert [row.serial for row in versions(scene)] == [5]
    rows = quarantined(scene)
    assert [row.code for row in rows] == [code] * kept
    assert all(row.status == "held" for row in rows)


Bad = Callable[[Backend], Any]
BAD: dict[str, tuple[Bad, int, str, int]] = {
    "wrong lock id": (lambda b: b.post(REAL, "lock-9"), 409, "state_lock_id_wrong", 1),
    "no lock id": (lambda b: b.post(REAL), 409, "state_lock_id_wrong", 1),
    "lower serial": (lambda b: b.post(state_document(4), "lock-1"), 409, "state_serial_outdated", 1),
    "equal serial, other content": (
        lambda b: b.post(state_document(5, names=("z",)), "lock-1"),
        409,
        "state_serial_outdated",
        1,
    ),
    "other lineage": (lambda b: b.post(state_document(6, lineage="other"), "lock-1"), 409, "state_lineage_foreign", 1),
    "truncated": (lambda b: b.post(REAL[:-20], "lock-1"), 400, "state_truncated", 0),
    "truncated, with the whole's digest": (
        lambda b: b.post(REAL[:-20], "lock-1", headers={"Content-MD5": md5(REAL)}),
        400,
        "state_truncated",
        0,
    ),
    "empty": (lambda b: b.post(b"", "lock-1"), 400, "state_truncated", 0),
    "wrong digest": (
        lambda b: b.post(REAL, "lock-1", headers={"Content-MD5": md5(b"other")}),
        400,
        "state_digest_mismatch",
        1,
    ),
    "digest that is none": (
        lambda b: b.post(REAL, "lock-1", headers={"Content-MD5": "!"}),
        400,
        "state_digest_mismatch",
        1,
    ),
    "not a state": (lambda b: b.post(b'{"version": 3}', "lock-1"), 400, "state_malformed", 0),
    "nested deeper than is read": (
        lambda b: b.post(b'{"version": 4, "outputs": ' + b"[" * 3000 + b"]" * 3000 + b"}", "lock-1"),
        400,
        "state_malformed",
        0,
    ),
    "broken resources": (
        lambda b: b.post(json.dumps({**json.loads(REAL), "resources": [1]}).encode(), "lock-1"),
        400,
        "state_malformed",
        0,
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_write_has_its_own_error_and_changes_no_version(scene: Scene, written: Backend, name: str) -> None:
    send, status, code, kept = BAD[name]
    _expect(scene, send(written), status, code, kept=kept)
    _expect(scene, send(written), status, code, kept=kept)


def test_write_of_200_mb_is_refused_before_it_is_read(scene: Scene, written: Backend) -> None:
    assert get_settings().max_state_bytes < 200_000_000
    body = b" " * 200_000_000
    _expect(scene, written.send("POST", body, params={"ID": "lock-1"}), 413, "payload_too_large", kept=0)


def test_credential_of_another_workspace_is_refused(http: TestClient, scene: Scene, written: Backend) -> None:
    other = second_workspace(scene, state_backend="managed", requester_may_approve=True)
    foreign = of_run(http, scene, other.applying()[1])
    answer = foreign.post(REAL)
    _expect(scene, answer, 403, "run_credential_foreign", kept=0)
    assert [row.code for row in quarantined(other)] == ["run_credential_foreign"]
    assert foreign.get().json()["code"] == "run_credential_foreign"
    assert foreign.lock("x").json()["code"] == "run_credential_foreign"


def test_plans_credential_can_not_write(http: TestClient, scene: Scene, written: Backend, applying: RunnerJob) -> None:
    scene.finish(applying)
    scene.quiesce(applying)
    plan = of_run(http, scene, scene.claimed(scene.request()))
    plan.lock("plan-1")
    _expect(scene, plan.post(REAL, "plan-1"), 403, "plan_credential_reads_only")
    assert plan.send("DELETE").json()["code"] == "plan_credential_reads_only"


def test_quiesced_runs_credential_is_refused(scene: Scene, written: Backend, applying: RunnerJob) -> None:
    scene.quiesce(applying)
    _expect(scene, written.post(REAL, "lock-1"), 403, "run_credential_quiesced")
    for answer in (written.get(), written.lock("x"), written.unlock("lock-1")):
        assert answer.json()["code"] == "run_credential_quiesced"


def test_unknown_credential_is_refused(http: TestClient, scene: Scene, written: Backend) -> None:
    _expect(scene, backend(http, scene, "slr_nothing").post(REAL), 401, "unauthenticated", kept=0)


def test_write_after_a_newer_holder_took_the_lock_goes_to_quarantine(
    http: TestClient, scene: Scene, written: Backend, applying: RunnerJob
) -> None:
    with unit_of_work() as session:
        state.unlock(session, scene.workspace.id, applying.run_id)
        state.lock(
            session,
            organization_id=scene.organization_id,
            workspace_id=scene.workspace.id,
            run_id="run-newer",
            fencing_token=1,
            holder=scene.planner.describe(),
            reason="apply",
        )
    answer = written.post(REAL, "lock-1")
    assert "run-newer" in answer.json()["detail"]
    _expect(scene, answer, 409, "state_lock_lost")


@pytest.mark.parametrize("body", [b"", b"{", b"{}", b'{"ID": ""}', b"[]"])
def test_lock_without_lock_info_is_refused(person: Backend, body: bytes) -> None:
    answer = person.send("LOCK", body)
    assert (answer.status_code, answer.json()["code"]) == (400, "lock_info_unreadable")


def test_lock_info_is_noted_as_engines_send_it(person: Backend) -> None:
    assert person.send("LOCK", lock_document("mine")).status_code == 200
    assert person.lock("other").json()["Operation"] == "OperationTypeApply"


def test_only_the_hash_of_a_credential_is_kept(session: Session, scene: Scene) -> None:
    job = scene.claimed(scene.request())
    secret = job.backend_environment["TF_HTTP_PASSWORD"]
    assert secret not in repr(job)
    from sqlalchemy import text

    rows = session.execute(text("SELECT row_to_json(c)::text FROM terraform_run_credentials c")).scalars().all()
    assert rows
    assert not any(secret in row for row in rows)
