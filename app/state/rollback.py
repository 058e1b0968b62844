"""What a workspace's state can be rolled back to."""

from sqlalchemy.orm import Session

from app.core.errors import IntegrityError
from app.state import parsing, repository, versions
from app.state.errors import StateLineageDiffers, StateVersionCurrent, StateVersionDamaged, StateVersionNotFound
from app.state.schemas import StateVersionOut


def rollback_target(session: Session, organization_id: str, workspace_id: str, version_id: str) -> StateVersionOut:
    """Return the workspace's state version of this id, once its content is known to be whole.

    Raises ``StateVersionNotFound`` (of another workspace, too), ``StateVersionCurrent``, ``StateLineageDiffers``,
    ``StateVersionPruned`` and ``StateVersionDamaged``.
    """
    row = versions.get_row(session, organization_id, version_id)
    newest = repository.current(session, workspace_id)
    if row.workspace_id != workspace_id or newest is None:
        raise StateVersionNotFound(f"There is no state version {version_id} of this workspace.")
    if newest.id == row.id:
        raise StateVersionCurrent(
            f"State version {row.number} is the workspace's current one. Choose an earlier one: `sluice state list`."
        )
    if newest.lineage != row.lineage:
        raise StateLineageDiffers(
            f"State version {row.number} has the lineage {row.lineage}, the current one {newest.lineage}: the "
            "workspace's state was replaced by another in between, and a rollback never goes behind that. Download "
            "the version to look at it.",
            current=newest.lineage,
            found=row.lineage,
        )
    try:
        versions.content_of(session, row)
    except IntegrityError as error:
        raise StateVersionDamaged(
            f"The content of state version {row.number} can't be read: {error.detail} Choose another version, and "
            "look at the database's backups."
        ) from error
    return StateVersionOut.model_validate(row)


def rolled_back(session: Session, organization_id: str, version_id: str, serial: int) -> bytes:
    """Return the content of a state version as the state that follows ``serial``: the same, one serial higher.

    Raises ``StateVersionNotFound`` and ``StateVersionPruned``.
    """
    return parsing.with_serial(versions.content(session, organization_id, version_id), serial + 1)
