from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.core import clock
from app.core.errors import Forbidden, Invalid, NotFound
from app.core.pages import PageParams
from app.core.permissions import Permission
from app.identity import credentials, service, tokens
from app.identity.errors import LinkUnusable, TokenTooWide, TooManyAttempts
from app.identity.models import ApiToken, LoginLink, User, UserSession
from app.identity.roles import PERMISSIONS, Role
from app.identity.schemas import TokenIn
from tests.support import people

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@contextmanager
def at(moment: datetime) -> Iterator[None]:
    with clock.using(lambda: moment):
        yield


@pytest.fixture
def org(session: Session) -> str:
    return people.organization(session)


@pytest.fixture
def admin(session: Session, org: str) -> people.Member:
    return people.person(session, org, Role.ADMIN)


def _email(session: Session, user_id: str) -> str:
    return session.scalars(select(User.email).where(User.id == user_id)).one()


@pytest.mark.parametrize(
    "damage",
    [
        lambda token: token[:-1] + ("0" if token[-1] != "0" else "1"),
        lambda token: token[:10] + ("0" if token[10] != "0" else "1") + token[11:],
        lambda token: token + "0",
        lambda token: token[4:],
        lambda token: token[:4] + "é" * 49,
        lambda token: token[:0],
    ],
)
def test_is_well_formed_damaged_token_is_not(damage: object) -> None:
    token = tokens.new_token()
    assert tokens.is_well_formed(token)
    assert not tokens.is_well_formed(damage(token))  # type: ignore[operator]


def test_issue_token_secret_is_not_stored(session: Session, admin: people.Member) -> None:
    row = session.scalars(select(ApiToken).where(ApiToken.user_id == admin.id)).one()
    assert row.token_hash == tokens.hash_secret(admin.token)
    assert admin.token not in str(vars(row))


def test_resolve_token_follows_the_owners_rights_of_the_moment(
    session: Session, org: str, admin: people.Member
) -> None:
    user = people.person(session, org, Role.VIEWER)
    service.assign_roles(session, admin.actor, user.id, [Role.PLANNER])
    actor = service.resolve_token(session, user.token, "203.0.113.5")
    assert actor is not None
    assert actor.permissions == PERMISSIONS[Role.PLANNER]
    assert (actor.kind, actor.source_address, actor.organization_id) == ("person", "203.0.113.5", org)


def test_resolve_token_narrowed_loses_what_the_owner_loses(session: Session, org: str, admin: people.Member) -> None:
    user = people.person(session, org, Role.PLANNER)
    wanted = [Permission.RUNS_PLAN, Permission.RUNS_READ]
    narrow = service.issue_token(session, user.actor, TokenIn(name="ci", permissions=wanted)).token
    service.assign_roles(session, admin.actor, user.id, [Role.VIEWER])
    actor = service.resolve_token(session, narrow)
    assert actor is not None
    assert actor.permissions == {Permission.RUNS_READ}


def test_resolve_token_expired_or_revoked_is_nobody(session: Session, org: str) -> None:
    user = people.person(session, org, Role.VIEWER)
    with at(START):
        made = service.issue_token(session, user.actor, TokenIn(name="short", expires_at=START + timedelta(hours=1)))
        assert service.resolve_token(session, made.token) is not None
    with at(START + timedelta(hours=1)):
        assert service.resolve_token(session, made.token) is None
    service.revoke_token(session, user.actor, made.id)
    with at(START):
        assert service.resolve_token(session, made.token) is None


def test_resolve_token_unknown_is_nobody(session: Session, org: str) -> None:
    assert service.resolve_token(session, tokens.new_token()) is None


def test_resolve_token_notes_use_once_a_minute(session: Session, org: str) -> None:
    user = people.person(session, org, Role.VIEWER)
    query = select(ApiToken.last_used_at).where(ApiToken.user_id == user.id)
    for seconds, noted in ((0, 0), (59, 0), (61, 61)):
        with at(START + timedelta(seconds=seconds)):
            service.resolve_token(session, user.token)
        assert session.scalars(query).one() == START + timedelta(seconds=noted)


def test_agents_hold_no_right_to_approve_whatever_their_role(session: Session, org: str) -> None:
    for is_agent in (False, True):
        bot = people.account(session, org, Role.ADMIN, is_agent=is_agent).actor
        assert bot.kind == ("agent" if is_agent else "service_account")
        assert not bot.may(Permission.RUNS_APPROVE)
        assert Permission.RUNS_OVERRIDE not in bot.permissions


