"""Builds recovery lists, and lets items go that a state knows by now.

A list is built from what the runner handed in, or else from what it had sent; again whenever more becomes known. What
a person decided, and what resolved itself, stays so.
"""

import json
import logging
from collections.abc import Iterator, Sequence

from sqlalchemy.orm import Session

from app.core import clock
from app.core.errors import AppError, Invalid, Unavailable
from app.core.ids import new_id
from app.core.masking import Masker, texts_of_sensitive
from app.progress import service as progress
from app.recovery import repository
from app.recovery.advice import exists_in_states_only
from app.recovery.models import RecoveryItem, RecoveryList
from app.recovery.reconciling import Evidence, Lost, Planned, holds, planned_of, reconcile
from app.recovery.sealed import item_binding, list_binding, seal, unseal
from app.runner.folding import Told, fold
from app.runner.port import ApplyStep, ApplySteps
from app.runs import service as runs
from app.state import service as state
from app.workspaces import service as workspaces

_log = logging.getLogger(__name__)
_RECORDS = 5000
_SAID = ("address", "action", "resource_type", "id_key", "id_value")


def bring_up_to_date(session: Session, run_id: str, *, waits: bool = True) -> None:
    """Build what is new of a run's list, and resolve the items that the workspace's state knows by now.

    Without ``waits`` a list that another transaction works on is left to that one.
    """
    row = repository.lock(session, run_id, waits=waits)
    if row is None:
        return
    if row.built < row.wanted:
        _build(session, row)
    newest = state.current(session, row.workspace_id)
    version_id = newest.id if newest is not None else None
    if row.open_items and version_id != row.checked_version_id:
        _resolve(session, row)
    row.checked_version_id = version_id
    session.flush()


def lost_of(row: RecoveryItem) -> Lost:
    """Return what an item says. Raises ``IntegrityError``."""
    return Lost.model_validate(unseal(row.sealed, item_binding(row)))


def is_held(session: Session, workspace_id: str) -> "Held":
    """Return who answers whether the workspace's state knows an item."""
    return Held(state.held_now(session, workspace_id))


class Held:
    """What a workspace's current state holds, to be asked about items."""

    def __init__(self, held: state.Holdings) -> None:
        self._held = {state.normal_place(place): instances for place, instances in held.items()}

    def at(self, found: Lost) -> bool:
        """Return whether the state lists the very resource of an item, as far as its id is known."""
        instances = self._at(found)
        if found.change == "create" and found.old_id is not None and found.resource_id == "":
            return any(each.names.get("id") != found.old_id for each in instances)
        is_any = found.change != "delete" and exists_in_states_only(found.provider)
        return bool(instances) if is_any else holds(instances, found.id_key, found.resource_id)

    def is_taken(self, found: Lost) -> bool:
        """Return whether the state lists another resource at the address of one that was created."""
        return found.change == "create" and bool(self._at(found)) and not self.at(found)

    def _at(self, found: Lost) -> Sequence[state.HeldInstance]:
        try:
            return self._held.get(state.place_of(found.address), [])
        except Invalid:
            return []


def _build(session: Session, row: RecoveryList) -> None:
    facts = runs.apply_facts(session, row.run_id)
    wanted = row.wanted
    if facts is None or not facts.is_over:
        # Its quiescence is noted in the transaction that wants this list again.
        return
    if not facts.is_kept:
        # Too old to be judged anew: what the list said last stands.
        row.built = wanted
        return
    found: list[Lost] = []
    row.failure = None
    if facts.may_have_begun and not facts.was_applied:
        told, row.evidence = _told(session, row)
        found = reconcile(
            _planned(session, row, facts.plan_run_id),
            _masked(session, row.workspace_id, told.steps),
            kept=state.held_of_run(session, row.run_id),
            current=state.held_now(session, row.workspace_id),
            evidence=_evidence(row.evidence),
            is_ended=told.is_ended,
        )
    else:
        row.evidence = "whole"
    _merge(session, row, found)
    row.built = wanted
    # What is new is compared with the current state at once, also when that has not moved.
    row.checked_version_id = None


