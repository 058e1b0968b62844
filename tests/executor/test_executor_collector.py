from pathlib import Path

import pytest

from app.core.settings import Settings
from app.executor import collector
from app.executor.collector import collector_variables, memory_bytes
from app.executor.environment import EnvironmentOptions, engine_environment

MEBIBYTE = 1024 * 1024


@pytest.mark.parametrize(
    ("limits", "expected"),
    [(("max", "1048576", "max"), MEBIBYTE), (("max", "2097152", "1048576"), MEBIBYTE), (("max", "max", None), None)],
)
def test_memory_bytes_is_the_least_of_the_groups_above(
    tmp_path: Path, limits: tuple[str | None, ...], expected: int | None
) -> None:
    (tmp_path / "own").write_text("0::/unit/worker\n")
    for place, limit in zip(("root", "root/unit", "root/unit/worker"), limits, strict=True):
        (tmp_path / place).mkdir()
        (tmp_path / place / "cgroup.procs").touch()
        if limit is not None:
            (tmp_path / place / "memory.max").write_text(f"{limit}\n")

    found = memory_bytes(tmp_path / "own", tmp_path / "root")

    assert found == expected if expected is not None else found > 64 * MEBIBYTE


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
