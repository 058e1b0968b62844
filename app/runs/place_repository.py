"""Queries of the place in the queue: what goes before a run, what keeps it, how many workers there are."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from sqlalchemy import (
    ARRAY,
    BigInteger,
    BindParameter,
    Boolean,
    ColumnElement,
    Select,
    String,
    and_,
    bindparam,
    case,
    collate,
    delete,
    func,
    literal,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import QueryableAttribute, Session

from app.runs.machine import Kind, Status
from app.runs.models import AT_WORK, QueueLimit, TerraformRun, Worker
from app.state import service as state

_IS_QUEUED = TerraformRun.status == literal(Status.QUEUED.value, literal_execute=True)


def _plain(column: ColumnElement[str] | QueryableAttribute[str]) -> ColumnElement[str]:
    # Ids are plain letters and digits: comparing them by a language's rules would take most of the time.
    return collate(column, "C")


class Rank(NamedTuple):
    """A queued run's place among those of its workspace, and the run that goes first there."""

    run_id: str
    ahead: int
    first_id: str


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


def ranks(session: Session, workspace_ids: Sequence[str], run_ids: Sequence[str]) -> dict[str, Rank]:
    """Return the places of those of the runs that are queued, speculative ones and others apart."""
    found = session.execute(_ranks(), {"spaces": list(workspace_ids), "wanted": list(run_ids)})
    return {row[0]: Rank(*row) for row in found}


@lru_cache(maxsize=1)
def _ranks() -> Select[str, int, str]:
    sides = (TerraformRun.workspace_id, TerraformRun.is_speculative)
    turn = ((TerraformRun.kind == Kind.APPLY).desc(), _plain(TerraformRun.id))
    line = (
        select(
            TerraformRun.id,
            (func.row_number().over(partition_by=sides, order_by=turn) - 1).label("ahead"),
            func.first_value(TerraformRun.id).over(partition_by=sides, order_by=turn).label("first_id"),
        )
        .where(TerraformRun.workspace_id.in_(bindparam("spaces", expanding=True)), _IS_QUEUED)
        .subquery("line")
    )
    return select(line.c.id, line.c.ahead, line.c.first_id).where(line.c.id.in_(bindparam("wanted", expanding=True)))


def ahead_in_organization(
    session: Session, organization_id: str, startable: Sequence[tuple[TerraformRun, int]]
) -> dict[str, int]:
    """Return how many of the organization's runs go before each of these, which may start.

    Each comes with how many of its kind are ahead of it in its workspace. Told from how many wait in each workspace,
    not from every run: applies first, then the workspaces in turns, those that execute least before the others.
    """
    given = {
        "organization": organization_id,
        "runs": [run.id for run, _ in startable],
        "spaces": [run.workspace_id for run, _ in startable],
        "aheads": [ahead for _, ahead in startable],
        "beside": [run.is_speculative for run, _ in startable],
        "applies": [run.kind == Kind.APPLY for run, _ in startable],
    }
    return {run_id: int(ahead) for run_id, ahead in session.execute(_ahead(), given)}


@lru_cache(maxsize=1)
def _ahead() -> Select[str, int]:
    own: BindParameter[str] = bindparam("organization")
    at_work = (
        select(
            TerraformRun.workspace_id,
            func.count().label("running"),
            func.bool_or(~TerraformRun.is_speculative).label("is_busy"),
        )
        .where(TerraformRun.organization_id == own, AT_WORK)
        .group_by(TerraformRun.workspace_id)
        .subquery("at_work")
    )
    counts = (
        select(
            TerraformRun.workspace_id,
            func.count().filter(TerraformRun.is_speculative).label("beside"),
            func.count().filter(~TerraformRun.is_speculative).label("in_line"),
            func.min(_plain(TerraformRun.id)).label("first_id"),
        )
        .where(TerraformRun.organization_id == own, _IS_QUEUED)
        .group_by(TerraformRun.workspace_id)
        .subquery("counts")
    )
    applies = (
        select(TerraformRun.workspace_id, func.min(_plain(TerraformRun.id)).label("apply_id"))
        .where(
            TerraformRun.organization_id == own,
            _IS_QUEUED,
            TerraformRun.kind == literal(Kind.APPLY.value, literal_execute=True),
        )
        .group_by(TerraformRun.workspace_id)
        .subquery("applies")
    )
    is_free = and_(at_work.c.is_busy.is_not(true()), counts.c.workspace_id.not_in(state.kept_out()))
    has_plan = and_(counts.c.in_line > 0, applies.c.apply_id.is_(None), is_free)
    spaces = (
        select(
            counts.c.workspace_id,
            counts.c.first_id,
            func.coalesce(at_work.c.running, 0).label("running"),
            case((has_plan, 1), else_=0).label("has_plan"),
            (counts.c.beside + case((has_plan, 1), else_=0)).label("plans"),
            case((is_free, applies.c.apply_id)).label("apply_id"),
        )
        .outerjoin(at_work, at_work.c.workspace_id == counts.c.workspace_id)
        .outerjoin(applies, applies.c.workspace_id == counts.c.workspace_id)
        .cte("spaces")
        .prefix_with("MATERIALIZED")
    )
    wanted = (
        func.unnest(
            bindparam("runs", type_=ARRAY(String)),
            bindparam("spaces", type_=ARRAY(String)),
            bindparam("aheads", type_=ARRAY(BigInteger)),
            bindparam("beside", type_=ARRAY(Boolean)),
            bindparam("applies", type_=ARRAY(Boolean)),
        )
        .table_valued("run_id", "workspace_id", "ahead", "is_beside", "is_apply")
        .render_derived("wanted")
    )
    mine, other = spaces.alias("mine"), spaces.alias("other")
    # The run's turn: those of its workspace that execute or go before it have had theirs.
    turn = mine.c.running + wanted.c.ahead + case((wanted.c.is_beside, mine.c.has_plan), else_=0)
    earlier = turn - other.c.running
    has_same_turn = and_(earlier >= 0, other.c.plans > earlier, other.c.first_id < mine.c.first_id)
    of_plans = func.sum(
        func.least(other.c.plans, func.greatest(earlier, 0))
        + case((has_same_turn, 1), else_=0)
        + case((other.c.apply_id.is_not(None), 1), else_=0)
    )
    of_applies = func.count().filter(other.c.apply_id < _plain(wanted.c.run_id))
    return (
        select(wanted.c.run_id, case((func.bool_or(wanted.c.is_apply), of_applies), else_=of_plans))
        .select_from(wanted)
        .join(mine, mine.c.workspace_id == wanted.c.workspace_id)
        .join(other, true())
        .group_by(wanted.c.run_id)
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
