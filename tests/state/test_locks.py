import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.audit.models import AuditEvent
from app.core.db import unit_of_work
from app.core.permissions import Actor
from app.state import service
from app.state.errors import NotYourLock, StateLocked, StateNotLocked
from app.state.schemas import LockOut, LockRequest, UnlockRequest
from tests.factories.scene import Scene, proof

Sent = list[tuple[str, tuple[str, ...], str]]
REASON = "moving the network by hand"


def take(scene: Scene, actor: Actor | None = None) -> LockOut:
    with unit_of_work() as session:
        return service.lock_manually(session, actor or scene.admin, scene.workspace.id, LockRequest(reason=REASON))


def give_back(scene: Scene, actor: Actor | None = None) -> None:
    with unit_of_work() as session:
        service.unlock_own(session, actor or scene.admin, scene.workspace.id)


def force(scene: Scene, actor: Actor | None = None) -> None:
    with unit_of_work() as session:
        service.force_unlock(session, actor or scene.admin, scene.workspace.id, UnlockRequest(reason="on holiday"))


def held(scene: Scene) -> LockOut | None:
    with unit_of_work() as session:
        return service.held_lock(session, scene.workspace.id)


def test_manual_lock_keeps_runs_from_starting_until_it_is_released(scene: Scene, sent_jobs: Sent) -> None:
    lock = take(scene)
    assert (lock.kind, lock.run_id, lock.holder["id"], lock.reason) == ("manual", None, scene.admin.id, REASON)
    run = scene.request()
    assert scene.claim(run) is None
    sent_jobs.clear()
    give_back(scene)
    assert [(task, ids) for task, ids, _ in sent_jobs] == [("runs.execute", (run,))]
    assert scene.claim(run) is not None


def test_manual_lock_lets_speculative_runs_pass(scene: Scene) -> None:
    take(scene)
    assert scene.claim(scene.request(speculative=True)) is not None


def test_manual_lock_keeps_an_approved_apply_waiting(scene: Scene) -> None:
    _, apply = scene.approved()
    take(scene)
    assert scene.claim(apply) is None
    give_back(scene)
    assert scene.claim(apply) is not None


@pytest.mark.parametrize("when", ["planning", "applying before verification", "applying"])
def test_manual_lock_is_refused_while_a_run_is_at_work(scene: Scene, when: str) -> None:
    if when == "planning":
        run = scene.claimed(scene.request()).run_id
    elif when == "applying":
        run = scene.applying()[1].run_id
    else:
        run = scene.claimed(scene.approved()[1]).run_id
    with pytest.raises(StateLocked, match=run):
        take(scene)


def test_manual_lock_again_is_the_same_and_anothers_is_refused(scene: Scene) -> None:
    assert take(scene) == take(scene)
    with pytest.raises(StateLocked, match="Ada"):
        take(scene, scene.approvers[0])


def test_unlock_of_anothers_lock_is_refused_and_force_takes_it(scene: Scene, session: Session) -> None:
    take(scene)
    with pytest.raises(NotYourLock):
        give_back(scene, scene.approvers[0])
    force(scene, scene.approvers[0])
    assert held(scene) is None

    event = session.scalars(select(AuditEvent).filter_by(action="state.lock_forced")).one()
    assert event.evidence["reason"] == "on holiday"
    assert event.evidence["holder"]["id"] == scene.admin.id


def test_unlock_of_what_is_not_locked_says_so(scene: Scene) -> None:
    for act in (give_back, force):
        with pytest.raises(StateNotLocked):
            act(scene)


def test_force_unlock_of_a_living_run_is_refused(scene: Scene) -> None:
    _, job = scene.applying()
    with pytest.raises(StateLocked, match="Cancel or halt"):
        force(scene)
    lock = held(scene)
    assert lock is not None
    assert lock.run_id == job.run_id


def test_force_unlock_of_a_dead_runs_lock_releases_it(scene: Scene, sent_jobs: Sent) -> None:
    _, job = scene.applying()
    waiting = scene.request()

    scene.port.report_death(job.run_id, job.fencing_token, proof())
    lock = held(scene)
    assert lock is not None
    assert lock.is_orphaned
    sent_jobs.clear()
    force(scene)
    assert held(scene) is None
    assert ("runs.execute", (waiting,), "terraform") in sent_jobs


def test_every_lock_action_is_audited(scene: Scene, session: Session) -> None:

    take(scene)
    give_back(scene)
    found = session.scalars(select(AuditEvent.action).where(AuditEvent.action.like("state.%"))).all()
    assert set(found) == {"state.locked", "state.unlocked"}
