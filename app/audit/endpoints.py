"""Edge of the audit trail."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from app.audit import service
from app.audit.schemas import AuditEventOut, AuditFilter, ChainReport, CheckpointOut, ExportFilter, KeysOut
from app.audit.verifying import MOST, PAGE
from app.core.blobs import ArtifactStoreUnavailable
from app.core.db import SessionDep
from app.core.http import error_responses
from app.core.pages import Page, PageDep
from app.core.permissions import Actor, Permission, requires

router = APIRouter(prefix="/audit", tags=["audit"])
JSON_LINES = "application/x-ndjson"
Reader = Annotated[Actor, requires(Permission.AUDIT_READ)]
Action = Annotated[
    str | None, Query(description="An action, or a family of them: `run.approve`, `run.*`.", max_length=200)
]
Position = Annotated[int, Query(ge=0, le=2**53, description="Begin behind this position of the chain.")]


@router.get("", operation_id="list_audit_events")
def list_audit_events(
    actor: Reader,
    session: SessionDep,
    params: PageDep,
    action: Action = None,
    target_id: Annotated[str | None, Query(description="Id of what was acted on.", max_length=200)] = None,
    actor_id: Annotated[str | None, Query(description="Id of who acted.", max_length=200)] = None,
) -> Page[AuditEventOut]:
    """List the organization's audit events, newest first."""
    wanted = AuditFilter(action=action, target_id=target_id, actor_id=actor_id)
    return service.list_events(session, actor.organization_id, wanted, params)


@router.get(
    "/chain",
    operation_id="verify_audit_chain",
    responses=error_responses(ArtifactStoreUnavailable),
)
def verify_audit_chain(
    actor: Reader,
    session: SessionDep,
    after: Position = 0,
    previous: Annotated[
        str | None,
        Query(description="Hash of the event at `after`; else the checkpoint of that position.", max_length=64),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=MOST, description="Events that are checked at most.")] = PAGE,
) -> ChainReport:
    """Check the organization's hash chain against its signed checkpoints, a page of events a request.

    While `is_complete` is false, ask again with `after` and `previous` as `head_position` and `head_hash` say.
    """
    return service.verify_chain(session, actor.organization_id, after=after, previous=previous, limit=limit)


@router.get(
    "/export",
    operation_id="export_audit_events",
    response_class=StreamingResponse,
    responses={
        200: {"content": {JSON_LINES: {}}, "description": "The events, one JSON object a line"},
        **error_responses(ArtifactStoreUnavailable),
    },
)
def export_audit_events(
    actor: Reader,
    session: SessionDep,
    since: Annotated[datetime | None, Query(description="Written at or after this moment.")] = None,
    until: Annotated[datetime | None, Query(description="Written before this moment.")] = None,
    action: Action = None,
    after: Position = 0,
) -> StreamingResponse:
    """Stream the chained events as JSON Lines, in chain order, with the signed checkpoints between them.

    Only an export without `since`, `until` and `action` has no gaps, so that it can be verified. The last line is of
    type `end`: without it the export was cut short.
    """
    wanted = ExportFilter(since=since, until=until, action=action, after=after)
    named = {"Content-Disposition": 'attachment; filename="audit.jsonl"'}
    return StreamingResponse(service.export(session, actor, wanted), media_type=JSON_LINES, headers=named)


@router.get(
    "/checkpoints",
    operation_id="list_audit_checkpoints",
)
def list_audit_checkpoints(actor: Reader, session: SessionDep, params: PageDep) -> Page[CheckpointOut]:
    """List the signed checkpoints of the organization's chain, newest first."""
    return service.list_checkpoints(session, actor.organization_id, params)


@router.get("/keys", operation_id="list_audit_keys")
def list_audit_keys(_: Reader) -> KeysOut:
    """Return the public keys that checkpoints are signed with, the present one first."""
    return service.public_keys()
