import pytest
from sqlalchemy.orm import Session

from app.core.permissions import Actor
from tests.workspaces.tenant import new_tenant


@pytest.fixture
def actor(session: Session) -> Actor:
    return new_tenant(session)
