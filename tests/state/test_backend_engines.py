"""Real engines against the managed backend: by hand with a token, and as runs."""

import json
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.configurations import service as configurations
from app.core.db import unit_of_work
from app.core.settings import get_settings
from app.executor.discovery import Tool
from app.executor.options import ExecutorOptions
from app.executor.retry import RetryPolicy
from app.runner.port import RunnerJob
from app.runner.supervisor import Supervisor
from app.runs.machine import Status
from app.state import service as state
from app.state.backend_errors import RunCredentialQuiesced
from tests.factories.scene import Scene, new_scene
from tests.state.managed import CONFIGURATION, Backend, ByHand, quarantined, token_of, versions
from tests.support.archives import archive
from tests.support.serving import served_api

pytestmark = [pytest.mark.engine, pytest.mark.processes]


@pytest.fixture
def api(real_database: str, sent_jobs: Any) -> Iterator[str]:
    with served_api() as address:
        yield address


@pytest.fixture
def scene(api: str) -> Scene:
    return new_scene(state_backend="managed", requester_may_approve=True)


@pytest.fixture
def by_hand(engine_tool: Tool, api: str, scene: Scene, tmp_path: Path) -> ByHand:
    (tmp_path / "main.tf").write_text(CONFIGURATION)
    address = f"{api}/terraform/state/{scene.workspace.name}"
    return ByHand(engine_tool, tmp_path, address, token_of(scene.admin))


def holder(scene: Scene) -> Any:
    with unit_of_work() as session:
        return state.held_lock(session, scene.workspace.id)


def test_engine_by_hand_initializes_plans_and_applies(by_hand: ByHand, scene: Scene) -> None:
    by_hand.run("init", "-input=false", "-no-color")
    assert "1 to add" in by_hand.run("plan", "-input=false", "-no-color")
    by_hand.run("apply", "-input=false", "-no-color", "-auto-approve")
    assert "No changes" in by_hand.run("plan", "-input=false", "-no-color", "-detailed-exitcode")
    by_hand.run("apply", "-input=false", "-no-color", "-auto-approve", "-var=what=two")
    stored = versions(scene)
    assert [row.kind for row in stored] == ["applied"] * len(stored)
    assert [row.serial for row in stored] == sorted({row.serial for row in stored})
    assert stored[-1].created_by["id"] == scene.admin.id
    assert json.loads(by_hand.run("state", "pull"))["serial"] == stored[-1].serial
    assert quarantined(scene) == []


