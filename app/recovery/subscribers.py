"""What recovery does when an apply has ended other than well, or more becomes known of one; in the same transaction.

Only a mark is made: the list is built in a job after commit, since that reads plans and states.
"""

from sqlalchemy.orm import Session

from app.core.jobs import enqueue
from app.recovery import repository
from app.recovery.sealed import list_binding, seal
from app.runs.events import ApplyQuiesced, ApplyStepsCame
from app.state.events import QuarantineMoved

BUILD_TASK = "recovery.build"


def on_apply_quiesced(session: Session, fact: ApplyQuiesced) -> None:
    """Want the apply's list."""
    repository.want(session, organization_id=fact.organization_id, workspace_id=fact.workspace_id, run_id=fact.run_id)
    enqueue(session, BUILD_TASK, fact.run_id)


def on_apply_steps_came(session: Session, fact: ApplyStepsCame) -> None:
    """Keep what the apply had begun, and want its list (again)."""
    repository.want(session, organization_id=fact.organization_id, workspace_id=fact.workspace_id, run_id=fact.run_id)
    row = repository.lock(session, fact.run_id)
    if row is not None:
        row.steps = seal(fact.steps.model_dump(mode="json"), list_binding(row))
        session.flush()
    enqueue(session, BUILD_TASK, fact.run_id)


def on_quarantine_moved(session: Session, fact: QuarantineMoved) -> None:
    """Want the run's list again, if there is one: what is in quarantine is not lost."""
    if repository.want_again(session, fact.run_id):
        enqueue(session, BUILD_TASK, fact.run_id)
