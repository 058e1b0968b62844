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
_IS_APPLY = TerraformRun.kind == Kind.APPLY
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


def set_halted(
    session: Session,
    organization_id: str | None,
    workspace_id: str | None,
    *,
    status: str,
    halt_id: str,
    reason: str,
) -> list[LiveRun]:
    """End every run in a halt's scope that is not final; return each as it was, plans before applies, in id order.

    They are locked in that order first, as everybody locks them.
    """
    chosen = select(*_LIVE_COLUMNS).where(TerraformRun.status.in_(LIVE_VALUES))
    if organization_id is not None:
        chosen = chosen.where(TerraformRun.organization_id == organization_id)
    if workspace_id is not None:
        chosen = chosen.where(TerraformRun.workspace_id == workspace_id)
    live = chosen.order_by(_IS_APPLY, TerraformRun.id).with_for_update().cte("live")
    ended = (
        update(TerraformRun)
        .where(TerraformRun.id == live.c.id)
        .values(status=status, phase=None, halted=True, halt_id=halt_id, status_reason=reason, finished_at=clock.now())
        .returning(*live.c)
        .execution_options(synchronize_session=False)
    )
    found = [LiveRun(*row) for row in session.execute(ended)]
    return sorted(found, key=lambda run: (run.kind == Kind.APPLY, run.id))


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
