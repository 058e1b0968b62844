"""What an actor is told that lacks a permission: the token that was narrowed, or the roles."""

import pytest

from app.core.errors import Forbidden
from app.core.permissions import Actor, Permission, TokenTooNarrow

PLAN, DESTROY, APPROVE = Permission.RUNS_PLAN, Permission.RUNS_DESTROY, Permission.RUNS_APPROVE


class Special(Forbidden):
    code = "special"


def actor(*permissions: Permission, withheld: frozenset[Permission] = frozenset()) -> Actor:
    return Actor("user-a", "person", "Ada", "org-1", frozenset(permissions), withheld=withheld)


def test_require_of_what_the_token_leaves_out_says_so() -> None:
    narrow = actor(PLAN, withheld=frozenset({DESTROY}))
    with pytest.raises(TokenTooNarrow) as caught:
        narrow.require(DESTROY)
    assert caught.value.detail == ("This token of Ada was narrowed and leaves runs:destroy out. Use one that has it.")
    with pytest.raises(Special) as special:
        narrow.require(DESTROY, Special)
    assert (special.value.detail, special.value.fields["permission"]) == (caught.value.detail, "runs:destroy")


def test_require_of_what_no_role_gives_says_so() -> None:
    with pytest.raises(Forbidden) as caught:
        actor(PLAN).require(DESTROY)
    assert not isinstance(caught.value, TokenTooNarrow)
    assert caught.value.detail == (
        "Ada lacks the permission runs:destroy. Ask an admin of the organization for a role that has it."
    )
    actor(DESTROY).require(DESTROY)


def test_why_not_blames_the_token_only_for_what_a_wider_one_would_have() -> None:
    narrow = actor(PLAN, withheld=frozenset({DESTROY}))
    assert "for a role that has them" in narrow.why_not([DESTROY, APPROVE])
    assert narrow.why_not([DESTROY, APPROVE], otherwise="Ask.") == "Ask."
    both = actor(PLAN, withheld=frozenset({DESTROY, APPROVE}))
    assert both.why_not([DESTROY, APPROVE], otherwise="Ask.") == (
        "This token of Ada was narrowed and leaves runs:approve, runs:destroy out. Use one that has them."
    )
