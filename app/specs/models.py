"""Rows of stacks and their spec versions."""

from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, Created, Id, OrganizationOwned


class TerraformStack(OrganizationOwned, Created, Base):
    """A stack: a name with versions of its spec. The row's lock serializes pushes."""

    __tablename__ = "terraform_stack_specs"
    __table_args__ = (UniqueConstraint("organization_id", "name"),)

    id: Mapped[Id]
    name: Mapped[str]
    description: Mapped[str] = mapped_column(default="")
    latest_version_id: Mapped[str | None]


class TerraformStackSpecVersion(OrganizationOwned, Created, Base):
    """One spec, immutable. ``number`` is null when it was never pushed (an upload's, a speculative run's)."""

    __tablename__ = "terraform_stack_spec_versions"
    __table_args__ = (
        Index(
            "uq_spec_versions_number", "stack_id", "number", unique=True, postgresql_where=text("number is not null")
        ),
        Index("uq_spec_versions_detached", "stack_id", "hash", unique=True, postgresql_where=text("number is null")),
    )

    id: Mapped[Id]
    stack_id: Mapped[str] = mapped_column(ForeignKey("terraform_stack_specs.id", ondelete="CASCADE"), index=True)
    number: Mapped[int | None]
    schema_version: Mapped[int]
    hash: Mapped[str]
    document: Mapped[dict[str, Any]]
    message: Mapped[str] = mapped_column(default="")
    created_by: Mapped[dict[str, Any]]
