"""What runs does when something below it moves, in the same transaction.

Writers hold the workspace's row exclusively, or the organization's fence, so no approval and no verification runs
beside them.
"""

from sqlalchemy.orm import Session

from app.core.jobs import enqueue
from app.identity.schemas import RightsChanged
from app.policy.schemas import PoliciesMoved
from app.runs import claiming, deciding, ending, overriding, repository
from app.runs.errors import ApprovalRulesMoved, RightsMoved
from app.runs.machine import FINAL, Status
from app.runs.settling import REEVALUATE_TASK
from app.specs.events import HeadMoved
from app.state import service as state
from app.state.errors import StateLocked
from app.state.events import OutputSharingChanged, StateMoved
from app.state.schemas import StateLocking, StateLockReleased
from app.workspaces import service as workspaces
from app.workspaces.errors import StateBackendFixed, WorkspaceBusy
from app.workspaces.schemas import (
    ApprovalRulesChanged,
    EnginePinChanged,
    StateBackendChanging,
    TagsChanged,
    VariablesMoved,
    WorkspaceDeleting,
    WorkspaceHeadMoved,
)


def on_workspace_moved(session: Session, fact: VariablesMoved | WorkspaceHeadMoved | EnginePinChanged) -> None:
    """Supersede what waits in the workspace and was planned from what moved."""
    deciding.supersede_moved(session, fact.workspace_id)


def on_head_moved(session: Session, fact: HeadMoved) -> None:
    """Supersede what waits in workspaces that follow the stack's head, in workspace order.

    A plan that settles beside this, by the head that it still sees, is looked for again after commit.
    """
    following = workspaces.following_head(session, fact.stack_id)
    for workspace_id in sorted(repository.workspaces_with(session, following, repository.GATE_VALUES)):
        deciding.supersede_moved(session, workspace_id)
    for workspace_id in repository.workspaces_with(session, following, [Status.RUNNING]):
        enqueue(session, deciding.SUPERSEDE_TASK, workspace_id)


def on_approval_rules_changed(session: Session, fact: ApprovalRulesChanged) -> None:
    """Void what was decided under the old rules."""
    for run_id in repository.waiting_in_workspace(session, fact.workspace_id):
        run = repository.lock(session, run_id)
        if run is not None and Status(run.status) not in FINAL:
            child = repository.lock_child_of(session, run.id)
            deciding.void_approvals(session, run, "The workspace's approval rules changed.")
            if run.status == Status.APPROVED:
                reason = "The workspace's approval rules changed. Plan again."
                deciding.supersede_locked(session, run, child, reason, ApprovalRulesMoved.code)


def on_policies_moved(session: Session, fact: PoliciesMoved) -> None:
    """Void approvals of what waits under the changed policies, and evaluate again."""
    for seen in repository.waiting_in_organization(session, fact.organization_id):
        if fact.workspace_id is not None and seen.workspace_id != fact.workspace_id:
            continue
        run = repository.lock(session, seen.id)
        if run is None or run.status not in (Status.AWAITING_APPROVAL, Status.POLICY_BLOCKED):
            continue
        reason = "The policies that judge this workspace changed."
        overriding.end(session, run, None, reason)
        deciding.void_approvals(session, run, reason)
        enqueue(session, REEVALUATE_TASK, run.id)


def on_tags_changed(session: Session, fact: TagsChanged) -> None:
    """Do as for changed policies: a tag attaches and detaches policy sets."""
    on_policies_moved(session, PoliciesMoved(organization_id=fact.organization_id, workspace_id=fact.workspace_id))


def on_rights_changed(session: Session, fact: RightsChanged) -> None:
    """Supersede approved runs whose quorum no longer holds, and end overrides of who may not override any more.

    Waiting runs count their approvals anew by themselves.
    """
    for seen in repository.waiting_in_organization(session, fact.organization_id):
        if seen.status != Status.APPROVED and not seen.was_overridden:
            continue
        run = repository.lock(session, seen.id)
        if run is None or Status(run.status) in FINAL:
            continue
        child = repository.lock_child_of(session, run.id)
        if overriding.end_where_right_is_lost(session, run, child) or run.status != Status.APPROVED:
            continue
        workspace = workspaces.get(session, run.organization_id, run.workspace_id)
        if not deciding.quorum_of(session, run, workspace).reached:
            reason = "An approver's rights changed, so the quorum no longer holds. Plan again."
            deciding.supersede_locked(session, run, child, reason, RightsMoved.code)


def on_lock_released(session: Session, fact: StateLockReleased) -> None:
    """Let the next run in."""
    claiming.dispatch(session, fact.workspace_id)


def on_state_moved(session: Session, fact: StateMoved | OutputSharingChanged) -> None:
    """Have plans made from the state before, or from outputs that they may no longer read, superseded after commit."""
    ending.state_moved(session, fact.workspace_id)


def on_state_locking(session: Session, fact: StateLocking) -> None:
    """Refuse a manual lock while a run is at work in the workspace. Raises ``StateLocked``."""
    run_id = repository.at_work(session, fact.workspace_id)
    if run_id is not None:
        raise StateLocked(f"Run {run_id} is at work. Wait until it has ended, or cancel it, then lock.", run_id=run_id)


def on_workspace_deleting(session: Session, fact: WorkspaceDeleting) -> None:
    """Refuse while a run lives or the state holds resources. Raises ``WorkspaceBusy``."""
    live = repository.live_in_workspace(session, fact.workspace_id)
    if live is not None:
        raise WorkspaceBusy(f"Run {live} has not ended. Discard or cancel it, then delete the workspace.")
    newest = state.current(session, fact.workspace_id)
    if newest is not None and newest.resource_count:
        raise WorkspaceBusy(
            f"The workspace's state still holds {newest.resource_count} resources. Destroy them first: "
            "`sluice plan --destroy`, approve, and delete the workspace then."
        )


def on_state_backend_changing(session: Session, fact: StateBackendChanging) -> None:
    """Refuse once there is a state to lose, or a run that may leave one. Raises ``StateBackendFixed``."""
    newest = state.current(session, fact.workspace_id)
    if newest is not None:
        raise StateBackendFixed(
            f"The workspace has a state (serial {newest.serial}), which a changed setting would leave behind. Move it "
            "by a migration run: `sluice state migrate`."
        )
    live = repository.live_in_workspace(session, fact.workspace_id)
    if live is not None:
        raise StateBackendFixed(
            f"Run {live} has not ended and was made for the present backend. Discard or cancel it, then change this."
        )
