"""Rows of progress: one stream a run; its records in sealed chunks, a chunk a batch, later in artifacts."""

from datetime import datetime
from typing import Any

from sqlalchemy import Float, ForeignKey, Index, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, Created, OrganizationOwned


class ProgressStream(OrganizationOwned, Created, Base):
    """The stream of one run. Its row lock gives offsets, so that commit order is offset order."""

    __tablename__ = "progress_streams"
    __table_args__ = (
        Index(
            "ix_progress_streams_to_compact",
            "closed_at",
            postgresql_where=text("closed_at IS NOT NULL AND compacted_at IS NULL AND removed_at IS NULL"),
        ),
    )

    run_id: Mapped[str] = mapped_column(primary_key=True)
    workspace_id: Mapped[str]
    next_offset: Mapped[int] = mapped_column(default=0)
    closed_at: Mapped[datetime | None]
    compacted_at: Mapped[datetime | None]
    removed_at: Mapped[datetime | None]


class ProgressChunk(Created, Base):
    """Records ``first_offset`` to ``last_offset`` of a stream, compressed and sealed."""

    __tablename__ = "progress_chunks"

    run_id: Mapped[str] = mapped_column(ForeignKey("progress_streams.run_id", ondelete="CASCADE"), primary_key=True)
    first_offset: Mapped[int] = mapped_column(primary_key=True)
    last_offset: Mapped[int]
    sealed: Mapped[bytes] = mapped_column(LargeBinary)


class ProgressSegment(Created, Base):
    """The same of a stream that is complete, as an artifact.

    ``blocks`` lists the first offset of each compressed block and where in the artifact it begins.
    """

    __tablename__ = "progress_segments"

    run_id: Mapped[str] = mapped_column(ForeignKey("progress_streams.run_id", ondelete="CASCADE"), primary_key=True)
    first_offset: Mapped[int] = mapped_column(primary_key=True)
    last_offset: Mapped[int]
    artifact: Mapped[dict[str, Any]]
    blocks: Mapped[list[Any]]


class ProgressTiming(Base):
    """How long one resource took in one apply: what estimates are made from."""

    __tablename__ = "progress_timings"
    __table_args__ = (Index("ix_progress_timings_workspace_id_run_id", "workspace_id", "run_id"),)

    run_id: Mapped[str] = mapped_column(ForeignKey("progress_streams.run_id", ondelete="CASCADE"), primary_key=True)
    address: Mapped[str] = mapped_column(primary_key=True)
    action: Mapped[str] = mapped_column(primary_key=True)
    workspace_id: Mapped[str]
    resource_type: Mapped[str]
    seconds: Mapped[float] = mapped_column(Float)
