from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.approvals.quorum import newest_decisions, period, quorum, why_not_eligible
from app.approvals.schemas import ApprovalRules, Decision, DecisionKind, Demand, QuorumState

START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = START + timedelta(hours=1)
PRINT = "f" * 64
OTHER = "0" * 64
REQUESTER = "user-requester"
PEOPLE = ["user-a", "user-b", "user-c", "user-d", REQUESTER]
TEAMS = ["team-x", "team-y"]


def _decision(
    actor: str,
    decision: DecisionKind = "approve",
    at: int = 0,
    *,
    fingerprint: str = PRINT,
    kind: str = "person",
    is_voided: bool = False,
) -> Decision:
    return Decision(
        id=f"apr-{at:04}",
        decision=decision,
        actor_id=actor,
        actor_kind=kind,
        actor_name=actor,
        fingerprint=fingerprint,
        created_at=START + timedelta(seconds=at),
        voided_at=START if is_voided else None,
    )


def _ask(
    rules: ApprovalRules, decisions: list[Decision], rights: dict[str, frozenset[str]] | None = None
) -> QuorumState:
    known = rights if rights is not None else {person: frozenset(TEAMS) for person in PEOPLE}
    return quorum(rules, decisions, known, requested_by_id=REQUESTER, fingerprint=PRINT, now=NOW)


DEMANDS = st.builds(
    Demand,
    required_approvals=st.integers(1, 4),
    reason=st.just("it destroys or replaces 1 resource"),
    approver_team_ids=st.frozensets(st.sampled_from(TEAMS)),
)
RULES = st.builds(
    ApprovalRules,
    required_approvals=st.integers(1, 4),
    approver_team_ids=st.frozensets(st.sampled_from(TEAMS)),
    requester_may_approve=st.booleans(),
    validity_seconds=st.none() | st.integers(1, 7200),
    allows_automatic=st.booleans(),
    demands=st.lists(DEMANDS, max_size=3).map(tuple),
)
RIGHTS = st.dictionaries(st.sampled_from(PEOPLE), st.frozensets(st.sampled_from(TEAMS)))
ENTRY = st.tuples(
    st.sampled_from([*((person, "person") for person in PEOPLE), ("sa-1", "service_account"), ("system", "system")]),
    st.sampled_from(["approve", "reject", "revoke"]),
    st.sampled_from([PRINT, PRINT, PRINT, OTHER]),
    st.booleans(),
)


@st.composite
def histories(draw: st.DrawFn) -> list[Decision]:
    return [
        _decision(
            actor, decision, at, fingerprint=fingerprint, kind=kind, is_voided=is_voided and decision == "approve"
        )
        for at, ((actor, kind), decision, fingerprint, is_voided) in enumerate(draw(st.lists(ENTRY, max_size=14)))
    ]


def _is_countable(rules: ApprovalRules, rights: dict[str, frozenset[str]], person: str, decision: DecisionKind) -> bool:
    return why_not_eligible(rules, decision, person, rights, REQUESTER) is None


@given(RULES, histories(), RIGHTS)
def test_quorum_reached_implies_enough_eligible_distinct_people(
    rules: ApprovalRules, decisions: list[Decision], rights: dict[str, frozenset[str]]
) -> None:
    state = _ask(rules, decisions, rights)
    counted = [item for item in decisions if item.id in state.valid_decision_ids]
    people = {item.actor_id for item in counted if item.actor_kind == "person"}
    assert all(item.decision == "approve" and item.voided_at is None and item.fingerprint == PRINT for item in counted)
    assert all(_is_countable(rules, rights, person, "approve") for person in people)
    assert "sa-1" not in {item.actor_id for item in counted}
    if not rules.requester_may_approve:
        assert REQUESTER not in people
    assert state.need == max([rules.required_approvals, *(demand.required_approvals for demand in rules.demands)])
    if rules.validity_seconds is not None:
        assert all((NOW - item.created_at).total_seconds() < rules.validity_seconds for item in counted)
    if state.reached:
        assert not state.rejected_by
        assert state.have >= state.need
        if any(item.actor_kind == "system" for item in counted):
            assert rules.allows_automatic
            assert not rules.demands, "a rule never approves what a condition asks more approvals for"
            return
        asked = [(rules.required_approvals, rules.approver_team_ids)]
        own = rules.approver_team_ids
        asked += [(item.required_approvals, item.approver_team_ids or own) for item in rules.demands]
        for need, teams in asked:
            assert len([person for person in people if not teams or teams & rights[person]]) >= need
    elif not state.rejected_by:
        assert state.have < state.need, "who reads `have of need` sees that something is missing"


