"""A process that was frozen in the middle of a transaction does not keep the sweep from what else has gone silent."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from app.core import clock, impatience
from app.runs import repository, tasks
from tests.factories.scene import Scene, new_scene, second_workspace
from tests.support.races import SECONDS, idle_holder, noted_looks, working_holder
from tests.support.waiting import until

pytestmark = pytest.mark.races


@pytest.fixture
def scene(real_database: str, sent_jobs: Any) -> Scene:
    return new_scene()


def test_sweep_ends_what_a_frozen_process_holds_and_presumes_all_silent_runs_dead(scene: Scene) -> None:
    other = second_workspace(scene)
    silent = [scene.claimed(scene.request()).run_id, other.claimed(other.request()).run_id]
    frozen = idle_holder(lambda session: repository.lock_with_parent(session, silent[0]))
    at = clock.now() + timedelta(seconds=300)
    with clock.using(lambda: at):
        tasks.sweep()
    assert all(scene.run(run_id).quiesced_at is not None for run_id in silent)
    assert isinstance(frozen.end(), OperationalError)


def test_sweep_waits_for_a_transaction_that_is_at_work(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    silent = scene.claimed(scene.request()).run_id
    working = working_holder(lambda session: repository.lock_with_parent(session, silent))
    looks = noted_looks(monkeypatch)
    monkeypatch.setattr(impatience, "FROZEN_SECONDS", 0.05)
    at = clock.now() + timedelta(seconds=300)
    with clock.using(lambda: at), ThreadPoolExecutor(1) as aside:
        sweeping = aside.submit(tasks.sweep)
        until(lambda: len(looks) > 2)
        assert working.end() is None
        sweeping.result(SECONDS)
    assert scene.run(silent).quiesced_at is not None
