"""Queries of runs. Lock order: fence, workspace, parent run, child run, state lock."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple, cast

from sqlalchemy import Select, Table, and_, bindparam, case, func, or_, select, update
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from app.core.pages import PageParams, fetch_page
from app.runs.machine import FINAL, Kind, Status
from app.runs.models import AT_WORK, RunEvidence, TerraformRun

GATE_VALUES = [Status.AWAITING_APPROVAL.value, Status.POLICY_BLOCKED.value, Status.APPROVED.value]
LIVE_VALUES = [status.value for status in Status if status not in FINAL]

# Made once: every run asks these, and putting a statement together takes longer than running it.
_RUNS = cast(Table, TerraformRun.__table__)
_BY_ID = select(TerraformRun).where(TerraformRun.id == bindparam("run")).execution_options(populate_existing=True)
_LOCKED = _BY_ID.with_for_update()
_PLACE = select(TerraformRun.organization_id, TerraformRun.workspace_id, TerraformRun.status).where(
    TerraformRun.id == bindparam("run")
)
_HELD = _PLACE.where(TerraformRun.fencing_token == bindparam("token"), TerraformRun.quiesced_at.is_(None))
_ENTER_PHASE = (
    update(_RUNS)
    .where(
        _RUNS.c.id == bindparam("run"),
        _RUNS.c.fencing_token == bindparam("token"),
        _RUNS.c.quiesced_at.is_(None),
    )
    .values(phase=case((_RUNS.c.status == Status.RUNNING.value, bindparam("entered")), else_=_RUNS.c.phase))
    .returning(_RUNS.c.organization_id, _RUNS.c.workspace_id, _RUNS.c.status)
)
_LATEST_LOCK_FILE = (
    select(TerraformRun.artifacts["lock_file"])
    .where(
        TerraformRun.workspace_id == bindparam("workspace"),
        TerraformRun.configuration_digest == bindparam("configuration"),
        TerraformRun.artifacts.has_key("lock_file"),
        TerraformRun.artifacts_removed_at.is_(None),
    )
    .order_by(TerraformRun.id.desc())
    .limit(1)
)
_EVIDENCE = select(RunEvidence).where(RunEvidence.run_id == bindparam("run")).order_by(RunEvidence.id)


def get(session: Session, organization_id: str, run_id: str) -> TerraformRun | None:
    """Return one run of the organization, unlocked."""
    return session.scalars(select(TerraformRun).filter_by(organization_id=organization_id, id=run_id)).one_or_none()


def by_id(session: Session, run_id: str) -> TerraformRun | None:
    """Return one run, unlocked, as the database has it now."""
    return session.scalars(_BY_ID, {"run": run_id}).one_or_none()


class RunScope(NamedTuple):
    """What of a run never moves, to take the locks above it by, and its status when it was looked at."""

    organization_id: str
    workspace_id: str
    status: str


def place_of(session: Session, run_id: str) -> RunScope | None:
    """Return where a run belongs, unlocked; None when it is gone."""
    found = session.execute(_PLACE, {"run": run_id}).one_or_none()
    return RunScope(*found) if found is not None else None


def lock(session: Session, run_id: str) -> TerraformRun | None:
    """Return one run, its row locked until commit. A child's parent must be locked before."""
    return session.scalars(_LOCKED, {"run": run_id}).one_or_none()


