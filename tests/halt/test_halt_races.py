"""A halt that races approvals, claims, finishes, settles and requests, with real commits, however they fall.

``SLUICE_TEST_EXAMPLES`` is how many times (a long run: several hundred), ``SLUICE_TEST_SEED`` draws others.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from sqlalchemy import event, select, update
from sqlalchemy.orm import Session

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
EXAMPLES = int(os.environ.get("SLUICE_TEST_EXAMPLES", "12"))
SEED = os.environ.get("SLUICE_TEST_SEED")
LINGER_SECONDS = 0.03


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


@contextmanager
def lingering(actions: list[Callable[[], Any]]) -> Iterator[list[Callable[[], Any]]]:
    """Have the actions' transactions stand open a while before they commit, so that a halt meets them half done."""
    own = threading.local()

    def linger(_session: Session) -> None:
        if getattr(own, "lingers", False):
            time.sleep(LINGER_SECONDS)

    def slowly(action: Callable[[], Any]) -> Any:
        own.lingers = True
        return action()

    event.listen(Session, "before_commit", linger)
    try:
        yield [partial(slowly, action) for action in actions]
    finally:
        event.remove(Session, "before_commit", linger)


def _each_with(*, examples: int) -> Callable[[Any], Any]:
    """Return what makes a test run over drawn examples: the same each time, unless a seed is given."""

    def wrap(test: Any) -> Any:
        drawn = given(
            scope=st.sampled_from(SCOPES),
            wanted=st.lists(st.sampled_from(ACTIONS), min_size=3, max_size=6, unique=True),
            delays=st.lists(st.sampled_from([0.0, 0.002, 0.01]), min_size=6, max_size=6),
            halt_delay=st.sampled_from([0.0, 0.01, 0.02, 0.04, 0.06]),
        )(test)
        chosen = settings(
            max_examples=examples,
            deadline=None,
            derandomize=SEED is None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
        )(drawn)
        return chosen if SEED is None else seed(int(SEED))(chosen)

    return wrap


@pytest.mark.timeout(180 + 5 * EXAMPLES)
@_each_with(examples=EXAMPLES)
def test_halt_wins_or_comes_second_and_nothing_starts_or_is_lost(
    tenant: Scene, scope: str, wanted: list[str], delays: list[float], halt_delay: float
) -> None:
    try:
        _race(Setting(tenant, wanted), scope, (halt_delay, *delays))
    finally:
        # What failed is tried once more to be shown, and must not find the halt that it left.
        for each in reversed(SCOPES):
            with suppress(AppError):
                tenant.resume(each)


def _race(setting: Setting, scope: str, delays: tuple[float, ...]) -> None:
    halting = setting.scenes[0]
    with lingering(setting.actions) as actions:
        answers = together(partial(halting.halt, scope), *actions, delays=delays)
    assert not isinstance(answers[0], AppError), answers[0]
    under = setting.scenes[:1] if scope == "workspace" else setting.scenes
    ids = [scene.workspace.id for scene in under]
    with unit_of_work() as session:
        runs = session.scalars(select(TerraformRun).where(TerraformRun.workspace_id.in_(ids))).all()
    assert [run.id for run in runs if Status(run.status) not in FINAL] == [], (
        "what was live when it committed is marked"
    )
    _ended_as_halted(runs)
    for scene in under:
        with pytest.raises(Halted):
            scene.request()
        _fence_holds_alone(scene, setting)
    for scene, job in setting.jobs:
        if scene in under:
            run = scene.run(job.run_id)
            assert scene.verify(job).may_apply is False if run.kind == "apply" else True
            if run.quiesced_at is None and run.halted:
                assert scene.port.heartbeat(job.run_id, job.fencing_token, "planning").stop == "halt"
                _come_too_late(scene, job)
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


def _ended_as_halted(runs: Sequence[TerraformRun]) -> None:
    """What a halt marked stays cancelled, and a plan and its apply tell the same."""
    by_id = {run.id: run for run in runs}
    for run in runs:
        assert run.status == Status.CANCELLED if run.halted else True, f"{run.id} was halted and is {run.status}"
        parent = by_id.get(run.parent_run_id or "")
        assert parent is None or parent.status == run.status, f"{run.id} is {run.status}, its plan {parent}"


def _come_too_late(scene: Scene, job: RunnerJob) -> None:
    """A runner that had not heard of the halt reports its end: evidence, and the run stays as the halt left it."""
    if job.kind == "apply":
        scene.finish(job)
    else:
        scene.settle(job)
    scene.fail(job)
    run = scene.run(job.run_id)
    assert (run.status, run.halted) == (Status.CANCELLED, True)


def _fence_holds_alone(scene: Scene, setting: Setting) -> None:
    """Nothing passes a fence, though a run below it were not marked: claims, approvals and verifications look at it."""
    with unit_of_work() as session:
        found = session.scalars(select(TerraformRun).filter_by(workspace_id=scene.workspace.id)).all()
    jobs = {job.run_id: job for where, job in setting.jobs if where is scene}
    for run in found:
        if run.claimed_at is None:
            with _as_if(run, Status.QUEUED):
                assert scene.claim(run.id) is None, f"{run.id} was claimed under a halt"
        if run.kind != "apply":
            with _as_if(run, Status.AWAITING_APPROVAL), pytest.raises(Halted):
                scene.approve(run.id)
        elif run.id in jobs:
            with _as_if(run, Status.RUNNING):
                answer = scene.verify(jobs[run.id])
                assert answer.may_apply is False
                assert "halted" in str(answer.reason)


@contextmanager
def _as_if(run: TerraformRun, status: Status) -> Iterator[None]:
    """Have the run stand as if no halt had marked it."""

    def stand(**values: Any) -> None:
        with unit_of_work() as session:
            session.execute(update(TerraformRun).where(TerraformRun.id == run.id).values(**values))

    stand(status=status, finished_at=None, halted=False)
    try:
        yield
    finally:
        stand(status=run.status, finished_at=run.finished_at, halted=run.halted)


def _finish_all(scene: Scene, setting: Setting) -> None:
    """Leave nothing that another example would meet."""
    for where, job in setting.jobs:
        if where is scene:
            scene.quiesce(job)
