"""Errors of runs."""

from app.core.errors import Conflict, Forbidden, Gone, Invalid, NotFound


class RunNotFound(NotFound):
    """No run of that id in the actor's organization."""

    code = "run_not_found"
    title = "No such run"


class IllegalTransition(Conflict):
    """The run machine has no row for this."""

    code = "illegal_transition"
    title = "The run can't do that"


class GuardRefused(IllegalTransition):
    """The run machine has rows for this, and none of their guards holds."""

    code = "guard_refused"


class ApprovalRequired(Conflict):
    """An apply was asked for before the plan is approved."""

    code = "approval_required"
    title = "The plan is not approved"


class PlanRejected(ApprovalRequired):
    """An apply was asked for while a person's rejection stands."""

    code = "plan_rejected"
    title = "The plan is rejected"


class ApprovalsVoid(ApprovalRequired):
    """An apply was asked for when what had been approved is void."""

    code = "approvals_void"
    title = "The approvals are void"


class ApprovalsNotCounted(ApprovalRequired):
    """An apply was asked for when approvals were given that do not count any more."""

    code = "approvals_not_counted"
    title = "Approvals do not count any more"


class DestroyNotPermitted(Forbidden):
    """A destroy was asked for without the permission for it."""

    code = "destroy_not_permitted"
    title = "You may not plan a destroy"


class PolicyBlocked(Conflict):
    """A policy blocks the plan."""

    code = "policy_blocked"
    title = "A policy blocks the plan"


class PlanMoved(IllegalTransition):
    """What the plan was made from, or what judges it, is no longer what it was."""

    code = "plan_stale"
    title = "The plan is stale"


class StateMoved(PlanMoved):
    """The workspace's state is not the one that the plan was made from."""

    code = "state_moved"
    title = "The state moved"


class VariablesMoved(PlanMoved):
    """A variable changed since the plan."""

    code = "variables_moved"
    title = "A variable changed"


class SpecMoved(PlanMoved):
    """The spec version that the workspace follows, or is pinned to, moved since the plan."""

    code = "spec_moved"
    title = "The spec moved"


class BackendMoved(PlanMoved):
    """The workspace's state is kept elsewhere since the plan."""

    code = "backend_moved"
    title = "The state backend changed"


class EngineMoved(PlanMoved):
    """The workspace's engine pin no longer allows the engine that planned."""

    code = "engine_moved"
    title = "The engine pin changed"


class OutputsMoved(PlanMoved):
    """Outputs of other workspaces that the plan read are not what they were, or may not be read any more."""

    code = "outputs_moved"
    title = "Outputs of other workspaces moved"


class PoliciesMoved(PlanMoved):
    """The policies that judge the workspace changed, and the plan is not judged by them yet, or they block it."""

    code = "policies_moved"
    title = "The policies moved"


class PlanTooOld(PlanMoved):
    """The plan is older than its workspace allows."""

    code = "plan_too_old"
    title = "The plan is too old"


class PlanAltered(PlanMoved):
    """The stored plan, or its fingerprint, is not the one that was approved."""

    code = "plan_altered"
    title = "The plan is not the approved one"


class ApprovalRulesMoved(PlanMoved):
    """A rule of the workspace's gate changed after the plan was approved."""

    code = "approval_rules_moved"
    title = "The approval rules changed"


class RightsMoved(PlanMoved):
    """An approver lost the right, the team or the account after the plan was approved, so the quorum is gone."""

    code = "rights_moved"
    title = "An approver lost the right"


class ApprovalTakenBack(PlanMoved):
    """An approver took the approval back after the plan was approved, so the quorum is gone."""

    code = "approval_taken_back"
    title = "An approval was taken back"


class ApprovalExpired(PlanMoved):
    """An approval expired before the plan was applied, so the quorum is gone."""

    code = "approval_expired"
    title = "An approval expired"


class QuorumLost(PlanMoved):
    """The quorum did not hold any more when the apply was to start."""

    code = "quorum_lost"
    title = "The quorum is lost"


class OverrideEnded(PlanMoved):
    """The override of its policies ended after the plan was approved."""

    code = "override_ended"
    title = "The override ended"


class RunDiscarded(IllegalTransition):
    """The run was discarded: it is over."""

    code = "run_discarded"
    title = "The run was discarded"


class RunHalted(IllegalTransition):
    """A halt ended the run."""

    code = "run_halted"
    title = "The run was halted"


class RunCancelled(IllegalTransition):
    """The run was cancelled: it is over."""

    code = "run_cancelled"
    title = "The run was cancelled"


class RunErrored(IllegalTransition):
    """The run failed: it is over."""

    code = "run_errored"
    title = "The run failed"


class AlreadyApplied(IllegalTransition):
    """The plan was applied, which happens once."""

    code = "already_applied"
    title = "Applied already"


class AlreadyApproved(IllegalTransition):
    """The quorum is complete, and the apply is queued or runs."""

    code = "already_approved"
    title = "Approved already"


class NothingToApply(IllegalTransition):
    """The plan changes nothing."""

    code = "nothing_to_apply"
    title = "The plan changes nothing"


class NothingToRun(Invalid):
    """The workspace has no spec version or no configuration to plan from."""

    code = "nothing_to_plan"
    title = "There is nothing to plan"


class StateBackendUnchanged(Conflict):
    """The workspace's state lies in that very place already."""

    code = "state_backend_unchanged"
    title = "The state lies there already"


class NothingToMigrate(Conflict):
    """The workspace has no state that could be moved; its setting can simply be changed."""

    code = "nothing_to_migrate"
    title = "There is no state to move"


class SpeculativeNeverApplies(Conflict):
    """A speculative plan can't be approved or applied."""

    code = "speculative_plan"
    title = "A speculative plan is never applied"


class PlanRemoved(Gone):
    """The run is so old that its plan is not kept any more."""

    code = "plan_removed"
    title = "The plan is no longer kept"


class PolicyNotBlocking(Conflict):
    """An override was asked for where no policy blocks."""

    code = "policy_not_blocking"
    title = "No policy blocks the plan"


class OverrideNotPossible(Conflict):
    """What blocks the plan can't be overridden: a hard-mandatory set, or one that could not be evaluated.

    ``because`` is ``hard_mandatory`` or ``not_evaluable``, ``policy_set_uris`` names the sets.
    """

    code = "override_not_possible"
    title = "This can't be overridden"


class OverrideExpired(Conflict):
    """The plan waits by an override that holds no longer."""

    code = "override_expired"
    title = "The override holds no longer"
