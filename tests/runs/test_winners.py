"""Who wins: each row of the design's table of races, with real commits."""

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import update

from app.core import clock
from app.core.db import unit_of_work
from app.core.errors import AppError
from app.fence.errors import Halted
from app.runner.port import RunnerJob
from app.runs import ending
from app.runs.errors import IllegalTransition
from app.runs.machine import FINAL, Status
from app.runs.models import TerraformRun
from app.state import service as state
from tests.factories.rounds import live, lock_holder, rounds
from tests.factories.scene import Scene, new_scene, second_workspace
from tests.support.races import together

pytestmark = pytest.mark.races

REAL_POLICY = "policies/no_local_exec"


@pytest.fixture
def tenant(real_database: str, sent_jobs: Any) -> Scene:
    return new_scene(is_operator=True)


def serial(scene: Scene) -> int:
    with unit_of_work() as session:
        newest = state.current(session, scene.workspace.id)
        return newest.serial if newest is not None else 0


def let_the_lease_run_out(run_id: str) -> None:
    with unit_of_work() as session:
        session.execute(
            update(TerraformRun).filter_by(id=run_id).values(lease_expires_at=clock.now() - timedelta(seconds=1))
        )


def expire(run_id: str) -> None:
    with unit_of_work() as session:
        ending.expire(session, run_id)


def test_two_claims_in_one_workspace_one_wins(tenant: Scene) -> None:
    for scene, delays in rounds(tenant):
        first, second = scene.request(), scene.request()
        jobs = together(
            partial(scene.claim, first),
            partial(scene.claim, second),
            partial(scene.claim, first),
            partial(scene.claim, second),
            delays=delays,
        )
        won = [job for job in jobs if job is not None]
        assert [job.run_id for job in won] == [first], "the oldest is in turn, and is claimed once"
        assert scene.status(second) == "queued"
        assert scene.run(first).fencing_token == 1
        scene.settle(won[0])
        assert scene.claim(second) is None, "a settled run has not quiesced yet"
        scene.quiesce(won[0])
        assert scene.claim(second) is not None


def test_halt_and_finish_first_commit_wins_and_the_state_is_kept(tenant: Scene) -> None:
    seen = set()
    for scene, delays in rounds(tenant):
        plan, job = scene.applying()
        stored = scene.put_state(job).state_version_id
        together(scene.halt, partial(scene.finish, job, stored), delays=delays)
        status = scene.status(job.run_id)
        seen.add(status)
        assert scene.status(plan) == status
        assert serial(scene) == 1
        if status == "applied":
            assert not scene.run(job.run_id).halted
        else:
            assert status == "cancelled"
            assert scene.run(job.run_id).halted
            assert "work_completed" in scene.evidence(job.run_id)
        scene.quiesce(job)
        assert lock_holder(scene) is None
        scene.resume()
    assert seen == {"applied", "cancelled"}


def test_halted_run_whatever_arrives_is_evidence(tenant: Scene) -> None:
    scene = second_workspace(tenant)
    plan, job = scene.applying()
    scene.halt()
    stored = scene.put_state(job).state_version_id
    scene.finish(job, stored)
    scene.fail(job)
    scene.port.acknowledge(job.run_id, job.fencing_token, None)
    scene.port.stale(job.run_id, job.fencing_token, "late")
    scene.port.evidence(job.run_id, job.fencing_token, "log_tail", {"records": []})
    scene.halt()
    assert scene.status(job.run_id) == scene.status(plan) == "cancelled"
    assert scene.evidence(job.run_id) == [
        "verified",
        "work_completed",
        "fail",
        "acknowledge_cancel",
        "stale",
        "log_tail",
    ]
    assert serial(scene) == 1
    scene.quiesce(job)
    assert scene.run(job.run_id).proof_of_death is not None
    scene.finish(job, stored)
    assert len(scene.evidence(job.run_id)) == 6, "nothing is taken any more once it has quiesced"


def test_halted_plan_that_settles_late_is_evidence(tenant: Scene) -> None:
    scene = second_workspace(tenant)
    run_id = scene.request()
    job = scene.claimed(run_id)
    outcome = scene.outcome(job)
    scene.halt()
    assert scene.port.settle(run_id, job.fencing_token, outcome).status == "cancelled"
    assert scene.evidence(run_id) == ["settle"]


