"""The figures of /infra: outcomes, lead times and waiting plans, in their buckets and to their tenant alone."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text, update
from sqlalchemy.orm import Session

from app.core import clock
from app.core.db import unit_of_work
from app.overview import history, service
from app.overview.schemas import OverviewHistory, Window
from app.runs.models import TerraformRun
from tests.factories.scene import Scene, new_scene
from tests.support.queries import counted

NOON = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)


@pytest.fixture
def scene(session: Session, sent_jobs: Any) -> Scene:
    return new_scene()


def read(scene: Scene, window: Window = "14d") -> OverviewHistory:
    with clock.using(lambda: NOON), unit_of_work() as session:
        return history.history(session, scene.admin, window)


def ended(scene: Scene, status: str, at: datetime, seconds: float = 0) -> str:
    """A run that ended at a moment, as long after its request."""
    run_id = scene.request()
    stamp(run_id, status=status, finished_at=at, created_at=at - timedelta(seconds=seconds))
    return run_id


def stamp(run_id: str, **values: Any) -> None:
    with unit_of_work() as session:
        session.execute(update(TerraformRun).where(TerraformRun.id == run_id).values(**values))


def test_history_counts_what_ended_by_day_and_leaves_out_what_is_older(scene: Scene) -> None:
    ended(scene, "applied", NOON - timedelta(minutes=5))
    ended(scene, "errored", NOON - timedelta(minutes=5))
    ended(scene, "applied", NOON - timedelta(days=1))
    ended(scene, "applied", NOON - timedelta(days=14))
    found = read(scene)
    assert [bucket.outcomes for bucket in found.buckets] == [{}] * 12 + [{"applied": 1}, {"applied": 1, "errored": 1}]
    assert found.buckets[-1].start == NOON.replace(hour=0, minute=0)
    assert sum(bucket.outcomes.get("applied", 0) for bucket in read(scene, "90d").buckets) == 3


def test_history_of_a_day_goes_by_the_hour(scene: Scene) -> None:
    ended(scene, "no_changes", NOON - timedelta(minutes=31))
    found = read(scene, "24h")
    assert (len(found.buckets), found.bucket_seconds) == (24, 3600)
    assert [bucket.outcomes for bucket in found.buckets[-2:]] == [{"no_changes": 1}, {}]


def test_history_times_applied_runs_alone(scene: Scene) -> None:
    for seconds in (10, 20, 30):
        ended(scene, "applied", NOON - timedelta(minutes=1), seconds)
    ended(scene, "errored", NOON - timedelta(minutes=1), 9000)
    today = read(scene).buckets[-1]
    assert (today.lead_p50_seconds, today.lead_p90_seconds) == (20.0, 28.0)
    assert read(scene).buckets[0].lead_p50_seconds is None


def test_history_counts_an_apply_with_its_plan(scene: Scene) -> None:
    _, job = scene.applying()
    scene.apply_to_end(job)
    with unit_of_work() as session:
        assert history.history(session, scene.admin, "24h").buckets[-1].outcomes == {"applied": 1}


def test_history_tells_how_long_plans_have_waited(scene: Scene) -> None:
    plan = scene.at_gate()
    for age, expected in ((60, [1, 0, 0, 0, 0]), (15 * 60, [0, 1, 0, 0, 0]), (100 * 3600, [0, 0, 0, 0, 1])):
        stamp(plan, planned_at=NOON - timedelta(seconds=age))
        assert [band.plans for band in read(scene).waiting] == expected
    band = read(scene).waiting[-1]
    assert (band.run_id, band.workspace_name, band.to_seconds) == (plan, scene.workspace.name, None)


def test_history_counts_every_plan_that_waits_and_names_the_one_that_waits_longest(scene: Scene) -> None:
    longest = scene.at_gate()
    stamp(longest, planned_at=NOON - timedelta(days=3))
    copied = ", ".join(
        column.name for column in TerraformRun.__table__.columns if column.name not in ("id", "planned_at")
    )
    young = "cast(:noon as timestamptz) - interval '1 minute'"
    with unit_of_work() as session:
        session.execute(
            text(
                f"insert into terraform_runs (id, planned_at, {copied})"
                f" select 'run-young' || n, {young}, {copied} from terraform_runs, generate_series(1, 1200) n"
                " where id = :run"
            ),
            {"run": longest, "noon": NOON},
        )
    waiting = read(scene).waiting
    assert [band.plans for band in waiting] == [1200, 0, 0, 0, 1]
    assert [band.run_id for band in waiting] == ["run-young1", None, None, None, longest]


def test_history_of_another_organization_is_its_own(scene: Scene) -> None:
    scene.at_gate()
    ended(scene, "applied", NOON)
    stranger = new_scene(name="stranger")
    found = read(stranger)
    assert not any(bucket.outcomes for bucket in found.buckets)
    assert not any(band.plans for band in found.waiting)


def test_history_takes_as_many_queries_for_many_runs_as_for_one(scene: Scene) -> None:
    statements = []
    for _ in range(2):
        for days in range(3):
            ended(scene, "applied", NOON - timedelta(days=days), 5)
        with clock.using(lambda: NOON), unit_of_work() as session, counted() as asked:
            history.history(session, scene.admin, "14d")
        statements.append(len(asked))
    assert statements[0] == statements[1] <= 4


def test_overview_tells_the_phase_of_what_is_at_work(scene: Scene) -> None:
    scene.applying()
    with unit_of_work() as session:
        assert sum(service.overview(session, scene.admin).runs_by_phase.values()) == 1
