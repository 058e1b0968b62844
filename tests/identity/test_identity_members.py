import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.audit import service as audit
from app.audit.schemas import AuditFilter
from app.core import events
from app.core.errors import Invalid, NotFound
from app.core.pages import PageParams
from app.core.permissions import PERSON_ONLY, Permission, system_actor
from app.identity import service
from app.identity.errors import BeyondOwnRights, LastAdmin, NameTaken
from app.identity.roles import PERMISSIONS, Role, permissions_of
from app.identity.schemas import RightsChanged, ServiceAccountChange, ServiceAccountIn, TokenIn, UserChange, UserIn
from tests.support import people


@pytest.fixture
def org(session: Session) -> str:
    return people.organization(session)


@pytest.fixture
def admin(session: Session, org: str) -> people.Member:
    return people.person(session, org, Role.ADMIN, name="Root")


@pytest.fixture
def facts(monkeypatch: pytest.MonkeyPatch) -> list[RightsChanged]:
    heard: list[RightsChanged] = []
    monkeypatch.setattr(events, "_handlers", {RightsChanged: [lambda _session, fact: heard.append(fact)]})
    return heard


def test_roles_every_role_holds_the_viewers() -> None:
    assert all(PERMISSIONS[role] >= PERMISSIONS[Role.VIEWER] for role in Role)
    assert PERMISSIONS[Role.ADMIN] == frozenset(Permission)


def test_roles_operator_and_planner_never_pass_the_gate() -> None:
    assert not PERMISSIONS[Role.OPERATOR] & PERSON_ONLY
    assert not PERMISSIONS[Role.PLANNER] & PERSON_ONLY
    assert Permission.RUNS_APPLY not in PERMISSIONS[Role.PLANNER]


@pytest.mark.parametrize("kind", ["service_account", "agent"])
def test_permissions_of_bots_lack_what_people_alone_may(kind: str) -> None:
    assert not permissions_of(["admin", "approver", "nonsense"], kind) & PERSON_ONLY  # type: ignore[arg-type]


def test_create_user_known_email_in_other_case_refused(session: Session, org: str) -> None:
    system = system_actor(org)
    service.create_user(session, system, UserIn(email="Ada@example.org", name="Ada"))
    with pytest.raises(NameTaken) as caught:
        service.create_user(session, system, UserIn(email="ada@EXAMPLE.org", name="Other"))
    assert caught.value.fields["errors"][0]["field"] == "email"


def test_create_user_beyond_own_rights_refused(session: Session, org: str, admin: people.Member) -> None:
    helper = service.issue_token(
        session,
        admin.actor,
        TokenIn(name="hr", permissions=[Permission.MEMBERS_MANAGE, *PERMISSIONS[Role.VIEWER]]),
    )
    narrow = service.resolve_token(session, helper.token)
    assert narrow is not None
    with pytest.raises(BeyondOwnRights) as caught:
        service.create_user(session, narrow, UserIn(email="x@example.org", name="X", roles=[Role.APPROVER]))
    assert "runs:approve" in caught.value.fields["permissions"]
    assert "This token of" in caught.value.detail, "a wider token is what helps"
    made = service.create_user(session, narrow, UserIn(email="y@example.org", name="Y", roles=[Role.VIEWER]))
    with pytest.raises(BeyondOwnRights):
        service.assign_roles(session, narrow, made.id, [Role.ADMIN])
    with pytest.raises(BeyondOwnRights):
        service.assign_roles(session, narrow, narrow.id, [Role.ADMIN, Role.OPERATOR])


def test_bot_with_admin_role_neither_makes_approvers_nor_shapes_teams(session: Session, org: str) -> None:
    bot = people.account(session, org, Role.ADMIN).actor
    with pytest.raises(BeyondOwnRights):
        service.create_user(session, bot, UserIn(email="x@example.org", name="X", roles=[Role.APPROVER]))
    with pytest.raises(BeyondOwnRights):
        service.create_team(session, bot, "sre")


def test_login_link_for_someone_with_more_rights_refused(session: Session, org: str, admin: people.Member) -> None:
    bot = people.account(session, org, Role.ADMIN).actor
    with pytest.raises(BeyondOwnRights):
        service.create_login_link(session, bot, admin.id)


def test_update_user_last_admin_stays(session: Session, org: str, admin: people.Member) -> None:
    people.account(session, org, Role.ADMIN)
    for change in (UserChange(roles=[Role.VIEWER]), UserChange(is_disabled=True)):
        with pytest.raises(LastAdmin), session.begin_nested():
            service.update_user(session, admin.actor, admin.id, change)
    second = people.person(session, org, Role.ADMIN)
    service.update_user(session, second.actor, admin.id, UserChange(is_disabled=True))
    with pytest.raises(LastAdmin):
        service.assign_roles(session, second.actor, second.id, [Role.OPERATOR])


