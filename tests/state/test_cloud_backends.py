"""States that lie in a cloud's storage, on loopback, with real engines: planned, applied, copied, locked, refused."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from app.codegen.service import render_backend
from app.core.artifacts import ArtifactRef, artifact_store
from app.core.canonical import is_same_document
from app.core.db import unit_of_work
from app.executor.discovery import Tool
from app.progress import service as progress
from app.runs.machine import Status
from app.state import service as state
from app.workspaces import service as workspaces
from app.workspaces.backends import check_settings
from app.workspaces.schemas import VariableIn
from tests.factories.scene import Scene, new_scene
from tests.state.managed import quarantined, versions
from tests.state.test_backend_engines import configure, execute
from tests.support import clouds
from tests.support.clouds import Cloud
from tests.support.guards import spawning
from tests.support.serving import served_api

pytestmark = [pytest.mark.clouds, pytest.mark.engine, pytest.mark.processes, pytest.mark.slow]
ONE = 'resource "terraform_data" "a" {\n  input = "%s"\n}\n'
SLOW = 'resource "terraform_data" "b" {\n  provisioner "local-exec" {\n    command = "%s"\n  }\n}\n'
RUNNING: dict[str, Any] = {
    "s3-lockfile": clouds.running_s3,
    "s3-dynamodb": lambda directory: clouds.running_s3(directory, dynamodb_table="locks"),
    "azurerm": clouds.running_azure,
    "gcs": clouds.running_gcs,
}


@pytest.fixture(params=[name if name != "gcs" else pytest.param(name, marks=pytest.mark.gcs) for name in RUNNING])
def cloud(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    directory = tmp_path / "cloud"
    directory.mkdir()
    try:
        running = RUNNING[request.param](directory)
        found = running.__enter__()
    except FileNotFoundError as error:
        pytest.fail(str(error))
    for name, value in found.inherited.items():
        monkeypatch.setenv(name, value)
    try:
        yield found
    finally:
        running.__exit__(None, None, None)


@pytest.fixture
def scene(real_database: str, sent_jobs: Any, cloud: Cloud) -> Iterator[Scene]:
    with served_api():
        made = new_scene(state_backend=cloud.backend, state_backend_settings=cloud.settings, requester_may_approve=True)
        with unit_of_work() as session:
            for name, value in {**cloud.environment, **cloud.secrets}.items():
                body = VariableIn(value=value, is_sensitive=name in cloud.secrets)
                workspaces.put_variable(session, made.admin, made.workspace.id, "env", name, body)
        yield made


class ByHand:
    """A person's engine in a directory of their own, over the same state."""

    def __init__(self, tool: Tool, cloud: Cloud, directory: Path) -> None:
        directory.mkdir(parents=True)
        self.tool, self.directory = tool, directory
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
        self.environment = {
            **kept, "CHECKPOINT_DISABLE": "1", **cloud.environment, **cloud.secrets, **cloud.inherited,
        }  # fmt: skip
        settings = check_settings(cloud.backend, cloud.settings)  # type: ignore[arg-type]  # one of the backends
        (directory / "backend.tf").write_text(render_backend(cloud.backend, settings))

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        with spawning("a person's own engine"):
            return subprocess.Popen(
                [self.tool.path, *arguments],
                cwd=self.directory,
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )

    def run(self, *arguments: str) -> str:
        process = self.start(*arguments)
        said, _ = process.communicate(timeout=120)
        assert process.returncode == 0, said
        return said

    def apply(self, text: str) -> None:
        (self.directory / "main.tf").write_text(text)
        self.run("init", "-input=false", "-no-color")
        self.run("apply", "-input=false", "-no-color", "-auto-approve")


def planned(scene: Scene, tool: Tool, tmp_path: Path) -> str:
    run_id = scene.request()
    execute(scene, run_id, tool, tmp_path)
    assert scene.run(run_id).status == Status.AWAITING_APPROVAL, scene.run(run_id).failure
    return run_id


def applied(scene: Scene, tool: Tool, tmp_path: Path) -> str:
    run_id = planned(scene, tool, tmp_path)
    scene.approve(run_id)
    execute(scene, scene.child(run_id), tool, tmp_path)
    return run_id


def newest(scene: Scene) -> bytes:
    with unit_of_work() as session:
        return state.content(session, scene.organization_id, versions(scene)[-1].id)


def test_cloud_run_plans_applies_and_keeps_a_copy_of_the_state(
    scene: Scene, cloud: Cloud, engine_tool: Tool, tmp_path: Path
) -> None:
    configure(scene, ONE % "one")
    plan = applied(scene, engine_tool, tmp_path)
    apply = scene.child(plan)
    assert scene.run(apply).status == Status.APPLIED, scene.run(apply).failure
    stored = versions(scene)
    assert (stored[-1].kind, stored[-1].run_id, stored[-1].resource_count) == ("applied", apply, 1)
    assert scene.run(apply).state_version_id == stored[-1].id
    assert is_same_document(newest(scene), cloud.read(), besides=["terraform_version"])

    for secret in cloud.secrets.values():
        for reference in scene.run(plan).artifacts.values():
            assert secret.encode() not in artifact_store().get(ArtifactRef.model_validate(reference))

    again = scene.request()
    execute(scene, again, engine_tool, tmp_path)
    assert scene.run(again).status == Status.NO_CHANGES, scene.run(again).failure
    assert [row.id for row in versions(scene)] == [row.id for row in stored]
    assert quarantined(scene) == []


def test_cloud_state_that_was_there_before_is_taken_up_by_the_first_plan(
    scene: Scene, cloud: Cloud, engine_tool: Tool, tmp_path: Path
) -> None:
    ByHand(engine_tool, cloud, tmp_path / "person").apply(ONE % "one")
    configure(scene, ONE % "one")
    run_id = scene.request()
    execute(scene, run_id, engine_tool, tmp_path)
    run = scene.run(run_id)
    assert run.status == Status.NO_CHANGES, (run.failure, run.status_reason)
    [only] = versions(scene)
    assert (only.kind, only.serial, only.lineage) == ("pulled", run.state_serial, run.state_lineage)
    assert is_same_document(newest(scene), cloud.read(), besides=["terraform_version"])


def test_cloud_state_that_moves_outside_supersedes_what_was_approved(
    scene: Scene, cloud: Cloud, engine_tool: Tool, tmp_path: Path
) -> None:
    configure(scene, ONE % "one")
    applied(scene, engine_tool, tmp_path)
    configure(scene, ONE % "two")
    plan = planned(scene, engine_tool, tmp_path)
    scene.approve(plan)
    ByHand(engine_tool, cloud, tmp_path / "person").apply(ONE % "by hand")
    moved = cloud.read()
    apply = scene.child(plan)
    execute(scene, apply, engine_tool, tmp_path)
    assert scene.run(apply).status == scene.run(plan).status == Status.SUPERSEDED, scene.run(apply).failure
    assert "the state moved from serial" in (scene.run(apply).status_reason or "").lower()
    assert cloud.read() == moved, "nothing was applied"
    assert versions(scene)[-1].kind == "pulled"
    assert applied(scene, engine_tool, tmp_path)
    assert json.loads(cloud.read())["resources"][0]["instances"][0]["attributes"]["input"]["value"] == "two"


def test_cloud_apply_that_fails_keeps_what_was_done(
    scene: Scene, cloud: Cloud, engine_tool: Tool, tmp_path: Path
) -> None:
    configure(scene, ONE % "one" + SLOW % "false")
    plan = applied(scene, engine_tool, tmp_path)
    apply = scene.run(scene.child(plan))
    assert apply.status == Status.ERRORED
    assert apply.failure is not None
    assert apply.failure["code"] == "engine_failed"
    assert versions(scene)[-1].resource_count == 2
    assert is_same_document(newest(scene), cloud.read(), besides=["terraform_version"])


