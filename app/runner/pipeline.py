"""The plan and the apply, step by step in reading order, over `RunnerPort` and `Engine` alone.

Each step looks for an order to stop before it begins. A pipeline returns what became of the run; what stops it is
raised and told to the control plane by the supervisor.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Self

from app.core.artifacts import ArtifactRef
from app.core.errors import Conflict
from app.executor.engine import Inputs, PlanMode
from app.executor.errors import WorkingDirectoryMismatch
from app.runner import keeping, summary
from app.runner.context import Context
from app.runner.port import (
    ApplyOutcome,
    PlanOutcome,
)

_MODES: dict[str, PlanMode] = {"plan": "normal", "destroy": "destroy", "refresh": "refresh"}


class EngineMismatch(Conflict):
    """The engine on this worker is not the one that planned; ``planned`` and ``present`` name both."""

    code = "engine_mismatch"
    title = "Plan and apply differ in their engine"


class KindUnsupported(Conflict):
    """The runner can't execute this kind of run."""

    code = "run_kind_unsupported"
    title = "This kind of run can't be executed"


def plan(context: Context) -> str:
    """Plan, check the policies, and settle. Returns the run's status. Raises ``KindUnsupported``."""
    job, engine, stage = context.job, context.engine, context.stage
    mode = _MODES.get(job.kind)
    if mode is None:
        raise KindUnsupported(f"This runner does not execute runs of the kind {job.kind}.")

    with stage.phase("preparing"):
        archive, state, lock_file = map(context.fetch, (job.configuration, job.state, job.lock_file))
        stage.lay_out(archive)
        engine.place(Inputs(state, lock_file))

    with stage.phase("initializing"):
        engine.prepare(is_apply=False)

    with stage.phase("planning"), _Uploads(context) as uploads:

        def planned(artifact: bytes) -> None:
            uploads.of("plan_file")(artifact)
            # While the engine shows its plan, rather than while that is read.
            stage.hurry()

        product = engine.plan(mode, is_locked=job.is_locked_by_engine, on_artifact=planned)
        uploads.of("plan_json")(product.document)
        uploads.of("lock_file")(product.lock_file)
        uploads.of("side_files")(product.side_files)
        summarized = summary.summarize(product.document, has_changes=product.has_changes, masker=context.masker)
        uploads.of("plan_view")(summarized.view_json())
        stored = uploads.results()

        # A speculative plan is never applied, so what it was made against binds nobody.
        pulled = keeping.take_copy(context) if not job.is_state_served and not job.speculative else None

    if job.keeps_state_here:
        lineage, serial = keeping.position(state)
    elif not job.is_state_served and not job.speculative:
        lineage, serial = product.state_position or keeping.position(pulled)
    else:
        lineage, serial = job.state_lineage, job.state_serial
    outcome = PlanOutcome(
        engine=context.engine_info,
        has_changes=product.has_changes,
        counts=summarized.counts,
        changed_tags=summarized.tags,
        output_changes=summarized.output_changes,
        drift_count=summarized.drift_count,
        plan_file=stored["plan_file"],
        plan_json=stored["plan_json"],
        plan_view=stored["plan_view"],
        lock_file=stored.get("lock_file"),
        side_files=stored.get("side_files"),
        working_directory=engine.working_directory,
        state_lineage=lineage,
        state_serial=serial,
        timings=stage.timings,
    )

    return judge_and_settle(context, outcome)


def judge_and_settle(context: Context, outcome: PlanOutcome) -> str:
    """Have the policies judge a plan whose artifacts are stored, and settle it. Returns the run's status."""
    job, port, stage = context.job, context.port, context.stage
    if job.has_policies:
        with stage.phase("checking_policies"):
            stage.insist("check", lambda: port.check(job.run_id, job.fencing_token, outcome))

    stage.flush()
    told = outcome.model_copy(update={"timings": stage.timings})
    return stage.insist("settle", lambda: port.settle(job.run_id, job.fencing_token, told)).status


