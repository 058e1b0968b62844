"""Migrations: what they show, what refuses them, and that the workspace changes over with the run or not at all."""

import json
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy.orm import Session

from app.core.artifacts import ArtifactRef, artifact_store
from app.core.db import unit_of_work
from app.core.errors import Forbidden
from app.core.permissions import Permission
from app.fence.errors import Halted
from app.runner.port import MovePlan, PlanOutcome, RunnerJob
from app.runs import tasks
from app.runs.errors import NothingToMigrate, StateBackendUnchanged
from app.state import backend_service
from app.state import service as state
from app.state.backend_errors import StateKeptElsewhere
from app.state.errors import MigrationTargetTaken, StateLocked
from app.state.migrating import check_target
from app.state.schemas import LockRequest
from app.workspaces import service as workspaces
from app.workspaces.errors import BackendSettingsInvalid, StateLocationTaken
from tests.factories.scene import Scene, new_scene, second_workspace, state_document

S3 = {"bucket": "states", "key": "prod.tfstate", "region": "eu-central-1"}


@pytest.fixture
def scene(session: Session, sent_jobs: Any) -> Scene:
    return new_scene(state_backend="local")


@pytest.fixture
def held(scene: Scene) -> bytes:
    """The workspace's state."""
    data = state_document(4, names=("a", "b"))
    scene.store(data)
    return data


def outlined(scene: Scene, job: RunnerJob, found: bytes | None, there: bytes | None = None) -> MovePlan:
    return scene.port.outline(job.run_id, job.fencing_token, found, there)


def planned(scene: Scene, found: bytes, backend: str = "managed", **settings: Any) -> str:
    """Bring a migration to the gate, as a runner that pulled ``found`` and saw an empty target."""
    run_id = scene.migrate(backend, **settings)
    job = scene.claimed(run_id)
    made = outlined(scene, job, found)
    outcome = PlanOutcome.model_validate(
        {
            **made.model_dump(),
            "engine": {"kind": "tofu", "version": "1.12.6", "sha256": "0"},
            "lock_file": None,
            "side_files": None,
            "working_directory": "/run/work",
            "state_lineage": job.state_lineage,
            "state_serial": job.state_serial,
            "timings": (),
        }
    )
    scene.port.settle(run_id, job.fencing_token, outcome)
    scene.quiesce(job)
    return run_id


def place(scene: Scene) -> tuple[str, dict[str, Any]]:
    with unit_of_work() as session:
        found = workspaces.get(session, scene.organization_id, scene.workspace.id)
    return found.state_backend, found.state_backend_settings


def test_migration_shows_from_where_to_where(scene: Scene, held: bytes) -> None:
    run_id = planned(scene, held, "s3", **S3)
    run = scene.run(run_id)
    assert run.status == "awaiting_approval"
    view = json.loads(artifact_store().get(ArtifactRef.model_validate(run.artifacts["plan_view"])))
    change = view["state_change"]
    assert (change["from"]["state_backend"], change["from"]["serial"], change["from"]["resource_count"]) == (
        "local",
        4,
        2,
    )
    assert (change["to"]["state_backend"], change["to"]["is_empty"]) == ("s3", True)
    assert S3.items() <= change["to"]["state_backend_settings"].items()
    assert view["resources"] == []


def test_migration_gives_the_runner_both_backends(scene: Scene, held: bytes) -> None:
    job = scene.claimed(scene.migrate("s3", **S3))
    assert (job.expected_backend, job.state is not None) == ("local", True)
    assert job.target is not None
    assert job.target.expected_backend == "s3"
    assert "bucket" in next(iter(job.target.generated_files.values()))
    assert job.backend_environment == {}
    assert job.configuration is None


def test_migration_to_or_from_managed_gives_the_credential(scene: Scene, held: bytes) -> None:
    assert "TF_HTTP_PASSWORD" in scene.claimed(scene.migrate("managed")).backend_environment


def test_finished_migration_changes_the_workspace_over(scene: Scene, held: bytes) -> None:
    run_id = planned(scene, held, "s3", **S3)
    scene.approve(run_id)
    job = scene.claimed(scene.child(run_id))
    assert job.planned_kind == "migration"
    assert scene.verify(job).may_apply
    assert place(scene)[0] == "local"
    scene.finish(job)
    assert place(scene)[0] == "s3"
    assert S3.items() <= place(scene)[1].items()
    assert scene.status(run_id) == "applied"
    with pytest.raises(StateKeptElsewhere, match="s3"):
        backend_service.read(scene.admin, scene.workspace.id)


