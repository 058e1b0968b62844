from collections.abc import Callable

import pytest
from sqlalchemy.orm import Session

from app.state.schemas import StateVersionOut
from tests.factories.scene import Scene, new_scene

Store = Callable[..., StateVersionOut]


@pytest.fixture
def scene(session: Session) -> Scene:
    return new_scene()


@pytest.fixture
def store(scene: Scene) -> Store:
    """Store a state version in a transaction of its own, as a run does."""
    return scene.store