def lock_with_parent(session: Session, run_id: str) -> tuple[TerraformRun | None, TerraformRun | None]:
    """Return (run, parent), parent locked first; parent is None for a run that plans."""
    # One statement: PostgreSQL locks the rows in the order in which they leave the sort, and a parent never changes.
    parent_id = select(TerraformRun.parent_run_id).where(TerraformRun.id == run_id).scalar_subquery()
    rows = session.scalars(
        select(TerraformRun)
        .where(or_(TerraformRun.id == run_id, TerraformRun.id == parent_id))
        .order_by(TerraformRun.id == run_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    found = {row.id: row for row in rows}
    run = found.pop(run_id, None)
    return run, next(iter(found.values()), None)


def child_of(session: Session, run_id: str) -> TerraformRun | None:
    """Return the run's apply, unlocked."""
    return session.scalars(
        select(TerraformRun).filter_by(parent_run_id=run_id).execution_options(populate_existing=True)
    ).one_or_none()


def lock_child_of(session: Session, run_id: str) -> TerraformRun | None:
    """Return the run's apply, locked; the run itself must be locked before."""
    return session.scalars(
        select(TerraformRun).filter_by(parent_run_id=run_id).with_for_update().execution_options(populate_existing=True)
    ).one_or_none()


def children_of(session: Session, run_ids: Sequence[str]) -> dict[str, TerraformRun]:
    """Return the applies of the runs, by parent id."""
    rows = session.scalars(select(TerraformRun).where(TerraformRun.parent_run_id.in_(run_ids))).all()
    return {row.parent_run_id: row for row in rows if row.parent_run_id is not None}


def page(
    session: Session,
    organization_id: str,
    params: PageParams,
    *,
    workspace_id: str | None,
    statuses: Sequence[str],
    kinds: Sequence[str],
) -> tuple[Sequence[TerraformRun], str | None]:
    """Return one page of the organization's runs, newest first."""
    query = select(TerraformRun).filter_by(organization_id=organization_id)
    if workspace_id is not None:
        query = query.filter_by(workspace_id=workspace_id)
    if statuses:
        query = query.where(TerraformRun.status.in_(statuses))
    if kinds:
        query = query.where(TerraformRun.kind.in_(kinds))
    return fetch_page(session, query, TerraformRun.id, params)


def newest_planned(
    session: Session, organization_id: str, workspace_ids: Sequence[str] | None, limit: int
) -> Sequence[TerraformRun]:
    """Return the organization's runs that made a plan, of these workspaces or (None) of all, newest first."""
    query = select(TerraformRun).where(
        TerraformRun.organization_id == organization_id,
        TerraformRun.kind != Kind.APPLY,
        TerraformRun.planned_at.is_not(None),
        TerraformRun.artifacts.has_key("plan_json"),
    )
    if workspace_ids is not None:
        query = query.where(TerraformRun.workspace_id.in_(workspace_ids))
    return session.scalars(query.order_by(TerraformRun.id.desc()).limit(limit)).all()


def at_work(session: Session, workspace_id: str) -> str | None:
    """Return the workspace's run that was claimed and has not quiesced, speculative ones aside."""
    return session.scalars(
        select(TerraformRun.id)
        .where(
            TerraformRun.workspace_id == workspace_id,
            TerraformRun.is_speculative.is_(False),
            AT_WORK,
        )
        .limit(1)
    ).first()


def beat(session: Session, run_id: str, token: int, phase: str | None, expires_at: datetime) -> TerraformRun | None:
    """Renew the lease if ``token`` is still the run's and it has not quiesced. The loser gets None."""
    values: dict[str, object] = {"lease_expires_at": expires_at}
    if phase is not None:
        values["phase"] = case((TerraformRun.status == Status.RUNNING, phase), else_=TerraformRun.phase)
    return session.scalars(
        update(TerraformRun)
        .where(TerraformRun.id == run_id, TerraformRun.fencing_token == token, TerraformRun.quiesced_at.is_(None))
        .values(**values)
        .returning(TerraformRun)
        .execution_options(populate_existing=True)
    ).one_or_none()


def keep_verdict(session: Session, run_id: str, verdict: str) -> None:
    """Note the policies' verdict on a running run, for its settling or verification."""
    session.execute(update(TerraformRun).filter_by(id=run_id, status=Status.RUNNING).values(verdict=verdict))


def held_place(session: Session, run_id: str, token: int) -> RunScope | None:
    """Return where the run belongs if ``token`` is its fencing token and it has not quiesced, unlocked."""
    found = session.execute(_HELD, {"run": run_id, "token": token}).one_or_none()
    return RunScope(*found) if found is not None else None


def enter_phase(session: Session, run_id: str, token: int, phase: str) -> RunScope | None:
    """Note the phase of a run while it runs, and return what ``held_place`` does. The loser gets None."""
    given = {"run": run_id, "token": token, "entered": phase}
    found = session.connection().execute(_ENTER_PHASE, given).one_or_none()
    return RunScope(*found) if found is not None else None


def waiting_in_workspace(session: Session, workspace_id: str) -> Sequence[str]:
    """Return the ids of the workspace's runs at the gate (waiting, blocked or approved), oldest first."""
    return session.scalars(
        select(TerraformRun.id)
        .where(
            TerraformRun.workspace_id == workspace_id,
            TerraformRun.status.in_(GATE_VALUES),
        )
        .order_by(TerraformRun.id)
    ).all()


def waiting_in_organization(session: Session, organization_id: str) -> Sequence[TerraformRun]:
    """Return the organization's runs at the gate, oldest first, unlocked."""
    return session.scalars(
        select(TerraformRun)
        .where(
            TerraformRun.organization_id == organization_id,
            TerraformRun.status.in_(GATE_VALUES),
        )
        .order_by(TerraformRun.id)
    ).all()


def workspaces_at_gate(session: Session) -> Sequence[str]:
    """Return every workspace, of all organizations, that has a run at the gate."""
    return session.scalars(
        select(TerraformRun.workspace_id).where(TerraformRun.status.in_(GATE_VALUES)).distinct()
    ).all()


def workspaces_with(session: Session, workspace_ids: Sequence[str], statuses: Sequence[str]) -> Sequence[str]:
    """Return those of the workspaces that have a run in one of ``statuses``."""
    return session.scalars(
        select(TerraformRun.workspace_id)
        .where(TerraformRun.workspace_id.in_(workspace_ids), TerraformRun.status.in_(statuses))
        .distinct()
    ).all()


def readers_of(session: Session, workspace_id: str) -> Sequence[str]:
    """Return, in order, the workspaces with a run that plans or waits and has read the workspace's outputs."""
    query = (
        select(TerraformRun.workspace_id)
        .where(
            TerraformRun.finished_at.is_(None),
            TerraformRun.status.in_([Status.RUNNING, *GATE_VALUES]),
            TerraformRun.upstream_outputs.contains([{"workspace_id": workspace_id}]),
        )
        .distinct()
    )
    return session.scalars(query.order_by(TerraformRun.workspace_id)).all()


def expired(session: Session, at: datetime) -> Sequence[str]:
    """Return the runs whose lease has run out while they were not proven dead."""
    return session.scalars(
        select(TerraformRun.id).where(
            AT_WORK,
            TerraformRun.lease_expires_at < at,
        )
    ).all()


def latest_applied(session: Session, workspace_id: str) -> TerraformRun | None:
    """Return the workspace's newest applied plan (not a destroy): what its state was made from."""
    return session.scalars(
        select(TerraformRun)
        .where(
            TerraformRun.workspace_id == workspace_id,
            TerraformRun.status == Status.APPLIED,
            TerraformRun.kind == Kind.PLAN,
        )
        .order_by(TerraformRun.id.desc())
        .limit(1)
    ).one_or_none()


def latest_lock_file(session: Session, workspace_id: str, configuration_digest: str) -> dict[str, Any] | None:
    """Return the newest lock file that a run of the workspace made for this configuration: its artifact's reference."""
    given = {"workspace": workspace_id, "configuration": configuration_digest}
    return session.scalars(_LATEST_LOCK_FILE, given).one_or_none()


def evidence_of(session: Session, run_id: str) -> Sequence[RunEvidence]:
    """Return the run's evidence, oldest first."""
    return session.scalars(_EVIDENCE, {"run": run_id}).all()


def live_in_workspace(session: Session, workspace_id: str) -> str | None:
    """Return a run of the workspace that is not final or has not quiesced, if there is one."""
    return session.scalars(
        select(TerraformRun.id)
        .where(
            TerraformRun.workspace_id == workspace_id,
            or_(
                TerraformRun.status.in_(LIVE_VALUES),
                AT_WORK,
            ),
        )
        .limit(1)
    ).first()


def latest_of_workspaces(session: Session, workspace_ids: Sequence[str]) -> Sequence[TerraformRun]:
    """Return the newest run that plans of each workspace, speculative ones aside."""
    return session.scalars(
        select(TerraformRun)
        .where(
            TerraformRun.workspace_id.in_(workspace_ids),
            TerraformRun.kind != Kind.APPLY,
            TerraformRun.is_speculative.is_(False),
        )
        .ext(distinct_on(TerraformRun.workspace_id))
        .order_by(TerraformRun.workspace_id, TerraformRun.id.desc())
    ).all()


def counts_by_status(session: Session, organization_id: str, since: datetime) -> dict[str, int]:
    """Return the number of runs by status: live ones, and those that ended after ``since``.

    An apply that has ended is part of the run whose plan it applied.
    """
    ended = and_(TerraformRun.finished_at > since, TerraformRun.kind != Kind.APPLY)
    rows = session.execute(
        select(TerraformRun.status, func.count())
        .where(
            TerraformRun.organization_id == organization_id,
            or_(TerraformRun.finished_at.is_(None), ended),
        )
        .group_by(TerraformRun.status)
    ).all()
    return dict(rows)


def oldest_queued(session: Session, organization_id: str) -> datetime | None:
    """Return when the oldest queued run was requested."""
    return session.scalars(
        select(func.min(TerraformRun.created_at)).filter_by(organization_id=organization_id, status=Status.QUEUED)
    ).one()


def of_ids(session: Session, organization_id: str, run_ids: Sequence[str]) -> Sequence[TerraformRun]:
    """Return the organization's runs of these ids."""
    return session.scalars(
        select(TerraformRun).where(TerraformRun.organization_id == organization_id, TerraformRun.id.in_(run_ids))
    ).all()


def newest_waiting(session: Session, organization_id: str, limit: int) -> Sequence[TerraformRun]:
    """Return runs that await approval or are blocked, newest first."""
    return session.scalars(
        select(TerraformRun)
        .where(
            TerraformRun.organization_id == organization_id,
            TerraformRun.status.in_([Status.AWAITING_APPROVAL, Status.POLICY_BLOCKED]),
        )
        .order_by(TerraformRun.id.desc())
        .limit(limit)
    ).all()


def _latest(organization_id: str) -> Select[str, str]:
    """Id and status of each workspace's newest run that plans, speculative ones aside."""
    return (
        select(TerraformRun.id, TerraformRun.status)
        .where(
            TerraformRun.organization_id == organization_id,
            TerraformRun.kind != Kind.APPLY,
            TerraformRun.is_speculative.is_(False),
        )
        .ext(distinct_on(TerraformRun.workspace_id))
        .order_by(TerraformRun.workspace_id, TerraformRun.id.desc())
    )


def newest_failed(session: Session, organization_id: str, limit: int) -> Sequence[TerraformRun]:
    """Return runs that errored or were halted and are still their workspace's newest, newest first."""
    latest = _latest(organization_id).subquery()
    return session.scalars(
        select(TerraformRun)
        .join(latest, latest.c.id == TerraformRun.id)
        .where(or_(TerraformRun.status == Status.ERRORED, TerraformRun.halted.is_(True)))
        .order_by(TerraformRun.id.desc())
        .limit(limit)
    ).all()


def workspaces_by_latest_status(session: Session, organization_id: str, statuses: Sequence[str]) -> Sequence[str]:
    """Return the workspaces whose newest run that plans is in one of ``statuses``."""
    latest = _latest(organization_id).subquery()
    return session.scalars(
        select(TerraformRun.workspace_id)
        .join(latest, latest.c.id == TerraformRun.id)
        .where(TerraformRun.status.in_(statuses))
    ).all()
