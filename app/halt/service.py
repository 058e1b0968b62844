"""The kill switch: one transaction raises the fence and marks every run in scope; supervisors do the rest."""

from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy.orm import Session

from app.audit import service as audit
from app.core import clock
from app.core.errors import Invalid
from app.core.ids import new_id
from app.core.impatience import impatient
from app.core.permissions import Actor, system_actor
from app.core.settings import get_settings
from app.fence import service as fence
from app.fence.errors import FenceMissing
from app.fence.schemas import EVERYTHING, FenceOut, Scope
from app.halt import call_repository, drill_repository, fanout, repository
from app.halt.errors import HaltNotFound, NotHalted, ScopeForbidden
from app.halt.models import Halt
from app.halt.presenting import present
from app.halt.schemas import HaltOut, HaltRequest, HaltsOut, ResumeRequest
from app.identity import service as identity
from app.notifications import service as notifications
from app.notifications.schemas import HaltNews
from app.progress import service as progress
from app.progress.schemas import NewRecord
from app.runs import service as runs
from app.workspaces import service as workspaces

ENDING_HOURS = 1
"""For how long a lifted halt is shown while some run of it is still dying: far beyond any grace period."""


class _Place(NamedTuple):
    """Where a halt is raised: its fence, and whose runs are in scope. ``is_operators``: it is fanned out."""

    fence_id: str
    organization_id: str | None
    workspace_id: str | None
    is_operators: bool = False


def halt(session: Session, actor: Actor, wanted: HaltRequest, given_id: str | None = None) -> HaltOut:
    """Raise the fence of the scope and cancel every run in it that is not final; return what was stopped.

    From this commit on nothing starts in the scope, on any machine. A halt of what is halted already marks what is
    left and returns the standing halt. ``given_id`` is the X-Halt-Id that a sibling system sent: a halt with an id that
    is known is not fanned out again. Raises ``ScopeForbidden`` and ``WorkspaceNotFound``.
    """
    [shown] = present(session, actor, [_mark(session, actor, wanted, given_id)])
    return shown


def mark(session: Session, actor: Actor, wanted: HaltRequest, given_id: str | None = None) -> str:
    """Do what ``halt`` does, and return the halt's id alone: what it stopped can be read once this has committed."""
    return _mark(session, actor, wanted, given_id).id


def _mark(session: Session, actor: Actor, wanted: HaltRequest, given_id: str | None) -> Halt:
    place = _place(session, actor, wanted.scope, wanted.workspace)
    with impatient(session):
        row, marked = _raise(session, actor, wanted, place, given_id)
        evidence = {
            "scope": wanted.scope,
            "scope_id": place.fence_id,
            "reason": wanted.reason,
            "runs": sum(marked.values()),
        }
        came = {"origin_id": given_id} if given_id is not None else {}
        audit.record(session, actor, "halt.raised", ("halt", row.id), {**evidence, "latch": wanted.latch, **came})
        notifications.halted(
            session,
            HaltNews(
                halt_id=row.id,
                scope=wanted.scope,
                organization_id=place.organization_id,
                workspace_id=place.workspace_id,
                reason=wanted.reason,
                actor=actor.name,
                runs={**marked, actor.organization_id: sum(marked.values())},
                url=f"{get_settings().url}/infra",
            ),
        )
        session.flush()
    return row


def warm_up(session: Session) -> None:
    """Go through the statements of a halt of what does not exist, in a unit of work that the caller undoes.

    A process makes a statement when it first runs it, which costs a halt more than the database's answer does.
    """
    nowhere, halt_id = "org-none", new_id("halt")
    actor = system_actor(nowhere)
    with suppress(FenceMissing):
        fence.raise_fence(session, nowhere, halt_id=halt_id, actor=actor, reason="warm-up")
    for workspace_id in (None, "ws-none"):
        runs.mark_halted(
            session, actor, halt_id=halt_id, organization_id=nowhere, workspace_id=workspace_id, reason="warm-up"
        )
    said = NewRecord(at=clock.now(), kind="event", data={})
    progress.append_to_each(session, {"run-none": said}, closing={"run-none"})
    news = HaltNews(
        halt_id=halt_id,
        scope="organization",
        organization_id=nowhere,
        workspace_id=None,
        reason="warm-up",
        actor=actor.name,
        runs={},
        url=get_settings().url,
    )
    notifications.halted(session, news)


def resume(session: Session, actor: Actor, wanted: ResumeRequest) -> HaltOut:
    """Lower the fence of the scope; runs may start again. The answer shows who is still dying.

    Raises ``NotHalted`` when none is raised there, ``ScopeForbidden`` and ``WorkspaceNotFound``.
    """
    place = _place(session, actor, wanted.scope, wanted.workspace)
    with impatient(session):
        raised: FenceOut = fence.hold_exclusive(session, place.fence_id)
        if raised.halt_id is None:
            raise NotHalted(f"No halt of scope {wanted.scope} stands.")
        fence.lower_fence(session, place.fence_id, halt_id=raised.halt_id)
        row = repository.lock(session, raised.halt_id)
        if row is None:
            raise NotHalted("The halt that raised this fence is gone; the fence was lowered.")
        row.resumed_at = clock.now()
        row.resumed_by = actor.describe()
        row.resume_reason = wanted.reason
        detail = "Not known: the halt was lifted before an answer came."
        call_repository.give_up(session, row.id, detail=detail, at=row.resumed_at)
        audit.record(session, actor, "halt.resumed", ("halt", row.id), {"scope": row.scope, "reason": wanted.reason})
        session.flush()
    [shown] = present(session, actor, [row])
    return shown


