"""What is started, within which limits, and how it ended."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

from app.executor import sandbox
from app.executor.cancel import StopOrder
from app.executor.commands import Command
from app.executor.errors import ProcessFailed
from app.executor.lines import LINE_BYTES
from app.executor.watchdog import ExcessKind, TreeLimits

Stream = Literal["stdout", "stderr"]
Proof = Literal["wait_status", "empty_pid_namespace"]
Exceeded = Literal["timeout", "output"] | ExcessKind


@dataclass(frozen=True)
class Limits:
    """What a process may use at most. Output counts both streams; ``memory_bytes`` limits its data segments.

    ``tree`` limits it together with all that it starts.
    """

    timeout_seconds: float | None = None
    grace_seconds: float = 20.0
    output_bytes: int = 512 * 1024 * 1024
    line_bytes: int = LINE_BYTES
    memory_bytes: int | None = None
    cpu_seconds: int | None = None
    tree: TreeLimits | None = None


@dataclass(frozen=True)
class Launch:
    """One process to start: which program, which command, where, and what it may see.

    ``writable`` are the directories whose size counts against the limit on the disk.
    ``attach`` is called with the sandbox's first process before the command begins, what it returns at the end.
    With a ``transcript`` its standard output goes into that file, which is followed while the process runs.
    """

    program: Path
    command: Command
    environment: Mapping[str, str] = field(repr=False)
    directory: Path
    confinement: sandbox.Confinement | None = None
    stdin: bytes | None = field(default=None, repr=False)
    writable: tuple[Path, ...] = ()
    attach: Callable[[int], Callable[[], None]] | None = field(default=None, repr=False)
    transcript: Path | None = None


@dataclass(frozen=True)
class Ended:
    """How a process ended, and how that is known.

    ``exit_code`` is None when a signal ended it. ``order`` is set when it was told to stop, ``exceeded`` when it went
    over a limit before any order, and then ``seen`` says how much of it there was, where that is known. ``proof`` None
    means that something it started would not die; ``stdout`` and ``stderr`` are what was captured (``stderr`` its last
    64 KiB).
    """

    command: str
    pid: int
    exit_code: int | None
    signal: int | None
    started_at: datetime
    ended_at: datetime
    seconds: float
    proof: Proof | None
    signals_sent: tuple[str, ...] = ()
    order: StopOrder | None = None
    exceeded: Exceeded | None = None
    seen: int | None = None
    stdout: bytes = field(default=b"", repr=False)
    stderr: bytes = field(default=b"", repr=False)


def not_started(launch: Launch, error: OSError) -> ProcessFailed:
    """Return the error for a program that the kernel refused to start."""
    return ProcessFailed(
        f"{launch.program} could not be started for `{launch.command.name}`: {error.strerror or error}.",
        command=launch.command.name,
    )
