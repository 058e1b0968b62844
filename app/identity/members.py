"""People, teams, service accounts and roles: who belongs.

What changes a right is written under the organization's fence row, held exclusively, so that no approval or
verification sees half of it; then ``RightsChanged`` tells the slices above, in the same transaction. ``rights``
says who may write it.
"""

from collections.abc import Iterable, Sequence

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.audit import service as audit
from app.core import clock, events
from app.core.db import Base
from app.core.errors import Invalid, NotFound
from app.core.ids import new_id
from app.core.pages import Page, PageParams
from app.core.permissions import Actor, ActorKind, system_actor
from app.fence import service as fence
from app.identity import passwords, repository, repository_credentials, rights
from app.identity.errors import LastAdmin, NameTaken
from app.identity.models import Organization, ServiceAccount, Team, User
from app.identity.roles import DESCRIPTIONS, PERMISSIONS, Role
from app.identity.schemas import (
    OrganizationOut,
    Reference,
    RightsChanged,
    RoleOut,
    ServiceAccountChange,
    ServiceAccountIn,
    ServiceAccountOut,
    TeamOut,
    TeamRef,
    UserChange,
    UserIn,
    UserOut,
)

_known_operators: dict[str, bool] = {}


def create_organization(session: Session, name: str, *, is_operator: bool = False) -> OrganizationOut:
    """Create an organization with its fence. Raises ``NameTaken``."""
    row = Organization(id=new_id("org"), name=name, is_operator=is_operator, created_at=clock.now())
    _insert(session, row, f"An organization is called {name!r} already; choose another name.", "name")
    fence.create_fence(session, "organization", row.id, row.id)
    audit.record(session, system_actor(row.id), "organization.created", ("organization", row.id), {"name": name})
    return _organization_out(row)


def first_organization(session: Session) -> OrganizationOut | None:
    """Return the operator's organization, or None on a fresh installation."""
    row = repository.first_organization(session)
    return _organization_out(row) if row is not None else None


def existing_organizations(session: Session, organization_ids: Sequence[str]) -> set[str]:
    """Return which of these ids are organizations of this installation."""
    return repository.existing_organizations(session, organization_ids)


def get_organization(session: Session, organization_id: str) -> OrganizationOut:
    """Return an organization. Raises ``NotFound``."""
    row = repository.organization(session, organization_id)
    if row is None:
        raise NotFound("There is no such organization.")
    return _organization_out(row)


def is_operator(session: Session, organization_id: str) -> bool:
    """Whether an organization operates the installation. Raises ``NotFound``.

    Said when it is created and never changed, so each process asks once: a halt has no time to ask.
    """
    if organization_id not in _known_operators:
        _known_operators[organization_id] = get_organization(session, organization_id).is_operator
    return _known_operators[organization_id]


def list_roles() -> list[RoleOut]:
    """Return every role with what it may do."""
    return [RoleOut(name=role, description=DESCRIPTIONS[role], permissions=sorted(PERMISSIONS[role])) for role in Role]


def create_user(session: Session, actor: Actor, body: UserIn) -> UserOut:
    """Create a person in the actor's organization.

    Raises ``NameTaken`` for a known e-mail, ``Invalid`` for unknown teams, ``BeyondOwnRights`` for roles that hold
    more than the actor's own rights.
    """
    roles = set(body.roles)
    rights.require_covers(actor, roles, "person")
    teams = teams_named(session, actor.organization_id, body.teams)
    password = body.password.get_secret_value() if body.password is not None else None
    row = User(
        id=new_id("user"),
        organization_id=actor.organization_id,
        email=body.email,
        name=body.name,
        password_hash=passwords.hash_password(password) if password is not None else None,
        created_at=clock.now(),
    )
    _insert(session, row, f"Someone has the e-mail {body.email} already.", "email")
    evidence = {"email": row.email, "roles": sorted(roles), "teams": [team.name for team in teams]}
    audit.record(session, actor, "user.created", ("user", row.id), evidence)
    repository.set_roles(session, actor.organization_id, row.id, roles)
    for team in teams:
        add_team_member(session, actor, team.id, row.id)
    return _user_out(session, row)


