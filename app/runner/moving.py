"""Rollbacks, step by step in reading order: runs that move a state and change no resource.

No configuration is laid out, so nothing of a user's code runs. The plan is what the control plane says that differs;
its plan file is the state to write, so an approval signs those very bytes.
"""

import json
from collections.abc import Callable
from typing import Any

from app.runner import pipeline
from app.runner.pipeline import Context, KindUnsupported, StateNotKept
from app.runner.port import ApplyOutcome, PlanOutcome, RunnerJob


def pipeline_of(job: RunnerJob) -> Callable[[Context], str]:
    """Return the pipeline that executes the job."""
    if job.kind == "apply":
        return _APPLIES.get(job.planned_kind or "plan", pipeline.apply)
    return _PLANS.get(job.kind, pipeline.plan)


def plan_rollback(context: Context) -> str:
    """Outline what the state will say otherwise, check the policies, and settle. Returns the run's status."""
    job, port, stage = context.job, context.port, context.stage
    found = _pull(context)
    with stage.phase("planning"):
        outlined = stage.insist("outline", lambda: port.outline(job.run_id, job.fencing_token, found))
    outcome = PlanOutcome(
        engine=context.engine_info,
        has_changes=outlined.has_changes,
        counts=outlined.counts,
        output_changes=outlined.output_changes,
        plan_file=outlined.plan_file,
        plan_json=outlined.plan_json,
        plan_view=outlined.plan_view,
        lock_file=None,
        side_files=None,
        working_directory=context.engine.working_directory,
        state_lineage=job.state_lineage,
        state_serial=job.state_serial,
        timings=stage.timings,
    )
    return pipeline.judge_and_settle(context, outcome)


def apply_rollback(context: Context) -> str:
    """Verify that what was approved is what is here, write that state, and finish. Returns the run's status."""
    job, port, engine, stage = context.job, context.port, context.engine, context.stage
    if job.plan_file is None:
        raise KindUnsupported("A rollback is applied from its plan, and this job has none.")
    with stage.phase("preparing"):
        approved = context.fetch(job.plan_file)
    assert approved is not None
    found = _pull(context)
    if found is not None and _position(found) != (_position(approved)[0], _position(approved)[1] - 1):
        port.stale(job.run_id, job.fencing_token, "The backend's state moved since it was planned. Roll back again.")
        return "superseded"

    with stage.phase("verifying"):
        answer = port.verify(job.run_id, job.fencing_token)
    if not answer.may_apply:
        return "superseded"

    with stage.phase("applying"):
        if not job.is_state_served:
            engine.push_state(approved)
        kept = stage.put_state("rolled_back", approved)
    if kept.quarantined:
        raise StateNotKept(
            "A newer state was stored while this run rolled back, so what it wrote is in quarantine. See the "
            "workspace's recovery page.",
            state_version_id=kept.state_version_id,
        )

    stage.flush()
    outcome = ApplyOutcome(state_version_id=kept.state_version_id, resources_applied=0, timings=stage.timings)
    stage.insist("finish", lambda: port.finish(job.run_id, job.fencing_token, outcome))
    return "applied"


def _pull(context: Context) -> bytes | None:
    """Return the state that the workspace's backend holds; None where the control plane keeps it itself."""
    if context.job.is_state_served:
        return None
    with context.stage.phase("initializing"):
        context.stage.lay_out(None)
        context.engine.prepare(is_apply=False)
        return context.engine.pull_state()


def _position(state: bytes) -> tuple[Any, int]:
    document = json.loads(state)
    return document.get("lineage"), int(document.get("serial", 0))


_PLANS: dict[str, Callable[[Context], str]] = {"rollback": plan_rollback}
_APPLIES: dict[str, Callable[[Context], str]] = {"rollback": apply_rollback}
