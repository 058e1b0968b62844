"""Starts one process, in its sandbox when it has one, and keeps a sandboxed command back until its limits hold."""

import contextlib
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from app.executor import sandbox, seccomp, tree
from app.executor.launch import Launch, not_started

Process = subprocess.Popen[bytes]
"""A process that was started."""


@dataclass(frozen=True)
class Spawned:
    """A started process. In a sandbox: ``status`` tells of its first process, and the command waits for ``gate``.

    Both descriptors are the caller's to close.
    """

    popen: Process
    status: int | None = None
    gate: int | None = None


def spawn(launch: Launch, *, stdout: int | None) -> Spawned:
    """Start ``launch``, its standard output into the descriptor ``stdout``, or into a pipe when that is None.

    Raises ``ProcessFailed`` when it can't be started; no descriptor is left open then.
    """
    if launch.confinement is None:
        try:
            popen = _start(launch, (str(launch.program), *launch.command.arguments()), stdout, ())
        except OSError as error:
            raise not_started(launch, error) from error
        return Spawned(popen)
    kept: list[int] = []
    passed: list[int] = []
    try:
        status, status_writer = os.pipe()
        kept.append(status)
        passed.append(status_writer)
        gate_reader, gate = os.pipe()
        kept.append(gate)
        passed.append(gate_reader)
        arguments = _confined(launch, passed, status_writer, gate_reader)
        popen = _start(launch, arguments, stdout, passed)
    except OSError as error:
        for descriptor in kept:
            os.close(descriptor)
        raise not_started(launch, error) from error
    finally:
        for descriptor in passed:
            with contextlib.suppress(OSError):
                os.close(descriptor)
    return Spawned(popen, status, gate)


def _confined(launch: Launch, passed: list[int], status: int, gate: int) -> tuple[str, ...]:
    """Return the sandbox's command line; the descriptors of what it reads go to ``passed``."""
    confined = launch.confinement
    assert confined is not None
    filter_descriptor = None
    syscalls = seccomp.program()
    if syscalls is not None:
        filter_descriptor = _memory_file(syscalls)
        passed.append(filter_descriptor)
    data = {}
    for path, content in (sandbox.account_files(confined.tools.user_id) | confined.files).items():
        data[path] = _memory_file(content)
        passed.append(data[path])
    return sandbox.wrap(
        confined,
        sandbox.program_path(launch.program) if launch.program in confined.programs else str(launch.program),
        launch.command.arguments(),
        directory=sandbox.inside(confined, launch.directory),
        status_descriptor=status,
        data_descriptors=data,
        gate_descriptor=gate,
        filter_descriptor=filter_descriptor,
    )


def _start(launch: Launch, arguments: tuple[str, ...], stdout: int | None, passed: Sequence[int]) -> Process:
    confined = launch.confinement is not None
    return subprocess.Popen(
        arguments,
        cwd="/" if confined else launch.directory,
        env=dict(launch.environment),
        stdin=subprocess.PIPE if launch.stdin is not None else subprocess.DEVNULL,
        stdout=subprocess.PIPE if stdout is None else stdout,
        stderr=subprocess.PIPE,
        pass_fds=passed,
        start_new_session=True,
        # bubblewrap brings its own; preexec_fn would cost a full fork.
        preexec_fn=None if confined else tree.die_with_parent,  # noqa: PLW1509
    )


def _memory_file(content: bytes) -> int:
    descriptor = os.memfd_create("sluice", os.MFD_CLOEXEC)
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor
