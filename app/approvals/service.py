"""Decisions on runs. Knows no run: the caller holds the run's row lock and gives rules, fingerprint and requester.

Rights are read as they are now, under the organization's fence that the caller holds shared, never from the time of
the decision.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from sqlalchemy.orm import Session

from app.approvals import quorum as quorums
from app.approvals import repository
from app.approvals.conditions import demands
from app.approvals.errors import (
    AlreadyDecided,
    ApproverMustBePerson,
    CommentTooLong,
    FingerprintMismatch,
    NotAnApprover,
    NothingToRevoke,
    SelfApprovalForbidden,
)
from app.approvals.models import TerraformApproval
from app.approvals.overriding import (
    due_overrides,
    end_override,
    may_override,
    overrides_of,
    record_override,
    standing_override,
)
from app.approvals.schemas import (
    ApprovalRules,
    Decider,
    Decision,
    DecisionKind,
    DecisionOut,
    QuorumQuestion,
    QuorumState,
)
from app.audit import service as audit
from app.core import clock
from app.core.errors import AppError
from app.core.ids import new_id
from app.core.permissions import Actor, Permission, system_actor
from app.identity import service as identity

__all__ = [
    "decisions_of",
    "demands",
    "due_overrides",
    "end_override",
    "may_decide",
    "may_override",
    "overrides_of",
    "quorum_of",
    "quorums_of",
    "record_automatic_approval",
    "record_decision",
    "record_override",
    "standing_decision",
    "standing_override",
    "void_all",
    "void_expired",
    "with_expired",
]
MAX_COMMENT = 4000
_PAST = {"approve": "approved", "reject": "rejected", "revoke": "revoked"}


def record_decision(
    session: Session,
    actor: Actor,
    *,
    run_id: str,
    organization_id: str,
    decision: DecisionKind,
    fingerprint: str,
    comment: str,
    rules: ApprovalRules,
    requested_by_id: str,
    seen_fingerprint: str | None = None,
) -> DecisionOut:
    """Record a person's decision on the plan with this fingerprint; call it under the run's row lock.

    ``seen_fingerprint`` is what the person looked at, when they say so. Raises ``ApproverMustBePerson``, ``Forbidden``
    for a token without the right, ``NotAnApprover``, ``SelfApprovalForbidden``, ``FingerprintMismatch``,
    ``AlreadyDecided``, ``NothingToRevoke``, ``CommentTooLong``.
    """
    _check_comment(comment)
    refusal = _refusal(session, actor, decision, organization_id, rules, requested_by_id)
    if refusal is not None:
        raise refusal
    if seen_fingerprint is not None and seen_fingerprint != fingerprint:
        raise FingerprintMismatch(
            "The plan moved since you looked at it, so your decision was not recorded. Read it again and decide then.",
            fingerprint=fingerprint,
        )
    rows = repository.of_runs(session, [run_id])
    _check_not_repeated(rows, actor, decision, fingerprint, rules)
    # Hosts' clocks differ; under the run's lock the order of decisions is the order of their times.
    earliest = rows[-1].created_at + timedelta(microseconds=1) if rows else clock.now()
    row = TerraformApproval(
        id=new_id("apr"),
        organization_id=organization_id,
        created_at=max(clock.now(), earliest),
        run_id=run_id,
        decision=decision,
        actor=actor.describe(),
        actor_id=actor.id,
        actor_kind=actor.kind,
        team_ids=sorted(actor.teams),
        fingerprint=fingerprint,
        comment=comment,
    )
    repository.add(session, row)
    evidence = {"decision_id": row.id, "fingerprint": fingerprint, "comment": comment}
    audit.record(session, actor, f"approval.{_PAST[decision]}", ("run", run_id), evidence)
    return _present(row)


def record_automatic_approval(
    session: Session, *, run_id: str, organization_id: str, fingerprint: str, reason: str
) -> DecisionOut:
    """Record that the workspace's auto-apply rule approves; it counts only while the rules allow it.

    Call it under the run's row lock. ``reason`` says which rule, in words.
    """
    actor = system_actor(organization_id)
    row = TerraformApproval(
        id=new_id("apr"),
        organization_id=organization_id,
        created_at=clock.now(),
        run_id=run_id,
        decision="approve",
        actor=actor.describe(),
        actor_id=actor.id,
        actor_kind=actor.kind,
        team_ids=[],
        fingerprint=fingerprint,
        comment=reason,
    )
    repository.add(session, row)
    evidence = {"decision_id": row.id, "fingerprint": fingerprint, "reason": reason}
    audit.record(session, actor, "approval.automatic", ("run", run_id), evidence)
    return _present(row)


def may_decide(
    session: Session,
    actor: Actor,
    *,
    organization_id: str,
    rules: ApprovalRules,
    requested_by_id: str,
    decision: DecisionKind = "approve",
) -> str | None:
    """Return why the actor may not decide so on a run with these rules and this requester; None when they may."""
    refusal = _refusal(session, actor, decision, organization_id, rules, requested_by_id)
    return refusal.detail if refusal is not None else None


def decisions_of(
    session: Session, run_ids: Iterable[str], rules: ApprovalRules | None = None
) -> dict[str, list[DecisionOut]]:
    """Return the decisions on runs, by run id, oldest first; runs without any are absent.

    With ``rules`` an approval that is not void says when it stops counting.
    """
    found: dict[str, list[DecisionOut]] = {}
    for row in repository.of_runs(session, run_ids):
        shown = _present(row)
        if rules is not None and row.decision == "approve" and row.voided_at is None:
            shown = shown.model_copy(update={"expires_at": quorums.expiry(rules, row.created_at)})
        found.setdefault(row.run_id, []).append(shown)
    return found


def standing_decision(decisions: Sequence[DecisionOut], actor_id: str, fingerprint: str | None) -> DecisionOut | None:
    """Return the decision of ``actor_id`` that counts as theirs on this fingerprint: not voided, not revoked."""
    own = [item for item in decisions if item.actor.id == actor_id and item.fingerprint == fingerprint]
    newest = own[-1] if own else None
    return newest if newest is not None and newest.voided_at is None and newest.decision != "revoke" else None


def quorum_of(
    session: Session,
    *,
    run_id: str,
    fingerprint: str | None,
    rules: ApprovalRules,
    requested_by_id: str,
    organization_id: str,
) -> QuorumState:
    """Return whether the run's plan is approved, by the decisions, rules and rights as they are now."""
    question = QuorumQuestion(run_id=run_id, fingerprint=fingerprint, rules=rules, requested_by_id=requested_by_id)
    return quorums_of(session, organization_id, [question])[run_id]