def test_issue_token_wider_than_owner_or_asker_refused(session: Session, org: str, admin: people.Member) -> None:
    viewer = people.person(session, org, Role.VIEWER)
    with pytest.raises(TokenTooWide, match="runs:plan"):
        service.issue_token(session, viewer.actor, TokenIn(name="x", permissions=[Permission.RUNS_PLAN]))
    wanted = [Permission.TOKENS_OWN, Permission.TOKENS_MANAGE, Permission.RUNS_READ]
    narrow = service.resolve_token(
        session, service.issue_token(session, admin.actor, TokenIn(name="n", permissions=wanted)).token
    )
    assert narrow is not None
    for wider in (None, [Permission.RUNS_APPROVE]):
        with pytest.raises(TokenTooWide):
            service.issue_token(session, narrow, TokenIn(name="x", permissions=wider))
    bot = people.account(session, org, Role.OPERATOR)
    with pytest.raises(TokenTooWide):
        service.issue_token(session, narrow, TokenIn(name="x", service_account=bot.id))
    made = service.issue_token(session, narrow, TokenIn(name="x", permissions=[Permission.RUNS_READ]))
    assert made.permissions == [Permission.RUNS_READ]


def test_issue_token_narrowed_to_all_rights_may_not_widen_with_its_owner(
    session: Session, org: str, admin: people.Member
) -> None:
    viewer = people.person(session, org, Role.VIEWER)
    everything = sorted(PERMISSIONS[Role.VIEWER])
    narrow = service.issue_token(session, viewer.actor, TokenIn(name="n", permissions=everything)).token
    asker = service.resolve_token(session, narrow)
    assert asker is not None
    with pytest.raises(TokenTooWide, match="narrowed"):
        service.issue_token(session, asker, TokenIn(name="x"))


def test_issue_token_outliving_the_asker_refused(session: Session, org: str) -> None:
    user = people.person(session, org, Role.VIEWER)
    end = clock.now() + timedelta(hours=1)
    asker = service.resolve_token(
        session, service.issue_token(session, user.actor, TokenIn(name="short", expires_at=end)).token
    )
    assert asker is not None
    for expires_at in (None, end + timedelta(seconds=1)):
        with pytest.raises(TokenTooWide, match="outlive"):
            service.issue_token(session, asker, TokenIn(name="x", expires_at=expires_at))
    assert service.issue_token(session, asker, TokenIn(name="x", expires_at=end)).expires_at == end


def test_issue_token_by_bots_refused(session: Session, org: str) -> None:
    bot = people.account(session, org, Role.ADMIN)
    for body in (TokenIn(name="x"), TokenIn(name="x", service_account=bot.id)):
        with pytest.raises(TokenTooWide, match="Only people"):
            service.issue_token(session, bot.actor, body)


def test_issue_token_for_a_service_account_demands_the_right(session: Session, org: str) -> None:
    bot = people.account(session, org, Role.VIEWER)
    operator = people.person(session, org, Role.OPERATOR)
    with pytest.raises(Forbidden):
        service.issue_token(session, operator.actor, TokenIn(name="x", service_account=bot.id))


def test_issue_token_in_the_past_refused(session: Session, admin: people.Member) -> None:
    with pytest.raises(Invalid, match="past"):
        service.issue_token(session, admin.actor, TokenIn(name="x", expires_at=START - timedelta(days=900)))


def test_tokens_of_others_are_listed_and_revoked_by_admins_only(
    session: Session, org: str, admin: people.Member
) -> None:
    user, other = people.person(session, org, Role.VIEWER), people.person(session, org, Role.OPERATOR)
    (mine,) = service.list_tokens(session, user.actor, PageParams()).items
    assert mine.owner.id == user.id
    assert len(service.list_tokens(session, other.actor, PageParams(), owner_id=user.id).items) == 1
    with pytest.raises(NotFound):
        service.revoke_token(session, other.actor, mine.id)
    assert len(service.list_tokens(session, admin.actor, PageParams()).items) == 3
    service.revoke_token(session, admin.actor, mine.id)
    assert service.resolve_token(session, user.token) is None
    assert service.list_tokens(session, user.actor, PageParams()).items == []


def test_log_in_right_password_opens_a_session(session: Session, org: str) -> None:
    user = people.person(session, org, Role.PLANNER, password=True)
    with at(START):
        opened = service.log_in(session, _email(session, user.id).upper(), people.PASSWORD, "203.0.113.5")
        assert opened is not None
        actor, cookie = opened
        assert (actor.id, actor.permissions) == (user.id, PERMISSIONS[Role.PLANNER])
        assert service.resolve_session(session, cookie) is not None
    with at(START + service.session_lifetime()):
        assert service.resolve_session(session, cookie) is None
    row = session.scalars(select(UserSession)).one()
    assert row.token_hash == tokens.hash_secret(cookie)


