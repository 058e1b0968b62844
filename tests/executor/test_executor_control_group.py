"""Control groups on a tree that is laid out as the kernel does it: what is looked at, and what is written when."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from app.executor import control_group
from app.executor.watchdog import TreeLimits

LIMITS = TreeLimits(memory_bytes=1000, processes=100)
Lay = Callable[..., Path]


@pytest.fixture
def lay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lay:
    """Lay out a group and say that this process is in it."""
    kernel_makes = Path.mkdir

    def mkdir(path: Path, *arguments: object, **options: object) -> None:
        kernel_makes(path, *arguments, **options)  # type: ignore[arg-type]
        if path.is_relative_to(tmp_path / "root"):
            for name in ("cgroup.procs", "cgroup.subtree_control", "memory.max", "memory.swap.max", "pids.max"):
                (path / name).write_text("")
            (path / "cgroup.controllers").write_text("cpu memory pids")

    monkeypatch.setattr(Path, "mkdir", mkdir)

    def lay(group: str, *, handed_over: str | None) -> Path:
        (tmp_path / "root").mkdir()
        here = tmp_path / "root"
        for part in Path(group).parts:
            here /= part
            here.mkdir()
        (here / "cgroup.procs").write_text(f"{os.getpid()}\n")
        if handed_over is not None:
            try:
                os.setxattr(tmp_path / "root" / handed_over, "user.delegate", b"1")
            except OSError:
                pytest.skip("no extended attributes here")
        (tmp_path / "own").write_text(f"4:memory:/other\n0::/{group}\n")
        control_group.found.cache_clear()
        return here

    return lay


def found(tmp_path: Path) -> Path | None:
    return control_group.found(tmp_path / "own", tmp_path / "root")


def test_found_beside_the_worker_s_own_group(lay: Lay, tmp_path: Path) -> None:
    here = lay("system/sluice.service/worker", handed_over="system/sluice.service")
    assert found(tmp_path) == here.parent


@pytest.mark.parametrize("handed_over", [None, "system"])
def test_found_what_was_not_handed_over_is_left_alone(lay: Lay, tmp_path: Path, handed_over: str | None) -> None:
    here = lay("system/sluice.service/worker", handed_over=handed_over)
    assert found(tmp_path) is None
    assert (here.parent / "cgroup.subtree_control").read_text() == ""


def test_settle_in_a_container_moves_the_worker_below_the_root(lay: Lay, tmp_path: Path) -> None:
    here = lay("", handed_over=None)
    (here / "cgroup.type").write_text("domain")
    assert found(tmp_path) is None
    control_group.settle(tmp_path / "own", tmp_path / "root")
    assert (here / "sluice-worker" / "cgroup.procs").read_text() == str(os.getpid())


def test_settle_leaves_a_unit_of_systemd_as_it_is(lay: Lay, tmp_path: Path) -> None:
    here = lay("system/sluice.service", handed_over="system/sluice.service")
    control_group.settle(tmp_path / "own", tmp_path / "root")
    assert not (here / "sluice-worker").exists()


def test_settle_without_version_2_does_nothing(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("4:memory:/x\n")
    control_group.settle(tmp_path / "own", tmp_path)
    assert found(tmp_path) is None


def test_group_holds_limits_and_process(lay: Lay, tmp_path: Path) -> None:
    here = lay("unit", handed_over="unit")
    group = control_group.Group(here, "engine-7", LIMITS)
    group.take(7)
    read = {file.name: file.read_text() for file in (here / "engine-7").iterdir()}
    assert (read["memory.max"], read["memory.swap.max"], read["pids.max"]) == ("1000", "0", "110")
    assert read["cgroup.procs"] == "7"
    assert not group.has_killed()
    (here / "engine-7" / "memory.events").write_text("low 0\noom 3\noom_kill 1\n")
    assert group.has_killed()


def test_group_of_a_kernel_without_the_controller_is_none(lay: Lay, tmp_path: Path) -> None:
    here = lay("unit/worker", handed_over="unit")
    (here.parent / "cgroup.controllers").write_text("cpu")
    assert found(tmp_path) is None


def test_sweep_removes_old_empty_groups_of_engines_alone(lay: Lay, tmp_path: Path) -> None:
    here = lay("system/sluice.service/worker", handed_over="system/sluice.service")
    assert found(tmp_path) == here.parent
    for name in ("engine-1-old", "engine-2-used", "engine-3-young", "another"):
        os.mkdir(here.parent / name)  # noqa: PTH102 - Path.mkdir lays out a group here
    (here.parent / "engine-2-used" / "busy").touch()
    for name in ("engine-1-old", "engine-2-used", "another"):
        os.utime(here.parent / name, (1, 1))
    assert control_group.sweep(tmp_path / "own", tmp_path / "root") == 1
    assert sorted(path.name for path in here.parent.iterdir() if path.is_dir()) == [
        "another",
        "engine-2-used",
        "engine-3-young",
        "worker",
    ]
