"""The supervisor: the process that owns one run's engine, from the claimed job to the proof of death.

It runs the pipeline in its main thread, keeps the lease in others, and tells the control plane how the run ended,
whatever happens to the worker. It is forked from the nursery; its death ends the engine.
"""

import contextlib
import json
import logging
import signal
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TypeVar

from app.core import clock
from app.core.errors import AppError
from app.core.outbox import outbox
from app.core.settings import Settings, get_settings
from app.executor import accounts, measures, tree
from app.executor.cancel import StopOrder
from app.executor.discovery import Tool
from app.executor.engine import Notice, Output, Site
from app.executor.errors import EngineStopped, ProcessFailed
from app.executor.nursery import Target, retire
from app.executor.options import ExecutorOptions
from app.executor.terraform import TerraformExecutor
from app.runner import engines, failing, fitting, leftovers, moving, proof, steps, workdir
from app.runner.context import Context
from app.runner.feed import Feed
from app.runner.lease import LeaseKeeper
from app.runner.port import (
    Failure,
    HeartbeatAnswer,
    JobBackend,
    LeaseLost,
    Phase,
    ProgressRecord,
    RunnerJob,
    RunnerPort,
    StateAnswer,
    StateKind,
    Timing,
)
from app.runner.reporting import Reporter
from app.runner.seams import Seams
from app.runner.steadfast import insist

_log = logging.getLogger(__name__)
T = TypeVar("T")
# A state is worth waiting for: a control plane that is being upgraded is back within this.
_STATE_PATIENCE_SECONDS = 600.0
_END_PATIENCE_SECONDS = 60.0
_FLUSH_SECONDS = 5.0
_TELL_SECONDS = 0.6
_TARGET = "target"
# How an apply ends whose engine was not started, or has done all that it had begun and left its state.
_LEFT_NOTHING = frozenset({"applied", "superseded"})


class Terminated(ProcessFailed):
    """The supervisor itself was told to end, by its worker or its machine, so its run can't go on."""

    code = "runner_terminated"
    title = "The runner was shut down"


def target(port: Callable[[], RunnerPort]) -> Target:
    """Return what the nursery forks for a claimed job: takes the job as JSON, gives the run's status as JSON.

    ``port`` is called in the forked process, so that it opens connections of its own.
    """

    def supervise(payload: bytes) -> bytes:
        job = RunnerJob.model_validate_json(payload)
        tree.become_reaper()
        status = Supervisor(job, port(), get_settings()).run()
        # The process may end here, or go on with another job, for which it must have no other thread.
        outbox().drain(_TELL_SECONDS)
        return json.dumps({"run_id": job.run_id, "status": status}).encode()

    return supervise


