from pathlib import Path

import pytest

from app.core.settings import Settings
from app.executor import collector
from app.executor.collector import collector_variables, memory_bytes
from app.executor.environment import EnvironmentOptions, engine_environment

MEBIBYTE = 1024 * 1024


def test_memory_bytes_limited_control_group_returns_its_limit(tmp_path: Path) -> None:
    limit = tmp_path / "memory.max"
    limit.write_text("1048576\n")

    assert memory_bytes(limit) == MEBIBYTE


@pytest.mark.parametrize("content", ["max\n", None])
def test_memory_bytes_unlimited_returns_the_machine_s(tmp_path: Path, content: str | None) -> None:
    limit = tmp_path / "memory.max"
    if content is not None:
        limit.write_text(content)

    assert memory_bytes(limit) > 64 * MEBIBYTE


def test_collector_variables_share_the_memory_among_supervisors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collector, "memory_bytes", lambda: 8 * 1024 * MEBIBYTE)

    assert collector_variables(Settings(worker_concurrency=1)) == {"GOGC": "400", "GOMEMLIMIT": "3072MiB"}
    assert collector_variables(Settings(worker_concurrency=4)) == {"GOGC": "400", "GOMEMLIMIT": "2048MiB"}


@pytest.mark.parametrize(("mebibytes", "concurrency"), [(512, 1), (4095, 4)])
def test_collector_variables_short_of_memory_sets_nothing(
    monkeypatch: pytest.MonkeyPatch, mebibytes: int, concurrency: int
) -> None:
    monkeypatch.setattr(collector, "memory_bytes", lambda: mebibytes * MEBIBYTE)

    assert collector_variables(Settings(worker_concurrency=concurrency)) == {}


def test_collector_variables_go_s_own_default_sets_nothing() -> None:
    assert collector_variables(Settings(engine_gogc=100)) == {}


def test_engine_environment_workspace_s_gogc_wins() -> None:
    options = EnvironmentOptions(home="/h", temporary="/t", collector={"GOGC": "400", "GOMEMLIMIT": "1024MiB"})

    environment = engine_environment({}, {"GOGC": "50"}, options)

    assert (environment["GOGC"], environment["GOMEMLIMIT"]) == ("50", "1024MiB")
