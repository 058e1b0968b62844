"""Quarantined states over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from app.core.db import SessionDep
from app.core.http import error_responses
from app.core.pages import Page, PageDep
from app.core.permissions import Actor, Permission, requires
from app.recovery import service
from app.state.errors import (
    QuarantineDecided,
    QuarantineNotFound,
    StateConflict,
    StateEncrypted,
    StateLocked,
    StateUnreadable,
)
from app.state.schemas import (
    AdoptRequest,
    DiscardRequest,
    QuarantineDiff,
    QuarantinedState,
    QuarantineStatus,
    ResourceFilter,
    StateResource,
    StateVersionOut,
)
from app.workspaces.errors import WorkspaceNotFound

router = APIRouter(prefix="/terraform/recovery", tags=["recovery"])
Reader = Annotated[Actor, requires(Permission.STATE_READ)]
Writer = Annotated[Actor, requires(Permission.STATE_WRITE)]


@router.get("/quarantine", operation_id="list_quarantined_states", responses=error_responses(WorkspaceNotFound))
def list_quarantined_states(
    session: SessionDep,
    actor: Reader,
    params: PageDep,
    workspace: Annotated[str | None, Query(description="Name or id of a workspace.")] = None,
    status: Annotated[QuarantineStatus | None, Query(description="Only those; default: all.")] = None,
) -> Page[QuarantinedState]:
    """List states that could not become versions, newest first."""
    return service.quarantined(session, actor, params, workspace=workspace, status=status)


@router.get(
    "/quarantine/{quarantine_id}",
    operation_id="get_quarantined_state",
    responses=error_responses(QuarantineNotFound),
)
def get_quarantined_state(quarantine_id: str, session: SessionDep, actor: Reader) -> QuarantinedState:
    """Return one quarantined state: why it was refused, its serial and lineage, and what was decided."""
    return service.get(session, actor, quarantine_id)


@router.get(
    "/quarantine/{quarantine_id}/download",
    operation_id="download_quarantined_state",
    responses=error_responses(QuarantineNotFound, QuarantineDecided),
    response_class=Response,
)
def download_quarantined_state(
    quarantine_id: str, session: SessionDep, actor: Annotated[Actor, requires(Permission.STATE_DOWNLOAD)]
) -> Response:
    """Return what was refused, byte for byte, secrets included. Each download is audited."""
    headers = {"Content-Disposition": f'attachment; filename="{quarantine_id}.tfstate"', "Cache-Control": "no-store"}
    data = service.download(session, actor, quarantine_id)
    return Response(data, media_type="application/octet-stream", headers=headers)


@router.get(
    "/quarantine/{quarantine_id}/resources",
    operation_id="list_quarantined_resources",
    responses=error_responses(QuarantineNotFound, QuarantineDecided, StateUnreadable, StateEncrypted),
)
def list_quarantined_resources(
    quarantine_id: str,
    session: SessionDep,
    actor: Reader,
    params: PageDep,
    search: Annotated[str | None, Query(description="Part of the address.")] = None,
) -> Page[StateResource]:
    """List the resources that a quarantined state holds, in its order."""
    return service.resources(session, actor, quarantine_id, ResourceFilter(search=search), params)


@router.get(
    "/quarantine/{quarantine_id}/diff",
    operation_id="diff_quarantined_state",
    responses=error_responses(QuarantineNotFound, QuarantineDecided, StateUnreadable, StateEncrypted),
)
def diff_quarantined_state(quarantine_id: str, session: SessionDep, actor: Reader, params: PageDep) -> QuarantineDiff:
    """Return what would differ from the current state if this one were adopted; sensitive values are null."""
    return service.diff(session, actor, quarantine_id, params)


@router.post(
    "/quarantine/{quarantine_id}/adopt",
    operation_id="adopt_quarantined_state",
    responses=error_responses(
        QuarantineNotFound, QuarantineDecided, StateLocked, StateConflict, StateUnreadable, StateEncrypted
    ),
)
def adopt_quarantined_state(
    quarantine_id: str, body: AdoptRequest, session: SessionDep, actor: Writer
) -> StateVersionOut:
    """Make a quarantined state the workspace's next version. Refused while a run is at work."""
    return service.adopt(session, actor, quarantine_id, body)


@router.post(
    "/quarantine/{quarantine_id}/discard",
    operation_id="discard_quarantined_state",
    responses=error_responses(QuarantineNotFound, QuarantineDecided),
)
def discard_quarantined_state(
    quarantine_id: str, body: DiscardRequest, session: SessionDep, actor: Writer
) -> QuarantinedState:
    """Let go of a quarantined state for good."""
    return service.discard(session, actor, quarantine_id, body)
