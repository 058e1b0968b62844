"""Process trees: dying with a parent, killing a session, knowing that a process has ended."""

import contextlib
import ctypes
import errno
import json
import os
import re
import select
import signal
import time
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)
_reaper_pid: int | None = None
_tracked: set[int] = set()


def die_with_parent() -> None:
    """Ask the kernel to SIGKILL this process when the thread that started it ends. Runs between fork and exec."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def become_reaper() -> None:
    """Make this process the one to which its orphaned descendants fall, so that they can be found and killed.

    Only for a process that owns every child it will ever have, as a supervisor does.
    """
    global _reaper_pid
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    _reaper_pid = os.getpid()


def wait_for(descriptor: int, seconds: float) -> bool:
    """Wait until ``descriptor`` is readable (for a pidfd: the process has ended). Returns whether it is."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN | select.POLLHUP)
    return bool(poll.poll(max(0.0, seconds) * 1000))


def first_process(status: bytes) -> int | None:
    """Return the host's id of a sandbox's first process, from what bubblewrap wrote to its information descriptor."""
    try:
        return int(json.loads(status)["child-pid"])
    except (ValueError, KeyError, TypeError):
        found = re.search(rb'"child-pid"\s*:\s*(\d+)', status)
        return int(found.group(1)) if found else None


def track(leader: int) -> None:
    """Note a process that this one started and watches, so that it is not taken for an orphan."""
    _tracked.add(leader)


def untrack(leader: int) -> None:
    """Forget a process that has been waited for."""
    _tracked.discard(leader)


def kill_session(leader: int, *, within_seconds: float = 10.0) -> bool:
    """SIGKILL every process of the session that ``leader`` leads and, in a reaper, every orphan that fell to it.

    Repeats until a look at the process table finds none, since a process may fork while it is being looked for.
    Returns whether none is left; a process that hangs in the kernel may outlive ``within_seconds``, and without a
    descriptor for the process table nobody knows.
    """
    until = time.monotonic() + within_seconds
    while True:
        try:
            found = members(leader)
        except OSError:
            # Nobody can tell who is left, and the leader's number may be another's by now.
            found = set()
        else:
            if not found:
                return True
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        for pid in found - {leader}:
            # Only orphans of a reaper are its children; of others the kernel's init takes care.
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        if time.monotonic() > until:
            return False
        time.sleep(0.002)


def children_names(parent: int) -> set[str]:
    """Return the names that the kernel has for the children of ``parent``."""
    found = set()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            name, _, rest = (entry / "stat").read_text(errors="replace").partition("(")[2].rpartition(")")
        except OSError:
            continue
        if int(rest.split()[1]) == parent:
            found.add(name)
    return found


def members(leader: int) -> set[int]:
    """Return the processes of the session that ``leader`` leads and, in a reaper, every orphan that fell to it.

    Raises ``OSError`` when the process table can't be read for want of a descriptor.
    """
    is_reaper = _reaper_pid == os.getpid()
    found = set()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                raise
            continue
        pid, state, parent, session = int(entry.name), fields[0], int(fields[1]), int(fields[3])
        is_orphan = is_reaper and parent == os.getpid() and pid not in _tracked
        if is_orphan or (session == leader and state != "Z"):
            found.add(pid)
    return found
