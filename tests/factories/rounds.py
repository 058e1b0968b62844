"""A race again and again, each time in a workspace of its own and with another head start; and what it left."""

from collections.abc import Iterator
from typing import Any

from app.core.db import unit_of_work
from app.runs import halt_repository
from app.state import service as state
from tests.factories.scene import Scene, second_workspace
from tests.support.races import ROUNDS


def rounds(tenant: Scene, **rules: Any) -> Iterator[tuple[Scene, tuple[float, ...]]]:
    """Yield a fresh workspace for each head start."""
    for delays in ROUNDS:
        yield second_workspace(tenant, **rules), delays


def live(scene: Scene) -> list[str]:
    with unit_of_work() as session:
        rows = halt_repository.lock_live_in_scope(session, scene.organization_id, scene.workspace.id)
        return [row.id for row in rows]


def lock_holder(scene: Scene) -> str | None:
    with unit_of_work() as session:
        held = state.held_lock(session, scene.workspace.id)
        return held.run_id if held is not None else None
