"""Celery composition root: the tasks of every slice, and the nursery that supervisors are forked from.

The nursery is forked when the worker starts, before it has threads or connections, with the runner and the
``RunnerPort`` that ``runs`` implements already loaded.
"""

import gc
import logging
import os
import signal
import threading
from collections.abc import Callable
from functools import wraps
from types import FrameType
from typing import Any

from celery import Celery
from celery.signals import worker_init, worker_ready, worker_shutdown, worker_shutting_down

from app import registry
from app.audit import tasks as audit_tasks
from app.core.artifacts import artifact_store
from app.core.broker import celery_app
from app.core.errors import AppError
from app.core.frozen import FrozenWatch
from app.core.installation import claim_artifacts
from app.core.settings import get_settings
from app.executor import control_group, measures
from app.executor.nursery import Child, Nursery
from app.halt import tasks as halt_tasks
from app.identity import tasks as identity_tasks
from app.notifications import tasks as notifications_tasks
from app.policy import tasks as policy_tasks
from app.progress import tasks as progress_tasks
from app.recovery import tasks as recovery_tasks
from app.rehearsal import tasks as rehearsal_tasks
from app.runner import leftovers, supervisor, upkeep
from app.runs import retention_tasks, warmup
from app.runs import tasks as runs_tasks
from app.runs.draining import Drain, Limits
from app.runs.lookout import Lookout
from app.runs.port import InProcessPort
from app.runs.pulse import Pulse
from app.state import tasks as state_tasks

RUNS_OF_A_SUPERVISOR = 50
"""One after another; then the process ends, and with it whatever of memory it gathered."""
_TASKS = (
    retention_tasks,
    audit_tasks,
    policy_tasks,
    state_tasks,
    progress_tasks,
    recovery_tasks,
    notifications_tasks,
    rehearsal_tasks,
    identity_tasks,
    halt_tasks,
)
_log = logging.getLogger(__name__)


class NurseryOfWorker:
    """The worker's nursery: forked at the worker's start, closed at its end."""

    def __init__(self, drain: Drain) -> None:
        self._nursery: Nursery | None = None
        self._drain = drain
        self._is_closed = False

    def open(self) -> None:
        """Fork the nursery."""
        targets = {
            runs_tasks.SUPERVISE: supervisor.target(InProcessPort),
            runs_tasks.RECOVER: leftovers.target(InProcessPort),
            runs_tasks.CHECK_CACHE: upkeep.target(),
        }
        # What is loaded lives to the end in both: a collector that leaves it alone writes to none of its pages, which
        # stay shared.
        gc.collect()
        gc.freeze()
        self._nursery = Nursery.fork(
            targets, prepare=warmup.warm, ready=warmup.be_ready, most_jobs=RUNS_OF_A_SUPERVISOR
        )
        _log.info("nursery forked", extra={"pid": self._nursery.pid})
        # After the fork: an object store's client has threads, which a fork would lose.
        _check_artifacts()
        self._drain.watch()
        self._nursery.start(runs_tasks.RECOVER, b"").close()
        if get_settings().terraform_plugin_cache_dir is not None:
            self._nursery.start(runs_tasks.CHECK_CACHE, b"").close()
        threading.Thread(target=self._end_with, args=(self._nursery,), name="nursery-watch", daemon=True).start()

    def _end_with(self, nursery: Nursery) -> None:
        """End the worker at once when its nursery dies: another must be forked before there are threads.

        Whoever keeps the worker running starts another one. Supervisors that run go on without both, so nothing is
        drained, which might stop them.
        """
        nursery.wait_end()
        if not self._is_closed:
            _log.critical("the nursery has died, so this worker ends", extra={"pid": nursery.pid})
            logging.shutdown()
            os._exit(1)

    def close(self) -> None:
        """Ask for no more children; those that run go on to their end."""
        self._is_closed = True
        if self._nursery is not None:
            self._nursery.close()

    def has_ended(self) -> bool:
        """Whether this worker can start nothing: its nursery is gone, or was never there."""
        return self._nursery is None or self._nursery.has_ended()

    def start(self, target: str, payload: bytes) -> Child:
        """Fork a supervisor for a job."""
        if self._nursery is None:
            raise RuntimeError("the nursery is forked when the worker starts")
        return self._nursery.start(target, payload)


def _check_artifacts() -> None:
    """Try the artifact store, and make sure that it is ours. Raises ``SystemExit``: a worker can do nothing without."""
    try:
        artifact_store().check()
        claim_artifacts()
    except AppError as error:
        _log.error("the artifact store can't be used", extra={"code": error.code, "detail": error.detail})
        raise SystemExit(f"sluice: {error.detail}") from error


def _or_ends(receiver: Callable[..., None]) -> Callable[..., None]:
    """Return a receiver of a signal that ends the worker when it fails.

    Celery logs what a receiver raises and goes on, but for ``SystemExit``. A worker that is half started would take
    runs, and start none of them.
    """

    @wraps(receiver)
    def guarded(**facts: Any) -> None:
        try:
            receiver(**facts)
        except Exception as error:
            _log.critical("the worker can't start, so it ends", exc_info=True)
            raise SystemExit(f"sluice: the worker can't start: {error}") from error

    return guarded


def _take_signals(drain: Drain) -> None:
    """Let the first signal that asks for an end drain, and each further one hurry.

    Celery's own handlers would take a second one for a reason to drop what runs.
    """
    warm = signal.getsignal(signal.SIGTERM)

    def on_signal(number: int, frame: FrameType | None) -> None:
        is_first = not drain.is_begun
        drain.begin()
        if is_first and callable(warm):
            warm(number, frame)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, on_signal)


def create_worker() -> Celery:
    """Return the Celery application with every slice's tasks and subscribers connected."""
    registry.connect()
    application = celery_app()
    settings = get_settings()
    drain = Drain(Limits(settings.drain_seconds, settings.grace_seconds))
    nursery = NurseryOfWorker(drain)

    def on_init(**_: Any) -> None:
        control_group.settle()
        control_group.sweep()
        held = measures.of(get_settings())
        if held.warning is not None:
            _log.warning(held.warning)
        _log.info(held.text)
        nursery.open()

    executions = runs_tasks.register(application, nursery, drain)
    pulse, lookout, frozen_watch = Pulse(executions), Lookout(executions), FrozenWatch()

    def on_ready(**_: Any) -> None:
        _take_signals(drain)
        frozen_watch.start()
        takes_runs = runs_tasks.QUEUE in application.amqp.queues.consume_from
        pulse.start(takes_runs=takes_runs)
        lookout.start(takes_runs=takes_runs)

    def on_shutting_down(**_: Any) -> None:
        if not drain.is_begun:
            drain.begin()

    def on_shutdown(**_: Any) -> None:
        lookout.stop()
        frozen_watch.stop(wait_seconds=1)
        pulse.stop()
        nursery.close()
        drain.finish()

    worker_init.connect(_or_ends(on_init), weak=False)
    worker_ready.connect(_or_ends(on_ready), weak=False)
    worker_shutting_down.connect(on_shutting_down, weak=False)
    worker_shutdown.connect(on_shutdown, weak=False)
    for tasks in _TASKS:
        tasks.register(application)
    return application


app = create_worker()
