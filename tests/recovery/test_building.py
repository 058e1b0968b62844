"""Recovery lists over the database: from each kind of evidence, and again when more becomes known."""

import json
from typing import Any

import pytest
from sqlalchemy.orm import Session

from app.core import clock
from app.core.db import unit_of_work
from app.inbox import service as inbox
from app.overview import service as overview
from app.recovery import service, tasks
from app.recovery.errors import RecoveryItemNotFound, RecoveryItemSettled
from app.recovery.reconciling import RUNNER_DIED
from app.recovery.schemas import DismissRequest, RecoveryItemOut, RunRecovery
from app.runner.port import ApplyStep, ApplySteps, LeaseLost, ProgressRecord, RunnerJob
from app.runs.errors import RunNotFound
from app.state import service as state
from tests.factories.scene import Scene, new_scene, state_document

BUILT_IN = "terraform.io/builtin/terraform"


@pytest.fixture
def scene(session: Session) -> Scene:
    return new_scene()


def view(*names: str) -> str:
    change = {"mode": "managed", "action": "create", "type": "terraform_data", "provider": BUILT_IN, "attributes": []}
    return json.dumps({"resources": [{**change, "address": f"terraform_data.{name}"} for name in names]})


def applying(scene: Scene, *names: str) -> RunnerJob:
    """Bring a plan that creates these through the gate; return its verified apply."""
    plan = scene.at_gate(view=view(*names))
    scene.approve(plan)
    job = scene.claimed(scene.child(plan))
    assert scene.verify(job).may_apply
    return job


def step(name: str, outcome: str, id_value: str = "") -> ApplyStep:
    said = {"address": f"terraform_data.{name}", "action": "create", "outcome": outcome}
    return ApplyStep.model_validate({**said, "id_key": "id" if id_value else "", "id_value": id_value})


def tell(scene: Scene, job: RunnerJob, *steps: ApplyStep) -> None:
    scene.port.put_steps(job.run_id, job.fencing_token, ApplySteps(steps=steps))


def die(scene: Scene, job: RunnerJob, *steps: ApplyStep) -> None:
    tell(scene, job, *steps)
    scene.fail(job)
    scene.quiesce(job)


def recovery(scene: Scene, run_id: str) -> RunRecovery:
    with unit_of_work() as session:
        return service.run_recovery(session, scene.admin, run_id)


def items(scene: Scene, run_id: str) -> dict[str, RecoveryItemOut]:
    return {item.address.removeprefix("terraform_data."): item for item in recovery(scene, run_id).items}


def open_items(scene: Scene) -> int:
    with unit_of_work() as session:
        counted = overview.overview(session, scene.admin).open_recovery_items
        by_workspace = service.open_by_workspace(session, [scene.workspace.id]).get(scene.workspace.id, 0)
    assert counted == by_workspace
    return counted


def test_list_of_a_running_apply_is_not_complete_and_of_an_applied_one_empty(scene: Scene) -> None:
    job = applying(scene, "a")
    assert not recovery(scene, job.run_id).is_complete
    scene.apply_to_end(job)
    found = recovery(scene, job.run_id)
    assert (found.is_complete, found.evidence, found.items) == (True, None, [])


def test_list_is_built_from_what_the_runner_told(scene: Scene) -> None:
    job = applying(scene, "a", "b", "never_begun")
    die(scene, job, step("a", "complete", "id-a"), step("b", "started"))
    found = recovery(scene, scene.run(job.run_id).parent_run_id or "")
    assert (found.run_id, found.is_complete, found.evidence, found.open_count) == (job.run_id, True, "whole", 2)
    left = items(scene, job.run_id)
    assert (left["a"].outcome, left["a"].resource_id, left["b"].outcome) == ("created", "id-a", "unknown")
    assert open_items(scene) == 2
    with unit_of_work() as session:
        [group] = [each for each in inbox.inbox(session, scene.admin).groups if each.name == "unknown_resources"]
    [waiting] = group.items
    assert (waiting.run.id, waiting.resources, waiting.for_you) == (job.run_id, 2, True)


def test_without_a_word_of_the_runner_what_it_had_sent_and_the_plan_stand_in(scene: Scene) -> None:
    job = applying(scene, "a", "b")
    data: dict[str, Any] = {"type": "apply_complete", "address": "terraform_data.a", "action": "create"}
    record = ProgressRecord(at=clock.now(), kind="event", data={**data, "id_key": "id", "id_value": "id-a"})
    scene.port.append(job.run_id, job.fencing_token, [record])
    scene.fail(job)
    scene.quiesce(job)
    assert recovery(scene, job.run_id).evidence == "partial"
    left = items(scene, job.run_id)
    assert (left["a"].outcome, left["a"].resource_id) == ("created", "id-a")
    assert (left["b"].outcome, left["b"].reason) == ("unknown", RUNNER_DIED)


