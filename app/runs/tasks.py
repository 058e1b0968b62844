"""Tasks of runs: thin, with ids as arguments; each returns quietly when it lost its claim."""

import logging
import os
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Protocol

from celery import Celery
from sqlalchemy.orm import Session

from app.approvals import service as approvals
from app.core import clock
from app.core.db import unit_of_work
from app.core.errors import NotFound
from app.core.impatience import past_frozen
from app.core.settings import get_settings
from app.executor.errors import NurseryGone
from app.executor.nursery import Child
from app.runner.port import ProofOfDeath, RunnerJob, WorkerInfo
from app.runner.steadfast import insist
from app.runs import deciding, ending, gate_repository, overriding, repository, service, settling
from app.runs.draining import Drain
from app.runs.port import InProcessPort
from app.runs.requesting import EXECUTE_TASK
from app.workspaces import service as workspaces

QUEUE = "terraform"
"""The queue that workers which execute runs serve."""
SUPERVISE = "supervise"
RECOVER = "recover"
CHECK_CACHE = "check_cache"
RECOVERY_SECONDS = 60.0
SWEEP_TASK = "runs.sweep"
RECHECK_TASK = "runs.recheck"
PERMIT_SECONDS = 1.0
_log = logging.getLogger(__name__)


class Starter(Protocol):
    """Starts supervisors outside the worker's tree (the nursery)."""

    def start(self, target: str, payload: bytes) -> Child:
        """Fork a supervisor for a job."""

    def has_ended(self) -> bool:
        """Whether nothing can be started any more."""


class Executions:
    """What one worker executes at once: as many supervisors as it has permits.

    Messages are doorbells, PostgreSQL is the queue: whoever hears one takes the run that goes first, whichever it is,
    and whoever ends a run the next. So a message that finds every permit taken is dropped without loss (and the sweep
    rings again for what nobody took).
    """

    def __init__(self, starter: Starter, permits: int, drain: Drain) -> None:
        self._starter = starter
        self._drain = drain
        self._most = permits
        self._permits = threading.BoundedSemaphore(permits)
        self._counting = threading.Lock()
        self.busy = 0
        """Runs that are executed now."""

    @property
    def permits(self) -> int:
        """Runs that are executed at once at most; none once the worker drains."""
        return 0 if self._drain.is_begun else self._most

    def execute(self) -> None:
        """Execute the run that goes first, then the next, until none may start.

        Raises ``NurseryGone`` when nothing can be started here any more; what is queued stays queued.
        """
        if not self._permits.acquire(timeout=PERMIT_SECONDS):
            return
        try:
            lost: set[str] = set()
            while not self._drain.is_begun:
                if self._starter.has_ended():
                    # What it claimed now would only wait for its lease to run out.
                    raise NurseryGone("The nursery has ended, so this worker can start nothing more.")
                run_id, job = InProcessPort().claim_next(this_worker(), lost)
                if run_id is None:
                    return
                if job is None:
                    lost.add(run_id)
                    continue
                # What was lost a while ago may be this worker's to take by now.
                lost.clear()
                self._count(1)
                try:
                    watch(self._starter, job, self._drain)
                finally:
                    self._count(-1)
        finally:
            self._permits.release()

    def _count(self, more: int) -> None:
        with self._counting:
            self.busy += more


def this_worker() -> WorkerInfo:
    """Return who claims here."""
    return WorkerInfo(name=f"{socket.gethostname()}:{os.getpid()}", host=socket.gethostname(), pid=os.getpid())


def watch(starter: Starter, job: RunnerJob, drain: Drain) -> None:
    """Start the supervisor of a claimed run and watch it to its end; one that dies is reported as dead."""
    try:
        child = starter.start(SUPERVISE, job.model_dump_json().encode())
        with drain.watching(child.pid):
            end = child.wait()
    except NurseryGone:
        # Nobody can say whether the supervisor lives: its lease will.
        _log.error("the nursery is gone; leases decide over what it started", extra={"run_id": job.run_id})
        raise
    if end is not None and end.result is None:
        recover_leftovers(starter)
        proof = _proof(job, end.pid, end.exit_code, end.signal)
        insist(
            "report_death",
            lambda: InProcessPort().report_death(job.run_id, job.fencing_token, proof),
            # Later the sweep has presumed it.
            for_seconds=2 * job.lease_seconds + job.grace_seconds,
        )


def recover_leftovers(starter: Starter) -> None:
    """Hand in what dead supervisors of this machine left on its disk, while their runs may still write state."""
    try:
        starter.start(RECOVER, b"").wait(RECOVERY_SECONDS)
    except NurseryGone:
        _log.error("the nursery is gone; what dead supervisors left is handed in at the next start")


