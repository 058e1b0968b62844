import os
from pathlib import Path

import pytest

from app.executor import prepared
from app.executor.files import Owner
from app.executor.prepared import Prepared, Shelf

LOCK = b'provider "registry.example/a/b" {}\n'


def initialized(module: Path, mirror: Path) -> Path:
    """Make what `init` leaves: a manifest, the backend's record, and a provider linked to a mirror."""
    (module / ".terraform/modules").mkdir(parents=True)
    (module / ".terraform/modules/modules.json").write_text('{"Modules":[]}')
    (module / ".terraform/terraform.tfstate").write_text('{"version":3}')
    version = module / ".terraform/providers/registry.example/a/b/1.0.0"
    version.mkdir(parents=True)
    package = mirror / "registry.example/a/b/1.0.0/linux_amd64"
    package.mkdir(parents=True, exist_ok=True)
    (version / "linux_amd64").symlink_to(package)
    (version / "linux_amd64.lock").touch()
    return module


def tree(root: Path) -> dict[str, str]:
    found = {}
    for path in sorted(root.rglob("*")):
        if path.is_symlink():
            found[str(path.relative_to(root))] = f"-> {path.readlink()}"
        elif path.is_file():
            found[str(path.relative_to(root))] = path.read_text()
    return found


def test_prepared_collected_and_laid_out_elsewhere_is_the_same(tmp_path: Path) -> None:
    first = initialized(tmp_path / "first", tmp_path / "mirror")
    made = prepared.collect(first, [tmp_path / "mirror"], LOCK)
    assert made is not None
    second = tmp_path / "second"
    (second / ".terraform").mkdir(parents=True)
    (second / ".terraform/old").touch()

    prepared.lay_out(second, made, owner=Owner())

    assert (second / ".terraform.lock.hcl").read_bytes() == LOCK
    assert tree(second / ".terraform") == tree(first / ".terraform")


def test_prepared_collect_unpacked_provider_is_not_kept(tmp_path: Path) -> None:
    module = initialized(tmp_path / "module", tmp_path / "mirror")
    package = module / ".terraform/providers/registry.example/a/c/1.0.0/linux_amd64"
    package.mkdir(parents=True)
    (package / "terraform-provider-c").write_text("a program")

    assert prepared.collect(module, [tmp_path / "mirror"], LOCK) is None


@pytest.mark.parametrize("target", ["/etc", "../../elsewhere", "{mirror}/../elsewhere"])
def test_prepared_collect_link_out_of_the_mirrors_is_not_kept(tmp_path: Path, target: str) -> None:
    module = initialized(tmp_path / "module", tmp_path / "mirror")
    (module / ".terraform/modules/away").symlink_to(target.format(mirror=tmp_path / "mirror"))

    assert prepared.collect(module, [tmp_path / "mirror"], LOCK) is None


def test_prepared_collect_too_large_is_not_kept(tmp_path: Path) -> None:
    module = initialized(tmp_path / "module", tmp_path / "mirror")
    for number in range(3):
        (module / f".terraform/modules/{number}").write_bytes(bytes(6 * 1024 * 1024))

    assert prepared.collect(module, [tmp_path / "mirror"], LOCK) is None


def test_shelf_takes_for_the_lock_file_given_and_for_the_one_made(tmp_path: Path) -> None:
    made = Prepared(b"archive", LOCK)
    Shelf(tmp_path, ["workspace", "digest"]).put(made, lock_file=None)

    shelf = Shelf(tmp_path, ["workspace", "digest"])
    assert shelf.take(None) == made
    assert shelf.take(LOCK) == made
    assert shelf.take(b"another") is None
    assert Shelf(tmp_path, ["other workspace", "digest"]).take(None) is None


def test_shelf_keeps_a_missing_lock_file_apart_from_an_empty_one(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, ["a"])
    shelf.put(Prepared(b"archive", None), lock_file=None)

    found = shelf.take(None)

    assert found is not None
    assert found.lock_file is None


@pytest.mark.parametrize("content", [b"", b"x", b"90\nshort"])
def test_shelf_damaged_file_is_as_if_not_there(tmp_path: Path, content: bytes) -> None:
    shelf = Shelf(tmp_path, ["a"])
    shelf.put(Prepared(b"archive", LOCK), lock_file=LOCK)
    (kept,) = tmp_path.iterdir()
    kept.write_bytes(content)

    assert shelf.take(LOCK) is None


def test_shelf_is_private_and_forgets_what_was_used_longest_ago(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepared, "_MOST_KEPT", 2)
    directory = tmp_path / "kept"
    shelves = [Shelf(directory, [number]) for number in range(3)]
    for age, shelf in zip((300, 200), shelves[:2], strict=True):
        shelf.put(Prepared(b"archive", None), lock_file=None)
        newest = max(directory.iterdir(), key=lambda path: path.stat().st_mtime)
        os.utime(newest, (newest.stat().st_atime - age, newest.stat().st_mtime - age))
    assert shelves[0].take(None) is not None, "taken now, so used last"

    shelves[2].put(Prepared(b"archive", None), lock_file=None)

    assert [shelf.take(None) is not None for shelf in shelves] == [True, False, True]
    assert directory.stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in directory.iterdir())


def test_shelf_that_can_t_be_written_keeps_nothing_and_raises_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    shelf = Shelf(tmp_path / "file" / "kept", ["a"])

    shelf.put(Prepared(b"archive", None), lock_file=None)

    assert shelf.take(None) is None
