"""Recovery lists: read, dismissed, counted."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from app.audit import service as audit
from app.core import clock
from app.core.pages import Page, PageParams
from app.core.permissions import Actor
from app.recovery import building, repository
from app.recovery.advice import advise
from app.recovery.errors import RecoveryItemNotFound, RecoveryItemSettled
from app.recovery.models import RecoveryItem
from app.recovery.reconciling import Lost
from app.recovery.schemas import DismissRequest, OpenItems, RecoveryItemOut, RecoveryStatus, RunRecovery
from app.runs import service as runs
from app.workspaces import service as workspaces

_ORDER = {"created": 0, "unknown": 1, "destroyed": 2}


def run_recovery(session: Session, actor: Actor, run_id: str) -> RunRecovery:
    """Return the recovery list of a run's apply, built up to now. Raises ``RunNotFound``."""
    wanted = runs.recoverable(session, actor.organization_id, run_id)
    building.bring_up_to_date(session, wanted.run_id)
    row = repository.get(session, wanted.run_id)
    items = _present(session, repository.items(session, wanted.run_id)) if row is not None else []
    items.sort(key=lambda item: (item.status != "open", _ORDER[item.outcome], item.address))
    return RunRecovery(
        run_id=wanted.run_id,
        workspace_id=wanted.workspace_id,
        is_complete=wanted.is_over and (row is None or row.built >= row.wanted),
        evidence=row.evidence if row is not None else None,  # type: ignore[arg-type]  # the column holds an Evidence
        failure=row.failure if row is not None else None,
        open_count=row.open_items if row is not None else 0,
        items=items,
    )


def page(
    session: Session,
    actor: Actor,
    params: PageParams,
    *,
    workspace: str | None = None,
    status: RecoveryStatus | None = None,
) -> Page[RecoveryItemOut]:
    """Return one page of the organization's items, newest first. Raises ``WorkspaceNotFound``."""
    workspace_id = workspaces.get(session, actor.organization_id, workspace).id if workspace is not None else None
    rows, cursor = repository.page(session, actor.organization_id, params, workspace_id=workspace_id, status=status)
    return Page(items=_present(session, rows), next_cursor=cursor)


def dismiss(session: Session, actor: Actor, item_id: str, wanted: DismissRequest) -> RecoveryItemOut:
    """Take an item off the list, for a reason that is audited.

    Raises ``RecoveryItemNotFound`` and ``RecoveryItemSettled``.
    """
    seen = repository.item(session, actor.organization_id, item_id)
    if seen is None:
        raise _missing(item_id)
    row = repository.lock(session, seen.run_id)
    item = repository.item(session, actor.organization_id, item_id)
    if row is None or item is None:
        raise _missing(item_id)
    if item.status != "open":
        raise RecoveryItemSettled(f"{item_id} is {item.status} already.", item_status=item.status)
    item.status, item.decided_at = "dismissed", clock.now()
    item.decided_by, item.decision_reason = actor.describe(), wanted.reason
    row.open_items -= 1
    session.flush()
    evidence = {"workspace_id": item.workspace_id, "run_id": item.run_id, "outcome": item.outcome}
    reason = {"address": building.lost_of(item).address, "reason": wanted.reason}
    audit.record(session, actor, "recovery.dismissed", ("recovery_item", item.id), {**evidence, **reason})
    return _present(session, [item])[0]


def words(count: int) -> str:
    """Return in words what open items mean."""
    return (
        "1 resource may exist that no state knows."
        if count == 1
        else f"{count} resources may exist that no state knows."
    )


def open_runs(session: Session, organization_id: str, *, limit: int) -> list[OpenItems]:
    """Return up to ``limit`` applies of the organization that left resources for a person to look at, newest first."""
    return [
        OpenItems(run_id=row.run_id, workspace_id=row.workspace_id, count=row.open_items, since=row.created_at)
        for row in repository.open_lists(session, organization_id, limit)
    ]


def count_open(session: Session, organization_id: str) -> int:
    """Return how many items of the organization's recovery lists are open."""
    return repository.count_open(session, organization_id)


def open_by_workspace(session: Session, workspace_ids: Sequence[str]) -> dict[str, int]:
    """Return by workspace id how many items are open, for those that have any."""
    return repository.open_by_workspace(session, workspace_ids)


def _missing(item_id: str) -> RecoveryItemNotFound:
    return RecoveryItemNotFound(f"There is no item {item_id} on a recovery list.")


def _present(session: Session, rows: Sequence[RecoveryItem]) -> list[RecoveryItemOut]:
    """Present items; the state of each workspace with an open one is read once."""
    held = {
        workspace_id: building.is_held(session, workspace_id)
        for workspace_id in sorted({row.workspace_id for row in rows if row.status == "open"})
    }
    return [_out(row, building.lost_of(row), held.get(row.workspace_id)) for row in rows]


def _out(row: RecoveryItem, lost: Lost, held: building.Held | None) -> RecoveryItemOut:
    is_open = row.status == "open" and held is not None
    is_taken = is_open and held is not None and held.is_taken(lost)
    is_in_state = (
        held.at(lost) if is_open and held is not None else row.status == "resolved" and lost.change != "delete"
    )
    advice = advise(lost, is_address_taken=is_taken)
    return RecoveryItemOut(
        id=row.id,
        run_id=row.run_id,
        workspace_id=row.workspace_id,
        address=lost.address,
        action=lost.action,
        change=lost.change,
        provider=lost.provider or None,
        type=lost.type,
        outcome=lost.outcome,
        resource_id=lost.resource_id or None,
        reason=lost.reason,
        started_at=lost.started_at,
        hints=lost.hints,
        import_block=advice.import_block,
        import_template=advice.import_template,
        check=advice.check,
        is_in_state=is_in_state,
        status=row.status,  # type: ignore[arg-type]  # the column holds a RecoveryStatus
        created_at=row.created_at,
        decided_at=row.decided_at,
        decided_by=row.decided_by,
        decision_reason=row.decision_reason,
        state_version_id=row.state_version_id,
    )
