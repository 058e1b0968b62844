"""A tenant with plans that were judged."""

from typing import Any

import pytest
from sqlalchemy.orm import Session

from tests.factories.scene import Scene, new_scene


@pytest.fixture
def scene(session: Session, sent_jobs: Any) -> Scene:
    """A tenant inside the test's transaction."""
    return new_scene()
