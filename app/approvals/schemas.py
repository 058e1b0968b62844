"""Decisions, approval rules and quorum: the vocabulary of the gate."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

DecisionKind = Literal["approve", "reject", "revoke"]


class Value(BaseModel):
    """Base of the values that cross slices: immutable, nothing unknown."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ApprovalCondition(Value):
    """When a plan needs more than the workspace's rule says, and how much.

    ``deletes``: it destroys or replaces anything. ``changes_over``: it changes more than ``threshold`` resources.
    ``tag``: a resource that changes carries ``tag`` (a key, or ``key=value``) before or after. ``approver_team_ids``
    empty means whoever the workspace's rule counts; ``approver_team_names`` are the same teams, for words.
    """

    when: Literal["deletes", "changes_over", "tag"]
    threshold: int | None = None
    tag: str | None = None
    required_approvals: int = Field(ge=1)
    approver_team_ids: frozenset[str] = frozenset()
    approver_team_names: tuple[str, ...] = ()


class PlanFacts(Value):
    """What conditions ask of a plan: how many resources it destroys or replaces, and changes in any way.

    ``tags`` are those of resources that change, by key; None for any value (not known, or not to be shown). Where
    ``tags_are_known`` is false there may be any others.
    """

    deletes: int
    changes: int
    tags: Mapping[str, frozenset[str] | None] = Field(default_factory=dict)
    tags_are_known: bool = True


class Demand(Value):
    """What a condition that holds asks for beside the workspace's rule. ``reason`` says why, in words."""

    required_approvals: int = Field(ge=1)
    reason: str
    approver_team_ids: frozenset[str] = frozenset()
    approver_team_names: tuple[str, ...] = ()


class ApprovalRules(Value):
    """When a plan is approved.

    ``approver_team_ids`` empty means anyone with the right to approve. ``validity_seconds`` is how long an approval
    counts, None for ever. ``allows_automatic`` says that an approval by the workspace's auto-apply rule counts; it
    never does beside ``demands``, which ask for more than the rule and are met each by itself.
    """

    required_approvals: int = Field(ge=1)
    approver_team_ids: frozenset[str] = frozenset()
    requester_may_approve: bool = False
    validity_seconds: int | None = Field(None, gt=0)
    allows_automatic: bool = False
    demands: tuple[Demand, ...] = ()

    @property
    def need(self) -> int:
        """How many approvals it takes: the most that the rule or a demand asks for."""
        return max(self.required_approvals, *(demand.required_approvals for demand in self.demands), 0)

    @property
    def team_ids(self) -> frozenset[str]:
        """The teams of whom at least one counts a member's approval; empty where anyone's counts."""
        if not self.approver_team_ids:
            return frozenset()
        return self.approver_team_ids.union(*(demand.approver_team_ids for demand in self.demands))


class Decision(Value):
    """One decision as the quorum sees it."""

    id: str
    decision: DecisionKind
    actor_id: str
    actor_kind: str
    actor_name: str
    fingerprint: str
    created_at: datetime
    voided_at: datetime | None = None


class QuorumState(Value):
    """Whether a plan is approved: how many approvals count, how many it takes, and why, in words.

    ``valid_decision_ids`` are the approvals that count, ``uncounted_ids`` those that stand and don't; ``rejected_by``
    are the ids of the people whose rejection stands, ``rejections`` what ``because`` says of them.
    """

    have: int
    need: int
    because: tuple[str, ...]
    reached: bool
    valid_decision_ids: tuple[str, ...] = ()
    uncounted_ids: tuple[str, ...] = ()
    rejected_by: tuple[str, ...] = ()
    rejections: tuple[str, ...] = ()


class QuorumQuestion(Value):
    """A run whose quorum is asked for: its present fingerprint (None: not planned yet), rules and requester."""

    run_id: str
    fingerprint: str | None
    rules: ApprovalRules
    requested_by_id: str


class Decider(BaseModel):
    """Who decided, as they were named then."""

    id: str
    kind: str
    name: str


class DecisionOut(BaseModel):
    """A recorded decision. One that was voided says when and why."""

    id: str
    decision: DecisionKind
    actor: Decider
    comment: str
    fingerprint: str
    created_at: datetime
    voided_at: datetime | None
    void_reason: str | None
    expires_at: datetime | None = Field(None, description="When an approval stops counting, by the workspace's rule")


class OverriddenSet(Value):
    """A policy set that denied a plan and was overridden, exactly as it was pinned then."""

    attachment_id: str
    policy_set_uri: str
    bundle_digest: str


class StandingOverride(Value):
    """The override of a run that was not ended; ``why_not`` says in words why it holds no longer, or is None."""

    fingerprint: str
    sets: frozenset[OverriddenSet]
    has_expired: bool
    why_not: str | None


class OverrideOut(BaseModel):
    """A recorded override. One that ended early or expired says when and why; it is shown for ever."""

    id: str
    actor: Decider
    reason: str
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    end_reason: str | None
    fingerprint: str
    policy_set_uris: list[str]
