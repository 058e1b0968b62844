from celery import Celery
from sqlalchemy.orm import Session

from app.audit import service, tasks
from app.core.permissions import system_actor
from app.core.schedule import BEAT_SCHEDULE


def test_chain_all_chains_every_organization(session: Session) -> None:
    for organization_id in ("org-1", "org-2"):
        service.record(session, system_actor(organization_id), "test.done", ("test", "t"))
    session.commit()
    application = Celery("test", broker="memory://")
    tasks.register(application)
    application.tasks[tasks.CHAIN]()
    assert service.unchained_organizations(session) == []
    assert service.verify_chain(session, "org-2").checked == 1


def test_chain_is_sent_by_beat() -> None:
    assert tasks.CHAIN in {entry["task"] for entry in BEAT_SCHEDULE.values()}
