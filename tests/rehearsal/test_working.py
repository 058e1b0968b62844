"""Workers at a rehearsal, with real commits: each plan counts once, whoever dies, comes late or comes twice."""

import threading
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from app.core import clock, db
from app.core.db import unit_of_work
from app.core.settings import get_settings
from app.policy import service as policy
from app.policy.schemas import Evaluated
from app.rehearsal import service, working
from app.rehearsal.errors import RehearsalOver, TooManyRehearsals
from app.rehearsal.schemas import RehearsalIn
from tests.factories.rehearsals import DENY_ALL, ask, draft, found, look, rehearse
from tests.factories.scene import Scene, new_scene

pytestmark = pytest.mark.races
LOOPS = """package draft

deny contains total if {
	total := sum([z | some x in numbers.range(1, 100000); some y in numbers.range(1, 100000); z := x * y])
	total == 1
}
"""
Evaluate = Callable[[Any, Iterable[Any]], Iterator[Evaluated]]


@pytest.fixture
def scene(real_database: str, sent_jobs: Any) -> Scene:
    return new_scene()


@pytest.fixture
def plans(scene: Scene) -> list[str]:
    return [scene.at_gate() for _ in range(6)]


def meanwhile(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    """Do ``act`` once while an engine evaluates."""
    evaluate_many = policy.evaluate_many
    waiting = [act]

    def evaluate(bundle: Any, documents: Iterable[Any]) -> Iterator[Evaluated]:
        for said in evaluate_many(bundle, documents):
            if waiting:
                waiting.pop()()
            yield said

    monkeypatch.setattr(policy, "evaluate_many", evaluate)


def in_order(scene: Scene, rehearsal_id: str) -> list[str]:
    return [item.run_id for item in found(scene, rehearsal_id)]


def claim(scene: Scene) -> working.Batch:
    """Begin a batch as a worker does that then dies."""
    with unit_of_work() as session:
        batch = working._claim(session, scene.organization_id)
    assert batch is not None
    return batch


def after_the_lease() -> Any:
    moment = clock.now() + timedelta(seconds=get_settings().lease_seconds + get_settings().policy_timeout_seconds + 1)
    return clock.using(lambda: moment)


def test_workers_at_once_count_each_plan_once(scene: Scene, plans: list[str]) -> None:
    rehearsal_id = ask(scene, draft(DENY_ALL))

    def work() -> None:
        while look(scene, rehearsal_id).status in {"queued", "running"}:
            working.advance(scene.organization_id)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done = look(scene, rehearsal_id)
    assert (done.status, done.total, done.done, done.newly_blocked, done.would_block) == ("finished", 6, 6, 6, 6)
    assert in_order(scene, rehearsal_id) == plans[::-1]


def test_worker_that_dies_leaves_a_lease_and_another_goes_on_after_it(scene: Scene, plans: list[str]) -> None:
    rehearsal_id = ask(scene, draft(DENY_ALL))
    working._step(scene.organization_id)
    done_before = look(scene, rehearsal_id).done
    claim(scene)
    working.advance(scene.organization_id)
    assert look(scene, rehearsal_id).done == done_before
    assert working.ring() == 0
    with after_the_lease():
        assert working.ring() == 1
        while look(scene, rehearsal_id).status == "running":
            working.advance(scene.organization_id)
    done = look(scene, rehearsal_id)
    assert (done.status, done.done, done.newly_blocked) == ("finished", 6, 6)
    assert in_order(scene, rehearsal_id) == plans[::-1]


def test_worker_that_comes_back_after_its_lease_changes_nothing_that_was_said(scene: Scene, plans: list[str]) -> None:
    rehearsal_id = ask(scene, draft(DENY_ALL))
    late = claim(scene)
    with after_the_lease():
        while look(scene, rehearsal_id).status == "running":
            working.advance(scene.organization_id)
    with unit_of_work() as session:
        working._keep(session, rehearsal_id, working._evaluate(late), 1.0)
    done = look(scene, rehearsal_id)
    assert (done.status, done.done, done.would_block) == ("finished", 6, 6)


def test_worker_that_comes_back_while_another_is_at_it_counts_once(scene: Scene, plans: list[str]) -> None:
    rehearsal_id = ask(scene, draft(DENY_ALL))
    first = claim(scene)
    with after_the_lease():
        second = claim(scene)
        for batch in (second, first):
            with unit_of_work() as session:
                working._keep(session, rehearsal_id, working._evaluate(batch), 1.0)
        done = look(scene, rehearsal_id)
        assert (done.status, done.done, done.would_block) == ("running", 1, 1)


def test_plans_that_kill_every_worker_end_the_rehearsal(scene: Scene, plans: list[str]) -> None:
    rehearsal_id = ask(scene, draft(DENY_ALL))
    moment = clock.now()
    for _ in range(working.MOST_ATTEMPTS):
        moment += timedelta(hours=1)
        with clock.using(lambda at=moment: at):  # type: ignore[misc]
            claim(scene)
    moment += timedelta(hours=1)
    with clock.using(lambda: moment):
        working.advance(scene.organization_id)
    done = look(scene, rehearsal_id)
    assert (done.status, done.done) == ("errored", 0)
    assert "5 times" in (done.status_reason or "")


def test_no_transaction_is_open_while_an_engine_evaluates(
    scene: Scene, plans: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    open_then: list[int] = []
    meanwhile(monkeypatch, lambda: open_then.append(db.engine().pool.checkedout()))  # type: ignore[attr-defined]
    rehearse(scene, draft(DENY_ALL))
    assert open_then == [0]


def test_cancelled_rehearsal_keeps_what_it_had_and_takes_no_more(
    scene: Scene, plans: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rehearsal_id = ask(scene, draft(DENY_ALL))
    working._step(scene.organization_id)
    kept = look(scene, rehearsal_id).done

    def cancel() -> None:
        with unit_of_work() as session:
            service.cancel(session, scene.planner, rehearsal_id)

    meanwhile(monkeypatch, cancel)
    working.advance(scene.organization_id)
    working.advance(scene.organization_id)
    done = look(scene, rehearsal_id)
    assert (done.status, done.done, len(in_order(scene, rehearsal_id))) == ("cancelled", kept, kept)
    with pytest.raises(RehearsalOver):
        cancel()


def test_one_rehearsal_of_an_organization_is_worked_on_at_a_time(scene: Scene, plans: list[str]) -> None:
    first, second = ask(scene, draft(DENY_ALL)), ask(scene, draft(DENY_ALL))
    working._step(scene.organization_id)
    assert (look(scene, first).status, look(scene, second).status) == ("running", "queued")
    while look(scene, second).status != "finished":
        working.advance(scene.organization_id)
    assert look(scene, first).status == "finished"


def test_rehearsals_that_wait_are_bounded(scene: Scene) -> None:
    for _ in range(service.MOST_WAITING):
        ask(scene, draft(DENY_ALL))
    with pytest.raises(TooManyRehearsals), unit_of_work() as session:
        service.request(session, scene.planner, RehearsalIn.model_validate(draft(DENY_ALL)), None)


def test_draft_that_loops_ends_the_rehearsal_and_says_what_to_look_for(
    scene: Scene, plans: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_POLICY_TIMEOUT_SECONDS", "0.5")
    get_settings.cache_clear()
    done = rehearse(scene, draft(LOOPS))
    assert (done.status, done.done, done.not_evaluable, done.newly_blocked) == ("errored", 3, 3, 3)
    assert "0.5 s" in (done.status_reason or "")
    assert "3 were left out" in (done.status_reason or "")
    assert "took longer" in (found(scene, done.id)[0].error or "")


def test_engine_that_is_gone_ends_the_rehearsal(
    scene: Scene, plans: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rehearsal_id = ask(scene, draft(DENY_ALL))
    monkeypatch.setenv("SLUICE_OPA", "/nonexistent/opa")
    get_settings.cache_clear()
    working.advance(scene.organization_id)
    done = look(scene, rehearsal_id)
    assert (done.status, done.done) == ("errored", 0)
    assert "opa" in (done.status_reason or "")