def quorums_of(session: Session, organization_id: str, questions: Sequence[QuorumQuestion]) -> dict[str, QuorumState]:
    """Return the quorum of many runs of one organization, by run id, with a fixed number of queries."""
    by_run: dict[str, list[Decision]] = {question.run_id: [] for question in questions}
    people: set[str] = set()
    for row in repository.of_runs(session, by_run):
        by_run[row.run_id].append(_value(row))
        if row.actor_kind == "person":
            people.add(row.actor_id)
    rights = identity.approvers_with_right(session, organization_id, people) if people else {}
    now = clock.now()
    return {
        question.run_id: quorums.quorum(
            question.rules,
            by_run[question.run_id],
            rights,
            requested_by_id=question.requested_by_id,
            fingerprint=question.fingerprint,
            now=now,
        )
        for question in questions
    }


def void_all(session: Session, run_id: str, reason: str) -> int:
    """Void every approval of a run that stands, saying why; return how many. Call it under the run's row lock.

    Rejections stay: what moved may be a reason to approve again, never a way to lose a no.
    """
    return _voided(session, run_id, reason, repository.void_approvals(session, run_id, reason, clock.now()))


def with_expired(session: Session, validity: Mapping[str, int]) -> list[str]:
    """Return which runs have an approval that stands and is too old, given the seconds that each run's are valid."""
    return list(repository.with_approvals_before(session, validity, clock.now())) if validity else []