@pytest.mark.parametrize("cloud", ["s3-lockfile"], indirect=True)
def test_cloud_apply_that_is_stopped_keeps_what_was_done(
    scene: Scene, cloud: Cloud, engine_tool: Tool, tmp_path: Path
) -> None:
    slow = SLOW % "sleep 60"
    configure(scene, ONE % "one" + slow.replace("{", "{\n  depends_on = [terraform_data.a]", 1))
    plan = planned(scene, engine_tool, tmp_path)
    scene.approve(plan)
    apply = scene.child(plan)

    def cancel_in_the_middle() -> None:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with unit_of_work() as session:
                lines = progress.read(session, apply, organization_id=scene.organization_id, after=0).records
            if any("terraform_data.b: Provisioning" in line.text for line in lines):
                break
            time.sleep(0.1)
        scene.cancel(apply)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(cancel_in_the_middle)
        execute(scene, apply, engine_tool, tmp_path)
    assert scene.run(apply).status == Status.CANCELLED, scene.run(apply).failure
    assert versions(scene)[-1].run_id == apply
    assert is_same_document(newest(scene), cloud.read(), besides=["terraform_version"])
    assert [block["name"] for block in json.loads(newest(scene))["resources"]] == ["a", "b"]


@pytest.mark.parametrize("cloud", ["s3-lockfile"], indirect=True)
def test_cloud_state_that_is_gone_is_not_planned_from(
    scene: Scene, cloud: Cloud, engine_tool: Tool, tmp_path: Path
) -> None:
    configure(scene, ONE % "one")
    applied(scene, engine_tool, tmp_path)
    cloud.remove()
    run_id = scene.request()
    execute(scene, run_id, engine_tool, tmp_path)
    failure = scene.run(run_id).failure
    assert failure is not None
    assert failure["code"] == "state_behind", failure
    assert "state push" in failure["message"]


def test_cloud_state_that_another_engine_locks_is_refused_with_its_holder(
    scene: Scene, cloud: Cloud, engine_tool: Tool, tmp_path: Path
) -> None:
    person = ByHand(engine_tool, cloud, tmp_path / "person")
    (person.directory / "main.tf").write_text(SLOW % "touch started; sleep 60")
    person.run("init", "-input=false", "-no-color")
    holding = person.start("apply", "-input=false", "-no-color", "-auto-approve")
    try:
        until = time.monotonic() + 60
        while not (person.directory / "started").exists():
            assert holding.poll() is None and time.monotonic() < until, "the first engine took no lock"  # noqa: PT018
            time.sleep(0.02)
        configure(scene, ONE % "one")
        run_id = scene.request()
        execute(scene, run_id, engine_tool, tmp_path)
        failure = scene.run(run_id).failure
        assert failure is not None
        assert "acquiring the state lock" in failure["message"]
        assert "Who:" in str(failure), failure
    finally:
        holding.kill()
        holding.communicate()


def test_cloud_backend_that_the_configuration_turns_elsewhere_is_refused(
    scene: Scene, cloud: Cloud, engine_tool: Tool, tmp_path: Path
) -> None:
    from app.configurations import service as configurations
    from tests.support.archives import archive

    name = "prefix" if cloud.backend == "gcs" else "key"
    other = check_settings(cloud.backend, {**cloud.settings, name: "elsewhere"})  # type: ignore[arg-type]  # as above
    files = {"main.tf": ONE % "one", "zzzzzz_override.tf": render_backend(cloud.backend, other)}
    with unit_of_work() as session:
        scene.configuration_id = configurations.store_archive(session, scene.planner, archive(files)).id
    run_id = scene.request()
    execute(scene, run_id, engine_tool, tmp_path)
    failure = scene.run(run_id).failure
    assert failure is not None
    assert (failure["code"], f"`{name}`" in failure["message"]) == ("backend_refused", True), failure
