"""Drills beside real halts, with real commits: what a drill lifts is its own halt, and nobody else's."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from app.core import clock
from app.core.db import unit_of_work
from app.core.ids import new_id
from app.fence.errors import Halted
from app.halt import drill_repository, drill_steps, drilling, service
from app.halt.drill_schemas import DrillOut
from app.runner.port import RunnerJob
from tests.factories.scene import Scene, new_scene
from tests.support.waiting import PATIENCE_SECONDS, until

pytestmark = pytest.mark.races


@pytest.fixture
def scene(real_database: str, sent_jobs: Any) -> Scene:
    made = new_scene()
    # A drill plans again what was applied last.
    _, job = made.applying()
    made.apply_to_end(job)
    return made


@contextmanager
def drilled(scene: Scene) -> Iterator[str]:
    """Carry a drill out in the scene's workspace, as a thread of the API does; yields its id."""
    drill_id, at = new_id("drill"), clock.now()
    with unit_of_work() as session:
        assert drill_repository.add(
            session,
            id=drill_id,
            workspace_id=scene.workspace.id,
            workspace_name=scene.workspace.name,
            organization_id=scene.admin.organization_id,
            actor=scene.admin.describe(),
            created_at=at,
            beat_at=at,
        )
    drill = drill_steps.Drill(drill_id, scene.admin, scene.workspace.id, is_canary=False)
    thread = threading.Thread(target=drill.carry_out, daemon=True)
    thread.start()
    try:
        yield drill_id
    finally:
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive()


def seen(scene: Scene, drill_id: str) -> DrillOut:
    with unit_of_work() as session:
        return drilling.get(session, scene.admin, drill_id)


def standing(scene: Scene) -> list[str]:
    with unit_of_work() as session:
        return [halt.id for halt in service.standing(session, scene.admin).active]


def claimed(scene: Scene) -> RunnerJob:
    job: RunnerJob = until(scene.claim_next)
    return job


def test_drill_that_nobody_disturbs_passes_and_leaves_no_halt(scene: Scene) -> None:
    with drilled(scene) as drill_id:
        job = claimed(scene)
        until(lambda: seen(scene, drill_id).halt_id)
        scene.quiesce(job)
    assert seen(scene, drill_id).status == "passed", seen(scene, drill_id).detail
    assert standing(scene) == []


def test_halt_during_a_drill_outlasts_the_drill(scene: Scene) -> None:
    with drilled(scene) as drill_id:
        job = claimed(scene)
        own = until(lambda: seen(scene, drill_id).halt_id)
        real = scene.halt()
        assert real.id != own, "the real halt became a part of the drill's, which the drill lifts"
        scene.quiesce(job)
    assert standing(scene) == [real.id]
    assert (seen(scene, drill_id).status, seen(scene, drill_id).failed_step) == ("failed", "resume")
    with pytest.raises(Halted, match="fire"):
        scene.request()
    with unit_of_work() as session:
        lifted = service.get(session, scene.admin, str(own))
    assert lifted.resumed_at is not None


def test_halt_before_the_drill_s_own_outlasts_the_drill(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    at_halt, go_on = threading.Event(), threading.Event()
    halt = drill_steps.Drill._halt

    def held(drill: drill_steps.Drill) -> str:
        at_halt.set()
        go_on.wait(PATIENCE_SECONDS)
        return halt(drill)

    monkeypatch.setattr(drill_steps.Drill, "_halt", held)
    with drilled(scene) as drill_id:
        job = claimed(scene)
        assert at_halt.wait(PATIENCE_SECONDS)
        real = scene.halt()
        go_on.set()
        until(lambda: seen(scene, drill_id).status == "failed")
        scene.quiesce(job)
    assert seen(scene, drill_id).failed_step == "halt"
    assert standing(scene) == [real.id]


def test_halt_that_does_not_latch_leaves_a_drill_its_fence(scene: Scene) -> None:
    with drilled(scene) as drill_id:
        job = claimed(scene)
        until(lambda: seen(scene, drill_id).halt_id)
        scene.halt(latch=False)
        scene.quiesce(job)
    assert seen(scene, drill_id).status == "passed", seen(scene, drill_id).detail
    assert standing(scene) == []
