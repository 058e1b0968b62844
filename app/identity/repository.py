"""Queries of identity: organizations, people, teams, service accounts and roles."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import delete, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.core.db import Base
from app.core.pages import PageParams, fetch_page
from app.identity.models import Organization, RoleAssignment, ServiceAccount, Team, TeamMember, User


def add(session: Session, row: Base) -> None:
    """Insert a row now, so that a name that is taken shows here."""
    session.add(row)
    session.flush()


def organization(session: Session, organization_id: str) -> Organization | None:
    """Return an organization."""
    return session.get(Organization, organization_id)


def first_organization(session: Session) -> Organization | None:
    """Return the operator's organization, else the oldest one."""
    return session.scalars(
        select(Organization).order_by(Organization.is_operator.desc(), Organization.id).limit(1)
    ).first()


def existing_organizations(session: Session, organization_ids: Sequence[str]) -> set[str]:
    """Return which of these ids are organizations."""
    return set(session.scalars(select(Organization.id).where(Organization.id.in_(organization_ids))))


def user(session: Session, organization_id: str, user_id: str) -> User | None:
    """Return a person of the organization."""
    return session.scalars(select(User).where(User.id == user_id, User.organization_id == organization_id)).first()


def user_by_email(session: Session, email: str) -> User | None:
    """Return the person with this e-mail, whatever its case."""
    return session.scalars(select(User).where(func.lower(User.email) == email.lower())).first()


def count_people(session: Session, organization_id: str) -> int:
    """Return how many users of the organization are not disabled."""
    return session.scalars(
        select(func.count())
        .select_from(User)
        .where(User.organization_id == organization_id, User.disabled_at.is_(None))
    ).one()


def users_page(session: Session, organization_id: str, params: PageParams) -> tuple[Sequence[User], str | None]:
    """Return one page of people, oldest first."""
    query = select(User).where(User.organization_id == organization_id)
    return fetch_page(session, query, User.id, params, newest_first=False)


def enabled_users(session: Session, organization_id: str, user_ids: Iterable[str]) -> Sequence[str]:
    """Return which of the ids are people of the organization who are not disabled."""
    return session.scalars(
        select(User.id).where(
            User.organization_id == organization_id, User.id.in_(list(user_ids)), User.disabled_at.is_(None)
        )
    ).all()


def enabled_users_with_role(session: Session, organization_id: str, role: str) -> Sequence[str]:
    """Return the people with a role who are not disabled."""
    return session.scalars(
        select(User.id)
        .join(RoleAssignment, RoleAssignment.subject_id == User.id)
        .where(User.organization_id == organization_id, User.disabled_at.is_(None), RoleAssignment.role == role)
        .order_by(User.id)
    ).all()


def roles_of(session: Session, subject_ids: Iterable[str]) -> dict[str, list[str]]:
    """Return the role names of each subject, sorted; absent means none."""
    rows = session.execute(
        select(RoleAssignment.subject_id, RoleAssignment.role)
        .where(RoleAssignment.subject_id.in_(list(subject_ids)))
        .order_by(RoleAssignment.role)
    )
    found: dict[str, list[str]] = defaultdict(list)
    for subject_id, role in rows:
        found[subject_id].append(role)
    return found


def set_roles(session: Session, organization_id: str, subject_id: str, roles: Iterable[str]) -> None:
    """Replace a subject's roles."""
    session.execute(delete(RoleAssignment).where(RoleAssignment.subject_id == subject_id))
    for role in sorted(set(roles)):
        session.add(RoleAssignment(organization_id=organization_id, subject_id=subject_id, role=role))
    session.flush()


def team(session: Session, organization_id: str, team_id: str) -> Team | None:
    """Return a team of the organization."""
    return session.scalars(select(Team).where(Team.id == team_id, Team.organization_id == organization_id)).first()


def teams(session: Session, organization_id: str, ids_or_names: Iterable[str]) -> Sequence[Team]:
    """Return the organization's teams that have one of these ids or names."""
    wanted = list(ids_or_names)
    return session.scalars(
        select(Team)
        .where(Team.organization_id == organization_id, or_(Team.id.in_(wanted), Team.name.in_(wanted)))
        .order_by(Team.id)
    ).all()


def teams_page(session: Session, organization_id: str, params: PageParams) -> tuple[Sequence[Team], str | None]:
    """Return one page of teams, oldest first."""
    query = select(Team).where(Team.organization_id == organization_id)
    return fetch_page(session, query, Team.id, params, newest_first=False)


def teams_of(session: Session, user_ids: Iterable[str]) -> dict[str, list[Team]]:
    """Return the teams of each person, by name; absent means none."""
    rows = session.execute(
        select(TeamMember.user_id, Team)
        .join(Team, Team.id == TeamMember.team_id)
        .where(TeamMember.user_id.in_(list(user_ids)))
        .order_by(Team.name)
    )
    found: dict[str, list[Team]] = defaultdict(list)
    for user_id, row in rows:
        found[user_id].append(row)
    return found


def members_of(session: Session, team_ids: Iterable[str]) -> dict[str, list[User]]:
    """Return the people of each team, by name; absent means none."""
    rows = session.execute(
        select(TeamMember.team_id, User)
        .join(User, User.id == TeamMember.user_id)
        .where(TeamMember.team_id.in_(list(team_ids)))
        .order_by(User.name, User.id)
    )
    found: dict[str, list[User]] = defaultdict(list)
    for team_id, row in rows:
        found[team_id].append(row)
    return found


def add_member(session: Session, organization_id: str, team_id: str, user_id: str) -> bool:
    """Put a person into a team; return False when they were in it."""
    statement = insert(TeamMember).values(organization_id=organization_id, team_id=team_id, user_id=user_id)
    return session.execute(statement.on_conflict_do_nothing().returning(TeamMember.user_id)).scalar() is not None


def remove_member(session: Session, team_id: str, user_id: str) -> bool:
    """Take a person out of a team; return False when they were not in it."""
    statement = delete(TeamMember).where(TeamMember.team_id == team_id, TeamMember.user_id == user_id)
    return session.execute(statement.returning(TeamMember.user_id)).scalar() is not None


def service_account(session: Session, organization_id: str, id_or_name: str) -> ServiceAccount | None:
    """Return a service account of the organization by its id or name; the id wins."""
    return session.scalars(
        select(ServiceAccount)
        .where(
            ServiceAccount.organization_id == organization_id,
            or_(ServiceAccount.id == id_or_name, ServiceAccount.name == id_or_name),
        )
        .order_by((ServiceAccount.id == id_or_name).desc())
        .limit(1)
    ).first()


def service_accounts_page(
    session: Session, organization_id: str, params: PageParams
) -> tuple[Sequence[ServiceAccount], str | None]:
    """Return one page of service accounts, oldest first."""
    query = select(ServiceAccount).where(ServiceAccount.organization_id == organization_id)
    return fetch_page(session, query, ServiceAccount.id, params, newest_first=False)


def set_disabled(row: User | ServiceAccount, moment: datetime | None) -> None:
    """Note since when a subject is disabled, or that it is not."""
    row.disabled_at = moment
