"""Queries of identity: tokens, sessions, login links and failed logins."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CursorResult, Delete, bindparam, case, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.core.pages import PageParams, fetch_page
from app.identity.models import (
    ApiToken,
    LoginLink,
    LoginThrottle,
    RoleAssignment,
    ServiceAccount,
    TeamMember,
    User,
    UserSession,
)


@dataclass(frozen=True)
class Credential:
    """What a valid credential stands for, in one row."""

    id: str
    organization_id: str
    user_id: str | None
    user_name: str | None
    service_account_id: str | None
    service_account_name: str | None
    is_agent: bool | None
    narrowed_to: list[str] | None
    last_used_at: datetime | None
    roles: list[str] | None
    teams: list[str] | None


# Made once: every request asks one of these, and putting a statement together takes longer than running it.
_TOKEN = (
    select(
        ApiToken.id,
        ApiToken.organization_id,
        ApiToken.user_id,
        User.name,
        ApiToken.service_account_id,
        ServiceAccount.name,
        ServiceAccount.is_agent,
        ApiToken.permissions,
        ApiToken.last_used_at,
        select(func.array_agg(RoleAssignment.role))
        .where(RoleAssignment.subject_id == func.coalesce(ApiToken.user_id, ApiToken.service_account_id))
        .scalar_subquery(),
        select(func.array_agg(TeamMember.team_id)).where(TeamMember.user_id == ApiToken.user_id).scalar_subquery(),
    )
    .outerjoin(User, User.id == ApiToken.user_id)
    .outerjoin(ServiceAccount, ServiceAccount.id == ApiToken.service_account_id)
    .where(
        ApiToken.token_hash == bindparam("hash"),
        ApiToken.revoked_at.is_(None),
        or_(ApiToken.expires_at.is_(None), ApiToken.expires_at > bindparam("moment")),
        User.disabled_at.is_(None),
        ServiceAccount.disabled_at.is_(None),
    )
)
_SESSION = (
    select(
        UserSession.id,
        UserSession.organization_id,
        User.id,
        User.name,
        select(func.array_agg(RoleAssignment.role)).where(RoleAssignment.subject_id == User.id).scalar_subquery(),
        select(func.array_agg(TeamMember.team_id)).where(TeamMember.user_id == User.id).scalar_subquery(),
    )
    .join(User, User.id == UserSession.user_id)
    .where(
        UserSession.token_hash == bindparam("hash"),
        UserSession.revoked_at.is_(None),
        UserSession.expires_at > bindparam("moment"),
        User.disabled_at.is_(None),
    )
)


def token_credential(session: Session, token_hash: str, moment: datetime) -> Credential | None:
    """Return what a token stands for, or None when it is unknown, revoked, expired, or its owner is disabled."""
    row = session.execute(_TOKEN, {"hash": token_hash, "moment": moment}).first()
    return Credential(*row) if row is not None else None


def session_credential(session: Session, token_hash: str, moment: datetime) -> Credential | None:
    """Return what a session cookie stands for, or None when it is unknown, ended, or its person is disabled."""
    row = session.execute(_SESSION, {"hash": token_hash, "moment": moment}).first()
    if row is None:
        return None
    session_id, organization_id, user_id, user_name, roles, teams = row
    return Credential(session_id, organization_id, user_id, user_name, None, None, None, None, None, roles, teams)


def touch_token(session: Session, token_id: str, moment: datetime) -> None:
    """Note that a token was used, unless another request noted it within the minute, or holds it now.

    Waits for nobody: who is frozen while it notes this would hold up every request with the token, and halts with it.
    """
    is_due = or_(ApiToken.last_used_at.is_(None), ApiToken.last_used_at < moment - timedelta(minutes=1))
    free = select(ApiToken.id).where(ApiToken.id == token_id, is_due).with_for_update(skip_locked=True, key_share=True)
    session.execute(
        update(ApiToken)
        .where(ApiToken.id == free.scalar_subquery())
        .values(last_used_at=moment)
        .execution_options(synchronize_session=False)
    )


def token(session: Session, organization_id: str, token_id: str) -> ApiToken | None:
    """Return a token of the organization."""
    return session.scalars(
        select(ApiToken).where(ApiToken.id == token_id, ApiToken.organization_id == organization_id)
    ).first()


def tokens_page(
    session: Session, organization_id: str, owner_id: str | None, params: PageParams
) -> tuple[Sequence[ApiToken], str | None]:
    """Return one page of tokens that are not revoked, newest first; of one owner, or of all."""
    query = select(ApiToken).where(ApiToken.organization_id == organization_id, ApiToken.revoked_at.is_(None))
    if owner_id is not None:
        query = query.where(or_(ApiToken.user_id == owner_id, ApiToken.service_account_id == owner_id))
    return fetch_page(session, query, ApiToken.id, params)


def owners_of(session: Session, tokens: Sequence[ApiToken]) -> dict[str, User | ServiceAccount]:
    """Return the owner of each token, by the owner's id."""
    users = session.scalars(select(User).where(User.id.in_([row.user_id for row in tokens if row.user_id])))
    accounts = session.scalars(
        select(ServiceAccount).where(
            ServiceAccount.id.in_([row.service_account_id for row in tokens if row.service_account_id])
        )
    )
    return {row.id: row for row in [*users, *accounts]}


