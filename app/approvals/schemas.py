"""Decisions, approval rules and quorum: the vocabulary of the gate."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

DecisionKind = Literal["approve", "reject", "revoke"]


class Value(BaseModel):
    """Base of the values that cross slices: immutable, nothing unknown."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ApprovalRules(Value):
    """When a plan is approved.

    ``approver_team_ids`` empty means anyone with the right to approve. ``validity_seconds`` is how long an approval
    counts, None for ever. ``allows_automatic`` says that an approval by the workspace's auto-apply rule counts.
    """

    required_approvals: int = Field(ge=1)
    approver_team_ids: frozenset[str] = frozenset()
    requester_may_approve: bool = False
    validity_seconds: int | None = Field(None, gt=0)
    allows_automatic: bool = False


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

    ``valid_decision_ids`` are the approvals that count; ``rejected_by`` are the ids of the people whose rejection
    stands.
    """

    have: int
    need: int
    because: tuple[str, ...]
    reached: bool
    valid_decision_ids: tuple[str, ...] = ()
    rejected_by: tuple[str, ...] = ()


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
