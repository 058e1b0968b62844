"""Queries of the queue: who is in turn, which run goes next, how many an organization executes.

The queued runs are read by a partial index, and those at work are few, so a pick costs what waits and not the table.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    CTE,
    ColumnElement,
    Integer,
    Select,
    String,
    and_,
    bindparam,
    case,
    exists,
    false,
    func,
    literal,
    or_,
    select,
    true,
    tuple_,
    union_all,
)
from sqlalchemy.orm import Session, aliased

from app.fence import service as fence
from app.fence.schemas import EVERYTHING
from app.runs import repository
from app.runs.machine import Kind, Status
from app.runs.models import AT_WORK, QueueLimit, TerraformRun
from app.state import service as state

_LINE = 0x534C4C4E
"""Class of the advisory locks on an organization's line (the letters SLLN)."""
_PICK = 0x534C504B
"""Class of the advisory locks on runs that are being claimed (the letters SLPK)."""
_TRIED_AT_ONCE = 16
"""So many of the first in line are looked at for one that nobody else is claiming."""


class Candidate(NamedTuple):
    """A run that may be claimed, and what must be locked before it."""

    run_id: str
    organization_id: str
    workspace_id: str
    parent_run_id: str | None


class Locked(NamedTuple):
    """What is locked for a claim, and what decides whether the run may start.

    ``parent`` is None for a run that plans, ``own_limit`` where the organization has none. ``next_id`` is the run that
    is in turn in the workspace.
    """

    run: TerraformRun | None
    parent: TerraformRun | None
    own_limit: int | None
    next_id: str | None


def _is(status: Status, run: type[TerraformRun] = TerraformRun) -> ColumnElement[bool]:
    # Written out, so that the planner sees that a partial index fits, in prepared statements too.
    return run.status == literal(status.value, literal_execute=True)


def next_in_turn(session: Session, workspace_id: str) -> str | None:
    """Return the id of the run that is in turn: the oldest queued apply, else, while none is approved, the oldest plan.

    None while a run of the workspace runs or has not quiesced, and while its state lock keeps runs out.
    """
    return _following(*session.execute(_next_in_turn(), {"workspace": workspace_id}).one())


def _following(is_held_up: bool, apply: str | None, is_approved: bool, plan: str | None) -> str | None:
    if is_held_up:
        return None
    return apply if apply is not None or is_approved else plan


@lru_cache(maxsize=1)
def _next_in_turn() -> Select[bool, str | None, bool, str | None]:
    """Select what ``_following`` takes. Parameter: ``workspace``."""
    # Of a name of its own, so that it can stand within a query of runs.
    run = aliased(TerraformRun)
    own = and_(run.workspace_id == bindparam("workspace"), run.is_speculative.is_(False))
    queued = select(run.id).where(own, _is(Status.QUEUED, run)).order_by(run.id).limit(1)
    approved = exists().where(own, _is(Status.APPROVED, run))
    at_work = exists().where(own, run.claimed_at.is_not(None), run.quiesced_at.is_(None))
    return select(
        or_(at_work, bindparam("workspace", type_=String).in_(state.kept_out())),
        queued.where(run.kind == Kind.APPLY).scalar_subquery(),
        approved,
        queued.scalar_subquery(),
    )


def first_in_line(session: Session, default_limit: int, tried: Collection[str]) -> Candidate | None:
    """Return the run to claim next, those ``tried`` aside, and keep other pickers off it until commit.

    A run that somebody else is claiming is passed over while there are others; else it comes back all the same, since
    the next of its workspace shows only once it is claimed. It may be lost also to a halt or a cancel: the claim
    decides.
    """
    given = {"default_limit": default_limit, "tried": list(tried)}
    found = session.execute(_first_in_line(), given).one_or_none()
    return Candidate(*found) if found is not None else None


def in_line(session: Session, default_limit: int, *, queued_before: datetime, limit: int) -> Sequence[str]:
    """Return runs that may be claimed and were queued before, in the order in which they go."""
    given = {"default_limit": default_limit, "tried": [], "queued_before": queued_before, "most": limit}
    return session.scalars(_old_in_line(), given).all()


