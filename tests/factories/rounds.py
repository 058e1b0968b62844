"""A race again and again, each time in a workspace of its own and with another head start; and what it left."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import select

from app.core.db import unit_of_work
from app.runs.models import TerraformRun
from app.runs.repository import LIVE_VALUES
from app.state import service as state
from tests.factories.scene import Scene, second_workspace
from tests.support.races import ROUNDS


def rounds(tenant: Scene, **rules: Any) -> Iterator[tuple[Scene, tuple[float, ...]]]:
    """Yield a fresh workspace for each head start."""
    for delays in ROUNDS:
        yield second_workspace(tenant, **rules), delays


def live(scene: Scene) -> list[str]:
    with unit_of_work() as session:
        wanted = TerraformRun.workspace_id == scene.workspace.id, TerraformRun.status.in_(LIVE_VALUES)
        return list(session.scalars(select(TerraformRun.id).where(*wanted).order_by(TerraformRun.id)))


def lock_holder(scene: Scene) -> str | None:
    with unit_of_work() as session:
        held = state.held_lock(session, scene.workspace.id)
        return held.run_id if held is not None else None
