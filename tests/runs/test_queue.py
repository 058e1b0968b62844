"""Which run goes next: applies before plans, fair between organizations and workspaces, within the limits."""

from typing import Any

import pytest
from sqlalchemy.orm import Session

from app.core import clock
from app.core.db import unit_of_work
from app.core.settings import get_settings
from app.runs import queue_repository
from app.runs.models import QueueLimit
from app.state import service as state
from app.state.schemas import LockRequest
from tests.factories.scene import Scene, new_scene, second_workspace


@pytest.fixture
def scene(session: Session, sent_jobs: Any) -> Scene:
    return new_scene()


def limit(scene: Scene, most: int | None) -> None:
    with unit_of_work() as session:
        session.merge(QueueLimit(organization_id=scene.organization_id, concurrency=most))


def order(scene: Scene, count: int) -> list[str]:
    """Claim so many, one after the other has ended, and return their ids."""
    found: list[str] = []
    for _ in range(count):
        job = scene.claim_next()
        assert job is not None
        scene.fail(job)
        scene.quiesce(job)
        found.append(job.run_id)
    return found


def another_organization(name: str) -> Scene:
    return new_scene(name=name)


def test_next_run_nothing_queued_is_none(scene: Scene) -> None:
    assert scene.claim_next() is None


def test_next_run_is_the_apply_whatever_was_queued_before(scene: Scene) -> None:
    other = second_workspace(scene)
    _, apply = scene.approved()
    plans = [other.request(speculative=True) for _ in range(5)]
    late = scene.request()
    assert order(scene, 1) == [apply]
    assert set(order(scene, 6)) == {*plans, late}


def test_next_run_of_a_workspace_is_its_oldest_plan(scene: Scene) -> None:
    plans = [scene.request() for _ in range(3)]
    assert order(scene, 3) == plans


def test_next_run_plans_wait_while_another_is_at_work(scene: Scene) -> None:
    first, second = scene.request(), scene.request()
    speculative = scene.request(speculative=True)
    job = scene.claim_next()
    assert job is not None
    assert job.run_id == first
    beside = scene.claim_next()
    assert beside is not None
    assert beside.run_id == speculative
    assert scene.claim_next() is None
    scene.settle(job)
    assert scene.claim_next() is None, "a settled run has not quiesced yet"
    scene.quiesce(job)
    following = scene.claim_next()
    assert following is not None
    assert following.run_id == second


def test_next_run_while_one_is_approved_no_plan_passes_its_apply(scene: Scene) -> None:
    plan, apply = scene.approved()
    scene.request()
    job = scene.claim_next()
    assert job is not None
    assert job.run_id == apply
    assert scene.status(plan) == "approved"
    assert scene.claim_next() is None


@pytest.mark.parametrize("speculative", [False, True])
def test_next_run_many_of_one_workspace_don_t_starve_the_others(scene: Scene, speculative: bool) -> None:
    greedy = [scene.request(speculative=speculative) for _ in range(20)]
    modest = [second_workspace(scene).request(speculative=True) for _ in range(2)]
    first = order(scene, 4)
    assert set(modest) < set(first), "each workspace that waits is served before one is served twice"
    assert order(scene, 2) == greedy[2:4]


def test_next_run_goes_to_the_workspace_that_executes_least(scene: Scene) -> None:
    busy, quiet = scene, second_workspace(scene)
    for _ in range(3):
        busy.claimed(busy.request(speculative=True))
    busy.request(speculative=True)
    wanted = quiet.request(speculative=True)
    job = scene.claim_next()
    assert job is not None
    assert job.run_id == wanted


def test_next_run_many_of_one_organization_don_t_starve_another(scene: Scene) -> None:
    for _ in range(3):
        space = second_workspace(scene)
        for _ in range(4):
            space.request(speculative=True)
    other = another_organization("other")
    wanted = [other.request(speculative=True) for _ in range(2)]
    first = order(scene, 4)
    assert [run_id in wanted for run_id in first] in ([False, True, False, True], [True, False, True, False])


def test_next_run_of_a_halted_workspace_is_left_alone(scene: Scene) -> None:
    halted = second_workspace(scene)
    waiting = scene.request()
    halted.halt()
    assert order(scene, 1) == [waiting]


def test_next_run_of_a_locked_workspace_waits_speculative_ones_aside(scene: Scene) -> None:
    with unit_of_work() as session:
        state.lock_manually(session, scene.admin, scene.workspace.id, LockRequest(reason="by hand"))
    waiting, speculative = scene.request(), scene.request(speculative=True)
    assert order(scene, 1) == [speculative]
    assert scene.claim_next() is None
    assert scene.claim(waiting) is None
    with unit_of_work() as session:
        state.unlock_own(session, scene.admin, scene.workspace.id)
    assert order(scene, 1) == [waiting]


def test_limit_of_an_organization_counts_all_that_has_not_quiesced(scene: Scene) -> None:
    limit(scene, 2)
    runs = [second_workspace(scene).request(speculative=bool(number)) for number in range(3)]
    jobs = [scene.claim_next(), scene.claim_next()]
    assert None not in jobs
    assert scene.claim_next() is None
    for run_id in runs:
        assert scene.claim(run_id) is None, "a claim by id has no way around it"
    assert jobs[0] is not None
    scene.fail(jobs[0])
    assert scene.claim_next() is None, "failed, and its process may live"
    scene.quiesce(jobs[0])
    assert scene.claim_next() is not None


def test_limit_of_an_organization_leaves_the_others_alone(scene: Scene) -> None:
    limit(scene, 1)
    other = another_organization("other")
    scene.claimed(scene.request())
    second_workspace(scene).request()
    wanted = other.request()
    job = scene.claim_next()
    assert job is not None
    assert job.run_id == wanted
    assert scene.claim_next() is None


def test_limit_the_slot_that_gets_free_goes_to_an_apply(scene: Scene) -> None:
    _, apply = scene.approved()
    limit(scene, 1)
    other = second_workspace(scene)
    job = scene.claimed(other.request(speculative=True))
    for _ in range(5):
        other.request(speculative=True)
    scene.fail(job)
    scene.quiesce(job)
    following = scene.claim_next()
    assert following is not None
    assert following.run_id == apply


@pytest.mark.parametrize(("own", "may_start"), [(None, 1), (0, 3), (2, 2)])
def test_limit_of_the_installation_holds_where_there_is_none_of_one_s_own(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, own: int | None, may_start: int
) -> None:
    monkeypatch.setenv("SLUICE_ORGANIZATION_CONCURRENCY", "1")
    get_settings.cache_clear()
    limit(scene, own)
    for _ in range(3):
        scene.request(speculative=True)
    started = 0
    while scene.claim_next() is not None:
        started += 1
    assert started == may_start


def test_in_line_says_what_would_start_and_in_which_order(scene: Scene) -> None:
    other = second_workspace(scene)
    _, apply = other.approved()
    first, _ = scene.request(), scene.request()
    with unit_of_work() as session:
        line = queue_repository.in_line(session, 0, queued_before=clock.now(), limit=10)
    assert list(line) == [apply, first]
