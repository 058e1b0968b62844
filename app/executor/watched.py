"""One running process: its output, its limits, the orders to stop it, and the proof that it has ended."""

import contextlib
import os
import selectors
import signal
import time
from collections.abc import Callable
from pathlib import Path

from app.core import clock
from app.executor import bounds, control_group, sandbox, spawning, tree, watchdog
from app.executor.cancel import CancelToken, StopOrder
from app.executor.errors import ProcessFailed
from app.executor.launch import Ended, Exceeded, Launch, Limits, Proof, Stream, not_started
from app.executor.lines import Line, LineSplitter
from app.executor.spawning import Process
from app.executor.transcript import Transcript

_CHUNK = 256 * 1024
_NAMESPACE_END_SECONDS = 10.0
_DRAIN_SECONDS = 2.0
_START_LOOK_SECONDS = 0.005
_RELIEF_SECONDS, _RELIEF_LOOK_SECONDS = 2.0, 0.05
# What runs in a sandbox before the command does.
_HELPERS = frozenset({"bwrap", "setpriv"})


class Watched:
    """One running process and everything that is watched about it."""

    def __init__(
        self,
        launch: Launch,
        limits: Limits,
        cancel: CancelToken | None,
        on_line: Callable[[Line], None] | None,
        capture_stdout: bool,
    ) -> None:
        self._launch = launch
        self._limits = limits
        self._cancel = cancel
        self._capture = capture_stdout
        self._captured = bytearray()
        self._stderr_tail = bytearray()
        self._output_bytes = 0
        self._on_line = on_line
        self._deaf: Exception | None = None
        self._splitters: dict[Stream, LineSplitter] = (
            {name: LineSplitter(name, limits.line_bytes, self._hand_on) for name in ("stdout", "stderr")}
            if on_line
            else {}
        )
        self._signals: list[str] = []
        self._order: StopOrder | None = None
        self._exceeded: Exceeded | None = None
        self._seen: int | None = None
        self._watchdog: watchdog.Watchdog | None = None
        self._kill_at: float | None = None
        self._is_killed = False
        self._is_culled = False
        self._group: control_group.Group | None = None
        self._detach: Callable[[], None] | None = None
        self._is_interrupt_due = False
        self._relieved_since: float | None = None
        self._is_last_in_line = limits.tree is None
        self._init_pid: int | None = None
        self._init_descriptor: int | None = None
        self._descriptors: list[int] = []
        self._started = time.monotonic()
        self._started_at = clock.now()
        self._transcript = _open_transcript(launch)
        self._popen = self._spawn()
        self._pidfd = self._keep(os.pidfd_open(self._popen.pid))

    def _keep(self, descriptor: int) -> int:
        self._descriptors.append(descriptor)
        return descriptor

    def _spawn(self) -> Process:
        transcript = self._transcript
        try:
            started = spawning.spawn(self._launch, stdout=transcript.writer if transcript is not None else None)
        except ProcessFailed:
            self.close()
            raise
        self._status = self._keep(started.status) if started.status is not None else None
        self._gate = self._keep(started.gate) if started.gate is not None else None
        popen = started.popen
        tree.track(popen.pid)
        if self._launch.confinement is None:
            try:
                self._bind(popen.pid, watchdog.of_session(popen.pid))
            except BaseException:
                popen.kill()
                popen.wait()
                raise
        return popen

    def _bind(self, pid: int, watched: watchdog.Tree, *memory_file_systems: Path) -> None:
        """Put the tree that ``pid`` begins under its limits, and watch what the kernel doesn't."""
        bounds.bind(pid, self._limits, counts_alone=self._launch.confinement is not None)
        if self._limits.tree is not None:
            self._watchdog = watchdog.Watchdog(
                self._limits.tree,
                watched,
                directories=self._launch.writable,
                memory_file_systems=memory_file_systems,
            )

    def watch(self) -> Ended:
        """Pump output until the process has ended and everything it left is gone."""
        with selectors.DefaultSelector() as selector:
            self._register(selector)
            pending_input = memoryview(self._launch.stdin or b"")
            is_alive = True
            while is_alive:
                for key, _ in selector.select(self._next_timeout()):
                    if key.data == "exit":
                        is_alive = False
                    elif key.data == "status":
                        self._read_status()
                        selector.unregister(key.fileobj)
                    elif key.data == "cancel":
                        selector.unregister(key.fileobj)
                        self._order = self._cancel.requested() if self._cancel is not None else None
                        self._interrupt()
                    elif key.data == "stdin":
                        pending_input = self._feed(selector, pending_input)
                    elif not self._pump(key.fd, key.data):
                        selector.unregister(key.fileobj)
                self._follow()
                self._check_clock()
        ended = self._conclude()
        if self._deaf is not None:
            raise self._deaf
        return ended

    def _register(self, selector: selectors.BaseSelector) -> None:
        popen = self._popen
        for pipe, name in ((popen.stdout, "stdout"), (popen.stderr, "stderr")):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
                selector.register(pipe, selectors.EVENT_READ, name)
        selector.register(self._pidfd, selectors.EVENT_READ, "exit")
        if self._status is not None:
            selector.register(self._status, selectors.EVENT_READ, "status")
        if self._cancel is not None:
            selector.register(self._cancel.fileno(), selectors.EVENT_READ, "cancel")
        if popen.stdin is not None:
            os.set_blocking(popen.stdin.fileno(), False)
            selector.register(popen.stdin, selectors.EVENT_WRITE, "stdin")

    def _feed(self, selector: selectors.BaseSelector, pending: memoryview) -> memoryview:
        stdin = self._popen.stdin
        assert stdin is not None
        try:
            written = os.write(stdin.fileno(), pending[:_CHUNK]) if pending else 0
        except BlockingIOError:
            return pending
        except BrokenPipeError:
            written = len(pending)
        rest = pending[written:]
        if not rest:
            selector.unregister(stdin)
            stdin.close()
        return rest

    def _hand_on(self, line: Line) -> None:
        """Hand a line to who listens.

        When that fails, the command is asked to end, as by an order: it may hold a state that nobody else has.
        """
        if self._deaf is not None or self._on_line is None:
            return
        try:
            self._on_line(line)
        except Exception as error:
            self._deaf = error
            if self._popen.returncode is None:
                self._interrupt()

    def _follow(self) -> None:
        """Take what has come into the transcript since the last look."""
        transcript = self._transcript
        if transcript is not None and transcript.is_due():
            transcript.looked(found=self._pump(transcript.reader, "stdout"))

    def _pump(self, descriptor: int, stream: Stream) -> bool:
        """Read once. Returns whether there may be more."""
        try:
            chunk = os.read(descriptor, _CHUNK)
        except BlockingIOError:
            return True
        if not chunk:
            return False
        self._output_bytes += len(chunk)
        if self._output_bytes > self._limits.output_bytes:
            self._exceed("output")
            self._interrupt()
            return True
        if stream == "stdout" and self._capture:
            self._captured += chunk
            return True
        if stream == "stderr":
            self._stderr_tail += chunk
            del self._stderr_tail[: -64 * 1024]
        if stream in self._splitters:
            self._splitters[stream].feed(chunk)
        return True

    def _read_status(self) -> None:
        assert self._status is not None
        self._init_pid = tree.first_process(os.read(self._status, 4096))
        if self._init_pid is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._init_descriptor = self._keep(os.pidfd_open(self._init_pid))
        # The command waits behind the gate until all that is to hold for it does.
        self._bind(
            self._init_pid,
            watchdog.of_namespace(self._init_pid),
            Path(f"/proc/{self._init_pid}/root{sandbox.SHARED_MEMORY}"),
        )
        if self._limits.tree is not None:
            self._group = control_group.make(self._init_pid, self._limits.tree)
        if self._launch.attach is not None:
            self._detach = self._launch.attach(self._init_pid)
        if self._gate is not None:
            with contextlib.suppress(BrokenPipeError):
                os.write(self._gate, b"1")

    def _next_timeout(self) -> float | None:
        moments = [self._kill_at] if self._kill_at is not None and not self._is_killed else []
        if self._is_interrupt_due:
            moments.append(time.monotonic() + _START_LOOK_SECONDS)
        if self._limits.timeout_seconds is not None and self._kill_at is None:
            moments.append(self._started + self._limits.timeout_seconds)
        if self._watchdog is not None:
            moments.append(self._watchdog.due)
        if self._transcript is not None:
            moments.append(time.monotonic() + self._transcript.seconds_to_next_look())
        return max(0.0, min(moments) - time.monotonic()) if moments else None

    def _check_clock(self) -> None:
        present = time.monotonic()
        limit = self._limits.timeout_seconds
        if limit is not None and self._kill_at is None and present >= self._started + limit:
            self._exceed("timeout")
            self._interrupt()
        if self._watchdog is not None and present >= self._watchdog.due and not self._is_killed:
            self._heed(self._watchdog.look())
        if not self._is_last_in_line and (leader := self._leader()) is not None:
            self._is_last_in_line = bounds.let_others_go_before_session(leader)
        if self._is_interrupt_due:
            self._interrupt_started()
        if self._kill_at is not None and present >= self._kill_at and not self._is_killed:
            self.kill()

    def _leader(self) -> int | None:
        return self._popen.pid if self._launch.confinement is None else self._init_pid

    def _heed(self, excess: watchdog.Excess | None) -> None:
        if excess is None:
            if self._relieved_since is not None:
                self._interrupt()
            return
        self._exceed(excess.kind, excess.seen)
        if excess.kind == "processes" and self._relieve():
            return
        self._interrupt()
        if excess.is_drastic and self._watchdog is not None:
            # Providers and provisioners first: an engine that loses them still saves its state.
            if self._is_culled:
                self.kill()
            else:
                self._watchdog.kill_others()
            self._is_culled = True

    def _relieve(self) -> bool:
        """Kill what others than the engine have started, and wait a moment for it to be gone; False when that is over.

        An engine that can start no thread when it is told to end crashes, and what it has not written of its state is
        lost.
        """
        if self._watchdog is None or self._kill_at is not None or not self._watchdog.kill_offspring():
            return False
        present = time.monotonic()
        self._relieved_since = self._relieved_since or present
        self._watchdog.due = present + _RELIEF_LOOK_SECONDS
        return present < self._relieved_since + _RELIEF_SECONDS

    def _exceed(self, kind: Exceeded, seen: int | None = None) -> None:
        """Note what the process is ended for, unless it is being ended already."""
        if self._exceeded is None and self._order is None:
            self._exceeded, self._seen = kind, seen

    def _interrupt(self) -> None:
        if self._kill_at is not None:
            return
        self._kill_at = time.monotonic() + self._limits.grace_seconds
        self._signals.append("SIGINT")
        self._is_interrupt_due = True
        self._interrupt_started()

    def _interrupt_started(self) -> None:
        """Send SIGINT once the command itself runs.

        Before that a sandbox holds its first process only, which the kernel shields, so the signal would be lost; and
        it must not be sent twice, since engines take the second one as an order to drop everything.
        """
        if self._launch.confinement is not None:
            try:
                names = tree.children_names(self._init_pid) if self._init_pid is not None else set()
            except OSError:
                # No descriptor is left to look; it is tried again, until it is time to kill.
                return
            if not names - _HELPERS:
                return
        self._is_interrupt_due = False
        self._signal_group(signal.SIGINT)

    def _signal_group(self, number: signal.Signals) -> None:
        """Signal the engine's process group, as Ctrl-C would: its children get it too.

        In the sandbox the group is led by the namespace's first process, which the kernel shields from SIGINT.
        """
        group = self._popen.pid if self._launch.confinement is None else self._init_pid
        if group is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, number)

    def kill(self) -> None:
        """SIGKILL the whole tree at once."""
        self._is_killed = True
        if self._popen.returncode is None:
            self._signals.append("SIGKILL")
        if self._init_pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._init_pid, signal.SIGKILL)
        if self._popen.returncode is None:
            self._popen.kill()
            tree.kill_session(self._popen.pid)
            self._popen.wait()

    def _conclude(self) -> Ended:
        code = self._popen.wait()
        ended_at = clock.now()
        seconds = time.monotonic() - self._started
        proof: Proof | None = None
        if self._status is not None and self._init_pid is None:
            self._read_status()
        if self._init_descriptor is not None:
            if not tree.wait_for(self._init_descriptor, _NAMESPACE_END_SECONDS):
                self.kill()
            if tree.wait_for(self._init_descriptor, _NAMESPACE_END_SECONDS):
                proof = "empty_pid_namespace"
        elif tree.kill_session(self._popen.pid):
            proof = "wait_status"
        self._drain()
        if code != 0 and self._group is not None and self._group.has_killed():
            self._exceed("memory")
        confined = self._launch.confinement is not None
        stderr = bytes(self._stderr_tail)
        if confined and code == 1 and stderr.startswith((b"bwrap: ", b"setpriv: ")):
            raise ProcessFailed(
                f"The sandbox for `{self._launch.command.name}` could not be set up: "
                f"{stderr.decode(errors='replace').strip()[:500]}",
                command=self._launch.command.name,
            )
        number = -code if code < 0 else code - 128 if confined and code > 128 else None
        return Ended(
            command=self._launch.command.name,
            pid=self._init_pid or self._popen.pid,
            exit_code=code if number is None else None,
            signal=number,
            started_at=self._started_at,
            ended_at=ended_at,
            seconds=seconds,
            proof=proof,
            signals_sent=tuple(self._signals),
            order=self._order,
            exceeded=self._exceeded,
            seen=self._seen,
            stdout=bytes(self._captured),
            stderr=stderr,
        )

    def _drain(self) -> None:
        """Read what is left in the pipes, or the transcript. Every writer is dead, so this ends at once."""
        until = time.monotonic() + _DRAIN_SECONDS
        for pipe, name in ((self._popen.stdout, "stdout"), (self._popen.stderr, "stderr")):
            stream: Stream = "stdout" if name == "stdout" else "stderr"
            while pipe is not None and tree.wait_for(pipe.fileno(), max(0.0, until - time.monotonic())):
                if not self._pump(pipe.fileno(), stream):
                    break
        if self._transcript is not None:
            for _ in range(0, self._transcript.unread_bytes(), _CHUNK):
                self._pump(self._transcript.reader, "stdout")
        for splitter in self._splitters.values():
            splitter.flush()

    def close(self) -> None:
        """Free every descriptor, and end what serves the process."""
        group = getattr(self, "_group", None)
        if group is not None:
            group.remove()
        detach = getattr(self, "_detach", None)
        if detach is not None:
            detach()
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors.clear()
        if self._transcript is not None:
            self._transcript.close()
            self._transcript = None
        popen = getattr(self, "_popen", None)
        if popen is not None:
            tree.untrack(popen.pid)
            for pipe in (popen.stdin, popen.stdout, popen.stderr):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()


def _open_transcript(launch: Launch) -> Transcript | None:
    if launch.transcript is None:
        return None
    try:
        return Transcript(launch.transcript)
    except OSError as error:
        raise not_started(launch, error) from error
