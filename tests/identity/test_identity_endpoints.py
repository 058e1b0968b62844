import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.core.permissions import Permission
from app.core.settings import Settings
from app.identity import auth_endpoints, credentials, service
from app.identity.models import User
from app.identity.roles import PERMISSIONS, Role
from app.identity.schemas import TokenIn
from tests.support import people

CSRF = {"X-Sluice-CSRF": "1"}


@pytest.fixture
def org(session: Session) -> str:
    return people.organization(session)


@pytest.fixture
def admin(session: Session, org: str) -> people.Member:
    member = people.person(session, org, Role.ADMIN, name="Root", password=True)
    session.commit()
    return member


def _email(session: Session, member: people.Member) -> str:
    return session.scalars(select(User.email).where(User.id == member.id)).one()


def _log_in(session: Session, member: people.Member, password: str = people.PASSWORD) -> TestClient:
    client = people.client()
    answer = client.post("/auth/login", json={"email": _email(session, member), "password": password})
    assert answer.status_code == 200, answer.text
    return client


def test_log_in_sets_a_cookie_that_pages_cannot_read(session: Session, org: str, admin: people.Member) -> None:
    client = people.client()
    answer = client.post("/auth/login", json={"email": _email(session, admin), "password": people.PASSWORD})
    user = answer.json()["user"]
    assert (user["id"], user["organization"]["id"], user["roles"]) == (admin.id, org, ["admin"])
    assert user["permissions"] == sorted(PERMISSIONS[Role.ADMIN])
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie
    assert client.get("/auth/me").json()["email"] == _email(session, admin)


def test_log_in_behind_https_sets_a_secure_cookie(
    session: Session, admin: people.Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth_endpoints, "get_settings", lambda: Settings(url="https://sluice.example.org"))
    answer = people.client().post("/auth/login", json={"email": _email(session, admin), "password": people.PASSWORD})
    assert "Secure" in answer.headers["set-cookie"]


def test_log_in_failure_says_the_same_for_known_and_unknown(session: Session, admin: people.Member) -> None:
    client = people.client()
    known = client.post("/auth/login", json={"email": _email(session, admin), "password": "wrong"})
    unknown = client.post("/auth/login", json={"email": "nobody@example.org", "password": "wrong"})
    assert known.status_code == unknown.status_code == 401
    assert known.json() == unknown.json()
    assert known.json()["code"] == "login_refused"
    assert "set-cookie" not in known.headers


def test_log_in_failures_are_counted_and_audited_though_refused(session: Session, admin: people.Member) -> None:
    client = people.client()
    body = {"email": _email(session, admin), "password": "wrong"}
    answers = [client.post("/auth/login", json=body).status_code for _ in range(credentials.ATTEMPTS_OF_PAIR + 1)]
    assert answers == [401] * credentials.ATTEMPTS_OF_PAIR + [429]
    right = client.post("/auth/login", json={**body, "password": people.PASSWORD})
    assert right.status_code == 429
    assert right.json()["code"] == "too_many_attempts"
    assert right.json()["retry_after_seconds"] > 0
    refused = text("SELECT count(*) FROM audit_events WHERE action = 'session.refused'")
    assert session.scalar(refused) == credentials.ATTEMPTS_OF_PAIR


def test_change_with_cookie_demands_the_csrf_header(session: Session, admin: people.Member) -> None:
    client = _log_in(session, admin)
    refused = client.post("/teams", json={"name": "sre"})
    assert (refused.status_code, refused.json()["code"]) == (403, "csrf_header_missing")
    assert client.get("/teams").json()["items"] == []
    assert client.post("/teams", json={"name": "sre"}, headers=CSRF).status_code == 201
    assert client.post("/auth/logout").status_code == 403


def test_change_with_token_needs_no_csrf_header(admin: people.Member) -> None:
    assert people.client(admin).post("/teams", json={"name": "sre"}).status_code == 201


def test_bad_token_beside_a_good_cookie_is_nobody(session: Session, admin: people.Member) -> None:
    client = _log_in(session, admin)
    for header in ("Bearer slc_nonsense", "Basic YTpi", "Bearer"):
        assert client.get("/auth/me", headers={"Authorization": header}).status_code == 401


def test_log_out_ends_the_session_for_every_copy_of_the_cookie(session: Session, admin: people.Member) -> None:
    client = _log_in(session, admin)
    copy = people.client()
    copy.cookies = client.cookies.jar  # type: ignore[assignment]
    assert copy.get("/auth/me").status_code == 200
    cookie = client.cookies["sluice_session"]
    assert client.post("/auth/logout", headers=CSRF).status_code == 204
    stale = people.client()
    stale.cookies.set("sluice_session", cookie)
    assert stale.get("/auth/me").status_code == 401


def test_login_link_is_spent_by_post_and_not_by_get(session: Session, org: str, admin: people.Member) -> None:
    link = service.create_login_link(session, admin.actor, admin.id).login_url
    session.commit()
    secret = link.partition("link=")[2]
    client = people.client()
    client.get(f"/login?link={secret}")
    assert client.get("/auth/link", params={"token": secret}).status_code == 405
    answer = client.post("/auth/link", json={"token": secret})
    assert answer.status_code == 200
    assert client.get("/auth/me").json()["id"] == admin.id
    again = people.client().post("/auth/link", json={"token": secret})
    assert (again.status_code, again.json()["code"]) == (401, "login_link_unusable")


