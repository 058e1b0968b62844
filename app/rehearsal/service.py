"""Ask for a rehearsal, look at it, cancel it. Evaluating is in ``working``."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel
from sqlalchemy.orm import Session

from app.audit import service as audit
from app.core import clock
from app.core.idempotency import once
from app.core.ids import new_id
from app.core.jobs import enqueue
from app.core.pages import Page, PageParams
from app.core.permissions import Actor, Permission
from app.policy import service as policy
from app.policy.schemas import Finding, PolicyBundle, WhoOut, WorkspaceRef
from app.rehearsal import drafts, playground, repository
from app.rehearsal.errors import RehearsalInvalid, RehearsalNotFound, RehearsalOver, TooManyRehearsals
from app.rehearsal.models import LIVE, Rehearsal, RehearsalResult
from app.rehearsal.schemas import ASSUMPTIONS, Effect, RehearsalIn, RehearsalOut, RehearsalResultOut
from app.runs import service as runs
from app.workspaces import service as workspaces

ADVANCE_TASK = "rehearsal.advance"
MOST_WAITING = 10


def request(session: Session, actor: Actor, wanted: RehearsalIn, key: str | None) -> dict[str, Any]:
    """Queue a rehearsal, once per idempotency key; return it as JSON data.

    Raises ``RehearsalInvalid``, what a policy set that can't be used raises, ``Forbidden`` for one of git without the
    right to attach it, ``NotFound`` for an unknown workspace, ``PlaygroundBusy`` and ``TooManyRehearsals``.
    """
    actor.require(Permission.RUNS_READ)
    _check(wanted)
    # Before the first query: no transaction is open while the child compiles.
    bundle = _bundle(actor, wanted)

    def act() -> BaseModel:
        return _present(_queue(session, actor, wanted, bundle))

    return once(session, actor, key, ("request_rehearsal", wanted), act)


def _check(wanted: RehearsalIn) -> None:
    if (wanted.draft is None) == (wanted.policy_set_uri is None):
        raise RehearsalInvalid.of_field("draft", "give a draft or a policy_set_uri, and not both")
    if wanted.workspaces and wanted.tag is not None:
        raise RehearsalInvalid.of_field(
            "tag", "name workspaces or a tag, not both; with neither the organization's plans are taken"
        )
    if wanted.waives_unevaluable and wanted.enforcement_level != "advisory":
        raise RehearsalInvalid.of_field(
            "waives_unevaluable", "only an advisory attachment may let pass what can't be evaluated"
        )


def _bundle(actor: Actor, wanted: RehearsalIn) -> PolicyBundle:
    fetched = drafts.fetched(actor, wanted.policy_set_uri)
    if fetched is not None:
        return fetched
    with playground.place():
        if wanted.draft is not None:
            return drafts.compiled(wanted.draft.files, wanted.draft.data, "draft")
        return policy.compiled_set(actor.organization_id, wanted.policy_set_uri or "")


def _queue(session: Session, actor: Actor, wanted: RehearsalIn, bundle: PolicyBundle) -> Rehearsal:
    organization_id = actor.organization_id
    if repository.count_live(session, organization_id) >= MOST_WAITING:
        raise TooManyRehearsals(
            f"{MOST_WAITING} rehearsals of this organization wait already, and one is worked on at a time. Wait, or "
            "cancel some."
        )
    named = [workspaces.get(session, organization_id, name) for name in wanted.workspaces]
    ids: list[str] | None = sorted({workspace.id for workspace in named}) or None
    if wanted.tag is not None:
        ids = workspaces.ids_with_tag(session, organization_id, wanted.tag)
    plans = runs.past_plans(session, organization_id, ids, wanted.last)
    names = {item.id: item.name for item in workspaces.get_many(session, [p.workspace_id for p in plans]).values()}
    row = Rehearsal(
        id=new_id("reh"),
        organization_id=organization_id,
        created_by=actor.describe(),
        policy_set_uri=wanted.policy_set_uri,
        files=sorted(bundle.files),
        bundle=bundle.model_dump(),
        bundle_digest=bundle.digest,
        enforcement_level=wanted.enforcement_level,
        waives_unevaluable=wanted.waives_unevaluable,
        workspaces=[{"id": item.id, "name": item.name} for item in {item.id: item for item in named}.values()],
        tag=wanted.tag,
        last=wanted.last,
        status="queued",
        total=len(plans),
        created_at=clock.now(),
    )
    results = [
        RehearsalResult(
            rehearsal_id=row.id,
            organization_id=organization_id,
            position=position,
            run_id=plan.run_id,
            workspace_id=plan.workspace_id,
            workspace_name=names.get(plan.workspace_id, plan.workspace_id),
            kind=plan.kind,
            planned_at=plan.planned_at,
            verdict_then=plan.verdict,
        )
        for position, plan in enumerate(plans)
    ]
    repository.add(session, row, results)
    evidence = {
        "policy_set_uri": row.policy_set_uri,
        "bundle_digest": row.bundle_digest,
        "enforcement_level": row.enforcement_level,
        "plans": row.total,
    }
    audit.record(session, actor, "rehearsal.requested", ("rehearsal", row.id), evidence)
    enqueue(session, ADVANCE_TASK, organization_id)
    return row


def get(session: Session, actor: Actor, rehearsal_id: str) -> RehearsalOut:
    """Return one rehearsal. Raises ``RehearsalNotFound``."""
    actor.require(Permission.RUNS_READ)
    return _present(_get(session, actor, rehearsal_id))


def page(session: Session, actor: Actor, params: PageParams) -> Page[RehearsalOut]:
    """Return one page of rehearsals, newest first."""
    actor.require(Permission.RUNS_READ)
    rows, cursor = repository.page(session, actor.organization_id, params)
    return Page(items=[_present(row) for row in rows], next_cursor=cursor)


def results(
    session: Session, actor: Actor, rehearsal_id: str, effects: Sequence[Effect], params: PageParams
) -> Page[RehearsalResultOut]:
    """Return one page of what came out so far: what it would newly block first. Raises ``RehearsalNotFound``."""
    actor.require(Permission.RUNS_READ)
    row = _get(session, actor, rehearsal_id)
    found, cursor = repository.results(session, row.id, effects, params)
    return Page(items=[_result(item) for item in found], next_cursor=cursor)


def cancel(session: Session, actor: Actor, rehearsal_id: str) -> RehearsalOut:
    """End a rehearsal; what came out so far stays. Raises ``RehearsalNotFound`` and ``RehearsalOver``."""
    actor.require(Permission.RUNS_READ)
    known = _get(session, actor, rehearsal_id)
    row = repository.lock(session, known.id)
    if row is None or row.status not in LIVE:
        status = row.status if row is not None else "gone"
        raise RehearsalOver(f"The rehearsal {rehearsal_id} is {status}, so there is nothing to cancel.")
    row.status, row.status_reason = "cancelled", f"Cancelled by {actor.name}."
    row.finished_at, row.lease_expires_at = clock.now(), None
    session.flush()
    audit.record(session, actor, "rehearsal.cancelled", ("rehearsal", row.id), {"done": row.done, "plans": row.total})
    # Another one may wait for its turn.
    enqueue(session, ADVANCE_TASK, row.organization_id)
    return _present(row)


def _get(session: Session, actor: Actor, rehearsal_id: str) -> Rehearsal:
    row = repository.find(session, actor.organization_id, rehearsal_id)
    if row is None:
        raise RehearsalNotFound(f"There is no rehearsal {rehearsal_id!r} in this organization.")
    return row


def _present(row: Rehearsal) -> RehearsalOut:
    until = row.finished_at or clock.now()
    seconds = (until - row.started_at).total_seconds() if row.started_at is not None else None
    evaluated = row.done - row.removed
    return RehearsalOut.model_validate(
        {
            **{name: getattr(row, name) for name in _SHOWN},
            "workspaces": [WorkspaceRef.model_validate(item) for item in row.workspaces],
            "would_pass": evaluated - row.would_block - row.would_warn,
            "seconds": round(seconds, 3) if seconds is not None else None,
            "plans_per_second": round(evaluated / seconds, 2) if seconds and evaluated else None,
            "assumptions": list(ASSUMPTIONS),
            "created_by": WhoOut.model_validate(row.created_by),
        }
    )


_SHOWN = sorted(RehearsalOut.model_fields.keys() & set(Rehearsal.__table__.columns.keys()))


def _result(row: RehearsalResult) -> RehearsalResultOut:
    return RehearsalResultOut.model_validate(
        {
            "run_id": row.run_id,
            "workspace": WorkspaceRef(id=row.workspace_id, name=row.workspace_name),
            "kind": row.kind,
            "planned_at": row.planned_at,
            "effect": row.effect,
            "newly_blocks": row.effect == "newly_blocks",
            "outcome": row.outcome,
            "verdict": row.verdict,
            "verdict_then": row.verdict_then,
            "findings": [Finding.model_validate(item) for item in row.findings],
            "error": row.error,
            "duration_ms": row.duration_ms,
        }
    )
