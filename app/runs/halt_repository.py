"""Queries of halts over runs: a handful of statements, however many runs a halt stops."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import RowMapping, func, or_, select, update
from sqlalchemy.orm import Session

from app.core import clock
from app.runs.machine import Kind
from app.runs.models import AT_WORK, TerraformRun
from app.runs.repository import LIVE_VALUES


class LiveRun(NamedTuple):
    """What a halt needs to know of a run that it stops."""

    id: str
    organization_id: str
    kind: str
    status: str
    verdict: str | None
    claimed_at: datetime | None
    quiesced_at: datetime | None

    @property
    def is_at_work(self) -> bool:
        """Claimed, and not proven dead yet."""
        return self.claimed_at is not None and self.quiesced_at is None


_LIVE_COLUMNS = tuple(getattr(TerraformRun, name) for name in LiveRun._fields)
_MARK_COLUMNS = (
    TerraformRun.id,
    TerraformRun.organization_id,
    TerraformRun.workspace_id,
    TerraformRun.kind,
    TerraformRun.halt_id,
    TerraformRun.claimed_at,
    TerraformRun.quiesced_at,
    TerraformRun.proof_of_death,
    TerraformRun.state_version_id,
)


def lock_live_in_scope(session: Session, organization_id: str | None, workspace_id: str | None) -> list[LiveRun]:
    """Return every run in a halt's scope that is not final, locked: plans before applies, each in id order."""
    query = select(*_LIVE_COLUMNS).where(TerraformRun.status.in_(LIVE_VALUES))
    if organization_id is not None:
        query = query.where(TerraformRun.organization_id == organization_id)
    if workspace_id is not None:
        query = query.where(TerraformRun.workspace_id == workspace_id)
    in_order = query.order_by(TerraformRun.kind == Kind.APPLY, TerraformRun.id)
    return [LiveRun(*row) for row in session.execute(in_order.with_for_update())]


def set_halted(session: Session, run_ids: Sequence[str], *, status: str, halt_id: str, reason: str) -> None:
    """End runs, which the caller has locked, by a halt."""
    session.execute(
        update(TerraformRun)
        .where(TerraformRun.id.in_(run_ids))
        .values(status=status, phase=None, halted=True, halt_id=halt_id, status_reason=reason, finished_at=clock.now())
        .execution_options(synchronize_session=False)
    )


def count_live(session: Session, organization_id: str, workspace_id: str) -> int:
    """Return how many runs of the workspace are not over."""
    query = select(func.count()).where(
        TerraformRun.organization_id == organization_id,
        TerraformRun.workspace_id == workspace_id,
        or_(TerraformRun.status.in_(LIVE_VALUES), AT_WORK),
    )
    return session.scalar(query) or 0


def marked_by(session: Session, halt_ids: Sequence[str]) -> Sequence[RowMapping]:
    """Return what halts marked, in id order: the columns of a ``RunMark``."""
    query = select(*_MARK_COLUMNS).where(TerraformRun.halt_id.in_(halt_ids)).order_by(TerraformRun.id)
    return session.execute(query).mappings().all()
