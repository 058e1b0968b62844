"""What a halt does to runs: all of a scope end in one transaction and a handful of statements."""

from collections import Counter
from collections.abc import Sequence

from sqlalchemy.orm import Session

from app.audit import service as audit
from app.core import clock
from app.core.permissions import Actor, system_actor
from app.progress import service as progress
from app.progress.schemas import NewRecord
from app.runs import halt_repository, repository
from app.runs.halt_repository import LiveRun
from app.runs.machine import Facts, Kind, Status, Trigger, decide
from app.runs.schemas import RunLook, RunMark


def mark_halted(
    session: Session, actor: Actor, *, halt_id: str, organization_id: str | None, workspace_id: str | None, reason: str
) -> dict[str, int]:
    """Cancel every run in a halt's scope that is not final, and count them by organization. The fence is held.

    Runs that have a process (claimed, not quiesced) are still dying: their supervisors hear of it at their next
    heartbeat. The machine is asked what becomes of each: it is the same for all.
    """
    status, why = Status.CANCELLED.value, f"Halted by {actor.name}: {reason}"
    marked = halt_repository.set_halted(
        session, organization_id, workspace_id, status=status, halt_id=halt_id, reason=why
    )
    facts = Facts(is_in_halt_scope=True)
    assert {decide(Kind(run.kind), Status(run.status), Trigger.HALT, facts).status for run in marked} <= {status}
    _announce(session, marked, status, why)
    for run in marked:
        audit.record(
            session,
            actor if actor.organization_id == run.organization_id else system_actor(run.organization_id),
            f"run.{Trigger.HALT.value}",
            ("run", run.id),
            {"from": run.status, "to": status, "reason": why, "halt_id": halt_id},
        )
    return dict(Counter(run.organization_id for run in marked))


def marks_of(session: Session, halt_ids: Sequence[str]) -> list[RunMark]:
    """Return what halts marked, and how far each run's death is proven."""
    return [RunMark.model_validate(dict(row)) for row in halt_repository.marked_by(session, halt_ids)]


def look(session: Session, run_id: str) -> RunLook | None:
    """Return where a run is now, and which run applies it; None when it is gone."""
    run = repository.by_id(session, run_id)
    if run is None:
        return None
    child = repository.child_of(session, run_id)
    return RunLook.model_validate(run).model_copy(update={"child_run_id": child.id if child is not None else None})


def live_in_workspace(session: Session, organization_id: str, workspace_id: str) -> int:
    """Return how many runs of a workspace are not over: not final, or final and not proven dead."""
    return halt_repository.count_live(session, organization_id, workspace_id)


def _announce(session: Session, marked: list[LiveRun], status: str, reason: str) -> None:
    """Tell the runs' watchers, and close the streams of those that no process can add to."""
    at = clock.now()
    records = {}
    for run in marked:
        data = {"type": "run.status", "status": status, "verdict": run.verdict, "reason": reason}
        records[run.id] = NewRecord(at=at, kind="event", data={k: v for k, v in data.items() if v is not None})
    progress.append_to_each(session, records, closing={run.id for run in marked if not run.is_at_work})