def test_log_in_wrong_or_missing_password_is_refused(session: Session, org: str) -> None:
    with_password = people.person(session, org, Role.VIEWER, password=True)
    without = people.person(session, org, Role.VIEWER)
    assert service.log_in(session, _email(session, with_password.id), "wrong", "x") is None
    assert service.log_in(session, _email(session, without.id), "", "x") is None
    assert service.log_in(session, "nobody@example.org", people.PASSWORD, "x") is None
    refused = text("SELECT count(*) FROM audit_events WHERE action = 'session.refused'")
    session.flush()
    assert session.scalar(refused) == 2


def test_log_in_unknown_user_costs_a_verification_too(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.identity import passwords

    verified: list[str] = []
    original = passwords._hasher.verify

    class Spy:
        def verify(self, hashed: str, password: str) -> bool:
            verified.append(hashed)
            return original(hashed, password)

    passwords._nobody()
    monkeypatch.setattr(passwords, "_hasher", Spy())
    assert service.log_in(session, "nobody@example.org", "guess", "x") is None
    assert len(verified) == 1


def test_reserve_attempt_sixth_of_a_pair_waits_for_the_window(session: Session) -> None:
    with at(START):
        for _ in range(credentials.ATTEMPTS_OF_PAIR):
            service.reserve_attempt(session, "Ada@example.org", "203.0.113.5")
        with pytest.raises(TooManyAttempts) as caught, session.begin_nested():
            service.reserve_attempt(session, "ada@example.org", "203.0.113.5")
        assert caught.value.fields["retry_after_seconds"] == 900
        service.reserve_attempt(session, "ada@example.org", "203.0.113.6")
    with at(START + credentials.ATTEMPT_WINDOW):
        service.reserve_attempt(session, "ada@example.org", "203.0.113.5")


def test_reserve_attempt_many_emails_from_one_address_wait(session: Session) -> None:
    with at(START):
        for number in range(credentials.ATTEMPTS_OF_ADDRESS):
            service.reserve_attempt(session, f"user{number}@example.org", "203.0.113.5")
        with pytest.raises(TooManyAttempts):
            service.reserve_attempt(session, "one-more@example.org", "203.0.113.5")


def test_log_in_success_forgets_the_failures(session: Session, org: str) -> None:
    user = people.person(session, org, Role.VIEWER, password=True)
    email = _email(session, user.id)
    for _ in range(3 * credentials.ATTEMPTS_OF_PAIR):
        service.reserve_attempt(session, email, "203.0.113.5")
        assert service.log_in(session, email, people.PASSWORD, "203.0.113.5") is not None


def test_use_login_link_once_then_never(session: Session, org: str, admin: people.Member) -> None:
    user = people.person(session, org, Role.VIEWER)
    url = service.create_login_link(session, admin.actor, user.id).login_url
    base, _, secret = url.partition("/login?link=")
    assert base == "http://127.0.0.1:8080"
    actor, cookie = service.use_login_link(session, secret, "203.0.113.5")
    assert actor.id == user.id
    assert service.resolve_session(session, cookie) is not None
    with pytest.raises(LinkUnusable):
        service.use_login_link(session, secret, "203.0.113.5")
    assert session.scalars(select(LoginLink.token_hash)).one() == tokens.hash_secret(secret)


def test_use_login_link_expired_refused(session: Session, org: str, admin: people.Member) -> None:
    with at(START):
        secret = service.create_login_link(session, admin.actor, admin.id).login_url.partition("link=")[2]
    with at(START + credentials.LINK_LIFETIME), pytest.raises(LinkUnusable):
        service.use_login_link(session, secret, "203.0.113.5")


def test_set_password_ends_the_other_sessions(session: Session, org: str) -> None:
    user = people.person(session, org, Role.VIEWER, password=True)
    email = _email(session, user.id)
    here, there = (service.log_in(session, email, people.PASSWORD, "x") for _ in range(2))
    assert here is not None
    assert there is not None
    with pytest.raises(Invalid) as caught:
        service.set_password(session, here[0], "wrong", "another long password")
    assert caught.value.fields["errors"][0]["field"] == "current_password"
    service.set_password(session, here[0], people.PASSWORD, "another long password")
    assert service.resolve_session(session, here[1]) is not None
    assert service.resolve_session(session, there[1]) is None
    assert service.log_in(session, email, people.PASSWORD, "x") is None
    assert service.log_in(session, email, "another long password", "x") is not None
