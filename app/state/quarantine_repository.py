"""Queries of quarantined states."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session, undefer

from app.core.pages import PageParams, fetch_page
from app.state.models import TerraformQuarantinedState


def get(
    session: Session, organization_id: str, quarantine_id: str, *, for_update: bool = False
) -> TerraformQuarantinedState | None:
    """Return one quarantined state of the organization, with what its content is read from."""
    query = (
        select(TerraformQuarantinedState)
        .filter_by(organization_id=organization_id, id=quarantine_id)
        .options(undefer(TerraformQuarantinedState.manifest))
        .execution_options(populate_existing=True)
    )
    return session.scalars(query.with_for_update() if for_update else query).one_or_none()


def held_twin(session: Session, workspace_id: str, digest: str, code: str) -> TerraformQuarantinedState | None:
    """Return the held one of the same bytes and code."""
    return session.scalars(
        select(TerraformQuarantinedState)
        .filter_by(workspace_id=workspace_id, digest=digest, code=code, status="held")
        .limit(1)
    ).one_or_none()


def held_of_run(session: Session, run_id: str) -> int:
    """Return how many states of a run are held."""
    query = select(func.count()).select_from(TerraformQuarantinedState).filter_by(run_id=run_id, status="held")
    return session.scalars(query).one()


def held_rows_of_run(session: Session, run_id: str) -> Sequence[TerraformQuarantinedState]:
    """Return the held states of a run, with what their content is read from."""
    query = select(TerraformQuarantinedState).filter_by(run_id=run_id, status="held")
    return session.scalars(
        query.options(undefer(TerraformQuarantinedState.manifest)).execution_options(populate_existing=True)
    ).all()


def page(
    session: Session, organization_id: str, params: PageParams, *, workspace_id: str | None, status: str | None
) -> tuple[Sequence[TerraformQuarantinedState], str | None]:
    """Return one page, newest first."""
    query = select(TerraformQuarantinedState).filter_by(organization_id=organization_id)
    if workspace_id is not None:
        query = query.filter_by(workspace_id=workspace_id)
    if status is not None:
        query = query.filter_by(status=status)
    return fetch_page(session, query, TerraformQuarantinedState.id, params)