@pytest.mark.parametrize("end", ["fail", "halt"])
def test_migration_that_does_not_finish_changes_nothing(scene: Scene, held: bytes, end: str) -> None:
    run_id = planned(scene, held)
    scene.approve(run_id)
    job = scene.claimed(scene.child(run_id))
    assert scene.verify(job).may_apply
    if end == "halt":
        scene.halt()
    else:
        scene.fail(job)
    scene.finish(job)
    scene.quiesce(job)
    assert place(scene)[0] == "local"
    assert "work_completed" in scene.evidence(job.run_id)


def test_second_migration_that_waits_is_superseded_by_the_first(scene: Scene, held: bytes) -> None:
    first, second = planned(scene, held), planned(scene, held, "s3", **S3)
    scene.approve(first)
    job = scene.claimed(scene.child(first))
    assert scene.verify(job).may_apply
    scene.finish(job)
    scene.quiesce(job)
    tasks.supersede_moved(scene.workspace.id)
    assert scene.status(second) == "superseded"
    assert place(scene)[0] == "managed"


def test_migration_to_where_the_state_lies_is_refused(scene: Scene, held: bytes) -> None:
    with pytest.raises(StateBackendUnchanged, match="local"):
        scene.migrate("local")


def test_migration_without_a_state_is_refused_with_the_remedy(scene: Scene) -> None:
    with pytest.raises(NothingToMigrate, match="--state-backend managed"):
        scene.migrate("managed")


def test_migration_with_wrong_settings_is_refused_by_name(scene: Scene, held: bytes) -> None:
    with pytest.raises(BackendSettingsInvalid, match="bucket"):
        scene.migrate("s3", key="a", region="b")


def test_migration_to_another_workspaces_place_is_refused(scene: Scene, held: bytes) -> None:
    second_workspace(scene, state_backend="s3", state_backend_settings=S3)
    with pytest.raises(StateLocationTaken):
        scene.migrate("s3", **S3)


def test_migration_while_a_run_or_a_person_holds_the_lock_is_refused(scene: Scene, held: bytes) -> None:
    busy = scene.claimed(scene.request())
    with pytest.raises(StateLocked, match=busy.run_id):
        scene.migrate("managed")
    scene.settle(busy)
    scene.quiesce(busy)
    with unit_of_work() as session:
        state.lock_manually(session, scene.admin, scene.workspace.id, LockRequest(reason="by hand"))
    with pytest.raises(StateLocked, match="by hand"):
        scene.migrate("managed")


def test_migration_under_a_halt_is_refused(scene: Scene, held: bytes) -> None:
    scene.halt()
    with pytest.raises(Halted):
        scene.migrate("managed")


def test_migration_by_an_agent_or_without_the_right_is_refused(scene: Scene, held: bytes) -> None:
    with pytest.raises(Forbidden, match="AI agent"):
        scene.migrate("managed", replace(scene.admin, kind="agent"))
    fewer = replace(scene.admin, permissions=scene.admin.permissions - {Permission.WORKSPACES_WRITE})
    with pytest.raises(Forbidden, match="workspaces:write"):
        scene.migrate("managed", fewer)


def test_target_that_is_empty_or_holds_an_earlier_copy_takes_the_state() -> None:
    found = state_document(4)
    spaced = json.dumps(json.loads(found), indent=2).encode()
    empty = state_document(9, lineage="another", names=())
    for there, serial in ((None, None), (state_document(3), 3), (found, 4), (spaced, 4), (empty, None)):
        moved, copy_serial = check_target(found, there)
        assert (moved.serial, copy_serial) == (4, serial)


@pytest.mark.parametrize(
    ("there", "said"),
    [
        (state_document(1, lineage="another"), "its lineage is another"),
        (state_document(5), "newer state of the same lineage: serial 5"),
        (state_document(4, names=("other",)), "same lineage and serial 4"),
    ],
)
def test_target_that_holds_another_state_refuses_it(there: bytes, said: str) -> None:
    with pytest.raises(MigrationTargetTaken, match=said):
        check_target(state_document(4), there)


def test_source_that_holds_nothing_is_said(scene: Scene, held: bytes) -> None:
    job = scene.claimed(scene.migrate("managed"))
    with pytest.raises(NothingToMigrate):
        outlined(scene, job, None)
