"""Who holds which right, and who may give it.

Nobody gives, or takes from another, rights that they don't hold themselves.
"""

from collections.abc import Iterable

from sqlalchemy.orm import Session

from app.audit import service as audit
from app.core.permissions import PERSON_ONLY, Actor, ActorKind, Permission
from app.identity import repository
from app.identity.errors import BeyondOwnRights
from app.identity.roles import permissions_of


def approvers_with_right(session: Session, organization_id: str, user_ids: Iterable[str]) -> dict[str, frozenset[str]]:
    """Return the team ids of those who are people of the organization, enabled, and may approve; others are absent."""
    return people_with(session, organization_id, user_ids, Permission.RUNS_APPROVE)


def people_with(
    session: Session, organization_id: str, user_ids: Iterable[str], permission: Permission
) -> dict[str, frozenset[str]]:
    """Return the team ids of those who are people of the organization, enabled, and hold the right; others are absent.

    Approve, override and verify ask this under the organization's fence held shared, so that the answer stays true
    until they commit.
    """
    enabled = repository.enabled_users(session, organization_id, user_ids)
    roles, teams = repository.roles_of(session, enabled), repository.teams_of(session, enabled)
    return {
        user_id: frozenset(team.id for team in teams.get(user_id, []))
        for user_id in enabled
        if permission in permissions_of(roles.get(user_id, []), "person")
    }


def require_covers_subject(session: Session, actor: Actor, subject_id: str, kind: ActorKind) -> None:
    """Raise ``BeyondOwnRights`` when a subject may do what the actor may not; everyone covers themselves."""
    if subject_id != actor.id:
        require_covers(actor, repository.roles_of(session, [subject_id]).get(subject_id, []), kind)


def require_covers(actor: Actor, roles: Iterable[str], kind: ActorKind) -> None:
    """Raise ``BeyondOwnRights`` when these roles, held by such a subject, allow what the actor may not do."""
    if actor.kind == "system":
        return
    beyond = sorted(permission for permission in permissions_of(roles, kind) if not actor.may(permission))
    if beyond:
        ask = actor.why_not(beyond, otherwise="Ask someone who holds them.")
        raise BeyondOwnRights(
            f"{actor.name} may not give or change rights beyond their own: {', '.join(beyond)}. {ask}",
            permissions=beyond,
        )


def require_may_shape_teams(actor: Actor) -> None:
    """Raise ``BeyondOwnRights`` unless the actor could approve: teams decide whose approval counts."""
    missing = [permission for permission in PERSON_ONLY if not actor.may(permission)]
    if actor.kind != "system" and missing:
        ask = actor.why_not(missing, otherwise="Ask an admin, a person.")
        raise BeyondOwnRights(f"{actor.name} may not approve, so may not decide who does. {ask}")


def assign(session: Session, actor: Actor, subject_id: str, kind: ActorKind, roles: Iterable[str]) -> bool:
    """Replace a subject's roles; return whether they changed. Raises as ``require_covers``."""
    before = set(repository.roles_of(session, [subject_id]).get(subject_id, []))
    after = set(roles)
    require_covers(actor, after, kind)
    if before == after:
        return False
    repository.set_roles(session, actor.organization_id, subject_id, after)
    target = ("user" if kind == "person" else "service_account", subject_id)
    audit.record(session, actor, f"{target[0]}.roles_changed", target, {"from": sorted(before), "to": sorted(after)})
    return True
