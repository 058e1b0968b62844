"""The nursery: a preloaded, single-threaded process from which supervisors are forked.

The worker forks it before it starts a thread. It leaves the worker's process tree and session, so a worker that is
killed or frozen does not touch what runs; it ends once its worker is gone and its last child has ended. A request
travels over a socket pair: the worker passes one end of a fresh pair per job, the job's bytes follow on it, and the
answer comes back the same way. Nothing of a job is ever in arguments, in an environment or on disk.
"""

import contextlib
import json
import os
import select
import socket
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from app.executor import frames
from app.executor.errors import NurseryGone, ProcessFailed
from app.executor.keeper import MAX_NAME_BYTES, Keeper, Target, retire

__all__ = ["Child", "ChildEnd", "Nursery", "Target", "retire"]


@dataclass(frozen=True)
class ChildEnd:
    """How a forked child ended. ``result`` is what its target returned; None when it died before it could."""

    pid: int
    exit_code: int | None
    signal: int | None
    result: bytes | None = None


class Child:
    """A child of the nursery, as the worker's task sees it."""

    def __init__(self, channel: socket.socket, pid: int) -> None:
        self._channel = channel
        self.pid = pid
        self._unread = bytearray()
        self._result: bytes | None = None

    def fileno(self) -> int:
        """Return a descriptor that is readable when there is news, for a caller with a loop of its own."""
        return self._channel.fileno()

    def wait(self, timeout_seconds: float | None = None) -> ChildEnd | None:
        """Wait until the child has ended; None when it still runs after ``timeout_seconds``.

        Raises ``NurseryGone`` when the nursery was killed and nobody can say how the child ended.
        """
        until = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        while True:
            while (frame := self._next_frame()) is not None:
                kind, body = frame
                if kind == frames.RESULT:
                    self._result = body
                elif kind == frames.ENDED:
                    facts = json.loads(body)
                    self._channel.close()
                    return ChildEnd(self.pid, facts["exit_code"], facts["signal"], self._result)
            self._channel.settimeout(None if until is None else max(0.0, until - time.monotonic()))
            try:
                chunk = self._channel.recv(1024 * 1024)
            except (TimeoutError, BlockingIOError):
                return None
            except OSError:
                chunk = b""
            if not chunk and self._result is not None:
                # What the child had to say came all the same: only how its process ended is not known.
                self._channel.close()
                return ChildEnd(self.pid, None, None, self._result)
            if not chunk:
                raise NurseryGone(f"The nursery ended before its child {self.pid} did.", pid=self.pid)
            self._unread += chunk

    def _next_frame(self) -> tuple[bytes, bytes] | None:
        if len(self._unread) < frames.HEADER.size:
            return None
        kind, size = frames.HEADER.unpack_from(self._unread)
        end = frames.HEADER.size + size
        if len(self._unread) < end:
            return None
        body = bytes(self._unread[frames.HEADER.size : end])
        del self._unread[:end]
        return kind, body

    def close(self) -> None:
        """Stop watching; the child goes on."""
        self._channel.close()


class Nursery:
    """The worker's handle. Safe to use from several threads and from forked pool processes."""

    def __init__(self, control: socket.socket, pid: int) -> None:
        self._control = control
        self._end = _watched(pid)
        self.pid = pid

    @classmethod
    def fork(
        cls,
        targets: Mapping[str, Target],
        *,
        prepare: Callable[[], None] | None = None,
        ready: Callable[[], None] | None = None,
        most_jobs: int = 1,
    ) -> "Nursery":
        """Fork the nursery. Call it before this process starts a thread or opens a connection.

        ``targets`` are what children may run, by name; ``prepare`` runs once in the nursery, to load what children
        will need. With ``ready`` a spare child is kept that has run it. A child has ``most_jobs`` one after another, at
        most, as long as each leaves nothing behind in its process. The nursery ends when this process has ended and no
        child is left.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        worker = os.pidfd_open(os.getpid())
        sys.stdout.flush()
        sys.stderr.flush()
        middle = os.fork()
        if middle == 0:
            # Forked twice, so that the nursery belongs to no one's tree; its id is told over the socket.
            with contextlib.suppress(BaseException):
                if os.fork() == 0:
                    ours.close()
                    Keeper(theirs, worker, targets, prepare=prepare, ready=ready, most_jobs=most_jobs).serve()
            os._exit(0)
        os.waitpid(middle, 0)
        theirs.close()
        os.close(worker)
        pid = ours.recv(64)
        if not pid:
            raise NurseryGone("The nursery could not be started; the process log says why.")
        return cls(ours, int(pid))

    def start(self, target: str, payload: bytes) -> Child:
        """Fork a child that runs ``target`` on ``payload``, in a session of its own, and return at once.

        Raises ``NurseryGone`` when the nursery has ended and ``ProcessFailed`` when it does not know the target.
        """
        channel, kind, body = self._ask(target, payload)
        if kind == frames.ENDED:
            # The spare child died as it was given the job; it says that it is born before it takes anything.
            channel, kind, body = self._ask(target, payload)
        if kind != frames.BORN:
            channel.close()
            reason = body.decode(errors="replace")
            raise ProcessFailed(f"The nursery could not start {target!r}: {reason}.", target=target)
        return Child(channel, int(body))

    def _ask(self, target: str, payload: bytes) -> tuple[socket.socket, bytes, bytes]:
        """Ask for a child; return the channel to it, and the first frame that came back."""
        channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            socket.send_fds(self._control, [target.encode()[:MAX_NAME_BYTES]], [theirs.fileno()])
        except OSError as error:
            channel.close()
            raise NurseryGone(
                "The nursery, from which supervisors are forked, has ended. Restart the worker.", pid=self.pid
            ) from error
        finally:
            theirs.close()
        try:
            channel.settimeout(30)
            with contextlib.suppress(BrokenPipeError):
                # A nursery that refused has closed its end already; why it did is still to be read.
                frames.send(channel, frames.RESULT, payload)
            kind, body = frames.receive(channel)
        except (OSError, EOFError) as error:
            channel.close()
            raise NurseryGone("The nursery ended while a child was being started. Restart the worker.") from error
        if kind == frames.ENDED:
            channel.close()
        return channel, kind, body

    def has_ended(self) -> bool:
        """Whether the nursery is gone, so that nothing can be started any more."""
        return self._poll(0)

    def wait_end(self) -> None:
        """Wait until the nursery is gone, for whatever reason."""
        self._poll(None)

    def close(self) -> None:
        """Tell the nursery that no more children will be asked for: it ends with its last child."""
        self._control.close()

    def _poll(self, milliseconds: int | None) -> bool:
        if self._end is None:
            return True
        poll = select.poll()
        poll.register(self._end, select.POLLIN)
        return bool(poll.poll(milliseconds))


def _watched(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None