class Supervisor:
    """Executes one job. ``options`` None takes those of the settings."""

    def __init__(
        self,
        job: RunnerJob,
        port: RunnerPort,
        settings: Settings,
        *,
        options: ExecutorOptions | None = None,
    ) -> None:
        self._job = job
        self._port = port
        self._settings = settings
        self._options = options
        self._phase: Phase = "preparing"
        self._raised_in: list[tuple[Exception, Phase]] = []
        self._timings: list[Timing] = []
        self._order: tuple[StopOrder, str] | None = None
        self._is_terminated = False
        self._engines: list[TerraformExecutor] = []
        self._site: Site | None = None
        self._claim: leftovers.Claim | None = None
        self._account: accounts.Account | None = None
        self._state_is_safe = True
        self._masker = fitting.masker(job)
        self._feed = Feed(self._append, self._keep_tail, seams=Seams(self._masker))
        self._reporter = Reporter(self._feed, self._masker)
        self._lease = LeaseKeeper(
            self._beat, self._stop, heartbeat_seconds=job.heartbeat_seconds, lease_seconds=job.lease_seconds
        )

    def run(self) -> str:
        """Execute the job to its end and return the run's status, or what kept it from one."""
        previous = {number: signal.signal(number, self._on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
        status = "errored"
        try:
            status = self._execute()
        except LeaseLost as error:
            retire()
            status = "lease_lost"
            self._evidence("lease_lost", {"phase": self._phase, "message": error.detail})
        except EngineStopped as error:
            # Whatever was cut short may have left something: the next run starts in a process of its own.
            retire()
            status = self._acknowledge(error)
        except AppError as error:
            status = self._fail(error)
        except Exception as error:
            _log.exception("A run failed for a reason that nobody foresaw.", extra={"run_id": self._job.run_id})
            retire()
            status = self._fail(
                AppError(f"The runner failed: {type(error).__name__}. The worker's log has the details.")
            )
        finally:
            if self._job.kind == "apply" and status not in _LEFT_NOTHING:
                self._hand_in_steps()
            self._leave()
            for number, handler in previous.items():
                signal.signal(number, handler)
        return status

    # What the pipeline asks for (context.Stage).

    @property
    def timings(self) -> tuple[Timing, ...]:
        """Return how long each phase took so far."""
        return tuple(self._timings)

    @property
    def resources_applied(self) -> int:
        """Return how many resources the engine reported as done."""
        return self._reporter.resources_applied

    @contextlib.contextmanager
    def phase(self, name: Phase) -> Iterator[None]:
        """Enter a phase; raises ``EngineStopped`` when an order to stop is there, but for `snapshotting`."""
        if self._order is not None and name != "snapshotting":
            order, reason = self._order
            raise EngineStopped(
                f"The run was stopped before {name}: {order.value}. {reason}".strip(), order=order.value
            )
        self._phase = name
        self._lease.enter(name)
        started_at, started = clock.now(), time.monotonic()
        self._feed.add(ProgressRecord(at=started_at, kind="phase", text=name, data={"phase": name}))
        try:
            yield
        except Exception as error:
            self._raised_in.append((error, name))
            raise
        finally:
            self._timings.append(Timing(phase=name, started_at=started_at, seconds=time.monotonic() - started))

    def lay_out(self, archive: bytes | None) -> None:
        """Lay out the configuration, and the generated files over it."""
        assert self._site is not None
        assert self._options is not None
        workdir.lay_out(self._site, archive, self._job.generated_files, owner=self._options.owner)
        if self._job.target is not None:
            beside = {f"{_TARGET}/{name}": text for name, text in self._job.target.generated_files.items()}
            workdir.lay_out(Site(self._site.root), None, beside, owner=self._options.owner)

    def put_state(self, kind: StateKind, data: bytes) -> StateAnswer:
        """Store a state; when that can't be done, the directory that holds it stays."""
        self._state_is_safe = False
        answer = insist(
            "put_state",
            lambda: self._port.put_state(self._job.run_id, self._job.fencing_token, kind, data),
            for_seconds=_STATE_PATIENCE_SECONDS,
        )
        self._state_is_safe = True
        return answer

    def insist(self, what: str, call: Callable[[], T]) -> T:
        """Make a call to the control plane again while it is away."""
        return insist(what, call, for_seconds=_END_PATIENCE_SECONDS)

    def flush(self) -> None:
        """Let every line so far arrive before the run's end does."""
        self._feed.flush(_FLUSH_SECONDS)

    def hurry(self) -> None:
        """Send every line so far on its way."""
        self._feed.hurry()

    # Steps of its own.

    def _execute(self) -> str:
        job = self._job
        tool = engines.choose(self._settings, job.engine, job.planned_engine)
        if self._options is None:
            self._options = ExecutorOptions.from_settings(
                self._settings, grace_seconds=job.grace_seconds, timeout_seconds=job.timeout_seconds
            )
        if warning := measures.without_sandbox(self._settings, self._options):
            self._feed.line(f"Warning: {warning}")
        elif self._options.owner.id is not None:
            self._account, warning = fitting.take_account(job.run_id)
            if warning is not None:
                self._feed.line(f"Warning: {warning}")
            self._options = self._options.under(self._account)
        # Without a sandbox the directory's own path is what the engine sees, so plan and apply share one name.
        name = job.run_id if self._options.tools is not None else job.planned_run_id or job.run_id
        self._site = workdir.make(
            workdir.base_directory(self._settings), name, module_path=job.module_path, owner=self._options.owner
        )
        self._claim = leftovers.Claim(self._site, job)
        engine = self._make_engine(tool, self._site, job, self._options)
        target = None
        if job.target is not None:
            target = self._make_engine(tool, Site(self._site.root, _TARGET), job.target, self._options)
        context = Context(
            job, self._port, engine, self, self._masker, engine_info=engines.describe(tool), target=target
        )
        return moving.pipeline_of(job)(context)

    def _make_engine(
        self, tool: Tool, site: Site, backend: RunnerJob | JobBackend, options: ExecutorOptions
    ) -> TerraformExecutor:
        """Return the engine in one directory with one backend; orders to stop reach it from here on."""
        made = fitting.executor(
            self._job,
            backend,
            tool=tool,
            site=site,
            options=options,
            settings=self._settings,
            report=self._hear,
        )
        self._engines.append(made)
        if self._order is not None:
            made.interrupt(self._order[0])
        return made

    def _acknowledge(self, error: EngineStopped) -> str:
        order = self._order[0] if self._order is not None else StopOrder.CANCEL
        if self._is_terminated:
            return self._fail(
                Terminated(
                    "The worker was shut down before this run had ended, and its engine was stopped; the state that it "
                    "reached is kept. Plan again. (Runs may go on for SLUICE_DRAIN_SECONDS after their worker is told "
                    "to end.)"
                )
            )
        if order is StopOrder.LEASE_LOST:
            self._evidence("stopped", {"order": order.value, "phase": self._phase, "message": error.detail})
            return "lease_lost"
        self.flush()
        self._tell_end(
            "acknowledge",
            lambda: self._port.acknowledge(self._job.run_id, self._job.fencing_token, self._failure(error)),
        )
        return "cancelled"

    def _fail(self, error: AppError) -> str:
        said = failing.words(error, self._masker)
        self._feed.add(
            ProgressRecord(
                at=clock.now(),
                kind="event",
                text=said if said.startswith("Error") else f"Error: {said}",
                data={"type": "run.error", "level": "error", "code": error.code},
            )
        )
        self.flush()
        failure = self._failure(error)
        self._tell_end("fail", lambda: self._port.fail(self._job.run_id, self._job.fencing_token, failure))
        return "errored"

    def _tell_end(self, what: str, call: Callable[[], None]) -> None:
        self._lease.end_orders()
        try:
            self.insist(what, call)
        except LeaseLost as error:
            self._evidence("lease_lost", {"phase": self._phase, "message": error.detail, "untold": what})
        except Exception:
            # The sweep will end the run by its lease.
            _log.exception("The end of a run could not be told.", extra={"run_id": self._job.run_id, "call": what})

    def _failure(self, error: AppError) -> Failure:
        # Not the present phase: a failed apply's state is stored in a phase of its own before the end is told.
        phase = next((name for raised, name in self._raised_in if raised is error), self._phase)
        is_apply = self._job.kind == "apply"
        return failing.failure(
            error,
            phase,
            self._masker,
            timings=self.timings,
            resources_applied=self._reporter.resources_applied if is_apply else None,
            resources_total=self._reporter.resources_total if is_apply else None,
        )

    def _hand_in_steps(self) -> None:
        """Say what an apply had begun that did not end well; when that can't be told, its directory stays."""
        if self._site is None:
            return
        try:
            is_ended = self._state_is_safe and all(steps.ended_by_itself(engine.ends) for engine in self._engines)
            found = steps.gather(self._site, masker=self._masker, is_ended=is_ended)
            insist(
                "put_steps",
                lambda: self._port.put_steps(self._job.run_id, self._job.fencing_token, found),
                for_seconds=_STATE_PATIENCE_SECONDS,
            )
        except Exception:
            self._state_is_safe = False
            _log.exception("What an apply had begun could not be told.", extra={"run_id": self._job.run_id})

    def _leave(self) -> None:
        """Take the directory away, say the last lines, and leave the proof of death."""
        if self._site is not None and self._state_is_safe:
            try:
                workdir.remove(self._site)
            except OSError as error:
                _log.warning("A run's directory could not be removed: %s", error, extra={"run_id": self._job.run_id})
        if self._claim is not None:
            self._claim.release()
        if self._account is not None:
            self._account.release()
        self._feed.close(_END_PATIENCE_SECONDS if self._order is None else _FLUSH_SECONDS)
        proven = proof.of(self._engines)
        if proven is None:
            retire()
            self._evidence("unproven_death", {"message": "a process of the engine could not be proven dead"})
        else:
            try:
                self.insist("quiesce", lambda: self._port.quiesce(self._job.run_id, self._job.fencing_token, proven))
            except Exception as error:
                # Then the sweep presumes it, by the lease.
                _log.warning("A run could not quiesce: %s", error, extra={"run_id": self._job.run_id})
        self._lease.close()

    def _evidence(self, kind: str, data: dict[str, object]) -> None:
        try:
            self.insist(
                "evidence",
                lambda: self._port.evidence(
                    self._job.run_id,
                    self._job.fencing_token,
                    kind,
                    self._masker.shown_value(json.loads(json.dumps(data))),
                ),
            )
        except Exception as error:
            _log.warning("Evidence could not be left: %s", error, extra={"run_id": self._job.run_id, "kind": kind})

    # Called by other threads and by signals.

    def _hear(self, output: Output | Notice) -> None:
        self._lease.give_way()
        self._reporter.take(output)

    def _append(self, records: list[ProgressRecord]) -> None:
        self._lease.give_way()
        self._port.append(self._job.run_id, self._job.fencing_token, records)

    def _keep_tail(self, records: list[ProgressRecord]) -> None:
        self._evidence("log_tail", {"records": [record.model_dump(mode="json") for record in records]})

    def _beat(self, phase: Phase | None) -> HeartbeatAnswer:
        return self._port.heartbeat(self._job.run_id, self._job.fencing_token, phase)

    def _stop(self, order: StopOrder, reason: str) -> None:
        self._order = (order, reason)
        self._feed.line(f"Stopping: {order.value}{f' ({reason})' if reason else ''}.")
        for engine in self._engines:
            engine.interrupt(order)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self._is_terminated = True
        retire()
        if self._order is None:
            self._order = (StopOrder.CANCEL, signal.Signals(number).name)
        for engine in self._engines:
            engine.interrupt(StopOrder.CANCEL)
