"""Organizations and people for tests, made by the services themselves, and clients that speak for them."""

from dataclasses import dataclass, replace

from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from app.core.ids import new_id
from app.core.permissions import Actor, Permission, system_actor
from app.fence import service as fence
from app.identity import service
from app.identity.roles import Role
from app.identity.schemas import ServiceAccountIn, TokenIn, UserIn
from tests.support.application import application

PASSWORD = "correct horse battery staple"


@dataclass(frozen=True)
class Member:
    """A person or service account, as an actor, with a token."""

    actor: Actor
    token: str

    @property
    def id(self) -> str:
        return self.actor.id


def organization(session: Session, name: str = "acme", *, is_operator: bool = False) -> str:
    """Make an organization, with the fences that it needs; return its id."""
    fence.create_everything(session)
    return service.create_organization(session, f"{name} {new_id('t')}", is_operator=is_operator).id


def person(session: Session, organization_id: str, *roles: Role, name: str = "Ada", password: bool = False) -> Member:
    """Make a person with these roles and a token."""
    body = UserIn(
        email=f"{new_id('p')}@example.org",
        name=name,
        roles=list(roles),
        password=PASSWORD if password else None,
    )
    user = service.create_user(session, system_actor(organization_id), body)
    actor = service.actor_of_user(session, organization_id, user.id)
    assert actor is not None
    return Member(actor, service.issue_token(session, actor, TokenIn(name="test")).token)


def account(session: Session, organization_id: str, *roles: Role, is_agent: bool = False) -> Member:
    """Make a service account with these roles and a token."""
    system = system_actor(organization_id)
    body = ServiceAccountIn(name=new_id("bot"), roles=list(roles), is_agent=is_agent)
    made = service.create_service_account(session, system, body)
    token = service.issue_token(session, system, TokenIn(name="test", service_account=made.id)).token
    actor = service.resolve_token(session, token)
    assert actor is not None
    return Member(actor, token)


def client(member: Member | None = None) -> TestClient:
    """Return a client of the whole API that speaks for ``member``, or for nobody."""
    headers = {"Authorization": f"Bearer {member.token}"} if member is not None else {}
    return TestClient(application(), base_url="http://127.0.0.1:8080", headers=headers)


def narrowed(actor: Actor, *permissions: Permission) -> Actor:
    """Return the actor with these permissions alone, as a narrow token gives them."""
    return replace(actor, permissions=frozenset(permissions))
