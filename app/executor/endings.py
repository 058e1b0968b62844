"""What it means that a process went over one of its limits: a typed error that names the setting."""

import re
import signal
from collections.abc import Sequence
from typing import Any

from app.executor.errors import (
    EngineOutOfDisk,
    EngineOutOfMemory,
    EngineOutOfProcesses,
    OutputLimitExceeded,
    ProcessFailed,
    ProcessTimedOut,
)
from app.executor.launch import Ended, Limits

_MEBIBYTE = 1024 * 1024
_NO_PROCESS = re.compile(
    r"failed to create new OS thread|pthread_create failed|fork/exec \S+: resource temporarily unavailable"
    r"|fork: (?:retry: )?resource temporarily unavailable|Cannot fork|BlockingIOError: \[Errno 11\]",
    re.IGNORECASE,
)
_NO_DISK = re.compile(r"file too large|no space left on device|disk quota exceeded", re.IGNORECASE)


def check(ended: Ended, limits: Limits, diagnostics: Sequence[dict[str, Any]]) -> None:
    """Raise the error for the limit that ended a process, if one did. ``diagnostics`` are what it had said before.

    Raises ``ProcessTimedOut``, ``OutputLimitExceeded``, ``EngineOutOfMemory``, ``EngineOutOfProcesses``,
    ``EngineOutOfDisk`` and, for too many open files, ``ProcessFailed``.
    """
    name = ended.command
    facts = {"command": name, "exit_code": ended.exit_code, "diagnostics": list(diagnostics)}
    if ended.exceeded == "timeout":
        raise ProcessTimedOut(
            f"`{name}` was ended after {limits.timeout_seconds:g} s, the limit for one phase of a run. "
            "Raise SLUICE_RUN_TIMEOUT_SECONDS, or split the configuration.",
            timeout_seconds=limits.timeout_seconds,
            **facts,
        )
    if ended.exceeded == "output":
        raise OutputLimitExceeded(
            f"`{name}` was ended after {_mebibytes(limits.output_bytes)} MiB of output, the most that one command "
            "of a run may write. Have it, or a provisioner that it runs, write less, or raise SLUICE_ENGINE_OUTPUT_MB.",
            limit_bytes=limits.output_bytes,
            **facts,
        )
    if limits.tree is None or ended.exceeded is None:
        return
    if ended.exceeded == "memory":
        limit = limits.tree.memory_bytes or 0
        seen = f" {_mebibytes(ended.seen)} MiB were seen;" if ended.seen is not None else ""
        raise EngineOutOfMemory(
            f"`{name}` was ended:{seen} the engine and its providers may use {_mebibytes(limit)} MiB. Raise "
            "SLUICE_ENGINE_MEMORY_MB on a worker that has the memory, split the configuration, or lower "
            "SLUICE_ENGINE_GOGC.",
            limit_bytes=limit,
            seen_bytes=ended.seen,
            **facts,
        )
    if ended.exceeded == "processes":
        raise EngineOutOfProcesses(
            f"`{name}` was ended: it had {ended.seen} processes and threads, and a run may have "
            f"{limits.tree.processes}. Look for what starts them, or raise SLUICE_ENGINE_PROCESSES.",
            limit=limits.tree.processes,
            seen=ended.seen,
            **facts,
        )
    if ended.exceeded == "descriptors":
        raise ProcessFailed(
            f"`{name}` was ended: its supervisor could open no more files, so nobody could see what it used. Look for "
            "what opens many connections, or raise the limit on open files of the worker or its machine.",
            **facts,
        )
    limit = limits.tree.disk_bytes or 0
    raise EngineOutOfDisk(
        f"`{name}` was ended: the run's directories held {_mebibytes(ended.seen)} MiB, and may hold "
        f"{_mebibytes(limit)} MiB. Write less, or raise SLUICE_ENGINE_DISK_MB.",
        limit_bytes=limit,
        seen_bytes=ended.seen,
        **facts,
    )


def hint(ended: Ended, limits: Limits, said: str) -> str:
    """Return what may be behind a failure that a limit of the kernel's can cause; empty when nothing suggests it."""
    if limits.tree is None:
        return ""
    if ended.signal == signal.SIGKILL and "SIGKILL" not in ended.signals_sent:
        return " Nobody here killed it: the machine, or the worker's control group, may have been out of memory."
    if limits.tree.processes is not None and _NO_PROCESS.search(said):
        return (
            f" A run may have {limits.tree.processes} processes and threads (SLUICE_ENGINE_PROCESSES), and the "
            "worker's machine has limits of its own."
        )
    if limits.tree.disk_bytes is not None and (_NO_DISK.search(said) or ended.signal == signal.SIGXFSZ):
        return (
            f" A run may write {_mebibytes(limits.tree.disk_bytes)} MiB (SLUICE_ENGINE_DISK_MB), as far as the disk of "
            "SLUICE_WORK_DIR has them."
        )
    return ""


def _mebibytes(count: int | None) -> int:
    return -(-(count or 0) // _MEBIBYTE)
