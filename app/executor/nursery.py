"""The nursery: a preloaded, single-threaded process from which supervisors are forked.

The worker forks it before it starts a thread. It leaves the worker's process tree and session, so a worker that is
killed or frozen does not touch what runs; it ends once its worker is gone and its last child has ended. A request
travels over a socket pair: the worker passes one end of a fresh pair per job, the job's bytes follow on it, and the
answer comes back the same way. Nothing of a job is ever in arguments, in an environment or on disk.
"""

import contextlib
import ctypes
import gc
import json
import logging
import os
import selectors
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from app.executor.errors import NurseryGone, ProcessFailed

_log = logging.getLogger(__name__)
_HEADER = struct.Struct("!cQ")
_BORN, _RESULT, _ENDED, _REFUSED = b"B", b"R", b"E", b"X"
_PR_SET_NAME = 15
_MAX_NAME_BYTES = 256

Target = Callable[[bytes], bytes]


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
                if kind == _RESULT:
                    self._result = body
                elif kind == _ENDED:
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
            if not chunk:
                raise NurseryGone(f"The nursery ended before its child {self.pid} did.", pid=self.pid)
            self._unread += chunk

    def _next_frame(self) -> tuple[bytes, bytes] | None:
        if len(self._unread) < _HEADER.size:
            return None
        kind, size = _HEADER.unpack_from(self._unread)
        end = _HEADER.size + size
        if len(self._unread) < end:
            return None
        body = bytes(self._unread[_HEADER.size : end])
        del self._unread[:end]
        return kind, body

    def close(self) -> None:
        """Stop watching; the child goes on."""
        self._channel.close()


class Nursery:
    """The worker's handle. Safe to use from several threads and from forked pool processes."""

    def __init__(self, control: socket.socket, pid: int) -> None:
        self._control = control
        self.pid = pid

    @classmethod
    def fork(cls, targets: Mapping[str, Target], *, prepare: Callable[[], None] | None = None) -> "Nursery":
        """Fork the nursery. Call it before this process starts a thread or opens a connection.

        ``targets`` are what children may run, by name; ``prepare`` runs once in the nursery, to load what children
        will need. The nursery ends when this process has ended and no child is left.
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
                    _Keeper(theirs, worker, targets).serve(prepare)
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
        channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            socket.send_fds(self._control, [target.encode()[:_MAX_NAME_BYTES]], [theirs.fileno()])
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
                _send(channel, _RESULT, payload)
            kind, body = _receive(channel)
        except (OSError, EOFError) as error:
            channel.close()
            raise NurseryGone("The nursery ended while a child was being started. Restart the worker.") from error
        if kind != _BORN:
            channel.close()
            reason = body.decode(errors="replace")
            raise ProcessFailed(f"The nursery could not start {target!r}: {reason}.", target=target)
        return Child(channel, int(body))

    def close(self) -> None:
        """Tell the nursery that no more children will be asked for: it ends with its last child."""
        self._control.close()


class _Keeper:
    """The nursery's own side: takes requests, forks, reaps."""

    def __init__(self, control: socket.socket, worker: int, targets: Mapping[str, Target]) -> None:
        self._control = control
        self._worker = worker
        self._targets = targets
        self._selector = selectors.DefaultSelector()
        self._children: dict[int, tuple[int, socket.socket]] = {}
        self._is_open = True

    def serve(self, prepare: Callable[[], None] | None) -> None:
        """Serve until the worker is gone and no child is left, then exit."""
        code = 1
        try:
            os.setsid()
            _name("sluice-nursery")
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                # Ctrl-C and a worker's shutdown are the worker's business; we end with it.
                signal.signal(number, signal.SIG_IGN)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            if prepare is not None:
                prepare()
            gc.collect()
            gc.freeze()
            self._control.send(str(os.getpid()).encode())
            self._selector.register(self._control, selectors.EVENT_READ, "request")
            self._selector.register(self._worker, selectors.EVENT_READ, "worker")
            while self._is_open or self._children:
                for key, _ in self._selector.select():
                    if key.data == "request":
                        self._take_request()
                    elif key.data == "worker":
                        self._stop_taking()
                    else:
                        self._reap(key.fd, key.data)
            code = 0
        except BaseException:
            _log.exception("The nursery failed.")
        finally:
            os._exit(code)

    def _stop_taking(self) -> None:
        if self._is_open:
            self._is_open = False
            self._selector.unregister(self._control)
            self._selector.unregister(self._worker)
            self._control.close()

    def _take_request(self) -> None:
        try:
            name, descriptors, _, _ = socket.recv_fds(self._control, _MAX_NAME_BYTES, 1)
        except OSError:
            name, descriptors = b"", []
        if not descriptors:
            self._stop_taking()
            return
        channel = socket.socket(fileno=descriptors[0])
        target = self._targets.get(name.decode(errors="replace"))
        if target is None:
            with contextlib.suppress(OSError):
                _send(channel, _REFUSED, b"unknown target; known: " + ", ".join(self._targets).encode())
            channel.close()
            return
        pid = os.fork()
        if pid == 0:
            self._become_child(channel, target, name.decode())
        descriptor = os.pidfd_open(pid)
        self._children[descriptor] = (pid, channel)
        self._selector.register(descriptor, selectors.EVENT_READ, pid)

    def _become_child(self, channel: socket.socket, target: Target, name: str) -> None:
        code = 1
        try:
            os.setsid()
            _name(f"sluice-{name}"[:15])
            self._selector.close()
            self._control.close()
            os.close(self._worker)
            for descriptor, (_, other) in self._children.items():
                os.close(descriptor)
                other.close()
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
            # Told by the child itself: a second writer could come between its frames.
            _send(channel, _BORN, str(os.getpid()).encode())
            _, payload = _receive(channel)
            result = target(payload)
            with contextlib.suppress(OSError):
                # The worker may be gone or frozen; what the child had to say has been said elsewhere.
                channel.settimeout(30)
                _send(channel, _RESULT, result)
            code = 0
        except BaseException:
            _log.exception("A forked child failed.", extra={"target": name})
        finally:
            logging.shutdown()
            os._exit(code)

    def _reap(self, descriptor: int, pid: int) -> None:
        self._selector.unregister(descriptor)
        _, status = os.waitpid(pid, 0)
        os.close(descriptor)
        _, channel = self._children.pop(descriptor)
        code = os.waitstatus_to_exitcode(status)
        facts = {"exit_code": code if code >= 0 else None, "signal": -code if code < 0 else None}
        with contextlib.suppress(OSError):
            channel.setblocking(False)
            _send(channel, _ENDED, json.dumps(facts).encode())
        channel.close()


def _name(name: str) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0)


def _send(channel: socket.socket, kind: bytes, body: bytes) -> None:
    channel.sendall(_HEADER.pack(kind, len(body)))
    channel.sendall(body)


def _receive(channel: socket.socket) -> tuple[bytes, bytes]:
    kind, size = _HEADER.unpack(_receive_exactly(channel, _HEADER.size))
    return kind, _receive_exactly(channel, size)


def _receive_exactly(channel: socket.socket, size: int) -> bytes:
    received = bytearray()
    while len(received) < size:
        chunk = channel.recv(min(size - len(received), 1024 * 1024))
        if not chunk:
            raise EOFError("The other side closed the channel.")
        received += chunk
    return bytes(received)
