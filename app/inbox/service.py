"""Puts together what waits for a person, from runs, approvals and locks."""

from sqlalchemy.orm import Session

from app.core.permissions import Actor, Permission
from app.halt import service as halts
from app.inbox.schemas import GroupName, Inbox, InboxGroup, InboxItem
from app.recovery import service as recovery
from app.runs import service as runs
from app.runs.schemas import RunListItem, Status
from app.state import service as state

ORDER: tuple[GroupName, ...] = ("awaiting_approval", "policy_blocked", "failed", "orphaned_locks", "unknown_resources")
LIMIT = 200
"""Runs of each group shown at most; the workspaces page has the rest."""


def inbox(session: Session, actor: Actor) -> Inbox:
    """Return what waits in the actor's organization, and how much of it for the actor."""
    items: dict[GroupName, list[InboxItem]] = {name: [] for name in ORDER}
    waiting = runs.waiting(session, actor, limit=LIMIT)
    may_decide = runs.may_decide(session, actor, [run.id for run in waiting])
    for run in waiting:
        if run.status is Status.AWAITING_APPROVAL:
            items["awaiting_approval"].append(_waiting(run, why_not=may_decide.get(run.id)))
        elif run.status is Status.POLICY_BLOCKED:
            items["policy_blocked"].append(_blocked(run, actor))
    items["failed"] = _failures(session, actor)
    items["orphaned_locks"] = _orphaned(session, actor)
    items["unknown_resources"] = _left(session, actor)
    counts = runs.counts_by_status(session, actor.organization_id)
    groups = [InboxGroup(name=name, count=len(items[name]), items=items[name]) for name in ORDER]
    return Inbox(
        groups=groups,
        for_you=sum(item.for_you for group in groups for item in group.items),
        total=sum(group.count for group in groups),
        in_progress=counts.get(Status.QUEUED, 0) + counts.get(Status.RUNNING, 0),
    )


def _waiting(run: RunListItem, *, why_not: str | None) -> InboxItem:
    have, need = (run.approvals.have, run.approvals.need) if run.approvals is not None else (0, 0)
    why = f"{have} of {need} approvals." if why_not is None else why_not
    return InboxItem(run=run, for_you=why_not is None, why=why, since=run.planned_at or run.created_at)


def _blocked(run: RunListItem, actor: Actor) -> InboxItem:
    level = "hard-mandatory" if run.verdict == "blocked_hard" else "soft-mandatory"
    mine = run.requested_by.id == actor.id or actor.may(Permission.RUNS_DISCARD)
    why = run.status_reason or f"A {level} policy blocks it."
    return InboxItem(run=run, for_you=mine, why=why, since=run.planned_at or run.created_at)


def _failures(session: Session, actor: Actor) -> list[InboxItem]:
    failed = runs.failed_heads(session, actor, limit=LIMIT)
    engines = {run.id: run.child_run_id or run.id for run in failed if run.halted}
    drilled = halts.stopped_by_passed_drills(session, engines.values()) if engines else set()
    return [_failed(run, actor) for run in failed if engines.get(run.id) not in drilled]


def _failed(run: RunListItem, actor: Actor) -> InboxItem:
    mine = run.requested_by.id == actor.id or actor.may(Permission.RUNS_APPLY)
    return InboxItem(
        run=run, for_you=mine, why=run.status_reason or "It ended early.", since=run.finished_at or run.created_at
    )


def _orphaned(session: Session, actor: Actor) -> list[InboxItem]:
    locks = state.orphaned_locks(session, actor.organization_id)
    holders = {run.id: run for run in runs.items_of(session, actor, [lock.run_id for lock in locks if lock.run_id])}
    return [
        InboxItem(
            run=holders[lock.run_id],
            lock=lock,
            for_you=actor.may(Permission.STATE_UNLOCK),
            why="The holder of the state lock is dead; check the state, then release the lock.",
            since=lock.acquired_at,
        )
        for lock in locks
        if lock.run_id is not None and lock.run_id in holders
    ]


def _left(session: Session, actor: Actor) -> list[InboxItem]:
    left = {found.run_id: found for found in recovery.open_runs(session, actor.organization_id, limit=LIMIT)}
    applies = {run.id: run for run in runs.items_of(session, actor, list(left))} if left else {}
    return [
        InboxItem(
            run=applies[run_id],
            resources=found.count,
            for_you=actor.may(Permission.STATE_WRITE),
            why=f"{recovery.words(found.count)} Import, delete or dismiss each.",
            since=found.since,
        )
        for run_id, found in left.items()
        if run_id in applies
    ]
