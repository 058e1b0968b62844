"""Halt and resume: scopes, latches, tenants, and what is counted."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from app.core import clock
from app.core.db import undone, unit_of_work
from app.fence.errors import Halted
from app.halt import service
from app.halt.errors import NotHalted, ScopeForbidden
from app.halt.schemas import HaltRequest
from tests.factories.scene import Scene, new_scene, second_workspace
from tests.support.queries import counted

MOST_STATEMENTS = 8


@pytest.fixture
def scene(session: Session, sent_jobs: Any) -> Scene:
    return new_scene()


def active(scene: Scene) -> list[Any]:
    with unit_of_work() as session:
        return service.standing(session, scene.admin).active


def test_halt_takes_as_many_statements_for_many_runs_as_for_one(scene: Scene) -> None:
    counts = []
    # The first learns what a process asks once.
    for runs in (1, 1, 6):
        for place in [scene, *(second_workspace(scene) for _ in range(runs - 1))]:
            place.at_gate()
        with unit_of_work() as session, counted() as statements:
            service.mark(session, scene.admin, HaltRequest(scope="organization", reason="fire"))
        counts.append(len(statements))
        scene.resume("organization")
    assert counts[1] == counts[2] <= MOST_STATEMENTS, statements


def test_warm_up_makes_the_statements_of_a_halt_and_changes_nothing(scene: Scene) -> None:
    run_id = scene.at_gate()
    with undone() as session, counted() as statements:
        service.warm_up(session)
    assert any("UPDATE terraform_runs" in statement for statement in statements)
    assert scene.status(run_id) == "awaiting_approval"
    assert active(scene) == []


def test_halt_of_a_workspace_stops_it_and_nothing_else(scene: Scene) -> None:
    other = second_workspace(scene)
    theirs, mine = other.at_gate(), scene.at_gate()
    halt = scene.halt()
    assert (halt.runs.marked, scene.status(mine), other.status(theirs)) == (1, "cancelled", "awaiting_approval")
    with pytest.raises(Halted, match="fire"):
        scene.request()
    other.approve(theirs)
    assert other.status(theirs) == "approved"


def test_halt_of_an_organization_stops_every_workspace_of_it_alone(scene: Scene) -> None:
    other, stranger = second_workspace(scene), new_scene()
    runs = [scene.at_gate(), other.request()]
    foreign = stranger.at_gate()
    halt = scene.halt("organization")
    assert {item.run_id for item in halt.runs.items} == set(runs)
    assert stranger.status(foreign) == "awaiting_approval"
    assert active(stranger) == []
    with pytest.raises(Halted):
        other.request()


def test_halt_of_everything_is_for_the_operator_alone(session: Session, sent_jobs: Any) -> None:
    operator, tenant = new_scene(is_operator=True), new_scene()
    run_id = tenant.at_gate()
    with pytest.raises(ScopeForbidden):
        tenant.halt("everything")
    assert operator.halt("everything").runs.marked >= 1
    assert tenant.run(run_id).halted
    [seen] = active(tenant)
    assert [item.run_id for item in seen.runs.items] == [run_id], "a tenant sees its own runs of it"
    with pytest.raises(ScopeForbidden):
        tenant.resume("everything")
    operator.resume("everything")
    tenant.request()


def test_halt_that_does_not_latch_stops_what_is_there_and_leaves_no_fence(scene: Scene) -> None:
    run_id = scene.at_gate()
    halt = scene.halt(latch=False)
    assert scene.status(run_id) == "cancelled"
    assert halt.resumed_at is not None
    assert active(scene) == []
    scene.request()


def test_halt_again_marks_nothing_new_and_is_the_same_halt(scene: Scene) -> None:
    scene.at_gate()
    first, second = scene.halt(), scene.halt()
    assert first.id == second.id
    assert second.runs.marked == 1


def test_halt_tells_the_dying_from_the_dead_and_the_never_started(scene: Scene) -> None:
    plan, job = scene.applying()
    queued = scene.request()
    scene.halt()

    def states() -> dict[str, str]:
        return {item.run_id: item.state for item in active(scene)[0].runs.items}

    assert states() == {plan: "dead", job.run_id: "dying", queued: "never_started"}
    assert scene.port.heartbeat(job.run_id, job.fencing_token, "applying").stop == "halt"
    scene.quiesce(job)
    assert states()[job.run_id] == "dead"
    assert (
        next(item.proof for item in active(scene)[0].runs.items if item.run_id == job.run_id)["kind"] == "wait_status"
    )


def test_halt_tells_whose_process_had_ended_before_it(scene: Scene) -> None:
    plan, job = scene.applying()
    scene.halt()
    scene.quiesce(job)
    [halt] = active(scene)
    assert {item.run_id: (item.state, item.had_ended) for item in halt.runs.items} == {
        plan: ("dead", True),
        job.run_id: ("dead", False),
    }
    assert (halt.runs.dead, halt.runs.had_ended) == (2, 1)


def test_halt_while_verifying_the_apply_may_not_start(scene: Scene) -> None:
    _, apply = scene.approved()
    job = scene.claimed(apply)
    scene.halt()
    assert not scene.verify(job).may_apply
    assert scene.status(apply) == "cancelled"


def test_resume_without_a_halt_is_refused(scene: Scene) -> None:
    with pytest.raises(NotHalted):
        scene.resume()


def test_resume_of_one_scope_leaves_the_other_standing(scene: Scene) -> None:
    scene.halt()
    scene.halt("organization")
    scene.resume()
    with pytest.raises(Halted):
        scene.request()
    scene.resume("organization")
    assert scene.claim(scene.request()) is not None


def test_resume_leaves_what_was_halted_cancelled(scene: Scene) -> None:
    run_id = scene.at_gate()
    scene.halt()
    resumed = scene.resume()
    assert resumed.resume_reason == "out"
    assert scene.status(run_id) == "cancelled"


def test_halt_that_stood_for_hours_is_shown_after_resume_while_a_run_of_it_is_not_proven_dead(scene: Scene) -> None:
    """Every worker was gone with the run's own, so that nobody found out what became of it."""
    run_id = scene.claimed(scene.request()).run_id
    hours_ago = clock.now() - timedelta(hours=3)
    with clock.using(lambda: hours_ago):
        halt = scene.halt()
    scene.resume()
    with unit_of_work() as session:
        seen = service.standing(session, scene.admin)
    assert seen.active == []
    assert [(item.id, item.runs.dying, item.runs.items[0].run_id) for item in seen.ending] == [(halt.id, 1, run_id)]
