"""What a workspace's rules mean for a run. Pure."""

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


def destroys(run: TerraformRun) -> bool:
    """Whether the plan destroys or replaces anything."""
    counts = run.counts or {}
    return bool(counts.get("destroy") or counts.get("replace"))
