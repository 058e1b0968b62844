"""The queue as people see it: a run's place and what it waits for, an organization's limit, the workers."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from app.audit import service as audit
from app.core import clock
from app.core.jobs import enqueue
from app.core.pages import Page
from app.core.permissions import Actor
from app.core.settings import get_settings
from app.fence import service as fence
from app.fence.schemas import EVERYTHING, FenceOut
from app.identity import service as identity
from app.runs import place_repository, queue_repository
from app.runs.machine import Kind, Status
from app.runs.models import TerraformRun
from app.runs.place_repository import Capacity, Rank, Shown
from app.runs.queue_schemas import QueueLimitIn, QueueOut, QueuePlace, WaitsFor, WorkerOut, WorkersShort
from app.runs.requesting import EXECUTE_TASK
from app.runs.rules import effective_limit
from app.state import service as state
from app.state.schemas import LockOut

ALIVE_SECONDS = 20.0
"""A worker that was not heard of for so long is not counted on; it says a word every few seconds."""


def places(session: Session, organization_id: str, runs: Sequence[TerraformRun]) -> dict[str, QueuePlace]:
    """Return by run id the place of those that are queued, in a number of queries that does not grow with them."""
    waiting = [run for run in runs if run.status == Status.QUEUED]
    if not waiting:
        return {}
    spaces = sorted({run.workspace_id for run in waiting})
    ranks = place_repository.ranks(session, spaces, [run.id for run in waiting])
    shown = place_repository.holders(session, spaces, sorted({rank.first_id for rank in ranks.values()}))
    common = _Common(
        fences=fence.standing(session, organization_id),
        locks=state.held_locks(session, spaces),
        by_id={run.id: run for run in shown},
        at_work={run.workspace_id: run for run in shown if run.status != Status.QUEUED},
        most=effective_limit(
            place_repository.limit_of(session, organization_id), get_settings().organization_concurrency
        ),
        executing=queue_repository.executing(session, organization_id),
        capacity=place_repository.capacity(session, _alive_since()),
    )
    found = {run.id: common.place(run, ranks[run.id]) for run in waiting if run.id in ranks}
    startable = [(run, ranks[run.id].ahead) for run in waiting if run.id in found and found[run.id].line != "workspace"]
    if startable:
        for run_id, ahead in place_repository.ahead_in_organization(session, organization_id, startable).items():
            found[run_id].ahead, found[run_id].position = ahead, ahead + 1
    return found


class _Common:
    """What the places of a page are told from."""

    def __init__(
        self,
        *,
        fences: Sequence[FenceOut],
        locks: dict[str, LockOut],
        by_id: dict[str, Shown],
        at_work: dict[str, Shown],
        most: int | None,
        executing: int,
        capacity: Capacity,
    ) -> None:
        self._fences = fences
        self._locks = locks
        self._by_id = by_id
        self._at_work = at_work
        self._most = most
        self._executing = executing
        self._capacity = capacity

    def place(self, run: TerraformRun, rank: Rank) -> QueuePlace:
        """Return the first thing that keeps the run from starting, and where it stands in its workspace."""
        found = self._halted(run) or (None if run.is_speculative else self._in_workspace(run, rank))
        found = found or self._in_organization()
        found.ahead, found.position = rank.ahead, rank.ahead + 1
        return found

    def _halted(self, run: TerraformRun) -> QueuePlace | None:
        around = {EVERYTHING, run.organization_id, run.workspace_id}
        standing = next((item for item in self._fences if item.id in around), None)
        if standing is None:
            return None
        who = (standing.raised_by or {}).get("name", "Somebody")
        return QueuePlace(line="workspace", code="halted", reason=f"{who} halted it: {standing.reason}.")

    def _in_workspace(self, run: TerraformRun, rank: Rank) -> QueuePlace | None:
        lock = self._locks.get(run.workspace_id)
        if lock is not None and lock.is_orphaned:
            return QueuePlace(
                line="workspace",
                code="workspace_locked",
                reason=f"{lock.run_id} died while it held the state lock. Release the lock to go on.",
                lock=lock,
            )
        if lock is not None and lock.kind == "manual":
            return QueuePlace(
                line="workspace",
                code="workspace_locked",
                reason=f"{lock.holder.get('name', 'Somebody')} holds the state lock: {lock.reason}".rstrip(": .") + ".",
                lock=lock,
            )
        holder = self._at_work.get(run.workspace_id)
        if holder is None and rank.ahead:
            holder = self._by_id.get(rank.first_id)
        if holder is None:
            return None
        kind, is_queued = Kind(holder.kind), holder.status == Status.QUEUED
        how = "goes first" if is_queued else "is at work" if holder.status == Status.RUNNING else "is ending"
        return QueuePlace(
            line="workspace",
            code="workspace_busy",
            reason=f"Waits for {holder.id} ({kind.value}), which {how} in this workspace.",
            waits_for=WaitsFor(id=holder.id, kind=kind, status=Status(holder.status)),
        )

    def _in_organization(self) -> QueuePlace:
        able, most = self._capacity, self._most
        if most is not None and self._executing >= most:
            reason = f"The organization executes {self._executing} of at most {most} runs."
            return QueuePlace(line="organization", code="organization_limit", reason=reason)
        if able.workers == 0:
            reason = f"No worker was heard of for {ALIVE_SECONDS:.0f} seconds. Start one: `sluice worker`."
            return QueuePlace(line="organization", code="no_worker", reason=reason)
        if able.busy >= able.permits:
            of = "1 worker" if able.workers == 1 else f"{able.workers} workers"
            reason = f"Every worker is busy: {able.busy} of {able.permits} runs at once, on {of}."
            return QueuePlace(line="organization", code="workers_busy", reason=reason)
        return QueuePlace(line="organization", code="starting", reason="A worker takes it any moment.")


def queue(session: Session, actor: Actor) -> QueueOut:
    """Return how the organization's queue stands."""
    own, default = place_repository.limit_of(session, actor.organization_id), get_settings().organization_concurrency
    able = place_repository.capacity(session, _alive_since())
    return QueueOut(
        queued=place_repository.queued(session, actor.organization_id),
        executing=queue_repository.executing(session, actor.organization_id),
        effective_limit=effective_limit(own, default),
        is_default=own is None,
        own_limit=own or None,
        default_limit=default or None,
        workers=WorkersShort(count=able.workers, concurrency=able.permits, busy=able.busy),
    )


