"""Jobs of the audit trail."""

from celery import Celery

from app.audit import service
from app.core.db import unit_of_work

CHAIN = "audit.chain"


def chain_all() -> None:
    """Chain what waits in every organization, a transaction a batch; beat sends it every ten seconds."""
    with unit_of_work() as session:
        organizations = service.unchained_organizations(session)
    for organization_id in organizations:
        chained = 1
        while chained:
            with unit_of_work() as session:
                chained = service.chain(session, organization_id)


def register(application: Celery) -> None:
    """Register the jobs of the audit trail with a worker's Celery application."""

    @application.task(name=CHAIN, shared=False)  # type: ignore[untyped-decorator]  # Celery is untyped
    def _chain() -> None:
        chain_all()
