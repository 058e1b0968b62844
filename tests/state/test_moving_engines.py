"""Rollback and migration with real engines and real supervisors, on both backends whose state Sluice keeps."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.core.canonical import is_same_document
from app.core.db import unit_of_work
from app.executor.discovery import Tool
from app.runner.port import ApplyOutcome
from app.runs import ending, repository
from app.runs.port import InProcessPort
from app.state import service as state
from app.workspaces import service as workspaces
from tests.factories.scene import Scene, new_scene
from tests.state.managed import quarantined, versions
from tests.state.test_backend_engines import configure, execute
from tests.support.serving import served_api

pytestmark = [pytest.mark.engine, pytest.mark.processes]
TWO = """
resource "terraform_data" "a" {
  input = "%s"
}
resource "terraform_data" "secret" {
  input = sensitive("correct-horse")
}
output "a" {
  value = terraform_data.a.output
}
"""


@pytest.fixture
def api(real_database: str, sent_jobs: Any) -> Iterator[str]:
    with served_api() as address:
        yield address


def through(scene: Scene, run_id: str, tool: Tool, tmp_path: Path) -> str:
    """Plan, approve and apply a run that waits; return its apply."""
    execute(scene, run_id, tool, tmp_path)
    assert scene.status(run_id) == "awaiting_approval", (scene.run(run_id).failure, scene.run(run_id).status_reason)
    scene.approve(run_id)
    apply = scene.child(run_id)
    execute(scene, apply, tool, tmp_path)
    return apply


def applied(scene: Scene, run_id: str, tool: Tool, tmp_path: Path) -> str:
    apply = through(scene, run_id, tool, tmp_path)
    assert scene.status(apply) == scene.status(run_id) == "applied", scene.run(apply).failure
    return apply


def changes_nothing(scene: Scene, tool: Tool, tmp_path: Path) -> bool:
    run_id = scene.request()
    execute(scene, run_id, tool, tmp_path)
    return scene.status(run_id) == "no_changes"


def backend_of(scene: Scene) -> str:
    with unit_of_work() as session:
        return workspaces.get(session, scene.organization_id, scene.workspace.id).state_backend


def newest(scene: Scene) -> bytes:
    with unit_of_work() as session:
        return state.content(session, scene.organization_id, versions(scene)[-1].id)


@pytest.mark.parametrize("backend", ["local", "managed"])
def test_rollback_brings_the_earlier_state_back_and_the_next_plan_sees_it(
    api: str, engine_tool: Tool, tmp_path: Path, backend: Any
) -> None:
    scene = new_scene(state_backend=backend)
    configure(scene, TWO % "one")
    applied(scene, scene.request(), engine_tool, tmp_path)
    first = versions(scene)[-1]
    configure(scene, TWO % "two")
    applied(scene, scene.request(), engine_tool, tmp_path)
    second = versions(scene)[-1]

    run_id = scene.rollback(first.id)
    apply = applied(scene, run_id, engine_tool, tmp_path)
    made = versions(scene)[-1]
    assert (made.kind, made.serial, made.lineage) == ("rolled_back", second.serial + 1, second.lineage)
    assert scene.run(run_id).state_version_id == scene.run(apply).state_version_id == made.id
    with unit_of_work() as session:
        old = state.content(session, scene.organization_id, first.id)
    assert is_same_document(newest(scene), old, besides=["serial"])

    run_id = scene.request()
    execute(scene, run_id, engine_tool, tmp_path)
    assert scene.status(run_id) == "awaiting_approval", "the state says one again, the configuration two"
    assert quarantined(scene) == []


def test_migration_goes_there_and_back(api: str, engine_tool: Tool, tmp_path: Path) -> None:
    scene = new_scene(state_backend="local")
    configure(scene, TWO % "one")
    applied(scene, scene.request(), engine_tool, tmp_path)
    before = newest(scene)
    waiting = scene.request()

    for backend in ("managed", "local"):
        run_id = scene.migrate(backend)
        if waiting:
            # Requested first, so it goes first; its plan names the old backend.
            execute(scene, waiting, engine_tool, tmp_path)
        apply = applied(scene, run_id, engine_tool, tmp_path)
        waiting = ""
        assert backend_of(scene) == backend
        assert is_same_document(newest(scene), before, besides=["terraform_version"])
        assert scene.run(apply).quiesced_at is not None
        assert changes_nothing(scene, engine_tool, tmp_path)
    configure(scene, TWO % "two")
    applied(scene, scene.request(), engine_tool, tmp_path)
    assert json.loads(newest(scene))["serial"] > json.loads(before)["serial"]
    assert quarantined(scene) == []


def test_plan_that_waits_is_superseded_once_the_backend_changed(api: str, engine_tool: Tool, tmp_path: Path) -> None:
    scene = new_scene(state_backend="local")
    configure(scene, TWO % "one")
    applied(scene, scene.request(), engine_tool, tmp_path)
    configure(scene, TWO % "two")
    waiting = scene.request()
    execute(scene, waiting, engine_tool, tmp_path)
    applied(scene, scene.migrate("managed"), engine_tool, tmp_path)
    with unit_of_work() as session:
        ending.deciding.supersede_moved(session, scene.workspace.id)
    assert scene.run(waiting).status == "superseded"
    assert "state backend changed" in (scene.run(waiting).status_reason or "")


class Forgetful(InProcessPort):
    """Dies with the target written and the workspace not yet changed over."""

    def finish(self, run_id: str, token: int, outcome: ApplyOutcome) -> None:
        raise SystemExit


def test_runner_that_dies_between_push_and_finish_leaves_the_workspace_where_it_was(
    api: str, engine_tool: Tool, tmp_path: Path
) -> None:
    scene = new_scene(state_backend="local")
    configure(scene, TWO % "one")
    applied(scene, scene.request(), engine_tool, tmp_path)
    run_id = scene.migrate("managed")
    execute(scene, run_id, engine_tool, tmp_path)
    scene.approve(run_id)
    scene.port = Forgetful()
    with pytest.raises(SystemExit):
        execute(scene, scene.child(run_id), engine_tool, tmp_path)
    scene.port = InProcessPort()
    assert (scene.status(run_id), backend_of(scene)) == ("errored", "local")
    assert changes_nothing(scene, engine_tool, tmp_path)
    applied(scene, scene.migrate("managed"), engine_tool, tmp_path)
    assert backend_of(scene) == "managed"
    assert changes_nothing(scene, engine_tool, tmp_path)


def test_halt_before_the_finish_keeps_the_old_backend(api: str, engine_tool: Tool, tmp_path: Path) -> None:
    class Halted(InProcessPort):
        def finish(self, run_id: str, token: int, outcome: ApplyOutcome) -> None:
            scene.halt()
            super().finish(run_id, token, outcome)

    scene = new_scene(state_backend="local")
    configure(scene, TWO % "one")
    applied(scene, scene.request(), engine_tool, tmp_path)
    run_id = scene.migrate("managed")
    execute(scene, run_id, engine_tool, tmp_path)
    scene.approve(run_id)
    scene.port = Halted()
    execute(scene, scene.child(run_id), engine_tool, tmp_path)
    scene.resume()
    with unit_of_work() as session:
        child = repository.child_of(session, run_id)
        assert child is not None
    assert (child.status, child.halted, backend_of(scene)) == ("cancelled", True, "local")
    assert "work_completed" in scene.evidence(child.id)
    assert changes_nothing(scene, engine_tool, tmp_path)
