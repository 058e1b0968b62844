import os
from pathlib import Path

import pytest

from app.executor.documents import MOST_PARTS, load
from app.executor.engine import Site
from app.executor.errors import ProcessFailed
from app.executor.events import PlainText, parse
from app.executor.terraform import kept_state
from app.executor.trees import remove_tree


def nest(directory: Path, levels: int) -> None:
    """Make directories deeper than a path can be long."""
    held = os.open(directory, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d" * 20, dir_fd=held)
        deeper = os.open("d" * 20, os.O_RDONLY, dir_fd=held)
        os.close(held)
        held = deeper
    os.close(os.open("file", os.O_WRONLY | os.O_CREAT, dir_fd=held))
    os.close(held)


def test_remove_tree_deeper_than_paths_and_recursion_is_gone(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    nest(root, 3000)
    (root / ".removing-0").mkdir()
    remove_tree(root)
    assert not root.exists()


def test_remove_tree_follows_no_link(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("kept")
    root = tmp_path / "root"
    (root / "below").mkdir(parents=True)
    (root / "link").symlink_to(kept)
    (root / "below" / "link").symlink_to(kept)
    remove_tree(root)
    assert not root.exists()
    assert (kept / "file").read_text() == "kept"


def test_remove_tree_that_is_a_link_is_refused(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (tmp_path / "root").symlink_to(kept)
    with pytest.raises(OSError, match="directory"):
        remove_tree(tmp_path / "root")
    assert kept.exists()


def test_remove_tree_without_rights_is_gone(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "closed" / "inner").mkdir(parents=True)
    (root / "closed" / "inner" / "file").touch()
    (root / "closed" / "inner").chmod(0o000)
    (root / "closed").chmod(0o500)
    remove_tree(root)
    assert not root.exists()


def test_remove_tree_that_is_not_there_is_quiet(tmp_path: Path) -> None:
    remove_tree(tmp_path / "nothing")
    remove_tree(tmp_path / "nothing" / "below")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"[" * 200_000 + b"]" * 200_000, "deep"),
        (b"[" + b"0," * MOST_PARTS + b"0]", "parts"),
        (b"{", "EOF while parsing"),
    ],
    ids=["deep", "many", "broken"],
)
def test_load_json_that_a_supervisor_can_t_hold_is_a_value_error(content: bytes, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        load(content)


@pytest.mark.parametrize(
    ("content", "is_kept"),
    [
        (b'{"serial": 1, "resources": []}', True),
        (b'{"serial": 1, "outputs": ' + b"[" * 3000 + b"]" * 3000 + b"}", True),
        (b'{"serial": 1, "outputs": ' + b"9" * 5000 + b"}", True),
        (b'{"serial": 1, "outputs": {"a', False),
        (b'{"serial": 1, "outputs": "\xc3', False),
        (b"[]", False),
        (b'{"serial": "1"}', False),
    ],
    ids=["state", "deep", "digits", "cut", "cut in a character", "list", "no serial"],
)
def test_kept_state_loses_no_state_that_is_more_than_is_read(tmp_path: Path, content: bytes, is_kept: bool) -> None:
    (tmp_path / "errored.tfstate").write_bytes(content)
    kept = kept_state(tmp_path)
    assert kept.errored == (content if is_kept else None)
    assert kept.unreadable == (() if is_kept else ("errored.tfstate",))


def test_parse_deeply_nested_line_is_plain_text() -> None:
    line = '{"@message":' + "[" * 200_000
    assert parse(line) == PlainText("info", line)


@pytest.mark.parametrize("module_path", ["modules/prod", "modules"])
def test_site_module_behind_a_link_out_of_the_configuration_is_refused(tmp_path: Path, module_path: str) -> None:
    other = tmp_path / "other"
    (other / "prod").mkdir(parents=True)
    site = Site(tmp_path / "run", module_path)
    site.work.mkdir(parents=True)
    (site.work / "modules").symlink_to(other)
    with pytest.raises(ProcessFailed, match="leaves the configuration"):
        _ = site.module


def test_site_module_behind_a_link_within_the_configuration_is_taken(tmp_path: Path) -> None:
    site = Site(tmp_path / "run", "live")
    (site.work / "prod").mkdir(parents=True)
    (site.work / "live").symlink_to("prod")
    assert site.module == site.work / "live"