def test_lease_expiry_and_finish_before_the_sweep_finish_wins(tenant: Scene) -> None:
    seen = set()
    for scene, delays in rounds(tenant):
        plan, job = scene.applying()
        stored = scene.put_state(job).state_version_id
        let_the_lease_run_out(job.run_id)
        together(partial(expire, job.run_id), partial(scene.finish, job, stored), delays=delays)
        run = scene.run(job.run_id)
        seen.add(run.status)
        assert scene.status(plan) == run.status
        assert run.quiesced_at is None, "one lease and one grace period must pass before it is presumed dead"
        if run.status == "applied":
            assert run.fencing_token == job.fencing_token
        else:
            assert run.status == "errored"
            assert run.fencing_token == job.fencing_token + 1
            assert run.failure is not None
            assert run.failure["code"] == "lease_expired"
            assert "work_completed" in scene.evidence(job.run_id)
        assert serial(scene) == 1
        scene.quiesce(job)
        assert scene.run(job.run_id).proof_of_death is not None
        assert lock_holder(scene) is None
    assert seen == {"applied", "errored"}


def test_expired_run_keeps_its_right_to_state_until_it_has_quiesced(tenant: Scene) -> None:
    scene = second_workspace(tenant)
    _, job = scene.applying()
    let_the_lease_run_out(job.run_id)
    expire(job.run_id)
    assert scene.put_state(job).serial == 1
    assert "late_state" in scene.evidence(job.run_id)
    assert scene.claim(scene.request()) is None, "nothing starts before it has quiesced"
    scene.quiesce(job)
    late = scene.put_state(job, 2)
    assert late.quarantined, "what comes later is kept aside"
    assert serial(scene) == 1


def test_silent_run_is_presumed_dead_later_and_its_lock_is_orphaned(tenant: Scene) -> None:
    scene = second_workspace(tenant)
    _, job = scene.applying()
    with unit_of_work() as session:
        session.execute(
            update(TerraformRun).filter_by(id=job.run_id).values(lease_expires_at=clock.now() - timedelta(hours=1))
        )
    expire(job.run_id)
    run = scene.run(job.run_id)
    assert run.status == "errored"
    assert run.proof_of_death is not None
    assert run.proof_of_death["kind"] == "presumed_by_lease"
    with unit_of_work() as session:
        held = state.held_lock(session, scene.workspace.id)
    assert held is not None
    assert held.is_orphaned
    following = scene.request()
    assert scene.claim(following) is None
    with unit_of_work() as session:
        state.release_orphaned(session, scene.admin, scene.workspace.id)
    assert scene.claim(following) is not None


def test_cancel_and_settle_first_commit_wins(tenant: Scene) -> None:
    seen = set()
    for scene, delays in rounds(tenant):
        run_id = scene.request()
        job = scene.claimed(run_id)
        outcome = scene.outcome(job)
        scene.port.check(run_id, job.fencing_token, outcome)
        cancelled, _ = together(
            partial(scene.cancel, run_id),
            partial(scene.port.settle, run_id, job.fencing_token, outcome),
            delays=delays,
        )
        status = scene.status(run_id)
        seen.add(status)
        if isinstance(cancelled, AppError):
            assert isinstance(cancelled, IllegalTransition)
            assert status == "awaiting_approval"
        else:
            assert status == "cancelled"
    assert seen == {"cancelled", "awaiting_approval"}


def test_cancel_and_finish_applied_when_the_engine_had_exited_0(tenant: Scene) -> None:
    for scene, delays in rounds(tenant):
        plan, job = scene.applying()
        stored = scene.put_state(job).state_version_id
        together(partial(scene.cancel, plan), partial(scene.finish, job, stored), delays=delays)
        assert scene.status(job.run_id) == scene.status(plan) == "applied"


def test_cancel_before_verification_ends_the_apply(tenant: Scene) -> None:
    scene = second_workspace(tenant)
    plan, apply = scene.approved()
    job = scene.claimed(apply)
    scene.cancel(plan)
    assert not scene.verify(job).may_apply
    assert scene.status(apply) == scene.status(plan) == "cancelled"
    scene.quiesce(job)
    assert live(scene) == []


