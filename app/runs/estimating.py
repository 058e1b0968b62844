"""How long an apply is likely to take, from what its workspace's last applies took. Pure, but for the reading.

A resource takes the median of what it took itself, by address and action; else of what its type took. The whole takes
the median of what applies spent besides, and of what resources take together, as many at once as there used to be; the
longest of them at least.
"""

import json
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from sqlalchemy.orm import Session

from app.core.permissions import Actor
from app.progress import service as progress
from app.progress.service import Timed
from app.runs import presenting, repository
from app.runs.errors import RunNotFound
from app.runs.machine import Status
from app.runs.models import TerraformRun
from app.runs.schemas import EstimateOut, PastApply, ResourceEstimate

APPLIES = 5
_STEPS = {
    "create": ("create",),
    "update": ("update",),
    "delete": ("delete",),
    "replace": ("delete", "create"),
}


class Change(NamedTuple):
    """A resource that a plan changes, in the plan's words."""

    address: str
    resource_type: str
    action: str


class Past(NamedTuple):
    """One apply that has ended: seconds in all, and in the phase that applies."""

    run_id: str
    seconds: float
    applying_seconds: float


def of_run(session: Session, actor: Actor, run_id: str) -> EstimateOut:
    """Return the estimate of a plan's apply, or of an apply by its plan. Raises ``RunNotFound`` and ``PlanRemoved``."""
    view = json.loads(presenting.plan_view(session, actor, run_id))
    run = repository.get(session, actor.organization_id, run_id)
    if run is None:
        raise RunNotFound(f"There is no run {run_id}.")
    changes = [Change(item["address"], item["type"], item["action"]) for item in view.get("resources", ())]
    history = [timed for timed in progress.history(session, run.workspace_id, APPLIES + 1) if timed.run_id != run_id]
    past: list[Past] = []
    for other_id in dict.fromkeys(timed.run_id for timed in history):
        found = _past(repository.get(session, actor.organization_id, other_id))
        if found is not None and len(past) < APPLIES:
            past.append(found)
    return estimate(changes, history, past)


def _past(run: TerraformRun | None) -> Past | None:
    if run is None or run.status != Status.APPLIED or run.claimed_at is None or run.finished_at is None:
        return None
    applying = sum(item["seconds"] for item in run.timings if item["phase"] == "applying")
    return Past(run.id, (run.finished_at - run.claimed_at).total_seconds(), applying)


def estimate(changes: Iterable[Change], history: Sequence[Timed], past: Sequence[Past]) -> EstimateOut:
    """Return what the changes are likely to take, by what resources took in the past applies."""
    known = {apply.run_id for apply in past}
    history = [timed for timed in history if timed.run_id in known]
    resources = _resources(changes, history)
    applies = [PastApply(run_id=apply.run_id, seconds=round(apply.seconds, 3)) for apply in past]
    usual = round(statistics.median(apply.seconds for apply in past), 3) if past else None
    if not past:
        return EstimateOut(seconds=None, usual_seconds=None, at_once=None, resources=resources, applies=[])
    work: dict[str, float] = defaultdict(float)
    for timed in history:
        work[timed.run_id] += timed.seconds
    at_once = max(1.0, statistics.median(work[run.run_id] / max(run.applying_seconds, 0.001) for run in past))
    beside = statistics.median(max(0.0, run.seconds - run.applying_seconds) for run in past)
    least = statistics.median(max(0.0, run.applying_seconds - work[run.run_id]) for run in past)
    overall = statistics.median(timed.seconds for timed in history) if history else 0.0
    taking = [found.seconds if found.seconds is not None else overall for found in resources]
    seconds = beside + least + max([sum(taking) / at_once, *taking], default=0.0)
    return EstimateOut(
        seconds=round(seconds, 3),
        usual_seconds=usual,
        at_once=round(at_once, 2),
        resources=resources,
        applies=applies,
    )


def _resources(changes: Iterable[Change], history: Sequence[Timed]) -> list[ResourceEstimate]:
    by_address: dict[tuple[str, str], list[float]] = defaultdict(list)
    by_type: dict[tuple[str, str], list[float]] = defaultdict(list)
    for timed in history:
        by_address[timed.address, timed.action].append(timed.seconds)
        by_type[timed.resource_type, timed.action].append(timed.seconds)
    found = []
    for change in changes:
        steps = _STEPS.get(change.action)
        if steps is None:
            continue
        own = [by_address.get((change.address, step)) for step in steps]
        alike = [by_type.get((change.resource_type, step)) for step in steps]
        basis: Literal["address", "type"]
        if all(own):
            seconds, basis = sum(statistics.median(taken or ()) for taken in own), "address"
        elif all(mine or other for mine, other in zip(own, alike, strict=True)):
            seconds = sum(statistics.median(mine or other or ()) for mine, other in zip(own, alike, strict=True))
            basis = "type"
        else:
            found.append(ResourceEstimate(address=change.address, action=change.action, seconds=None, basis="none"))
            continue
        found.append(
            ResourceEstimate(address=change.address, action=change.action, seconds=round(seconds, 3), basis=basis)
        )
    return found
