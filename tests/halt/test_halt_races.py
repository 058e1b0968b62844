"""A halt that races approvals, claims, finishes, settles and requests, with real commits, however they fall."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from app.core.db import unit_of_work
from app.core.errors import AppError
from app.fence.errors import Halted
from app.runner.port import RunnerJob
from app.runs.machine import FINAL, Status
from app.runs.models import TerraformRun
from app.state import service as state
from tests.factories.scene import Scene, new_scene, second_workspace
from tests.support.races import together

pytestmark = [pytest.mark.races, pytest.mark.slow]
ACTIONS = ("request", "claim", "approve", "settle", "verify", "finish", "cancel", "discard", "quiesce", "halt again")
SCOPES = ("workspace", "organization", "everything")


@pytest.fixture
def tenant(real_database: str, sent_jobs: Any) -> Scene:
    return new_scene(is_operator=True)


class Setting:
    """One workspace each with something that the action can be done to, and the halt that comes in between."""

    def __init__(self, tenant: Scene, wanted: list[str]) -> None:
        self.scenes: list[Scene] = []
        self.jobs: list[tuple[Scene, RunnerJob]] = []
        self.stored: dict[str, str] = {}
        self.actions: list[Callable[[], Any]] = [self._prepared(tenant, name) for name in wanted]

    def _prepared(self, tenant: Scene, name: str) -> Callable[[], Any]:
        scene = second_workspace(tenant, required_approvals=1)
        self.scenes.append(scene)
        if name == "request":
            return scene.request
        if name == "claim":
            return partial(self._claim, scene, scene.request())
        if name == "approve":
            return partial(scene.approve, scene.at_gate())
        if name == "discard":
            return partial(scene.discard, scene.at_gate())
        if name in {"settle", "cancel", "quiesce"}:
            job = self._kept(scene, scene.claimed(scene.request()))
            steps = {
                "settle": scene.settle,
                "cancel": lambda found: scene.cancel(found.run_id),
                "quiesce": scene.quiesce,
            }
            return partial(steps[name], job)
        if name == "verify":
            _, apply = scene.approved()
            return partial(scene.verify, self._kept(scene, scene.claimed(apply)))
        if name == "finish":
            _, job = scene.applying()
            return partial(self._finish, scene, self._kept(scene, job))
        return partial(scene.halt, "workspace")

    def _claim(self, scene: Scene, run_id: str) -> Any:
        job = scene.claim(run_id)
        if job is not None:
            self._kept(scene, job)
        return job

    def _kept(self, scene: Scene, job: RunnerJob) -> RunnerJob:
        self.jobs.append((scene, job))
        return job

    def _finish(self, scene: Scene, job: RunnerJob) -> None:
        left = scene.put_state(job, 1)
        self.stored[scene.workspace.id] = left.state_version_id
        scene.finish(job, left.state_version_id)


@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    scope=st.sampled_from(SCOPES),
    wanted=st.lists(st.sampled_from(ACTIONS), min_size=1, max_size=5),
    delays=st.lists(st.sampled_from([0.0, 0.002, 0.01, 0.03]), min_size=6, max_size=6),
)
def test_halt_wins_or_comes_second_and_nothing_starts_or_is_lost(
    tenant: Scene, scope: str, wanted: list[str], delays: list[float]
) -> None:
    setting = Setting(tenant, wanted)
    halting = setting.scenes[0]
    answers = together(partial(halting.halt, scope), *setting.actions, delays=tuple(delays))
    assert not isinstance(answers[0], AppError), answers[0]
    under = setting.scenes[:1] if scope == "workspace" else setting.scenes
    ids = [scene.workspace.id for scene in under]
    with unit_of_work() as session:
        runs = session.scalars(select(TerraformRun).where(TerraformRun.workspace_id.in_(ids))).all()
    assert [run.id for run in runs if Status(run.status) not in FINAL] == [], (
        "what was live when it committed is marked"
    )
    for scene in under:
        with pytest.raises(Halted):
            scene.request()
    for scene, job in setting.jobs:
        if scene in under:
            run = scene.run(job.run_id)
            assert scene.verify(job).may_apply is False if run.kind == "apply" else True
            if run.quiesced_at is None and run.halted:
                assert scene.port.heartbeat(job.run_id, job.fencing_token, "planning").stop == "halt"
            scene.quiesce(job)
    for workspace_id, version in setting.stored.items():
        with unit_of_work() as session:
            newest = state.current(session, workspace_id)
            assert newest is not None, "a state that was written is there, whoever won"
            assert newest.id == version
    for scene in under:
        with unit_of_work() as session:
            assert state.held_lock(session, scene.workspace.id) is None
    halting.resume(scope)
    for scene in setting.scenes:
        try:
            scene.resume("workspace")
        except AppError:
            continue
    again = halting.request()
    assert halting.claim(again) is not None, "after the resume the workspace works"
    halting.cancel(again)
    for scene in setting.scenes:
        _finish_all(scene, setting)


def _finish_all(scene: Scene, setting: Setting) -> None:
    """Leave nothing that another example would meet."""
    for where, job in setting.jobs:
        if where is scene:
            scene.quiesce(job)
