"""What an apply planned and began, against what the states hold: what is left that no state knows. Pure.

Completed updates are not listed: the next plan reads what is there. Nor is what the engine itself said that it could
not do, once it has ended and its state is stored.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from app.core.errors import Invalid
from app.core.masking import MASK
from app.recovery.schemas import Change, RecoveryOutcome
from app.runner.port import ApplyStep
from app.state.service import HeldInstance, Holdings, InstancePlace, normal_place, place_of

Evidence = Literal["whole", "partial", "none"]

RUNNER_DIED = "The runner died; the engine may have started it."
_CREATED = "The engine created it, and no state that the run left holds it."
_CREATING = "The engine began to create it; how that ended is not known."
_CREATE_FAILED = "The engine reported that creating it failed; part of it may exist, and no state says so."
_DESTROYED = "The engine destroyed it, and the state still lists it."
_DESTROYING = "The engine began to destroy it; how that ended is not known."
_UPDATING = "The engine began to update it; how that ended is not known."


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class Planned(_Value):
    """One resource instance that the plan changes. ``old_id`` is what a replaced one was known by before.

    ``hints`` are attributes, neither secret nor unknown, that a person can find it by.
    """

    address: str
    action: str
    provider: str = ""
    type: str = ""
    old_id: str | None = None
    hints: dict[str, str] = {}


class Lost(_Value):
    """One item of a recovery list, before it is stored."""

    address: str
    action: Literal["create", "update", "delete", "replace"]
    change: Change
    outcome: RecoveryOutcome
    reason: str
    provider: str
    type: str
    id_key: str = ""
    resource_id: str = ""
    is_id_hidden: bool = False
    old_id: str | None = None
    started_at: datetime | None = None
    hints: dict[str, str] = {}


def planned_of(view: Mapping[str, Any]) -> list[Planned]:
    """Return what a stored plan view changes among managed resources."""
    found = []
    for change in view.get("resources") or ():
        if change.get("mode", "managed") != "managed" or change["action"] not in _PLANNED_ACTIONS:
            continue
        attributes = change.get("attributes") or ()
        old = next((each for each in attributes if each["path"] == "id" and not each["before_sensitive"]), None)
        found.append(
            Planned(
                address=change["address"],
                action=change["action"],
                provider=change.get("provider") or "",
                type=change.get("type") or "",
                old_id=str(old["before"]) if old is not None and old["before"] is not None else None,
                hints=_hints(attributes),
            )
        )
    return found


_PLANNED_ACTIONS = frozenset({"create", "update", "delete", "replace"})
_HINTS = ("name", "bucket", "identifier", "title", "path", "key", "email", "fqdn", "cidr_block", "family")
_MOST_HINTS = 6
_LONGEST_HINT = 200


def _hints(attributes: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    known = {
        each["path"]: each["after"]
        for each in attributes
        if not each["after_sensitive"] and not each["after_unknown"] and isinstance(each["after"], str | int)
    }
    wanted = [path for path in known if path.lower() in {"tags.name", "labels.name"}]
    wanted += [path for path in _HINTS if path in known]
    wanted += [path for path in known if path.endswith(("_name", "_identifier")) and path not in wanted]
    return {path: str(known[path])[:_LONGEST_HINT] for path in wanted[:_MOST_HINTS] if known[path] != ""}


def reconcile(
    planned: Iterable[Planned],
    steps: Iterable[ApplyStep],
    *,
    kept: Holdings,
    current: Holdings,
    evidence: Evidence,
    is_ended: bool,
) -> list[Lost]:
    """Return what may exist, or no longer exist, without a state that says so.

    ``kept`` is what the states that the run left hold, ``current`` what the workspace's does now. With ``evidence``
    other than `whole`, what was planned to be created and is in no state counts as begun. ``is_ended``: the engine
    ended by itself and its state is stored.

    What has no id yet is looked for in ``kept`` alone: by now a later run may have made another at the same address.
    """
    now = {normal_place(place): instances for place, instances in current.items()}
    own = {normal_place(place): instances for place, instances in kept.items()}
    plans = {at: found for found in planned if (at := _place(found.address)) is not None}
    lost = []
    begun: set[InstancePlace] = set()
    for step in steps:
        worked_on = _place(step.address)
        if worked_on is None:
            continue
        plan = plans.get(worked_on)
        if step.action == "create":
            begun.add(worked_on)
        item = _judge(step, plan, own.get(worked_on, []), now.get(worked_on, []), is_ended=is_ended)
        if item is not None:
            lost.append(item)
    if evidence != "whole":
        for place, plan in plans.items():
            is_new = plan.action in {"create", "replace"} and place not in begun
            if is_new and not _has_new(own.get(place, []), plan.old_id, is_replace=plan.action == "replace"):
                lost.append(_lost(None, plan, plan.address, "create", "unknown", RUNNER_DIED))
    return lost


def _judge(
    step: ApplyStep, plan: Planned | None, own: list[HeldInstance], now: list[HeldInstance], *, is_ended: bool
) -> Lost | None:
    """Judge one step by what the run's own states hold at its address, and what the current one holds now."""
    is_replace = plan is not None and plan.action == "replace"
    old_id = plan.old_id if plan is not None else None
    if step.action == "create":
        if step.outcome == "complete":
            # What was created may be in any of these states; what was destroyed must be gone from the current one.
            is_named = bool(step.id_value) and MASK not in step.id_value
            if holds([*own, *now] if is_named else own, step.id_key, step.id_value):
                return None
            return _lost(step, plan, step.address, "create", "created", _CREATED)
        if _has_new(own, old_id, is_replace=is_replace) or (step.outcome == "errored" and is_ended):
            return None
        reason = _CREATE_FAILED if step.outcome == "errored" else _CREATING
        return _lost(step, plan, step.address, "create", "unknown", reason)
    if step.action == "update":
        return None if step.outcome != "started" else _lost(step, plan, step.address, "update", "unknown", _UPDATING)
    if step.outcome == "errored" or not holds(now, step.id_key, step.id_value):
        return None
    if step.outcome == "complete":
        return _lost(step, plan, step.address, "delete", "destroyed", _DESTROYED)
    return _lost(step, plan, step.address, "delete", "unknown", _DESTROYING)


