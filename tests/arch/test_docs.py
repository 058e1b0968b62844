"""The tables in the docs are what the code says."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"\]\((?![a-z]+:)([^)#\s]*)(?:#([^)\s]+))?\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def slug(heading: str) -> str:
    """Return a heading's anchor, as it is made where Markdown is shown."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.fixture(scope="module")
def docs() -> ModuleType:
    spec = importlib.util.spec_from_file_location("sluice_tools_docs", ROOT / "tools" / "docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["ARCHITECTURE.md", "docs/reference.md", "docs/people-and-tokens.md"])
def test_document_holds_the_tables_that_the_code_makes(docs: ModuleType, name: str) -> None:
    text = (ROOT / name).read_text()
    assert docs.rendered(text) == text, f"{name} is not what the code says: run `make docs`"


def test_every_table_has_a_place(docs: ModuleType) -> None:
    found = set.union(*(docs.names(document.read_text()) for document in docs.DOCUMENTS))
    assert found == set(docs.TABLES)


def test_every_link_between_documents_leads_somewhere() -> None:
    documents = [
        ROOT / "README.md",
        ROOT / "ARCHITECTURE.md",
        *(ROOT / "docs").glob("**/*.md"),
        *(ROOT / "deploy").glob("*.md"),
    ]
    broken = []
    for document in documents:
        for target, anchor in LINK.findall(document.read_text()):
            found = document.parent / target if target else document
            if not found.exists():
                broken.append(f"{document.name}: {target}")
            elif anchor and anchor not in {slug(line) for line in HEADING.findall(found.read_text())}:
                broken.append(f"{document.name}: {target}#{anchor}")
    assert broken == []


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    pages = [page.name for page in (ROOT / "docs").glob("*.md") if page.name != "README.md"]
    assert [page for page in pages if f"({page})" not in index] == []


def test_rendered_changed_table_is_put_right(docs: ModuleType) -> None:
    text = "<!-- table: run-states -->\nwrong\n<!-- /table -->\n"
    assert "| queued | claim |" in docs.rendered(text)


def test_every_decision_record_is_one_page_and_listed() -> None:
    listed = (ROOT / "docs" / "adr" / "README.md").read_text()
    records = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))
    assert [record.name[:4] for record in records] == [f"{number:04}" for number in range(1, len(records) + 1)]
    for record in records:
        assert f"({record.name})" in listed, record.name
        assert len(record.read_text().splitlines()) <= 60, f"{record.name} is longer than a page"
