"""Credentials: passwords, one-time login links, browser sessions and bearer tokens, and what each stands for."""

from datetime import timedelta
from typing import Literal

from sqlalchemy.orm import Session
from starlette.requests import HTTPConnection

from app.audit import service as audit
from app.core import clock
from app.core.canonical import digest
from app.core.errors import Invalid, NotFound, Unauthenticated
from app.core.ids import new_id
from app.core.pages import Page, PageParams
from app.core.permissions import Actor, ActorKind, Permission
from app.core.settings import get_settings
from app.identity import members, passwords, repository, rights, tokens
from app.identity import repository_credentials as store
from app.identity.errors import LinkUnusable, LoginRefused, TokenTooWide, TooManyAttempts
from app.identity.models import ApiToken, LoginLink, ServiceAccount, User, UserSession
from app.identity.roles import permissions_of
from app.identity.schemas import SESSION_COOKIE, LoginLinkOut, Me, TeamRef, TokenCreated, TokenIn, TokenOut, TokenOwner

ATTEMPT_WINDOW = timedelta(minutes=15)
ATTEMPTS_OF_PAIR = 5
ATTEMPTS_OF_ADDRESS = 50
LINK_LIFETIME = timedelta(hours=24)


def resolve_connection(session: Session, connection: HTTPConnection) -> Actor | None:
    """Return who opened a connection, by its bearer token, else by its session cookie; None without a valid one.

    A request with a bad token is nobody's, whatever cookie it carries. Whether a change needs the CSRF header is the
    request's edge's to ask: here nothing is known of it.
    """
    address = connection.client.host if connection.client is not None else None
    header = connection.headers.get("authorization")
    if header is not None:
        scheme, _, token = header.partition(" ")
        return resolve_token(session, token.strip(), address) if scheme.lower() == "bearer" else None
    cookie = connection.cookies.get(SESSION_COOKIE)
    return resolve_session(session, cookie, address) if cookie else None


def resolve_token(session: Session, token: str, source_address: str | None = None) -> Actor | None:
    """Return the actor of a bearer token, or None when it is malformed, unknown, revoked, expired or disabled.

    Its rights are its owner's of this moment, narrowed to what the token was given. Notes its use once a minute.
    """
    if not tokens.is_well_formed(token):
        return None
    moment = clock.now()
    found = store.token_credential(session, tokens.hash_secret(token), moment)
    if found is None:
        return None
    if found.last_used_at is None or moment - found.last_used_at > timedelta(minutes=1):
        store.touch_token(session, found.id, moment)
    return _actor(found, token_id=found.id, source_address=source_address)


def resolve_session(session: Session, cookie: str, source_address: str | None = None) -> Actor | None:
    """Return the actor of a browser session's cookie, or None when the session is unknown or over."""
    found = store.session_credential(session, tokens.hash_secret(cookie), clock.now())
    return _actor(found, session_id=found.id, source_address=source_address) if found is not None else None


def actor_of_user(session: Session, organization_id: str, user_id: str) -> Actor | None:
    """Return a person as an actor with the rights of this moment, or None when unknown or disabled."""
    row = repository.user(session, organization_id, user_id)
    if row is None or row.disabled_at is not None:
        return None
    roles = repository.roles_of(session, [row.id]).get(row.id, [])
    teams = repository.teams_of(session, [row.id]).get(row.id, [])
    return Actor(
        id=row.id,
        kind="person",
        name=row.name,
        organization_id=row.organization_id,
        permissions=permissions_of(roles, "person"),
        teams=frozenset(team.id for team in teams),
        roles=frozenset(roles),
    )


def actor_of_service_account(session: Session, organization_id: str, account_id: str) -> Actor | None:
    """Return a service account as an actor with the rights of this moment, or None when unknown or disabled."""
    row = repository.service_account(session, organization_id, account_id)
    if row is None or row.disabled_at is not None:
        return None
    roles = repository.roles_of(session, [row.id]).get(row.id, [])
    return Actor(
        id=row.id,
        kind=_kind(row),
        name=row.name,
        organization_id=row.organization_id,
        permissions=permissions_of(roles, _kind(row)),
        roles=frozenset(roles),
    )


