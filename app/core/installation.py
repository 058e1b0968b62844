"""Which installation this database is, and whether the artifact store's place is its own.

Two installations at one place would take each other's artifacts for what nothing names, and remove them. So the first
start that finds a place without a marker leaves the installation's id there, and who finds another's does not start.
A database that was restored has its id with it, and so goes on with its place, or with a copy of it.
"""

from datetime import datetime

from sqlalchemy import CheckConstraint, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.core import clock
from app.core.artifacts import artifact_store
from app.core.db import Base, unit_of_work
from app.core.errors import Unavailable
from app.core.ids import new_id


class Installation(Base):
    """The one row that names this installation."""

    __tablename__ = "installation"
    __table_args__ = (CheckConstraint("is_only", name="only"),)

    is_only: Mapped[bool] = mapped_column(primary_key=True)
    installation_id: Mapped[str]
    created_at: Mapped[datetime]


def installation_id(session: Session) -> str:
    """Return this installation's id, made at the first call. Of two first calls at once both get the same."""
    known = select(Installation.installation_id)
    found = session.scalars(known).first()
    if found is None:
        row = {"is_only": True, "installation_id": new_id("inst"), "created_at": clock.now()}
        session.execute(insert(Installation).values(row).on_conflict_do_nothing())
        found = session.scalars(known).one()
    return found


def claim_artifacts() -> None:
    """Make sure that the artifact store's place is this installation's; one without a marker becomes it.

    Raises ``ArtifactStoreOfAnother``, ``ArtifactStoreUnavailable`` or ``ArtifactStoreRefused``, and ``Unavailable``
    when the database can't be reached.
    """
    artifact_store().claim(_own_id())


def owns_artifacts() -> bool:
    """Whether the marker at the artifact store's place is this installation's now. Raises as `claim_artifacts`."""
    return artifact_store().holder() == _own_id()


def _own_id() -> str:
    try:
        with unit_of_work() as session:
            return installation_id(session)
    except OperationalError as error:
        raise Unavailable(f"The database can't be reached: {str(error.orig).strip()}") from error
