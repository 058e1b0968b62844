"""Who may approve in an organization of one person."""

from collections.abc import Iterator

import pytest
from sqlalchemy.orm import Session

from app.core.settings import get_settings
from app.identity.roles import Role
from app.specs import service as specs
from app.specs.schemas import StackIn
from app.workspaces import service as workspaces
from app.workspaces.schemas import NewWorkspace
from tests.support import people


@pytest.fixture
def single_member_may_approve(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("SLUICE_SINGLE_MEMBER_MAY_APPROVE", "true")
        get_settings.cache_clear()
        yield
    get_settings.cache_clear()


@pytest.mark.usefixtures("single_member_may_approve")
def test_create_with_one_person_lets_the_requester_approve_until_a_second_comes(session: Session) -> None:
    organization = people.organization(session)
    admin = people.person(session, organization, Role.ADMIN).actor
    specs.create_stack(session, admin, StackIn(name="net"))

    alone = workspaces.create(session, admin, NewWorkspace(name="alone", stack="net"))
    strict = workspaces.create(session, admin, NewWorkspace(name="strict", stack="net", requester_may_approve=False))
    people.person(session, organization, Role.APPROVER)
    both = workspaces.create(session, admin, NewWorkspace(name="both", stack="net"))

    assert (alone.requester_may_approve, strict.requester_may_approve) == (True, False)
    assert both.requester_may_approve is False


def test_create_without_the_setting_keeps_four_eyes(session: Session) -> None:
    organization = people.organization(session)
    admin = people.person(session, organization, Role.ADMIN).actor
    specs.create_stack(session, admin, StackIn(name="net"))

    alone = workspaces.create(session, admin, NewWorkspace(name="alone", stack="net"))

    assert alone.requester_may_approve is False