def _proof(job: RunnerJob, pid: int, exit_code: int | None, signal: int | None) -> ProofOfDeath:
    return ProofOfDeath(
        kind="wait_status",
        at=clock.now(),
        pid=pid,
        exit_code=exit_code,
        signal=signal,
        detail=f"The supervisor of {job.run_id} was waited for; its engine dies with it.",
    )


def sweep() -> None:
    """End runs whose lease ran out, drop plans, approvals and overrides that are too old, send lost jobs again.

    Safe beside itself, and held up neither by a process that was frozen while it held a lock nor by a run that can't
    be swept.
    """
    with unit_of_work() as session:
        expired = list(repository.expired(session, clock.now()))
        outdated = list(gate_repository.too_old(session, workspaces.ages(session), clock.now()))
        undecided = list(_with_expired_approvals(session))
        overridden = approvals.due_overrides(session)
    _each(
        [
            *((run_id, partial(ending.expire, run_id=run_id)) for run_id in expired),
            *((run_id, partial(deciding.supersede_outdated, run_id=run_id)) for run_id in outdated),
            *((run_id, partial(deciding.void_expired, run_id=run_id)) for run_id in undecided),
            *((run_id, partial(overriding.end_expired, run_id=run_id)) for run_id in overridden),
            ("jobs", service.resend_unsent),
        ]
    )


def _each(steps: Sequence[tuple[str, Callable[[Session], object]]]) -> None:
    """Take each step in a transaction of its own; one that can't be taken keeps nobody from the others.

    Raises what the first of those raised, once all were tried. Quiet about what is gone by now.
    """
    failed: Exception | None = None
    for about, step in steps:
        try:
            with unit_of_work() as session, past_frozen(session):
                step(session)
        except NotFound:
            continue
        except Exception as error:
            _log.warning("left to the next sweep", extra={"about": about, "error": repr(error)})
            failed = failed or error
    if failed is not None:
        raise failed


def _with_expired_approvals(session: Session) -> list[str]:
    validity = dict(workspaces.validities(session))
    waiting = gate_repository.undecided_in(session, validity) if validity else []
    return approvals.with_expired(session, {run_id: validity[workspace_id] for run_id, workspace_id in waiting})


def recheck() -> None:
    """Do for what waits at the gate what messages that were lost would have done: supersede it, evaluate it again."""
    with unit_of_work() as session:
        waiting = list(repository.workspaces_at_gate(session))
    _each([(workspace_id, partial(_recheck, workspace_id=workspace_id)) for workspace_id in waiting])


def _recheck(session: Session, workspace_id: str) -> None:
    deciding.supersede_moved(session, workspace_id)
    settling.reevaluate_moved(session, workspace_id)


def supersede_moved(workspace_id: str) -> None:
    """Supersede what waits in a workspace whose state moved, and in those that read its outputs.

    A transaction a workspace. A plan of a reader that settles beside this is waited for, by its workspace's lock.
    """
    with unit_of_work() as session:
        deciding.supersede_moved(session, workspace_id)
        readers = repository.readers_of(session, workspace_id)
    for reader_id in readers:
        with suppress(NotFound), unit_of_work() as session:
            deciding.supersede_moved(session, reader_id)


def register(application: Celery, starter: Starter, drain: Drain) -> Executions:
    """Register the tasks of runs with a worker's Celery application; return what it executes."""
    executions = Executions(starter, get_settings().worker_concurrency, drain)

    @application.task(name=EXECUTE_TASK, shared=False)  # type: ignore[untyped-decorator]  # Celery is untyped
    def _execute(run_id: str) -> None:
        _log.debug("rung", extra={"run_id": run_id})
        executions.execute()

    @application.task(name=SWEEP_TASK, shared=False)  # type: ignore[untyped-decorator]  # Celery is untyped
    def _sweep() -> None:
        sweep()

    @application.task(name=RECHECK_TASK, shared=False)  # type: ignore[untyped-decorator]  # Celery is untyped
    def _recheck_gates() -> None:
        recheck()

    @application.task(name=deciding.SUPERSEDE_TASK, shared=False)  # type: ignore[untyped-decorator]  # Celery is untyped
    def _supersede(workspace_id: str) -> None:
        supersede_moved(workspace_id)

    @application.task(name=settling.REEVALUATE_TASK, shared=False)  # type: ignore[untyped-decorator]  # Celery is untyped
    def _reevaluate(run_id: str) -> None:
        settling.reevaluate(run_id)

    return executions
