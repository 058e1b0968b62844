"""Queries of the place in the queue: what goes before a run, what keeps it, how many workers there are."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from sqlalchemy import BindParameter, Select, and_, bindparam, delete, func, literal, or_, select, true
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.runs.machine import Kind, Status
from app.runs.models import QueueLimit, TerraformRun, Worker
from app.runs.queue_repository import AT_WORK
from app.state import service as state


class Rank(NamedTuple):
    """A queued run's place: among its workspace's, and, of one that may start, among its organization's."""

    run_id: str
    workspace_ahead: int
    first_id: str
    organization_ahead: int | None


class Shown(NamedTuple):
    """A run that another waits for."""

    id: str
    kind: str
    status: str
    workspace_id: str


class Capacity(NamedTuple):
    """The workers that were heard of: how many, and how many runs they execute and may."""

    workers: int
    permits: int
    busy: int


def ranks(session: Session, organization_id: str, run_ids: Sequence[str]) -> dict[str, Rank]:
    """Return the places of those of the runs that are queued, as the queue stands now."""
    found = session.execute(_ranks(), {"organization": organization_id, "wanted": list(run_ids)})
    return {row[0]: Rank(*row) for row in found}


@lru_cache(maxsize=1)
def _ranks() -> Select[str, int, str, int | None]:
    is_apply = TerraformRun.kind == Kind.APPLY
    own: BindParameter[str] = bindparam("organization")
    sides = (TerraformRun.workspace_id, TerraformRun.is_speculative)
    turn = (is_apply.desc(), TerraformRun.id)
    line = (
        select(
            TerraformRun.id,
            TerraformRun.workspace_id,
            TerraformRun.is_speculative,
            is_apply.label("is_apply"),
            (func.row_number().over(partition_by=sides, order_by=turn) - 1).label("ahead"),
            func.first_value(TerraformRun.id).over(partition_by=sides, order_by=turn).label("first_id"),
        )
        .where(
            TerraformRun.organization_id == own,
            TerraformRun.status == literal(Status.QUEUED.value, literal_execute=True),
        )
        .cte("line")
    )
    spaces = (
        select(
            TerraformRun.workspace_id,
            func.count().label("running"),
            func.bool_or(~TerraformRun.is_speculative).label("is_busy"),
        )
        .where(TerraformRun.organization_id == own, AT_WORK)
        .group_by(TerraformRun.workspace_id)
        .subquery("spaces")
    )
    # In turns: a workspace's second goes after every other's first.
    share = func.coalesce(spaces.c.running, 0) + func.row_number().over(
        partition_by=line.c.workspace_id, order_by=(line.c.is_apply.desc(), line.c.id)
    )
    startable = (
        select(line.c.id, line.c.is_apply, share.label("share"))
        .outerjoin(spaces, spaces.c.workspace_id == line.c.workspace_id)
        .where(
            or_(
                line.c.is_speculative,
                and_(
                    line.c.ahead == 0,
                    spaces.c.is_busy.is_not(true()),
                    line.c.workspace_id.not_in(state.kept_out()),
                ),
            )
        )
        .subquery("startable")
    )
    ordered = select(
        startable.c.id,
        (func.row_number().over(order_by=(startable.c.is_apply.desc(), startable.c.share, startable.c.id)) - 1).label(
            "ahead"
        ),
    ).subquery("ordered")
    return (
        select(line.c.id, line.c.ahead, line.c.first_id, ordered.c.ahead)
        .outerjoin(ordered, ordered.c.id == line.c.id)
        .where(line.c.id.in_(bindparam("wanted", expanding=True)))
    )


def holders(session: Session, workspace_ids: Sequence[str], run_ids: Sequence[str]) -> Sequence[Shown]:
    """Return these runs, and those at work in the workspaces, speculative ones aside."""
    at_work = and_(TerraformRun.workspace_id.in_(workspace_ids), TerraformRun.is_speculative.is_(False), AT_WORK)
    columns = (TerraformRun.id, TerraformRun.kind, TerraformRun.status, TerraformRun.workspace_id)
    found = session.execute(select(*columns).where(or_(TerraformRun.id.in_(run_ids), at_work)))
    return [Shown(*row) for row in found]


def limit_of(session: Session, organization_id: str) -> int | None:
    """Return the organization's own limit; None where it has said none."""
    query = select(QueueLimit.concurrency).where(QueueLimit.organization_id == organization_id)
    return session.scalars(query).one_or_none()


def set_limit(session: Session, organization_id: str, most: int | None) -> None:
    """Keep the organization's own limit."""
    row = insert(QueueLimit).values(organization_id=organization_id, concurrency=most)
    session.execute(row.on_conflict_do_update(index_elements=["organization_id"], set_={"concurrency": most}))


def queued(session: Session, organization_id: str) -> int:
    """Return how many runs of the organization wait."""
    return session.scalars(
        select(func.count())
        .select_from(TerraformRun)
        .where(TerraformRun.organization_id == organization_id, TerraformRun.status == Status.QUEUED)
    ).one()


def capacity(session: Session, seen_after: datetime) -> Capacity:
    """Return what the workers that were heard of since can do."""
    found = session.execute(
        select(
            func.count(),
            func.coalesce(func.sum(Worker.permits), 0),
            func.coalesce(func.sum(Worker.busy), 0),
        ).where(Worker.seen_at > seen_after, Worker.permits > 0)
    ).one()
    return Capacity(*map(int, found))


def workers(session: Session) -> Sequence[Worker]:
    """Return every worker that was heard of and has not said good-bye, by name."""
    return session.scalars(select(Worker).order_by(Worker.name).execution_options(populate_existing=True)).all()


def beat(session: Session, worker: Worker) -> None:
    """Note that the worker lives, and what it does."""
    row = insert(Worker).values({column.name: getattr(worker, column.name) for column in Worker.__table__.columns})
    given = {"permits": worker.permits, "busy": worker.busy, "seen_at": worker.seen_at, "started_at": worker.started_at}
    session.execute(row.on_conflict_do_update(index_elements=["name"], set_=given))


def forget(session: Session, name: str) -> None:
    """Strike off a worker that ends."""
    session.execute(delete(Worker).where(Worker.name == name))


def forget_silent(session: Session, since: datetime) -> None:
    """Strike off the workers that have been silent since."""
    session.execute(delete(Worker).where(Worker.seen_at < since))
