"""A worker finds what nobody told it of: runs that no doorbell rang for, and silent ones while no sweep is sent."""

import threading
from datetime import timedelta
from typing import Any

import pytest

from app.core import clock
from app.runs.draining import Drain, Limits
from app.runs.lookout import Lookout
from app.runs.tasks import Executions
from tests.factories.scene import Scene, new_scene
from tests.factories.supervisors import SECONDS, Supervisors

pytestmark = pytest.mark.races


@pytest.fixture
def scene(real_database: str, sent_jobs: Any) -> Scene:
    return new_scene(is_operator=True)


def lookout(supervisors: Supervisors, drain: Drain | None = None, **options: Any) -> Lookout:
    executions = Executions(supervisors, 2, drain or Drain(Limits(600, 20)))
    return Lookout(executions, **{"look_seconds": 0.02, "unheard_seconds": 0.0, **options})


def test_run_that_no_doorbell_rang_for_is_taken_and_waited_for(scene: Scene, supervisors: Supervisors) -> None:
    run_id = scene.request()
    looking = lookout(supervisors)
    looking.start(takes_runs=True)
    assert supervisors.began.acquire(timeout=SECONDS)
    stopping = threading.Thread(target=looking.stop, daemon=True)
    stopping.start()
    stopping.join(0.3)
    assert stopping.is_alive(), "a worker that ends waits for what it took"
    supervisors.may_end.set()
    stopping.join(SECONDS)
    assert not stopping.is_alive()
    assert supervisors.started == [run_id]
    assert scene.run(run_id).quiesced_at is not None


def test_run_that_has_just_been_queued_is_left_to_its_doorbell(scene: Scene, supervisors: Supervisors) -> None:
    scene.request()
    lookout(supervisors, unheard_seconds=60.0).look()
    assert not supervisors.began.acquire(timeout=0.3)


def test_worker_without_room_that_drains_or_that_takes_no_runs_takes_none(
    scene: Scene, supervisors: Supervisors
) -> None:
    drain = Drain(Limits(600, 20))
    drain.begin()
    full = lookout(supervisors)
    full._takes_runs = True
    full._executions.busy = 2
    drained = lookout(supervisors, drain)
    drained._takes_runs = True
    scene.request()
    for looking in (full, drained, lookout(supervisors)):
        looking.look()
    assert not supervisors.began.acquire(timeout=0.3)


@pytest.mark.parametrize("is_reached", [False, True])
def test_silent_run_is_ended_by_a_worker_that_hears_no_sweeps(
    scene: Scene, supervisors: Supervisors, is_reached: bool
) -> None:
    run_id = scene.claimed(scene.request()).run_id
    looking = lookout(supervisors, hears_sweeps=lambda: is_reached)
    looking._swept_at -= 60
    at = clock.now() + timedelta(seconds=300)
    with clock.using(lambda: at):
        looking.look()
    assert (scene.run(run_id).quiesced_at is None) is is_reached
