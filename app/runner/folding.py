"""What an apply said of its resources, put together: one step for each resource and action. Pure."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal, NamedTuple, cast

from app.runner.port import ApplyStep

LONGEST_ID = 4096
_Action = Literal["create", "update", "delete"]
_ACTIONS = frozenset({"create", "update", "delete"})
_OUTCOMES: dict[str, Literal["started", "complete", "errored"]] = {
    "apply_start": "started",
    "apply_complete": "complete",
    "apply_errored": "errored",
}


class Told(NamedTuple):
    """One thing that the engine said of a resource: ``kind`` is `apply_start`, `refresh_complete`, ….

    ``id_value`` is masked already; ``at`` is when it was said.
    """

    kind: str
    address: str
    action: str
    resource_type: str
    id_key: str
    id_value: str
    at: datetime | None


def fold(told: Iterable[Told]) -> tuple[ApplyStep, ...]:
    """Return what was begun, in the order in which it was; what is no step of an apply is left out.

    Of each resource and action the last outcome counts, the first time, and the last id that is not empty (at most
    ``LONGEST_ID`` characters of it): a deletion names its resource when it begins, a creation when it is done.
    """
    found: dict[tuple[str, str], ApplyStep] = {}
    for said in told:
        outcome = _OUTCOMES.get(said.kind)
        if outcome is None or said.action not in _ACTIONS:
            continue
        known = found.get((said.address, said.action))
        found[said.address, said.action] = ApplyStep(
            address=said.address,
            action=cast(_Action, said.action),
            outcome=outcome,
            resource_type=said.resource_type or (known.resource_type if known is not None else ""),
            id_key=said.id_key or (known.id_key if known is not None else ""),
            id_value=said.id_value[:LONGEST_ID] or (known.id_value if known is not None else ""),
            started_at=known.started_at if known is not None and known.started_at is not None else said.at,
        )
    return tuple(found.values())
