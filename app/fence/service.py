"""The fence: the rows that a halt raises and every start looks at.

Request, claim, approve, apply, rollback, import and migration hold the three fences above them shared; a halt takes
its own exclusively. So whichever commits first is seen by the other, and nothing slips in between.
"""

from sqlalchemy import Select
from sqlalchemy.orm import Session

from app.core import clock
from app.core.permissions import Actor
from app.fence import repository
from app.fence.errors import FenceMissing, Halted
from app.fence.schemas import EVERYTHING, FenceOut, Scope


def create_fence(session: Session, scope: Scope, fence_id: str, organization_id: str | None) -> None:
    """Create the lowered fence of an organization or workspace, in the transaction that creates it; twice is once."""
    repository.insert_if_absent(session, scope=scope, fence_id=fence_id, organization_id=organization_id)


def create_everything(session: Session) -> None:
    """Create the fence around everything unless it is there."""
    create_fence(session, "everything", EVERYTHING, None)


def remove_fence(session: Session, fence_id: str) -> None:
    """Remove the fence of a workspace or organization, in the transaction that deletes it."""
    repository.remove(session, fence_id)


def hold_shared(session: Session, organization_id: str, workspace_id: str | None = None) -> None:
    """Hold the fences around a start until the transaction ends; first in the lock order.

    Without ``workspace_id`` only the two outer fences are held. Raises ``Halted`` when a halt stands at any of them,
    and ``FenceMissing`` when one does not exist.
    """
    wanted = [EVERYTHING, organization_id, *([workspace_id] if workspace_id is not None else [])]
    fences = repository.lock_shared(session, wanted)
    missing = set(wanted) - {fence.id for fence in fences}
    if missing:
        raise FenceMissing(
            f"The fence of {', '.join(sorted(missing))} does not exist, so a halt could not stop what starts there. "
            "Restore it from a backup, or run python -m app.bootstrap, which creates the outermost one."
        )
    for fence in fences:
        if fence.is_raised:
            raise _halted(fence)


def hold_exclusive(session: Session, fence_id: str) -> FenceOut:
    """Lock one fence against every start below it until the transaction ends, without raising it.

    What is true for a whole organization (rights, teams, policies) is written under its fence, so that no approval or
    verification sees half of it. Raises ``FenceMissing``.
    """
    fence = repository.lock_exclusive(session, fence_id)
    if fence is None:
        raise _missing(fence_id)
    return fence


def raise_fence(session: Session, fence_id: str, *, halt_id: str, actor: Actor, reason: str) -> FenceOut:
    """Raise a fence for a halt and return it: when this commits, nothing new starts below it.

    A fence that is raised already keeps its first halt, and comes back with that one's ``halt_id``. Raises
    ``FenceMissing``.
    """
    fence = repository.lock_raised(
        session, fence_id, halt_id=halt_id, raised_at=clock.now(), raised_by=actor.describe(), reason=reason
    )
    if fence is None:
        raise _missing(fence_id)
    return fence


def lower_fence(session: Session, fence_id: str, *, halt_id: str) -> bool:
    """Lower a fence if ``halt_id`` is the halt that holds it up; return whether it did. Raises ``FenceMissing``."""
    fence = hold_exclusive(session, fence_id)
    if fence.halt_id != halt_id:
        return False
    repository.set_lowered(session, fence_id)
    return True


def lower_if_raised_by(session: Session, fence_id: str, halt_id: str) -> bool:
    """Lower a fence if this halt holds it up; return whether it did. What is gone needs no lowering."""
    try:
        return lower_fence(session, fence_id, halt_id=halt_id)
    except FenceMissing:
        return False


def standing(session: Session, organization_id: str) -> list[FenceOut]:
    """Return the raised fences that concern an organization, outermost first; takes no lock."""
    return repository.raised(session, organization_id)


def raised_ids() -> Select[str]:
    """Select the ids of what is halted, as a part of another slice's query: organizations, workspaces, everything."""
    return repository.raised_ids()


def _missing(fence_id: str) -> FenceMissing:
    return FenceMissing(f"The fence of {fence_id} does not exist.")


def _halted(fence: FenceOut) -> Halted:
    who = (fence.raised_by or {}).get("name", "Someone")
    when = fence.raised_at.isoformat(timespec="seconds") if fence.raised_at is not None else "an unknown time"
    what = {"everything": "everything", "organization": "this organization", "workspace": "this workspace"}
    return Halted(
        f"{who} halted {what[fence.scope]} at {when}: {fence.reason}. Nothing starts until it is resumed.",
        halt={
            "id": fence.halt_id,
            "scope": fence.scope,
            "scope_id": fence.id,
            "reason": fence.reason,
            "raised_by": fence.raised_by,
            "raised_at": fence.raised_at.isoformat() if fence.raised_at is not None else None,
        },
    )
