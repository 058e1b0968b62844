import hashlib
import os
from pathlib import Path

import pytest

from app.core.settings import Settings, get_settings
from app.executor import discovery
from app.executor.errors import EngineMissing, EngineRefused, ToolMissing

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


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def several(alone: Settings, tmp_path: Path) -> Settings:
    """A machine with a directory of engines, beside one on the PATH."""
    put(tmp_path / "path" / "tofu", "1.10.0")
    put(tmp_path / "engines" / "tofu-1.12.6", "1.12.6")
    put(tmp_path / "engines" / "tofu" / "1.9.1" / "tofu", "1.9.1")
    put(tmp_path / "engines" / "terraform-1.11.4", "1.11.4")
    put(tmp_path / "engines" / "notes.txt")
    return alone.model_copy(update={"engines_dir": tmp_path / "engines"})


def test_engines_of_a_directory_come_behind_the_one_on_the_path_newest_first(several: Settings) -> None:
    found = [(tool.kind, tool.version) for tool in discovery.find_engines(several)]
    assert found == [("tofu", "1.10.0"), ("tofu", "1.12.6"), ("tofu", "1.9.1"), ("terraform", "1.11.4")]


def test_engines_directory_that_is_missing_is_a_clear_error(alone: Settings, tmp_path: Path) -> None:
    with pytest.raises(EngineMissing, match="SLUICE_ENGINES_DIR names"):
        discovery.find_engine(alone.model_copy(update={"engines_dir": tmp_path / "nothing"}))


def test_engine_that_is_not_the_version_of_its_name_is_refused(several: Settings, tmp_path: Path) -> None:
    put(tmp_path / "engines" / "tofu-1.12.6", "1.12.5")
    assert "1.12.5" not in [tool.version for tool in discovery.find_engines(several)]


@pytest.mark.parametrize("known", [False, True], ids=["new", "known"])
def test_engine_of_another_checksum_than_listed_is_refused_before_it_runs(
    alone: Settings, tmp_path: Path, known: bool
) -> None:
    path = put(tmp_path / "path" / "tofu")
    if known:
        discovery.find_engine(alone)
    listed = tmp_path / "allowed"
    listed.write_text(f"# engines\n{'0' * 64}  tofu\n")

    with pytest.raises(EngineRefused, match="It was not run") as caught:
        discovery.find_engine(alone.model_copy(update={"engine_checksums": listed}))

    assert caught.value.fields["file"] == str(path)
    assert caught.value.fields["expected"] == "0" * 64
    assert caught.value.fields["found"] == sha256(path)
    assert runs(path) == int(known)


def test_engine_of_a_listed_checksum_is_used_whatever_its_name(alone: Settings, tmp_path: Path) -> None:
    path = put(tmp_path / "path" / "tofu")
    listed = tmp_path / "allowed"
    listed.write_text(f"{sha256(path)} *tofu_1.2.3_linux_amd64\n")
    settings = alone.model_copy(update={"engine_checksums": listed})

    assert discovery.find_engine(settings).sha256 == sha256(path)
    listed.write_text(f"{'1' * 64}  else\n")
    with pytest.raises(EngineRefused, match="does not list that"):
        discovery.find_engine(settings)
    listed.write_text("not a digest\n")
    with pytest.raises(EngineRefused, match="line 1 is not a SHA-256"):
        discovery.find_engine(settings)
    listed.unlink()
    with pytest.raises(EngineRefused, match="SLUICE_ENGINE_CHECKSUMS"):
        discovery.find_engine(settings)


def test_list_in_the_engines_directory_is_for_that_directory(several: Settings, tmp_path: Path) -> None:
    directory = tmp_path / "engines"
    (directory / "SHA256SUMS").write_text(
        f"{sha256(directory / 'tofu-1.12.6')}  tofu-1.12.6\n{'2' * 64}  ./tofu/1.9.1/tofu\n"
    )
    found = [(tool.kind, tool.version) for tool in discovery.find_engines(several)]
    assert found == [("tofu", "1.10.0"), ("tofu", "1.12.6")]
    assert runs(directory / "tofu/1.9.1/tofu") == 0
