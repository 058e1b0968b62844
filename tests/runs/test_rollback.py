"""Rollbacks: what they show, who lets them through, what they write, and all that refuses them."""

import json
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import delete
from sqlalchemy.orm import Session

from app.core.artifacts import ArtifactRef, artifact_store
from app.core.db import unit_of_work
from app.core.errors import Forbidden
from app.fence.errors import Halted
from app.policy import service as policy
from app.policy.schemas import PolicyAttachmentIn
from app.runs.errors import PlanMoved
from app.state import service as state
from app.state.errors import (
    StateLineageDiffers,
    StateLocked,
    StateVersionCurrent,
    StateVersionDamaged,
    StateVersionNotFound,
    StateVersionPruned,
)
from app.state.models import TerraformStateChunk
from app.state.schemas import LockRequest, Retention, StateVersionOut
from app.workspaces import service as workspaces
from app.workspaces.schemas import VariableIn
from tests.factories.scene import LINEAGE, Scene, new_scene, second_workspace, state_document

SECRET = "correct-horse-battery"


def store(scene: Scene, serial: int, *, replaces_lineage: bool = False, **options: Any) -> StateVersionOut:
    return scene.store(state_document(serial, **options), replaces_lineage=replaces_lineage)


@pytest.fixture
def scene(session: Session, sent_jobs: Any) -> Scene:
    return new_scene()


@pytest.fixture
def versions(scene: Scene) -> list[StateVersionOut]:
    """Three versions: one resource; two, and an output; one again, another."""
    return [
        store(scene, 3, names=("a",)),
        store(scene, 5, names=("a", "b"), outputs={"greeting": {"value": "hello", "type": "string"}}),
        store(scene, 8, names=("a", "c")),
    ]


def planned(scene: Scene, version_id: str) -> str:
    """Bring a rollback to the gate."""
    run_id = scene.rollback(version_id)
    job = scene.claimed(run_id)
    scene.settle(job)
    scene.quiesce(job)
    return run_id


def view(scene: Scene, run_id: str) -> dict[str, Any]:
    reference = ArtifactRef.model_validate(scene.run(run_id).artifacts["plan_view"])
    document: dict[str, Any] = json.loads(artifact_store().get(reference))
    return document


def test_rollback_shows_what_the_state_will_say_otherwise(scene: Scene, versions: list[StateVersionOut]) -> None:
    run_id = planned(scene, versions[1].id)
    assert scene.status(run_id) == "awaiting_approval"
    shown = view(scene, run_id)
    assert [(item["address"], item["action"]) for item in shown["resources"]] == [
        ("terraform_data.b", "import"),
        ("terraform_data.c", "forget"),
    ]
    assert [(item["name"], item["action"], item["after"]) for item in shown["outputs"]] == [
        ("greeting", "create", "hello")
    ]
    counts = scene.run(run_id).counts
    assert counts is not None
    assert (counts["import"], counts["forget"], counts["destroy"]) == (1, 1, 0)


def test_rollback_hides_sensitive_values(scene: Scene) -> None:
    with unit_of_work() as session:
        body = VariableIn(value=SECRET, is_sensitive=True)
        workspaces.put_variable(session, scene.admin, scene.workspace.id, "terraform", "pass", body)
    old = store(scene, 1, outputs={"login": {"value": f"root:{SECRET}", "type": "string"}})
    store(scene, 2)
    run_id = planned(scene, old.id)
    shown = view(scene, run_id)
    assert shown["outputs"][0]["sensitive"]
    assert SECRET not in json.dumps(shown)
    document = artifact_store().get(ArtifactRef.model_validate(scene.run(run_id).artifacts["plan_json"]))
    assert SECRET.encode() not in document


def test_rollback_writes_the_old_content_as_a_new_version(scene: Scene, versions: list[StateVersionOut]) -> None:
    run_id = planned(scene, versions[0].id)
    scene.approve(run_id)
    job = scene.claimed(scene.child(run_id))
    assert job.planned_kind == "rollback"
    assert scene.verify(job).may_apply
    made = scene.roll_back(job)
    scene.quiesce(job)
    assert scene.status(run_id) == "applied"
    with unit_of_work() as session:
        newest = state.current(session, scene.workspace.id)
        stored = state.by_id(session, scene.organization_id, made)
        data = state.content(session, scene.organization_id, made)
    assert newest is not None
    assert stored is not None
    assert (newest.id, newest.number, newest.serial, newest.lineage) == (made, 4, 9, LINEAGE)
    assert stored.kind == "rolled_back"
    assert data == state_document(9, names=("a",))


def test_rollback_to_the_same_content_has_no_changes(scene: Scene) -> None:
    old = store(scene, 1)
    store(scene, 2)
    assert scene.status(planned(scene, old.id)) == "no_changes"


def test_state_that_moved_before_the_approval_supersedes_the_rollback(
    scene: Scene, versions: list[StateVersionOut]
) -> None:
    run_id = planned(scene, versions[0].id)
    store(scene, 9, names=("d",))
    with pytest.raises(PlanMoved, match="state moved from serial 8 to 9"):
        scene.approve(run_id)


def test_state_that_moved_after_the_approval_supersedes_the_rollback(
    scene: Scene, versions: list[StateVersionOut]
) -> None:
    run_id = planned(scene, versions[0].id)
    scene.approve(run_id)
    job = scene.claimed(scene.child(run_id))
    store(scene, 9, names=("d",))
    assert not scene.verify(job).may_apply
    assert scene.status(run_id) == "superseded"


