"""The gateway: starts one typed command, streams its output, and ends it with proof of death.

Everything else in Sluice that needs a process calls `run` (wait for it) or `start` (a server). A process gets its own
session; confined ones get their own PID namespace, whose first process is watched by a pidfd: once that is readable,
the kernel has ended every process inside. Without a sandbox the process group and whatever it left behind are killed,
and the wait status is the proof.
"""

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from app.executor import tree
from app.executor.cancel import CancelToken
from app.executor.launch import Ended, Launch, Limits, not_started
from app.executor.lines import Line
from app.executor.watched import Watched

__all__ = ["Ended", "Launch", "Limits", "Server", "run", "start"]


def run(
    launch: Launch,
    *,
    limits: Limits | None = None,
    cancel: CancelToken | None = None,
    on_line: Callable[[Line], None] | None = None,
    capture_stdout: bool = False,
) -> Ended:
    """Run a command to its end and say how it ended; a bad exit code is an answer, not an error.

    ``on_line`` gets each line as it arrives, in this thread, and must not block; what it raises is raised at the end.
    With ``capture_stdout`` standard output is collected instead. An order from ``cancel``, every limit and an
    ``on_line`` that raises end the process by SIGINT, then, after the grace period, SIGKILL. Raises ``ProcessFailed``
    when the process can't be started or its sandbox not be set up.

    Call it from a thread that outlives the process: where there is no sandbox, the process dies with its thread.
    """
    watched = Watched(launch, limits or Limits(), cancel, on_line, capture_stdout)
    try:
        return watched.watch()
    except BaseException:
        watched.kill()
        raise
    finally:
        watched.close()


class Server:
    """A process that was started to go on: its id, and how to end it."""

    def __init__(self, popen: "subprocess.Popen[bytes]") -> None:
        self._popen = popen
        self.pid = popen.pid

    def poll(self) -> int | None:
        """Return the exit code once it has ended (negative: the signal that ended it)."""
        return self._popen.poll()

    def send(self, number: signal.Signals) -> None:
        """Send a signal; quiet when the process has ended."""
        with contextlib.suppress(ProcessLookupError):
            self._popen.send_signal(number)

    def wait(self, timeout_seconds: float | None = None) -> int | None:
        """Wait for the end and return the exit code; None when it still runs after ``timeout_seconds``."""
        try:
            return self._popen.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            return None

    def stop(self, *, grace_seconds: float, first: signal.Signals = signal.SIGTERM) -> int:
        """Send ``first``, after the grace period SIGKILL to its whole session, and return the exit code."""
        self.send(first)
        code = self.wait(grace_seconds)
        if code is None:
            tree.kill_session(self.pid)
            self._popen.kill()
            code = self._popen.wait()
        return code


def start(launch: Launch, *, log: Path | None = None, dies_with_parent: bool = True) -> Server:
    """Start a server of Sluice's own, in its own session, unconfined, its output appended to ``log``.

    With ``dies_with_parent`` the kernel ends it when the thread that called this ends. Without ``log`` it shares this
    process's output. Raises ``ProcessFailed`` when it can't be started.
    """
    arguments = (str(launch.program), *launch.command.arguments())
    with contextlib.ExitStack() as stack:
        output = None
        if log is not None:
            output = stack.enter_context(os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab"))
        try:
            popen = subprocess.Popen(
                arguments,
                cwd=launch.directory,
                env=dict(launch.environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=tree.die_with_parent if dies_with_parent else None,  # noqa: PLW1509 - one prctl call
            )
        except OSError as error:
            raise not_started(launch, error) from error
    tree.track(popen.pid)
    return Server(popen)
