import json
import uuid

import pytest
from sqlalchemy.orm import Session

from app.core.db import unit_of_work
from app.core.pages import PageParams
from app.state import quarantine as quarantine_module
from app.state import service
from app.state.errors import QuarantineDecided, StateConflict, StateLocked, StateUnreadable
from app.state.schemas import AdoptRequest, QuarantinedState, StateVersionOut
from tests.factories.scene import Scene, state_document
from tests.state import states
from tests.state.conftest import Store
from tests.support.client import ActingClient

Sent = list[tuple[str, tuple[str, ...], str]]


def held(scene: Scene) -> list[QuarantinedState]:
    with unit_of_work() as session:
        page = service.quarantined(session, scene.admin, PageParams(), workspace=scene.workspace.id, status="held")
        return page.items


def keep(scene: Scene, data: bytes, *, run_id: str | None = None) -> QuarantinedState | None:
    with unit_of_work() as session:
        return service.quarantine(
            session,
            organization_id=scene.organization_id,
            workspace_id=scene.workspace.id,
            run_id=run_id,
            kind="applied",
            code="state_conflict",
            reason="it does not follow",
            data=data,
            created_by=scene.admin.describe(),
        )


def adopt(scene: Scene, quarantine_id: str, *, replace_lineage: bool = False) -> StateVersionOut:
    with unit_of_work() as session:
        wanted = AdoptRequest(reason="it is the truth", replace_lineage=replace_lineage)
        return service.adopt(session, scene.admin, quarantine_id, wanted)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (state_document(3), "state_conflict"),
        (state_document(9, lineage="other"), "state_conflict"),
        (state_document(9)[:-20], "state_unreadable"),
    ],
    ids=["lower serial", "other lineage", "cut short"],
)
def test_state_of_a_run_that_cant_follow_is_kept_byte_for_byte(
    scene: Scene, store: Store, session: Session, data: bytes, code: str
) -> None:
    _, job = scene.applying()
    store(state_document(5))
    answer = scene.port.put_state(job.run_id, job.fencing_token, "applied", data)
    assert answer.quarantined
    (kept,) = held(scene)
    assert (kept.id, kept.code, kept.run_id) == (answer.state_version_id, code, job.run_id)
    assert service.download_quarantined(session, scene.admin, kept.id) == data
    newest = service.current(session, scene.workspace.id)
    assert newest is not None
    assert newest.serial == 5
    assert "state_quarantined" in scene.evidence(job.run_id)


def test_state_of_a_run_that_lost_its_lock_to_another_is_kept(scene: Scene) -> None:
    _, job = scene.applying()
    with unit_of_work() as session:
        service.unlock(session, scene.workspace.id, job.run_id)
        service.lock(
            session,
            organization_id=scene.organization_id,
            workspace_id=scene.workspace.id,
            run_id="run-newer",
            fencing_token=1,
            holder={},
            reason="",
        )
    assert scene.put_state(job).quarantined
    assert [kept.code for kept in held(scene)] == ["state_locked"]


def test_same_refused_state_is_kept_once(scene: Scene) -> None:
    first, second = keep(scene, state_document(1)), keep(scene, state_document(1))
    assert first is not None
    assert second is not None
    assert first.id == second.id


def test_a_runs_share_of_the_quarantine_is_bounded(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quarantine_module, "MOST_HELD_PER_RUN", 3)
    kept = [keep(scene, state_document(serial), run_id="run-1") for serial in range(1, 6)]
    assert [item is not None for item in kept] == [True, True, True, False, False]


def test_adopted_state_becomes_the_current_one_with_a_newer_serial(
    scene: Scene, store: Store, session: Session, sent_jobs: Sent
) -> None:
    store(states.document([states.resource(1)], 7))
    kept = keep(scene, states.document([states.resource(2)], 3))
    assert kept is not None
    made = adopt(scene, kept.id)
    assert made.serial == 8
    newest = json.loads(service.content(session, scene.organization_id, made.id))
    assert [block["name"] for block in newest["resources"]] == ["web_2"]
    assert held(scene) == []
    assert ("runs.supersede_moved", (scene.workspace.id,), "control") in sent_jobs
    with pytest.raises(QuarantineDecided):
        adopt(scene, kept.id)


def test_adopting_another_lineage_must_be_said(scene: Scene, store: Store) -> None:
    store(states.document([], 7))
    kept = keep(scene, states.document([], 1, lineage="another"))
    assert kept is not None
    with pytest.raises(StateConflict):
        adopt(scene, kept.id)
    assert adopt(scene, kept.id, replace_lineage=True).lineage == "another"


def test_adopting_is_refused_while_a_run_is_at_work(scene: Scene) -> None:
    kept = keep(scene, state_document(9))
    assert kept is not None
    scene.claimed(scene.request())
    with pytest.raises(StateLocked):
        adopt(scene, kept.id)


