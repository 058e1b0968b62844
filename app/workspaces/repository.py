"""Queries of workspaces and variables."""

from collections.abc import Sequence

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from app.core.pages import PageParams, fetch_page
from app.specs.models import TerraformStack
from app.workspaces.models import TerraformVariable, TerraformVariableVersion, TerraformWorkspace
from app.workspaces.schemas import WorkspaceFilter


def find(session: Session, organization_id: str, id_or_name: str) -> TerraformWorkspace | None:
    """Return the organization's workspace of that id, else of that name."""
    own = select(TerraformWorkspace).filter_by(organization_id=organization_id)
    by_id = session.scalars(own.where(TerraformWorkspace.id == id_or_name)).one_or_none()
    return by_id or session.scalars(own.where(TerraformWorkspace.name == id_or_name)).one_or_none()