def test_first_rollback_that_is_applied_supersedes_the_others(scene: Scene, versions: list[StateVersionOut]) -> None:
    first, second = planned(scene, versions[0].id), planned(scene, versions[1].id)
    scene.approve(first)
    scene.approve(second)
    for run_id in (first, second):
        job = scene.claimed(scene.child(run_id))
        if scene.verify(job).may_apply:
            scene.roll_back(job)
        scene.quiesce(job)
    assert (scene.status(first), scene.status(second)) == ("applied", "superseded")


def test_rollback_pins_both_states_in_its_fingerprint(scene: Scene, versions: list[StateVersionOut]) -> None:
    parts = [scene.run(planned(scene, version.id)).fingerprint_parts or {} for version in versions[:2]]
    assert parts[0]["state"] == parts[1]["state"]
    assert parts[0]["target"] != parts[1]["target"]
    assert parts[0]["plan_file"] != parts[1]["plan_file"]


def test_rollback_is_never_applied_by_rule(session: Session, sent_jobs: Any) -> None:
    scene = new_scene(auto_apply=True, auto_apply_allows_destroy=True)
    old = store(scene, 1, names=("a",))
    store(scene, 2, names=("b",))
    assert scene.status(planned(scene, old.id)) == "awaiting_approval"


def test_policies_judge_a_rollback_and_a_rule_over_resources_finds_none(
    scene: Scene, versions: list[StateVersionOut]
) -> None:
    for name in ("no_local_exec", "blast_radius", "no_destroy_protected", "required_tags"):
        body = PolicyAttachmentIn(
            policy_set_uri=f"policies/{name}", enforcement_level="hard-mandatory", workspace=scene.workspace.id
        )
        with unit_of_work() as session:
            policy.attach(session, scene.admin, body)
    run_id = planned(scene, versions[0].id)
    run = scene.run(run_id)
    assert (run.status, run.verdict) == ("awaiting_approval", "passed")
    with unit_of_work() as session:
        assert len(policy.checks_of(session, [run_id])[run_id]) == 4


def test_rollback_while_a_run_is_at_work_is_refused(scene: Scene, versions: list[StateVersionOut]) -> None:
    busy = scene.claimed(scene.request())
    with pytest.raises(StateLocked, match=busy.run_id):
        scene.rollback(versions[0].id)
    scene.settle(busy)
    with pytest.raises(StateLocked, match=busy.run_id):
        scene.rollback(versions[0].id)
    scene.quiesce(busy)
    scene.rollback(versions[0].id)


def test_rollback_while_a_person_holds_the_lock_is_refused(scene: Scene, versions: list[StateVersionOut]) -> None:
    with unit_of_work() as session:
        state.lock_manually(session, scene.admin, scene.workspace.id, LockRequest(reason="moving the VPC"))
    with pytest.raises(StateLocked, match="Ada holds the state lock .* moving the VPC"):
        scene.rollback(versions[0].id)


def test_rollback_to_the_current_version_is_refused(scene: Scene, versions: list[StateVersionOut]) -> None:
    with pytest.raises(StateVersionCurrent, match="version 3"):
        scene.rollback(versions[2].id)


def test_rollback_to_another_workspaces_or_tenants_version_is_not_found(
    scene: Scene, versions: list[StateVersionOut]
) -> None:
    for other in (second_workspace(scene), new_scene()):
        foreign = store(other, 1)
        with pytest.raises(StateVersionNotFound):
            scene.rollback(foreign.id)
    with pytest.raises(StateVersionNotFound):
        scene.rollback("sv-none")


def test_rollback_behind_another_lineage_is_refused_with_both(scene: Scene, versions: list[StateVersionOut]) -> None:
    store(scene, 9, lineage="another", replaces_lineage=True)
    with pytest.raises(StateLineageDiffers, match=f"{LINEAGE}, the current one another"):
        scene.rollback(versions[0].id)


def test_rollback_under_a_halt_is_refused(scene: Scene, versions: list[StateVersionOut]) -> None:
    scene.halt()
    with pytest.raises(Halted):
        scene.rollback(versions[0].id)


def test_rollback_by_an_agent_is_refused(scene: Scene, versions: list[StateVersionOut]) -> None:
    with pytest.raises(Forbidden, match="AI agent"):
        scene.rollback(versions[0].id, replace(scene.admin, kind="agent"))


def test_rollback_to_a_version_that_retention_let_go_of_is_refused(
    scene: Scene, versions: list[StateVersionOut]
) -> None:
    with unit_of_work() as session:
        state.set_retention(session, scene.admin, scene.workspace.id, Retention(keep_versions=1, keep_days=None))
    with unit_of_work() as session:
        state.prune(session, scene.workspace.id)
    with pytest.raises(StateVersionPruned):
        scene.rollback(versions[0].id)


def test_rollback_to_a_version_whose_pieces_are_lost_is_refused(scene: Scene, versions: list[StateVersionOut]) -> None:
    with unit_of_work() as session:
        session.execute(delete(TerraformStateChunk).filter_by(workspace_id=scene.workspace.id))
    with pytest.raises(StateVersionDamaged, match="version 1"):
        scene.rollback(versions[0].id)


def test_halt_cancels_a_rollback_and_leaves_the_state(scene: Scene, versions: list[StateVersionOut]) -> None:
    run_id = planned(scene, versions[0].id)
    scene.approve(run_id)
    job = scene.claimed(scene.child(run_id))
    scene.halt()
    assert not scene.verify(job).may_apply
    scene.quiesce(job)
    assert scene.run(run_id).halted
    with unit_of_work() as session:
        newest = state.current(session, scene.workspace.id)
    assert newest is not None
    assert newest.id == versions[2].id
