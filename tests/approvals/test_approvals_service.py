from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from app.approvals import service
from app.approvals.errors import (
    AlreadyDecided,
    ApproverMustBePerson,
    CommentTooLong,
    FingerprintMismatch,
    NotAnApprover,
    NothingToRevoke,
    SelfApprovalForbidden,
)
from app.approvals.schemas import ApprovalRules, DecisionKind, DecisionOut, QuorumState
from app.audit import service as audit
from app.audit.schemas import AuditFilter
from app.core import clock
from app.core.errors import AppError
from app.core.pages import PageParams
from app.core.permissions import Actor, system_actor
from app.identity import service as identity
from app.identity.roles import Role
from app.identity.schemas import UserChange
from tests.support import people

RUN = "run-1"
PRINT = "a" * 64
REQUESTER = "user-someone-else"
ONE = ApprovalRules(required_approvals=1)


@pytest.fixture
def org(session: Session) -> str:
    made = people.organization(session)
    people.person(session, made, Role.ADMIN, name="Root")
    return made


@pytest.fixture
def ann(session: Session, org: str) -> Actor:
    return people.person(session, org, Role.APPROVER, name="Ann").actor


@pytest.fixture
def bob(session: Session, org: str) -> Actor:
    return people.person(session, org, Role.APPROVER, name="Bob").actor


def _decide(
    session: Session,
    actor: Actor,
    decision: DecisionKind = "approve",
    *,
    fingerprint: str = PRINT,
    rules: ApprovalRules = ONE,
    requested_by_id: str = REQUESTER,
    seen: str | None = None,
    comment: str = "",
) -> DecisionOut:
    return service.record_decision(
        session,
        actor,
        run_id=RUN,
        organization_id=actor.organization_id,
        decision=decision,
        fingerprint=fingerprint,
        comment=comment,
        rules=rules,
        requested_by_id=requested_by_id,
        seen_fingerprint=seen,
    )


def _quorum(session: Session, org: str, rules: ApprovalRules = ONE, fingerprint: str | None = PRINT) -> QuorumState:
    return service.quorum_of(
        session, run_id=RUN, fingerprint=fingerprint, rules=rules, requested_by_id=REQUESTER, organization_id=org
    )


def test_decide_two_people_make_the_quorum_of_two(session: Session, org: str, ann: Actor, bob: Actor) -> None:
    two = ApprovalRules(required_approvals=2)
    made = _decide(session, ann, comment="looks right")
    assert (made.actor.name, made.comment, made.voided_at) == ("Ann", "looks right", None)
    assert not _quorum(session, org, two).reached
    _decide(session, bob)
    state = _quorum(session, org, two)
    assert (state.have, state.need, state.reached) == (2, 2, True)
    assert state.because == ("2 of 2 approvals: Ann, Bob",)
    (first, second) = service.decisions_of(session, [RUN, "run-other"])[RUN]
    assert (first.actor.id, second.actor.id) == (ann.id, bob.id)


def test_decide_reject_blocks_until_revoked(session: Session, org: str, ann: Actor, bob: Actor) -> None:
    _decide(session, ann)
    _decide(session, bob, "reject")
    assert not _quorum(session, org).reached
    _decide(session, bob, "revoke")
    assert _quorum(session, org).reached
    _decide(session, ann, "revoke")
    assert not _quorum(session, org).reached


@pytest.mark.parametrize("kind", ["service_account", "agent", "system"])
def test_decide_by_no_person_refused(session: Session, org: str, kind: str) -> None:
    actor = (
        system_actor(org)
        if kind == "system"
        else people.account(session, org, Role.ADMIN, Role.APPROVER, is_agent=kind == "agent").actor
    )
    for decision in ("approve", "reject", "revoke"):
        with pytest.raises(ApproverMustBePerson):
            _decide(session, actor, decision)  # type: ignore[arg-type]


