"""What is removed of old runs and uploads, what never is, and how it is said."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.configurations import service as configurations
from app.configurations.errors import ConfigurationRemoved
from app.core import clock
from app.core.artifacts import MARKER, ArtifactStore, using
from app.core.blobs import MemoryBlobStore
from app.core.crypto import key_ring
from app.core.db import unit_of_work
from app.core.errors import NotFound
from app.core.installation import claim_artifacts
from app.core.settings import get_settings
from app.progress import service as progress
from app.progress.schemas import NewRecord
from app.runs import retention, retention_tasks
from app.runs.retention import remove_due, remove_orphans, remove_uploads
from app.specs import service as specs
from app.specs.schemas import TerraformStackSpec
from tests.factories.scene import Scene, new_scene, second_workspace
from tests.support.archives import archive
from tests.support.client import ActingClient


@pytest.fixture
def blobs() -> Iterator[MemoryBlobStore]:
    made = MemoryBlobStore()
    with using(ArtifactStore(made, key_ring())):
        yield made


@pytest.fixture
def claimed(session: Session, blobs: MemoryBlobStore) -> None:
    claim_artifacts()


@pytest.fixture
def scene(claimed: None, sent_jobs: Any) -> Scene:
    return new_scene()


@contextmanager
def later(days: float) -> Iterator[None]:
    moment = clock.now() + timedelta(days=days)
    with clock.using(lambda: moment):
        yield


def say(run_id: str) -> None:
    with unit_of_work() as session:
        progress.append(session, run_id, [NewRecord(at=clock.now(), kind="line", text="hello")])


def kinds_of(blobs: MemoryBlobStore, run_id: str) -> set[str]:
    return {blob.key.split("/")[1] for blob in blobs.blobs() if blob.key.split("/")[2] == run_id}


def chunks(session: Session, run_id: str) -> int:
    found: int = session.execute(
        text("SELECT count(*) FROM progress_chunks WHERE run_id = :run"), {"run": run_id}
    ).scalar_one()
    return found


def discarded(scene: Scene) -> str:
    run_id = scene.at_gate()
    say(run_id)
    scene.discard(run_id)
    return run_id


def applied(scene: Scene, serial: int) -> tuple[str, str]:
    plan, job = scene.applying()
    say(job.run_id)
    scene.apply_to_end(job, serial=serial)
    return plan, job.run_id


def upload(scene: Scene, name: str) -> Any:
    with unit_of_work() as session:
        return configurations.store_archive(session, scene.planner, archive({"main.tf": f'output "{name}" {{}}\n'}))


def test_final_run_loses_plan_and_log_and_keeps_digests(session: Session, scene: Scene, blobs: MemoryBlobStore) -> None:
    run_id = discarded(scene)
    before = scene.run(run_id).artifacts
    assert kinds_of(blobs, run_id) == {"plan_file", "plan_json", "plan_view"}
    with later(89):
        assert remove_due() == 0
    with later(91):
        assert remove_due() == 1
        assert remove_due() == 0
    assert kinds_of(blobs, run_id) == set()
    assert chunks(session, run_id) == 0
    session.expire_all()
    run = scene.run(run_id)
    assert run.artifacts_removed_at is not None
    assert run.artifacts == before
    assert run.status == "discarded"


def test_run_at_the_gate_approved_or_running_is_kept(session: Session, scene: Scene, blobs: MemoryBlobStore) -> None:
    waiting = scene.at_gate()
    other = second_workspace(scene)
    approved, _ = other.approved()
    third = second_workspace(scene)
    running, job = third.applying()
    with later(4000):
        assert remove_due() == 0
        assert remove_orphans() == 0
    for run_id in (waiting, approved, running):
        assert "plan_file" in kinds_of(blobs, run_id)
    assert third.run(job.run_id).artifacts_removed_at is None


def test_run_that_has_not_quiesced_loses_nothing(scene: Scene, blobs: MemoryBlobStore) -> None:
    job = scene.claimed(scene.request())
    scene.settle(job)
    scene.discard(job.run_id)
    with later(91):
        assert remove_due() == 0
    scene.quiesce(job)
    with later(91):
        assert remove_due() == 1


def test_what_the_present_state_was_made_from_is_kept(session: Session, scene: Scene, blobs: MemoryBlobStore) -> None:
    first, first_apply = applied(scene, 1)
    newest, newest_apply = applied(scene, 2)
    with later(4000):
        assert remove_due() == 2
        assert remove_orphans() == 0
    assert kinds_of(blobs, first) == set()
    assert (chunks(session, first_apply), chunks(session, newest_apply) > 0) == (0, True)
    assert "plan_file" in kinds_of(blobs, newest)


def test_present_state_of_a_destroy_keeps_the_destroy_and_no_older_plan(
    session: Session, scene: Scene, blobs: MemoryBlobStore
) -> None:
    first, _ = applied(scene, 1)
    destroy = scene.at_gate("destroy")
    scene.approve(destroy)
    job = scene.claimed(scene.child(destroy))
    assert scene.verify(job).may_apply
    scene.apply_to_end(job, serial=2)
    with later(4000):
        assert remove_due() == 2
        assert remove_orphans() == 0
    assert kinds_of(blobs, first) == set()
    assert "plan_file" in kinds_of(blobs, destroy)


def test_zero_days_keep_everything(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    discarded(scene)
    monkeypatch.setenv("SLUICE_RUN_ARTIFACTS_DAYS", "0")
    get_settings.cache_clear()
    with later(4000):
        retention_tasks.retain()
        assert (remove_due(), remove_uploads()) == (0, 0)


def test_many_runs_go_in_batches(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    for _ in range(5):
        discarded(scene)
    with later(91):
        assert remove_due() == 5


def test_removed_run_is_told_as_removed_not_as_missing(session: Session, scene: Scene, client: ActingClient) -> None:
    run_id = discarded(scene)
    with later(91):
        retention_tasks.retain()
    acting = client.acting(scene.admin)
    found = acting.get(f"/terraform/runs/{run_id}")
    assert found.status_code == 200
    assert found.json()["artifacts_removed_at"]
    for path, code in (("plan", "plan_removed"), ("progress", "log_removed")):
        answer = acting.get(f"/terraform/runs/{run_id}/{path}")
        assert (answer.status_code, answer.json()["code"]) == (410, code)
        assert "after 90 days (SLUICE_RUN_ARTIFACTS_DAYS)" in answer.json()["detail"]


def test_next_plan_does_not_ask_for_a_lock_file_that_was_removed(session: Session, scene: Scene) -> None:
    run_id = scene.request()
    job = scene.claimed(run_id)
    lock = scene.port.put_artifact(run_id, job.fencing_token, "lock_file", b"locked")
    outcome = scene.outcome(job).model_copy(update={"lock_file": lock})
    scene.port.settle(run_id, job.fencing_token, outcome)
    scene.quiesce(job)
    scene.discard(run_id)
    again = scene.claimed(scene.request(speculative=True))
    assert again.lock_file == lock
    with later(91):
        assert remove_due() == 1
    assert scene.claimed(scene.request(speculative=True)).lock_file is None


def test_upload_that_nothing_needs_loses_its_files_and_comes_back(
    session: Session, scene: Scene, blobs: MemoryBlobStore
) -> None:
    stored = upload(scene, "a")
    with later(89):
        assert remove_uploads() == 0
    with later(91):
        # The scene's own upload, which no run has used, goes with it.
        assert remove_uploads() == 2
    with pytest.raises(NotFound):
        blobs.get(stored.archive.key)
    with pytest.raises(ConfigurationRemoved, match="upload the same directory again"), unit_of_work() as opened:
        configurations.take(opened, scene.organization_id, stored.id)
    back = upload(scene, "a")
    assert (back.id, back.removed_at) == (stored.id, None)
    assert configurations.files(back)


def test_upload_that_a_run_or_a_pushed_spec_needs_is_kept(session: Session, scene: Scene) -> None:
    applied(scene, 1)
    pushed, gone = upload(scene, "pushed"), upload(scene, "gone")
    with unit_of_work() as opened:
        name = scene.workspace.stack.name
        spec = TerraformStackSpec(name=name, configuration_digest=pushed.digest)
        specs.persist_spec(spec, actor=scene.admin, session=opened)
    with later(4000):
        remove_due()
        assert remove_uploads() == 1
    with unit_of_work() as opened:
        configurations.take(opened, scene.organization_id, scene.configuration_id)
        configurations.take(opened, scene.organization_id, pushed.id)
        assert configurations.get(opened, scene.organization_id, gone.id).removed_at is not None


def test_orphans_go_once_they_are_old_and_nothing_else_does(
    session: Session, scene: Scene, blobs: MemoryBlobStore
) -> None:
    waiting = scene.at_gate()
    running = scene.claimed(scene.request(speculative=True))
    young = scene.port.put_artifact(running.run_id, running.fencing_token, "plan_file", b"not settled yet")
    own = scene.organization_id
    orphans = [
        f"{own}/plan_file/{waiting}/{'0' * 64}",
        f"{own}/plan_json/run-of-a-deleted-workspace/{'0' * 64}",
        f"{own}/configuration/{'1' * 64}/{'0' * 64}",
    ]
    foreign = [
        f"{own}/something_newer/x/{'0' * 64}",
        f"org-elsewhere/plan_file/run-elsewhere/{'0' * 64}",
        f"org-elsewhere/configuration/{'1' * 64}/{'0' * 64}",
        "what/is/this",
    ]
    for key in (*orphans, *foreign):
        blobs.put(key, b"x")
    before = {blob.key for blob in blobs.blobs()}
    assert remove_orphans() == 0
    with later(3):
        assert remove_orphans() == len(orphans)
    assert before - {blob.key for blob in blobs.blobs()} == set(orphans)
    assert young.key in before
    with later(3):
        retention_tasks.remove_orphans()


@pytest.mark.parametrize("marker", [b"inst-of-others\n", None])
def test_orphans_stay_where_the_place_is_not_marked_as_ours(
    scene: Scene, blobs: MemoryBlobStore, marker: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    orphan = f"{scene.organization_id}/plan_json/run-of-a-deleted-workspace/{'0' * 64}"
    blobs.put(orphan, b"x")
    blobs.delete(MARKER)
    if marker is not None:
        blobs.put(MARKER, marker)
    with later(3):
        assert remove_orphans() == 0
    assert orphan in {blob.key for blob in blobs.blobs()}
    assert "nothing is removed" in caplog.text
    blobs.delete(MARKER)
    claim_artifacts()
    with later(3):
        assert remove_orphans() == 1