@lru_cache(maxsize=1)
def _old_in_line() -> Select[str]:
    return _in_line(is_old=True).limit(bindparam("most", type_=Integer))


@lru_cache(maxsize=1)
def _first_in_line() -> Select[str, str, str, str | None]:
    # Made once: putting it together takes longer than running it.
    line = _in_line().limit(_TRIED_AT_ONCE).cte("line").prefix_with("MATERIALIZED")
    # Rows leave the sorted line one by one, so that the lock is tried on the first, then the next, until one holds.
    unclaimed = (
        select(line.c.id).where(func.pg_try_advisory_xact_lock(_PICK, func.hashtext(line.c.id))).limit(1)
    ).scalar_subquery()
    first = select(line.c.id).limit(1).scalar_subquery()
    picked = select(func.coalesce(unclaimed, first).label("id")).cte("picked").prefix_with("MATERIALIZED")
    run = aliased(TerraformRun)
    return select(run.id, run.organization_id, run.workspace_id, run.parent_run_id).join(picked, picked.c.id == run.id)


def _in_line(*, is_old: bool = False) -> Select[str]:
    """Select the ids of the runs that may start now: of each workspace the one in turn and the oldest speculative one.

    Applies first; then those of the organization that executes least, or was served longest ago; then of the workspace
    likewise; then the oldest. Parameters: ``default_limit``; ``tried``, the ids to leave out; and with ``is_old``
    ``queued_before``.
    """
    queued = _queued()
    spaces = (
        select(
            TerraformRun.workspace_id,
            func.count().label("running"),
            func.bool_or(~TerraformRun.is_speculative).label("is_busy"),
        )
        .where(AT_WORK)
        .group_by(TerraformRun.workspace_id)
        .cte("spaces")
    )
    organizations = _organizations(queued)
    is_apply = queued.c.apply_id.is_not(None)
    is_approved = queued.c.workspace_id.in_(
        select(TerraformRun.workspace_id).where(_is(Status.APPROVED), TerraformRun.finished_at.is_(None))
    )
    common = [queued.c.organization_id, queued.c.workspace_id]
    in_turn = (
        select(
            *common,
            case((is_apply, queued.c.apply_id), else_=queued.c.plan_id).label("id"),
            is_apply.label("is_apply"),
        )
        .outerjoin(spaces, spaces.c.workspace_id == queued.c.workspace_id)
        .where(
            or_(is_apply, and_(queued.c.plan_id.is_not(None), ~is_approved)),
            spaces.c.is_busy.is_not(true()),
            queued.c.workspace_id.not_in(state.kept_out()),
        )
    )
    beside = select(*common, queued.c.speculative_id, false()).where(queued.c.speculative_id.is_not(None))
    lines = union_all(in_turn, beside).subquery("lines")
    run = aliased(TerraformRun)
    served = (
        select(func.max(run.claimed_at))
        .where(run.workspace_id == lines.c.workspace_id)
        .correlate(lines)
        .scalar_subquery()
    )
    query = (
        select(lines.c.id)
        .join(organizations, organizations.c.organization_id == lines.c.organization_id)
        .outerjoin(spaces, spaces.c.workspace_id == lines.c.workspace_id)
        .where(
            or_(organizations.c.most == 0, organizations.c.running < organizations.c.most),
            lines.c.workspace_id.not_in(fence.raised_ids()),
            lines.c.id.not_in(bindparam("tried", expanding=True)),
        )
        .order_by(
            lines.c.is_apply.desc(),
            organizations.c.running,
            organizations.c.served_at.asc().nulls_first(),
            func.coalesce(spaces.c.running, 0),
            served.asc().nulls_first(),
            lines.c.id,
        )
    )
    # The first of a line is its oldest, so a line whose first is young holds nothing older.
    return (
        query.join(run, run.id == lines.c.id).where(run.created_at <= bindparam("queued_before")) if is_old else query
    )


