"""What is looked after beside halts: calls that a dead process left, drills that nobody carries on.

Done by the API process from a thread of its own, so that it works with Redis down, and by the sweep of any worker.
"""

from contextlib import ExitStack

from celery import Celery

from app.core.db import HALT_CONNECTIONS, engine, undone
from app.core.rounds import Rounds
from app.halt import drilling, fanout, service

SWEEP_TASK = "halt.sweep"
LOOK_SECONDS = 5.0


def look_after() -> None:
    """Take over what nobody carries on; safe beside itself."""
    fanout.take_over()
    drilling.end_abandoned()


class Caretaker(Rounds):
    """Looks after halts every few seconds between ``start`` and ``stop``, in this process."""

    def __init__(self) -> None:
        super().__init__(
            "halt-caretaker",
            look_after,
            seconds=LOOK_SECONDS,
            on_failure="halts can't be looked after now",
            first=_get_ready,
        )


def _get_ready() -> None:
    """Open the connections that are kept for halts, and make their statements, so that the first halt need not."""
    with ExitStack() as opened:
        for _ in range(HALT_CONNECTIONS):
            opened.enter_context(engine("halt").connect())
        opened.enter_context(engine("watch").connect())
    with undone("halt") as session:
        service.warm_up(session)


def register(application: Celery) -> None:
    """Register the jobs of halts with a worker's Celery application."""

    @application.task(name=SWEEP_TASK, shared=False)  # type: ignore[untyped-decorator]  # Celery is untyped
    def _sweep() -> None:
        look_after()
