"""Rows of the fence: one for everything, one an organization, one a workspace, born with what they fence."""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Mapped

from app.core.db import Base, Id


class Fence(Base):
    """A fence. ``id`` is ``everything``, an organization's id or a workspace's id; raised while ``halt_id`` is set."""

    __tablename__ = "fences"

    id: Mapped[Id]
    scope: Mapped[str]
    organization_id: Mapped[str | None]
    halt_id: Mapped[str | None]
    raised_at: Mapped[datetime | None]
    raised_by: Mapped[dict[str, Any] | None]
    reason: Mapped[str | None]