def standing(session: Session, actor: Actor) -> HaltsOut:
    """Return the halts that stand over the actor's organization, and lifted ones that still end runs."""
    fences = fence.standing(session, actor.organization_id)
    rows = {row.id: row for row in repository.by_ids(session, [f.halt_id for f in fences if f.halt_id is not None])}
    lifted = repository.lifted_since(session, actor.organization_id, clock.now() - timedelta(hours=ENDING_HOURS))
    return HaltsOut(
        active=present(
            session, actor, [rows[f.halt_id] for f in fences if f.halt_id is not None and f.halt_id in rows]
        ),
        ending=[shown for shown in present(session, actor, lifted) if shown.runs.dying],
    )


def get(session: Session, actor: Actor, halt_id: str) -> HaltOut:
    """Return one halt over the actor's organization, whether it stands or not. Raises ``HaltNotFound``."""
    row = repository.get(session, actor.organization_id, halt_id)
    if row is None:
        raise HaltNotFound(f"There is no halt {halt_id}.")
    [shown] = present(session, actor, [row])
    return shown


def stopped_by_passed_drills(session: Session, run_ids: Iterable[str]) -> set[str]:
    """Return which of the runs a drill started and stopped as it should: nobody needs to look at them."""
    return drill_repository.passed(session, run_ids)


def note_lifted(session: Session, actor: Actor, halt_id: str, reason: str) -> None:
    """Note on a halt whose fence the caller has lowered that it stands no more."""
    row = repository.lock(session, halt_id)
    if row is not None and row.resumed_at is None:
        row.resumed_at, row.resumed_by, row.resume_reason = clock.now(), actor.describe(), reason
        audit.record(session, actor, "halt.resumed", ("halt", halt_id), {"scope": row.scope, "reason": reason})
        session.flush()


def _raise(
    session: Session, actor: Actor, wanted: HaltRequest, place: _Place, given_id: str | None
) -> tuple[Halt, dict[str, int]]:
    """Raise the fence and mark the runs; return the halt, old or new, and by organization how many were marked now."""
    halt_id = new_id("halt")
    raised = fence.raise_fence(session, place.fence_id, halt_id=halt_id, actor=actor, reason=wanted.reason)
    before = raised.halt_id if raised.halt_id is not None and raised.halt_id != halt_id else None
    if before is not None and wanted.latch and drill_repository.has_raised(session, before):
        # A drill lifts what it raised; this one must stand until somebody resumes.
        fence.lower_fence(session, place.fence_id, halt_id=before)
        note_lifted(session, actor, before, f"{actor.name} halted while the drill was under way.")
        before = None
        raised = fence.raise_fence(session, place.fence_id, halt_id=halt_id, actor=actor, reason=wanted.reason)
    standing = next(iter(repository.by_ids(session, [before])), None) if before is not None else None
    is_known = given_id is not None and repository.knows(session, given_id, actor.organization_id)
    row = standing or Halt(
        id=halt_id,
        created_at=clock.now(),
        organization_id=place.organization_id,
        scope=wanted.scope,
        scope_id=place.fence_id,
        reason=wanted.reason,
        latch=wanted.latch,
        actor=actor.describe(),
        runs_marked={},
        origin_id=given_id,
    )
    marked = runs.mark_halted(
        session,
        actor,
        halt_id=row.id,
        organization_id=place.organization_id,
        workspace_id=place.workspace_id,
        reason=wanted.reason,
    )
    row.runs_marked = {"count": int(row.runs_marked.get("count", 0)) + sum(marked.values())}
    session.add(row)
    if not wanted.latch and standing is None:
        fence.lower_fence(session, place.fence_id, halt_id=halt_id)
        row.resumed_at = clock.now()
        row.resume_reason = "It did not latch."
    if place.is_operators and not is_known and (standing is None or not call_repository.of_halts(session, [row.id])):
        # One that stands may have come with a known id: it was not fanned out, and whoever halts now wants it to be.
        row.origin_id = given_id
        fanout.want(session, row)
    return row, marked


def _place(session: Session, actor: Actor, scope: Scope, workspace: str | None) -> _Place:
    own = actor.organization_id
    if scope == "workspace":
        if not workspace:
            raise Invalid.of_field("workspace", "is missing: the scope workspace takes the name or id of one")
        found = workspaces.get(session, own, workspace)
        return _Place(found.id, own, found.id)
    if workspace:
        raise Invalid.of_field(
            "workspace", f"is of the scope workspace, and the scope is {scope}: leave one of both out"
        )
    is_operator = identity.is_operator(session, own)
    if scope == "organization":
        return _Place(own, own, None, is_operator)
    if not is_operator:
        raise ScopeForbidden("Only the operator organization halts everything. Halt your organization instead.")
    return _Place(EVERYTHING, None, None, is_operators=True)