def test_unreadable_state_is_never_adopted_but_can_be_read_and_discarded(scene: Scene, session: Session) -> None:
    kept = keep(scene, b'{"version": 4, "serial"')
    assert kept is not None
    assert kept.serial is None
    with pytest.raises(StateUnreadable):
        adopt(scene, kept.id)
    with unit_of_work() as opened:
        assert service.discard(opened, scene.admin, kept.id, "cut short").status == "discarded"
    with pytest.raises(QuarantineDecided):
        service.download_quarantined(session, scene.admin, kept.id)


def test_quarantined_state_is_compared_with_the_current_one_masked_and_not_changed(
    scene: Scene, store: Store, session: Session
) -> None:
    store(states.document([states.resource(1), states.resource(2)], 7))
    planted = states.resource(3, sensitive="planted-secret")
    kept = keep(scene, states.document([states.resource(1), states.resource(2, revision=4), planted], 3))
    assert kept is not None
    found = service.diff_quarantined(session, scene.admin, kept.id, PageParams(limit=1))
    assert found.before is not None
    assert (found.before.serial, found.after.serial) == (7, 3)
    assert (found.added, found.removed, found.changed) == (1, 0, 1)
    rest = service.diff_quarantined(session, scene.admin, kept.id, PageParams(cursor=found.next_cursor))
    assert sorted(item.op for item in [*found.items, *rest.items]) == ["add", "change"]
    assert "planted-secret" not in found.model_dump_json() + rest.model_dump_json()
    assert [item.id for item in held(scene)] == [kept.id]


def test_quarantined_state_of_a_workspace_without_state_is_all_new(scene: Scene, session: Session) -> None:
    kept = keep(scene, states.document([states.resource(1)], 3))
    assert kept is not None
    found = service.diff_quarantined(session, scene.admin, kept.id, PageParams())
    assert (found.before, found.added) == (None, 1)


def test_comparing_what_is_no_state_says_so(scene: Scene, session: Session) -> None:
    kept = keep(scene, b'{"version": 4, "serial"')
    assert kept is not None
    with pytest.raises(StateUnreadable):
        service.diff_quarantined(session, scene.admin, kept.id, PageParams())


def test_state_of_a_first_apply_without_lineage_is_stored_with_one(scene: Scene, session: Session) -> None:
    _, job = scene.applying()
    answer = scene.port.put_state(job.run_id, job.fencing_token, "errored", state_document(1, lineage=""))
    assert not answer.quarantined
    newest = service.current(session, scene.workspace.id)
    assert newest is not None
    assert uuid.UUID(newest.lineage)


def test_quarantined_state_without_lineage_is_adopted_with_the_current_one(scene: Scene, store: Store) -> None:
    store(states.document([], 7))
    kept = keep(scene, states.document([states.resource(1)], 1, lineage=""))
    assert kept is not None
    assert (kept.serial, kept.lineage) == (1, None)
    made = adopt(scene, kept.id)
    assert (made.serial, made.lineage, made.kind) == (8, states.LINEAGE, "recovered")


def test_state_that_comes_after_quiescence_is_kept_aside_unless_it_is_a_version(
    scene: Scene, store: Store, session: Session
) -> None:
    _, job = scene.applying()
    known = store(state_document(5), run_id=job.run_id)
    scene.quiesce(job)
    again = scene.port.put_state(job.run_id, job.fencing_token, "errored", state_document(5))
    assert (again.state_version_id, again.quarantined) == (known.id, False)
    late = scene.port.put_state(job.run_id, job.fencing_token, "errored", state_document(6))
    assert late.quarantined
    (kept,) = held(scene)
    assert (kept.id, kept.code, kept.kind) == (late.state_version_id, "lease_lost", "errored")
    newest = service.current(session, scene.workspace.id)
    assert newest is not None
    assert newest.id == known.id


def test_resources_of_a_held_state_are_listed_and_found(client: ActingClient, scene: Scene) -> None:
    kept = keep(scene, states.document([states.resource(number, sensitive="planted-secret") for number in range(3)], 1))
    assert kept is not None
    path = f"/terraform/recovery/quarantine/{kept.id}/resources"
    found = client.acting(scene.planner).get(path, params={"limit": 2}).json()
    assert len(found["items"]) == 2
    assert "planted-secret" not in str(found)
    assert len(client.get(path, params={"search": "web_2"}).json()["items"]) == 1
    half = keep(scene, b'{"version": 4, "serial"')
    assert half is not None
    refused = client.get(f"/terraform/recovery/quarantine/{half.id}/resources")
    assert (refused.status_code, refused.json()["code"]) == (422, "state_unreadable")