def reserve_attempt(session: Session, email: str, source_address: str) -> None:
    """Count a login before it is tried; the caller commits that, whatever comes of the login.

    Raises ``TooManyAttempts`` when this e-mail failed too often from this address, or this address with any e-mail.
    The refusal itself rolls back its own count, so that waiting helps.
    """
    moment = clock.now()
    store.forget_old_attempts(session, moment - 2 * ATTEMPT_WINDOW)
    limits = ((_pair_key(email, source_address), ATTEMPTS_OF_PAIR), (_key(source_address), ATTEMPTS_OF_ADDRESS))
    for key, limit in limits:
        attempts, since = store.count_attempt(session, key, moment, ATTEMPT_WINDOW)
        if attempts > limit:
            wait = max(1, round((since + ATTEMPT_WINDOW - moment).total_seconds()))
            raise TooManyAttempts(
                f"Too many failed logins. Try again in {wait} seconds, or ask an admin for a login link.",
                retry_after_seconds=wait,
            )


def log_in(session: Session, email: str, password: str, source_address: str) -> tuple[Actor, str] | None:
    """Return the actor and the cookie of a new session, or None when e-mail and password do not fit.

    It returns rather than raises, so that the caller's commit keeps the audit event of the refusal. Unknown and
    disabled people cost the same time as known ones.
    """
    row = repository.user_by_email(session, email.strip())
    fits = passwords.verify_password(password, row.password_hash if row is not None else None)
    if row is None or not fits or row.disabled_at is not None:
        if row is not None:
            audit.record(session, _as_actor(row, source_address), "session.refused", ("user", row.id))
        return None
    if row.password_hash is not None and passwords.needs_rehash(row.password_hash):
        row.password_hash = passwords.hash_password(password)
    store.forget_attempts(session, _pair_key(email, source_address))
    store.uncount_attempt(session, _key(source_address))
    return _open_session(session, row, source_address, "password")


def refuse_login() -> LoginRefused:
    """Return the one answer to every failed login."""
    return LoginRefused("E-mail and password do not fit. Check both, or ask an admin for a login link.")


def use_login_link(session: Session, token: str, source_address: str) -> tuple[Actor, str]:
    """Spend a one-time login link; return the actor and the cookie of a new session. Raises ``LinkUnusable``."""
    row = store.consume_link(session, tokens.hash_secret(token), clock.now())
    if row is None:
        raise LinkUnusable("This login link was used already or has expired. Ask for a fresh one.")
    return _open_session(session, row, source_address, "link")


def create_login_link(
    session: Session, actor: Actor, user_id: str, *, lifetime: timedelta = LINK_LIFETIME
) -> LoginLinkOut:
    """Create a one-time login link for a person.

    Raises ``NotFound``, and ``BeyondOwnRights`` when that person may do more than the actor: who has the link is them.
    """
    row = repository.user(session, actor.organization_id, user_id)
    if row is None or row.disabled_at is not None:
        raise NotFound(f"There is no user {user_id!r} who could sign in.")
    rights.require_covers_subject(session, actor, row.id, "person")
    secret, moment = tokens.new_secret(), clock.now()
    link = LoginLink(
        id=new_id("link"),
        organization_id=row.organization_id,
        token_hash=tokens.hash_secret(secret),
        user_id=row.id,
        created_at=moment,
        expires_at=moment + lifetime,
    )
    repository.add(session, link)
    audit.record(session, actor, "login_link.created", ("user", row.id), {"expires_at": link.expires_at.isoformat()})
    return LoginLinkOut(login_url=f"{get_settings().url}/login?link={secret}", expires_at=link.expires_at)


def log_out(session: Session, actor: Actor) -> None:
    """End the session that the actor came with; a bearer token has none to end."""
    if actor.session_id is not None and store.end_session(session, actor.session_id, clock.now()):
        audit.record(session, actor, "session.ended", ("user", actor.id))


