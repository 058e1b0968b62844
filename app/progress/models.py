"""Rows of progress: one stream a run, its records in sealed chunks, a chunk a batch."""

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, Created, OrganizationOwned


class ProgressStream(OrganizationOwned, Created, Base):
    """The stream of one run. Its row lock gives offsets, so that commit order is offset order."""

    __tablename__ = "progress_streams"

    run_id: Mapped[str] = mapped_column(primary_key=True)
    workspace_id: Mapped[str]
    next_offset: Mapped[int] = mapped_column(default=0)
    closed_at: Mapped[datetime | None]
    removed_at: Mapped[datetime | None]


class ProgressChunk(Created, Base):
    """Records ``first_offset`` to ``last_offset`` of a stream, compressed and sealed."""

    __tablename__ = "progress_chunks"

    run_id: Mapped[str] = mapped_column(ForeignKey("progress_streams.run_id", ondelete="CASCADE"), primary_key=True)
    first_offset: Mapped[int] = mapped_column(primary_key=True)
    last_offset: Mapped[int]
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