def test_update_user_rights_changed_is_published_once_each(
    session: Session, org: str, admin: people.Member, facts: list[RightsChanged]
) -> None:
    user = people.person(session, org, Role.VIEWER)
    service.update_user(session, admin.actor, user.id, UserChange(name="New Name"))
    assert facts == []
    service.assign_roles(session, admin.actor, user.id, [Role.APPROVER])
    service.assign_roles(session, admin.actor, user.id, [Role.APPROVER])
    service.update_user(session, admin.actor, user.id, UserChange(is_disabled=True))
    team = service.create_team(session, admin.actor, "sre")
    service.add_team_member(session, admin.actor, team.id, user.id)
    service.add_team_member(session, admin.actor, team.id, user.id)
    service.remove_team_member(session, admin.actor, team.id, user.id)
    service.remove_team_member(session, admin.actor, team.id, user.id)
    assert facts == [RightsChanged(org, user.id)] * 4


def test_update_user_disabled_ends_tokens_sessions_and_links(session: Session, org: str, admin: people.Member) -> None:
    user = people.person(session, org, Role.VIEWER, password=True)
    email = service.get_user(session, admin.actor, user.id).email
    link = service.create_login_link(session, admin.actor, user.id)
    opened = service.log_in(session, email, people.PASSWORD, "127.0.0.1")
    assert opened is not None
    service.update_user(session, admin.actor, user.id, UserChange(is_disabled=True))
    assert service.resolve_token(session, user.token) is None
    assert service.resolve_session(session, opened[1]) is None
    assert service.log_in(session, email, people.PASSWORD, "127.0.0.1") is None
    service.update_user(session, admin.actor, user.id, UserChange(is_disabled=False))
    with pytest.raises(Exception, match="used already"):
        service.use_login_link(session, link.login_url.partition("link=")[2], "127.0.0.1")


def test_approvers_with_right_leaves_out_the_disabled_demoted_and_foreign(session: Session, org: str) -> None:
    system = system_actor(org)
    good = people.person(session, org, Role.APPROVER)
    demoted = people.person(session, org, Role.OPERATOR)
    disabled = people.person(session, org, Role.APPROVER)
    service.update_user(session, system, people.person(session, org, Role.ADMIN).id, UserChange(name="Keep"))
    service.update_user(session, system, disabled.id, UserChange(is_disabled=True))
    bot = people.account(session, org, Role.ADMIN)
    foreign = people.person(session, people.organization(session, "other"), Role.APPROVER)
    team = service.create_team(session, system, "sre")
    service.add_team_member(session, system, team.id, good.id)
    asked = [good.id, demoted.id, disabled.id, bot.id, foreign.id, "user-unknown"]
    assert service.approvers_with_right(session, org, asked) == {good.id: frozenset({team.id})}


def test_teams_named_unknown_team_is_named(session: Session, org: str, admin: people.Member) -> None:
    team = service.create_team(session, admin.actor, "sre")
    foreign_org = people.organization(session, "other")
    foreign = service.create_team(session, system_actor(foreign_org), "theirs")
    assert [ref.id for ref in service.teams_named(session, org, ["sre"])] == [team.id]
    assert service.teams_named(session, org, [team.id])[0].name == "sre"
    with pytest.raises(Invalid, match=foreign.id):
        service.teams_named(session, org, ["sre", foreign.id])
    assert service.team_names(session, org, [team.id, foreign.id]) == {team.id: "sre"}


def test_add_team_member_from_another_organization_not_found(session: Session, org: str, admin: people.Member) -> None:
    team = service.create_team(session, admin.actor, "sre")
    foreign = people.person(session, people.organization(session, "other"), Role.VIEWER)
    with pytest.raises(NotFound):
        service.add_team_member(session, admin.actor, team.id, foreign.id)


def test_update_service_account_disabled_stops_its_token(session: Session, org: str, admin: people.Member) -> None:
    bot = people.account(session, org, Role.PLANNER)
    service.update_service_account(session, admin.actor, bot.actor.name, ServiceAccountChange(is_disabled=True))
    assert service.resolve_token(session, bot.token) is None


def test_create_service_account_same_name_refused(session: Session, org: str, admin: people.Member) -> None:
    service.create_service_account(session, admin.actor, ServiceAccountIn(name="ci"))
    with pytest.raises(NameTaken):
        service.create_service_account(session, admin.actor, ServiceAccountIn(name=" ci "))


def test_every_change_of_members_is_audited(session: Session, org: str, admin: people.Member) -> None:
    user = people.person(session, org, Role.VIEWER)
    service.update_user(session, admin.actor, user.id, UserChange(name="New", roles=[Role.PLANNER], is_disabled=True))
    team = service.create_team(session, admin.actor, "sre")
    service.add_team_member(session, admin.actor, team.id, user.id)
    service.remove_team_member(session, admin.actor, team.id, user.id)
    session.flush()
    by_admin = audit.list_events(session, org, AuditFilter(actor_id=admin.id), PageParams()).items
    assert [event.action for event in reversed(by_admin)] == [
        "token.created",
        "user.renamed",
        "user.roles_changed",
        "user.disabled",
        "team.created",
        "team.member_added",
        "team.member_removed",
    ]


def test_organization_is_born_with_its_fence(session: Session, org: str) -> None:
    found = session.execute(text("SELECT scope, halt_id FROM fences WHERE id = :id"), {"id": org}).one()
    assert tuple(found) == ("organization", None)
