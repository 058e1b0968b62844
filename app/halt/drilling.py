"""A drill: start something real, halt it alone, see it dead and the fence hold, resume; with the time of each step.

It is carried out by a thread of the API process (``drill_steps``). A drill whose process dies is ended by whoever looks
after halts, and its halt is lifted.
"""

import threading
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial

from sqlalchemy.orm import Session

from app.audit import service as audit
from app.core import clock
from app.core.db import after_commit, unit_of_work
from app.core.errors import AppError
from app.core.ids import new_id
from app.core.pages import Page, PageParams
from app.core.permissions import Actor, Permission, system_actor
from app.fence import service as fence
from app.fence.errors import FenceMissing
from app.halt import canary, drill_repository, service
from app.halt.drill_schemas import DrillOut, DrillRequest, StepName
from app.halt.drill_steps import Drill, note_end
from app.halt.errors import DrillNotFound, DrillNotPossible
from app.halt.models import HaltDrill
from app.runs import service as runs
from app.workspaces import service as workspaces

SILENT_SECONDS = 30.0


def begin(session: Session, actor: Actor, wanted: DrillRequest) -> DrillOut:
    """Begin a drill and return it; it is carried out after the commit.

    Raises ``Halted`` where a halt stands, ``WorkspaceNotFound``, ``DrillNotPossible`` where runs of the workspace are
    under way or another drill is, and ``Forbidden`` when the canary is yet to be made and ``actor`` may not.
    """
    if wanted.workspace is None:
        workspace = canary.find_or_make(session, actor)
    else:
        workspace = workspaces.get(session, actor.organization_id, wanted.workspace)
    fence.hold_shared(session, actor.organization_id, workspace.id)
    under_way = runs.live_in_workspace(session, actor.organization_id, workspace.id)
    if under_way:
        raise DrillNotPossible(
            f"{workspace.name} has {under_way} run{'s' if under_way > 1 else ''} under way, which a drill would stop. "
            "Let them end, or name another workspace."
        )
    drill_id = new_id("drill")
    at = clock.now()
    facts = {"organization_id": actor.organization_id, "actor": actor.describe(), "created_at": at, "beat_at": at}
    if not drill_repository.add(
        session, id=drill_id, workspace_id=workspace.id, workspace_name=workspace.name, **facts
    ):
        raise DrillNotPossible(f"A drill is under way in {workspace.name}. GET /terraform/halt/drills shows it.")
    audit.record(session, actor, "halt.drill_begun", ("drill", drill_id), {"workspace": workspace.id})
    is_canary = workspace.name == canary.NAME
    after_commit(session, partial(_start, Drill(drill_id, actor, workspace.id, is_canary=is_canary)))
    return get(session, actor, drill_id)


def get(session: Session, actor: Actor, drill_id: str) -> DrillOut:
    """Return one drill. Raises ``DrillNotFound``."""
    row = drill_repository.get(session, actor.organization_id, drill_id)
    if row is None:
        raise DrillNotFound(f"There is no drill {drill_id}.")
    return _present(row)


def history(session: Session, actor: Actor, params: PageParams) -> Page[DrillOut]:
    """Return one page of the organization's drills, newest first."""
    rows, cursor = drill_repository.page(session, actor.organization_id, params)
    return Page(items=[_present(row) for row in rows], next_cursor=cursor)


def end_abandoned() -> None:
    """End drills whose process has died; lift what they raised, or stop what they started."""
    since = clock.now() - timedelta(seconds=SILENT_SECONDS)
    with unit_of_work() as session:
        left = [(row.id, row.workspace_id) for row in drill_repository.silent(session, since)]
    for drill_id, workspace_id in left:
        with unit_of_work() as session:
            with suppress(FenceMissing):
                # Before the drill's row, as a halt takes them.
                fence.hold_exclusive(session, workspace_id)
            row = drill_repository.lock_silent(session, drill_id, since)
            if row is None:
                continue
            what = "its halt was lifted" if row.halt_id is not None else "it had not halted anything"
            failed: StepName = "resume" if row.halt_id is not None else "start"
            detail = f"The process that carried the drill out has ended; {what}."
            note_end(session, system_actor(row.organization_id), row.id, failed, detail, row.steps)
            if row.halt_id is not None:
                fence.lower_if_raised_by(session, row.workspace_id, row.halt_id)
                service.note_lifted(session, system_actor(row.organization_id), row.halt_id, "The drill was abandoned.")
        if row.run_id is not None and row.halt_id is None:
            actor = replace(system_actor(row.organization_id), permissions=frozenset({Permission.RUNS_CANCEL}))
            with suppress(AppError), unit_of_work() as session:
                runs.cancel(session, actor, row.run_id, "The drill was abandoned.")


def _start(drill: Drill) -> None:
    threading.Thread(target=drill.carry_out, name=f"drill-{drill.id[-6:]}", daemon=True).start()


def _present(row: HaltDrill) -> DrillOut:
    return DrillOut.model_validate(
        {
            "id": row.id,
            "workspace_id": row.workspace_id,
            "workspace_name": row.workspace_name,
            "actor": row.actor,
            "status": row.status,
            "created_at": row.created_at,
            "ended_at": row.ended_at,
            "seconds": round((row.ended_at - row.created_at).total_seconds(), 3) if row.ended_at is not None else None,
            "run_id": row.run_id,
            "halt_id": row.halt_id,
            "steps": row.steps,
            "failed_step": row.failed_step,
            "detail": row.detail,
        }
    )