def test_decide_own_run_refused_unless_the_rules_allow(session: Session, org: str, ann: Actor) -> None:
    with pytest.raises(SelfApprovalForbidden) as refused:
        _decide(session, ann, requested_by_id=ann.id)
    assert refused.value.code == "self_approval_forbidden"
    _decide(session, ann, "reject", requested_by_id=ann.id)
    open_rules = ApprovalRules(required_approvals=1, requester_may_approve=True)
    assert _decide(session, ann, requested_by_id=ann.id, rules=open_rules).decision == "approve"


def test_decide_without_right_or_with_narrow_token_refused(session: Session, org: str, ann: Actor) -> None:
    viewer = people.person(session, org, Role.VIEWER, name="Vic").actor
    narrowed = Actor(ann.id, "person", ann.name, org, permissions=frozenset(), teams=ann.teams)
    foreign = people.person(session, people.organization(session), Role.APPROVER).actor
    for actor in (viewer, narrowed):
        with pytest.raises(NotAnApprover):
            _decide(session, actor)
    with pytest.raises(NotAnApprover):
        service.record_decision(
            session,
            foreign,
            run_id=RUN,
            organization_id=org,
            decision="approve",
            fingerprint=PRINT,
            comment="",
            rules=ONE,
            requested_by_id=REQUESTER,
        )


def test_decide_right_lost_since_sign_in_refused(session: Session, org: str, ann: Actor) -> None:
    identity.assign_roles(session, system_actor(org), ann.id, [Role.VIEWER])
    with pytest.raises(NotAnApprover):
        _decide(session, ann)


def test_decide_outside_the_team_refused_and_names_it(session: Session, org: str, ann: Actor, bob: Actor) -> None:
    team = identity.create_team(session, system_actor(org), "network")
    identity.add_team_member(session, system_actor(org), team.id, ann.id)
    rules = ApprovalRules(required_approvals=1, approver_team_ids=frozenset({team.id}))
    with pytest.raises(NotAnApprover) as refused:
        _decide(session, bob, rules=rules)
    assert "network" in refused.value.detail
    _decide(session, ann, rules=rules)
    assert _quorum(session, org, rules).reached
    identity.remove_team_member(session, system_actor(org), team.id, ann.id)
    assert not _quorum(session, org, rules).reached


def test_quorum_right_lost_or_person_disabled_counts_no_more(
    session: Session, org: str, ann: Actor, bob: Actor
) -> None:
    _decide(session, ann)
    _decide(session, bob)
    identity.update_user(session, system_actor(org), ann.id, UserChange(is_disabled=True))
    state = _quorum(session, org, ApprovalRules(required_approvals=2))
    assert (state.have, state.reached) == (1, False)
    assert "Ann's approval does not count" in state.because[1]


def test_decide_other_fingerprint_seen_refused(session: Session, org: str, ann: Actor) -> None:
    with pytest.raises(FingerprintMismatch) as refused:
        _decide(session, ann, seen="b" * 64)
    assert refused.value.fields["fingerprint"] == PRINT
    assert service.decisions_of(session, [RUN]) == {}
    _decide(session, ann, seen=PRINT)


def test_quorum_decision_on_an_older_fingerprint_does_not_count(session: Session, org: str, ann: Actor) -> None:
    _decide(session, ann, fingerprint="b" * 64)
    assert not _quorum(session, org).reached
    assert not _quorum(session, org, fingerprint=None).reached
    _decide(session, ann)
    assert _quorum(session, org).reached


def test_decide_twice_refused_change_of_mind_not(session: Session, org: str, ann: Actor) -> None:
    with pytest.raises(NothingToRevoke):
        _decide(session, ann, "revoke")
    first = _decide(session, ann)
    with pytest.raises(AlreadyDecided) as refused:
        _decide(session, ann)
    assert refused.value.fields["decision_id"] == first.id
    _decide(session, ann, "reject")
    _decide(session, ann, "approve")
    assert _quorum(session, org).reached


