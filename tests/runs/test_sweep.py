"""What the sweeps make good: lost messages, silent runners, old plans."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from app.core import clock
from app.core.db import unit_of_work
from app.policy import service as policy
from app.policy.schemas import PolicyAttachmentIn
from app.runs import deciding, ending, repository, service, settling, tasks
from app.runs.requesting import EXECUTE_TASK
from tests.factories.scene import Scene, new_scene, proof, second_workspace

Sent = list[tuple[str, tuple[str, ...], str]]


@pytest.fixture
def scene(session: Session, sent_jobs: Sent, monkeypatch: pytest.MonkeyPatch) -> Scene:
    def send(task: str, *ids: str, queue: Any = "control", expires_seconds: float | None = None) -> bool:
        sent_jobs.append((task, ids, queue))
        return True

    monkeypatch.setattr(service, "send", send)
    return new_scene()


def later(seconds: float) -> Any:
    at = clock.now() + timedelta(seconds=seconds)
    return clock.using(lambda: at)


def test_sweep_sends_a_queued_run_again_once_it_is_old_enough(scene: Scene, sent_jobs: Sent) -> None:
    run_id = scene.request()
    assert sent_jobs.pop() == (EXECUTE_TASK, (run_id,), "terraform")
    tasks.sweep()
    assert sent_jobs == []
    with later(service.RESEND_AFTER_SECONDS + 1):
        tasks.sweep()
    assert sent_jobs == [(EXECUTE_TASK, (run_id,), "terraform")]


def test_sweep_sends_only_what_is_in_turn(scene: Scene, sent_jobs: Sent) -> None:
    first, second = scene.request(), scene.request()
    speculative = scene.request(speculative=True)
    sent_jobs.clear()
    with later(60):
        tasks.sweep()
    assert {ids[0] for _, ids, _ in sent_jobs} == {first, speculative}
    job = scene.claimed(first)
    sent_jobs.clear()
    with later(1):
        tasks.sweep()
    assert second not in {ids[0] for _, ids, _ in sent_jobs}
    scene.settle(job)
    sent_jobs.clear()
    scene.quiesce(job)
    assert (EXECUTE_TASK, (second,), "terraform") in sent_jobs, "quiescence lets the next one in"


def test_sweep_ends_a_silent_run_and_presumes_it_dead_later(scene: Scene) -> None:
    run_id = scene.request()
    scene.claimed(run_id)
    with later(31):
        tasks.sweep()
        assert scene.status(run_id) == "errored"
        assert scene.run(run_id).quiesced_at is None
    with later(31 + 30 + 20 + 1):
        tasks.sweep()
    assert scene.run(run_id).proof_of_death is not None


def test_sweep_drops_a_plan_that_is_older_than_its_workspace_allows(scene: Scene) -> None:
    aging = second_workspace(scene, plan_max_age_seconds=60)
    old, kept = aging.at_gate(), scene.at_gate()
    with later(61):
        tasks.sweep()
    assert aging.status(old) == "superseded"
    assert "older" in (aging.run(old).status_reason or "")
    assert scene.status(kept) == "awaiting_approval"


def test_recheck_does_what_lost_messages_would_have_done(scene: Scene, sent_jobs: Sent) -> None:
    moved, judged = second_workspace(scene), second_workspace(scene)
    stale, waiting = moved.at_gate(), judged.at_gate()
    _, job = moved.applying()
    moved.put_state(job)
    body = PolicyAttachmentIn(
        policy_set_uri="policies/no_local_exec", enforcement_level="hard-mandatory", workspace=judged.workspace.id
    )
    with unit_of_work() as session:
        policy.attach(session, judged.admin, body)
    assert {deciding.SUPERSEDE_TASK, settling.REEVALUATE_TASK} <= {task for task, _, _ in sent_jobs}
    assert (moved.status(stale), judged.status(waiting)) == ("awaiting_approval", "awaiting_approval")

    sent_jobs.clear()
    tasks.recheck()
    assert moved.status(stale) == "superseded"
    assert (settling.REEVALUATE_TASK, (waiting,), "control") in sent_jobs
    settling.reevaluate(waiting)
    assert judged.status(waiting) == "policy_blocked"

    sent_jobs.clear()
    tasks.recheck()
    assert sent_jobs == [], "what was made good stays good"


def test_quiesced_run_that_could_not_tell_its_end_is_errored(scene: Scene) -> None:
    plan, job = scene.applying()
    scene.quiesce(job)
    run = scene.run(job.run_id)
    assert (run.status, scene.status(plan)) == ("errored", "errored")
    assert run.failure is not None
    assert run.failure["code"] == "end_not_told"
    with unit_of_work() as session:
        assert repository.live_in_workspace(session, scene.workspace.id) is None


def test_dead_supervisor_seen_by_its_worker_ends_the_run_at_once(scene: Scene) -> None:
    plan, job = scene.applying()
    scene.port.report_death(job.run_id, job.fencing_token, proof())
    assert (scene.status(job.run_id), scene.status(plan)) == ("errored", "errored")
    assert scene.run(job.run_id).quiesced_at is not None
    assert scene.claim(scene.request()) is None, "its lock is orphaned"


def test_supervisor_that_falls_silent_after_it_settled_leaves_its_plan_at_the_gate(scene: Scene) -> None:
    run_id = scene.request()
    scene.settle(scene.claimed(run_id))
    with later(31):
        tasks.sweep()
    assert scene.status(run_id) == "awaiting_approval"
    with later(3600):
        tasks.sweep()
    run = scene.run(run_id)
    assert (run.status, run.proof_of_death and run.proof_of_death["kind"]) == ("awaiting_approval", "presumed_by_lease")


def test_supervisor_seen_dead_after_it_settled_leaves_its_plan_at_the_gate(scene: Scene) -> None:
    run_id = scene.request()
    job = scene.claimed(run_id)
    scene.settle(job)
    scene.port.report_death(run_id, job.fencing_token, proof())
    run = scene.run(run_id)
    assert (run.status, run.quiesced_at is not None) == ("awaiting_approval", True)
    scene.approve(run_id)
    assert scene.claim(scene.child(run_id)) is not None


def test_run_that_can_not_be_swept_keeps_no_other_from_it_and_is_told_of(
    scene: Scene, sent_jobs: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = scene.claimed(scene.request()).run_id
    silent = scene.claimed(scene.request(speculative=True)).run_id
    unsent = second_workspace(scene).request()
    expire = ending.expire

    def fail_one(session: Session, run_id: str) -> None:
        if run_id == broken:
            raise ValueError("nobody foresaw it")
        expire(session, run_id)

    monkeypatch.setattr(ending, "expire", fail_one)
    sent_jobs.clear()
    with later(300), pytest.raises(ValueError, match="nobody foresaw it"):
        tasks.sweep()
    assert scene.run(silent).quiesced_at is not None
    assert (EXECUTE_TASK, (unsent,), "terraform") in sent_jobs