def get_user(session: Session, actor: Actor, user_id: str) -> UserOut:
    """Return a person. Raises ``NotFound``."""
    return _user_out(session, _user(session, actor.organization_id, user_id))


def count_people(session: Session, organization_id: str) -> int:
    """Return how many people of the organization can sign in."""
    return repository.count_people(session, organization_id)


def find_user(session: Session, organization_id: str, email: str) -> UserOut | None:
    """Return the organization's person with this e-mail, or None."""
    row = repository.user_by_email(session, email)
    return _user_out(session, row) if row is not None and row.organization_id == organization_id else None


def list_admins(session: Session, organization_id: str) -> list[UserOut]:
    """Return the organization's admins who are not disabled, oldest first."""
    rows = [
        repository.user(session, organization_id, user_id)
        for user_id in repository.enabled_users_with_role(session, organization_id, Role.ADMIN)
    ]
    return [_user_out(session, row) for row in rows if row is not None]


def list_users(session: Session, actor: Actor, params: PageParams) -> Page[UserOut]:
    """Return one page of people, oldest first."""
    rows, cursor = repository.users_page(session, actor.organization_id, params)
    ids = [row.id for row in rows]
    roles, teams = repository.roles_of(session, ids), repository.teams_of(session, ids)
    return Page(
        items=[_present_user(row, roles.get(row.id, []), teams.get(row.id, [])) for row in rows], next_cursor=cursor
    )


def update_user(session: Session, actor: Actor, user_id: str, change: UserChange) -> UserOut:
    """Change a person's name, roles, or whether they are disabled.

    Raises ``NotFound``, ``LastAdmin``, and ``BeyondOwnRights`` when the person has, or would get, more than the actor.
    """
    fence.hold_exclusive(session, actor.organization_id)
    row = _user(session, actor.organization_id, user_id)
    rights.require_covers_subject(session, actor, row.id, "person")
    if change.name is not None and change.name != row.name:
        audit.record(session, actor, "user.renamed", ("user", row.id), {"from": row.name, "to": change.name})
        row.name = change.name
    is_touched = False
    if change.roles is not None:
        is_touched |= rights.assign(session, actor, row.id, "person", change.roles)
    if change.is_disabled is not None and change.is_disabled != (row.disabled_at is not None):
        is_touched = True
        repository.set_disabled(row, clock.now() if change.is_disabled else None)
        audit.record(session, actor, "user.disabled" if change.is_disabled else "user.enabled", ("user", row.id))
        if change.is_disabled:
            repository_credentials.end_sessions(session, row.id, clock.now())
            repository_credentials.spend_links(session, row.id, clock.now())
    session.flush()
    if is_touched:
        _require_an_admin(session, actor.organization_id)
        events.publish(session, RightsChanged(actor.organization_id, row.id))
    return _user_out(session, row)


def assign_roles(session: Session, actor: Actor, user_id: str, roles: Iterable[Role]) -> UserOut:
    """Replace a person's roles. Raises as ``update_user``."""
    return update_user(session, actor, user_id, UserChange(roles=list(roles)))


def create_team(session: Session, actor: Actor, name: str) -> TeamOut:
    """Create a team. Raises ``NameTaken``, and ``BeyondOwnRights`` unless the actor may approve."""
    rights.require_may_shape_teams(actor)
    row = Team(id=new_id("team"), organization_id=actor.organization_id, name=name, created_at=clock.now())
    _insert(session, row, f"A team is called {name!r} already; choose another name.", "name")
    audit.record(session, actor, "team.created", ("team", row.id), {"name": name})
    return _present_team(row, [])


