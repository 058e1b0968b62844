"""What one worker does with its messages: each a doorbell, whatever run it names. The supervisors are scripted."""

import threading
from typing import Any

import pytest

from app.runs.draining import Drain, Limits
from app.runs.tasks import Executions
from tests.factories.scene import Scene, new_scene, second_workspace
from tests.factories.supervisors import SECONDS, Supervisors

pytestmark = pytest.mark.races


@pytest.fixture
def scene(real_database: str, sent_jobs: Any) -> Scene:
    return new_scene(is_operator=True)


def ring(executions: Executions, times: int) -> list[threading.Thread]:
    threads = [threading.Thread(target=executions.execute, daemon=True) for _ in range(times)]
    for thread in threads:
        thread.start()
    return threads


def joined(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.join(SECONDS)
    assert not any(thread.is_alive() for thread in threads)


def test_one_message_executes_all_that_waits(scene: Scene, supervisors: Supervisors) -> None:
    runs = [scene.request() for _ in range(3)]
    supervisors.may_end.set()
    Executions(supervisors, 2, Drain(Limits(600, 20))).execute()
    assert supervisors.started == runs


def test_five_messages_of_one_run_start_it_once(scene: Scene, supervisors: Supervisors) -> None:
    run_id = scene.request()
    executions = [Executions(supervisors, 2, Drain(Limits(600, 20))) for _ in range(5)]
    threads = [thread for each in executions for thread in ring(each, 1)]
    assert supervisors.began.acquire(timeout=SECONDS)
    supervisors.may_end.set()
    joined(threads)
    assert supervisors.started == [run_id]
    joined(ring(executions[0], 5))
    assert supervisors.started == [run_id], "nor does it start again after its end"


def test_apply_behind_many_messages_of_plans_gets_the_next_permit(scene: Scene, supervisors: Supervisors) -> None:
    other = second_workspace(scene)
    plan = other.at_gate()
    for _ in range(12):
        scene.request(speculative=True)
    executions = Executions(supervisors, 2, Drain(Limits(600, 20)))
    threads = ring(executions, 2)
    for _ in range(2):
        assert supervisors.began.acquire(timeout=SECONDS)
    other.approve(plan)
    joined(ring(executions, 3))
    assert len(supervisors.started) == 2, "every permit is taken, so its message was dropped"
    supervisors.may_end.set()
    joined(threads)
    assert other.child(plan) in supervisors.started[2:4]
    assert len(supervisors.started) == 13


def test_permits_are_never_exceeded(scene: Scene, supervisors: Supervisors) -> None:
    for _ in range(6):
        scene.request(speculative=True)
    executions = Executions(supervisors, 2, Drain(Limits(600, 20)))
    threads = ring(executions, 6)
    for _ in range(2):
        assert supervisors.began.acquire(timeout=SECONDS)
    assert not supervisors.began.acquire(timeout=0.3)
    supervisors.may_end.set()
    joined(threads)
    assert len(supervisors.started) == 6


def test_worker_that_drains_claims_nothing(scene: Scene, supervisors: Supervisors) -> None:
    drain = Drain(Limits(600, 20))
    drain.begin()
    run_id = scene.request()
    Executions(supervisors, 2, drain).execute()
    assert scene.run(run_id).status == "queued"
