"""Puts pages together from several slices: a fixed number of queries a page, whatever the table holds."""

from sqlalchemy.orm import Session

from app.core.errors import AppError
from app.core.pages import Page, PageParams
from app.core.permissions import Actor
from app.core.settings import get_settings
from app.executor import discovery
from app.overview.schemas import Overview, WorkspaceRow
from app.recovery import service as recovery
from app.runs import service as runs
from app.runs.schemas import Status
from app.specs import service as specs
from app.state import service as state
from app.workspaces import service as workspaces
from app.workspaces.schemas import WorkspaceFilter


def workspace_page(
    session: Session, actor: Actor, wanted: WorkspaceFilter, statuses: list[str], params: PageParams
) -> Page[WorkspaceRow]:
    """Return one page of workspaces with their newest run, state and lock.

    ``statuses`` keeps the workspaces whose newest run is in one of them.
    """
    only = runs.workspaces_by_latest_status(session, actor.organization_id, statuses) if statuses else None
    found, cursor = workspaces.page(session, actor.organization_id, wanted, params, only=only)
    ids = [workspace.id for workspace in found]
    latest = runs.latest_of_workspaces(session, ids)
    states = state.currents(session, ids)
    locks = state.held_locks(session, ids)
    left = recovery.open_by_workspace(session, ids)
    newest = specs.latest_version_ids(session, sorted({workspace.stack.id for workspace in found}))
    rows = [
        WorkspaceRow(
            **workspace.model_dump(),
            latest_run=latest.get(workspace.id),
            resource_count=states[workspace.id].resource_count if workspace.id in states else 0,
            state_serial=states[workspace.id].serial if workspace.id in states else None,
            lock=locks.get(workspace.id),
            open_recovery_items=left.get(workspace.id, 0),
            is_behind=workspace.pinned_version_id is not None
            and newest.get(workspace.stack.id) != workspace.pinned_version_id,
        )
        for workspace in found
    ]
    return Page(items=rows, next_cursor=cursor)


def overview(session: Session, actor: Actor) -> Overview:
    """Return the figures of the overview page."""
    counts = runs.counts_by_status(session, actor.organization_id)
    return Overview(
        runs_by_status=counts,
        runs_by_phase=runs.runs_by_phase(session, actor.organization_id),
        queue_depth=counts.get(Status.QUEUED, 0),
        oldest_queued_seconds=runs.oldest_queued_seconds(session, actor.organization_id),
        running=counts.get(Status.RUNNING, 0),
        workspaces=workspaces.count(session, actor.organization_id),
        open_recovery_items=recovery.count_open(session, actor.organization_id),
        engine=_engine(),
    )


def _engine() -> str | None:
    try:
        found = discovery.find_engine(get_settings())
    except AppError:
        return None
    return f"{found.kind} {found.version}"
