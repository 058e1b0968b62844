"""The nursery's own side: takes requests, forks, reaps, and keeps children that wait for a job.

A fork has to copy each page that it writes to first, and to open its own connections, which costs a run more than the
fork itself. So one child is forked ahead of its job, has done both, and waits to be told what to run; and a child that
has ended its job cleanly waits for another one. While none waits (several jobs came at once), a child is forked on the
spot.
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
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn

from app.executor import bounds, frames

_log = logging.getLogger(__name__)
_PR_SET_NAME = 15
_READY = b"R"
MAX_NAME_BYTES = 256
SPARE_AFTER_SECONDS = 1.0
"""A new spare waits until the child before it has ended, or for this long: it must not slow what was just started."""
IDLE_SECONDS = 30.0
"""A child waits this long for a job, unless it is the only one that waits."""
_MOST_GROWTH_BYTES = 64 * 1024 * 1024

Target = Callable[[bytes], bytes]
_is_retired = False


def retire() -> None:
    """In a child: take no further job after this one, because something of it may be left in this process."""
    global _is_retired
    _is_retired = True


class Keeper:
    """Serves requests that come over ``control`` until the process behind the pidfd ``worker`` is gone.

    ``targets`` are what children may run, by name; ``prepare`` runs once, before the first request; ``ready`` runs in
    each spare child, and what it raises is only logged. A child has ``most_jobs`` one after another, at most.
    """

    def __init__(
        self,
        control: socket.socket,
        worker: int,
        targets: Mapping[str, Target],
        *,
        prepare: Callable[[], None] | None,
        ready: Callable[[], None] | None,
        most_jobs: int,
    ) -> None:
        self._control = control
        self._worker = worker
        self._targets = targets
        self._prepare = prepare
        self._ready = ready
        self._most_jobs = most_jobs
        self._selector = selectors.DefaultSelector()
        self._children: dict[int, _Member] = {}
        self._spare_due: float | None = None
        self._is_open = True

    def serve(self) -> NoReturn:
        """Serve until the worker is gone and no child is left, then exit."""
        code = 1
        try:
            os.setsid()
            _name("sluice-nursery")
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                # Ctrl-C and a worker's shutdown are the worker's business; we end with it.
                signal.signal(number, signal.SIG_IGN)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            if self._prepare is not None:
                self._prepare()
            gc.collect()
            gc.freeze()
            self._control.send(str(os.getpid()).encode())
            self._selector.register(self._control, selectors.EVENT_READ, self._take_request)
            self._selector.register(self._worker, selectors.EVENT_READ, self._stop_taking)
            self._spare_due = time.monotonic() if self._ready is not None else None
            while self._is_open or self._children:
                for key in self._news():
                    key.data(key.fd)
                self._keep_time()
            code = 0
        except BaseException:
            _log.exception("The nursery failed.")
        finally:
            os._exit(code)

    def _news(self) -> list[selectors.SelectorKey]:
        """Wait for what happened next: children first, so that one that is ready gets what is asked for meanwhile."""
        last = [self._control.fileno(), self._worker]
        found = [key for key, _ in self._selector.select(self._next_timeout())]
        return sorted(found, key=lambda key: last.index(key.fd) if key.fd in last else -1)

    def _next_timeout(self) -> float | None:
        moments = [child.idle_until for child in self._waiting()[1:] if child.idle_until is not None]
        if self._spare_due is not None:
            moments.append(self._spare_due)
        return max(0.0, min(moments) - time.monotonic()) if moments else None

    def _keep_time(self) -> None:
        now = time.monotonic()
        if self._spare_due is not None and self._spare_due <= now:
            self._spare_due = None
            if not self._waiting():
                self._fork(None)
        for child in self._waiting()[1:]:
            if child.idle_until is not None and child.idle_until <= now:
                self._dismiss(child)

    def _waiting(self) -> list["_Member"]:
        """Return the children that wait for a job, the one that had the last job first: its pages are warm."""
        found = [child for child in self._children.values() if child.channel is None and child.jobs is not None]
        return sorted(found, key=lambda child: child.idle_until or 0.0, reverse=True)

    def _stop_taking(self, _descriptor: int | None = None) -> None:
        if self._is_open:
            self._is_open = False
            self._spare_due = None
            self._selector.unregister(self._control)
            self._selector.unregister(self._worker)
            self._control.close()
            for child in self._waiting():
                self._dismiss(child)

    def _dismiss(self, child: "_Member") -> None:
        """Give a child that waits nothing more: it sees its channel close, and ends."""
        if child.jobs is not None:
            self._selector.unregister(child.jobs)
            child.jobs.close()
            child.jobs = None

    def _take_request(self, _descriptor: int) -> None:
        try:
            name, descriptors, _, _ = socket.recv_fds(self._control, MAX_NAME_BYTES, 1)
        except OSError:
            name, descriptors = b"", []
        if not descriptors:
            self._stop_taking()
            return
        channel = socket.socket(fileno=descriptors[0])
        if name.decode(errors="replace") not in self._targets:
            with contextlib.suppress(OSError):
                frames.send(channel, frames.REFUSED, b"unknown target; known: " + ", ".join(self._targets).encode())
            channel.close()
            return
        for child in self._waiting():
            if child.is_ready and self._hand_over(child, name, channel):
                return
        self._fork((name, channel))

    def _hand_over(self, child: "_Member", name: bytes, channel: socket.socket) -> bool:
        """Give the request to a child that waits; False when it has just died."""
        assert child.jobs is not None
        if self._ready is not None:
            self._spare_due = time.monotonic() + SPARE_AFTER_SECONDS
        try:
            socket.send_fds(child.jobs, [name], [channel.fileno()])
        except OSError:
            self._dismiss(child)
            return False
        child.channel, child.is_ready = channel, False
        return True

    def _fork(self, first: tuple[bytes, socket.socket] | None) -> None:
        """Fork a child that begins with the job ``first``; without one it gets ready and waits."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = os.fork()
        if pid == 0:
            ours.close()
            self._leave_nursery()
            self._serve_jobs(theirs, first)
        theirs.close()
        child = _Member(pid, os.pidfd_open(pid), ours, first[1] if first is not None else None)
        self._children[child.descriptor] = child
        self._selector.register(child.descriptor, selectors.EVENT_READ, self._reap)
        self._selector.register(ours, selectors.EVENT_READ, lambda _: self._hear(child))

    def _hear(self, child: "_Member") -> None:
        """A child is ready for a job, the first or another one; or it will end, which its pidfd tells."""
        if child.jobs is None:  # dismissed by what else had happened at the same moment
            return
        try:
            word = child.jobs.recv(1)
        except OSError:
            word = b""
        if word != _READY:
            self._dismiss(child)
            return
        child.is_ready = True
        child.idle_until = time.monotonic() + IDLE_SECONDS
        if child.channel is not None:
            _tell_end(child.channel, exit_code=0, signal_number=None)
            child.channel = None
        if not self._is_open:
            self._dismiss(child)

    def _reap(self, descriptor: int) -> None:
        self._selector.unregister(descriptor)
        child = self._children.pop(descriptor)
        self._dismiss(child)
        _, status = os.waitpid(child.pid, 0)
        os.close(descriptor)
        if child.channel is not None:
            code = os.waitstatus_to_exitcode(status)
            _tell_end(child.channel, exit_code=code if code >= 0 else None, signal_number=-code if code < 0 else None)
            if self._spare_due is not None:
                self._spare_due = time.monotonic()
        elif self._is_open and self._ready is not None and self._spare_due is None:
            # A child that waited is gone: make another, in a while.
            self._spare_due = time.monotonic() + SPARE_AFTER_SECONDS

    def _leave_nursery(self) -> None:
        """In a child: keep nothing of the nursery's own, and take signals again."""
        os.setsid()
        bounds.let_others_go_first()
        self._selector.close()
        self._control.close()
        os.close(self._worker)
        for other in self._children.values():
            os.close(other.descriptor)
            for held in (other.channel, other.jobs):
                if held is not None:
                    held.close()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)

    def _serve_jobs(self, jobs: socket.socket, first: tuple[bytes, socket.socket] | None) -> NoReturn:
        """In a child: run one job after another, while each leaves the process as it found it."""
        code = 0
        try:
            if first is None:
                self._get_ready()
                _say_ready(jobs)
            size = _resident_bytes()
            for left in reversed(range(self._most_jobs)):
                job, first = first or _next_job(jobs), None
                if job is None:
                    break
                code = 1
                _run(job[1], self._targets[job[0].decode()], job[0].decode())
                code = 0
                if not left or not _is_clean(size):
                    break
                _say_ready(jobs)
                gc.collect()
        except BaseException:
            _log.exception("A forked child failed.")
        finally:
            logging.shutdown()
            os._exit(code)

    def _get_ready(self) -> None:
        if self._ready is not None:
            try:
                self._ready()
            except Exception as error:  # the job will meet it again, and say it better
                _log.warning("A spare child is not ready.", extra={"error": repr(error)})


