"""Rows of halts."""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, Created, Id


class Halt(Created, Base):
    """One halt: who stopped what, why, and when it was resumed. ``scope_id`` is the fence that it raised."""

    __tablename__ = "terraform_halts"

    id: Mapped[Id]
    organization_id: Mapped[str | None] = mapped_column(index=True)
    scope: Mapped[str]
    scope_id: Mapped[str]
    reason: Mapped[str]
    latch: Mapped[bool]
    actor: Mapped[dict[str, Any]]
    runs_marked: Mapped[dict[str, Any]]
    resumed_at: Mapped[datetime | None]
    resumed_by: Mapped[dict[str, Any] | None]
    resume_reason: Mapped[str | None]
