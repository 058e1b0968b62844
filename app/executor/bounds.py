"""The kernel's own limits on a process and what it starts, set before it runs."""

import contextlib
import os
import resource
from pathlib import Path

from app.executor.launch import Limits

_OUT_OF_MEMORY_PREFERENCE = 500
"""Of -1000 to 1000: where the machine runs out of memory, the kernel ends an engine rather than a server of ours."""
_NICER, _NICEST = 5, 19
"""Where the machine is short of processors, an engine waits rather than its supervisor, and either rather than a halt
or a page."""


def bind(pid: int, limits: Limits, *, counts_alone: bool) -> None:
    """Limit ``pid``; what it starts from here on inherits that. Quiet when it has ended.

    ``counts_alone``: its uid, or its user namespace, is its own, so that the kernel's count of a uid's processes means
    this tree; elsewhere the watchdog counts.
    """
    wanted = {resource.RLIMIT_CORE: 0}
    if limits.memory_bytes is not None:
        wanted[resource.RLIMIT_DATA] = limits.memory_bytes
    if limits.cpu_seconds is not None:
        wanted[resource.RLIMIT_CPU] = limits.cpu_seconds
    if limits.tree is not None:
        if limits.tree.disk_bytes is not None:
            wanted[resource.RLIMIT_FSIZE] = limits.tree.disk_bytes
        if limits.tree.processes is not None and counts_alone:
            # The watchdog ends the tree at the limit, and says so; the kernel keeps it from growing in between.
            wanted[resource.RLIMIT_NPROC] = limits.tree.processes * 11 // 10
    for kind, value in wanted.items():
        # A program that has changed its uid by now is out of reach, unless we may override limits.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            _, hard = resource.prlimit(pid, kind)
            limit = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.prlimit(pid, kind, (limit, limit))
    if limits.tree is not None:
        with contextlib.suppress(OSError):
            _prefer_when_out_of_memory(pid)
        _be_nicer(pid)


def _prefer_when_out_of_memory(pid: int) -> None:
    file = os.open(Path(f"/proc/{pid}/oom_score_adj"), os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(file, str(_OUT_OF_MEMORY_PREFERENCE).encode())
    finally:
        os.close(file)


def let_others_go_first() -> None:
    """Let this process, which leads a session, and all that it starts wait for what was not asked to."""
    _be_nicer(0)
    let_others_go_before_session(os.getpid(), steps=1)


def let_others_go_before_session(pid: int, *, steps: int = 2) -> bool:
    """Let the session that ``pid`` leads wait for others; False when it leads none yet, or it was too soon to say so.

    Where the kernel shares processors out by session (autogroup), a process's own priority counts within it only, and
    a sandbox makes its session as it hands over to the command. ``steps``: a session of an engine gives way to that of
    its supervisor.
    """
    try:
        if os.getsid(pid) != pid:
            return False
        Path(f"/proc/{pid}/autogroup").write_text(str(steps * _NICER))
    except BlockingIOError:
        # Without privileges this can be said ten times a second, by all of the machine together.
        return False
    except OSError:
        # Ended, or a kernel that does not.
        return True
    return True


def _be_nicer(pid: int) -> None:
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, min(_NICEST, os.getpriority(os.PRIO_PROCESS, 0) + _NICER))
