"""What a workspace's rules and an organization's limit mean for a run. Pure."""

from collections.abc import Sequence

from app.approvals import service as approvals
from app.approvals.schemas import ApprovalCondition, ApprovalRules, OverriddenSet, PlanFacts, StandingOverride
from app.policy.schemas import PolicyCheckOut
from app.runner.port import ChangedTags
from app.runs.machine import MOVES, Kind
from app.runs.models import TerraformRun
from app.workspaces.schemas import WorkspaceOut

BLOCKED = frozenset({"blocked_soft", "blocked_hard"})
"""Verdicts that keep a plan from the gate; ``blocked_soft`` may be overridden."""
_CHANGES = ("add", "change", "destroy", "replace", "forget")


def approval_rules(workspace: WorkspaceOut, run: TerraformRun) -> ApprovalRules:
    """Return what it takes to approve a run's plan in its workspace, with what the conditions that hold ask for.

    An approval by the auto-apply rule counts where that is on, the plan destroys nothing (or may), moves no state, was
    never overridden, and no condition asks for more.
    """
    demands = approvals.demands(_conditions(workspace), plan_facts(run)) if workspace.approval_conditions else ()
    may_destroy = workspace.auto_apply_allows_destroy or not destroys(run)
    return ApprovalRules(
        required_approvals=workspace.required_approvals,
        approver_team_ids=frozenset(team.id for team in workspace.approver_teams),
        requester_may_approve=workspace.requester_may_approve,
        validity_seconds=workspace.approval_validity_seconds,
        allows_automatic=(
            workspace.auto_apply
            and may_destroy
            and Kind(run.kind) not in MOVES
            and not demands
            and not run.was_overridden
        ),
        demands=demands,
    )


def plan_facts(run: TerraformRun) -> PlanFacts:
    """Return what conditions ask of the run's plan.

    What was not found out counts as any tag: a rollback and a migration move every resource's state.
    """
    counts = run.counts or {}
    tags = ChangedTags.model_validate(run.changed_tags) if run.changed_tags is not None else None
    return PlanFacts(
        deletes=counts.get("destroy", 0) + counts.get("replace", 0),
        changes=sum(counts.get(name, 0) for name in _CHANGES),
        tags={
            key: None if values is None else frozenset(values)
            for key, values in (tags.values.items() if tags is not None else ())
        },
        tags_are_known=tags is not None and tags.is_complete,
    )


def _conditions(workspace: WorkspaceOut) -> list[ApprovalCondition]:
    return [
        ApprovalCondition(
            **condition.model_dump(exclude={"approver_teams"}),
            approver_team_ids=frozenset(team.id for team in condition.approver_teams),
            approver_team_names=tuple(sorted(team.name for team in condition.approver_teams)),
        )
        for condition in workspace.approval_conditions
    ]


def effective_limit(own: int | None, default: int) -> int | None:
    """Return how many runs an organization executes at once at most; None for any number.

    ``own`` is its own limit as it is stored (None: it has none, 0: no limit), ``default`` the installation's (0: none).
    """
    return (default if own is None else own) or None


def destroys(run: TerraformRun) -> bool:
    """Whether the plan destroys or replaces anything."""
    counts = run.counts or {}
    return bool(counts.get("destroy") or counts.get("replace"))


def override_holds(
    standing: StandingOverride | None, fingerprint: str | None, checks: Sequence[PolicyCheckOut] = ()
) -> bool:
    """Return whether an override lets the plan of this fingerprint pass, and lifts what ``checks`` deny.

    It must hold by its clock and its author's rights, and the sets that deny now must be among those that it names,
    with the same files.
    """
    if standing is None or standing.why_not is not None or standing.fingerprint != fingerprint:
        return False
    return denying(checks) <= standing.sets


def denying(checks: Sequence[PolicyCheckOut]) -> frozenset[OverriddenSet]:
    """Return the soft-mandatory sets that deny."""
    return frozenset(
        OverriddenSet(
            attachment_id=check.attachment_id,
            policy_set_uri=check.policy_set_uri,
            bundle_digest=check.bundle_digest,
        )
        for check in checks
        if check.outcome == "failed" and check.enforcement_level == "soft-mandatory"
    )