def set_password(session: Session, actor: Actor, current: str | None, new: str) -> None:
    """Set the actor's own password and end their other sessions and open links.

    Raises ``Invalid`` when the present password does not fit, ``Unauthenticated`` for anything but a browser session.
    """
    row = repository.user(session, actor.organization_id, actor.id)
    if row is None or actor.session_id is None:
        raise Unauthenticated("Sign in with the browser to set a password.")
    if row.password_hash is not None and not passwords.verify_password(current or "", row.password_hash):
        message = "is not your present password"
        raise Invalid.of_field("current_password", message)
    row.password_hash = passwords.hash_password(new)
    store.end_sessions(session, row.id, clock.now(), but=actor.session_id)
    store.spend_links(session, row.id, clock.now())
    audit.record(session, actor, "password.changed", ("user", row.id))


def describe(session: Session, actor: Actor) -> Me:
    """Return what an actor is told about themselves."""
    user = repository.user(session, actor.organization_id, actor.id)
    teams = members.team_names(session, actor.organization_id, actor.teams)
    return Me(
        id=actor.id,
        kind=actor.kind,
        name=actor.name,
        email=user.email if user is not None else None,
        organization=members.get_organization(session, actor.organization_id),
        roles=sorted(actor.roles),
        permissions=sorted(actor.permissions),
        teams=[TeamRef(id=team_id, name=name) for team_id, name in sorted(teams.items(), key=lambda item: item[1])],
    )


def issue_token(session: Session, actor: Actor, body: TokenIn) -> TokenCreated:
    """Issue a token of the actor's own, or of a service account; its secret is in the answer and nowhere else.

    Only people issue tokens. Raises ``TokenTooWide`` when it could do more, or would live longer, than the credential
    that asks; ``NotFound`` for an unknown service account; ``Invalid`` for an end in the past.
    """
    moment = clock.now()
    if body.expires_at is not None and body.expires_at <= moment:
        raise Invalid.of_field("expires_at", "is in the past")
    owner = _owner_of_new(session, actor, body)
    _refuse_wider(session, actor, owner, body)
    secret = tokens.new_token()
    row = ApiToken(
        id=new_id("token"),
        organization_id=actor.organization_id,
        name=body.name,
        token_hash=tokens.hash_secret(secret),
        user_id=owner.id if isinstance(owner, User) else None,
        service_account_id=owner.id if isinstance(owner, ServiceAccount) else None,
        permissions=sorted(set(body.permissions)) if body.permissions is not None else None,
        expires_at=body.expires_at,
        created_at=moment,
    )
    repository.add(session, row)
    evidence = {
        "name": row.name,
        "owner": owner.id,
        "permissions": row.permissions,
        "expires_at": row.expires_at.isoformat() if row.expires_at is not None else None,
    }
    audit.record(session, actor, "token.created", ("token", row.id), evidence)
    return TokenCreated(token=secret, **_present(row, owner).model_dump())


def list_tokens(session: Session, actor: Actor, params: PageParams, owner_id: str | None = None) -> Page[TokenOut]:
    """Return one page of tokens that are not revoked: the actor's own, or those that they manage."""
    if not actor.may(Permission.TOKENS_MANAGE):
        owner_id = actor.id
    rows, cursor = store.tokens_page(session, actor.organization_id, owner_id, params)
    owners = store.owners_of(session, rows)
    return Page(items=[_present(row, owners[_owner_id(row)]) for row in rows], next_cursor=cursor)


def revoke_token(session: Session, actor: Actor, token_id: str) -> None:
    """Revoke a token; twice is once. Raises ``NotFound``, also for tokens that the actor may not manage."""
    row = store.token(session, actor.organization_id, token_id)
    if row is None or (_owner_id(row) != actor.id and not actor.may(Permission.TOKENS_MANAGE)):
        raise NotFound(f"There is no token {token_id!r}.")
    if row.revoked_at is None:
        row.revoked_at = clock.now()
        audit.record(session, actor, "token.revoked", ("token", row.id), {"name": row.name, "owner": _owner_id(row)})


def _owner_of_new(session: Session, actor: Actor, body: TokenIn) -> User | ServiceAccount:
    if actor.kind not in {"person", "system"}:
        raise TokenTooWide("Only people issue tokens: ask an admin for another one for this service account.")
    if body.service_account is None:
        user = repository.user(session, actor.organization_id, actor.id)
        if user is None:
            raise NotFound(f"There is no user {actor.id!r}.")
        return user
    if actor.kind == "person":
        actor.require(Permission.TOKENS_MANAGE)
    account = repository.service_account(session, actor.organization_id, body.service_account)
    if account is None:
        raise NotFound(f"There is no service account {body.service_account!r}.")
    return account


