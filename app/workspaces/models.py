"""Rows of workspaces and their variables."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, Created, Id, OrganizationOwned


class TerraformWorkspace(OrganizationOwned, Created, Base):
    """A workspace: one stack, one state, its own variables and rules. ``pinned_version_id`` null follows the head."""

    __tablename__ = "terraform_workspaces"
    __table_args__ = (
        UniqueConstraint("organization_id", "name"),
        CheckConstraint("required_approvals between 1 and 20", name="required_approvals"),
        Index("ix_terraform_workspaces_tags", "tags", postgresql_using="gin"),
    )

    id: Mapped[Id]
    stack_id: Mapped[str] = mapped_column(ForeignKey("terraform_stack_specs.id"), index=True)
    name: Mapped[str]
    description: Mapped[str] = mapped_column(default="")
    tags: Mapped[list[str]] = mapped_column(default=list)
    pinned_version_id: Mapped[str | None] = mapped_column(ForeignKey("terraform_stack_spec_versions.id"))
    required_approvals: Mapped[int] = mapped_column(default=1)
    approver_team_ids: Mapped[list[str]] = mapped_column(default=list)
    requester_may_approve: Mapped[bool] = mapped_column(default=False)
    approval_validity_seconds: Mapped[int | None]
    approval_conditions: Mapped[list[Any]] = mapped_column(default=list, server_default=text("'[]'::jsonb"))
    auto_apply: Mapped[bool] = mapped_column(default=False)
    auto_apply_allows_destroy: Mapped[bool] = mapped_column(default=False)
    plan_max_age_seconds: Mapped[int | None]
    engine_kind: Mapped[str | None]
    engine_version: Mapped[str | None]
    state_backend: Mapped[str] = mapped_column(default="local")
    state_backend_settings: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'::jsonb"))
    created_by: Mapped[dict[str, Any]]


class TerraformVariable(OrganizationOwned, Created, Base):
    """A variable of a workspace; its values are versions."""

    __tablename__ = "terraform_variables"
    __table_args__ = (
        Index(
            "uq_terraform_variables_key",
            "workspace_id",
            "kind",
            "key",
            unique=True,
            postgresql_where=text("deleted_at is null"),
        ),
        CheckConstraint("kind in ('terraform', 'env')", name="kind"),
    )

    id: Mapped[Id]
    workspace_id: Mapped[str] = mapped_column(ForeignKey("terraform_workspaces.id", ondelete="CASCADE"), index=True)
    key: Mapped[str]
    kind: Mapped[str]
    description: Mapped[str] = mapped_column(default="")
    is_sensitive: Mapped[bool]
    is_hcl: Mapped[bool]
    current_version_id: Mapped[str | None]
    deleted_at: Mapped[datetime | None]


class TerraformVariableVersion(OrganizationOwned, Created, Base):
    """One value of a variable, sealed; its id stands for the value in a plan's fingerprint.

    ``is_sensitive`` is what the variable was when this was its value, whatever it became.
    """

    __tablename__ = "terraform_variable_versions"

    id: Mapped[Id]
    variable_id: Mapped[str] = mapped_column(ForeignKey("terraform_variables.id", ondelete="CASCADE"), index=True)
    sealed_value: Mapped[bytes] = mapped_column(LargeBinary)
    is_sensitive: Mapped[bool]
    created_by: Mapped[dict[str, Any]]
