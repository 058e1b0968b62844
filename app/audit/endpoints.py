"""Edge of the audit trail."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from app.audit import service
from app.audit.schemas import AuditEventOut, AuditFilter, ChainReport
from app.core.db import SessionDep
from app.core.errors import Forbidden, Invalid, Unauthenticated
from app.core.http import error_responses
from app.core.pages import Page, PageParams, page_params
from app.core.permissions import Actor, Permission, requires

router = APIRouter(prefix="/audit", tags=["audit"])


@router.get("", operation_id="list_audit_events", responses=error_responses(Unauthenticated, Forbidden, Invalid))
def list_audit_events(
    actor: Annotated[Actor, requires(Permission.AUDIT_READ)],
    session: SessionDep,
    params: Annotated[PageParams, Depends(page_params)],
    action: Annotated[
        str | None, Query(description="An action, or a family of them: `run.approved`, `run.*`.", max_length=200)
    ] = None,
    target_id: Annotated[str | None, Query(description="Id of what was acted on.", max_length=200)] = None,
    actor_id: Annotated[str | None, Query(description="Id of who acted.", max_length=200)] = None,
) -> Page[AuditEventOut]:
    """List the organization's audit events, newest first."""
    wanted = AuditFilter(action=action, target_id=target_id, actor_id=actor_id)
    return service.list_events(session, actor.organization_id, wanted, params)


@router.get("/chain", operation_id="verify_audit_chain", responses=error_responses(Unauthenticated, Forbidden))
def verify_audit_chain(actor: Annotated[Actor, requires(Permission.AUDIT_READ)], session: SessionDep) -> ChainReport:
    """Recompute the organization's hash chain and say whether it is intact."""
    return service.verify_chain(session, actor.organization_id)