class _Member:
    """The nursery's hold on one child: ``channel`` is that of the job it has, ``jobs`` brings it the next one."""

    def __init__(self, pid: int, descriptor: int, jobs: socket.socket, channel: socket.socket | None) -> None:
        self.pid = pid
        self.descriptor = descriptor
        self.jobs: socket.socket | None = jobs
        self.channel = channel
        self.is_ready = False
        self.idle_until: float | None = None


def _say_ready(jobs: socket.socket) -> None:
    with contextlib.suppress(OSError):
        # The nursery is gone, then; the next look for a job sees that too.
        jobs.send(_READY)
    _name("sluice-spare")


def _next_job(jobs: socket.socket) -> tuple[bytes, socket.socket] | None:
    """Wait for the next job; None when there will be none."""
    try:
        name, descriptors, _, _ = socket.recv_fds(jobs, MAX_NAME_BYTES, 1)
    except OSError:
        return None
    return (name, socket.socket(fileno=descriptors[0])) if descriptors else None


def _run(channel: socket.socket, target: Target, name: str) -> None:
    _name(f"sluice-{name}"[:15])
    # Told by the child itself: a second writer could come between its frames.
    frames.send(channel, frames.BORN, str(os.getpid()).encode())
    _, payload = frames.receive(channel)
    result = target(payload)
    with contextlib.suppress(OSError):
        # The worker may be gone or frozen; what the child had to say has been said elsewhere.
        channel.settimeout(30)
        frames.send(channel, frames.RESULT, result)
    channel.close()


def _tell_end(channel: socket.socket, *, exit_code: int | None, signal_number: int | None) -> None:
    with contextlib.suppress(OSError):
        channel.setblocking(False)
        frames.send(channel, frames.ENDED, json.dumps({"exit_code": exit_code, "signal": signal_number}).encode())
    channel.close()


def _is_clean(size: int) -> bool:
    """Return whether a job left nothing behind in this process: no thread, no child, not much memory."""
    if _is_retired or threading.active_count() > 1 or _resident_bytes() > size + _MOST_GROWTH_BYTES:
        return False
    try:
        # A sandbox's first process, whose parent did not wait for it, falls to this one as a zombie.
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return True
    return False


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _name(name: str) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0)
