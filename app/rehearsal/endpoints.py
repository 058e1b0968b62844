"""Rehearsals and the playground over HTTP."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from app.core.db import SessionDep
from app.core.http import error_responses
from app.core.idempotency import IdempotencyKey, IdempotencyKeyReused
from app.core.pages import Page, PageDep
from app.core.permissions import Actor, Permission, requires
from app.policy.errors import SET_REFUSALS, PolicySetInvalid
from app.policy.schemas import PolicyDocument
from app.rehearsal import playground, service
from app.rehearsal.errors import (
    PlaygroundBusy,
    RehearsalInvalid,
    RehearsalNotFound,
    RehearsalOver,
    TooManyRehearsals,
)
from app.rehearsal.schemas import (
    Effect,
    EvaluationIn,
    EvaluationOut,
    RehearsalIn,
    RehearsalOut,
    RehearsalResultOut,
)
from app.runs.errors import PlanRemoved, RunNotFound
from app.workspaces.errors import WorkspaceNotFound

router = APIRouter(prefix="/terraform", tags=["rehearsal"])
Reader = Annotated[Actor, requires(Permission.POLICIES_READ)]
_NOT_FOR_ITS_TEXT = tuple(error for error in SET_REFUSALS if error is not PolicySetInvalid)


@router.post(
    "/rehearsals",
    operation_id="request_rehearsal",
    summary="Rehearse a policy",
    status_code=202,
    response_model=RehearsalOut,
    responses=error_responses(
        WorkspaceNotFound,
        RehearsalInvalid,
        *SET_REFUSALS,
        TooManyRehearsals,
        PlaygroundBusy,
        IdempotencyKeyReused,
    ),
)
def request_rehearsal(
    wanted: RehearsalIn, session: SessionDep, actor: Reader, idempotency_key: IdempotencyKey = None
) -> dict[str, Any]:
    """Evaluate a policy set over past plans, in the background; no run, verdict or approval changes by it.

    Needs `runs:read`, too, since what a policy says quotes plans, and `policies:write` for a set of git, which the
    server fetches. What is wrong with a draft is refused at once, with file and line.
    """
    return service.request(session, actor, wanted, idempotency_key)


@router.get("/rehearsals", operation_id="list_rehearsals", summary="List rehearsals")
def list_rehearsals(session: SessionDep, actor: Reader, params: PageDep) -> Page[RehearsalOut]:
    """Return one page of rehearsals, newest first."""
    return service.page(session, actor, params)


@router.get(
    "/rehearsals/{rehearsal_id}",
    operation_id="get_rehearsal",
    summary="Read a rehearsal",
    responses=error_responses(RehearsalNotFound),
)
def get_rehearsal(rehearsal_id: str, session: SessionDep, actor: Reader) -> RehearsalOut:
    """Return how far a rehearsal is, and its counts."""
    return service.get(session, actor, rehearsal_id)


@router.get(
    "/rehearsals/{rehearsal_id}/results",
    operation_id="list_rehearsal_results",
    summary="List what a rehearsal found",
    responses=error_responses(RehearsalNotFound),
)
def list_rehearsal_results(
    rehearsal_id: str,
    session: SessionDep,
    actor: Reader,
    params: PageDep,
    effect: Annotated[list[Effect] | None, Query(description="Only these; default: all.")] = None,
) -> Page[RehearsalResultOut]:
    """Return one page of results: what it would newly block first, then what it blocks, warns of and passes.

    While the rehearsal runs, what comes later may belong before what was read.
    """
    return service.results(session, actor, rehearsal_id, effect or [], params)


@router.post(
    "/rehearsals/{rehearsal_id}/cancel",
    operation_id="cancel_rehearsal",
    summary="Cancel a rehearsal",
    responses=error_responses(RehearsalNotFound, RehearsalOver),
)
def cancel_rehearsal(rehearsal_id: str, session: SessionDep, actor: Reader) -> RehearsalOut:
    """End a rehearsal. What it found so far stays."""
    return service.cancel(session, actor, rehearsal_id)


@router.post(
    "/policies/evaluate",
    operation_id="evaluate_policy",
    summary="Try a policy",
    responses=error_responses(RehearsalInvalid, *_NOT_FOR_ITS_TEXT, RunNotFound, PlanRemoved, PlaygroundBusy),
)
def evaluate_policy(wanted: EvaluationIn, actor: Reader) -> EvaluationOut:
    """Evaluate a policy set over one stored plan (which needs `runs:read`), or over an input of one's own.

    Nothing is stored. What is wrong with the text of a draft is in the answer: `outcome` is `error`, `problems` name
    file and line. A set of git takes `policies:write`, since the server fetches it.
    """
    return playground.evaluate(actor, wanted)


@router.get(
    "/runs/{run_id}/policy-input",
    operation_id="get_policy_input",
    summary="Read what policies see of a run",
    responses=error_responses(RunNotFound, PlanRemoved, PlaygroundBusy),
)
def get_policy_input(run_id: str, actor: Reader) -> PolicyDocument:
    """Return the input document of a run's plan, as policies saw it, sensitive values replaced. Needs `runs:read`."""
    actor.require(Permission.RUNS_READ)
    return playground.input_of(actor, run_id)
