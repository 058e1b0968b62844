"""Rows of policy attachments, pinned bundles and checks."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, Created, Id, OrganizationOwned


class TerraformPolicyBundle(OrganizationOwned, Created, Base):
    """The Rego files of a policy set as they were when it was synced or uploaded, named by their digest.

    ``uploaded_at``, ``uploaded_by`` and ``name`` are set when, and only when, somebody uploaded it.
    """

    __tablename__ = "terraform_policy_bundles"
    __table_args__ = (UniqueConstraint("organization_id", "digest"),)

    id: Mapped[Id]
    digest: Mapped[str]
    files: Mapped[dict[str, Any]]
    name: Mapped[str | None]
    uploaded_at: Mapped[datetime | None]
    uploaded_by: Mapped[dict[str, Any] | None]


class TerraformPolicyAttachment(OrganizationOwned, Created, Base):
    """Binds a policy set to a workspace, to a tag, or (both null) to the organization.

    ``commit_id`` is the commit of a git source. ``looked_at`` is when its source was last looked at without a sync;
    ``newer_digest`` (and ``newer_commit_id``) what lay there, when it was another; ``look_error`` why it couldn't be
    read.
    """

    __tablename__ = "terraform_policy_attachments"
    __table_args__ = (
        CheckConstraint(
            "enforcement_level in ('advisory','soft-mandatory','hard-mandatory')", name="enforcement_level"
        ),
        CheckConstraint("workspace_id is null or tag is null", name="one_target"),
        CheckConstraint("not waives_unevaluable or enforcement_level = 'advisory'", name="waiver_is_advisory"),
    )

    id: Mapped[Id]
    workspace_id: Mapped[str | None] = mapped_column(
        ForeignKey("terraform_workspaces.id", ondelete="CASCADE"), index=True
    )
    tag: Mapped[str | None]
    policy_set_uri: Mapped[str]
    enforcement_level: Mapped[str]
    waives_unevaluable: Mapped[bool] = mapped_column(default=False)
    bundle_id: Mapped[str] = mapped_column(ForeignKey("terraform_policy_bundles.id"))
    bundle_digest: Mapped[str]
    commit_id: Mapped[str | None]
    synced_at: Mapped[datetime]
    looked_at: Mapped[datetime | None]
    newer_digest: Mapped[str | None]
    newer_commit_id: Mapped[str | None]
    look_error: Mapped[str | None]
    created_by: Mapped[dict[str, Any]]
    deleted_at: Mapped[datetime | None]


class TerraformPolicyCheck(OrganizationOwned, Created, Base):
    """What one attachment said about one run's plan."""

    __tablename__ = "terraform_policy_checks"
    __table_args__ = (Index("ix_terraform_policy_checks_run_id_id", "run_id", "id"),)

    id: Mapped[Id]
    run_id: Mapped[str]
    stage: Mapped[str]
    attachment_id: Mapped[str]
    policy_set_uri: Mapped[str]
    bundle_digest: Mapped[str]
    enforcement_level: Mapped[str]
    outcome: Mapped[str]
    findings: Mapped[list[Any]]
    error: Mapped[str | None]
    policy_engine: Mapped[str]
    duration_ms: Mapped[int]
    superseded_at: Mapped[datetime | None]
