"""Imports over HTTP."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from app.core.db import SessionDep
from app.core.errors import PayloadTooLarge
from app.core.http import error_responses
from app.core.idempotency import IdempotencyKey, IdempotencyKeyReused
from app.core.permissions import Actor, Permission, requires
from app.fence.errors import Halted
from app.state import hcp_errors, service
from app.state.backend_endpoints import whole_body
from app.state.backend_errors import StateTruncated
from app.state.errors import (
    HcpAddressRefused,
    HcpStateMissing,
    StateConflict,
    StateElsewhere,
    StateEncrypted,
    StateExists,
    StateLocked,
    StateUnreadable,
)
from app.state.hcp_import_schemas import HcpImportOut, HcpImportRequest
from app.state.schemas import StateVersionOut
from app.workspaces.errors import WorkspaceNotFound

router = APIRouter(prefix="/terraform/workspaces/{workspace}/state-import", tags=["state"])
Writer = Annotated[Actor, requires(Permission.STATE_WRITE)]
_REFUSALS = (
    WorkspaceNotFound,
    StateUnreadable,
    StateEncrypted,
    StateElsewhere,
    StateExists,
    StateLocked,
    StateConflict,
    Halted,
    PayloadTooLarge,
    IdempotencyKeyReused,
)
_STATE_FILE = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"type": "object", "description": "A state of format version 4."}}},
    }
}


@router.post(
    "",
    operation_id="import_state",
    summary="Import a state file",
    status_code=201,
    response_model=StateVersionOut,
    responses=error_responses(*_REFUSALS, StateTruncated),
    openapi_extra=_STATE_FILE,
)
def import_state(
    workspace: str,
    session: SessionDep,
    actor: Writer,
    body: Annotated[bytes, Depends(whole_body)],
    idempotency_key: IdempotencyKey = None,
) -> dict[str, Any]:
    """Make the state file in the body the workspace's first state version. Refused where there is one already."""
    return service.import_state(session, actor, workspace, body, idempotency_key)


@router.post(
    "/hcp",
    operation_id="import_state_from_hcp",
    summary="Import a workspace from HCP Terraform",
    status_code=201,
    response_model=HcpImportOut,
    responses=error_responses(
        *_REFUSALS,
        HcpAddressRefused,
        HcpStateMissing,
        *hcp_errors.ANSWERS,
    ),
)
def import_state_from_hcp(
    workspace: str, wanted: HcpImportRequest, actor: Writer, idempotency_key: IdempotencyKey = None
) -> dict[str, Any]:
    """Make the current state of a workspace in HCP Terraform the first state version here, and set its variables.

    Variables that HCP Terraform does not give out are listed, to be set by hand. Nothing is changed there.
    """
    return service.import_from_hcp(actor, workspace, wanted, idempotency_key)
