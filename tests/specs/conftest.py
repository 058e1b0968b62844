from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from app.core.permissions import Actor
from app.core.settings import get_settings
from tests.workspaces.tenant import new_tenant


@pytest.fixture
def actor(session: Session) -> Actor:
    return new_tenant(session)


@pytest.fixture
def modules_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An operator's modules directory with one module, ``network``."""
    root = tmp_path / "modules"
    (root / "network").mkdir(parents=True)
    (root / "network" / "main.tf").write_text('variable "cidr" {}\nvariable "names" { default = [] }\n')
    monkeypatch.setenv("SLUICE_MODULES_DIR", str(root))
    get_settings.cache_clear()
    return root


@pytest.fixture(autouse=True)
def _settings_again() -> object:
    yield
    get_settings.cache_clear()
