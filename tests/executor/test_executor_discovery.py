import hashlib
import os
from pathlib import Path

import pytest

from app.core.settings import Settings, get_settings
from app.executor import discovery
from app.executor.errors import EngineMissing, ToolMissing

pytestmark = pytest.mark.processes
ENGINE = """#!/bin/sh
echo ran >> "$0.log"
echo '{"terraform_version": "%s"}'
"""


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A machine without any tool."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setattr(discovery, "_known", {})
    (tmp_path / "path").mkdir()
    return get_settings().model_copy(update={"tools_dir": tmp_path / "tools", "engine": None, "opa": None})


def put(path: Path, version: str = "1.2.3") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(ENGINE % version)
    path.chmod(0o755)
    return path


def runs(path: Path) -> int:
    log = path.with_name(f"{path.name}.log")
    return len(log.read_text().splitlines()) if log.exists() else 0


def test_engine_missing_names_places_and_remedies(alone: Settings) -> None:
    with pytest.raises(EngineMissing, match=r"make tools.*SLUICE_ENGINE") as caught:
        discovery.find_engine(alone)
    assert str(alone.tools_dir) in caught.value.detail
    assert discovery.find_engines(alone) == []


def test_engine_tofu_is_preferred_and_the_tools_cache_before_the_path(alone: Settings, tmp_path: Path) -> None:
    put(tmp_path / "path" / "terraform", "1.0.0")
    assert discovery.find_engine(alone).kind == "terraform"
    put(tmp_path / "path" / "tofu", "1.1.0")
    assert discovery.find_engine(alone).version == "1.1.0"
    put(tmp_path / "tools" / "bin" / "tofu", "1.2.0")
    assert discovery.find_engine(alone).version == "1.2.0"
    assert [(tool.kind, tool.version) for tool in discovery.find_engines(alone)] == [
        ("tofu", "1.2.0"),
        ("terraform", "1.0.0"),
    ]
    assert discovery.find_engine(alone, "terraform").version == "1.0.0"


def test_engine_setting_wins_and_must_be_of_the_kind_that_is_asked_for(alone: Settings, tmp_path: Path) -> None:
    put(tmp_path / "path" / "tofu")
    own = put(tmp_path / "own" / "terraform-fork", "9.9.9")
    settings = alone.model_copy(update={"engine": own})
    assert discovery.find_engine(settings).version == "9.9.9"
    with pytest.raises(EngineMissing, match="SLUICE_ENGINE names terraform"):
        discovery.find_engine(settings, "tofu")


def test_engine_setting_that_names_nothing_is_a_clear_error(alone: Settings, tmp_path: Path) -> None:
    with pytest.raises(EngineMissing, match="Correct SLUICE_ENGINE"):
        discovery.find_engine(alone.model_copy(update={"engine": tmp_path / "nothing"}))


def test_engine_digest_is_of_its_bytes_and_asked_for_once(
    alone: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put(tmp_path / "path" / "tofu")
    first = discovery.find_engine(alone)
    assert first.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert discovery.find_engine(alone) == first
    # Another process finds it in the cache file.
    monkeypatch.setattr(discovery, "_known", {})
    assert discovery.find_engine(alone) == first
    assert runs(path) == 1
    put(path, "1.2.4")
    os.utime(path, ns=(1, 1))
    assert discovery.find_engine(alone).version == "1.2.4"
    assert runs(path) == 2


def test_program_that_is_no_engine_is_refused(alone: Settings, tmp_path: Path) -> None:
    path = put(tmp_path / "path" / "tofu")
    path.write_text("#!/bin/sh\necho hello\n")
    with pytest.raises(ToolMissing, match="is it really tofu"):
        discovery.find_engine(alone)


def test_opa_missing_names_the_remedy(alone: Settings) -> None:
    with pytest.raises(ToolMissing, match="SLUICE_OPA"):
        discovery.find_opa(alone)


def test_opa_is_found_with_its_version(alone: Settings, tmp_path: Path) -> None:
    path = put(tmp_path / "tools" / "bin" / "opa")
    path.write_text("#!/bin/sh\necho 'Version: 1.22.0'\necho 'Rego Version: v1'\n")
    assert discovery.find_opa(alone).version == "1.22.0"


def test_unwritable_cache_is_no_error(alone: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    put(tmp_path / "path" / "tofu")
    assert discovery.find_engine(alone).version == "1.2.3"