@given(RULES, histories(), RIGHTS, DEMANDS)
def test_quorum_one_more_demand_never_reaches_it(
    rules: ApprovalRules, decisions: list[Decision], rights: dict[str, frozenset[str]], demand: Demand
) -> None:
    # Of a team that counts already, since a new one makes more people eligible, also to reject.
    asked = demand.model_copy(update={"approver_team_ids": demand.approver_team_ids & rules.approver_team_ids})
    more = rules.model_copy(update={"demands": (*rules.demands, asked)})
    assert _ask(rules, decisions, rights).reached or not _ask(more, decisions, rights).reached


@given(RULES, histories(), RIGHTS, st.integers(0, 7200))
def test_quorum_is_never_reached_by_waiting(
    rules: ApprovalRules, decisions: list[Decision], rights: dict[str, frozenset[str]], seconds: int
) -> None:
    later = quorum(
        rules,
        decisions,
        rights,
        requested_by_id=REQUESTER,
        fingerprint=PRINT,
        now=NOW + timedelta(seconds=seconds),
    )
    assert set(later.valid_decision_ids) <= set(_ask(rules, decisions, rights).valid_decision_ids)
    assert _ask(rules, decisions, rights).reached or not later.reached


@given(RULES, histories(), RIGHTS, st.sampled_from(PEOPLE))
def test_quorum_further_approval_never_lowers_it(
    rules: ApprovalRules, decisions: list[Decision], rights: dict[str, frozenset[str]], person: str
) -> None:
    before = _ask(rules, decisions, rights)
    after = _ask(rules, [*decisions, _decision(person, at=100)], rights)
    assert after.have >= before.have or not _is_countable(rules, rights, person, "approve")
    assert after.reached or not before.reached or not _is_countable(rules, rights, person, "approve")


@given(RULES, histories(), RIGHTS, st.sampled_from(PEOPLE))
def test_quorum_standing_reject_blocks_and_revoke_undoes_it(
    rules: ApprovalRules, decisions: list[Decision], rights: dict[str, frozenset[str]], person: str
) -> None:
    # `person` has decided nothing yet, so the revocation leads back to where it was.
    others = [item for item in decisions if item.actor_id != person]
    before = _ask(rules, others, rights)
    rejected = [*others, _decision(person, "reject", 100)]
    if _is_countable(rules, rights, person, "reject"):
        assert not _ask(rules, rejected, rights).reached
        assert person in _ask(rules, rejected, rights).rejected_by
    revoked = _ask(rules, [*rejected, _decision(person, "revoke", 101)], rights)
    assert (revoked.have, revoked.reached, revoked.rejected_by) == (before.have, before.reached, before.rejected_by)


@given(RULES, histories(), RIGHTS, st.randoms(use_true_random=False))
def test_quorum_order_of_rows_does_not_matter(
    rules: ApprovalRules, decisions: list[Decision], rights: dict[str, frozenset[str]], random: object
) -> None:
    shuffled = list(decisions)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert _ask(rules, shuffled, rights) == _ask(rules, decisions, rights)


