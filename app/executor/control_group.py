"""Control groups for engines, where the system has handed this worker a part of their tree (version 2 alone).

The kernel then counts all memory of an engine and what it starts, also what belongs to no process, and keeps to the
limit at every moment, where the watchdog looks twice a second. A part is ours when systemd marked it (``Delegate=``),
or when it is all that a container sees; what was not handed over is another's, even if it could be written to. Source:
https://systemd.io/CGROUP_DELEGATION, and the kernel's ``admin-guide/cgroup-v2.rst``.
"""

import contextlib
import logging
import os
import secrets
import time
from functools import lru_cache
from pathlib import Path

from app.executor.watchdog import TreeLimits

ROOT = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")
_OURS = "sluice-worker"
_REMOVE_SECONDS = 1.0
_YOUNG_SECONDS = 60.0
_log = logging.getLogger(__name__)


class Group:
    """One command's group, below ``parent``. Raises ``OSError`` when it can't be made."""

    def __init__(self, parent: Path, name: str, limits: TreeLimits) -> None:
        self._path = parent / name
        self._path.mkdir()
        try:
            if limits.memory_bytes is not None:
                _write(self._path / "memory.max", str(limits.memory_bytes))
                with contextlib.suppress(OSError):
                    # Without it a limit would only move memory to the disk; not every kernel counts swap.
                    _write(self._path / "memory.swap.max", "0")
            if limits.processes is not None:
                with contextlib.suppress(OSError):
                    _write(self._path / "pids.max", str(limits.processes * 11 // 10))
        except OSError:
            self.remove()
            raise

    def take(self, pid: int) -> None:
        """Put a process into the group; what it starts from here on is in it."""
        _write(self._path / "cgroup.procs", str(pid))

    def has_killed(self) -> bool:
        """Return whether the kernel has ended a process of the group for want of memory."""
        try:
            events = dict(line.split() for line in (self._path / "memory.events").read_text().splitlines())
            return int(events.get("oom_kill", 0)) > 0
        except (OSError, ValueError):
            return False

    def remove(self) -> None:
        """Remove the group, whose processes have ended; the kernel may take a moment to let it go."""
        until = time.monotonic() + _REMOVE_SECONDS
        while True:
            try:
                self._path.rmdir()
            except FileNotFoundError:
                return
            except OSError as error:
                if time.monotonic() > until:
                    _log.warning("a control group could not be removed: %s", error)
                    return
                time.sleep(0.01)
            else:
                return


def make(first: int, limits: TreeLimits) -> Group | None:
    """Return a group with the limits that holds the process ``first``; None where there can be none."""
    parent = found()
    if parent is None:
        return None
    try:
        # Process ids come again, and a supervisor that was killed leaves its engine's group behind.
        group = Group(parent, f"engine-{first}-{secrets.token_hex(4)}", limits)
        try:
            group.take(first)
        except OSError:
            group.remove()
            raise
    except OSError as error:
        _log.warning("an engine runs without a control group: %s", error)
        return None
    return group


def sweep(own: Path = OWN, root: Path = ROOT) -> int:
    """Remove the empty groups that supervisors left when they were killed; return how many.

    One that holds a process can't be removed, so none that is in use is; what has just been made for a process that is
    not in it yet is made again by nobody, so groups younger than a minute stay.
    """
    parent = found(own, root)
    removed = 0
    for group in parent.glob("engine-*") if parent is not None else ():
        with contextlib.suppress(OSError):
            if group.stat().st_mtime < time.time() - _YOUNG_SECONDS:
                group.rmdir()
                removed += 1
    return removed


def memory_limits(own: Path = OWN, root: Path = ROOT) -> list[int]:
    """Return the memory limits, in bytes, of this process's group and of every group above it."""
    here = _here(own, root)
    limits = []
    while here is not None and here.is_relative_to(root):
        with contextlib.suppress(OSError, ValueError):
            # A group without a limit says `max`.
            limits.append(int((here / "memory.max").read_text()))
        here = here.parent
    return limits


def settle(own: Path = OWN, root: Path = ROOT) -> None:
    """In a container that may write to its groups, move all that runs there into one below its root.

    The kernel gives limits only to the groups below one that holds no process itself. systemd does the same by
    ``DelegateSubgroup=``, and must: it could not start a unit again whose group we had emptied ourselves. Call it
    before anything is forked; quiet elsewhere.
    """
    here = _here(own, root)
    if here is None or here != root or not _is_handed_over(here, root):
        return
    try:
        below = here / _OURS
        below.mkdir(exist_ok=True)
        for pid in (here / "cgroup.procs").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                _write(below / "cgroup.procs", pid)
    except OSError as error:
        _log.warning("engines get no control groups: %s", error)
    found.cache_clear()


@lru_cache(maxsize=1)
def found(own: Path = OWN, root: Path = ROOT) -> Path | None:
    """Return the directory below which groups for engines can be made; None where there is none."""
    here = _here(own, root)
    if here is None or here == root:
        return None
    parent = here.parent
    if not _is_handed_over(parent, root):
        return None
    try:
        if "memory" not in (parent / "cgroup.controllers").read_text().split():
            return None
        if "memory" not in (parent / "cgroup.subtree_control").read_text():
            _write(parent / "cgroup.subtree_control", "+memory")
            with contextlib.suppress(OSError):
                _write(parent / "cgroup.subtree_control", "+pids")
    except OSError:
        return None
    return parent


def _here(own: Path, root: Path) -> Path | None:
    """Return the directory of this process's group; None without version 2."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return None
    path = next((line.removeprefix("0::/") for line in lines if line.startswith("0::/")), None)
    here = root / path if path is not None else None
    return here if here is not None and ".." not in here.parts and (here / "cgroup.procs").exists() else None


def _is_handed_over(group: Path, root: Path) -> bool:
    if not os.access(group, os.W_OK) or not os.access(group / "cgroup.procs", os.W_OK):
        return False
    for name in ("user.delegate", "trusted.delegate"):
        with contextlib.suppress(OSError):
            if os.getxattr(group, name) == b"1":
                return True
    # The machine's own root has no type; the root that a container sees is a group like any other.
    return group == root and (group / "cgroup.type").exists()


def _write(file: Path, text: str) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
