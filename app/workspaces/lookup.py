"""Finding and locking a workspace's row, for this slice."""

from sqlalchemy.orm import Session

from app.specs.schemas import StackRef
from app.workspaces import repository
from app.workspaces.errors import WorkspaceNotFound
from app.workspaces.models import TerraformWorkspace


def find(session: Session, organization_id: str, id_or_name: str) -> TerraformWorkspace:
    """Return the organization's workspace of that id or name. Raises ``WorkspaceNotFound``."""
    return find_with_stack(session, organization_id, id_or_name)[0]


def find_with_stack(session: Session, organization_id: str, id_or_name: str) -> tuple[TerraformWorkspace, StackRef]:
    """Return the organization's workspace of that id or name, and its stack. Raises ``WorkspaceNotFound``."""
    found = repository.find(session, organization_id, id_or_name)
    if found is None:
        raise WorkspaceNotFound(
            f"There is no workspace {id_or_name!r}. `sluice workspace list` shows what there is; `sluice workspace "
            "create NAME --stack STACK`, or `sluice plan --create`, makes one.",
            errors=[{"field": "workspace", "message": f"{id_or_name!r} does not exist in this organization"}],
        )
    return found


def lock(session: Session, workspace_id: str, *, exclusive: bool) -> TerraformWorkspace:
    """Return the workspace, its row locked until commit. Raises ``WorkspaceNotFound`` when it was deleted."""
    row = repository.lock(session, workspace_id, exclusive=exclusive)
    if row is None:
        raise WorkspaceNotFound("The workspace was deleted meanwhile.")
    return row
