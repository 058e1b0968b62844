"""The nursery's own side: takes requests, forks, reaps, and keeps one spare child.

A fork has to copy each page that it writes to first, and to open its own connections, which costs a run more than the
fork itself. So one child is forked ahead of its job, has done both, and waits to be told what to run. While none waits
(several jobs came at once), a child is forked on the spot.
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
import time
from collections.abc import Callable, Mapping
from typing import NoReturn

from app.executor import frames

_log = logging.getLogger(__name__)
_PR_SET_NAME = 15
_READY = b"R"
MAX_NAME_BYTES = 256
SPARE_AFTER_SECONDS = 1.0
"""A new spare waits until the child before it has ended, or for this long: it must not slow what was just started."""

Target = Callable[[bytes], bytes]


class Keeper:
    """Serves requests that come over ``control`` until the process behind the pidfd ``worker`` is gone.

    ``targets`` are what children may run, by name; ``prepare`` runs once, before the first request; ``ready`` runs in
    each spare child, and what it raises is only logged.
    """

    def __init__(
        self,
        control: socket.socket,
        worker: int,
        targets: Mapping[str, Target],
        *,
        prepare: Callable[[], None] | None,
        ready: Callable[[], None] | None,
    ) -> None:
        self._control = control
        self._worker = worker
        self._targets = targets
        self._prepare = prepare
        self._ready = ready
        self._selector = selectors.DefaultSelector()
        self._children: dict[int, tuple[int, socket.socket]] = {}
        self._spare: _Spare | None = None
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
                for key, _ in self._selector.select(self._until_spare()):
                    key.data(key.fd)
                if self._spare_due is not None and self._spare_due <= time.monotonic():
                    self._fork_spare()
            code = 0
        except BaseException:
            _log.exception("The nursery failed.")
        finally:
            os._exit(code)

    def _until_spare(self) -> float | None:
        return None if self._spare_due is None else max(0.0, self._spare_due - time.monotonic())

    def _stop_taking(self, _descriptor: int | None = None) -> None:
        if self._is_open:
            self._is_open = False
            self._spare_due = None
            self._selector.unregister(self._control)
            self._selector.unregister(self._worker)
            self._control.close()
            if self._spare is not None:
                # It sees its channel close, and ends.
                self._let_go(self._spare)
                self._spare.channel.close()

    def _take_request(self, _descriptor: int) -> None:
        try:
            name, descriptors, _, _ = socket.recv_fds(self._control, MAX_NAME_BYTES, 1)
        except OSError:
            name, descriptors = b"", []
        if not descriptors:
            self._stop_taking()
            return
        channel = socket.socket(fileno=descriptors[0])
        target = self._targets.get(name.decode(errors="replace"))
        if target is None:
            with contextlib.suppress(OSError):
                frames.send(channel, frames.REFUSED, b"unknown target; known: " + ", ".join(self._targets).encode())
            channel.close()
            return
        if self._hand_to_spare(name, channel):
            return
        pid = os.fork()
        if pid == 0:
            self._leave_nursery()
            _run(channel, target, name.decode())
        self._watch(os.pidfd_open(pid), pid, channel)

    def _watch(self, descriptor: int, pid: int, channel: socket.socket) -> None:
        self._children[descriptor] = (pid, channel)
        self._selector.register(descriptor, selectors.EVENT_READ, self._reap)

    def _hand_to_spare(self, name: bytes, channel: socket.socket) -> bool:
        """Give the request to the spare child; False when there is none that is ready, or it has just died."""
        spare = self._spare
        if spare is None or not spare.is_ready:
            return False
        self._let_go(spare)
        self._spare, self._spare_due = None, time.monotonic() + SPARE_AFTER_SECONDS
        try:
            socket.send_fds(spare.channel, [name], [channel.fileno()])
        except OSError:
            spare.reap()
            return False
        spare.channel.close()
        self._watch(spare.descriptor, spare.pid, channel)
        return True

    def _fork_spare(self) -> None:
        self._spare_due = None
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = os.fork()
        if pid == 0:
            ours.close()
            self._leave_nursery()
            self._wait_for_job(theirs)
        theirs.close()
        self._spare = _Spare(pid, os.pidfd_open(pid), ours)
        self._selector.register(ours, selectors.EVENT_READ, self._hear_spare)
        self._selector.register(self._spare.descriptor, selectors.EVENT_READ, self._lose_spare)

    def _hear_spare(self, _descriptor: int) -> None:
        if self._spare is not None:
            self._selector.unregister(self._spare.channel)
            with contextlib.suppress(OSError):
                self._spare.is_ready = self._spare.channel.recv(1) == _READY

    def _lose_spare(self, _descriptor: int) -> None:
        """The spare child died before it was needed: make another, in a while."""
        if self._spare is not None:
            self._let_go(self._spare)
            self._spare.reap()
            self._spare, self._spare_due = None, time.monotonic() + SPARE_AFTER_SECONDS

    def _let_go(self, spare: "_Spare") -> None:
        for watched in (spare.channel, spare.descriptor):
            with contextlib.suppress(KeyError):
                self._selector.unregister(watched)

    def _leave_nursery(self) -> None:
        """In a child: keep nothing of the nursery's own, and take signals again."""
        os.setsid()
        self._selector.close()
        self._control.close()
        os.close(self._worker)
        for descriptor, (_, other) in self._children.items():
            os.close(descriptor)
            other.close()
        if self._spare is not None:
            os.close(self._spare.descriptor)
            self._spare.channel.close()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)

    def _wait_for_job(self, jobs: socket.socket) -> NoReturn:
        try:
            _name("sluice-spare")
            if self._ready is not None:
                try:
                    self._ready()
                except Exception as error:  # the job will meet it again, and say it better
                    _log.warning("A spare child is not ready.", extra={"error": repr(error)})
            jobs.send(_READY)
            name, descriptors, _, _ = socket.recv_fds(jobs, MAX_NAME_BYTES, 1)
            jobs.close()
            if descriptors:
                _run(socket.socket(fileno=descriptors[0]), self._targets[name.decode()], name.decode())
        except OSError:
            _log.info("A spare child was not needed: its nursery has ended.")
        finally:
            os._exit(0)

    def _reap(self, descriptor: int) -> None:
        self._selector.unregister(descriptor)
        pid, channel = self._children.pop(descriptor)
        _, status = os.waitpid(pid, 0)
        os.close(descriptor)
        code = os.waitstatus_to_exitcode(status)
        facts = {"exit_code": code if code >= 0 else None, "signal": -code if code < 0 else None}
        with contextlib.suppress(OSError):
            channel.setblocking(False)
            frames.send(channel, frames.ENDED, json.dumps(facts).encode())
        channel.close()
        if self._spare_due is not None:
            self._spare_due = time.monotonic()


class _Spare:
    """The nursery's hold on its spare child."""

    def __init__(self, pid: int, descriptor: int, channel: socket.socket) -> None:
        self.pid = pid
        self.descriptor = descriptor
        self.channel = channel
        self.is_ready = False

    def reap(self) -> None:
        """Take the dead child away."""
        self.channel.close()
        os.waitpid(self.pid, 0)
        os.close(self.descriptor)


def _run(channel: socket.socket, target: Target, name: str) -> NoReturn:
    code = 1
    try:
        _name(f"sluice-{name}"[:15])
        # Told by the child itself: a second writer could come between its frames.
        frames.send(channel, frames.BORN, str(os.getpid()).encode())
        _, payload = frames.receive(channel)
        result = target(payload)
        with contextlib.suppress(OSError):
            # The worker may be gone or frozen; what the child had to say has been said elsewhere.
            channel.settimeout(30)
            frames.send(channel, frames.RESULT, result)
        code = 0
    except BaseException:
        _log.exception("A forked child failed.", extra={"target": name})
    finally:
        logging.shutdown()
        os._exit(code)


def _name(name: str) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0)
