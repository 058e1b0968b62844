"""One running Sluice for all tests of the command line, and directories to plan."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.server import RunningSluice, running_sluice


@pytest.fixture(scope="session")
def sluice() -> Iterator[RunningSluice]:
    with running_sluice(outgoing_allowed="127.0.0.1") as running:
        yield running


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A configuration of three resources and an output."""
    root = tmp_path / "configuration"
    root.mkdir()
    write(root)
    return root


def write(root: Path, count: int = 3, value: str = "one") -> None:
    (root / "main.tf").write_text(
        f"""
        resource "terraform_data" "thing" {{
          count            = {count}
          input            = "{value}"
          triggers_replace = "{value}"
        }}
        output "first" {{ value = one(slice(terraform_data.thing[*].output, 0, min(1, {count}))) }}
        """
    )
