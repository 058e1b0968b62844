"""A run's last words: its failure, and the proof that no process of it lives."""

from sqlalchemy.orm import Session

from app.core import clock, events
from app.progress import service as progress
from app.progress.schemas import NewRecord
from app.runner.port import Failure, ProofOfDeath
from app.runs.events import ApplyQuiesced
from app.runs.machine import FINAL, Kind, Status
from app.runs.models import TerraformRun
from app.state import service as state


def keep_failure(run: TerraformRun, failure: Failure) -> None:
    """Note why the run failed, and its timings."""
    run.failure = failure.model_dump(mode="json", exclude={"timings"})
    if failure.timings:
        run.timings = [timing.model_dump(mode="json") for timing in failure.timings]


def close(session: Session, run: TerraformRun, proof: ProofOfDeath) -> None:
    """Note that the locked run has quiesced: what it still sends is refused from here on, its credentials are revoked.

    The last state that its engine sent is the one that it left, also of an apply that was halted or failed; a plan's
    credential can't write one.
    """
    at = clock.now()
    state.revoke_run_credentials(session, run.id)
    if run.parent_run_id is not None and run.state_version_id is None:
        run.state_version_id = state.settle_snapshots(session, run.id)
    run.quiesced_at = at
    run.proof_of_death = proof.model_dump(mode="json")
    session.flush()
    record = NewRecord(at=at, kind="event", data={"type": "run.quiesced", "proof": proof.kind})
    progress.append(session, run.id, [record])
    if Status(run.status) in FINAL:
        progress.close_stream(session, run.id)
    if run.kind == Kind.APPLY and run.status != Status.APPLIED:
        events.publish(session, ApplyQuiesced(run.organization_id, run.workspace_id, run.id))
