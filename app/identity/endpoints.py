"""Edge of people, teams, service accounts, tokens and roles."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from app.core.db import SessionDep
from app.core.errors import NotFound
from app.core.http import error_responses
from app.core.pages import Page, PageDep
from app.core.permissions import Actor, Permission, requires
from app.identity import service
from app.identity.errors import BeyondOwnRights, LastAdmin, NameTaken, TokenTooWide
from app.identity.schemas import (
    LoginLinkOut,
    RoleOut,
    ServiceAccountChange,
    ServiceAccountIn,
    ServiceAccountOut,
    TeamIn,
    TeamOut,
    TokenCreated,
    TokenIn,
    TokenOut,
    UserChange,
    UserCreated,
    UserIn,
    UserOut,
)

router = APIRouter(tags=["members"])

Reader = Annotated[Actor, requires(Permission.ORGANIZATION_READ)]
Manager = Annotated[Actor, requires(Permission.MEMBERS_MANAGE)]
TokenHolder = Annotated[Actor, requires(Permission.TOKENS_OWN)]

READ_ONE = error_responses(NotFound)
CREATE = error_responses(BeyondOwnRights, NameTaken)
CHANGE = error_responses(BeyondOwnRights, NotFound)


@router.get("/roles", operation_id="list_roles")
def list_roles(_: Reader) -> list[RoleOut]:
    """List every role with what it may do."""
    return service.list_roles()


@router.get("/users", operation_id="list_users")
def list_users(actor: Reader, session: SessionDep, params: PageDep) -> Page[UserOut]:
    """List the organization's people, oldest first."""
    return service.list_users(session, actor, params)


@router.post("/users", operation_id="create_user", status_code=201, responses=CREATE | READ_ONE)
def create_user(body: UserIn, actor: Manager, session: SessionDep, response: Response) -> UserCreated:
    """Create a person. The answer holds a one-time login link, shown this once."""
    user = service.create_user(session, actor, body)
    link = service.create_login_link(session, actor, user.id)
    response.headers["Cache-Control"] = "no-store"
    return UserCreated(login_url=link.login_url, **user.model_dump())


@router.get("/users/{user_id}", operation_id="get_user", responses=READ_ONE)
def get_user(user_id: str, actor: Reader, session: SessionDep) -> UserOut:
    """Return a person."""
    return service.get_user(session, actor, user_id)


@router.patch("/users/{user_id}", operation_id="update_user", responses=CHANGE | error_responses(LastAdmin))
def update_user(user_id: str, body: UserChange, actor: Manager, session: SessionDep) -> UserOut:
    """Change a person's name or roles, or disable them. Approvals that rested on a lost right become void."""
    return service.update_user(session, actor, user_id, body)


@router.post("/users/{user_id}/login-link", operation_id="create_login_link", status_code=201, responses=CHANGE)
def create_login_link(user_id: str, actor: Manager, session: SessionDep, response: Response) -> LoginLinkOut:
    """Create a one-time login link for a person, to invite them or when they forgot their password."""
    response.headers["Cache-Control"] = "no-store"
    return service.create_login_link(session, actor, user_id)


@router.get("/teams", operation_id="list_teams")
def list_teams(actor: Reader, session: SessionDep, params: PageDep) -> Page[TeamOut]:
    """List the organization's teams with their people, oldest first."""
    return service.list_teams(session, actor, params)


@router.post("/teams", operation_id="create_team", status_code=201, responses=CREATE)
def create_team(body: TeamIn, actor: Manager, session: SessionDep) -> TeamOut:
    """Create a team."""
    return service.create_team(session, actor, body.name)


@router.put("/teams/{team_id}/members/{user_id}", operation_id="add_team_member", responses=CHANGE)
def add_team_member(team_id: str, user_id: str, actor: Manager, session: SessionDep) -> TeamOut:
    """Put a person into a team; twice is once."""
    return service.add_team_member(session, actor, team_id, user_id)


@router.delete(
    "/teams/{team_id}/members/{user_id}", operation_id="remove_team_member", status_code=204, responses=CHANGE
)
def remove_team_member(team_id: str, user_id: str, actor: Manager, session: SessionDep) -> None:
    """Take a person out of a team. Approvals that counted for it become void."""
    service.remove_team_member(session, actor, team_id, user_id)


@router.get("/service-accounts", operation_id="list_service_accounts")
def list_service_accounts(actor: Reader, session: SessionDep, params: PageDep) -> Page[ServiceAccountOut]:
    """List the organization's service accounts, oldest first."""
    return service.list_service_accounts(session, actor, params)


@router.post("/service-accounts", operation_id="create_service_account", status_code=201, responses=CREATE)
def create_service_account(body: ServiceAccountIn, actor: Manager, session: SessionDep) -> ServiceAccountOut:
    """Create a service account. It never approves, whatever its roles."""
    return service.create_service_account(session, actor, body)


@router.get("/service-accounts/{id_or_name}", operation_id="get_service_account", responses=READ_ONE)
def get_service_account(id_or_name: str, actor: Reader, session: SessionDep) -> ServiceAccountOut:
    """Return a service account."""
    return service.get_service_account(session, actor, id_or_name)


@router.patch("/service-accounts/{id_or_name}", operation_id="update_service_account", responses=CHANGE)
def update_service_account(
    id_or_name: str, body: ServiceAccountChange, actor: Manager, session: SessionDep
) -> ServiceAccountOut:
    """Change a service account's roles, or disable it; its tokens stop working at once."""
    return service.update_service_account(session, actor, id_or_name, body)


@router.get("/tokens", operation_id="list_tokens")
def list_tokens(
    actor: TokenHolder,
    session: SessionDep,
    params: PageDep,
    owner_id: Annotated[str | None, Query(max_length=100, description="Only this owner's; for admins.")] = None,
) -> Page[TokenOut]:
    """List the caller's tokens; an admin's list holds the whole organization's. Revoked ones are left out."""
    return service.list_tokens(session, actor, params, owner_id)


@router.post(
    "/tokens",
    operation_id="create_token",
    status_code=201,
    responses=error_responses(TokenTooWide, NotFound),
)
def create_token(body: TokenIn, actor: TokenHolder, session: SessionDep, response: Response) -> TokenCreated:
    """Issue a token of one's own, or (for admins) of a service account. The secret is shown this once."""
    response.headers["Cache-Control"] = "no-store"
    return service.issue_token(session, actor, body)


@router.delete(
    "/tokens/{token_id}",
    operation_id="revoke_token",
    status_code=204,
    responses=error_responses(NotFound),
)
def revoke_token(token_id: str, actor: TokenHolder, session: SessionDep) -> None:
    """Revoke a token; it stops working at once."""
    service.revoke_token(session, actor, token_id)
