"""What an apply had begun when it ended other than well, off the engine's own words."""

from app.core.masking import Masker
from app.executor import transcript
from app.executor.engine import Site
from app.executor.launch import Ended
from app.runner.folding import Told, fold
from app.runner.port import ApplySteps

APPLY = "apply"
_LIMIT_BYTES = 512 * 1024 * 1024


def gather(site: Site, *, masker: Masker | None = None, is_ended: bool = False) -> ApplySteps:
    """Return what the apply that ran in ``site`` had begun; nothing when none was started. Raises ``OSError``.

    ``is_ended``: the engine ended by itself, and the state that it left is stored.
    """
    mask = masker or Masker(())
    told = (
        Told(
            kind=event.kind,
            address=event.address,
            action=event.action,
            resource_type=event.resource_type,
            id_key=event.id_key,
            id_value=mask.text(event.id_value),
            at=at,
        )
        for event, at in transcript.steps(site.root, limit_bytes=_LIMIT_BYTES)
    )
    return ApplySteps(steps=fold(told), is_ended=is_ended)


def ended_by_itself(ends: tuple[Ended, ...]) -> bool:
    """Return whether no apply was started, or the last one left on its own account, with whatever exit code."""
    applies = [end for end in ends if end.command == APPLY]
    return not applies or applies[-1].exit_code is not None
