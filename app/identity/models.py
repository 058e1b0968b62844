"""Rows of identity. Secrets (passwords, tokens, links) are kept as hashes only."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, Created, Id, OrganizationOwned


class Organization(Created, Base):
    """A tenant. The operator organization runs the installation and alone may halt everything."""

    __tablename__ = "organizations"

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(unique=True)
    is_operator: Mapped[bool] = mapped_column(default=False)


class User(OrganizationOwned, Created, Base):
    """A person."""

    __tablename__ = "users"
    __table_args__ = (Index("uq_users_email", text("lower(email)"), unique=True),)

    id: Mapped[Id]
    email: Mapped[str]
    name: Mapped[str]
    password_hash: Mapped[str | None]
    disabled_at: Mapped[datetime | None]


class Team(OrganizationOwned, Created, Base):
    """People who approve together."""

    __tablename__ = "teams"
    __table_args__ = (UniqueConstraint("organization_id", "name"),)

    id: Mapped[Id]
    name: Mapped[str]


class TeamMember(OrganizationOwned, Base):
    """A person's place in a team."""

    __tablename__ = "team_members"

    team_id: Mapped[str] = mapped_column(ForeignKey("teams.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True)


class ServiceAccount(OrganizationOwned, Created, Base):
    """CI, a bot, or an AI agent (``is_agent``): never approves."""

    __tablename__ = "service_accounts"
    __table_args__ = (UniqueConstraint("organization_id", "name"),)

    id: Mapped[Id]
    name: Mapped[str]
    is_agent: Mapped[bool] = mapped_column(default=False)
    disabled_at: Mapped[datetime | None]


class RoleAssignment(OrganizationOwned, Base):
    """A role of a user or a service account; ``subject_id`` is the id of either."""

    __tablename__ = "role_assignments"

    subject_id: Mapped[str] = mapped_column(primary_key=True)
    role: Mapped[str] = mapped_column(primary_key=True)


class ApiToken(OrganizationOwned, Created, Base):
    """A bearer token. ``permissions`` null means all of its owner's; else only these of them."""

    __tablename__ = "api_tokens"
    __table_args__ = (CheckConstraint("(user_id is null) <> (service_account_id is null)", name="one_owner"),)

    id: Mapped[Id]
    name: Mapped[str]
    token_hash: Mapped[str] = mapped_column(unique=True)
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    service_account_id: Mapped[str | None] = mapped_column(
        ForeignKey("service_accounts.id", ondelete="CASCADE"), index=True
    )
    permissions: Mapped[list[str] | None]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class UserSession(OrganizationOwned, Created, Base):
    """A browser session."""

    __tablename__ = "user_sessions"

    id: Mapped[Id]
    token_hash: Mapped[str] = mapped_column(unique=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class LoginLink(OrganizationOwned, Created, Base):
    """A one-time login link."""

    __tablename__ = "login_links"

    id: Mapped[Id]
    token_hash: Mapped[str] = mapped_column(unique=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class LoginThrottle(Base):
    """Failed logins of one e-mail from one address, or of one address; ``id`` is a digest of which."""

    __tablename__ = "login_throttles"

    id: Mapped[Id]
    failures: Mapped[int]
    window_started_at: Mapped[datetime]
