"""What waits for whom: each group, who may act, tenants apart, and a number of queries that does not grow."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from app.core import clock
from app.core.db import unit_of_work
from app.core.permissions import Actor
from app.halt import drill_repository
from app.halt import service as halts
from app.halt.schemas import HaltRequest
from app.inbox import service
from app.inbox.schemas import Inbox
from app.runs import ending, repository
from tests.factories.scene import Scene, new_scene, second_workspace
from tests.support.queries import counted


@pytest.fixture
def scene(session: Session, sent_jobs: Any) -> Scene:
    return new_scene()


def inbox(actor: Actor) -> Inbox:
    with unit_of_work() as session:
        return service.inbox(session, actor)


def group(found: Inbox, name: str) -> list[Any]:
    return next(group.items for group in found.groups if group.name == name)


def leave_an_orphaned_lock(scene: Scene) -> str:
    """Let a run fall silent for so long that it is presumed dead; return the apply."""
    _, job = scene.applying()
    with unit_of_work() as session:
        run = repository.lock(session, job.run_id)
        assert run is not None
        run.lease_expires_at = clock.now() - timedelta(hours=1)
    with unit_of_work() as session:
        ending.expire(session, job.run_id)
    return job.run_id


def test_inbox_of_a_new_tenant_is_empty(scene: Scene) -> None:
    found = inbox(scene.admin)
    assert (found.total, found.for_you, found.in_progress) == (0, 0, 0)


def test_inbox_waiting_run_is_for_whoever_may_approve_it(scene: Scene) -> None:
    run_id = scene.at_gate()
    scene.request()
    found = inbox(scene.approvers[0])
    [item] = group(found, "awaiting_approval")
    assert (item.run.id, item.for_you, found.for_you, found.in_progress) == (run_id, True, 1, 1)
    [item] = group(inbox(scene.planner), "awaiting_approval")
    assert not item.for_you
    assert item.why


def test_inbox_waiting_run_leaves_with_its_approval(scene: Scene) -> None:
    run_id = scene.at_gate()
    scene.approve(run_id)
    assert group(inbox(scene.admin), "awaiting_approval") == []


def test_inbox_failed_run_is_shown_while_it_is_its_workspace_s_newest(scene: Scene) -> None:
    run_id = scene.request()
    job = scene.claimed(run_id)
    scene.fail(job)
    scene.quiesce(job)
    [item] = group(inbox(scene.admin), "failed")
    assert item.run.id == run_id
    assert item.why == "It broke."
    scene.at_gate()
    assert group(inbox(scene.admin), "failed") == []


def test_inbox_halted_runs_are_shown_as_failed(scene: Scene) -> None:
    run_id = scene.at_gate()
    scene.halt()
    [item] = group(inbox(scene.admin), "failed")
    assert (item.run.id, item.run.halted) == (run_id, True)


def test_inbox_orphaned_lock_is_for_whoever_may_release_it(scene: Scene) -> None:
    holder = leave_an_orphaned_lock(scene)
    [item] = group(inbox(scene.admin), "orphaned_locks")
    assert item.run.id == holder
    assert item.lock is not None
    assert item.lock.is_orphaned
    assert item.for_you
    [item] = group(inbox(scene.approvers[0]), "orphaned_locks")
    assert not item.for_you


def test_inbox_of_another_tenant_shows_nothing_of_it(scene: Scene) -> None:
    scene.at_gate()
    leave_an_orphaned_lock(second_workspace(scene))
    assert inbox(new_scene().admin).total == 0


def test_inbox_takes_as_many_queries_for_twelve_runs_as_for_two(scene: Scene) -> None:
    def grow(count: int) -> int:
        for _ in range(count):
            second_workspace(scene).at_gate()
        failing = second_workspace(scene)
        job = failing.claimed(failing.request())
        failing.fail(job)
        leave_an_orphaned_lock(second_workspace(scene))
        with counted() as queries:
            assert inbox(scene.approvers[0]).total
        return len(queries)

    small = grow(1)
    assert grow(6) == small


@pytest.mark.parametrize(("status", "is_shown"), [("passed", False), ("failed", True)])
def test_inbox_leaves_out_what_a_drill_stopped_as_it_should(scene: Scene, status: str, is_shown: bool) -> None:
    _, job = scene.applying()
    with unit_of_work() as session:
        halts.halt(session, scene.admin, HaltRequest(reason="a drill", latch=False))
        at = clock.now()
        drill_repository.add(
            session,
            id="drill-1",
            workspace_id=scene.workspace.id,
            workspace_name=scene.workspace.name,
            organization_id=scene.admin.organization_id,
            actor=scene.admin.describe(),
            run_id=job.run_id,
            created_at=at,
            beat_at=at,
        )
        drill_repository.note(session, "drill-1", status=status)
    assert bool(group(inbox(scene.admin), "failed")) is is_shown
