"""Lock, decide, mutate, record: the one place where a run's status changes.

Callers hold the run's row lock, and its parent's before it (lock order: fence, workspace, parent run, child run, state
lock). Taking a child's lock first would deadlock with a supersede or discard, which come from the parent.
"""

from typing import Any

from sqlalchemy.orm import Session

from app.audit import service as audit
from app.core import clock
from app.core.ids import new_id
from app.core.permissions import Actor, system_actor
from app.progress import service as progress
from app.progress.schemas import NewRecord
from app.runs.machine import FINAL, Decision, Facts, Kind, Status, Trigger, decide
from app.runs.models import RunEvidence, TerraformRun
from app.runs.telling import tell


def transition(
    session: Session,
    run: TerraformRun,
    trigger: Trigger,
    facts: Facts,
    *,
    actor: Actor | None = None,
    reason: str | None = None,
    code: str | None = None,
    evidence: dict[str, Any] | None = None,
) -> Decision:
    """Apply ``trigger`` to the locked ``run`` and return what it did; ``reason`` and ``code`` say why, kept on the run.

    On a final run evidence is kept and nothing changes. Raises ``IllegalTransition`` or ``GuardRefused``, and then
    nothing has changed either.
    """
    before = Status(run.status)
    decision = decide(Kind(run.kind), before, trigger, facts)
    if decision.is_evidence:
        note(session, run, trigger.value, {"reason": reason, **(evidence or {})})
        return decision
    run.status = decision.status.value
    if reason is not None:
        run.status_reason = reason
    run.reason_code = code
    if decision.status is not Status.RUNNING:
        run.phase = None
    if decision.status in FINAL:
        run.finished_at = clock.now()
    session.flush()
    announce(session, run, reason)
    if run.is_over:
        progress.close_stream(session, run.id)
    audit.record(
        session,
        actor or system_actor(run.organization_id),
        f"run.{trigger.value}",
        ("run", run.id),
        {"from": before.value, "to": decision.status.value, "reason": reason, **(evidence or {})},
    )
    tell(session, run, trigger, before, reason)
    return decision


def announce(session: Session, run: TerraformRun, reason: str | None = None) -> None:
    """Tell the run's watchers where it is now."""
    progress.append(session, run.id, [status_record(run, reason)])


def status_record(run: TerraformRun, reason: str | None = None) -> NewRecord:
    """Return the record that says where the run is now."""
    data = {"type": "run.status", "status": run.status, "phase": run.phase, "verdict": run.verdict, "reason": reason}
    return NewRecord(at=clock.now(), kind="event", data={k: v for k, v in data.items() if v is not None})


def note(session: Session, run: TerraformRun, kind: str, data: dict[str, Any]) -> None:
    """Keep something about the run that moves no transition."""
    session.add(
        RunEvidence(
            id=new_id("evd"),
            run_id=run.id,
            organization_id=run.organization_id,
            kind=kind,
            data={key: value for key, value in data.items() if value is not None},
        )
    )
    session.flush()


def end_parent(session: Session, parent: TerraformRun | None, child: TerraformRun) -> None:
    """Give the parent its ended child's status. Both are locked."""
    if parent is None or Status(child.status) not in FINAL:
        return
    if Status(parent.status) in FINAL:
        note(session, parent, Trigger.CHILD_ENDED.value, {"child": child.id, "status": child.status})
        return
    parent.state_version_id = child.state_version_id
    transition(
        session,
        parent,
        Trigger.CHILD_ENDED,
        Facts(child_status=Status(child.status)),
        reason=child.status_reason,
        code=child.reason_code,
        evidence={"child": child.id},
    )
