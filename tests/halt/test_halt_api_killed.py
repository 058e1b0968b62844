"""A real API process is killed in drills and in a fan-out; the next one, or a sweep, carries on or cleans up."""

import os
import signal
import socket
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from app.audit.models import AuditEvent
from app.core import clock
from app.core.db import unit_of_work
from app.core.settings import get_settings
from app.halt import drilling, tasks
from app.halt.models import HaltCall, HaltDrill
from app.identity import service as identity
from app.identity.schemas import TokenIn
from tests.factories.scene import Scene, new_scene, second_workspace
from tests.halt.siblings import Sibling, endpoints, running
from tests.support.parts import Part, Parts, running_parts
from tests.support.server import SLUICE
from tests.support.waiting import PATIENCE_SECONDS, until

pytestmark = [pytest.mark.races, pytest.mark.processes, pytest.mark.slow]


def api(parts: Parts, name: str) -> Part:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        parts.port = probe.getsockname()[1]
    part = parts.start(name, str(SLUICE), "api", "--port", str(parts.port))
    parts._wait(part, parts._is_healthy)
    return part


def posted(parts: Parts, scene: Scene, path: str, body: dict[str, Any]) -> dict[str, Any]:
    with unit_of_work() as session:
        token = identity.issue_token(session, scene.admin, TokenIn(name=path)).token
    answer = httpx.post(
        f"{parts.url}{path}",
        json=body,
        headers={"Authorization": f"Bearer {token}"},
        trust_env=False,
        timeout=PATIENCE_SECONDS,
    )
    assert answer.is_success, answer.text
    found: dict[str, Any] = answer.json()
    return found


def planned_before(scene: Scene) -> Scene:
    """Return the scene once it has applied something: a drill plans that again."""
    _, job = scene.applying()
    scene.apply_to_end(job)
    return scene


def drill_of(drill_id: str) -> HaltDrill:
    with unit_of_work() as session:
        return session.scalars(select(HaltDrill).filter_by(id=drill_id)).one()


def half_a_minute_later() -> None:
    """Age what tells when something was last heard of, as much as a test has no time to wait."""
    long_ago = clock.now() - timedelta(seconds=drilling.SILENT_SECONDS + 1)
    with unit_of_work() as session:
        session.execute(update(HaltDrill).values(beat_at=long_ago))
        session.execute(update(HaltCall).values(claimed_until=long_ago))


@pytest.mark.parametrize("next_one", ["api", "sweep"])
def test_api_killed_in_drills_and_in_a_fan_out_leaves_nothing_behind(
    real_database: str, redis_url: str, sent_jobs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, next_one: str
) -> None:
    operators = new_scene(name="operators", is_operator=True)
    starting = planned_before(new_scene(name="tenant"))
    dying = planned_before(second_workspace(starting, required_approvals=1))
    sibling = Sibling(statuses=[0, 200])
    with running(sibling):
        siblings = endpoints(bots=sibling)
        monkeypatch.setenv("SLUICE_HALT_ENDPOINTS", siblings)
        get_settings.cache_clear()
        own = {"SLUICE_MASTER_KEY": os.environ["SLUICE_MASTER_KEY"], "SLUICE_HALT_ENDPOINTS": siblings}
        with running_parts(real_database, redis_url, **own, SLUICE_ARTIFACTS_URL=str(tmp_path)) as parts:
            first = api(parts, "api-1")
            drills = [
                posted(parts, scene, "/terraform/halt/drills", {"workspace": scene.workspace.id})["id"]
                for scene in (starting, dying)
            ]
            run_id = until(lambda: drill_of(drills[0]).run_id)
            job = until(lambda: dying.claim(until(lambda: drill_of(drills[1]).run_id)))
            halt_id = until(lambda: drill_of(drills[1]).halt_id)
            halt = posted(parts, operators, "/terraform/halt", {"scope": "organization", "reason": "fire"})
            until(lambda: sibling.calls)
            assert first.end(signal.SIGKILL) == -signal.SIGKILL
            half_a_minute_later()
            if next_one == "api":
                api(parts, "api-2")
            else:
                tasks.look_after()
            until(lambda: all(drill_of(drill_id).status == "failed" for drill_id in drills))
            until(lambda: len(sibling.calls) == 2)
            until(lambda: call_of(halt["id"]).status == "answered")
    assert [drill_of(drill_id).failed_step for drill_id in drills] == ["start", "resume"]
    until(lambda: starting.status(run_id) == "cancelled")
    dying.quiesce(job)
    assert dying.status(job.run_id) == "cancelled"
    starting.request()
    dying.request()
    assert {headers["X-Halt-Id"] for headers, _ in sibling.calls} == {halt["id"]}
    assert call_of(halt["id"]).attempts == 2
    with unit_of_work() as session:
        told = session.scalars(select(AuditEvent).where(AuditEvent.action.in_(["halt.drill_ended", "halt.resumed"])))
        found = [(event.action, event.target_id) for event in told]
    assert sorted(found) == sorted([*(("halt.drill_ended", one) for one in drills), ("halt.resumed", halt_id)])


def call_of(halt_id: str) -> HaltCall:
    with unit_of_work() as session:
        return session.scalars(select(HaltCall).filter_by(halt_id=halt_id)).one()
