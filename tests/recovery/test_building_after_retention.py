"""A recovery list of a run whose plan and log retention has removed."""

from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session

from app.core import clock
from app.core.db import unit_of_work
from app.recovery.building import bring_up_to_date
from app.recovery.models import RecoveryItem, RecoveryList
from app.runs.retention import remove_due
from tests.factories import recovery
from tests.factories.scene import new_scene


def test_list_of_a_run_too_old_to_be_judged_anew_stands_as_it_was(session: Session, sent_jobs: Any) -> None:
    scene = new_scene()
    _, job = scene.applying()
    scene.fail(job)
    scene.quiesce(job)
    with unit_of_work() as opened:
        item = recovery.item(opened, scene.organization_id, scene.workspace.id, job.run_id)
    moment = clock.now() + timedelta(days=91)
    with clock.using(lambda: moment):
        assert remove_due() == 2
        with unit_of_work() as opened:
            row = opened.get_one(RecoveryList, job.run_id)
            row.wanted = row.built + 1
        with unit_of_work() as opened:
            bring_up_to_date(opened, job.run_id)
    session.expire_all()
    row = session.get_one(RecoveryList, job.run_id)
    assert row.built == row.wanted
    assert row.open_items == 1
    assert session.get_one(RecoveryItem, item).status == "open"