@pytest.mark.parametrize("needed", [1, 2])
def test_two_approvals_at_once_make_one_apply(tenant: Scene, needed: int) -> None:
    for scene, delays in rounds(tenant, required_approvals=needed):
        run_id = scene.at_gate()
        one, two = scene.approvers
        answers = together(
            partial(scene.approve, run_id, one),
            partial(scene.approve, run_id, two),
            delays=delays,
        )
        assert scene.status(run_id) == "approved"
        assert scene.status(scene.child(run_id)) == "queued"
        refused = [answer for answer in answers if isinstance(answer, AppError)]
        assert len(refused) == 2 - needed


def test_one_person_approving_twice_at_once_counts_once(tenant: Scene) -> None:
    for scene, delays in rounds(tenant, required_approvals=2):
        run_id = scene.at_gate()
        together(partial(scene.approve, run_id), partial(scene.approve, run_id), delays=delays)
        assert scene.status(run_id) == "awaiting_approval"


def test_claim_of_an_apply_and_discard_the_parent_s_lock_decides(tenant: Scene) -> None:
    seen = set()
    for scene, delays in rounds(tenant):
        plan, apply = scene.approved()
        job, discarded = together(partial(scene.claim, apply), partial(scene.discard, plan), delays=delays)
        seen.add(scene.status(plan))
        if job is None:
            assert not isinstance(discarded, AppError)
            assert scene.status(plan) == "discarded"
            assert scene.status(apply) == "cancelled"
        else:
            assert isinstance(discarded, IllegalTransition)
            assert scene.status(plan) == "approved"
            assert scene.status(apply) == "running"
    assert seen == {"discarded", "approved"}


def test_claim_of_an_apply_and_supersede_never_applies_what_moved(tenant: Scene) -> None:
    for scene, delays in rounds(tenant):
        plan, apply = scene.approved()
        job, _ = together(partial(scene.claim, apply), partial(scene.put_variable, "eu"), delays=delays)
        if job is None:
            assert scene.status(apply) == "cancelled"
        else:
            assert not scene.verify(job).may_apply
            assert scene.status(apply) == "superseded"
        assert scene.status(plan) == "superseded"


def test_halt_lets_nothing_slip_in(tenant: Scene) -> None:
    for scene, delays in rounds(tenant):
        queued, waiting = scene.request(), second_workspace(tenant)
        gate = waiting.at_gate()
        plan, apply = second_workspace(tenant).approved()
        answers = together(
            partial(scene.halt, "organization"),
            scene.request,
            partial(scene.claim, queued),
            partial(waiting.approve, gate),
            partial(scene.claim, apply),
            delays=delays,
        )
        assert live(scene) + live(waiting) == []
        for run_id in (queued, gate, plan, apply):
            assert scene.run(run_id).halted
        with pytest.raises(Halted):
            scene.request()
        for answer in answers:
            assert not isinstance(answer, AppError) or isinstance(answer, Halted | IllegalTransition)
        for job in (answers[2], answers[4]):
            if isinstance(job, RunnerJob):
                assert scene.port.heartbeat(job.run_id, job.fencing_token, None).stop == "halt"
        scene.resume("organization")


def test_two_halts_at_once_of_all_scopes_stop_everything_once(tenant: Scene) -> None:
    for scene, delays in rounds(tenant):
        _, job = scene.applying()
        scene.request()
        halts = together(
            scene.halt,
            partial(scene.halt, "organization"),
            partial(scene.halt, "everything"),
            scene.halt,
            delays=delays,
        )
        assert not [answer for answer in halts if isinstance(answer, AppError)]
        assert live(scene) == []
        assert scene.run(job.run_id).halted
        assert scene.run(job.run_id).halt_id in {halt.id for halt in halts}
        for scope in ("everything", "organization", "workspace"):
            scene.resume(scope)
        scene.quiesce(job)
        assert Status(scene.status(job.run_id)) in FINAL


def test_five_deliveries_of_one_message_are_one_claim(tenant: Scene) -> None:
    for scene, _ in rounds(tenant):
        run_id = scene.request()
        jobs = together(*[partial(scene.claim, run_id)] * 5)
        assert len([job for job in jobs if job is not None]) == 1
