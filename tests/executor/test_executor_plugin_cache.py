"""The shared provider cache on disk: what enters, what is noticed, and what deaths leave."""

import os
from pathlib import Path

import pytest

from app.executor import plugin_cache
from app.executor.cancel import CancelSource, StopOrder
from app.executor.errors import PackageRefused
from app.executor.package_files import package_hash
from app.executor.plugin_cache import PLATFORM, PluginCache

ADDRESS = "registry.example.invalid/acme/demo"


@pytest.fixture
def cache(tmp_path: Path) -> PluginCache:
    made = PluginCache(tmp_path / "cache")
    assert made.open()
    return made


def package(directory: Path, content: bytes = b"a provider\n") -> Path:
    source = directory / "fetched"
    (source / "docs").mkdir(parents=True)
    (source / "terraform-provider-demo").write_bytes(content)
    (source / "terraform-provider-demo").chmod(0o755)
    (source / "docs" / "README.md").write_text("read me\n")
    return source


def admit(cache: PluginCache, version: str = "1.0.0", content: bytes = b"a provider\n") -> Path:
    with cache.stage() as directory:
        source = package(directory, content)
        hashes = frozenset({package_hash(source), "zh:1"})
        return cache.admit(source, ADDRESS, version, hashes=hashes, by="test").path


def test_package_hash_is_that_of_go(tmp_path: Path) -> None:
    # Made with golang.org/x/mod/sumdb/dirhash of the same two files.
    assert package_hash(package(tmp_path)) == "h1:jtRK2EYWYDYGfiTFjVerTudBHlvQQO98KuvEntbrEaQ="


def test_admit_makes_a_package_that_nobody_can_write_to(cache: PluginCache) -> None:
    path = admit(cache)

    found = cache.find(ADDRESS, "1.0.0")
    assert found is not None
    assert found.path == path
    assert found.hashes == {found.h1, "zh:1"}
    assert [oct(part.stat().st_mode & 0o777) for part in (path, path / "docs", path / "docs/README.md")] == [
        "0o555",
        "0o555",
        "0o444",
    ]
    assert list(cache.packages.parent.joinpath("staging").iterdir()) == []


def test_packages_are_readable_to_engines_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        cache = PluginCache(tmp_path / "strict")
        assert cache.open()
        path = admit(cache)
    finally:
        os.umask(before)
    above = [parent for parent in path.parents if parent.is_relative_to(cache.packages)]
    assert {oct(found.stat().st_mode & 0o777) for found in above} == {"0o755"}
    assert oct((cache.packages.parent / "manifests").stat().st_mode & 0o777) == "0o700"


def test_satisfies_knows_constraints_and_leaves_prereleases_to_those_who_name_them(cache: PluginCache) -> None:
    admit(cache, "1.4.0")
    admit(cache, "2.0.0-beta1")

    met = {text: cache.satisfies(ADDRESS, text) for text in ("", "~> 1.3", "= 1.4.0", "> 1.4", "= 2.0.0-beta1", "?")}

    assert met == {"": True, "~> 1.3": True, "= 1.4.0": True, "> 1.4": False, "= 2.0.0-beta1": True, "?": False}


@pytest.mark.parametrize("kind", ["link", "second name", "other checksum", "address", "pipe"])
def test_admit_refuses_what_is_no_verified_package(cache: PluginCache, kind: str, tmp_path: Path) -> None:
    with cache.stage() as directory:
        source = package(directory)
        address, hashes = ADDRESS, frozenset({package_hash(source)})
        if kind == "link":
            (source / "more").symlink_to("/etc/passwd")
        elif kind == "second name":
            (tmp_path / "kept").hardlink_to(source / "terraform-provider-demo")
        elif kind == "other checksum":
            (source / "terraform-provider-demo").write_bytes(b"another\n")
        elif kind == "address":
            address = "../../outside"
        else:
            os.mkfifo(source / "pipe")

        with pytest.raises(PackageRefused):
            cache.admit(source, address, "1.0.0", hashes=hashes, by="test")

    assert list(cache.packages.rglob("terraform-provider*")) == []


