"""The queue with real commits: many claimers at once, and what must never be seen, nor be left, whatever they do."""

import random
import threading
from functools import partial
from typing import Any

import pytest
from sqlalchemy import func, select

from app.core.db import unit_of_work
from app.runs import queue_repository
from app.runs.machine import Status
from app.runs.models import AT_WORK, QueueLimit, TerraformRun
from tests.factories.scene import Scene, new_scene, second_workspace
from tests.support.races import together

pytestmark = pytest.mark.races

CLAIMERS = 6
MOST = 2


def limit(scene: Scene, most: int) -> None:
    with unit_of_work() as session:
        session.merge(QueueLimit(organization_id=scene.organization_id, concurrency=most))


@pytest.fixture
def tenant(real_database: str, sent_jobs: Any) -> Scene:
    return new_scene(is_operator=True)


def test_claims_in_an_organization_with_a_limit_no_more_than_it_win(tenant: Scene) -> None:
    limit(tenant, MOST)
    for _ in range(4):
        runs = [second_workspace(tenant).request(speculative=bool(number % 2)) for number in range(6)]
        jobs = [job for job in together(*[partial(tenant.claim, run_id) for run_id in runs]) if job is not None]
        assert len(jobs) == MOST
        for job in jobs:
            tenant.fail(job)
            tenant.quiesce(job)
        for run_id in runs:
            if tenant.status(run_id) == "queued":
                tenant.cancel(run_id)


def test_pickers_at_once_take_different_runs(tenant: Scene) -> None:
    runs = {tenant.request(speculative=True), *[second_workspace(tenant).request() for _ in range(4)]}
    jobs = together(*[tenant.claim_next] * 5)
    assert {job.run_id for job in jobs if job is not None} <= runs
    left = []
    while (job := tenant.claim_next()) is not None:
        left.append(job.run_id)
    taken = [job.run_id for job in jobs if job is not None] + left
    assert sorted(taken) == sorted(runs), "each once"


def test_picker_passes_over_what_another_is_claiming(tenant: Scene) -> None:
    first, second = tenant.request(), second_workspace(tenant).request()
    with unit_of_work() as session:
        held = queue_repository.first_in_line(session, 0, ())
        assert held is not None
        assert held.run_id == first
        job = together(tenant.claim_next)[0]
        assert job is not None, "it did not wait"
        assert job.run_id == second


class Watch:
    """Notes what must never be seen: two at work in one workspace, an organization beyond its limit, a plan that
    starts while an apply could have."""

    def __init__(self, limited: Scene) -> None:
        self._limited = limited
        self.seen: list[str] = []
        self.most = 0

    def look(self) -> None:
        with unit_of_work() as session:
            at_work = session.execute(
                select(TerraformRun.workspace_id, func.count())
                .where(AT_WORK, TerraformRun.is_speculative.is_(False))
                .group_by(TerraformRun.workspace_id)
                .having(func.count() > 1)
            ).all()
            executing = queue_repository.executing(session, self._limited.organization_id)
        self.most = max(self.most, executing)
        if at_work:
            self.seen.append(f"{at_work} at once in one workspace")
        if executing > MOST:
            self.seen.append(f"{executing} at once in an organization that may {MOST}")


def work(scene: Scene, watch: Watch, chance: random.Random, broken: list[BaseException]) -> None:
    """Take what goes first and end it in one way or another, until nothing may start."""
    try:
        while (job := scene.claim_next()) is not None:
            watch.look()
            if chance.random() < 0.5:
                scene.fail(job)
            elif job.kind == "apply":
                scene.port.stale(job.run_id, job.fencing_token, "it moved")
            else:
                scene.settle(job, has_changes=False)
            watch.look()
            scene.quiesce(job)
    except BaseException as error:
        broken.append(error)


@pytest.mark.parametrize("seed", range(4))
def test_claimers_over_a_random_queue_end_it_all_and_break_no_rule(tenant: Scene, seed: int) -> None:
    chance = random.Random(seed)
    limited, free = new_scene(name="limited"), tenant
    spaces = [scene for base in (limited, free) for scene in (base, second_workspace(base), second_workspace(base))]
    for scene in chance.sample(spaces, 3):
        scene.approved()
    limit(limited, MOST)
    for _ in range(24):
        chance.choice(spaces).request(speculative=chance.random() < 0.4)
    watch, broken = Watch(limited), list[BaseException]()
    threads = [
        threading.Thread(target=work, args=(tenant, watch, random.Random(seed * 100 + number), broken), daemon=True)
        for number in range(CLAIMERS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    assert broken == []
    assert watch.seen == []
    assert watch.most == MOST, "what may run at once does"
    with unit_of_work() as session:
        left = session.scalars(select(TerraformRun.id).where(TerraformRun.status == Status.QUEUED)).all()
    assert list(left) == [], "whoever ends a run takes the next"


def test_applies_start_before_every_plan_with_many_claimers(tenant: Scene) -> None:
    spaces = [tenant, second_workspace(tenant), second_workspace(tenant)]
    applies = {scene.approved()[1] for scene in spaces[:2]}
    for scene in spaces:
        for _ in range(8):
            scene.request(speculative=True)
    jobs = together(*[tenant.claim_next] * CLAIMERS)
    assert applies <= {job.run_id for job in jobs if job is not None}