def holds(held: Iterable[HeldInstance], id_key: str, id_value: str) -> bool:
    """Return whether one of the instances at a place is the one of that id; without an id, whether there is any."""
    for instance in held:
        known = instance.names.get(id_key)
        if not id_value or MASK in id_value or known is None or known == id_value:
            return True
    return False


def _has_new(held: list[HeldInstance], old_id: str | None, *, is_replace: bool) -> bool:
    """Return whether a state holds what was to be created, and not only what it replaces."""
    if not is_replace:
        return bool(held)
    return old_id is not None and any(found.names.get("id") not in {None, old_id} for found in held)


def _lost(
    step: ApplyStep | None, plan: Planned | None, address: str, change: Change, outcome: RecoveryOutcome, reason: str
) -> Lost:
    return Lost(
        address=address,
        action="replace" if plan is not None and plan.action == "replace" else change,
        change=change,
        outcome=outcome,
        reason=reason,
        provider=plan.provider if plan is not None else "",
        type=(plan.type if plan is not None else "") or (step.resource_type if step is not None else ""),
        id_key=step.id_key if step is not None else "",
        resource_id="" if step is None or MASK in step.id_value else step.id_value,
        is_id_hidden=step is not None and MASK in step.id_value,
        old_id=plan.old_id if plan is not None else None,
        started_at=step.started_at if step is not None else None,
        hints=plan.hints if plan is not None and change == "create" else {},
    )


def _place(address: str) -> InstancePlace | None:
    try:
        return place_of(address)
    except Invalid:
        return None
