"""Concurrent locks and writes at the managed backend, with real commits: one winner each."""

from functools import partial
from typing import Any

import pytest

from app.core.db import unit_of_work
from app.core.errors import AppError
from app.runner.port import RunnerJob
from app.state import backend_service, credentials
from app.state import service as state
from app.state.backend_body import LockInfo
from app.state.backend_errors import StateLockHeld, StateSerialOutdated
from app.state.backend_service import RunBearer
from tests.factories.scene import Scene, new_scene, state_document
from tests.state.managed import quarantined, versions
from tests.support.races import together

pytestmark = pytest.mark.races

ROUNDS = 200


@pytest.fixture
def scene(real_database: str, sent_jobs: Any) -> Scene:
    return new_scene(state_backend="managed", requester_may_approve=True)


def info(lock_id: str) -> LockInfo:
    return LockInfo.model_validate({"ID": lock_id, "Operation": "plan", "Who": "test"})


def bearer(job: RunnerJob) -> RunBearer:
    return RunBearer(credentials.hash_secret(job.backend_environment["TF_HTTP_PASSWORD"]))


def lock_as(scene: Scene, caller: Any, lock_id: str) -> str:
    backend_service.lock(caller, scene.workspace.id, info(lock_id))
    return lock_id


def winners(results: list[Any]) -> list[str]:
    assert all(isinstance(result, str | AppError) for result in results)
    for refusal in results:
        if isinstance(refusal, AppError):
            assert isinstance(refusal, StateLockHeld), refusal.detail
    return [result for result in results if isinstance(result, str)]


def test_concurrent_locks_have_one_winner_each(scene: Scene) -> None:
    """Two processes of one person, and one of another's, for one workspace's lock."""
    other = scene.admin.__class__(**{**vars(scene.approvers[0]), "permissions": scene.admin.permissions})
    for number in range(ROUNDS):
        callers = {f"{number}-a": scene.admin, f"{number}-b": scene.admin, f"{number}-c": other}
        results = together(*(partial(lock_as, scene, caller, lock_id) for lock_id, caller in callers.items()))
        (won,) = winners(results)
        with unit_of_work() as session:
            held = state.held_lock(session, scene.workspace.id)
        assert held is not None
        assert held.holder["id"] == callers[won].id
        backend_service.unlock(callers[won], scene.workspace.id, info(won))
        with unit_of_work() as session:
            assert state.held_lock(session, scene.workspace.id) is None


def test_concurrent_writes_under_one_lock_make_versions_that_rise(scene: Scene) -> None:
    _, job = scene.applying()
    caller = bearer(job)
    lock_as(scene, caller, "lock")

    def write(serial: int) -> str:
        backend_service.write(caller, scene.workspace.id, state_document(serial), lock_id="lock", content_md5=None)
        return "stored"

    for number in range(1, 31, 3):
        results = together(*(partial(write, number + step) for step in range(3)))
        assert all(result == "stored" or isinstance(result, StateSerialOutdated) for result in results)
    stored = [row.serial for row in versions(scene)]
    assert stored == sorted(set(stored))
    assert sorted([*stored, *(row.serial for row in quarantined(scene) if row.serial is not None)]) == list(
        range(1, 31)
    )


def test_write_and_quiescence_leave_a_version_or_a_quarantined_state(scene: Scene) -> None:
    for number in range(1, 9):
        _, job = scene.applying()
        caller = bearer(job)
        lock_as(scene, caller, "lock")

        def write(caller: RunBearer = caller, serial: int = number) -> str:
            backend_service.write(caller, scene.workspace.id, state_document(serial), lock_id="lock", content_md5=None)
            return "stored"

        scene.finish(job)
        results = together(write, partial(scene.quiesce, job), delays=(0.0, 0.003 * (number % 4)))
        kept = {row.serial for row in quarantined(scene)}
        assert (number in {row.serial for row in versions(scene)}) == (results[0] == "stored")
        assert (number in kept) == (results[0] != "stored")
        assert {row.kind for row in versions(scene)} <= {"applied"}