def test_engine_by_hand_meets_a_lock_that_names_its_holder(by_hand: ByHand, scene: Scene, tmp_path: Path) -> None:
    slow = tmp_path / "slow.tf"
    slow.write_text(
        'resource "terraform_data" "slow" {\n  provisioner "local-exec" {\n    command = "sleep 30"\n  }\n}\n'
    )
    by_hand.run("init", "-input=false", "-no-color")
    first = by_hand.start("apply", "-input=false", "-no-color", "-auto-approve")
    try:
        deadline = time.monotonic() + 60
        while holder(scene) is None:
            assert first.poll() is None and time.monotonic() < deadline, "the first engine took no lock"  # noqa: PT018
            time.sleep(0.02)
        second = ByHand(by_hand.tool, by_hand.directory, by_hand.address, token_of(scene.admin))
        said = second.run("plan", "-input=false", "-no-color", code=1)
        assert "state already locked" in said
        assert scene.admin.name in said
        lock_id = re.findall(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", said)[0]
        if by_hand.tool.kind == "tofu":
            # Terraform does not send the id that it asks for.
            assert "409" in second.run("force-unlock", "-force", "not-the-id", code=1)
        second.run("force-unlock", "-force", lock_id)
        assert "1 to add" in second.run("plan", "-input=false", "-no-color", "-target=terraform_data.slow")
    finally:
        first.kill()
        first.communicate()


def test_engine_by_hand_without_a_right_is_turned_away(by_hand: ByHand, scene: Scene) -> None:
    stranger = ByHand(by_hand.tool, by_hand.directory, by_hand.address, token_of(scene.approvers[0]))
    assert "invalid auth" in stranger.run("init", "-input=false", "-no-color", code=1)
    nobody = ByHand(by_hand.tool, by_hand.directory, by_hand.address, "slc_nothing")
    assert "requires auth" in nobody.run("init", "-input=false", "-no-color", code=1)


# As runs.


def execute(scene: Scene, run_id: str, tool: Tool, tmp_path: Path) -> RunnerJob:
    settings = get_settings().model_copy(update={"work_dir": tmp_path / "runs"})
    job = scene.claimed(run_id).model_copy(update={"heartbeat_seconds": 0.1})
    job = job.model_copy(update={"engine": job.engine.model_copy(update={"kind": tool.kind})})
    options = ExecutorOptions.from_settings(settings, grace_seconds=10, timeout_seconds=60)
    # Engines themselves try an address that refuses for 15 seconds.
    options = replace(options, retry=RetryPolicy(attempts=1))
    Supervisor(job, scene.port, settings, options=options).run()
    return job


def configure(scene: Scene, text: str) -> None:
    with unit_of_work() as session:
        scene.configuration_id = configurations.store_archive(session, scene.planner, archive({"main.tf": text})).id


def test_managed_run_plans_applies_and_plans_no_changes(
    scene: Scene, api: str, engine_tool: Tool, tmp_path: Path
) -> None:
    configure(scene, 'resource "terraform_data" "a" {\n  input = "one"\n}\n')
    plan = scene.request()
    job = execute(scene, plan, engine_tool, tmp_path)
    assert scene.run(plan).status == Status.AWAITING_APPROVAL, scene.run(plan).failure
    assert job.state is None
    assert versions(scene) == []
    scene.approve(plan)
    apply = scene.child(plan)
    applied = execute(scene, apply, engine_tool, tmp_path)
    assert scene.run(apply).status == Status.APPLIED, scene.run(apply).failure
    stored = versions(scene)
    assert [row.kind for row in stored] == [*["snapshot"] * (len(stored) - 1), "applied"]
    assert scene.run(apply).state_version_id == stored[-1].id
    assert {row.run_id for row in stored} == {apply}

    again = scene.request()
    execute(scene, again, engine_tool, tmp_path)
    assert scene.run(again).status == Status.NO_CHANGES, scene.run(again).failure
    speculative = scene.request(speculative=True)
    execute(scene, speculative, engine_tool, tmp_path)
    assert scene.run(speculative).status == Status.PLANNED, scene.run(speculative).failure

    late = Backend(httpx.Client(), applied.backend_environment["TF_HTTP_ADDRESS"], "")
    late.password = applied.backend_environment["TF_HTTP_PASSWORD"]
    assert late.get().json()["code"] == RunCredentialQuiesced.code


def test_managed_apply_that_fails_keeps_what_was_done(scene: Scene, engine_tool: Tool, tmp_path: Path) -> None:
    configure(
        scene,
        'resource "terraform_data" "a" {}\nresource "terraform_data" "b" {\n  depends_on = [terraform_data.a]\n'
        '  provisioner "local-exec" {\n    command = "false"\n  }\n}\n',
    )
    plan = scene.request()
    execute(scene, plan, engine_tool, tmp_path)
    scene.approve(plan)
    apply = scene.child(plan)
    execute(scene, apply, engine_tool, tmp_path)
    assert scene.run(apply).status == Status.ERRORED
    stored = versions(scene)
    assert stored[-1].kind == "applied"
    assert stored[-1].resource_count == 2


@pytest.mark.parametrize(
    "override",
    [
        'terraform {\n  backend "local" {}\n}\n',
        'terraform {\n  backend "http" {\n    address = "http://127.0.0.1:9/elsewhere"\n  }\n}\n',
    ],
)
def test_managed_run_whose_configuration_changes_the_backend_is_refused(
    scene: Scene, engine_tool: Tool, tmp_path: Path, override: str
) -> None:
    files = {"main.tf": 'resource "terraform_data" "a" {}\n', "zzzzz_override.tf": override}
    with unit_of_work() as session:
        scene.configuration_id = configurations.store_archive(session, scene.planner, archive(files)).id
    plan = scene.request()
    execute(scene, plan, engine_tool, tmp_path)
    run = scene.run(plan)
    assert run.status == Status.ERRORED
    assert run.failure is not None
    assert run.failure["code"] in {"backend_refused", "engine_failed"}, run.failure