def test_decide_again_after_expiry_is_taken(session: Session, org: str, ann: Actor) -> None:
    hour = ApprovalRules(required_approvals=1, validity_seconds=3600)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    with clock.using(lambda: start):
        _decide(session, ann, rules=hour)
        assert _quorum(session, org, hour).reached
    with clock.using(lambda: start + timedelta(hours=1)):
        assert not _quorum(session, org, hour).reached
        _decide(session, ann, rules=hour)
        assert _quorum(session, org, hour).reached


def test_decide_clock_that_runs_behind_keeps_the_order(session: Session, org: str, ann: Actor) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    with clock.using(lambda: start):
        _decide(session, ann)
    with clock.using(lambda: start - timedelta(minutes=5)):
        _decide(session, ann, "revoke")
    assert not _quorum(session, org).reached


def test_void_all_voids_approvals_keeps_rejections(session: Session, org: str, ann: Actor, bob: Actor) -> None:
    _decide(session, ann)
    _decide(session, bob, "reject")
    assert service.void_all(session, RUN, "the policy set moved") == 1
    assert service.void_all(session, RUN, "again") == 0
    first, second = service.decisions_of(session, [RUN])[RUN]
    assert (first.void_reason, first.voided_at is not None) == ("the policy set moved", True)
    assert second.voided_at is None
    state = _quorum(session, org)
    assert (state.have, state.rejected_by) == (0, (bob.id,))
    _decide(session, ann)
    _decide(session, bob, "revoke")
    assert _quorum(session, org).reached


def test_automatic_approval_counts_by_rule_only(session: Session, org: str) -> None:
    service.record_automatic_approval(
        session, run_id=RUN, organization_id=org, fingerprint=PRINT, reason="auto-apply is on"
    )
    assert _quorum(session, org, ApprovalRules(required_approvals=2, allows_automatic=True)).reached
    assert not _quorum(session, org).reached


def test_may_decide_says_why_not(session: Session, org: str, ann: Actor) -> None:
    def ask(actor: Actor, requester: str) -> str | None:
        return service.may_decide(session, actor, organization_id=org, rules=ONE, requested_by_id=requester)

    assert ask(ann, REQUESTER) is None
    assert "requested this run" in str(ask(ann, ann.id))
    assert "no person" in str(ask(system_actor(org), REQUESTER))


def test_standing_decision_is_the_newest_that_stands(session: Session, org: str, ann: Actor) -> None:
    def standing() -> str | None:
        found = service.standing_decision(service.decisions_of(session, [RUN]).get(RUN, []), ann.id, PRINT)
        return found.decision if found is not None else None

    assert standing() is None
    _decide(session, ann)
    assert standing() == "approve"
    _decide(session, ann, "revoke")
    assert standing() is None


def test_decide_comment_too_long_refused(session: Session, org: str, ann: Actor) -> None:
    with pytest.raises(CommentTooLong):
        _decide(session, ann, comment="x" * (service.MAX_COMMENT + 1))


def test_decisions_are_audited(session: Session, org: str, ann: Actor) -> None:
    _decide(session, ann, comment="ok")
    service.void_all(session, RUN, "moved")
    found = audit.list_events(session, org, AuditFilter(action="approval.*"), PageParams()).items
    assert [(event.action, event.actor.id, event.target.id) for event in found] == [
        ("approval.voided", "system", RUN),
        ("approval.approved", ann.id, RUN),
    ]
    assert found[1].evidence["fingerprint"] == PRINT


def test_every_refusal_has_its_own_code() -> None:
    refusals: list[type[AppError]] = [
        *(ApproverMustBePerson, NotAnApprover, SelfApprovalForbidden, FingerprintMismatch),
        *(AlreadyDecided, NothingToRevoke, CommentTooLong),
    ]
    assert len({error.code for error in refusals}) == len(refusals)