def end_session(session: Session, session_id: str, moment: datetime) -> bool:
    """End a session; return False when it had ended."""
    statement = update(UserSession).where(UserSession.id == session_id, UserSession.revoked_at.is_(None))
    return _changed(session.execute(statement.values(revoked_at=moment)))


def end_sessions(session: Session, user_id: str, moment: datetime, *, but: str | None = None) -> None:
    """End all of a person's sessions, but the one that is named."""
    statement = update(UserSession).where(UserSession.user_id == user_id, UserSession.revoked_at.is_(None))
    if but is not None:
        statement = statement.where(UserSession.id != but)
    session.execute(statement.values(revoked_at=moment))


def spend_links(session: Session, user_id: str, moment: datetime) -> None:
    """Make all of a person's open login links unusable."""
    session.execute(
        update(LoginLink).where(LoginLink.user_id == user_id, LoginLink.used_at.is_(None)).values(used_at=moment)
    )


def consume_link(session: Session, token_hash: str, moment: datetime) -> User | None:
    """Spend a login link and return its person. Of two callers at once the first commit wins; the other gets None."""
    user_id = session.execute(
        update(LoginLink)
        .where(LoginLink.token_hash == token_hash, LoginLink.used_at.is_(None), LoginLink.expires_at > moment)
        .values(used_at=moment)
        .returning(LoginLink.user_id)
    ).scalar()
    if user_id is None:
        return None
    return session.scalars(select(User).where(User.id == user_id, User.disabled_at.is_(None))).first()


def count_attempt(session: Session, key: str, moment: datetime, window: timedelta) -> tuple[int, datetime]:
    """Count an attempt before it is made, and return the attempts of its window and when that began.

    Counting first means that attempts sent at once can't all pass the same check.
    """
    is_over = LoginThrottle.window_started_at <= moment - window
    row = session.execute(
        insert(LoginThrottle)
        .values(id=key, failures=1, window_started_at=moment)
        .on_conflict_do_update(
            index_elements=[LoginThrottle.id],
            set_={
                "failures": case((is_over, 1), else_=LoginThrottle.failures + 1),
                "window_started_at": case((is_over, moment), else_=LoginThrottle.window_started_at),
            },
        )
        .returning(LoginThrottle.failures, LoginThrottle.window_started_at)
    ).one()
    return row[0], row[1]


def forget_attempts(session: Session, key: str) -> None:
    """Forget the failed attempts of a key: a login succeeded."""
    session.execute(delete(LoginThrottle).where(LoginThrottle.id == key))


def uncount_attempt(session: Session, key: str) -> None:
    """Take back one counted attempt: it succeeded, and says nothing of the others."""
    session.execute(
        update(LoginThrottle)
        .where(LoginThrottle.id == key)
        .values(failures=func.greatest(LoginThrottle.failures - 1, 0))
    )


def forget_old_attempts(session: Session, before: datetime) -> None:
    """Delete what no window reaches any more."""
    session.execute(delete(LoginThrottle).where(LoginThrottle.window_started_at < before))


def remove_sessions(session: Session, before: datetime, limit: int) -> int:
    """Delete up to ``limit`` sessions that expired or were ended before ``before``; return how many."""
    ended = select(UserSession.id).where(or_(UserSession.expires_at < before, UserSession.revoked_at < before))
    return _remove(session, delete(UserSession).where(UserSession.id.in_(ended.limit(limit))))


def remove_links(session: Session, before: datetime, limit: int) -> int:
    """Delete up to ``limit`` login links that expired or were used before ``before``; return how many."""
    ended = select(LoginLink.id).where(or_(LoginLink.expires_at < before, LoginLink.used_at < before))
    return _remove(session, delete(LoginLink).where(LoginLink.id.in_(ended.limit(limit))))


def _remove(session: Session, statement: Delete) -> int:
    result = session.execute(statement)
    return result.rowcount if isinstance(result, CursorResult) else 0


def _changed(result: Any) -> bool:
    return isinstance(result, CursorResult) and result.rowcount > 0
