"""Runs over HTTP."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse

from app.approvals.errors import (
    AlreadyDecided,
    ApproverMustBePerson,
    CommentTooLong,
    FingerprintMismatch,
    NotAnApprover,
    NothingToRevoke,
    OverrideMustBePerson,
    OverrideReasonMissing,
    OverrideTooLong,
    SelfApprovalForbidden,
    SelfOverrideForbidden,
)
from app.core.db import SessionDep
from app.core.errors import AppError
from app.core.http import error_responses
from app.core.idempotency import IdempotencyKey, IdempotencyKeyReused
from app.core.pages import Page, PageDep
from app.core.permissions import Actor, Permission, requires
from app.fence.errors import Halted
from app.runs import service
from app.runs.errors import (
    ApprovalRequired,
    ApprovalsNotCounted,
    ApprovalsVoid,
    DestroyNotPermitted,
    GuardRefused,
    IllegalTransition,
    NothingToMigrate,
    NothingToRun,
    OverrideExpired,
    OverrideNotPossible,
    PlanRejected,
    PlanRemoved,
    PolicyBlocked,
    PolicyNotBlocking,
    RunNotFound,
    SpeculativeNeverApplies,
    StateBackendUnchanged,
)
from app.runs.machine import Kind, Status
from app.runs.refusing import REFUSALS
from app.runs.schemas import (
    DecisionRequest,
    EstimateOut,
    MigrationRequest,
    OverrideRequest,
    PlanRequest,
    ReasonRequest,
    RequestKind,
    RollbackRequest,
    RunListItem,
    RunOut,
    RunRequest,
)
from app.specs.errors import SPEC_REFUSALS, SpecVersionNotFound
from app.state.errors import (
    StateLineageDiffers,
    StateLocked,
    StateVersionCurrent,
    StateVersionDamaged,
    StateVersionNotFound,
    StateVersionPruned,
)
from app.workspaces.errors import BackendSettingsInvalid, StateLocationTaken, WorkspaceNotFound

router = APIRouter(prefix="/terraform", tags=["runs"])

Planner = Annotated[Actor, requires(Permission.RUNS_PLAN)]
Reader = Annotated[Actor, requires(Permission.RUNS_READ)]
Approver = Annotated[Actor, requires(Permission.RUNS_APPROVE, unless_person=ApproverMustBePerson)]
REQUEST_ERRORS = error_responses(
    WorkspaceNotFound,
    SpecVersionNotFound,
    *SPEC_REFUSALS,
    NothingToRun,
    DestroyNotPermitted,
    Halted,
    IdempotencyKeyReused,
)
_DECIDING: tuple[type[AppError], ...] = (
    RunNotFound,
    Halted,
    *REFUSALS,
    NotAnApprover,
    SelfApprovalForbidden,
    FingerprintMismatch,
    AlreadyDecided,
    CommentTooLong,
)
APPROVAL_ERRORS = error_responses(*_DECIDING, PolicyBlocked, OverrideExpired, SpeculativeNeverApplies)
DISAPPROVAL_ERRORS = error_responses(*_DECIDING, NothingToRevoke)


@router.post(
    "/runs",
    operation_id="request_run",
    summary="Request a plan, destroy or refresh",
    status_code=201,
    response_model=RunOut,
    responses=REQUEST_ERRORS,
)
def request_run(
    wanted: RunRequest, session: SessionDep, actor: Planner, idempotency_key: IdempotencyKey = None
) -> Response:
    """Queue a run. It plans, passes policy, and waits at the gate; nothing is changed by it.

    Without `configuration_id` and `spec` the workspace's head is planned.
    """
    return _queued(service.request(session, actor, wanted, idempotency_key))


def _queued(answer: dict[str, Any]) -> JSONResponse:
    """Return an answer that is JSON of the model already, the first or a repeated one: it is not made one again."""
    return JSONResponse(answer, status_code=201)


def _request_in(kind: RequestKind) -> Any:
    def endpoint(
        workspace: str, wanted: PlanRequest, session: SessionDep, actor: Planner, idempotency_key: IdempotencyKey = None
    ) -> Response:
        full = RunRequest(workspace=workspace, kind=kind, **wanted.model_dump(exclude={"spec"}), spec=wanted.spec)
        return _queued(service.request(session, actor, full, idempotency_key))

    endpoint.__doc__ = f"Queue a run of kind {kind} in this workspace; the same as `POST /terraform/runs`."
    return endpoint


for _kind in ("plan", "destroy", "refresh"):
    router.add_api_route(
        f"/workspaces/{{workspace}}/{_kind}",
        _request_in(_kind),
        methods=["POST"],
        operation_id=f"request_{_kind}",
        summary=f"Request a {_kind} in a workspace",
        status_code=201,
        response_model=RunOut,
        responses=REQUEST_ERRORS,
    )


@router.post(
    "/workspaces/{workspace}/rollback",
    operation_id="request_rollback",
    summary="Request a rollback of the state",
    status_code=201,
    response_model=RunOut,
    responses=error_responses(
        WorkspaceNotFound,
        Halted,
        IdempotencyKeyReused,
        StateLocked,
        StateVersionNotFound,
        StateVersionCurrent,
        StateLineageDiffers,
        StateVersionPruned,
        StateVersionDamaged,
    ),
)
def request_rollback(
    workspace: str,
    wanted: RollbackRequest,
    session: SessionDep,
    actor: Annotated[Actor, requires(Permission.STATE_WRITE)],
    idempotency_key: IdempotencyKey = None,
) -> dict[str, Any]:
    """Queue a run that writes an earlier state version as a new one, once the right people have approved it.

    Its plan shows what the state will say otherwise; no resource is changed by it. Refused while a run or a person
    holds the state lock.
    """
    return service.request_rollback(session, actor, workspace, wanted, idempotency_key)


@router.post(
    "/workspaces/{workspace}/migrate",
    operation_id="request_migration",
    summary="Request a migration of the state to another backend",
    status_code=201,
    response_model=RunOut,
    responses=error_responses(
        WorkspaceNotFound,
        Halted,
        IdempotencyKeyReused,
        StateLocked,
        StateBackendUnchanged,
        NothingToMigrate,
        BackendSettingsInvalid,
        StateLocationTaken,
    ),
)
def request_migration(
    workspace: str,
    wanted: MigrationRequest,
    session: SessionDep,
    actor: Annotated[Actor, requires(Permission.STATE_WRITE)],
    idempotency_key: IdempotencyKey = None,
) -> dict[str, Any]:
    """Queue a run that moves the state to another backend, once the right people have approved it.

    Its plan looks into both backends. Applied, it writes the state to the target, reads it back and compares; then the
    workspace changes over. The old state stays where it is. It takes the permission `workspaces:write`, too.
    """
    return service.request_migration(session, actor, workspace, wanted, idempotency_key)


@router.get("/runs", operation_id="list_runs", summary="List runs", responses=error_responses(WorkspaceNotFound))
def list_runs(
    session: SessionDep,
    actor: Reader,
    params: PageDep,
    workspace: Annotated[str | None, Query(description="Name or id of a workspace.")] = None,
    status: Annotated[list[Status] | None, Query(description="Only these; may be repeated.")] = None,
    kind: Annotated[list[Kind] | None, Query(description="Only these; may be repeated.")] = None,
) -> Page[RunListItem]:
    """List the organization's runs, newest first."""
    return service.page(session, actor, params, workspace=workspace, statuses=status or (), kinds=kind or ())


