"""What must hold before a plan is applied, said once more and apart from the product: over decisions as they are kept.

Rights, policies and what a plan changes are the test's own knowledge; rules and decisions are read as they are stored.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from app.approvals.schemas import DecisionOut, OverrideOut
from app.policy.schemas import EnforcementLevel
from app.runs.machine import MOVES
from app.runs.models import TerraformRun
from app.workspaces.schemas import ApprovalConditionOut, WorkspaceOut

Behaviour = Literal["denies", "passes", "fails"]


@dataclass
class Plan:
    """What a plan changes, as the test's runner said it."""

    adds: int = 1
    destroys: int = 0
    tags: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Policy:
    """What is attached to the workspace; a new revision has other files."""

    level: EnforcementLevel
    behaviour: Behaviour
    revision: int


@dataclass
class Model:
    """What the test did to people, policies and plans."""

    deciders: set[str] = field(default_factory=set)
    """Ids of people who may approve and override now."""
    teams: dict[str, set[str]] = field(default_factory=dict)
    plans: dict[str, Plan] = field(default_factory=dict)
    policy: Policy | None = None
    overridden_at: dict[str, int] = field(default_factory=dict)
    """The policy's revision that an override (by its id) was about."""

    def why_not(
        self,
        plan: TerraformRun,
        workspace: WorkspaceOut,
        decisions: list[DecisionOut],
        overrides: list[OverrideOut],
        at: datetime,
    ) -> str | None:
        """Return why the plan may not be applied at this moment; None when it may."""
        return self._policy(plan, overrides, at) or self._quorum(plan, workspace, decisions, at)

    def _policy(self, plan: TerraformRun, overrides: list[OverrideOut], at: datetime) -> str | None:
        if self.policy is None or self.policy.behaviour == "passes":
            return None
        if self.policy.behaviour == "fails":
            return "a policy can't be evaluated"
        if self.policy.level == "advisory":
            return None
        if self.policy.level == "hard-mandatory":
            return "a hard-mandatory policy denies it"
        standing = [
            item
            for item in overrides
            if item.ended_at is None
            and item.expires_at > at
            and item.fingerprint == plan.fingerprint
            and item.actor.id in self.deciders
            and item.actor.id != plan.requested_by_id
            and self.overridden_at[item.id] == self.policy.revision
        ]
        return None if standing else "nobody's override of the policy that denies it stands"

    def _quorum(
        self, plan: TerraformRun, workspace: WorkspaceOut, decisions: list[DecisionOut], at: datetime
    ) -> str | None:
        base = {team.id for team in workspace.approver_teams}
        asked = [
            ({team.id for team in condition.approver_teams} or base, condition.required_approvals)
            for condition in workspace.approval_conditions
            if self.holds(condition, plan)
        ]
        is_demanding = bool(asked)
        asked.append((base, workspace.required_approvals))
        approved: set[str] = set()
        for item in _newest(decisions, plan):
            may = item.actor.kind == "person" and self._counts(item.actor.id, asked, plan)
            if may and item.decision == "reject":
                return f"{item.actor.name} rejected it"
            if item.decision == "approve" and not _has_run_out(item, workspace, at):
                if item.actor.kind == "system" and not is_demanding and self._may_go_alone(plan, workspace):
                    approved.add("the rule")
                if may and (item.actor.id != plan.requested_by_id or workspace.requester_may_approve):
                    approved.add(item.actor.id)
        if "the rule" in approved:
            return None
        for teams, need in asked:
            have = len([who for who in approved if not teams or self._is_in(who, teams)])
            if have < need:
                return f"{have} of {need} approvals of {sorted(teams) or 'anyone'}"
        return None

    def _may_go_alone(self, plan: TerraformRun, workspace: WorkspaceOut) -> bool:
        may_destroy = workspace.auto_apply_allows_destroy or not self.of(plan).destroys
        return workspace.auto_apply and may_destroy and plan.kind not in MOVES and not plan.was_overridden

    def of(self, plan: TerraformRun) -> Plan:
        return self.plans.get(plan.id, Plan())

    def holds(self, condition: ApprovalConditionOut, plan: TerraformRun) -> bool:
        """Whether a condition asks for more of this plan."""
        facts = self.of(plan)
        counts = plan.counts or {}
        if plan.kind in MOVES:
            # Which resources a state loses is not the test's to say; their tags nobody knows.
            facts = Plan(adds=sum(counts.get(name, 0) for name in ("add", "change", "forget")))
            facts.destroys = counts.get("destroy", 0) + counts.get("replace", 0)
        if condition.when == "deletes":
            return facts.destroys > 0
        if condition.when == "changes_over":
            return facts.adds + facts.destroys > (condition.threshold or 0)
        key, _, value = (condition.tag or "").partition("=")
        return plan.kind in MOVES or value in facts.tags.get(key, ())

    def _is_in(self, who: str, teams: set[str]) -> bool:
        return any(who in self.teams.get(team, ()) for team in teams)

    def _counts(self, who: str, asked: list[tuple[set[str], int]], plan: TerraformRun) -> bool:
        is_of_a_team = any(not teams or self._is_in(who, teams) for teams, _ in asked)
        return who in self.deciders and (is_of_a_team or who == plan.requested_by_id)


def _newest(decisions: list[DecisionOut], plan: TerraformRun) -> list[DecisionOut]:
    """Return each one's newest decision on the plan as it is now, without those that were voided."""
    newest: dict[str, DecisionOut] = {}
    for item in sorted(decisions, key=lambda item: item.created_at):
        if item.fingerprint == plan.fingerprint:
            newest[item.actor.id] = item
    return [item for item in newest.values() if item.voided_at is None]


def _has_run_out(item: DecisionOut, workspace: WorkspaceOut, at: datetime) -> bool:
    seconds = workspace.approval_validity_seconds
    return seconds is not None and at >= item.created_at + timedelta(seconds=seconds)
