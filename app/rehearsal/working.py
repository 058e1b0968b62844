"""A worker's part of a rehearsal: one batch of plans at a time, kept once, whoever dies in between.

A job names an organization, and is a doorbell: it takes the organization's oldest rehearsal that is not over, unless
another worker's lease on it stands. Nothing depends on how often a batch is done: a result is filled in once, and the
counts are taken from the results. A worker that dies leaves a lease, which runs out; the sweep rings then.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session

from app.core import clock
from app.core.db import unit_of_work
from app.core.errors import AppError, IntegrityError, NotFound
from app.core.jobs import enqueue
from app.core.settings import get_settings
from app.policy import service as policy
from app.policy.schemas import Evaluated, PolicyBundle, PolicyDocument
from app.rehearsal import repository
from app.rehearsal.models import Rehearsal
from app.rehearsal.schemas import MOST_PLANS, Effect
from app.rehearsal.service import ADVANCE_TASK
from app.runs import service as runs
from app.runs.errors import PlanRemoved, RunNotFound

FIRST_BATCH = 1
MOST_AT_ONCE = 64
BATCH_SECONDS = 2.0
"""A worker has one thread beside its runs, and sweeps wait for it."""
MOST_ATTEMPTS = 5
MOST_LATE = 3
BLOCKED = frozenset({"blocked_soft", "blocked_hard"})
_RANKS: tuple[Effect, ...] = ("newly_blocks", "blocks", "warns", "passes", "removed")


@dataclass(frozen=True)
class Plan:
    """One plan of a batch; without ``source`` it is not kept any more."""

    position: int
    verdict_then: str | None
    source: runs.PlanInput | None


@dataclass(frozen=True)
class Batch:
    """What a worker does under one lease."""

    rehearsal_id: str
    bundle: PolicyBundle
    enforcement_level: Any
    waives_unevaluable: bool
    plans: Sequence[Plan]


@dataclass
class Answers:
    """What came of a batch: by position what is said of each plan, and how many took too long."""

    by_position: dict[int, dict[str, Any]] = field(default_factory=dict)
    policy_engine: str | None = None
    late: int = 0
    failure: str | None = None


def advance(organization_id: str) -> None:
    """Evaluate plans of the organization's rehearsal that is in turn, for a while; then ring again for the rest.

    Quiet when there is none, or another worker is at it. No transaction is open while an engine evaluates.
    """
    until = time.monotonic() + BATCH_SECONDS
    while _step(organization_id):
        if time.monotonic() >= until:
            with unit_of_work() as session:
                enqueue(session, ADVANCE_TASK, organization_id)
            return


def _step(organization_id: str) -> bool:
    """Evaluate the next batch; return whether there was one."""
    with unit_of_work() as session:
        batch = _claim(session, organization_id)
    if batch is None:
        return False
    started = time.monotonic()
    answers = _evaluate(batch)
    with unit_of_work() as session:
        _keep(session, batch.rehearsal_id, answers, time.monotonic() - started)
    return True


def ring() -> int:
    """Send again what was lost, and what a dead worker left; return for how many organizations."""
    with unit_of_work() as session:
        waiting = repository.waiting(session, clock.now())
        for organization_id in waiting:
            enqueue(session, ADVANCE_TASK, organization_id)
    return len(waiting)


def _claim(session: Session, organization_id: str) -> Batch | None:
    row = repository.lock_first(session, organization_id)
    now = clock.now()
    if row is None or (row.lease_expires_at is not None and row.lease_expires_at > now):
        return None
    row.started_at = row.started_at or now
    if row.attempts >= MOST_ATTEMPTS:
        why = f"The same plans were begun {row.attempts} times and never came to an end; the workers' logs say more."
        _end(session, row, "errored", why)
        enqueue(session, ADVANCE_TASK, organization_id)
        return None
    row.status, row.attempts = "running", row.attempts + 1
    settings = get_settings()
    row.lease_expires_at = now + timedelta(seconds=settings.lease_seconds + settings.policy_timeout_seconds)
    chosen = repository.open_results(session, row.id, _size(row))
    plans = [
        Plan(result.position, result.verdict_then, _source(session, organization_id, result.run_id))
        for result in chosen
    ]
    session.flush()
    return Batch(row.id, PolicyBundle.model_validate(row.bundle), row.enforcement_level, row.waives_unevaluable, plans)


def _size(row: Rehearsal) -> int:
    """Return how many plans fit into a batch's time, going by those before; a batch that failed comes back smaller."""
    is_first = row.done == 0 or row.busy_seconds <= 0
    wanted = FIRST_BATCH if is_first else int(BATCH_SECONDS * row.done / row.busy_seconds)
    return max(1, min(wanted, MOST_AT_ONCE) >> (row.attempts - 1))