def set_limit(session: Session, actor: Actor, wanted: QueueLimitIn) -> QueueOut:
    """Change how many runs the organization executes at once; audited. What runs already goes on.

    Written under the organization's fence, so that no claim that commits later has seen the old one.
    """
    fence.hold_exclusive(session, actor.organization_id)
    before = place_repository.limit_of(session, actor.organization_id)
    after = None if wanted.is_default else wanted.own_limit or 0
    if before != after:
        place_repository.set_limit(session, actor.organization_id, after)
        evidence = {"limit": {"from": _as_told(before), "to": _as_told(after)}}
        audit.record(session, actor, "queue.limit_changed", ("organization", actor.organization_id), evidence)
        ring(session)
    return queue(session, actor)


def _as_told(own: int | None) -> dict[str, int | bool | None]:
    return {"is_default": own is None, "own_limit": own or None}


def ring(session: Session) -> None:
    """Wake a worker after commit if a run may start by now."""
    default = get_settings().organization_concurrency
    for run_id in queue_repository.in_line(session, default, queued_before=clock.now(), limit=1):
        enqueue(session, EXECUTE_TASK, run_id, queue="terraform")


def workers(session: Session, actor: Actor) -> Page[WorkerOut]:
    """Return every worker of the installation, by name, on one page.

    They serve every organization: one that doesn't operate the installation hears how many there are and what they do,
    and not where.
    """
    may_know = identity.is_operator(session, actor.organization_id)
    since = _alive_since()
    items = [
        WorkerOut(
            name=row.name if may_know else f"worker {number}",
            host=row.host if may_know else None,
            pid=row.pid if may_know else None,
            concurrency=row.permits,
            busy=row.busy,
            started_at=row.started_at,
            seen_at=row.seen_at,
            is_alive=row.seen_at > since,
        )
        for number, row in enumerate(place_repository.workers(session), 1)
    ]
    return Page(items=items)


def _alive_since() -> datetime:
    return clock.now() - timedelta(seconds=ALIVE_SECONDS)
