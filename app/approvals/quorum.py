"""Who may decide, and when enough have: pure functions over values.

Only a person's newest decision counts, only on the present fingerprint, and only while it is neither voided nor too
old. While anyone's rejection stands there is no quorum, however many have approved. The workspace's rule and each
demand of a condition are counted by themselves, over the same approvals.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from app.approvals.schemas import ApprovalRules, Decision, DecisionKind, Demand, QuorumState

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
        return QuorumState(have=0, need=rules.need, because=("there is no plan to approve yet",), reached=False)
    why_uncounted: list[str] = []
    approvals: list[Decision] = []
    rejected_by: list[Decision] = []
    automatic: list[Decision] = []
    uncounted: list[Decision] = []
    for decision in newest_decisions(decisions, fingerprint):
        if decision.voided_at is not None or decision.decision == "revoke":
            continue
        if decision.actor_kind == "system":
            if decision.decision == "approve" and not is_expired(rules, decision.created_at, now):
                automatic.append(decision)
            continue
        why_not = _why_not_counted(rules, decision, rights, requested_by_id, now)
        if why_not is not None:
            why_uncounted.append(f"{decision.actor_name}'s {_noun(decision.decision)} does not count: {why_not}")
            if decision.decision == "approve":
                uncounted.append(decision)
        elif decision.decision == "reject":
            rejected_by.append(decision)
        else:
            approvals.append(decision)
    is_automatic = rules.allows_automatic and not rules.demands and bool(automatic)
    need = rules.need
    missing = 0 if is_automatic else _missing(rules, approvals, rights)
    have = need if is_automatic else min(len(approvals), need - missing) if missing else len(approvals)
    rejections = [f"{decision.actor_name} rejected it" for decision in rejected_by]
    because = [
        "the workspace's auto-apply rule approved it" if is_automatic else _counted(approvals, have, need),
        *(_asked(demand, approvals, rights) for demand in rules.demands),
        *rejections,
        *why_uncounted,
    ]
    return QuorumState(
        have=have,
        need=need,
        because=tuple(because),
        reached=not rejected_by and not missing,
        valid_decision_ids=tuple(item.id for item in (*approvals, *(automatic if is_automatic else ()))),
        uncounted_ids=tuple(decision.id for decision in uncounted),
        rejected_by=tuple(decision.actor_id for decision in rejected_by),
        rejections=tuple(rejections),
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
    if rules.team_ids and not is_free and rules.team_ids.isdisjoint(rights[actor_id]):
        return "team"
    return None


def is_expired(rules: ApprovalRules, approved_at: datetime, now: datetime) -> bool:
    """Return whether an approval of that moment is too old to count."""
    expires_at = expiry(rules, approved_at)
    return expires_at is not None and now >= expires_at


def expiry(rules: ApprovalRules, approved_at: datetime) -> datetime | None:
    """Return the moment from which an approval of that moment no longer counts; None for never."""
    return None if rules.validity_seconds is None else approved_at + timedelta(seconds=rules.validity_seconds)


def period(seconds: int) -> str:
    """Return a number of seconds in the largest unit that holds it exactly, in words."""
    for unit, size in (("day", 24 * 3600), ("hour", 3600), ("minute", 60)):
        if seconds % size == 0:
            return f"{seconds // size} {unit}{'' if seconds == size else 's'}"
    return f"{seconds} second{'' if seconds == 1 else 's'}"


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
        return f"it was valid for {period(rules.validity_seconds or 0)} only"
    return None


def _by(teams: frozenset[str], approvals: list[Decision], rights: Rights) -> list[Decision]:
    """Return the approvals by members of these teams; all of them where there is no team."""
    return [item for item in approvals if not teams or not teams.isdisjoint(rights[item.actor_id])]


def _missing(rules: ApprovalRules, approvals: list[Decision], rights: Rights) -> int:
    """Return how many approvals are missing at least, for the rule and for each demand."""
    asked = [
        (rules.required_approvals, rules.approver_team_ids),
        *((item.required_approvals, item.approver_team_ids or rules.approver_team_ids) for item in rules.demands),
    ]
    return max(0, *(need - len(_by(teams, approvals, rights)) for need, teams in asked))


def _asked(demand: Demand, approvals: list[Decision], rights: Rights) -> str:
    need = demand.required_approvals
    number = f"{need} approval{' is' if need == 1 else 's are'} needed"
    if not demand.approver_team_ids:
        return f"{number} because {demand.reason}"
    have = len(_by(demand.approver_team_ids, approvals, rights))
    return f"{number} of {' or '.join(demand.approver_team_names)} because {demand.reason}: {min(have, need)} of {need}"


def _counted(approvals: list[Decision], have: int, need: int) -> str:
    names = ", ".join(decision.actor_name for decision in approvals)
    return f"{have} of {need} approvals" + (f": {names}" if names else "")


def _noun(decision: DecisionKind) -> str:
    return {"approve": "approval", "reject": "rejection", "revoke": "revocation"}[decision]