@given(RULES, histories(), RIGHTS)
def test_quorum_order_between_people_does_not_matter(
    rules: ApprovalRules, decisions: list[Decision], rights: dict[str, frozenset[str]]
) -> None:
    by_person = sorted(decisions, key=lambda item: item.actor_id)
    moved = [item.model_copy(update={"created_at": START + timedelta(seconds=at)}) for at, item in enumerate(by_person)]
    unlimited = rules.model_copy(update={"validity_seconds": None})
    first, second = _ask(unlimited, decisions, rights), _ask(unlimited, moved, rights)
    assert (first.have, first.reached, set(first.rejected_by)) == (
        second.have,
        second.reached,
        set(second.rejected_by),
    )


@given(RULES, histories(), RIGHTS, st.sampled_from(PEOPLE))
def test_quorum_losing_a_right_never_adds_an_approval(
    rules: ApprovalRules, decisions: list[Decision], rights: dict[str, frozenset[str]], person: str
) -> None:
    fewer = {key: value for key, value in rights.items() if key != person}
    assert _ask(rules, decisions, fewer).have <= _ask(rules, decisions, rights).have


@given(RULES, histories(), RIGHTS)
def test_quorum_one_more_required_never_reaches_it(
    rules: ApprovalRules, decisions: list[Decision], rights: dict[str, frozenset[str]]
) -> None:
    harder = rules.model_copy(update={"required_approvals": rules.required_approvals + 1})
    assert _ask(rules, decisions, rights).reached or not _ask(harder, decisions, rights).reached


@given(RULES, histories(), RIGHTS)
def test_quorum_all_voided_or_of_another_plan_is_nothing(
    rules: ApprovalRules, decisions: list[Decision], rights: dict[str, frozenset[str]]
) -> None:
    voided = [item.model_copy(update={"voided_at": START}) for item in decisions]
    moved = [item.model_copy(update={"fingerprint": OTHER}) for item in decisions]
    for history in (voided, moved):
        state = _ask(rules, history, rights)
        assert (state.have, state.reached, state.valid_decision_ids) == (0, False, ())


@given(RULES, histories(), RIGHTS)
def test_quorum_without_fingerprint_is_never_reached(
    rules: ApprovalRules, decisions: list[Decision], rights: dict[str, frozenset[str]]
) -> None:
    assert not quorum(rules, decisions, rights, requested_by_id=REQUESTER, fingerprint=None, now=NOW).reached


def test_quorum_one_person_twice_counts_once() -> None:
    state = _ask(ApprovalRules(required_approvals=2), [_decision("user-a"), _decision("user-a", at=1)])
    assert (state.have, state.need, state.reached) == (1, 2, False)


def test_quorum_voided_approval_does_not_uncover_an_older_one() -> None:
    history = [_decision("user-a"), _decision("user-a", at=1, is_voided=True)]
    assert _ask(ApprovalRules(required_approvals=1), history).have == 0


def test_quorum_expired_approval_is_named() -> None:
    state = _ask(ApprovalRules(required_approvals=1, validity_seconds=60), [_decision("user-a")])
    assert not state.reached
    assert "valid for 1 minute only" in state.because[1]


def test_quorum_automatic_approval_counts_only_while_allowed() -> None:
    history = [_decision("system", kind="system")]
    assert _ask(ApprovalRules(required_approvals=3, allows_automatic=True), history).reached
    assert not _ask(ApprovalRules(required_approvals=1), history).reached
    rejected = [*history, _decision("user-a", "reject", 1)]
    assert not _ask(ApprovalRules(required_approvals=1, allows_automatic=True), rejected).reached


def test_quorum_automatic_approval_runs_out_like_any_other() -> None:
    rules = ApprovalRules(required_approvals=1, allows_automatic=True, validity_seconds=60)
    assert not _ask(rules, [_decision("system", kind="system")]).reached
    assert _ask(rules, [_decision("system", kind="system", at=3599)]).reached


