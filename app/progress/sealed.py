"""Where progress keeps envelopes."""

from sqlalchemy.orm import Session

from app.core.crypto import Binding
from app.core.errors import IntegrityError
from app.core.resealing import SealedColumn
from app.progress import repository, service
from app.progress.models import ProgressChunk


def _chunk(session: Session, row: ProgressChunk) -> Binding:
    stream = repository.stream(session, row.run_id)
    if stream is None:
        raise IntegrityError(f"The stream of {row.run_id} is gone.")
    return service.binding(stream.organization_id, stream.run_id, row.first_offset)


SEALED = (SealedColumn(ProgressChunk, ProgressChunk.sealed, _chunk),)
