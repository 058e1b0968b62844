"""What a workspace's rules and an organization's limit mean for a run. Pure."""

from app.approvals.schemas import ApprovalRules
from app.runs.models import TerraformRun
from app.workspaces.schemas import WorkspaceOut


def approval_rules(workspace: WorkspaceOut) -> ApprovalRules:
    """Return the workspace's approval rules as approvals understands them."""
    return ApprovalRules(
        required_approvals=workspace.required_approvals,
        approver_team_ids=frozenset(team.id for team in workspace.approver_teams),
        requester_may_approve=workspace.requester_may_approve,
        allows_automatic=workspace.auto_apply,
    )


def effective_limit(own: int | None, default: int) -> int | None:
    """Return how many runs an organization executes at once at most; None for any number.

    ``own`` is its own limit as it is stored (None: it has none, 0: no limit), ``default`` the installation's (0: none).
    """
    return (default if own is None else own) or None


def destroys(run: TerraformRun) -> bool:
    """Whether the plan destroys or replaces anything."""
    counts = run.counts or {}
    return bool(counts.get("destroy") or counts.get("replace"))