def test_quorum_demand_is_met_by_its_own_teams_and_says_why() -> None:
    demand = Demand(
        required_approvals=1,
        reason="a resource tagged env=prod changes",
        approver_team_ids=frozenset({"team-y"}),
        approver_team_names=("security",),
    )
    rules = ApprovalRules(required_approvals=2, approver_team_ids=frozenset({"team-x"}), demands=(demand,))
    rights = {name: frozenset({"team-x"}) for name in ("user-a", "user-b")} | {"user-c": frozenset({"team-y"})}
    history = [_decision("user-a"), _decision("user-b", at=1)]
    state = _ask(rules, history, rights)
    assert (state.have, state.need, state.reached) == (1, 2, False)
    assert state.because[:2] == (
        "1 of 2 approvals: user-a, user-b",
        "1 approval is needed of security because a resource tagged env=prod changes: 0 of 1",
    )
    assert _ask(rules, [*history, _decision("user-c", at=2)], rights).reached
    assert not _ask(rules, [history[0], _decision("user-c", at=2)], rights).reached, "one of the rule's own is missing"


def test_quorum_demand_without_teams_is_counted_as_the_rule_is() -> None:
    demand = Demand(required_approvals=2, reason="it destroys or replaces 3 resources")
    rules = ApprovalRules(required_approvals=1, approver_team_ids=frozenset({"team-x"}), demands=(demand,))
    rights = {"user-a": frozenset({"team-x"}), "user-b": frozenset({"team-x"}), "user-c": frozenset({"team-y"})}
    state = _ask(rules, [_decision("user-a"), _decision("user-c", at=1)], rights)
    assert (state.have, state.need, state.reached) == (1, 2, False)
    assert state.because[1] == "2 approvals are needed because it destroys or replaces 3 resources"
    assert _ask(rules, [_decision("user-a"), _decision("user-b", at=1)], rights).reached


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(1, "1 second"), (90, "90 seconds"), (60, "1 minute"), (3600, "1 hour"), (28800, "8 hours"), (172800, "2 days")],
)
def test_period_is_told_in_the_largest_exact_unit(seconds: int, words: str) -> None:
    assert period(seconds) == words


def test_quorum_because_names_everyone() -> None:
    history = [
        _decision("user-a"),
        _decision("user-b", "reject", 1),
        _decision(REQUESTER, at=2),
        _decision("gone", at=3),
    ]
    because = _ask(ApprovalRules(required_approvals=2), history).because
    assert because == (
        "1 of 2 approvals: user-a",
        "user-b rejected it",
        "user-requester's approval does not count: they requested the run",
        "gone's approval does not count: they may not approve any more",
    )


@pytest.mark.parametrize(
    ("decision", "actor", "teams", "expected"),
    [
        ("approve", "user-a", {"team-x"}, None),
        ("approve", "user-a", {"team-y"}, "team"),
        ("reject", "user-a", {"team-y"}, "team"),
        ("approve", REQUESTER, {"team-x"}, "self"),
        ("reject", REQUESTER, set(), None),
        ("revoke", REQUESTER, set(), None),
        ("approve", "user-none", None, "right"),
    ],
)
def test_why_not_eligible_tells_the_reason(
    decision: DecisionKind, actor: str, teams: set[str] | None, expected: str | None
) -> None:
    rules = ApprovalRules(required_approvals=1, approver_team_ids=frozenset({"team-x"}))
    rights = {} if teams is None else {actor: frozenset(teams)}
    assert why_not_eligible(rules, decision, actor, rights, REQUESTER) == expected


def test_newest_decisions_keeps_one_a_person() -> None:
    history = [_decision("user-a"), _decision("user-b", at=1), _decision("user-a", "reject", 2)]
    assert [(item.actor_id, item.decision) for item in newest_decisions(history, PRINT)] == [
        ("user-b", "approve"),
        ("user-a", "reject"),
    ]
