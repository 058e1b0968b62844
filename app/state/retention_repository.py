"""Queries of retention."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.state.models import TerraformStateRetention, TerraformStateVersion


def get(session: Session, workspace_id: str) -> TerraformStateRetention | None:
    """Return the workspace's limits, if it has any."""
    return session.scalars(
        select(TerraformStateRetention).filter_by(workspace_id=workspace_id).execution_options(populate_existing=True)
    ).one_or_none()


def limited(session: Session) -> Sequence[str]:
    """Return the workspaces with a limit."""
    return session.scalars(
        select(TerraformStateRetention.workspace_id)
        .where(or_(TerraformStateRetention.keep_versions.is_not(None), TerraformStateRetention.keep_days.is_not(None)))
        .order_by(TerraformStateRetention.workspace_id)
    ).all()


def beyond(
    session: Session, workspace_id: str, kept: int, oldest_kept: datetime | None
) -> Sequence[TerraformStateVersion]:
    """Return the versions with content that are not among the newest ``kept``, and are older than ``oldest_kept``."""
    query = (
        select(TerraformStateVersion)
        .where(
            TerraformStateVersion.workspace_id == workspace_id,
            TerraformStateVersion.pruned_at.is_(None),
            TerraformStateVersion.number.not_in(
                select(TerraformStateVersion.number)
                .where(TerraformStateVersion.workspace_id == workspace_id)
                .order_by(TerraformStateVersion.number.desc())
                .limit(kept)
            ),
        )
        .order_by(TerraformStateVersion.number)
    )
    if oldest_kept is not None:
        query = query.where(TerraformStateVersion.created_at < oldest_kept)
    return session.scalars(query).all()
