from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.settings import get_settings
from tests.factories.policies import PolicySets
from tests.factories.scene import Scene
from tests.factories.supervisors import Supervisors


@pytest.fixture
def sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PolicySets]:
    """Give the directory that policy sets are read from, for the test to write."""
    monkeypatch.setenv("SLUICE_POLICIES_DIR", str(tmp_path / "policies"))
    get_settings.cache_clear()
    yield PolicySets(tmp_path / "policies")
    get_settings.cache_clear()


@pytest.fixture
def supervisors(scene: Scene) -> Iterator[Supervisors]:
    """Give scripted supervisors of the module's scene; at the test's end they may all end."""
    made = Supervisors(scene)
    yield made
    made.may_end.set()
