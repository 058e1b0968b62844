"""Rollback and migration, step by step in reading order: runs that move a state and change no resource.

No configuration is laid out, so nothing of a user's code runs. The plan is what the control plane says that differs;
its plan file is the state to write, so an approval signs those very bytes.
"""

from collections.abc import Callable

from app.core.canonical import is_same_document
from app.core.errors import Conflict
from app.executor.engine import Engine, Inputs
from app.runner import keeping, pipeline
from app.runner.context import Context
from app.runner.keeping import StateNotKept
from app.runner.pipeline import KindUnsupported
from app.runner.port import SERVED, MovePlan, PlanOutcome, RunnerJob, StateAnswer


class MigrationIncomplete(Conflict):
    """The state could not be moved as it is, so the workspace stays with its backend."""

    code = "migration_incomplete"
    title = "The state was not moved"


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
    return _settle(context, outlined, found)


def apply_rollback(context: Context) -> str:
    """Verify that what was approved is what is here, write that state, and finish. Returns the run's status.

    Raises ``KindUnsupported`` for a job without a plan, and ``StateNotKept``.
    """
    job, engine, stage = context.job, context.engine, context.stage
    if job.plan_file is None:
        raise KindUnsupported("A rollback is applied from its plan, and this job has none.")
    with stage.phase("preparing"):
        approved = context.fetch(job.plan_file)
    assert approved is not None
    found = _pull(context)
    lineage, serial = keeping.position(approved)
    if found is not None and keeping.position(found) != (lineage, serial - 1):
        return _stale(context, "The backend's state moved since it was planned. Roll back again.")

    with stage.phase("verifying"):
        if not pipeline.is_as_approved(context):
            return "superseded"

    with stage.phase("applying"):
        written = approved
        if not job.is_state_served:
            written = _push(engine, approved, over=found)
        kept = _stored(stage.put_state("rolled_back", written))
    return pipeline.finish(context, kept)


def _stale(context: Context, reason: str) -> str:
    job, port = context.job, context.port
    context.stage.insist("stale", lambda: port.stale(job.run_id, job.fencing_token, reason))
    return "superseded"


def _pull(context: Context) -> bytes | None:
    """Return the state that the workspace's backend holds; None where the control plane keeps it itself."""
    if context.job.is_state_served:
        return None
    with context.stage.phase("initializing"):
        context.stage.lay_out(None)
        context.engine.prepare(is_apply=False)
        return keeping.take_copy(context)


def plan_migration(context: Context) -> str:
    """Look into both backends, have the control plane compare, check the policies, and settle."""
    job, port, stage = context.job, context.port, context.stage
    found, there = _look(context)
    with stage.phase("planning"):
        outlined = stage.insist("outline", lambda: port.outline(job.run_id, job.fencing_token, found, there))
    return _settle(context, outlined, found)


def apply_migration(context: Context) -> str:
    """Verify, push what was approved to the target, read it back and compare, and finish. Returns the run's status.

    Until the control plane has finished the run, the workspace's backend is the one that it was. Raises
    ``MigrationIncomplete`` when the target does not give back what was approved, ``StateNotKept``, and
    ``KindUnsupported`` for a job without a plan or a target.
    """
    job, engine, stage = context.job, context.engine, context.stage
    approved = context.fetch(job.plan_file)
    if approved is None:
        raise KindUnsupported("A migration is applied from its plan, and this job has none.")
    found, there = _look(context)
    if found is None or not _is_same(found, approved):
        return _stale(context, "The backend's state moved since it was planned. Migrate again.")

    with stage.phase("verifying"):
        if not pipeline.is_as_approved(context):
            return "superseded"

    kept: str | None = None
    goes_away = job.target is not None and job.target.expected_backend not in SERVED
    with stage.phase("applying"):
        written = _push(_target(context), approved, over=there) if goes_away else _serve(context, approved)
        again = engine.pull_state()
        if again is None or not _is_same(again, approved):
            raise MigrationIncomplete(
                "The state moved in its old backend while it was copied. The workspace stays with that backend: "
                "migrate again."
            )
        if not job.is_state_served or keeping.position(written) != keeping.position(approved):
            kept = _stored(stage.put_state("applied", written))

    return pipeline.finish(context, kept)


def _serve(context: Context, approved: bytes) -> bytes:
    """Bring a state to a backend that the control plane serves; return what an engine reads there."""
    job, stage, target = context.job, context.stage, _target(context)
    if not job.is_state_served:
        _stored(stage.put_state("applied", approved))
    if job.target is not None and job.target.expected_backend == "local":
        target.place(Inputs(approved))
    written = target.pull_state()
    if written is None or not _is_same(written, approved):
        raise _not_given_back()
    return written


def _push(target: Engine, approved: bytes, *, over: bytes | None) -> bytes:
    """Push a state and return what the backend gives back: the same, but for a serial that the engine may raise."""
    target.push_state(approved, over=over)
    written = target.pull_state()
    if (
        written is None
        or not is_same_document(written, approved, besides=["terraform_version", "serial"])
        or keeping.position(written)[1] < keeping.position(approved)[1]
    ):
        raise _not_given_back()
    return written


def _not_given_back() -> MigrationIncomplete:
    return MigrationIncomplete(
        "The backend does not give back the state that was written to it. The workspace's own backend is unchanged; "
        "look at what lies there before you try again."
    )


def _stored(kept: StateAnswer) -> str:
    if kept.quarantined:
        raise StateNotKept(
            "A newer state was stored while this run moved the state, so what it wrote is in quarantine. See the "
            "workspace's recovery page.",
            state_version_id=kept.state_version_id,
        )
    return kept.state_version_id


def _look(context: Context) -> tuple[bytes | None, bytes | None]:
    """Prepare both backends and return the states that they hold: the workspace's, and the target's."""
    job, engine, stage, target = context.job, context.engine, context.stage, _target(context)
    with stage.phase("preparing"):
        laid = context.fetch(job.state)
        stage.lay_out(None)
        engine.place(Inputs(laid))
    with stage.phase("initializing"):
        engine.prepare(is_apply=False)
        found = engine.pull_state() if job.is_state_served else keeping.take_copy(context)
        target.prepare(is_apply=False)
        return found, target.pull_state()


def _target(context: Context) -> Engine:
    if context.target is None:
        raise KindUnsupported("A migration needs a backend to go to, and this job has none.")
    return context.target


def _settle(context: Context, outlined: MovePlan, found: bytes | None) -> str:
    job = context.job
    # Where the state lies elsewhere, only what was read there says what the plan was made from.
    lineage, serial = (job.state_lineage, job.state_serial) if job.is_state_served else keeping.position(found)
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
        state_lineage=lineage,
        state_serial=serial,
        timings=context.stage.timings,
    )
    return pipeline.judge_and_settle(context, outcome)


def _is_same(one: bytes, other: bytes) -> bool:
    return is_same_document(one, other, besides=["terraform_version"])


_PLANS: dict[str, Callable[[Context], str]] = {"rollback": plan_rollback, "migration": plan_migration}
_APPLIES: dict[str, Callable[[Context], str]] = {"rollback": apply_rollback, "migration": apply_migration}
