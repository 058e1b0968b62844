"""Identity's vocabulary: what comes in, what goes out, and the facts that higher slices hear."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, SecretStr

from app.core.events import Fact
from app.core.permissions import ActorKind, Permission
from app.identity import passwords
from app.identity.roles import Role

SESSION_COOKIE = "sluice_session"
CSRF_HEADER = "X-Sluice-CSRF"


def _printable(text: str) -> str:
    cleaned = " ".join(text.split())
    if not cleaned or not cleaned.isprintable():
        raise ValueError("must be visible text")
    return cleaned


def _email(text: str) -> str:
    local, at, domain = text.strip().partition("@")
    if not (local and at and domain) or "@" in domain or any(part.isspace() or not part.isprintable() for part in text):
        raise ValueError("must be an e-mail address such as ada@example.org")
    return f"{local}@{domain.lower()}"


Name = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_printable)]
Email = Annotated[str, Field(min_length=3, max_length=254, examples=["ada@example.org"]), AfterValidator(_email)]
Password = Annotated[SecretStr, Field(min_length=passwords.MIN_LENGTH, max_length=passwords.MAX_LENGTH)]
GivenPassword = Annotated[SecretStr, Field(max_length=passwords.MAX_LENGTH)]


@dataclass(frozen=True)
class RightsChanged(Fact):
    """A person's roles, teams or being enabled changed; the writer holds the organization's fence exclusively."""

    organization_id: str
    user_id: str


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Reference(BaseModel):
    """Something named by id and name."""

    id: str
    name: str


class TeamRef(Reference):
    """A team by id and name."""


class OrganizationOut(BaseModel):
    """An organization. The operator's runs the installation."""

    id: str
    name: str
    is_operator: bool


class Me(BaseModel):
    """Who the caller is and what the credential in use may do."""

    id: str
    kind: ActorKind
    name: str
    email: str | None
    organization: OrganizationOut
    roles: list[str]
    permissions: list[Permission]
    teams: list[TeamRef]


class LoginIn(_In):
    """E-mail and password."""

    email: Annotated[str, Field(max_length=254, examples=["ada@example.org"])]
    password: GivenPassword


class LinkIn(_In):
    """A one-time login link's token."""

    token: Annotated[str, Field(min_length=1, max_length=200)]


class PasswordIn(_In):
    """A new password; the present one is asked for when there is one."""

    current_password: GivenPassword | None = None
    new_password: Password


class SignedIn(BaseModel):
    """Answer to a login; the session is in the cookie."""

    user: Me


class UserIn(_In):
    """A new person. Without a password, the answer's login link is their way in."""

    email: Email
    name: Name
    roles: list[Role] = Field(default_factory=lambda: [Role.VIEWER], max_length=10)
    teams: list[str] = Field(default_factory=list, max_length=50, description="Ids or names.")
    password: Password | None = None


class UserChange(_In):
    """What to change of a person; what is left out stays."""

    name: Name | None = None
    roles: list[Role] | None = Field(None, max_length=10)
    is_disabled: bool | None = None


class UserOut(BaseModel):
    """A person."""

    id: str
    email: str
    name: str
    roles: list[str]
    teams: list[TeamRef]
    is_disabled: bool
    created_at: datetime


class UserCreated(UserOut):
    """A new person, with the one-time login link that lets them in."""

    login_url: str


class LoginLinkOut(BaseModel):
    """A one-time login link, shown once."""

    login_url: str
    expires_at: datetime


class TeamIn(_In):
    """A new team."""

    name: Name


class TeamOut(BaseModel):
    """People who approve together."""

    id: str
    name: str
    members: list[Reference]
    created_at: datetime


class ServiceAccountIn(_In):
    """A new service account; ``is_agent`` marks an AI agent."""

    name: Name
    roles: list[Role] = Field(default_factory=lambda: [Role.PLANNER], max_length=10)
    is_agent: bool = False


class ServiceAccountChange(_In):
    """What to change of a service account; what is left out stays."""

    roles: list[Role] | None = Field(None, max_length=10)
    is_disabled: bool | None = None


class ServiceAccountOut(BaseModel):
    """CI, a bot, or an AI agent. It never approves, whatever its roles."""

    id: str
    name: str
    is_agent: bool
    roles: list[str]
    is_disabled: bool
    created_at: datetime


class TokenIn(_In):
    """A new token: the caller's own, or a service account's. ``permissions`` narrows it; null follows the owner."""

    name: Name
    service_account: str | None = Field(None, description="Id or name; without it the token is the caller's own.")
    permissions: list[Permission] | None = Field(None, min_length=1)
    expires_at: AwareDatetime | None = Field(None, description="When it stops working; null: when it is revoked.")


class TokenOwner(Reference):
    """Whose token it is."""

    kind: Literal["person", "service_account", "agent"]


class TokenOut(BaseModel):
    """A token without its secret."""

    id: str
    name: str
    owner: TokenOwner
    permissions: list[Permission] | None
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
    created_at: datetime


class TokenCreated(TokenOut):
    """A new token with its secret, which is shown this once."""

    token: str


class RoleOut(BaseModel):
    """A role and what it may do."""

    name: Role
    description: str
    permissions: Sequence[Permission]
