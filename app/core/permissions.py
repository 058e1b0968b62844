"""Who may do what: the permissions, the actor, and ``requires`` for routes.

Deny by default. Every route declares its permission with ``requires(…)`` (or ``PUBLIC``); a test walks all routes.
``main`` plugs in identity's resolver.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, Literal

from fastapi import Depends, Request
from fastapi.params import Depends as DependsMarker
from starlette.concurrency import run_in_threadpool

from app.core.errors import AppError, Forbidden, Unauthenticated, Unavailable
from app.core.lifeline import is_urgent, on_lifeline


class Permission(StrEnum):
    """Every right there is. Roles are sets of these; a token may be narrowed to some of them."""

    ORGANIZATION_READ = "organization:read"
    ORGANIZATION_MANAGE = "organization:manage"
    MEMBERS_MANAGE = "members:manage"
    TOKENS_OWN = "tokens:own"
    TOKENS_MANAGE = "tokens:manage"
    AUDIT_READ = "audit:read"
    STACKS_READ = "stacks:read"
    STACKS_WRITE = "stacks:write"
    WORKSPACES_READ = "workspaces:read"
    WORKSPACES_WRITE = "workspaces:write"
    WORKSPACES_RULES = "workspaces:rules"
    VARIABLES_READ = "variables:read"
    VARIABLES_WRITE = "variables:write"
    CONFIGURATIONS_READ = "configurations:read"
    CONFIGURATIONS_UPLOAD = "configurations:upload"
    RUNS_READ = "runs:read"
    RUNS_PLAN = "runs:plan"
    RUNS_DESTROY = "runs:destroy"
    RUNS_APPLY = "runs:apply"
    RUNS_CANCEL = "runs:cancel"
    RUNS_DISCARD = "runs:discard"
    RUNS_APPROVE = "runs:approve"
    RUNS_OVERRIDE = "runs:override"
    POLICIES_READ = "policies:read"
    POLICIES_WRITE = "policies:write"
    STATE_READ = "state:read"
    STATE_READ_SENSITIVE = "state:read-sensitive"
    STATE_DOWNLOAD = "state:download"
    STATE_WRITE = "state:write"
    STATE_UNLOCK = "state:unlock"
    NOTIFICATIONS_MANAGE = "notifications:manage"
    HALT_READ = "halt:read"
    HALT_RAISE = "halt:raise"
    HALT_RESUME = "halt:resume"
    HALT_DRILL = "halt:drill"


class TokenTooNarrow(Forbidden):
    """The token's owner holds the permission, and the token was narrowed to others."""

    code = "token_too_narrow"
    title = "The token leaves this right out"


PERSON_ONLY = frozenset({Permission.RUNS_APPROVE, Permission.RUNS_OVERRIDE, Permission.WORKSPACES_RULES})
"""Rights that only people ever hold, whatever role a service account or an agent was given: to pass the gate, and to
change a workspace's rules for passing it."""

ActorKind = Literal["person", "service_account", "agent", "system"]


@dataclass(frozen=True)
class Actor:
    """Who asks: a value, safe to keep in events and jobs. ``teams`` are team ids."""

    id: str
    kind: ActorKind
    name: str
    organization_id: str
    permissions: frozenset[Permission] = frozenset()
    teams: frozenset[str] = frozenset()
    token_id: str | None = None
    session_id: str | None = None
    source_address: str | None = None
    roles: frozenset[str] = field(default_factory=frozenset)
    withheld: frozenset[Permission] = frozenset()
    """What the roles give and the token does not, since it was narrowed."""

    def may(self, permission: Permission) -> bool:
        """Whether the actor holds ``permission``."""
        return permission in self.permissions and (self.kind == "person" or permission not in PERSON_ONLY)

    def require(self, permission: Permission, refusal: type[Forbidden] | None = None) -> None:
        """Raise unless the actor holds ``permission``, naming it and what lacks it: the token or the roles.

        ``refusal`` is raised; by default ``TokenTooNarrow`` or ``Forbidden``.
        """
        if self.may(permission):
            return
        usual = TokenTooNarrow if self.lacks_by_token([permission]) else Forbidden
        raise (refusal or usual)(self.why_not([permission]), permission=permission.value)

    def lacks_by_token(self, missing: Collection[Permission]) -> bool:
        """Whether the token alone is why the actor lacks ``missing``: the roles give all of it."""
        return bool(missing) and self.withheld.issuperset(missing)

    def why_not(self, missing: Collection[Permission], *, otherwise: str | None = None) -> str:
        """Return what lacks ``missing``, the token or the roles, and what to do about it, in sentences.

        ``otherwise`` is said where it is not the token alone.
        """
        names = ", ".join(sorted(permission.value for permission in missing))
        them = "it" if len(missing) == 1 else "them"
        if self.lacks_by_token(missing):
            return f"This token of {self.name} was narrowed and leaves {names} out. Use one that has {them}."
        if otherwise is not None:
            return otherwise
        plural = "" if len(missing) == 1 else "s"
        return (
            f"{self.name} lacks the permission{plural} {names}. Ask an admin of the organization for a role that has "
            f"{them}."
        )

    def describe(self) -> dict[str, Any]:
        """Return the actor as it is written into rows and events."""
        return {"id": self.id, "kind": self.kind, "name": self.name}


