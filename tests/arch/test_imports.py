"""What import-linter's contracts can't say: which files of a slice are its face, and where a commit may stand."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "app"
PUBLIC = {"service", "schemas", "errors", "events"}
"""A slice's face: what it does, says, raises, and the typed facts that it publishes."""
SLICES = {path.parent.name for path in APP.glob("*/models.py")} - {"core"}
FILES = sorted(file for file in APP.rglob("*.py") if "versions" not in file.parts)
MAX_LINES = 500


def slice_of(file: Path) -> str | None:
    name = file.relative_to(APP).parts[0]
    return name if name in SLICES else None


def imported(file: Path) -> Iterator[str]:
    """Every module that a file imports; for `from a import b` both readings, a and a.b."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def private_imports(file: Path) -> list[str]:
    own = slice_of(file)
    found = []
    for name in imported(file):
        parts = name.split(".")
        if parts[0] == "app" and len(parts) > 2 and parts[1] in SLICES and parts[1] != own and parts[2] not in PUBLIC:
            found.append(name)
    return found


def test_slices_are_found() -> None:
    assert {"runs", "identity", "state", "approvals"} <= SLICES


READERS = {"inbox", "overview", "codegen"}
"""Packages without rows of their own, which see other slices as a slice does."""


@pytest.mark.parametrize("name", sorted(SLICES | READERS))
def test_slice_imports_only_the_face_of_other_slices(name: str) -> None:
    wrong = {
        str(file.relative_to(ROOT)): found for file in (APP / name).rglob("*.py") if (found := private_imports(file))
    }
    assert wrong == {}, f"another slice sees {', '.join(sorted(PUBLIC))} only"


def test_private_imports_finds_one(tmp_path: Path) -> None:
    file = APP / "halt" / "sample.py"
    tree = "from app.runs import repository\nfrom app.runs.service import approve\nimport app.state.models\n"

    class Sample(type(file)):  # type: ignore[misc]
        def read_text(self, *_: object, **__: object) -> str:
            return tree

    assert private_imports(Sample(file)) == ["app.runs.repository", "app.state.models"]


def commits(file: Path) -> list[int]:
    return [
        node.lineno
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"commit", "rollback"}
    ]


def test_commits_stand_at_the_edge_only() -> None:
    found = {str(file.relative_to(APP)) for file in FILES if commits(file)}
    assert found <= {"core/db.py", "migrations/env.py"}, "a unit of work commits at the edge; no slice does"


def test_files_are_short_enough_for_one_job() -> None:
    lengths = {str(file.relative_to(APP)): len(file.read_text().splitlines()) for file in FILES}
    assert {name: lines for name, lines in lengths.items() if lines > MAX_LINES} == {}
