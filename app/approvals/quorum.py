"""Who may decide, and when enough have: pure functions over values.

Only a person's newest decision counts, only on the present fingerprint, and only while it is not voided. While anyone's
rejection stands there is no quorum, however many have approved.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from app.approvals.schemas import ApprovalRules, Decision, DecisionKind, QuorumState

Rights = Mapping[str, frozenset[str]]
"""The team ids of everyone who is a person, enabled, and may approve now; whoever is absent may not."""


def quorum(
    rules: ApprovalRules,
    decisions: Iterable[Decision],
    rights: Rights,
    *,
    requested_by_id: str,
    fingerprint: str | None,
    now: datetime,
) -> QuorumState:
    """Return whether ``decisions`` approve the plan with this fingerprint; None has no quorum."""
    if fingerprint is None:
        return QuorumState(
            have=0, need=rules.required_approvals, because=("there is no plan to approve yet",), reached=False
        )
    because: list[str] = []
    approvals: list[Decision] = []
    rejected_by: list[Decision] = []
    automatic: list[Decision] = []
    for decision in newest_decisions(decisions, fingerprint):
        if decision.voided_at is not None or decision.decision == "revoke":
            continue
        if decision.actor_kind == "system":
            automatic += [decision] if decision.decision == "approve" else []
            continue
        why_not = _why_not_counted(rules, decision, rights, requested_by_id, now)
        if why_not is not None:
            because.append(f"{decision.actor_name}'s {_noun(decision.decision)} does not count: {why_not}")
        elif decision.decision == "reject":
            rejected_by.append(decision)
        else:
            approvals.append(decision)
    is_automatic = rules.allows_automatic and bool(automatic)
    need = rules.required_approvals
    because[:0] = [f"{decision.actor_name} rejected it" for decision in rejected_by]
    because.insert(0, "the workspace's auto-apply rule approved it" if is_automatic else _counted(approvals, need))
    return QuorumState(
        have=need if is_automatic else len(approvals),
        need=need,
        because=tuple(because),
        reached=not rejected_by and (is_automatic or len(approvals) >= need),
        valid_decision_ids=tuple(item.id for item in (*approvals, *(automatic if is_automatic else ()))),
        rejected_by=tuple(decision.actor_id for decision in rejected_by),
    )


def newest_decisions(decisions: Iterable[Decision], fingerprint: str) -> list[Decision]:
    """Return the newest decision of each who decided on ``fingerprint``, oldest first, voided and revoked ones too.

    A newest one that was voided is kept, so that nothing older comes back to life behind it.
    """
    newest: dict[str, Decision] = {}
    for decision in sorted(decisions, key=lambda item: (item.created_at, item.id)):
        if decision.fingerprint == fingerprint:
            newest[decision.actor_id] = decision
    return sorted(newest.values(), key=lambda item: (item.created_at, item.id))


def why_not_eligible(
    rules: ApprovalRules, decision: DecisionKind, actor_id: str, rights: Rights, requested_by_id: str
) -> str | None:
    """Return why a person may not ``decision`` now, as ``self``, ``right`` or ``team``; None when they may.

    Who requested a run may always reject it and revoke, given the right.
    """
    if actor_id not in rights:
        return "right"
    is_requester = actor_id == requested_by_id
    if decision == "approve" and is_requester and not rules.requester_may_approve:
        return "self"
    is_free = decision != "approve" and is_requester
    if rules.approver_team_ids and not is_free and rules.approver_team_ids.isdisjoint(rights[actor_id]):
        return "team"
    return None


def is_expired(rules: ApprovalRules, approved_at: datetime, now: datetime) -> bool:
    """Return whether an approval of that moment is too old to count."""
    return rules.validity_seconds is not None and now >= approved_at + timedelta(seconds=rules.validity_seconds)


_WORDS = {
    "right": "they may not approve any more",
    "self": "they requested the run",
    "team": "they are in none of the approver teams",
}


def _why_not_counted(
    rules: ApprovalRules, decision: Decision, rights: Rights, requested_by_id: str, now: datetime
) -> str | None:
    if decision.actor_kind != "person":
        return "only people decide"
    reason = why_not_eligible(rules, decision.decision, decision.actor_id, rights, requested_by_id)
    if reason is not None:
        return _WORDS[reason]
    if decision.decision == "approve" and is_expired(rules, decision.created_at, now):
        return f"it was valid for {rules.validity_seconds} seconds only"
    return None


def _counted(approvals: list[Decision], need: int) -> str:
    names = ", ".join(decision.actor_name for decision in approvals)
    return f"{len(approvals)} of {need} approvals" + (f": {names}" if names else "")


def _noun(decision: DecisionKind) -> str:
    return {"approve": "approval", "reject": "rejection", "revoke": "revocation"}[decision]