@pytest.mark.parametrize("damage", ["changed", "cut", "added", "without manifest", "manifest damaged"])
def test_find_sets_a_damaged_package_aside(cache: PluginCache, damage: str) -> None:
    path = admit(cache)
    binary = path / "terraform-provider-demo"
    manifest = cache.packages.parent / "manifests" / ADDRESS / "1.0.0" / f"{PLATFORM}.json"
    path.chmod(0o755)
    binary.chmod(0o755)
    if damage == "changed":
        binary.write_bytes(b"A provider\n")
    elif damage == "cut":
        os.truncate(binary, 3)
    elif damage == "added":
        (path / "more").write_text("more")
    elif damage == "without manifest":
        manifest.unlink()
    else:
        manifest.write_text("{")

    assert cache.find(ADDRESS, "1.0.0") is None

    assert not path.exists()
    assert len(list(cache.packages.parent.joinpath("set-aside").iterdir())) == 1
    assert admit(cache) == path
    assert cache.find(ADDRESS, "1.0.0") is not None


def test_find_takes_a_restored_package_for_what_it_is(cache: PluginCache) -> None:
    path = admit(cache)
    os.utime(path / "terraform-provider-demo", (1, 1))

    assert cache.find(ADDRESS, "1.0.0") is not None
    assert cache.check_all() == []


def test_check_all_sets_a_damaged_package_aside(cache: PluginCache) -> None:
    path = admit(cache)
    sound = admit(cache, "1.1.0")
    binary = path / "terraform-provider-demo"
    binary.chmod(0o755)
    binary.write_bytes(b"A provider\n")

    assert cache.check_all() == [f"{ADDRESS}/1.0.0/{PLATFORM}"]
    assert not path.exists()
    assert sound.exists()


def test_sweep_leaves_what_is_being_fetched(cache: PluginCache) -> None:
    staging = cache.packages.parent / "staging"
    (staging / "dead" / "work").mkdir(parents=True)
    with cache.stage() as living:
        (living / "work").mkdir()

        cache.sweep()

        assert list(staging.iterdir()) == [living]
    assert list(staging.iterdir()) == []


def test_hold_is_given_up_by_an_order_to_stop(cache: PluginCache) -> None:
    order = CancelSource()
    with cache.hold(ADDRESS, CancelSource()) as first:
        order.request(StopOrder.CANCEL)
        with cache.hold(ADDRESS, order) as second:
            assert (first, second) == (True, False)
    order.close()


def test_open_of_a_directory_that_cannot_be_written_reads_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = PluginCache(tmp_path / "cache")
    cache.open()
    monkeypatch.setattr(os, "access", lambda *_: False)

    assert not cache.open()


def nest(directory: Path, levels: int) -> None:
    """Make directories in one another, far beyond the length that a path can have."""
    here = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(levels):
        os.mkdir("deep", dir_fd=here)
        below = os.open("deep", os.O_RDONLY | os.O_DIRECTORY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)


def test_stage_and_sweep_remove_directories_nested_deeper_than_any_stack(cache: PluginCache) -> None:
    staging = cache.packages.parent / "staging"
    (staging / "dead").mkdir()
    nest(staging / "dead", 1100)
    cache.sweep()
    assert list(staging.iterdir()) == []

    with cache.stage() as directory:
        nest(directory, 1100)
    assert list(staging.iterdir()) == []


def test_sweep_removes_what_was_set_aside_long_ago(cache: PluginCache, monkeypatch: pytest.MonkeyPatch) -> None:
    aside = cache.packages.parent / "set-aside"
    package = aside / "a-package" / "1.0.0"
    package.mkdir(parents=True)
    (package / "provider").touch()
    package.chmod(0o555)
    cache.sweep()
    assert package.is_dir()
    monkeypatch.setattr("app.executor.plugin_cache._SET_ASIDE_SECONDS", -1.0)
    cache.sweep()
    assert list(aside.iterdir()) == []


def test_sweep_sets_aside_what_cannot_be_removed(cache: PluginCache, monkeypatch: pytest.MonkeyPatch) -> None:
    staging = cache.packages.parent / "staging"
    (staging / "dead").mkdir()

    def fail(path: Path) -> None:
        raise RecursionError(path)

    monkeypatch.setattr(plugin_cache, "remove_tree", fail)

    cache.sweep()

    assert list(staging.iterdir()) == []
    assert [path.name[:13] for path in (cache.packages.parent / "set-aside").iterdir()] == ["staging-dead-"]


def test_admit_refuses_directories_nested_deeply_before_it_walks_them(cache: PluginCache) -> None:
    with cache.stage() as directory:
        source = package(directory)
        hashes = frozenset({package_hash(source)})
        nest(source, 1100)

        with pytest.raises(PackageRefused, match="more than 32 directories"):
            cache.admit(source, ADDRESS, "1.0.0", hashes=hashes, by="test")
    assert list((cache.packages.parent / "staging").iterdir()) == []
