"""Retention beside itself and beside whoever needs what it would remove, with real commits."""

import threading
from datetime import timedelta
from typing import Any

import pytest

from app.configurations import service as configurations
from app.configurations.errors import ConfigurationRemoved
from app.core import clock
from app.core.db import unit_of_work
from app.runs.retention import remove_due, remove_uploads
from tests.factories.scene import Scene, new_scene
from tests.support.races import waiting_for_locks
from tests.support.waiting import PATIENCE_SECONDS, until

pytestmark = pytest.mark.races


@pytest.fixture
def scene(real_database: str, sent_jobs: Any) -> Scene:
    return new_scene()


def test_two_sweeps_at_once_remove_each_run_once(scene: Scene) -> None:
    for _ in range(12):
        scene.discard(scene.at_gate())
    moment = clock.now() + timedelta(days=91)
    removed: list[int] = []
    with clock.using(lambda: moment):
        threads = [threading.Thread(target=lambda: removed.append(remove_due())) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert remove_due() == 0
    assert sum(removed) == 12


def test_upload_that_a_request_is_taking_is_left(scene: Scene) -> None:
    moment = clock.now() + timedelta(days=91)
    with clock.using(lambda: moment):
        with unit_of_work() as session:
            configurations.take(session, scene.organization_id, scene.configuration_id)
            assert remove_uploads() == 0
        assert remove_uploads() == 1


def test_request_that_comes_second_is_told_that_the_upload_is_removed(scene: Scene) -> None:
    moment = clock.now() + timedelta(days=91)
    told: list[Exception] = []

    def request() -> None:
        try:
            scene.request()
        except ConfigurationRemoved as error:
            told.append(error)

    with clock.using(lambda: moment):
        with unit_of_work() as session:
            [found] = configurations.lock_old_uploads(session, moment - timedelta(days=90), "", 10)
            thread = threading.Thread(target=request)
            thread.start()
            until(waiting_for_locks, "that it waits for the sweep's transaction")
            configurations.remove(session, found)
        thread.join(PATIENCE_SECONDS)
    assert len(told) == 1
