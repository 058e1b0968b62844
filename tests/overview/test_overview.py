"""The workspace list, the run list and a run's page: correct, tenants apart, a fixed number of queries."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.orm import Session

from app.core.db import unit_of_work
from app.core.pages import PageParams
from app.core.permissions import Actor
from app.overview import service
from app.overview.schemas import WorkspaceRow
from app.runs import service as runs
from app.workspaces.schemas import WorkspaceFilter
from tests.factories.scene import Scene, new_scene, second_workspace
from tests.support.queries import counted


@pytest.fixture
def scene(session: Session, sent_jobs: Any) -> Scene:
    return new_scene()


def rows(actor: Actor, *statuses: str, **wanted: Any) -> dict[str, WorkspaceRow]:
    with unit_of_work() as session:
        found = service.workspace_page(
            session, actor, WorkspaceFilter(**wanted), list(statuses), PageParams(limit=100, cursor=None)
        )
    return {row.name: row for row in found.items}


def test_workspace_row_shows_newest_run_state_and_lock(scene: Scene) -> None:
    row = rows(scene.admin)[scene.workspace.name]
    assert (row.latest_run, row.resource_count, row.state_serial, row.lock) == (None, 0, None, None)
    plan, job = scene.applying()
    row = rows(scene.admin)[scene.workspace.name]
    assert row.latest_run is not None
    assert row.latest_run.id == plan
    assert row.lock is not None
    assert row.lock.run_id == job.run_id
    scene.finish(job, scene.put_state(job, 7, names=("a", "b")).state_version_id)
    scene.quiesce(job)
    row = rows(scene.admin)[scene.workspace.name]
    assert (row.resource_count, row.state_serial, row.lock) == (2, 7, None)
    assert row.latest_run is not None
    assert row.latest_run.status == "applied"


def test_workspace_list_filters_by_the_newest_run_s_status_and_by_name(scene: Scene) -> None:
    other = second_workspace(scene)
    other.at_gate()
    scene.request()
    assert list(rows(scene.admin, "awaiting_approval")) == [other.workspace.name]
    assert list(rows(scene.admin, "queued")) == [scene.workspace.name]
    assert list(rows(scene.admin, search=other.workspace.name)) == [other.workspace.name]
    other.request(speculative=True)
    assert list(rows(scene.admin, "awaiting_approval")) == [other.workspace.name], "speculative runs don't count"


def test_overview_counts_runs_queue_and_workspaces(scene: Scene) -> None:
    other = second_workspace(scene)
    other.at_gate()
    scene.claimed(scene.request())
    scene.request()
    with unit_of_work() as session:
        found = service.overview(session, scene.admin)
    assert found.runs_by_status == {"awaiting_approval": 1, "running": 1, "queued": 1}
    assert (found.queue_depth, found.running, found.workspaces) == (1, 1, 2)
    assert found.oldest_queued_seconds is not None
    assert 0 <= found.oldest_queued_seconds < 60


def test_run_that_was_applied_counts_once(scene: Scene) -> None:
    _, job = scene.applying()
    scene.apply_to_end(job)
    with unit_of_work() as session:
        assert service.overview(session, scene.admin).runs_by_status == {"applied": 1}


def test_other_tenants_see_nothing(scene: Scene) -> None:
    scene.at_gate()
    stranger = new_scene()
    assert list(rows(stranger.admin)) == [stranger.workspace.name]
    with unit_of_work() as session:
        assert service.overview(session, stranger.admin).runs_by_status == {}
        assert runs.page(session, stranger.admin, PageParams(limit=10, cursor=None)).items == []


def _busy(scene: Scene) -> None:
    plan, job = scene.applying()
    scene.finish(job, scene.put_state(job).state_version_id)
    scene.quiesce(job)
    del plan
    scene.at_gate()
    scene.request()


PAGES: dict[str, Callable[[Session, Actor], object]] = {
    "workspaces": lambda session, actor: service.workspace_page(
        session, actor, WorkspaceFilter(), [], PageParams(limit=100, cursor=None)
    ),
    "runs": lambda session, actor: runs.page(session, actor, PageParams(limit=100, cursor=None)),
    "overview": service.overview,
}


@pytest.mark.parametrize("page", PAGES)
def test_page_takes_as_many_queries_for_many_as_for_few(scene: Scene, page: str) -> None:
    def cost() -> int:
        with unit_of_work() as session, counted() as queries:
            PAGES[page](session, scene.approvers[0])
        return len(queries)

    for _ in range(2):
        _busy(second_workspace(scene))
    few = cost()
    for _ in range(5):
        _busy(second_workspace(scene))
    assert cost() == few