def list_teams(session: Session, actor: Actor, params: PageParams) -> Page[TeamOut]:
    """Return one page of teams with their people, oldest first."""
    rows, cursor = repository.teams_page(session, actor.organization_id, params)
    members = repository.members_of(session, [row.id for row in rows])
    return Page(items=[_present_team(row, members.get(row.id, [])) for row in rows], next_cursor=cursor)


def add_team_member(session: Session, actor: Actor, team_id: str, user_id: str) -> TeamOut:
    """Put a person into a team; twice is once. Raises ``NotFound``, ``BeyondOwnRights``."""
    team, user = _team_and_user(session, actor, team_id, user_id)
    if repository.add_member(session, actor.organization_id, team.id, user.id):
        audit.record(session, actor, "team.member_added", ("team", team.id), {"user_id": user.id, "name": user.name})
        events.publish(session, RightsChanged(actor.organization_id, user.id))
    return _present_team(team, repository.members_of(session, [team.id]).get(team.id, []))


def remove_team_member(session: Session, actor: Actor, team_id: str, user_id: str) -> None:
    """Take a person out of a team; quiet when they are not in it. Raises ``NotFound``, ``BeyondOwnRights``."""
    team, user = _team_and_user(session, actor, team_id, user_id)
    if repository.remove_member(session, team.id, user.id):
        audit.record(session, actor, "team.member_removed", ("team", team.id), {"user_id": user.id, "name": user.name})
        events.publish(session, RightsChanged(actor.organization_id, user.id))


def teams_named(session: Session, organization_id: str, ids_or_names: Iterable[str]) -> list[TeamRef]:
    """Return the organization's teams with these ids or names. Raises ``Invalid``, naming the unknown ones."""
    wanted = list(ids_or_names)
    rows = repository.teams(session, organization_id, wanted) if wanted else []
    unknown = sorted(set(wanted) - {row.id for row in rows} - {row.name for row in rows})
    if unknown:
        message = f"There is no team {', '.join(unknown)}."
        raise Invalid(message, errors=[{"field": "teams", "message": message}])
    return [TeamRef(id=row.id, name=row.name) for row in rows]


def team_names(session: Session, organization_id: str, team_ids: Iterable[str]) -> dict[str, str]:
    """Return the names of the organization's teams by id; unknown ids are absent."""
    wanted = list(team_ids)
    return {row.id: row.name for row in repository.teams(session, organization_id, wanted)} if wanted else {}


def create_service_account(session: Session, actor: Actor, body: ServiceAccountIn) -> ServiceAccountOut:
    """Create a service account. Raises ``NameTaken``, ``BeyondOwnRights``."""
    kind: ActorKind = "agent" if body.is_agent else "service_account"
    rights.require_covers(actor, body.roles, kind)
    row = ServiceAccount(
        id=new_id("sa"),
        organization_id=actor.organization_id,
        name=body.name,
        is_agent=body.is_agent,
        created_at=clock.now(),
    )
    _insert(session, row, f"A service account is called {body.name!r} already; choose another name.", "name")
    repository.set_roles(session, actor.organization_id, row.id, body.roles)
    evidence = {"name": row.name, "is_agent": row.is_agent, "roles": sorted(set(body.roles))}
    audit.record(session, actor, "service_account.created", ("service_account", row.id), evidence)
    return _present_account(row, sorted(set(body.roles)))


def list_service_accounts(session: Session, actor: Actor, params: PageParams) -> Page[ServiceAccountOut]:
    """Return one page of service accounts, oldest first."""
    rows, cursor = repository.service_accounts_page(session, actor.organization_id, params)
    roles = repository.roles_of(session, [row.id for row in rows])
    return Page(items=[_present_account(row, roles.get(row.id, [])) for row in rows], next_cursor=cursor)


def get_service_account(session: Session, actor: Actor, id_or_name: str) -> ServiceAccountOut:
    """Return a service account by id or name. Raises ``NotFound``."""
    row = _account(session, actor.organization_id, id_or_name)
    return _present_account(row, repository.roles_of(session, [row.id]).get(row.id, []))


