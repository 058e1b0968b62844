"""Errors of runs."""

from app.core.errors import Conflict, Gone, Invalid, NotFound


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


class PolicyBlocked(Conflict):
    """A policy blocks the plan."""

    code = "policy_blocked"
    title = "A policy blocks the plan"


class PlanMoved(Conflict):
    """What the plan was made from, or what judges it, is no longer what it was."""

    code = "plan_stale"
    title = "The plan is stale"


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


class WorkspaceBusy(Conflict):
    """The workspace can't be deleted while runs live or its state holds resources."""

    code = "workspace_busy"
    title = "The workspace is in use"


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
