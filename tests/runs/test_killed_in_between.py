"""Processes that are killed between two steps of what is kept outside of a run: nothing is lost, doubled or stuck."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from app.audit import service as audit
from app.audit import tasks as audit_tasks
from app.audit.models import AuditCheckpoint
from app.core import artifacts, clock
from app.core.db import unit_of_work
from app.core.settings import get_settings
from app.notifications import sending
from app.notifications import service as notifications
from app.notifications.models import NotificationDelivery
from app.notifications.schemas import DestinationIn
from app.progress import service as progress
from app.progress.models import ProgressChunk, ProgressSegment
from app.progress.schemas import NewRecord
from app.rehearsal import working
from app.rehearsal.models import Rehearsal
from tests.factories.rehearsals import DENY_ALL, ask, draft, found, look
from tests.factories.scene import Scene, new_scene
from tests.support.dying import die
from tests.support.receiver import running_receiver

pytestmark = [pytest.mark.races, pytest.mark.processes]


@pytest.fixture
def scene(real_database: str, sent_jobs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.setenv("SLUICE_ARTIFACTS_URL", str(tmp_path / "artifacts"))
    monkeypatch.setenv("SLUICE_OUTGOING_ALLOWED", "127.0.0.1")
    get_settings.cache_clear()
    with artifacts.using(artifacts.ArtifactStore(artifacts.blob_store(get_settings()), artifacts.key_ring())):
        yield new_scene()


def log_of(scene: Scene, run_id: str) -> list[str]:
    with unit_of_work() as session:
        page = progress.read(session, run_id, organization_id=scene.organization_id, after=0, limit=1000)
    assert [record.offset for record in page.records] == list(range(len(page.records)))
    return [record.text for record in page.records if record.kind == "line"]


@pytest.mark.parametrize(
    ("moment", "point"),
    [
        ("before", "app.progress.compacting._switch"),
        ("after", "app.progress.repository.remove_chunks"),
        ("after", "app.progress.compacting._switch"),
    ],
)
def test_killed_in_a_compaction_the_log_is_whole_and_the_next_one_ends_it(
    scene: Scene, moment: Any, point: str
) -> None:
    run_id = scene.request()
    expected = [f"line {number}" for number in range(300)]
    for start in range(0, 300, 20):
        lines = [NewRecord(at=clock.now(), kind="line", text=text) for text in expected[start : start + 20]]
        with unit_of_work() as session:
            progress.append(session, run_id, lines)
    with unit_of_work() as session:
        progress.close_stream(session, run_id)
    die(moment, point, "app.progress.service.compact", run_id)
    assert log_of(scene, run_id) == expected
    assert progress.compact(run_id)
    assert log_of(scene, run_id) == expected
    with unit_of_work() as session:
        kept = [session.scalar(select(func.count()).select_from(rows)) for rows in (ProgressSegment, ProgressChunk)]
    assert kept == [1, 0]
    assert len([blob for blob in artifacts.artifact_store().blobs() if "/log/" in blob.key]) == 1


@pytest.mark.parametrize(
    ("moment", "point"),
    [
        ("before", "app.audit.sequencing._index"),
        ("before", "app.audit.sequencing.store_checkpoints"),
        ("before", "app.audit.repository.mark_stored"),
    ],
)
def test_killed_at_an_audit_checkpoint_the_chain_is_intact_and_the_checkpoint_there(
    scene: Scene, moment: Any, point: str
) -> None:
    scene.at_gate()
    die(moment, point, "app.audit.tasks.chain_all")
    audit_tasks.chain_all()
    with unit_of_work() as session:
        report = audit.verify_chain(session, scene.organization_id)
        rows = session.scalars(select(AuditCheckpoint).filter_by(organization_id=scene.organization_id)).all()
    assert report.is_intact, report
    assert report.checkpoint_position == report.head_position
    assert [(row.sequence, row.stored_at is not None) for row in rows] == [(1, True)]
    assert len([blob for blob in artifacts.artifact_store().blobs() if "/audit_checkpoint/" in blob.key]) == 1


@pytest.mark.parametrize("point", ["_evaluate", "_keep"])
def test_killed_in_a_rehearsal_each_plan_counts_once(scene: Scene, point: str) -> None:
    plans = [scene.at_gate() for _ in range(3)]
    rehearsal_id = ask(scene, draft(DENY_ALL))
    die("before", f"app.rehearsal.working.{point}", "app.rehearsal.working.advance", scene.organization_id)
    with unit_of_work() as session:
        session.execute(update(Rehearsal).values(lease_expires_at=clock.now()))
    assert working.ring() == 1
    while look(scene, rehearsal_id).status == "running":
        working.advance(scene.organization_id)
    done = look(scene, rehearsal_id)
    assert (done.status, done.done, done.newly_blocked) == ("finished", 3, 3)
    assert sorted(item.run_id for item in found(scene, rehearsal_id)) == sorted(plans)


@pytest.mark.parametrize(("point", "arrived"), [("_send", 1), ("_finish", 2)])
def test_killed_in_a_delivery_it_comes_under_the_same_id_once_the_claim_has_lapsed(
    scene: Scene, point: str, arrived: int
) -> None:
    with running_receiver() as receiver:
        wanted = DestinationIn(name="hook", url=receiver.url, events=["waiting"])
        with unit_of_work() as session:
            notifications.create(session, scene.admin, wanted)
        scene.at_gate()
        [delivery_id] = sending.due(10)
        die("before", f"app.notifications.sending.{point}", "app.notifications.sending.deliver", delivery_id)
        assert sending.due(10) == [], "its claim stands"
        with unit_of_work() as session:
            session.execute(update(NotificationDelivery).values(claimed_until=clock.now() - timedelta(seconds=1)))
        assert [sending.deliver(one) for one in sending.due(10)] == [True]
        assert {got.headers["webhook-id"] for got in receiver.wait_for(arrived)} == {delivery_id}
        assert len(receiver.got) == arrived
    with unit_of_work() as session:
        row = session.scalars(select(NotificationDelivery)).one()
    assert (row.status, row.attempts) == ("delivered", 2)