def void_expired(session: Session, run_id: str, rules: ApprovalRules) -> int:
    """Void the approvals of a run that are too old by ``rules``; return how many. Call it under the run's row lock."""
    now = clock.now()
    if rules.validity_seconds is None:
        return 0
    before = now - timedelta(seconds=rules.validity_seconds)
    reason = f"It was valid for {quorums.period(rules.validity_seconds)}, and they are over."
    return _voided(session, run_id, reason, repository.void_approvals(session, run_id, reason, now, before=before))


def _voided(session: Session, run_id: str, reason: str, voided: Sequence[tuple[str, str]]) -> int:
    if voided:
        evidence = {"decision_ids": sorted(decision_id for decision_id, _ in voided), "reason": reason}
        audit.record(session, system_actor(voided[0][1]), "approval.voided", ("run", run_id), evidence)
    return len(voided)


def _refusal(
    session: Session,
    actor: Actor,
    decision: DecisionKind,
    organization_id: str,
    rules: ApprovalRules,
    requested_by_id: str,
) -> AppError | None:
    if actor.kind != "person":
        return ApproverMustBePerson(
            f"{actor.name} is no person. Service accounts, AI agents and rules never {decision}; ask someone who may.",
        )
    right = Permission.RUNS_APPROVE
    ask = actor.why_not([right], otherwise="Ask an admin of the organization for the role approver.")
    may_not = NotAnApprover(f"{actor.name} may not approve runs here. {ask}", reason="right")
    if actor.organization_id != organization_id or not actor.may(right):
        return may_not
    rights = identity.approvers_with_right(session, organization_id, [actor.id])
    reason = quorums.why_not_eligible(rules, decision, actor.id, rights, requested_by_id)
    if reason == "self":
        return SelfApprovalForbidden(
            f"{actor.name} requested this run, and the workspace's rules want someone else to approve it."
        )
    if reason == "team":
        names = identity.team_names(session, organization_id, rules.team_ids)
        teams = ", ".join(sorted(names.values())) or "its approver teams"
        return NotAnApprover(
            f"{actor.name} is in none of the teams that approve runs of this workspace: {teams}.", reason="team"
        )
    return may_not if reason is not None else None


def _check_not_repeated(
    rows: Sequence[TerraformApproval], actor: Actor, decision: DecisionKind, fingerprint: str, rules: ApprovalRules
) -> None:
    standing = standing_decision([_present(row) for row in rows], actor.id, fingerprint)
    if decision == "revoke":
        if standing is None:
            raise NothingToRevoke(f"{actor.name} has no standing decision on this plan.")
    elif (
        standing is not None
        and standing.decision == decision
        and not (decision == "approve" and quorums.is_expired(rules, standing.created_at, clock.now()))
    ):
        raise AlreadyDecided(
            f"{actor.name} has {_PAST[decision]} this plan already. Revoke that decision to take it back.",
            decision_id=standing.id,
        )


def _check_comment(comment: str) -> None:
    if len(comment) > MAX_COMMENT:
        message = f"has {len(comment)} characters; at most {MAX_COMMENT} are kept"
        raise CommentTooLong.of_field("comment", message)


def _value(row: TerraformApproval) -> Decision:
    return Decision(
        id=row.id,
        decision=row.decision,  # type: ignore[arg-type]  # written by this service alone
        actor_id=row.actor_id,
        actor_kind=row.actor_kind,
        actor_name=str(row.actor.get("name", row.actor_id)),
        fingerprint=row.fingerprint,
        created_at=row.created_at,
        voided_at=row.voided_at,
    )


def _present(row: TerraformApproval) -> DecisionOut:
    return DecisionOut(
        id=row.id,
        decision=row.decision,  # type: ignore[arg-type]  # written by this service alone
        actor=Decider.model_validate(row.actor),
        comment=row.comment,
        fingerprint=row.fingerprint,
        created_at=row.created_at,
        voided_at=row.voided_at,
        void_reason=row.void_reason,
    )
