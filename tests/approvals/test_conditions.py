"""Which conditions hold for a plan, and what they say of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.approvals.conditions import demands
from app.approvals.schemas import ApprovalCondition, PlanFacts

DELETES = ApprovalCondition(when="deletes", required_approvals=2)
OVER_20 = ApprovalCondition(when="changes_over", threshold=20, required_approvals=3)


def tagged(tag: str) -> ApprovalCondition:
    return ApprovalCondition(when="tag", tag=tag, required_approvals=2)


def reasons(*conditions: ApprovalCondition, deletes: int = 0, changes: int = 1, **more: object) -> list[str]:
    facts = PlanFacts.model_validate({"deletes": deletes, "changes": changes, **more})
    return [demand.reason for demand in demands(conditions, facts)]


def test_conditions_hold_each_by_itself_and_say_why() -> None:
    assert reasons(DELETES, OVER_20) == []
    assert reasons(DELETES, OVER_20, deletes=1, changes=20) == ["it destroys or replaces 1 resource"]
    assert reasons(DELETES, OVER_20, deletes=3, changes=21) == [
        "it destroys or replaces 3 resources",
        "it changes 21 resources, more than 20",
    ]
    assert reasons(ApprovalCondition(when="changes_over", threshold=0, required_approvals=1), changes=0) == []


@pytest.mark.parametrize(
    ("tag", "holds"),
    [
        ("env", True),
        ("env=prod", True),
        ("env=dev", False),
        ("env=pro", False),
        ("owner=anyone", True),
        ("owner", True),
        ("tier", False),
        ("tier=gold", False),
        ("env=", False),
        ("url=a=b", True),
    ],
)
def test_tag_condition_holds_by_key_or_by_key_and_value(tag: str, holds: bool) -> None:
    tags = {"env": frozenset({"prod", "test"}), "owner": None, "url": frozenset({"a=b"})}
    assert bool(reasons(tagged(tag), tags=tags)) is holds


def test_tag_that_nobody_can_know_counts_as_if_it_were_there() -> None:
    assert reasons(tagged("env=prod"), tags={"env": None}) == [
        "a resource with the tag env changes, and its value is not known yet, is sensitive, or is long"
    ]
    assert reasons(tagged("env=prod"), tags_are_known=False) == [
        "tags of resources that change are not known, so env=prod may be among them"
    ]


CONDITIONS = st.one_of(
    st.builds(ApprovalCondition, when=st.just("deletes"), required_approvals=st.integers(1, 3)),
    st.builds(
        ApprovalCondition,
        when=st.just("changes_over"),
        threshold=st.integers(0, 4),
        required_approvals=st.integers(1, 3),
    ),
    st.builds(
        ApprovalCondition,
        when=st.just("tag"),
        tag=st.sampled_from(["env", "env=prod", "tier=gold"]),
        required_approvals=st.integers(1, 3),
    ),
)
FACTS = st.builds(
    PlanFacts,
    deletes=st.integers(0, 3),
    changes=st.integers(0, 6),
    tags=st.dictionaries(
        st.sampled_from(["env", "tier"]), st.none() | st.frozensets(st.sampled_from(["prod", "gold"])), max_size=2
    ),
    tags_are_known=st.booleans(),
)


@given(st.lists(CONDITIONS, max_size=4), FACTS)
def test_knowing_less_of_a_plan_never_asks_for_less(conditions: list[ApprovalCondition], facts: PlanFacts) -> None:
    vague = facts.model_copy(update={"tags": dict.fromkeys(facts.tags), "tags_are_known": False})
    asked = [demand.required_approvals for demand in demands(conditions, facts)]
    assert len(demands(conditions, vague)) >= len(asked)
    assert len(asked) <= len(conditions)
