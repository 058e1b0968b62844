"""The watchdog over one process tree: its memory, its threads, and what it writes to disk.

A limit of the kernel's on one process (``setrlimit``) knows nothing of the tree, and a control group is not always
there. So the loop that waits for the engine's output looks now and then; a run that is over before the first look
pays nothing.
"""

import contextlib
import os
import re
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from app.executor import tree

LOOK_SECONDS = 0.5
_WALK_SECONDS = 10.0
_CALM_WALK_SECONDS = 50.0
_DRASTIC = 1.25
_KIBIBYTE = 1024
_FACTS = re.compile(rb"^(RssAnon|RssShmem|Threads):\s+(\d+)", re.MULTILINE)
_PROPORTIONAL = re.compile(rb"^(?:Pss_Anon|Pss_Shmem):\s+(\d+)", re.MULTILINE)

ExcessKind = Literal["memory", "processes", "disk"]


@dataclass(frozen=True)
class TreeLimits:
    """What a process and all that it starts may use together; None: no limit.

    ``memory_bytes`` counts what can't be dropped (no file's pages), ``processes`` counts threads, ``disk_bytes`` the
    files in the directories that the tree may write to, and at the same time the largest single file.
    """

    memory_bytes: int | None = None
    processes: int | None = None
    disk_bytes: int | None = None


@dataclass(frozen=True)
class Excess:
    """A limit that was passed: what was ``seen`` (bytes, or threads), and the ``limit``.

    ``is_drastic``: so far over it that a grace period for all of the tree is too long.
    """

    kind: ExcessKind
    seen: int
    limit: int
    is_drastic: bool = False


@dataclass(frozen=True)
class Tree:
    """``members`` gives the directory below `/proc` of each process; ``spared`` names those of the engine itself."""

    members: Callable[[], Iterator[Path]]
    spared: frozenset[str]


def of_namespace(first: int) -> Tree:
    """Return the processes of the PID namespace that ``first`` began, in which the command is the second.

    The sandbox's own `/proc` lists those alone, so a look costs the same on a busy machine.
    """
    return Tree(lambda: _processes(Path(f"/proc/{first}/root/proc")), frozenset({"1", "2"}))


def of_session(leader: int) -> Tree:
    """Return the processes of a session, and what fell to us as orphans."""
    return Tree(lambda: (Path("/proc", str(pid)) for pid in tree.members(leader)), frozenset({str(leader)}))


class Watchdog:
    """Compares one tree with its limits.

    ``directories`` are those that it may write to; ``memory_file_systems`` are mounts that lie in memory and that it
    can fill.
    """

    def __init__(
        self,
        limits: TreeLimits,
        watched: Tree,
        *,
        directories: Sequence[Path] = (),
        memory_file_systems: Sequence[Path] = (),
    ) -> None:
        self._limits = limits
        self._tree = watched
        self._directories = directories
        self._memory_file_systems = memory_file_systems
        self._used_before = _used_bytes(directories)
        self.due = time.monotonic() + LOOK_SECONDS
        self._walk_after = self.due

    def look(self) -> Excess | None:
        """Return the first limit that the tree is over now, and set when to look next."""
        started = time.monotonic()
        found = self._look_at_processes() or self._look_at_disk()
        # A tree so large that looking at it takes long is looked at less often.
        self.due = started + max(LOOK_SECONDS, 20 * (time.monotonic() - started))
        return found

    def kill_others(self) -> None:
        """SIGKILL every process but the engine's own, which then sees them fail, and saves what it knows."""
        for process in self._tree.members():
            if process.name in self._tree.spared:
                continue
            with contextlib.suppress(OSError):
                # The directory stands for its process, whatever number that has in which namespace.
                descriptor = os.open(process, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                try:
                    signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                finally:
                    os.close(descriptor)

    def _look_at_processes(self) -> Excess | None:
        memory = threads = 0
        seen = []
        for process in self._tree.members():
            with contextlib.suppress(OSError):
                facts = dict(_FACTS.findall((process / "status").read_bytes()))
                threads += int(facts.get(b"Threads", 0))
                memory += _KIBIBYTE * (int(facts.get(b"RssAnon", 0)) + int(facts.get(b"RssShmem", 0)))
                seen.append(process)
        limit = self._limits.memory_bytes
        if limit is not None:
            files = sum(_filled_bytes(path) for path in self._memory_file_systems)
            if memory + files > limit:
                memory = files + _proportional_bytes(seen)
                if memory > limit:
                    return Excess("memory", memory, limit, is_drastic=memory > _DRASTIC * limit)
        limit = self._limits.processes
        if limit is not None and threads >= limit:
            return Excess("processes", threads, limit)
        return None

    def _look_at_disk(self) -> Excess | None:
        """Walk the directories now and then, and soon once their disk filled by as much since the start."""
        limit, started = self._limits.disk_bytes, time.monotonic()
        if limit is None or started < self._walk_after:
            return None
        # Others may have freed in the meantime what this tree has filled, so its growth alone proves nothing.
        is_suspect = _used_bytes(self._directories) - self._used_before > limit
        if not is_suspect and started < self._walk_after + _CALM_WALK_SECONDS:
            return None
        written = sum(_size_bytes(directory) for directory in self._directories)
        self._walk_after = time.monotonic() + max(_WALK_SECONDS, 50 * (time.monotonic() - started))
        return Excess("disk", written, limit, is_drastic=written > _DRASTIC * limit) if written > limit else None


def _processes(proc: Path) -> Iterator[Path]:
    with contextlib.suppress(OSError):
        yield from (entry for entry in proc.iterdir() if entry.name.isdigit())


def _proportional_bytes(processes: Sequence[Path]) -> int:
    """Return what the processes have in memory, where a page that several share counts once in all.

    Costs much more than their own counters, which count it in each, so it is asked for in doubt only.
    """
    total = 0
    for process in processes:
        try:
            total += sum(map(int, _PROPORTIONAL.findall((process / "smaps_rollup").read_bytes())))
        except OSError:
            with contextlib.suppress(OSError):
                facts = dict(_FACTS.findall((process / "status").read_bytes()))
                total += int(facts.get(b"RssAnon", 0)) + int(facts.get(b"RssShmem", 0))
    return _KIBIBYTE * total


def _filled_bytes(mount: Path) -> int:
    try:
        facts = os.statvfs(mount)
    except OSError:
        return 0
    return (facts.f_blocks - facts.f_bfree) * facts.f_frsize


def _used_bytes(directories: Sequence[Path]) -> int:
    return max((_filled_bytes(directory) for directory in directories), default=0)


def _size_bytes(directory: Path) -> int:
    """Return what the files below ``directory`` take on disk. No link is followed."""
    total = 0
    pending = [directory]
    while pending:
        with contextlib.suppress(OSError), os.scandir(pending.pop()) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(Path(entry.path))
    return total
