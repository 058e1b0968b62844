from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.orm import Session

from app.core.db import unit_of_work
from app.state import service
from app.state.schemas import StateVersionOut
from tests.factories.scene import Scene, new_scene

Store = Callable[..., StateVersionOut]


@pytest.fixture
def scene(session: Session) -> Scene:
    return new_scene()


@pytest.fixture
def store(scene: Scene) -> Store:
    """Store a state version in a transaction of its own, as a run does."""

    def act(data: bytes, *, run_id: str | None = None, kind: Any = "applied") -> StateVersionOut:
        with unit_of_work() as session:
            return service.store_version(
                session,
                organization_id=scene.organization_id,
                workspace_id=scene.workspace.id,
                run_id=run_id,
                kind=kind,
                data=data,
                created_by=scene.admin.describe(),
            )

    return act