def _refuse_wider(session: Session, actor: Actor, owner: User | ServiceAccount, body: TokenIn) -> None:
    if actor.kind == "system":
        return
    held = permissions_of(repository.roles_of(session, [owner.id]).get(owner.id, []), _kind(owner))
    wanted = frozenset(body.permissions) if body.permissions is not None else held
    beyond = sorted(wanted - (held & actor.permissions))
    if beyond:
        raise TokenTooWide(
            f"The token would have rights beyond its owner's or beyond yours: {', '.join(beyond)}. Narrow permissions.",
            errors=[{"field": "permissions", "message": f"beyond what you may give: {', '.join(beyond)}"}],
        )
    asking = store.token(session, actor.organization_id, actor.token_id) if actor.token_id is not None else None
    if asking is None:
        return
    if asking.permissions is not None and body.permissions is None:
        raise TokenTooWide(
            "A narrowed token issues narrowed tokens only: name the permissions.",
            errors=[{"field": "permissions", "message": "must be named"}],
        )
    if asking.expires_at is not None and (body.expires_at is None or body.expires_at > asking.expires_at):
        raise TokenTooWide(
            f"The token would outlive the one that asks for it, which ends at {asking.expires_at.isoformat()}.",
            errors=[{"field": "expires_at", "message": f"must be {asking.expires_at.isoformat()} at the latest"}],
        )


def _open_session(session: Session, user: User, source_address: str, method: str) -> tuple[Actor, str]:
    secret, moment = tokens.new_secret(), clock.now()
    row = UserSession(
        id=new_id("session"),
        organization_id=user.organization_id,
        token_hash=tokens.hash_secret(secret),
        user_id=user.id,
        created_at=moment,
        expires_at=moment + session_lifetime(),
    )
    repository.add(session, row)
    audit.record(session, _as_actor(user, source_address), "session.started", ("user", user.id), {"method": method})
    actor = resolve_session(session, secret, source_address)
    if actor is None:
        raise LoginRefused("This account is disabled. Ask an admin of the organization.")
    return actor, secret


def session_lifetime() -> timedelta:
    """Return how long a browser session lasts."""
    return timedelta(hours=get_settings().session_hours)


def _actor(
    found: store.Credential,
    *,
    token_id: str | None = None,
    session_id: str | None = None,
    source_address: str | None = None,
) -> Actor:
    kind: ActorKind = "person"
    if found.service_account_id is not None:
        kind = "agent" if found.is_agent else "service_account"
    held = permissions_of(found.roles or [], kind)
    left = held if found.narrowed_to is None else held & frozenset(found.narrowed_to)
    return Actor(
        id=found.user_id or found.service_account_id or "",
        kind=kind,
        name=found.user_name or found.service_account_name or "",
        organization_id=found.organization_id,
        permissions=frozenset(left),
        teams=frozenset(found.teams or []),
        token_id=token_id,
        session_id=session_id,
        source_address=source_address,
        roles=frozenset(found.roles or []),
        withheld=frozenset(held - left),
    )


def _as_actor(user: User, source_address: str) -> Actor:
    return Actor(user.id, "person", user.name, user.organization_id, source_address=source_address)


def _kind(owner: User | ServiceAccount) -> Literal["person", "service_account", "agent"]:
    if isinstance(owner, User):
        return "person"
    return "agent" if owner.is_agent else "service_account"


def _owner_id(row: ApiToken) -> str:
    return row.user_id or row.service_account_id or ""


def _present(row: ApiToken, owner: User | ServiceAccount) -> TokenOut:
    return TokenOut(
        id=row.id,
        name=row.name,
        owner=TokenOwner(id=owner.id, name=owner.name, kind=_kind(owner)),
        permissions=[Permission(name) for name in row.permissions] if row.permissions is not None else None,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
        created_at=row.created_at,
    )


def _pair_key(email: str, source_address: str) -> str:
    return _key(email.strip().lower(), source_address)


def _key(*parts: str) -> str:
    return digest(list(parts))
