"""Rows of notifications: destinations, and what was sent to them."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, Created, Id, OrganizationOwned


class NotificationDestination(OrganizationOwned, Created, Base):
    """An address that is told of events. The address itself is a secret, too: of Slack, whoever has it may post.

    ``failing_since`` is when the first of the deliveries that have failed since the last success did.
    """

    __tablename__ = "notification_destinations"
    __table_args__ = (
        UniqueConstraint("organization_id", "name"),
        CheckConstraint("format in ('sluice','slack')", name="format"),
        CheckConstraint("workspace_ids is null or tag is null", name="one_filter"),
    )

    id: Mapped[Id]
    name: Mapped[str]
    sealed_url: Mapped[bytes]
    shown_url: Mapped[str]
    format: Mapped[str]
    events: Mapped[list[str]]
    workspace_ids: Mapped[list[str] | None]
    tag: Mapped[str | None]
    sealed_secret: Mapped[bytes]
    is_enabled: Mapped[bool]
    disabled_reason: Mapped[str | None]
    failing_since: Mapped[datetime | None]
    succeeded_at: Mapped[datetime | None]
    created_by: Mapped[dict[str, Any]]


class NotificationDelivery(OrganizationOwned, Created, Base):
    """One event for one destination. Its id is the webhook's id, the same at every attempt.

    ``attempts`` counts those that were begun, and stands for the one under way: whoever ends it must have its number.
    ``once`` names what is told once to a destination.
    """

    __tablename__ = "notification_deliveries"
    __table_args__ = (
        UniqueConstraint("destination_id", "once"),
        CheckConstraint("status in ('pending','delivered','failed','dropped')", name="status"),
        Index("ix_notification_deliveries_destination_id_id", "destination_id", "id"),
        Index("ix_notification_deliveries_due", "next_attempt_at", postgresql_where=text("status = 'pending'")),
        Index("ix_notification_deliveries_created_at", "created_at"),
    )

    id: Mapped[Id]
    destination_id: Mapped[str] = mapped_column(ForeignKey("notification_destinations.id", ondelete="CASCADE"))
    event: Mapped[str]
    once: Mapped[str | None]
    payload: Mapped[dict[str, Any]]
    status: Mapped[str]
    attempts: Mapped[int]
    next_attempt_at: Mapped[datetime]
    claimed_until: Mapped[datetime | None]
    attempted_at: Mapped[datetime | None]
    http_status: Mapped[int | None]
    response: Mapped[str | None]
    error: Mapped[str | None]
    duration_ms: Mapped[int | None]
    ended_at: Mapped[datetime | None]
