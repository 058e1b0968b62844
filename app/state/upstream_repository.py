"""Queries of output sharing."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.state.models import TerraformOutputSharing


def sharing(session: Session, workspace_id: str) -> TerraformOutputSharing | None:
    """Return with whom the workspace shares its outputs; None where that was never set."""
    return session.scalars(
        select(TerraformOutputSharing).filter_by(workspace_id=workspace_id).execution_options(populate_existing=True)
    ).one_or_none()
