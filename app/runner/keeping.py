"""Keeps the states that an engine leaves.

What lies in the run's directory, and copies of what lies in a backend of somebody else's (s3, azurerm, gcs, HCP
Terraform).
"""

import contextlib
from typing import Any

from pydantic import JsonValue

from app.core.errors import AppError, Conflict
from app.executor import documents
from app.executor.errors import EngineStopped
from app.runner.context import Context


class StateNotKept(Conflict):
    """The apply ended well, but the state it left is in quarantine: a newer one was stored meanwhile."""

    code = "state_quarantined"
    title = "The state was put into quarantine"


class StateBehind(Conflict):
    """The backend's state is older than the newest that Sluice has, or gone; planning from it would make things twice.

    ``serial`` is the backend's, ``newest`` the newest that Sluice has.
    """

    code = "state_behind"
    title = "The backend's state is older than the newest"


def position(state: bytes | None) -> tuple[str | None, int]:
    """Return lineage and serial of a state; none and 0 when there is none."""
    if state is None:
        return None, 0
    document: dict[str, Any] = documents.load(state)
    return document.get("lineage"), int(document.get("serial", 0))


def take_copy(context: Context) -> bytes | None:
    """Return the state that lies in the backend, once Sluice has a copy of it; None when there is none.

    A state that Sluice has not seen becomes a state version: it was there before, or moved outside. Raises
    ``StateBehind`` and what the engine raises.
    """
    job = context.job
    pulled = context.engine.pull_state()
    lineage, serial = position(pulled)
    if (lineage, serial) == (job.state_lineage, job.state_serial):
        return pulled
    if pulled is None or (lineage == job.state_lineage and serial < job.state_serial):
        found = "has no state" if pulled is None else f"has the state with serial {serial}"
        raise StateBehind(
            f"The backend {found}, but the newest that Sluice has is serial {job.state_serial}: planned from it, what "
            "exists would be made again. Put the newest into the backend: `sluice state download`, then `state push` "
            "with the engine.",
            serial=serial,
            newest=job.state_serial,
        )
    answer = context.stage.put_state("pulled", pulled)
    if answer.quarantined:
        raise _not_kept(answer.state_version_id)
    return pulled


def keep(context: Context, *, before: bytes | None, is_done: bool) -> str | None:
    """Store what an apply left, when it is new. Returns the id of the state version that is current now.

    With the managed backend the engine sends its state by itself: what is left here is only what it could not send.
    ``is_done``: the engine exited 0; else what stopped it is on its way to the control plane, and comes first.
    """
    kept = context.engine.kept_state()
    if kept.errored is not None:
        context.stage.put_state("errored", kept.errored)
    state = kept.state
    if not context.job.is_state_served:
        # What the engine could not send is newer than what its backend has.
        state = _pull(context, is_done=is_done) if kept.errored is None else None
    elif not context.job.keeps_state_here:
        return None
    if state is None or state == before:
        return None
    answer = context.stage.put_state("applied", state)
    if answer.quarantined:
        raise _not_kept(answer.state_version_id)
    return answer.state_version_id


def _pull(context: Context, *, is_done: bool) -> bytes | None:
    try:
        try:
            return context.engine.pull_state()
        except EngineStopped:
            # The order came while it was read. Once more, for as long as the grace period lasts.
            return context.engine.pull_state()
    except AppError as error:
        if is_done:
            raise
        job = context.job
        data: dict[str, JsonValue] = {"code": error.code, "message": context.masker.shown(error.detail)}
        with contextlib.suppress(AppError):
            context.port.evidence(job.run_id, job.fencing_token, "state_not_copied", data)
        return None


def _not_kept(kept_id: str) -> StateNotKept:
    return StateNotKept(
        "A newer state was stored while this run was at work, so what it left is in quarantine. See the workspace's "
        "recovery page.",
        state_version_id=kept_id,
    )
