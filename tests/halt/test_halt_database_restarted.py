"""The database closes every connection, as when it starts again: requests pass after it, and halts within it."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from fastapi.testclient import TestClient
from sqlalchemy.exc import OperationalError

from app.core import db
from app.core.db import Pool, engine, unit_of_work
from app.core.lifeline import PATIENCE_SECONDS
from app.halt import service
from app.identity import service as identity
from app.identity.schemas import TokenIn
from app.main import create_app
from tests.factories.scene import Scene, new_scene

pytestmark = pytest.mark.races


@pytest.fixture
def scene(real_database: str, sent_jobs: Any) -> Scene:
    return new_scene()


@pytest.fixture
def api(scene: Scene) -> Iterator[TestClient]:
    with unit_of_work() as session:
        token = identity.issue_token(session, scene.admin, TokenIn(name="ops")).token
    yield TestClient(create_app(), headers={"Authorization": f"Bearer {token}"})
    pools: tuple[Pool, ...] = ("default", "halt", "watch")
    for pool in pools:
        engine(pool).dispose()


def close_all(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as other:
        ended = other.execute(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        ).fetchall()
    assert ended


def test_no_request_meets_a_connection_that_was_lost_since_the_last(
    scene: Scene, api: TestClient, real_database: str
) -> None:
    assert api.get("/terraform/runs").status_code == 200
    body = {"workspace": scene.workspace.id, "configuration_id": scene.configuration_id}
    for send in (
        lambda: api.get("/terraform/runs"),
        lambda: api.post("/terraform/runs", json=body),
        lambda: api.post("/terraform/halt", json={"reason": "fire"}),
        lambda: api.post("/terraform/resume", json={"reason": "out"}),
    ):
        close_all(real_database)
        assert send().is_success


def test_halt_whose_connection_is_lost_is_done_again_and_once(
    scene: Scene, api: TestClient, real_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = scene.request()
    mark, losses = service.mark, [True, True]

    def marked(*given: Any) -> str:
        halt_id = mark(*given)
        if losses:
            losses.pop()
            raise OperationalError("commit", {}, psycopg.OperationalError("the database system is shutting down"))
        return halt_id

    monkeypatch.setattr(service, "mark", marked)
    answer = api.post("/terraform/halt", json={"reason": "fire"})
    assert answer.status_code == 200
    assert [item["run_id"] for item in answer.json()["runs"]["items"]] == [run_id]
    assert len(api.get("/terraform/halt").json()["active"]) == 1
    assert losses == []


def test_halt_is_refused_when_the_database_stays_away(api: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    passed, tries = [0.0], list[float]()

    def pause(seconds: float) -> None:
        passed[0] += seconds

    def away(*_given: Any) -> str:
        tries.append(passed[0])
        raise OperationalError("select", {}, psycopg.OperationalError("the database system is starting up"))

    monkeypatch.setattr(service, "mark", away)
    monkeypatch.setattr(db, "time", SimpleNamespace(monotonic=lambda: passed[0], sleep=pause))
    assert api.post("/terraform/halt", json={"reason": "fire"}).status_code == 503
    assert len(tries) > 2
    assert PATIENCE_SECONDS - 0.5 < tries[-1] <= PATIENCE_SECONDS, "it was tried for as long as a halt waits"
