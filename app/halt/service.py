"""The kill switch: one transaction raises the fence and marks every run in scope; supervisors do the rest."""

from datetime import timedelta

from sqlalchemy.orm import Session

from app.audit import service as audit
from app.core import clock
from app.core.ids import new_id
from app.core.permissions import Actor
from app.core.settings import get_settings
from app.fence import service as fence
from app.fence.schemas import EVERYTHING, FenceOut, Scope
from app.halt import repository
from app.halt.errors import NotHalted, ScopeForbidden
from app.halt.models import Halt
from app.halt.schemas import HaltedRun, HaltOut, HaltRequest, HaltRuns, HaltsOut, ResumeRequest
from app.identity import service as identity
from app.runs import service as runs
from app.runs.schemas import RunMark
from app.workspaces import service as workspaces


def halt(session: Session, actor: Actor, wanted: HaltRequest) -> HaltOut:
    """Raise the fence of the scope and cancel every run in it that is not final; return what was stopped.

    From this commit on nothing starts in the scope, on any machine. A halt of what is halted already marks what is
    left and returns the standing halt. Raises ``ScopeForbidden`` and ``WorkspaceNotFound``.
    """
    scope_id, organization_id, workspace_id = _scope(session, actor, wanted.scope, wanted.workspace)
    halt_id = new_id("halt")
    raised = fence.raise_fence(session, scope_id, halt_id=halt_id, actor=actor, reason=wanted.reason)
    standing = _standing_halt(session, raised.halt_id) if raised.halt_id != halt_id else None
    row = standing or Halt(
        id=halt_id,
        organization_id=organization_id,
        scope=wanted.scope,
        scope_id=scope_id,
        reason=wanted.reason,
        latch=wanted.latch,
        actor=actor.describe(),
        runs_marked={},
    )
    marked = runs.mark_halted(
        session,
        actor,
        halt_id=row.id,
        organization_id=organization_id,
        workspace_id=workspace_id,
        reason=wanted.reason,
    )
    row.runs_marked = {"count": int(row.runs_marked.get("count", 0)) + len(marked)}
    session.add(row)
    if not wanted.latch and standing is None:
        fence.lower_fence(session, scope_id, halt_id=halt_id)
        row.resumed_at = clock.now()
        row.resume_reason = "It did not latch."
    session.flush()
    evidence = {"scope": wanted.scope, "scope_id": scope_id, "reason": wanted.reason, "runs": len(marked)}
    audit.record(session, actor, "halt.raised", ("halt", row.id), {**evidence, "latch": wanted.latch})
    return _present(session, row)


def resume(session: Session, actor: Actor, wanted: ResumeRequest) -> HaltOut:
    """Lower the fence of the scope; runs may start again. Raises ``NotHalted`` when none is raised there."""
    scope_id, _, _ = _scope(session, actor, wanted.scope, wanted.workspace)
    raised: FenceOut = fence.hold_exclusive(session, scope_id)
    if raised.halt_id is None:
        raise NotHalted(f"No halt of scope {wanted.scope} stands. GET /terraform/halt lists those that do.")
    fence.lower_fence(session, scope_id, halt_id=raised.halt_id)
    row = repository.lock(session, raised.halt_id)
    if row is None:
        raise NotHalted("The halt that raised this fence is gone; the fence was lowered.")
    row.resumed_at = clock.now()
    row.resumed_by = actor.describe()
    row.resume_reason = wanted.reason
    audit.record(session, actor, "halt.resumed", ("halt", row.id), {"scope": row.scope, "reason": wanted.reason})
    session.flush()
    return _present(session, row)


def standing(session: Session, actor: Actor) -> HaltsOut:
    """Return the halts that stand over the actor's organization."""
    fences = fence.standing(session, actor.organization_id)
    rows = {row.id: row for row in repository.by_ids(session, [f.halt_id for f in fences if f.halt_id is not None])}
    return HaltsOut(
        active=[
            _present(session, rows[f.halt_id], actor) for f in fences if f.halt_id is not None and f.halt_id in rows
        ]
    )


def _standing_halt(session: Session, halt_id: str | None) -> Halt | None:
    return next(iter(repository.by_ids(session, [halt_id])), None) if halt_id is not None else None


def _scope(session: Session, actor: Actor, scope: Scope, workspace: str | None) -> tuple[str, str | None, str | None]:
    """Return the fence's id, and the organization and workspace whose runs are in scope."""
    if scope == "everything":
        if not identity.get_organization(session, actor.organization_id).is_operator:
            raise ScopeForbidden("Only the operator organization halts everything. Halt your organization instead.")
        return EVERYTHING, None, None
    if scope == "organization":
        return actor.organization_id, actor.organization_id, None
    found = workspaces.get(session, actor.organization_id, workspace or "")
    return found.id, actor.organization_id, found.id


def _present(session: Session, row: Halt, viewer: Actor | None = None) -> HaltOut:
    settings = get_settings()
    marks = [
        mark
        for mark in runs.marks_of_halt(session, row.id)
        if viewer is None or mark.organization_id == viewer.organization_id
    ]
    items = [_run(mark) for mark in marks]
    states = [item.state for item in items]
    latest = timedelta(seconds=settings.lease_seconds + settings.grace_seconds)
    return HaltOut(
        id=row.id,
        scope=row.scope,  # type: ignore[arg-type]  # the column holds a Scope
        scope_id=row.scope_id,
        reason=row.reason,
        latch=row.latch,
        actor=row.actor,
        created_at=row.created_at,
        resumed_at=row.resumed_at,
        resumed_by=row.resumed_by,
        resume_reason=row.resume_reason,
        dead_by=row.created_at + latest,
        runs=HaltRuns(
            marked=len(items),
            dying=states.count("dying"),
            dead=states.count("dead"),
            never_started=states.count("never_started"),
            items=items,
        ),
    )


def _run(mark: RunMark) -> HaltedRun:
    dead = mark.quiesced_at is not None
    return HaltedRun(
        run_id=mark.id,
        workspace_id=mark.workspace_id,
        kind=mark.kind,
        state="never_started" if mark.claimed_at is None else "dead" if dead else "dying",
        proof=mark.proof_of_death,
    )