def system_actor(organization_id: str) -> Actor:
    """Return the actor that Sluice itself is (sweeps, rules)."""
    return Actor(id="system", kind="system", name="Sluice", organization_id=organization_id)


Resolver = Callable[[Request], Actor | None]
_resolver: Resolver | None = None


def set_resolver(resolver: Resolver) -> None:
    """Plug in how a request's credential becomes an actor (main does, with identity's)."""
    global _resolver
    _resolver = resolver


async def current_actor(request: Request) -> Actor:
    """FastAPI dependency: the request's actor. Raises ``Unauthenticated``."""
    actor: Actor | None = getattr(request.state, "actor", None)
    if actor is None:
        in_thread = on_lifeline if is_urgent(request) else run_in_threadpool
        actor = await in_thread(_resolver, request) if _resolver is not None else None
        if actor is None:
            raise Unauthenticated("Sign in, or send a valid token: Authorization: Bearer <token>.")
        request.state.actor = actor
    return actor


ActorDep = Annotated[Actor, Depends(current_actor)]


class Mark:
    """How a route declares who may use it: a dependency, of which every route has one."""

    refusals: tuple[type[AppError], ...] = ()
    """What it answers instead of the route, as the API's document says it."""


class PermissionCheck(Mark):
    """The dependency that ``requires`` makes; a test reads ``permission`` off every route."""

    def __init__(self, permission: Permission, unless_person: type[Forbidden] | None = None) -> None:
        self.permission = permission
        self.unless_person = unless_person
        self.refusals = (*SignedInCheck.refusals, Forbidden, TokenTooNarrow, *filter(None, [unless_person]))

    async def __call__(self, actor: ActorDep) -> Actor:
        """Return the actor when it holds the permission; raise ``Forbidden`` otherwise."""
        if self.unless_person is not None and actor.kind != "person":
            # A role or another token, which Forbidden asks for, would not help them.
            raise self.unless_person(
                f"{actor.name} is no person, and only people hold {self.permission.value}. Ask someone who may.",
                permission=self.permission.value,
            )
        actor.require(self.permission)
        return actor


class PublicMarker(Mark):
    """Marks a route that needs no credential (health, login)."""

    def __call__(self) -> None:
        """Let everyone pass."""


def requires(permission: Permission, *, unless_person: type[Forbidden] | None = None) -> Any:
    """Return a dependency that admits actors with ``permission`` and gives the endpoint the actor.

    ``unless_person`` is raised for who is no person, of a right that only people hold.
    Use as ``actor: Annotated[Actor, requires(Permission.RUNS_PLAN)]``.
    """
    return Depends(PermissionCheck(permission, unless_person))


PUBLIC: DependsMarker = Depends(PublicMarker())


class SignedInCheck(Mark):
    """The dependency of routes that every valid credential may use, however narrow (who am I, sign out)."""

    refusals = (Unauthenticated, Unavailable)
    """Who asks is looked for in the database."""

    def __call__(self, actor: ActorDep) -> Actor:
        """Return the actor."""
        return actor


SIGNED_IN: DependsMarker = Depends(SignedInCheck())