def apply(context: Context) -> str:
    """Verify that what was approved is what is here, apply it, keep the state, and finish. Returns the run's status."""
    job, engine, stage = context.job, context.engine, context.stage
    reference = _approved_plan(context)

    with stage.phase("preparing"):
        archive, state, lock_file = map(context.fetch, (job.configuration, job.state, job.lock_file))
        plan_file, side_files = map(context.fetch, (reference, job.side_files))
        stage.lay_out(archive)
        engine.place(Inputs(state, lock_file, plan_file))

    with stage.phase("initializing"):
        engine.prepare(is_apply=True)

    with stage.phase("verifying"):
        # What moved outside of Sluice is here before the fingerprint is verified, and supersedes what was approved.
        before = keeping.take_copy(context) if not job.is_state_served else state
        if not is_as_approved(context):
            return "superseded"

    state_version_id: str | None = None
    is_done = False
    try:
        with stage.phase("applying"):
            engine.apply(artifact_digest=reference.digest, side_files=side_files)
        is_done = True
    finally:
        # Also when the engine failed, was stopped or the lease is lost: what it made is in the state it left.
        with stage.phase("snapshotting"):
            state_version_id = keeping.keep(context, before=before, is_done=is_done)

    return finish(context, state_version_id)


def is_as_approved(context: Context) -> bool:
    """Have the control plane verify that what was approved is what is here; if it is not, the run is superseded."""
    job, port = context.job, context.port
    return context.stage.insist("verify", lambda: port.verify(job.run_id, job.fencing_token)).may_apply


def finish(context: Context, state_version_id: str | None) -> str:
    """Let every line arrive, then say that the apply is done. Returns the run's status."""
    job, port, stage = context.job, context.port, context.stage
    stage.flush()
    outcome = ApplyOutcome(
        state_version_id=state_version_id, resources_applied=stage.resources_applied, timings=stage.timings
    )
    stage.insist("finish", lambda: port.finish(job.run_id, job.fencing_token, outcome))
    return "applied"


def _approved_plan(context: Context) -> ArtifactRef:
    """Return the plan to apply, once engine and directory are known to be those that it was made with."""
    job = context.job
    if job.plan_file is None or job.planned_run_id is None:
        raise KindUnsupported("An apply needs the saved plan of a planned run, and this job has none.")
    planned, present = job.planned_engine, context.engine_info
    if planned is not None and planned != present:
        raise EngineMismatch(
            f"The plan was made by {planned.kind} {planned.version} ({planned.sha256[:12]}), but this worker runs "
            f"{present.kind} {present.version} ({present.sha256[:12]}). Plan again, or install the other engine.",
            planned=f"{planned.kind} {planned.version}",
            present=f"{present.kind} {present.version}",
        )
    if job.working_directory is not None and job.working_directory != context.engine.working_directory:
        raise WorkingDirectoryMismatch(
            f"The plan was made in {job.working_directory}, but here the engine would run in "
            f"{context.engine.working_directory}: a plan records its directory. Give plan and apply the same "
            "SLUICE_SANDBOX and SLUICE_WORK_DIR, and plan again.",
            planned=job.working_directory,
            present=context.engine.working_directory,
        )
    return job.plan_file


class _Uploads:
    """Stores artifacts beside other work; `results` waits for all of them."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="uploads")
        self._futures: dict[str, Future[ArtifactRef]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True)

    def of(self, kind: Any) -> Callable[[bytes | None], None]:
        """Return a function that stores its argument as ``kind``; None is not stored."""

        def put(data: bytes | None) -> None:
            if data is not None:
                context, job = self._context, self._context.job
                self._futures[kind] = self._pool.submit(
                    context.stage.insist,
                    "put_artifact",
                    lambda: context.port.put_artifact(job.run_id, job.fencing_token, kind, data),
                )

        return put

    def results(self) -> dict[str, ArtifactRef]:
        """Return what was stored, by kind; raises what a store raised."""
        return {kind: future.result() for kind, future in self._futures.items()}