def find_service_account(session: Session, organization_id: str, name: str) -> ServiceAccountOut | None:
    """Return the organization's service account of this id or name, or None."""
    row = repository.service_account(session, organization_id, name)
    return _present_account(row, repository.roles_of(session, [row.id]).get(row.id, [])) if row is not None else None


def update_service_account(
    session: Session, actor: Actor, id_or_name: str, change: ServiceAccountChange
) -> ServiceAccountOut:
    """Change a service account's roles, or whether it is disabled. Raises ``NotFound``, ``BeyondOwnRights``."""
    fence.hold_exclusive(session, actor.organization_id)
    row = _account(session, actor.organization_id, id_or_name)
    kind: ActorKind = "agent" if row.is_agent else "service_account"
    rights.require_covers_subject(session, actor, row.id, kind)
    if change.roles is not None:
        rights.assign(session, actor, row.id, kind, change.roles)
    if change.is_disabled is not None and change.is_disabled != (row.disabled_at is not None):
        repository.set_disabled(row, clock.now() if change.is_disabled else None)
        action = "service_account.disabled" if change.is_disabled else "service_account.enabled"
        audit.record(session, actor, action, ("service_account", row.id))
    session.flush()
    return _present_account(row, repository.roles_of(session, [row.id]).get(row.id, []))


def _require_an_admin(session: Session, organization_id: str) -> None:
    if not repository.enabled_users_with_role(session, organization_id, Role.ADMIN):
        raise LastAdmin("This is the organization's last admin. Make someone else an admin first.")


def _insert(session: Session, row: Base, taken: str, field: str) -> None:
    try:
        with session.begin_nested():
            repository.add(session, row)
    except IntegrityError:
        raise NameTaken(taken, errors=[{"field": field, "message": taken}]) from None


def _user(session: Session, organization_id: str, user_id: str) -> User:
    row = repository.user(session, organization_id, user_id)
    if row is None:
        raise NotFound(f"There is no user {user_id!r}.")
    return row


def _account(session: Session, organization_id: str, id_or_name: str) -> ServiceAccount:
    row = repository.service_account(session, organization_id, id_or_name)
    if row is None:
        raise NotFound(f"There is no service account {id_or_name!r}.")
    return row


def _team_and_user(session: Session, actor: Actor, team_id: str, user_id: str) -> tuple[Team, User]:
    rights.require_may_shape_teams(actor)
    fence.hold_exclusive(session, actor.organization_id)
    team = repository.team(session, actor.organization_id, team_id)
    if team is None:
        raise NotFound(f"There is no team {team_id!r}.")
    return team, _user(session, actor.organization_id, user_id)


def _organization_out(row: Organization) -> OrganizationOut:
    return OrganizationOut(id=row.id, name=row.name, is_operator=row.is_operator)


def _user_out(session: Session, row: User) -> UserOut:
    roles, teams = repository.roles_of(session, [row.id]), repository.teams_of(session, [row.id])
    return _present_user(row, roles.get(row.id, []), teams.get(row.id, []))


def _present_user(row: User, roles: list[str], teams: list[Team]) -> UserOut:
    return UserOut(
        id=row.id,
        email=row.email,
        name=row.name,
        roles=roles,
        teams=[TeamRef(id=team.id, name=team.name) for team in teams],
        is_disabled=row.disabled_at is not None,
        created_at=row.created_at,
    )


def _present_team(row: Team, members: list[User]) -> TeamOut:
    people = [Reference(id=member.id, name=member.name) for member in members]
    return TeamOut(id=row.id, name=row.name, members=people, created_at=row.created_at)


def _present_account(row: ServiceAccount, roles: list[str]) -> ServiceAccountOut:
    return ServiceAccountOut(
        id=row.id,
        name=row.name,
        is_agent=row.is_agent,
        roles=roles,
        is_disabled=row.disabled_at is not None,
        created_at=row.created_at,
    )