@router.get("/runs/{run_id}", operation_id="get_run", summary="Read a run", responses=error_responses(RunNotFound))
def get_run(run_id: str, session: SessionDep, actor: Reader) -> RunOut:
    """Return a run in full: what it was made from, what judges it, who decided, and what may be done with it."""
    return service.get(session, actor, run_id)


@router.get(
    "/runs/{run_id}/plan",
    operation_id="get_plan",
    summary="Read what a plan changes",
    response_class=Response,
    responses={200: {"content": {"application/json": {}}}, **error_responses(RunNotFound, PlanRemoved)},
)
def get_plan(run_id: str, session: SessionDep, actor: Reader) -> Response:
    """Return every change with its attributes. A sensitive value is null and flagged, on both sides."""
    return Response(service.plan_view(session, actor, run_id), media_type="application/json")


@router.get(
    "/runs/{run_id}/estimate",
    operation_id="get_estimate",
    summary="Estimate how long the apply takes",
    responses=error_responses(RunNotFound, PlanRemoved),
)
def get_estimate(run_id: str, session: SessionDep, actor: Reader) -> EstimateOut:
    """Return what this plan's apply is likely to take, in all and by resource, from the workspace's last applies."""
    return service.estimate(session, actor, run_id)


@router.post("/runs/{run_id}/approve", operation_id="approve_run", summary="Approve", responses=APPROVAL_ERRORS)
def approve_run(run_id: str, wanted: DecisionRequest, session: SessionDep, actor: Approver) -> RunOut:
    """Approve exactly this plan. The approval that makes the quorum queues the apply."""
    return service.approve(session, actor, run_id, wanted)


