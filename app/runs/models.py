"""Rows of runs."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, and_, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, Created, Id, OrganizationOwned


class TerraformRun(OrganizationOwned, Created, Base):
    """One plan, destroy, refresh, rollback, migration or apply. ``status`` is changed by the run machine alone."""

    __tablename__ = "terraform_runs"
    __table_args__ = (
        Index("uq_runs_child", "parent_run_id", unique=True, postgresql_where=text("parent_run_id is not null")),
        Index(
            "uq_runs_running",
            "workspace_id",
            unique=True,
            postgresql_where=text("status = 'running' and not is_speculative"),
        ),
        Index("ix_runs_workspace", "workspace_id", "id"),
        Index("ix_runs_organization", "organization_id", "id"),
        Index(
            "ix_runs_lock_files",
            "workspace_id",
            "configuration_digest",
            "id",
            postgresql_where=text("artifacts ? 'lock_file' and artifacts_removed_at is null"),
        ),
        Index("ix_runs_live", "status", postgresql_where=text("finished_at is null")),
        Index(
            "ix_runs_unquiet", "workspace_id", postgresql_where=text("claimed_at is not null and quiesced_at is null")
        ),
        Index(
            "ix_runs_queued",
            "organization_id",
            "workspace_id",
            "is_speculative",
            "id",
            postgresql_where=text("status = 'queued'"),
        ),
        Index(
            "ix_runs_queued_applies",
            "workspace_id",
            "id",
            postgresql_where=text("status = 'queued' and kind = 'apply'"),
        ),
        Index(
            "ix_runs_kept",
            "finished_at",
            postgresql_where=text("finished_at is not null and artifacts_removed_at is null"),
        ),
        Index("ix_runs_configuration", "configuration_id"),
        Index("ix_runs_halt", "halt_id", postgresql_where=text("halt_id is not null")),
        Index("ix_runs_served", "workspace_id", "claimed_at", postgresql_where=text("claimed_at is not null")),
        Index(
            "ix_runs_organization_served",
            "organization_id",
            "claimed_at",
            postgresql_where=text("claimed_at is not null"),
        ),
        CheckConstraint("(kind = 'apply') = (parent_run_id is not null)", name="apply_is_a_child"),
        CheckConstraint("not (is_speculative and kind = 'apply')", name="speculative_never_applies"),
    )

    id: Mapped[Id]
    workspace_id: Mapped[str] = mapped_column(ForeignKey("terraform_workspaces.id", ondelete="CASCADE"))
    parent_run_id: Mapped[str | None] = mapped_column(ForeignKey("terraform_runs.id", ondelete="CASCADE"))
    kind: Mapped[str]
    status: Mapped[str]
    phase: Mapped[str | None]
    is_speculative: Mapped[bool] = mapped_column(default=False)
    follows_head: Mapped[bool] = mapped_column(default=True)
    message: Mapped[str] = mapped_column(default="")
    source: Mapped[str]
    requested_by: Mapped[dict[str, Any]]
    requested_by_id: Mapped[str]
    experiment_id: Mapped[str | None] = mapped_column(ForeignKey("experiments.id"))
    test_id: Mapped[str | None] = mapped_column(ForeignKey("experiment_tests.id"))

    spec_version_id: Mapped[str] = mapped_column(ForeignKey("terraform_stack_spec_versions.id"))
    configuration_id: Mapped[str | None] = mapped_column(ForeignKey("configurations.id"))
    configuration_digest: Mapped[str]
    variable_version_ids: Mapped[list[str]] = mapped_column(default=list)
    upstream_outputs: Mapped[list[Any] | None]
    target: Mapped[dict[str, Any] | None]
    backend_digest: Mapped[str | None]
    engine: Mapped[dict[str, Any] | None]
    working_directory: Mapped[str | None]

    has_changes: Mapped[bool | None]
    verdict: Mapped[str | None]
    counts: Mapped[dict[str, Any] | None]
    changed_tags: Mapped[dict[str, Any] | None]
    output_changes: Mapped[int] = mapped_column(default=0)
    drift_count: Mapped[int] = mapped_column(default=0)
    artifacts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    state_lineage: Mapped[str | None]
    state_serial: Mapped[int | None]
    state_version_id: Mapped[str | None]
    fingerprint: Mapped[str | None]
    fingerprint_parts: Mapped[dict[str, Any] | None]
    timings: Mapped[list[Any]] = mapped_column(default=list)
    failure: Mapped[dict[str, Any] | None]
    status_reason: Mapped[str | None]
    reason_code: Mapped[str | None]
    was_overridden: Mapped[bool] = mapped_column(default=False, server_default=text("false"))

    halted: Mapped[bool] = mapped_column(default=False)
    halt_id: Mapped[str | None]
    cancel_requested_at: Mapped[datetime | None]
    cancel_requested_by: Mapped[dict[str, Any] | None]

    fencing_token: Mapped[int] = mapped_column(default=0)
    lease_expires_at: Mapped[datetime | None]
    claimed_by: Mapped[dict[str, Any] | None]
    claimed_at: Mapped[datetime | None]
    planned_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    quiesced_at: Mapped[datetime | None]
    artifacts_removed_at: Mapped[datetime | None]
    proof_of_death: Mapped[dict[str, Any] | None]

    @property
    def is_at_work(self) -> bool:
        """Claimed, and not proven dead yet; ``AT_WORK`` says the same to the database."""
        return self.claimed_at is not None and self.quiesced_at is None

    @property
    def is_over(self) -> bool:
        """Final, and nothing of it may still come: it was never claimed, or has quiesced."""
        return self.finished_at is not None and not self.is_at_work


AT_WORK = and_(TerraformRun.claimed_at.is_not(None), TerraformRun.quiesced_at.is_(None))
"""Claimed, and not proven dead yet: what holds its workspace, and counts against a limit."""


class RunEvidence(OrganizationOwned, Created, Base):
    """What became known of a run and moved no transition: late reports, how a process ended, work that completed."""

    __tablename__ = "terraform_run_evidence"
    __table_args__ = (Index("ix_terraform_run_evidence_run_id_id", "run_id", "id"),)

    id: Mapped[Id]
    run_id: Mapped[str] = mapped_column(ForeignKey("terraform_runs.id", ondelete="CASCADE"))
    kind: Mapped[str]
    data: Mapped[dict[str, Any]]


class QueueLimit(Base):
    """How many runs an organization executes at once; 0 is no limit, null what the installation says."""

    __tablename__ = "terraform_queue_limits"

    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"), primary_key=True)
    concurrency: Mapped[int | None]


class Worker(Base):
    """A worker that was heard of: how many runs it executes at once, and how many it does."""

    __tablename__ = "terraform_workers"

    name: Mapped[str] = mapped_column(primary_key=True)
    host: Mapped[str]
    pid: Mapped[int]
    permits: Mapped[int]
    busy: Mapped[int]
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]