def _queued() -> CTE:
    """Of each workspace with queued runs: the oldest apply, the oldest plan, the oldest speculative run.

    Steps through the index from workspace to workspace, and looks up the oldest there, so that what waits behind them
    costs nothing.
    """
    own = (TerraformRun.organization_id, TerraformRun.workspace_id)
    first = select(*own).where(_is(Status.QUEUED)).order_by(*own).limit(1)
    spaces = first.cte("waiting_spaces", recursive=True)
    step = first.where(tuple_(*own) > tuple_(spaces.c.organization_id, spaces.c.workspace_id)).lateral("step")
    spaces = spaces.union_all(select(step).select_from(spaces.join(step, true())))
    is_apply = TerraformRun.kind == literal(Kind.APPLY.value, literal_execute=True)

    def oldest(*conditions: ColumnElement[bool]) -> ColumnElement[str]:
        return (
            select(TerraformRun.id)
            .where(
                TerraformRun.organization_id == spaces.c.organization_id,
                TerraformRun.workspace_id == spaces.c.workspace_id,
                _is(Status.QUEUED),
                *conditions,
            )
            .order_by(TerraformRun.id)
            .limit(1)
            .correlate(spaces)
            .scalar_subquery()
        )

    return (
        select(
            spaces.c.organization_id,
            spaces.c.workspace_id,
            oldest(is_apply).label("apply_id"),
            oldest(TerraformRun.is_speculative.is_(False), ~is_apply).label("plan_id"),
            oldest(TerraformRun.is_speculative.is_(True)).label("speculative_id"),
        )
        .cte("queued")
        .prefix_with("MATERIALIZED")
    )


def _organizations(queued: CTE) -> CTE:
    """Of each organization with queued runs: what it executes, how much it may, and when it was served last."""
    waiting = select(queued.c.organization_id).distinct().subquery("waiting")
    running = (
        select(TerraformRun.organization_id, func.count().label("running"))
        .where(AT_WORK)
        .group_by(TerraformRun.organization_id)
        .subquery("running")
    )
    run = aliased(TerraformRun)
    raised = fence.raised_ids()
    return (
        select(
            waiting.c.organization_id,
            func.coalesce(running.c.running, 0).label("running"),
            func.coalesce(QueueLimit.concurrency, bindparam("default_limit", type_=Integer)).label("most"),
            select(func.max(run.claimed_at))
            .where(run.organization_id == waiting.c.organization_id)
            .correlate(waiting)
            .scalar_subquery()
            .label("served_at"),
        )
        .outerjoin(running, running.c.organization_id == waiting.c.organization_id)
        .outerjoin(QueueLimit, QueueLimit.organization_id == waiting.c.organization_id)
        .where(waiting.c.organization_id.not_in(raised), literal(EVERYTHING).not_in(raised))
        .cte("organizations")
    )


def lock_for_claim(session: Session, candidate: Candidate) -> Locked:
    """Lock a run, its parent before it, and look who is in turn.

    The caller has locked the workspace for itself: what else would come to be in turn there waits for that.
    """
    parent = None
    if candidate.parent_run_id is not None:
        parent = repository.lock(session, candidate.parent_run_id)
    given = {
        "run": candidate.run_id,
        "workspace": candidate.workspace_id,
        "organization": candidate.organization_id,
    }
    found = session.execute(_lock_for_claim(), given).one_or_none()
    if found is None:
        return Locked(None, parent, None, None)
    run, own_limit, *turn = found
    return Locked(run, parent, own_limit, _following(*turn))


@lru_cache(maxsize=1)
def _lock_for_claim() -> Select[Any]:
    own_limit = (
        select(QueueLimit.concurrency).where(QueueLimit.organization_id == bindparam("organization")).scalar_subquery()
    )
    return (
        select(TerraformRun, own_limit, *_next_in_turn().selected_columns)
        .where(TerraformRun.id == bindparam("run"))
        .with_for_update(of=TerraformRun)
        .execution_options(populate_existing=True)
    )


def hold_line(session: Session, organization_id: str) -> None:
    """Let one claim at a time count the organization's runs, until commit.

    Comes after the run's own lock: nobody who holds the line waits for a row that another claim may hold.
    """
    session.execute(select(func.pg_advisory_xact_lock(_LINE, func.hashtext(organization_id))))


def executing(session: Session, organization_id: str) -> int:
    """Return how many runs of the organization were claimed and have not quiesced, speculative ones too."""
    return session.scalars(
        select(func.count()).select_from(TerraformRun).where(TerraformRun.organization_id == organization_id, AT_WORK)
    ).one()
