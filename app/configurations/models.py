"""Rows of configurations."""

from datetime import datetime
from typing import Any

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped

from app.core.db import Base, Created, Id, OrganizationOwned


class Configuration(OrganizationOwned, Created, Base):
    """A directory of .tf files as one archive, named by the digest of its content.

    ``removed_at``: retention let go of the archive; its digest stays, and the same upload brings it back.
    """

    __tablename__ = "configurations"
    __table_args__ = (UniqueConstraint("organization_id", "digest"),)

    id: Mapped[Id]
    digest: Mapped[str]
    source: Mapped[str]
    archive: Mapped[dict[str, Any]]
    size_bytes: Mapped[int]
    file_count: Mapped[int]
    created_by: Mapped[dict[str, Any]]
    removed_at: Mapped[datetime | None]
