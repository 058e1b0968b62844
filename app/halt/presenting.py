"""What a halt has done so far, put together from runs, states and locks; the same queries however many runs it has."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from app.core import clock
from app.core.permissions import Actor
from app.core.settings import get_settings
from app.halt import call_repository
from app.halt.models import Halt, HaltCall
from app.halt.schemas import MOST_RUNS, HaltedRun, HaltOut, HaltRuns, SiblingCall
from app.identity import service as identity
from app.runs import service as runs
from app.runs.schemas import RunMark
from app.state import service as state
from app.state.schemas import LockOut

PRESUMED = "presumed_by_lease"
_ORDER = ("dying", "presumed", "dead", "never_started")


def present(session: Session, viewer: Actor, halts: Sequence[Halt]) -> list[HaltOut]:
    """Return the halts as ``viewer`` may see them: the runs of their own organization, of everything the operator."""
    if not halts:
        return []
    is_operator = identity.is_operator(session, viewer.organization_id)
    marks: dict[str, list[RunMark]] = {row.id: [] for row in halts}
    for mark in runs.marks_of_halts(session, list(marks)):
        if is_operator or mark.organization_id == viewer.organization_id:
            marks[mark.halt_id].append(mark)
    calls: dict[str, list[HaltCall]] = {row.id: [] for row in halts}
    for call in call_repository.of_halts(session, list(calls)) if is_operator else ():
        calls[call.halt_id].append(call)
    listed = {row.id: sorted(marks[row.id], key=_rank)[:MOST_RUNS] for row in halts}
    shown = [mark for found in listed.values() for mark in found]
    left = state.left_by_runs(session, [mark.id for mark in shown if mark.claimed_at is not None])
    locks = state.held_locks(session, sorted({mark.workspace_id for mark in shown}))
    return [
        _halt(row, marks[row.id], [_run(row, mark, left, locks) for mark in listed[row.id]], calls[row.id])
        for row in halts
    ]


def state_of(mark: RunMark) -> str:
    """Return how far a run's death is proven."""
    if mark.claimed_at is None:
        return "never_started"
    if mark.quiesced_at is None:
        return "dying"
    return "presumed" if (mark.proof_of_death or {}).get("kind") == PRESUMED else "dead"


def _had_ended(row: Halt, mark: RunMark) -> bool:
    """Tell whether a run's process was proven dead before the halt: a plan that waits at the gate has none."""
    return state_of(mark) == "dead" and mark.quiesced_at is not None and mark.quiesced_at <= row.created_at


def _rank(mark: RunMark) -> tuple[int, str]:
    return _ORDER.index(state_of(mark)), mark.id


def _halt(row: Halt, marks: list[RunMark], items: list[HaltedRun], calls: list[HaltCall]) -> HaltOut:
    settings = get_settings()
    counts = Counter(state_of(mark) for mark in marks)
    dead_by = row.created_at + timedelta(seconds=settings.lease_seconds + settings.grace_seconds)
    left = max(0.0, (dead_by - clock.now()).total_seconds()) if counts["dying"] else 0.0
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
        dead_by=dead_by,
        seconds_left=round(left, 1),
        all_dead_at=None if counts["dying"] else _last_death(row, marks),
        runs=HaltRuns(
            marked=len(marks),
            dying=counts["dying"],
            dead=counts["dead"],
            had_ended=sum(_had_ended(row, mark) for mark in marks),
            presumed=counts["presumed"],
            never_started=counts["never_started"],
            items=items,
        ),
        fanout=[_call(row, call) for call in calls],
    )


def _last_death(row: Halt, marks: list[RunMark]) -> datetime:
    """Return when the last process was known to be dead; the halt's own moment where there was none to wait for."""
    return max([row.created_at, *(mark.quiesced_at for mark in marks if mark.quiesced_at is not None)])


def _run(row: Halt, mark: RunMark, left: dict[str, state.StateLeft], locks: dict[str, LockOut]) -> HaltedRun:
    held = locks.get(mark.workspace_id)
    if held is not None and held.run_id == mark.id:
        lock = "orphaned" if held.is_orphaned else "held"
    else:
        lock = "never_held" if mark.claimed_at is None else "released"
    return HaltedRun(
        run_id=mark.id,
        workspace_id=mark.workspace_id,
        kind=mark.kind,
        state=state_of(mark),  # type: ignore[arg-type]  # one of the literals
        had_ended=_had_ended(row, mark),
        dead_at=mark.quiesced_at if mark.claimed_at is not None else None,
        proof=mark.proof_of_death,
        state_written=left.get(mark.id),
        lock=lock,  # type: ignore[arg-type]  # one of the literals
    )


def _call(row: Halt, call: HaltCall) -> SiblingCall:
    return SiblingCall(
        name=call.name,
        url=call.url,
        status=call.status,  # type: ignore[arg-type]  # the column holds one of the literals
        http_status=call.http_status,
        attempts=call.attempts,
        seconds=round((call.ended_at - row.created_at).total_seconds(), 3) if call.ended_at is not None else None,
        detail=call.detail,
    )