def _source(session: Session, organization_id: str, run_id: str) -> runs.PlanInput | None:
    try:
        return runs.past_input(session, organization_id, run_id)
    except (RunNotFound, PlanRemoved):
        return None


def _evaluate(batch: Batch) -> Answers:
    answers = Answers()
    read: list[Plan] = []

    def documents() -> Iterator[PolicyDocument]:
        # Read as the engines take them, so that few plans are held at once.
        for plan in batch.plans:
            if plan.source is None:
                answers.by_position[plan.position] = _removed()
                continue
            try:
                document = plan.source.document()
            except NotFound:
                # Retention came first.
                answers.by_position[plan.position] = _removed()
            except (IntegrityError, ValueError) as error:
                why = error.detail if isinstance(error, AppError) else f"the stored plan can't be read: {error}"
                answers.by_position[plan.position] = _said(batch, plan, _unreadable(why))
            else:
                read.append(plan)
                yield document

    try:
        for index, evaluated in enumerate(policy.evaluate_many(batch.bundle, documents())):
            answers.by_position[read[index].position] = _said(batch, read[index], evaluated)
            answers.policy_engine = evaluated.policy_engine
            answers.late += evaluated.is_late
    except AppError as error:
        answers.failure = error.detail
    return answers


def _unreadable(why: str) -> Evaluated:
    return Evaluated(outcome="error", error=why, policy_engine=policy.engine_name(), duration_ms=0)


def _removed() -> dict[str, Any]:
    return {"effect": "removed"}


def _said(batch: Batch, plan: Plan, evaluated: Evaluated) -> dict[str, Any]:
    verdict = policy.verdict_of(evaluated.outcome, batch.enforcement_level, waives_unevaluable=batch.waives_unevaluable)
    effect: Effect
    if verdict in BLOCKED:
        effect = "blocks" if plan.verdict_then in BLOCKED else "newly_blocks"
    else:
        effect = "warns" if evaluated.findings or verdict == "advisory" else "passes"
    return {
        "effect": effect,
        "outcome": evaluated.outcome,
        "verdict": verdict,
        "findings": [finding.model_dump() for finding in evaluated.findings],
        "error": evaluated.error,
        "duration_ms": round(evaluated.duration_ms),
    }


def _keep(session: Session, rehearsal_id: str, answers: Answers, seconds: float) -> None:
    """Fill in what came out, unless the rehearsal ended meanwhile; end it when nothing is open any more."""
    row = repository.lock(session, rehearsal_id)
    if row is None or row.status != "running":
        return
    for position, said in answers.by_position.items():
        place = _RANKS.index(said["effect"]) * MOST_PLANS + position
        repository.fill(session, rehearsal_id, position, {**said, "place": place})
    for name, count in repository.counts(session, rehearsal_id).items():
        setattr(row, name, count)
    row.busy_seconds += seconds
    row.late += answers.late
    row.policy_engine = answers.policy_engine or row.policy_engine
    row.lease_expires_at = None
    if answers.by_position:
        row.attempts = 0
    if answers.failure is not None:
        _end(session, row, "errored", answers.failure)
    elif row.done >= row.total:
        _end(session, row, "finished", None)
    elif row.late >= MOST_LATE:
        timeout = get_settings().policy_timeout_seconds
        why = (
            f"{row.late} plans took longer than {timeout:g} s each (SLUICE_POLICY_TIMEOUT_SECONDS), so the other "
            f"{row.total - row.done} were left out. Look for a loop over large sets in the policy."
        )
        _end(session, row, "errored", why)
    session.flush()


def _end(session: Session, row: Rehearsal, status: str, reason: str | None) -> None:
    row.status, row.status_reason = status, reason
    row.finished_at, row.lease_expires_at = clock.now(), None
    session.flush()
