"""`make tools`: what is fetched is verified, what is built says its version, and a second call does nothing."""

import hashlib
import importlib.util
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.usefixtures("spawns")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def tools() -> ModuleType:
    spec = importlib.util.spec_from_file_location("sluice_tools_install", ROOT / "tools" / "install.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def local_release(tools: ModuleType, directory: Path, program: str) -> object:
    """A release on this disk: a zip with a script that answers `version`, and the list of its checksums."""
    archive = directory / "demo_linux.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("demo", program)
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    (directory / "SUMS").write_text(f"{digest}  demo_linux.zip\n")
    return tools.Tool("demo", "1.2.3", None, (), (), directory.as_uri(), "demo_linux.zip", "SUMS")


def test_release_with_matching_published_checksum_gives_the_binary(tools: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "pins").write_text("# none\n")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    release = local_release(tools, tmp_path, "#!/bin/sh\necho demo v1.2.3\n")
    binary = tools.from_release(release, scratch, tmp_path / "pins")
    binary.chmod(0o755)
    assert tools.installed_version(binary) == "1.2.3"


def test_release_that_differs_from_the_committed_checksum_is_refused(tools: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "pins").write_text(f"{'0' * 64}  demo_linux.zip\n")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with pytest.raises(tools.ToolError, match="damaged or replaced"):
        tools.from_release(local_release(tools, tmp_path, "x"), scratch, tmp_path / "pins")


def test_release_with_one_changed_byte_is_refused(tools: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "pins").write_text("")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    release = local_release(tools, tmp_path, "x")
    content = bytearray((tmp_path / "demo_linux.zip").read_bytes())
    content[-1] ^= 1
    (tmp_path / "demo_linux.zip").write_bytes(content)
    with pytest.raises(tools.ToolError, match="was not installed"):
        tools.from_release(release, scratch, tmp_path / "pins")


def test_release_without_a_published_checksum_is_refused(tools: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "pins").write_text("")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    release = local_release(tools, tmp_path, "x")
    (tmp_path / "SUMS").write_text("")
    with pytest.raises(tools.ToolError, match="publishes no checksum"):
        tools.from_release(release, scratch, tmp_path / "pins")


def test_install_without_go_takes_the_release_once(
    tools: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tools.shutil, "which", lambda _: None)
    release = local_release(tools, tmp_path, "#!/bin/sh\necho demo v1.2.3\n")
    cache = tmp_path / "cache"
    cache.mkdir()
    assert "checksum verified" in tools.install(release, cache)
    made = (cache / "bin" / "demo").stat().st_mtime_ns
    assert "is there" in tools.install(release, cache)
    assert (cache / "bin" / "demo").stat().st_mtime_ns == made
    assert [path.name for path in cache.iterdir()] == ["bin"]


def test_install_of_another_version_leaves_the_cache_as_it_was(
    tools: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tools.shutil, "which", lambda _: None)
    release = local_release(tools, tmp_path, "#!/bin/sh\necho demo v9.9.9\n")
    cache = tmp_path / "cache"
    cache.mkdir()
    with pytest.raises(tools.ToolError, match=r"calls itself 9\.9\.9, not 1\.2\.3"):
        tools.install(release, cache)
    assert list(cache.iterdir()) == []


def test_every_tofu_platform_has_a_committed_checksum(tools: ModuleType) -> None:
    committed = tools.parse_checksums((ROOT / "tools" / "checksums.txt").read_text())
    names = {f"tofu_{tools.TOFU.version}_{s}_{m}.zip" for s in ("linux", "darwin") for m in ("amd64", "arm64")}
    assert names <= set(committed)
    assert f"github.com/opentofu/opentofu v{tools.TOFU.version}" in (ROOT / "tools" / "tofu" / "go.mod").read_text()