def _evidence(text: str) -> Evidence:
    return "whole" if text == "whole" else "partial" if text == "partial" else "none"


def _told(session: Session, row: RecoveryList) -> tuple[ApplySteps, str]:
    """Return what is known of what the apply had begun, and how much that is."""
    if row.steps is not None:
        return ApplySteps.model_validate(unseal(row.steps, list_binding(row))), "whole"
    steps = fold(_sent(session, row))
    return ApplySteps(steps=steps), "partial" if steps else "none"


def _sent(session: Session, row: RecoveryList) -> Iterator[Told]:
    """Yield what the apply had sent of its resources while it ran."""
    after = 0
    while True:
        page = progress.read(session, row.run_id, organization_id=row.organization_id, after=after, limit=_RECORDS)
        if not page.records:
            return
        for record in page.records:
            if record.kind == "event":
                said = {key: str(record.data.get(key) or "") for key in _SAID}
                yield Told(kind=str(record.data.get("type")), at=record.at, **said)
        after = page.next


def _planned(session: Session, row: RecoveryList, plan_run_id: str) -> list[Planned]:
    """Return what was planned; nothing, and why on the list, when the plan is lost or damaged."""
    try:
        return planned_of(json.loads(runs.planned_view(session, plan_run_id)))
    except Unavailable:
        raise
    except AppError as error:
        _log.exception("a recovery list was made without its plan", extra={"run_id": row.run_id})
        row.failure = f"The plan can't be read, so only what the engine said is listed. {error.detail}"
        return []


def _masked(session: Session, workspace_id: str, steps: Sequence[ApplyStep]) -> list[ApplyStep]:
    """Mask ids once more: what a dead runner left on its disk was masked by nobody."""
    masker = Masker(texts_of_sensitive(workspaces.variables_for_run(session, workspace_id)))
    return [step.model_copy(update={"id_value": masker.text(step.id_value)}) for step in steps]


def _merge(session: Session, row: RecoveryList, found: Sequence[Lost]) -> None:
    """Make the items those that were found; what is settled stays, what is open and was not found again goes."""
    known = {}
    for item in repository.items(session, row.run_id):
        lost = lost_of(item)
        known[lost.address, lost.change] = (item, lost)
    opened = 0
    for lost in found:
        there = known.pop((lost.address, lost.change), None)
        if there is not None:
            item = there[0]
            if lost != there[1]:
                item.outcome = lost.outcome
                item.sealed = seal(lost.model_dump(mode="json"), item_binding(item))
        else:
            item = RecoveryItem(
                id=new_id("rec"),
                organization_id=row.organization_id,
                run_id=row.run_id,
                workspace_id=row.workspace_id,
                outcome=lost.outcome,
                status="open",
            )
            item.sealed = seal(lost.model_dump(mode="json"), item_binding(item))
            session.add(item)
        opened += item.status == "open"
    for item, _ in known.values():
        if item.status == "open":
            session.delete(item)
    row.open_items = opened
    session.flush()


def _resolve(session: Session, row: RecoveryList) -> None:
    """Settle the open items that the state, which moved since they were looked at, is right about now."""
    held = is_held(session, row.workspace_id)
    newest = state.current(session, row.workspace_id)
    version = state.by_id(session, row.organization_id, newest.id) if newest is not None else None
    has_moved_on = version is not None and version.run_id != row.run_id and version.created_at > row.created_at
    for item in repository.items(session, row.run_id):
        if item.status != "open":
            continue
        lost = lost_of(item)
        if lost.change == "create":
            is_right = held.at(lost)
        elif lost.outcome == "destroyed":
            is_right = not held.at(lost)
        else:
            # Whoever stored a state since then has read what is there.
            is_right = has_moved_on or (lost.change == "delete" and not held.at(lost))
        if is_right:
            item.status, item.decided_at = "resolved", clock.now()
            item.state_version_id = newest.id if newest is not None else None
            row.open_items -= 1
