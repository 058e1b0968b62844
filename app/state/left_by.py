"""What runs left behind, many runs at once: the state that each wrote last."""

from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.state.models import TerraformQuarantinedState, TerraformStateVersion


class StateLeft(BaseModel):
    """The last state that a run wrote: a version, or, where it could not become one, what lies in quarantine."""

    id: str
    serial: int | None
    number: int | None
    kind: str
    resource_count: int | None
    at: datetime
    is_quarantined: bool = False


def left_by_runs(session: Session, run_ids: Sequence[str]) -> dict[str, StateLeft]:
    """Return by run id the newest state that each of the runs wrote; runs that wrote none are left out."""
    version, aside = TerraformStateVersion, TerraformQuarantinedState
    found: dict[str, StateLeft] = {}
    if not run_ids:
        return found
    kept = (
        select(aside.run_id, aside.id, aside.serial, aside.kind, aside.created_at)
        .where(aside.run_id.in_(run_ids))
        .order_by(aside.id)
    )
    for run_id, identity, serial, kind, at in session.execute(kept):
        found[str(run_id)] = StateLeft(
            id=identity, serial=serial, number=None, kind=kind, resource_count=None, at=at, is_quarantined=True
        )
    columns = (version.id, version.serial, version.number, version.kind, version.resource_count, version.created_at)
    query = select(version.run_id, *columns).where(version.run_id.in_(run_ids)).order_by(version.number)
    for run_id, identity, serial, number, kind, count, at in session.execute(query):
        found[str(run_id)] = StateLeft(
            id=identity, serial=serial, number=number, kind=kind, resource_count=count, at=at
        )
    return found
