"""Jobs of the audit trail."""

import logging

from celery import Celery

from app.audit import repository, sequencing
from app.core.db import unit_of_work
from app.core.errors import AppError

CHAIN = "audit.chain"
_log = logging.getLogger(__name__)
_looked_at: set[str] = set()
"""Organizations whose artifact store this process has looked into for checkpoints that the database does not know."""


def chain_all() -> None:
    """Chain what waits in every organization, a transaction a batch, and sign what is due; beat sends it every 10 s."""
    with unit_of_work() as session:
        waiting = set(repository.unchained_organizations(session))
        organizations = sorted(waiting | set(repository.organizations_behind(session)))
    for organization_id in organizations:
        _adopt_once(organization_id)
        chained = 1
        while organization_id in waiting and chained:
            with unit_of_work() as session:
                chained = sequencing.chain(session, organization_id)
            _sign(organization_id, is_idle=False)
        _sign(organization_id, is_idle=organization_id not in waiting)


def _adopt_once(organization_id: str) -> None:
    if organization_id in _looked_at:
        return
    try:
        sequencing.adopt_checkpoints(organization_id)
    except AppError as error:
        _log.warning("the artifact store can't be looked into", extra={"code": error.code, "detail": error.detail})
        return
    _looked_at.add(organization_id)


def _sign(organization_id: str, *, is_idle: bool) -> None:
    with unit_of_work() as session:
        sequencing.checkpoint(session, organization_id, is_idle=is_idle)
    try:
        sequencing.store_checkpoints(organization_id)
    except AppError as error:
        # Chaining goes on; the next pass puts it there.
        _log.warning("an audit checkpoint is not stored yet", extra={"code": error.code, "detail": error.detail})


def register(application: Celery) -> None:
    """Register the jobs of the audit trail with a worker's Celery application."""

    @application.task(name=CHAIN, shared=False)  # type: ignore[untyped-decorator]  # Celery is untyped
    def _chain() -> None:
        chain_all()
