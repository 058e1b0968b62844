"""Waits for a run while it shows its log and how far it is, on standard error."""

from typing import TYPE_CHECKING, Any, Self

import typer

from app.cli.output import console, say, styled
from app.cli.program import INTERRUPTED
from app.client import ended, settled

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from app.client import ProgressPage, Record, Run, SluiceClient

_PHASES = ("preparing", "initializing", "planning", "checking_policies")
_LEVELS = {"error": "red", "warn": "yellow", "warning": "yellow"}


def print_record(out: "Console", record: "Record") -> None:
    """Write a record's text, if it has any."""
    if record.kind == "phase":
        out.print(styled(f"== {str(record.data.get('phase') or record.text).replace('_', ' ')}", "bold"))
    elif record.type == "run.error" and record.data.get("code") == "engine_failed":
        # The engine has said it itself, just before.
        return
    elif record.text:
        out.print(styled(record.text, _LEVELS.get(str(record.data.get("level", "")), "")))


class Show:
    """Shows records as they come: the log, and on a terminal a bar by phase, or while applying by step.

    ``total`` is how many steps an apply has, where that is known, and ``estimate`` what it is likely to take.
    """

    def __init__(
        self, *, quiet: bool = False, total: int | None = None, estimate: "dict[str, Any] | None" = None
    ) -> None:
        self._console = console(stderr=True)
        self._quiet = quiet
        self._total = total
        self._applied = self._refreshed = self._planned = 0
        self._phase = "queued"
        self._place = ""
        self._likely = Likely(estimate or {})
        self._progress: Any = None
        self._task: Any = None
        if self._console.is_terminal:
            from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

            self._progress = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(),
                TimeElapsedColumn(),
                console=self._console,
                transient=True,
            )
            self._task = self._progress.add_task("queued", total=total or len(_PHASES))

    def __enter__(self) -> Self:
        if self._progress is not None:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress is not None:
            self._progress.stop()

    def page(self, page: "ProgressPage") -> None:
        """Take what came."""
        for record in page.records:
            self._count(record)
            if not self._quiet:
                print_record(self._console, record)
        if self._progress is not None and page.records:
            self._progress.update(self._task, description=self._describe(), completed=self._completed())

    def run(self, run: "Run") -> None:
        """Say where a run stands in the queue, whenever that is another place."""
        place = run.queue.words if run.queue is not None and run.queue.code != "starting" else ""
        if place and place != self._place and not self._quiet:
            self._console.print(styled(place, "dim"))
        if self._progress is not None and self._phase == "queued":
            self._progress.update(self._task, description=place or "queued")
        self._place = place

    def _count(self, record: "Record") -> None:
        if record.kind == "phase":
            self._phase = str(record.data.get("phase") or self._phase)
        elif record.type == "apply_complete":
            self._applied += 1
            self._likely.done(str(record.data.get("address", "")))
        elif record.type == "refresh_complete":
            self._refreshed += 1
        elif record.type == "planned_change":
            self._planned += 1

    def _describe(self) -> str:
        words = self._phase.replace("_", " ")
        if self._total:
            return f"{words} {self._applied}/{self._total} steps{self._likely.words()}"
        seen = [f"{self._refreshed} refreshed"] * bool(self._refreshed) + [f"{self._planned} changes"] * bool(
            self._planned
        )
        return f"{words}{' · ' if seen else ''}{', '.join(seen)}"

    def _completed(self) -> int:
        if self._total:
            return self._applied
        return _PHASES.index(self._phase) if self._phase in _PHASES else 0


class Likely:
    """What is left of an estimate while resources are done."""

    def __init__(self, estimate: "dict[str, Any]") -> None:
        self._seconds: float | None = estimate.get("seconds")
        self._at_once: float = estimate.get("at_once") or 1.0
        self._left = {item["address"]: item["seconds"] or 0.0 for item in estimate.get("resources") or ()}
        self._all = sum(self._left.values())

    def done(self, address: str) -> None:
        """Note that a resource is done."""
        self._left.pop(address, None)

    def words(self) -> str:
        """Return how long it still takes, for people; nothing where no estimate is."""
        if self._seconds is None:
            return ""
        left = sum(self._left.values())
        beside = max(0.0, self._seconds - self._all / self._at_once)
        return f" · about {spoken(max(1.0, beside / 2 + left / self._at_once))} left"


def spoken(seconds: float) -> str:
    """Return seconds as people say them."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def wait_for(
    client: "SluiceClient",
    run: "Run",
    until: "Callable[[Run], bool]",
    *,
    quiet: bool = False,
    timeout_seconds: float | None = None,
    total: int | None = None,
    estimate: "dict[str, Any] | None" = None,
    as_json: bool = False,
) -> "Run":
    """Wait for a run, showing what happens. Ctrl-C leaves it going, says how to cancel it, and exits 130."""
    try:
        with Show(quiet=quiet, total=total, estimate=estimate) as show:
            return client.wait(run.id, until, on_page=show.page, on_run=show.run, timeout_seconds=timeout_seconds)
    except KeyboardInterrupt:
        say(
            f"\nsluice: no longer waiting; run {run.id} goes on.\n"
            f"  Follow it: sluice logs -f {run.id}\n  Cancel it: sluice cancel {run.id}\n  {run.url}"
        )
        if as_json:
            _print_interrupted(run)
        raise typer.Exit(INTERRUPTED) from None


def _print_interrupted(run: "Run") -> None:
    from app.cli.output import print_json

    detail = f"Interrupted while waiting. Run {run.id} goes on; `sluice cancel {run.id}` cancels it."
    problem = {"type": "urn:sluice:error:interrupted", "title": "Interrupted", "status": None, "code": "interrupted"}
    print_json({**problem, "detail": detail, "run": {"id": run.id, "url": run.url}})


def wait_for_plan(
    client: "SluiceClient", run: "Run", *, quiet: bool, timeout_seconds: float | None, as_json: bool
) -> "Run":
    """Wait until a plan is at the gate or has ended; one that is approved by then is followed to its apply's end."""
    options = {"quiet": quiet, "timeout_seconds": timeout_seconds, "as_json": as_json}
    run = wait_for(client, run, settled, **options)  # type: ignore[arg-type]
    if run.status == "approved" and run.child_run_id is not None:
        wait_for_apply(client, run, run.child_run_id, **options)  # type: ignore[arg-type]
        run = client.wait(run.id, ended)
    return run


def wait_for_apply(
    client: "SluiceClient", plan: "Run", apply_id: str, *, quiet: bool, timeout_seconds: float | None, as_json: bool
) -> "Run":
    """Wait until an apply has ended. ``plan`` is any run that shows the counts."""
    from app.client import calls

    total = plan.summary.steps if plan.summary is not None else None
    run = client.send(calls.get_run(apply_id))
    if ended(run):
        return run
    return wait_for(
        client,
        run,
        ended,
        quiet=quiet,
        timeout_seconds=timeout_seconds,
        total=total,
        estimate=estimate_of(client, plan.id),
        as_json=as_json,
    )


def estimate_of(client: "SluiceClient", run_id: str) -> "dict[str, Any] | None":
    """Return what a run's apply is likely to take; None where nothing is known, or the server knows no estimates."""
    from app.client import ApiError, calls

    try:
        estimate: dict[str, Any] = client.send(calls.get_estimate(run_id))
    except ApiError:
        return None
    return estimate if estimate.get("seconds") is not None else None