def test_set_password_by_session_then_log_in_with_it(session: Session, org: str, admin: people.Member) -> None:
    link = service.create_login_link(session, admin.actor, people.person(session, org, Role.VIEWER).id).login_url
    session.commit()
    client = people.client()
    client.post("/auth/link", json={"token": link.partition("link=")[2]})
    short = client.put("/auth/password", json={"new_password": "short"}, headers=CSRF)
    assert (short.status_code, short.json()["errors"][0]["field"]) == (422, "new_password")
    assert "short" not in short.json()["detail"].replace("too short", "")
    assert client.put("/auth/password", json={"new_password": "a long enough one"}, headers=CSRF).status_code == 204
    email = client.get("/auth/me").json()["email"]
    again = people.client().post("/auth/login", json={"email": email, "password": "a long enough one"})
    assert again.status_code == 200
    by_token = people.client(admin).put("/auth/password", json={"new_password": "a long enough one"})
    assert by_token.status_code == 401


def test_members_through_the_api_from_invitation_to_disabling(session: Session, admin: people.Member) -> None:
    client = people.client(admin)
    made = client.post("/users", json={"email": "Bea@Example.org", "name": "Bea", "roles": ["approver"]}).json()
    assert made["email"] == "Bea@example.org"
    assert made["login_url"].startswith("http://127.0.0.1:8080/login?link=")
    taken = client.post("/users", json={"email": "bea@example.org", "name": "Bea"})
    assert (taken.status_code, taken.json()["code"]) == (409, "name_taken")
    team = client.post("/teams", json={"name": "sre"}).json()
    put = client.put(f"/teams/{team['id']}/members/{made['id']}").json()
    assert put["members"] == [{"id": made["id"], "name": "Bea"}]
    assert client.get(f"/users/{made['id']}").json()["teams"] == [{"id": team["id"], "name": "sre"}]
    listed = client.get("/users", params={"limit": 1}).json()
    rest = client.get("/users", params={"limit": 1, "cursor": listed["next_cursor"]}).json()
    assert {item["name"] for item in (*listed["items"], *rest["items"])} == {"Root", "Bea"}
    changed = client.patch(f"/users/{made['id']}", json={"is_disabled": True, "roles": []}).json()
    assert (changed["is_disabled"], changed["roles"]) == (True, [])
    assert client.delete(f"/teams/{team['id']}/members/{made['id']}").status_code == 204
    assert client.get("/teams").json()["items"][0]["members"] == []
    last = client.patch(f"/users/{admin.id}", json={"roles": ["viewer"]})
    assert (last.status_code, last.json()["code"]) == (409, "last_admin")


def test_service_account_and_its_token_through_the_api(session: Session, admin: people.Member) -> None:
    client = people.client(admin)
    bot = client.post("/service-accounts", json={"name": "ci", "roles": ["planner"]}).json()
    made = client.post(
        "/tokens", json={"name": "ci", "service_account": "ci", "permissions": ["runs:plan", "runs:read"]}
    ).json()
    speaks = people.client()
    speaks.headers["Authorization"] = f"Bearer {made['token']}"
    me = speaks.get("/auth/me").json()
    assert (me["id"], me["kind"], me["permissions"]) == (bot["id"], "service_account", ["runs:plan", "runs:read"])
    assert speaks.get("/users").status_code == 403
    assert client.delete(f"/tokens/{made['id']}").status_code == 204
    assert speaks.get("/auth/me").status_code == 401
    tokens = client.get("/tokens").json()["items"]
    assert [item["owner"]["id"] for item in tokens] == [admin.id]
    assert "token" not in tokens[0]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"email": "no-at-sign", "name": "X"}, "email"),
        ({"email": "x@example.org", "name": "   "}, "name"),
        ({"email": "x@example.org", "name": "a\u0000b"}, "name"),
        ({"email": "x@exam\u0000ple.org", "name": "X"}, "email"),
        ({"email": "x@example.org", "name": "X", "roles": ["king"]}, "roles.0"),
        ({"email": "x@example.org", "name": "X", "teams": ["nobody's"]}, "teams"),
        ({"email": "x@example.org", "name": "X", "is_admin": True}, "is_admin"),
    ],
)
def test_create_user_bad_field_is_named(admin: people.Member, body: dict[str, object], field: str) -> None:
    answer = people.client(admin).post("/users", json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_narrowed_token_acts_within_its_permissions_only(session: Session, admin: people.Member) -> None:
    wanted = [Permission.ORGANIZATION_READ]
    narrow = service.issue_token(session, admin.actor, TokenIn(name="n", permissions=wanted)).token
    session.commit()
    client = people.client()
    client.headers["Authorization"] = f"Bearer {narrow}"
    assert client.get("/users").status_code == 200
    refused = client.post("/teams", json={"name": "sre"})
    assert (refused.status_code, refused.json()["permission"]) == (403, "members:manage")


def test_audit_list_is_the_organizations_own(session: Session, admin: people.Member) -> None:
    people.client(admin).post("/teams", json={"name": "sre"})
    other = people.person(session, people.organization(session, "other"), Role.ADMIN)
    session.commit()
    mine = people.client(admin).get("/audit", params={"action": "team.*"}).json()["items"]
    assert [item["action"] for item in mine] == ["team.created"]
    assert (mine[0]["actor"]["name"], mine[0]["evidence"]) == ("Root", {"name": "sre"})
    assert people.client(other).get("/audit", params={"action": "team.*"}).json()["items"] == []
    assert people.client(admin).get("/audit/chain").json()["is_intact"] is True
