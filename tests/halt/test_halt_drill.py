"""A drill whose process dies: somebody else ends it as failed, and nothing of it stays behind."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from app.core import clock
from app.core.db import unit_of_work
from app.halt import drill_steps, drilling, service
from app.halt.drill_schemas import DrillOut, DrillRequest
from app.halt.models import HaltDrill
from tests.factories.scene import Scene, new_scene


@pytest.fixture
def scene(session: Any, sent_jobs: Any, monkeypatch: pytest.MonkeyPatch) -> Scene:
    # Each test takes the steps that the process came to before it died.
    monkeypatch.setattr(drilling, "_start", lambda _drill: None)
    return new_scene()


def begun(scene: Scene) -> drill_steps.Drill:
    with unit_of_work() as session:
        made = drilling.begin(session, scene.admin, DrillRequest(workspace=scene.workspace.id))
    drill = drill_steps.Drill(made.id, scene.admin, scene.workspace.id, is_canary=False)
    drill._run_id = scene.request()
    drill._note(run_id=drill._run_id)
    return drill


def silent_since(seconds: float) -> None:
    with unit_of_work() as session:
        session.execute(update(HaltDrill).values(beat_at=clock.now() - timedelta(seconds=seconds)))


def seen(scene: Scene, drill: drill_steps.Drill) -> DrillOut:
    with unit_of_work() as session:
        return drilling.get(session, scene.admin, drill.id)


def standing(scene: Scene) -> list[Any]:
    with unit_of_work() as session:
        return service.standing(session, scene.admin).active


def test_drill_whose_process_died_at_the_commit_of_its_halt_is_ended_and_the_halt_lifted(scene: Scene) -> None:
    drill = begun(scene)
    with suppress(drill_steps._Failed):
        drill._halt()
    [halt] = standing(scene)
    assert seen(scene, drill).halt_id == halt.id, "known from the commit that raised it on"
    silent_since(drilling.SILENT_SECONDS + 1)
    drilling.end_abandoned()
    ended = seen(scene, drill)
    assert (ended.status, ended.failed_step) == ("failed", "resume")
    assert ended.detail is not None
    assert "its halt was lifted" in ended.detail
    assert standing(scene) == []
    scene.request()


def test_drill_whose_process_died_before_its_halt_leaves_no_run(scene: Scene) -> None:
    drill = begun(scene)
    silent_since(drilling.SILENT_SECONDS + 1)
    drilling.end_abandoned()
    ended = seen(scene, drill)
    assert (ended.status, ended.failed_step) == ("failed", "start")
    assert ended.run_id is not None
    assert scene.status(ended.run_id) == "cancelled"


def test_drill_that_still_beats_goes_on_and_its_halt_stands(scene: Scene) -> None:
    drill = begun(scene)
    with suppress(drill_steps._Failed):
        drill._halt()
    silent_since(drilling.SILENT_SECONDS - 5)
    drilling.end_abandoned()
    assert seen(scene, drill).status == "running"
    assert len(standing(scene)) == 1


def test_halt_of_others_stays_when_an_abandoned_drill_is_ended(scene: Scene) -> None:
    drill = begun(scene)
    with suppress(drill_steps._Failed):
        drill._halt()
    scene.resume()
    scene.halt()
    silent_since(drilling.SILENT_SECONDS + 1)
    drilling.end_abandoned()
    assert seen(scene, drill).status == "failed"
    assert len(standing(scene)) == 1


def test_drill_that_was_ended_meanwhile_raises_no_halt(scene: Scene) -> None:
    drill = begun(scene)
    silent_since(drilling.SILENT_SECONDS + 1)
    drilling.end_abandoned()
    with pytest.raises(drill_steps._Ended):
        drill._halt()
    assert standing(scene) == []
