"""What an apply had begun when it ended other than well, off the engine's own words."""

from datetime import datetime
from typing import Literal, cast

from app.executor import transcript
from app.executor.engine import Site
from app.executor.events import ResourceStep
from app.executor.launch import Ended
from app.runner.masking import Masker
from app.runner.port import ApplyStep, ApplySteps

APPLY = "apply"
_LIMIT_BYTES = 512 * 1024 * 1024
_LONGEST_ID = 4096
_Action = Literal["create", "update", "delete"]
_OUTCOMES: dict[str, Literal["started", "complete", "errored"]] = {
    "start": "started",
    "complete": "complete",
    "errored": "errored",
}


def gather(site: Site, *, masker: Masker | None = None, is_ended: bool = False) -> ApplySteps:
    """Return what the apply that ran in ``site`` had begun; nothing when none was started. Raises ``OSError``.

    ``is_ended``: the engine ended by itself, and the state that it left is stored.
    """
    found: dict[tuple[str, str], ApplyStep] = {}
    for event, at in transcript.steps(site.root, limit_bytes=_LIMIT_BYTES):
        _take(found, event, at, masker or Masker(()))
    return ApplySteps(steps=tuple(found.values()), is_ended=is_ended)


def ended_by_itself(ends: tuple[Ended, ...]) -> bool:
    """Return whether no apply was started, or the last one left on its own account, with whatever exit code."""
    applies = [end for end in ends if end.command == APPLY]
    return not applies or applies[-1].exit_code is not None


def _take(found: dict[tuple[str, str], ApplyStep], event: ResourceStep, at: datetime | None, masker: Masker) -> None:
    action = event.action
    if event.operation != APPLY or action not in {"create", "update", "delete"} or event.step not in _OUTCOMES:
        return
    known = found.get((event.address, action))
    # A deletion names its resource when it begins, a creation when it is done.
    found[event.address, action] = ApplyStep(
        address=event.address,
        action=cast(_Action, action),
        outcome=_OUTCOMES[event.step],
        resource_type=event.resource_type,
        id_key=event.id_key or (known.id_key if known is not None else ""),
        id_value=masker.text(event.id_value[:_LONGEST_ID]) or (known.id_value if known is not None else ""),
        started_at=known.started_at if known is not None and event.step != "start" else at,
    )