@router.post("/runs/{run_id}/reject", operation_id="reject_run", summary="Reject", responses=DISAPPROVAL_ERRORS)
def reject_run(run_id: str, wanted: DecisionRequest, session: SessionDep, actor: Approver) -> RunOut:
    """Reject this plan. While a person's newest decision is a reject there is no quorum."""
    return service.disapprove(session, actor, run_id, "reject", wanted)


@router.post("/runs/{run_id}/revoke", operation_id="revoke_run", summary="Revoke", responses=DISAPPROVAL_ERRORS)
def revoke_run(run_id: str, wanted: DecisionRequest, session: SessionDep, actor: Approver) -> RunOut:
    """Take one's own decision back."""
    return service.disapprove(session, actor, run_id, "revoke", wanted)


@router.post(
    "/runs/{run_id}/override",
    operation_id="override_run",
    summary="Override policies",
    responses=error_responses(
        RunNotFound,
        Halted,
        *REFUSALS,
        PolicyNotBlocking,
        OverrideNotPossible,
        SpeculativeNeverApplies,
        SelfOverrideForbidden,
        FingerprintMismatch,
        OverrideReasonMissing,
        OverrideTooLong,
    ),
)
def override_run(
    run_id: str,
    wanted: OverrideRequest,
    session: SessionDep,
    actor: Annotated[Actor, requires(Permission.RUNS_OVERRIDE, unless_person=OverrideMustBePerson)],
) -> RunOut:
    """Let a plan await approval although soft-mandatory policies deny it, until the override expires.

    By a second person, with a reason that is shown for ever. It binds exactly these results: when policies move, when
    it expires, or when its author loses the right, the plan is blocked again and its approvals are void.
    """
    return service.override(session, actor, run_id, wanted)


@router.post(
    "/runs/{run_id}/discard",
    operation_id="discard_run",
    summary="Discard",
    responses=error_responses(RunNotFound, IllegalTransition, GuardRefused),
)
def discard_run(
    run_id: str,
    wanted: ReasonRequest,
    session: SessionDep,
    actor: Annotated[Actor, requires(Permission.RUNS_DISCARD)],
) -> RunOut:
    """Drop a plan that waits at the gate, or an approved one whose apply has not started."""
    return service.discard(session, actor, run_id, wanted.reason)


@router.post(
    "/runs/{run_id}/apply",
    operation_id="apply_run",
    summary="Apply",
    responses=error_responses(
        RunNotFound,
        ApprovalRequired,
        PlanRejected,
        ApprovalsVoid,
        ApprovalsNotCounted,
        PolicyBlocked,
        SpeculativeNeverApplies,
        *REFUSALS,
    ),
)
def apply_run(run_id: str, session: SessionDep, actor: Annotated[Actor, requires(Permission.RUNS_APPLY)]) -> RunOut:
    """Return the apply of an approved plan; asking again gives the same one. 409 `approval_required` before."""
    return service.apply(session, actor, run_id)


@router.post(
    "/runs/{run_id}/cancel",
    operation_id="cancel_run",
    summary="Cancel",
    responses=error_responses(RunNotFound, IllegalTransition, GuardRefused),
)
def cancel_run(
    run_id: str,
    wanted: ReasonRequest,
    session: SessionDep,
    actor: Annotated[Actor, requires(Permission.RUNS_CANCEL)],
) -> RunOut:
    """Cancel what is queued, or interrupt what runs; of an approved plan its apply."""
    return service.cancel(session, actor, run_id, wanted.reason)