def test_what_comes_late_takes_the_place_of_what_was_presumed(scene: Scene) -> None:
    job = applying(scene, "a", "b")
    scene.fail(job)
    scene.quiesce(job)
    assert set(items(scene, job.run_id)) == {"a", "b"}
    tell(scene, job, step("a", "complete", "id-a"))
    assert {name: item.outcome for name, item in items(scene, job.run_id).items()} == {"a": "created"}
    assert recovery(scene, job.run_id).evidence == "whole"


def test_apply_that_was_never_verified_left_nothing(scene: Scene) -> None:
    plan = scene.at_gate(view=view("a"))
    scene.approve(plan)
    job = scene.claimed(scene.child(plan))
    scene.fail(job)
    scene.quiesce(job)
    found = recovery(scene, job.run_id)
    assert (found.is_complete, found.evidence, found.items) == (True, "whole", [])


def test_state_in_quarantine_holds_it_until_it_is_discarded(scene: Scene) -> None:
    job = applying(scene, "a")
    die(scene, job, step("a", "complete", "a"))
    assert set(items(scene, job.run_id)) == {"a"}
    late = scene.put_state(job, serial=1, names=("a",))
    assert late.quarantined
    assert items(scene, job.run_id) == {}
    with unit_of_work() as session:
        state.discard(session, scene.admin, late.state_version_id, "not wanted")
    assert set(items(scene, job.run_id)) == {"a"}


def test_item_resolves_itself_once_the_state_holds_it(scene: Scene) -> None:
    job = applying(scene, "a")
    die(scene, job, step("a", "complete", "a"))
    assert items(scene, job.run_id)["a"].is_in_state is False
    following = applying(scene, "a")
    scene.apply_to_end(following)
    assert tasks.sweep() == 1
    assert open_items(scene) == 0
    found = items(scene, job.run_id)["a"]
    assert (found.status, found.is_in_state) == ("resolved", True)
    assert tasks.sweep() == 0


def test_dismissed_item_stays_so_when_more_becomes_known(scene: Scene) -> None:
    job = applying(scene, "a")
    die(scene, job, step("a", "started"))
    item = items(scene, job.run_id)["a"]
    wanted = DismissRequest(reason="it is not there")
    with unit_of_work() as session:
        service.dismiss(session, scene.admin, item.id, wanted)
    tell(scene, job, step("a", "complete", "id-a"))
    found = items(scene, job.run_id)["a"]
    assert (found.status, found.decision_reason, found.resource_id) == ("dismissed", "it is not there", "id-a")
    assert open_items(scene) == 0
    with pytest.raises(RecoveryItemSettled), unit_of_work() as session:
        service.dismiss(session, scene.admin, item.id, wanted)


def test_list_and_items_are_the_tenants_own(scene: Scene) -> None:
    job = applying(scene, "a")
    die(scene, job, step("a", "started"))
    item = items(scene, job.run_id)["a"]
    rival = new_scene().admin
    with pytest.raises(RunNotFound), unit_of_work() as session:
        service.run_recovery(session, rival, job.run_id)
    with pytest.raises(RecoveryItemNotFound), unit_of_work() as session:
        service.dismiss(session, rival, item.id, DismissRequest(reason="mine"))


def test_sensitive_value_in_an_id_of_a_dead_runner_is_masked(scene: Scene) -> None:
    scene.put_variable("hunter2secret", sensitive=True)
    job = applying(scene, "a")
    die(scene, job, step("a", "complete", "arn:hunter2secret:1"))
    found = items(scene, job.run_id)["a"]
    assert (found.outcome, found.resource_id, found.import_block) == ("created", None, None)
    assert "hunter2" not in found.model_dump_json()


def test_steps_of_a_run_that_is_gone_are_refused_so_that_their_file_stays(scene: Scene) -> None:
    with pytest.raises(LeaseLost):
        scene.port.put_steps("run-none", 1, ApplySteps(steps=()))


def test_steps_of_an_applied_run_want_no_list(scene: Scene) -> None:
    job = applying(scene, "a")
    scene.apply_to_end(job)
    tell(scene, job, step("a", "started"))
    assert recovery(scene, job.run_id).evidence is None


def test_state_that_the_run_stored_settles_everything(scene: Scene) -> None:
    job = applying(scene, "a", "b")
    scene.port.put_state(job.run_id, job.fencing_token, "errored", state_document(1, names=("a", "b")))
    die(scene, job, step("a", "complete", "a"), step("b", "complete", "b"))
    assert items(scene, job.run_id) == {}


def test_list_that_is_built_after_a_later_run_still_names_what_the_first_began(scene: Scene) -> None:
    job = applying(scene, "a")
    scene.fail(job)
    scene.quiesce(job)
    following = applying(scene, "a")
    scene.apply_to_end(following)
    assert set(items(scene, job.run_id)) == {"a"}
    tell(scene, job, step("a", "started"))
    found = items(scene, job.run_id)["a"]
    assert (found.outcome, found.status, found.is_in_state) == ("unknown", "resolved", True)
    assert open_items(scene) == 0
