"""Everybody does everything at once, with real commits: no deadlock, and what must hold for a workspace holds."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from app.core import clock
from app.core.db import unit_of_work
from app.core.errors import AppError
from app.identity import service as identity
from app.identity.schemas import UserChange
from app.runner.port import RunnerJob
from app.runner.steadfast import insist
from app.runs import deciding, repository, tasks
from app.runs.machine import FINAL, Status
from app.runs.models import TerraformRun
from app.specs import service as specs
from app.specs.schemas import TerraformStackSpec
from app.state import service as state
from tests.factories.scene import Scene, new_scene, second_workspace
from tests.support.races import told_of_halts

pytestmark = [pytest.mark.races, pytest.mark.slow]

SECONDS = 5.0
THREADS = 8
PATIENCE_SECONDS = 45.0
"""How long a supervisor insists: a halt ends who holds it up, and what was ended is told again."""
OFTEN = {"request": 8, "execute": 40, "approve": 30, "halt": 0.5, "variable": 0.5, "right": 0.3, "push": 0.5}
"""How often a step is taken, against one of each other: else what disturbs would leave nothing to disturb."""

ENOUGH = {"execute", "approve", "request"}
"""Without these a storm has shown nothing: on a busy machine it goes on until each was done."""


class Crowd:
    """What the threads do, each a small random step on one of the workspaces."""

    def __init__(self, scenes: list[Scene]) -> None:
        self.scenes = scenes
        self.broken: list[BaseException] = []
        self.unanswered: list[str] = []
        self.done: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()

    def steps(  # noqa: C901 - a flat list of steps
        self, scene: Scene, dice: random.Random
    ) -> dict[str, Callable[[], Any]]:
        def some(*statuses: Status) -> str:
            with unit_of_work() as session:
                query = select(TerraformRun.id).where(
                    TerraformRun.workspace_id == scene.workspace.id, TerraformRun.status.in_(statuses)
                )
                found = session.scalars(query).all()
            return dice.choice(found) if found else "run-none"

        def claim(run_id: str) -> RunnerJob | None:
            try:
                return scene.claim(run_id)
            except OperationalError:
                self.unanswered.append(run_id)
                raise

        told = partial(insist, for_seconds=PATIENCE_SECONDS)

        def execute() -> None:
            job = claim(some(Status.QUEUED))
            if job is None:
                return
            told("heartbeat", lambda: scene.port.heartbeat(job.run_id, job.fencing_token, "planning"))
            if job.kind != "apply":
                told("settle", lambda: scene.settle(job))
            elif told("verify", lambda: scene.verify(job)).may_apply:
                with unit_of_work() as session:
                    newest = state.current(session, scene.workspace.id)
                serial = newest.serial + 1 if newest is not None else 1
                kept = told("put_state", lambda: scene.put_state(job, serial))
                told("finish", lambda: scene.finish(job, kept.state_version_id))
            told("quiesce", lambda: scene.quiesce(job))

        def push() -> None:
            with unit_of_work() as session:
                spec = TerraformStackSpec(name=scene.workspace.stack.name, description=str(dice.random()))
                specs.push(session, scene.admin, spec)

        def change_a_right() -> None:
            approver = dice.choice(scene.approvers)
            for is_disabled in (True, False):
                change = UserChange(is_disabled=is_disabled)
                told("update_user", partial(_change_user, scene, approver.id, change))

        def halt_and_resume() -> None:
            scope = dice.choice(["workspace", "organization", "everything"])
            scene.halt(scope)
            scene.resume(scope)

        def supersede() -> None:
            with unit_of_work() as session:
                deciding.supersede_moved(session, scene.workspace.id)

        gate = (Status.AWAITING_APPROVAL, Status.APPROVED)
        return {
            "request": scene.request,
            "speculate": lambda: scene.request(speculative=True),
            "execute": execute,
            "approve": lambda: scene.approve(some(Status.AWAITING_APPROVAL), dice.choice(scene.approvers)),
            "reject": lambda: scene.disapprove(some(*gate), "reject", dice.choice(scene.approvers)),
            "revoke": lambda: scene.disapprove(some(*gate), "revoke", dice.choice(scene.approvers)),
            "discard": lambda: scene.discard(some(*gate)),
            "cancel": lambda: scene.cancel(some(Status.QUEUED, Status.RUNNING, Status.APPROVED)),
            "variable": lambda: scene.put_variable(str(dice.random())),
            "rule": lambda: scene.change(required_approvals=dice.choice([1, 2])),
            "tags": lambda: scene.change(tags=dice.choice([[], ["prod"]])),
            "push": push,
            "right": change_a_right,
            "halt": halt_and_resume,
            "supersede": supersede,
            "sweep": tasks.sweep,
        }

    def work(self, seed: int, until: float) -> None:
        dice = random.Random(seed)
        while not self.broken and (time.monotonic() < until or not self._has_done_enough(until)):
            steps = self.steps(dice.choice(self.scenes), dice)
            [name] = dice.choices(list(steps), [OFTEN.get(step, 1) for step in steps])
            step = steps[name]
            try:
                with told_of_halts():
                    step()
            except AppError as error:
                self.refused[f"{name}: {error.code}"] += 1
                continue
            except BaseException as error:
                error.add_note(f"in {name}, seed {seed}")
                self.broken.append(error)
                return
            self.done[name] += 1

    def _has_done_enough(self, until: float) -> bool:
        return self.done.keys() >= ENOUGH or time.monotonic() > until + PATIENCE_SECONDS

    def presume_the_unanswered(self) -> None:
        """Let the leases run out of runs whose claim a halt ended in its commit: whoever claimed them never knew."""
        lost = TerraformRun.id.in_(self.unanswered), TerraformRun.quiesced_at.is_(None)
        with unit_of_work() as session:
            session.execute(
                update(TerraformRun)
                .where(*lost, TerraformRun.claimed_at.is_not(None))
                .values(lease_expires_at=clock.now() - timedelta(hours=1))
            )
        tasks.sweep()
        for scene in self.scenes:
            with unit_of_work() as session:
                state.release_orphaned(session, scene.admin, scene.workspace.id)


def test_everything_at_once_never_deadlocks_and_leaves_no_run_behind(  # noqa: C901 - one storm, many truths
    real_database: str, sent_jobs: Any
) -> None:
    first = new_scene(is_operator=True)
    crowd = Crowd([first, second_workspace(first)])
    until = time.monotonic() + SECONDS
    threads = [threading.Thread(target=crowd.work, args=(seed, until), daemon=True) for seed in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS + 2 * PATIENCE_SECONDS)
    if crowd.broken:
        raise crowd.broken[0]
    assert not any(thread.is_alive() for thread in threads)
    crowd.presume_the_unanswered()

    with unit_of_work() as session:
        runs = session.scalars(select(TerraformRun)).all()
        by_id = {run.id: run for run in runs}
        for run in runs:
            if run.claimed_at is not None:
                assert run.quiesced_at is not None, f"{run.id} never quiesced"
                assert run.status != Status.RUNNING, f"{run.id} quiesced while it ran"
            if run.kind == "apply":
                parent = by_id[run.parent_run_id or ""]
                if Status(run.status) in FINAL:
                    assert Status(parent.status) in FINAL, f"{run.id} ended, its plan did not"
                if run.status == Status.APPLIED:
                    assert parent.status == Status.APPLIED
            if run.status == Status.APPROVED:
                child = repository.child_of(session, run.id)
                assert child is not None
                assert child.status == Status.QUEUED
        for scene in crowd.scenes:
            assert state.held_lock(session, scene.workspace.id) is None
    assert crowd.done.keys() >= ENOUGH, (crowd.done, crowd.refused)
    for scene in crowd.scenes:
        _still_works(scene)


def _change_user(scene: Scene, user_id: str, change: UserChange) -> None:
    with unit_of_work() as session:
        identity.update_user(session, scene.admin, user_id, change)


def _still_works(scene: Scene) -> None:
    """Empty the workspace's queue and gate, and apply once more."""
    with unit_of_work() as session:
        waiting = repository.waiting_in_workspace(session, scene.workspace.id)
    for run_id in waiting:
        scene.discard(run_id)
    with unit_of_work() as session:
        queued = session.scalars(
            select(TerraformRun.id).filter_by(workspace_id=scene.workspace.id, status=Status.QUEUED)
        ).all()
        newest = state.current(session, scene.workspace.id)
    for run_id in queued:
        scene.cancel(run_id)
    scene.change(required_approvals=1)
    plan, job = scene.applying()
    scene.apply_to_end(job, newest.serial + 1 if newest is not None else 1)
    assert scene.status(plan) == Status.APPLIED
