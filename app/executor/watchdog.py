"""The watchdog over one process tree: its memory, its threads, and what it writes to disk.

A limit of the kernel's on one process (``setrlimit``) knows nothing of the tree, and a control group is not always
there. So the loop that waits for the engine's output looks now and then; a run that is over before the first look
pays nothing.
"""

import contextlib
import errno
import os
import re
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from app.executor import tree

LOOK_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 2.0
_EXACT_SECONDS = 0.2
_WALK_SECONDS = 10.0
_CALM_WALK_SECONDS = 50.0
_DRASTIC = 1.25
_KIBIBYTE = 1024
# An empty file takes no block, but an inode.
_LEAST_BYTES = 4096
# Without a descriptor nothing can be looked at, which is not the same as there being nothing.
_BLINDING = frozenset({errno.EMFILE, errno.ENFILE})
_FACTS = re.compile(rb"^(RssAnon|RssShmem|Threads):\s+(\d+)", re.MULTILINE)
_PROPORTIONAL = re.compile(rb"^(?:Pss_Anon|Pss_Shmem):\s+(\d+)", re.MULTILINE)

ExcessKind = Literal["memory", "processes", "disk", "descriptors"]


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

    ``descriptors`` has no numbers: so many are open that nobody can see what the tree uses, so it counts as too much.

    ``is_drastic``: so far over it that a grace period for all of the tree is too long.
    """

    kind: ExcessKind
    seen: int
    limit: int
    is_drastic: bool = False


@dataclass(frozen=True)
class Tree:
    """``members`` gives the directory below `/proc` of each process; ``spared`` names those of the engine itself.

    ``engine`` is the one of them that starts providers and provisioners.
    """

    members: Callable[[], Iterator[Path]]
    spared: frozenset[str]
    engine: str = ""


def of_namespace(first: int) -> Tree:
    """Return the processes of the PID namespace that ``first`` began, in which the command is the second.

    The sandbox's own `/proc` lists those alone, so a look costs the same on a busy machine.
    """
    return Tree(lambda: _processes(Path(f"/proc/{first}/root/proc")), frozenset({"1", "2"}), "2")


def of_session(leader: int) -> Tree:
    """Return the processes of a session, and what fell to us as orphans."""
    name = str(leader)
    return Tree(lambda: (Path("/proc", str(pid)) for pid in tree.members(leader)), frozenset({name}), name)


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
        self._was_blind = False
        self.due = time.monotonic() + LOOK_SECONDS
        self._walk_after = self.due

    def look(self) -> Excess | None:
        """Return the first limit that the tree is over now, and set when to look next."""
        started = time.monotonic()
        try:
            found = self._look_at_processes() or self._look_at_disk()
            self._was_blind = False
        except OSError as error:
            if error.errno not in _BLINDING:
                raise
            found = Excess("descriptors", 0, 0, is_drastic=self._was_blind)
            self._was_blind = True
        # A tree so large that looking at it takes long is looked at less often, but never seldom: it may be made so.
        ended = time.monotonic()
        self.due = ended + min(max(LOOK_SECONDS, 20 * (ended - started)), _LONGEST_PAUSE_SECONDS)
        return found

    def kill_others(self) -> None:
        """SIGKILL every process but the engine's own, which then sees them fail, and saves what it knows."""
        _kill(process for process in self._members() if process.name not in self._tree.spared)

    def kill_offspring(self) -> bool:
        """SIGKILL what the engine's children have started, and these children; return whether there were any.

        Those that have started nothing, as providers, are left to end in order.
        """
        parents = {process: _parent(process) for process in self._members()}
        at_work = set(parents.values())
        found = [
            process
            for process, parent in parents.items()
            if process.name not in self._tree.spared and (parent != self._tree.engine or process.name in at_work)
        ]
        _kill(found)
        return bool(found)

    def _members(self) -> list[Path]:
        try:
            return list(self._tree.members())
        except OSError:
            # Without a descriptor nobody can be picked out; the next step takes the whole tree.
            return []

    def _look_at_processes(self) -> Excess | None:
        memory = threads = 0
        seen = []
        for process in self._tree.members():
            with _passing_over_what_is_gone():
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
        written = 0
        for directory in self._directories:
            written += _size_bytes(directory, up_to=int(_DRASTIC * limit) + 1 - written)
        self._walk_after = time.monotonic() + max(_WALK_SECONDS, 50 * (time.monotonic() - started))
        return Excess("disk", written, limit, is_drastic=written > _DRASTIC * limit) if written > limit else None


@contextlib.contextmanager
def _passing_over_what_is_gone() -> Iterator[None]:
    """Go on after an ``OSError``, except where it says nothing about the thing that was looked at."""
    try:
        yield
    except OSError as error:
        if error.errno in _BLINDING:
            raise


def _kill(processes: Iterable[Path]) -> None:
    for process in processes:
        with contextlib.suppress(OSError):
            # The directory stands for its process, whatever number that has in which namespace.
            descriptor = os.open(process, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            finally:
                os.close(descriptor)


def _parent(process: Path) -> str:
    """Return the number of a process's parent; empty when it is gone."""
    try:
        return (process / "stat").read_text(errors="replace").rpartition(")")[2].split()[1]
    except (OSError, IndexError):
        return ""


def _processes(proc: Path) -> Iterator[Path]:
    with _passing_over_what_is_gone():
        yield from (entry for entry in proc.iterdir() if entry.name.isdigit())


def _proportional_bytes(processes: Sequence[Path]) -> int:
    """Return what the processes have in memory, where a page that several share counts once in all.

    Costs much more than their own counters, which count it in each, so it is asked for in doubt only, and not for
    long: what can't be looked at so in time counts in full.
    """
    total = 0
    until = time.monotonic() + _EXACT_SECONDS
    for process in processes:
        try:
            if time.monotonic() > until:
                raise TimeoutError
            total += sum(map(int, _PROPORTIONAL.findall((process / "smaps_rollup").read_bytes())))
        except OSError:
            with _passing_over_what_is_gone():
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
    return max((_filled_bytes(directory) + _LEAST_BYTES * _names(directory) for directory in directories), default=0)


def _names(mount: Path) -> int:
    try:
        facts = os.statvfs(mount)
    except OSError:
        return 0
    return facts.f_files - facts.f_ffree


def _size_bytes(directory: Path, *, up_to: int) -> int:
    """Return what the files below ``directory`` take on disk, where each takes something. No link is followed.

    Stops once it is ``up_to``, so that what is far too much is not counted to its end.
    """
    total = 0
    pending = [directory]
    while pending and total < up_to:
        with _passing_over_what_is_gone(), os.scandir(pending.pop()) as entries:
            for entry in entries:
                with _passing_over_what_is_gone():
                    total += max(entry.stat(follow_symlinks=False).st_blocks * 512, _LEAST_BYTES)
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(Path(entry.path))
                if total >= up_to:
                    break
    return total
