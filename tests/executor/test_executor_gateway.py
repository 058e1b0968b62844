"""The gateway with small programs: how processes are started, heard and ended."""

import os
import signal
import sys
import threading
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import psutil
import pytest

from app.executor import gateway, sandbox, watched
from app.executor.cancel import CancelSource, StopOrder
from app.executor.errors import ProcessFailed
from app.executor.lines import Line
from app.executor.probe import probe
from tests.executor.test_executor_nursery import is_gone
from tests.support.database import own_children
from tests.support.waiting import until

pytestmark = pytest.mark.processes
PYTHON = Path("/usr/bin/python3") if Path("/usr/bin/python3").exists() else Path(sys.executable)


@dataclass(frozen=True)
class Script:
    """A program for the tests."""

    code: str
    name: ClassVar[str] = "script"

    def arguments(self) -> tuple[str, ...]:
        return ("-c", self.code)


@pytest.fixture(params=["confined", "plain"])
def confinement(request: pytest.FixtureRequest) -> sandbox.Confinement | None:
    if request.param == "plain":
        return None
    tools = probe().tools
    if tools is None:
        pytest.skip(probe().reason)
    return sandbox.Confinement(tools)


def launch(code: str, confinement: sandbox.Confinement | None = None, stdin: bytes | None = None) -> gateway.Launch:
    return gateway.Launch(PYTHON, Script(code), {"PATH": os.environ["PATH"]}, Path("/"), confinement, stdin)


def until_limited(kind: str) -> str:
    """Return a line of a program that waits until its ``RLIMIT_…`` holds, which is set once it was started."""
    unlimited = f"resource.getrlimit(resource.RLIMIT_{kind})[0] == resource.RLIM_INFINITY"
    return f"import resource, time; [time.sleep(0.01) for _ in iter(lambda: {unlimited}, False)]"


def test_run_says_how_it_ended_and_streams_both_outputs(confinement: sandbox.Confinement | None) -> None:
    lines: list[Line] = []
    code = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    ended = gateway.run(launch(code, confinement), on_line=lines.append)
    assert (ended.exit_code, ended.signal, ended.order, ended.exceeded) == (3, None, None, None)
    assert sorted((line.stream, line.text) for line in lines) == [("stderr", "err"), ("stdout", "out")]
    assert ended.proof == ("empty_pid_namespace" if confinement else "wait_status")
    assert ended.signals_sent == ()
    assert ended.stderr == b"err\n"


def test_run_captures_output_and_feeds_input(confinement: sandbox.Confinement | None) -> None:
    data = os.urandom(2_000_000)
    code = "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read()[::-1])"
    ended = gateway.run(launch(code, confinement, data), capture_stdout=True)
    assert ended.stdout == data[::-1]


def test_run_of_a_killed_process_tells_the_signal(confinement: sandbox.Confinement | None) -> None:
    ended = gateway.run(launch("import os; os.kill(os.getpid(), 9)", confinement))
    assert (ended.exit_code, ended.signal) == (None, signal.SIGKILL)


def test_order_ends_a_process_by_sigint_and_its_children_get_it_too(confinement: sandbox.Confinement | None) -> None:
    cancel = CancelSource()
    lines: list[str] = []

    def take(line: Line) -> None:
        lines.append(line.text)
        if line.text == "ready":
            cancel.request(StopOrder.HALT)

    code = """
import os, time
reader, writer = os.pipe()
child = os.fork()
try:
    if child:
        os.read(reader, 1)
        print('ready', flush=True)
    else:
        os.write(writer, b'1')
    time.sleep(60)
except KeyboardInterrupt:
    if child:
        os.waitpid(child, 0)
    print('parent' if child else 'child', 'interrupted', flush=True)
    os._exit(7 if child else 0)
"""
    ended = gateway.run(launch(code, confinement), on_line=take, cancel=cancel)
    assert ended.order is StopOrder.HALT
    assert ended.exit_code == 7
    assert ended.signals_sent == ("SIGINT",)
    assert lines[1:] == ["child interrupted", "parent interrupted"]
    cancel.close()


def test_process_that_stays_is_killed_with_everything_it_started(
    confinement: sandbox.Confinement | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed = 0.0

    def take(_: Line) -> None:
        nonlocal passed
        passed = 1000.0

    monkeypatch.setattr(watched, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + passed))
    # Tests run beside each other: this one's processes have a name of their own.
    mark = f"mark-{uuid.uuid4().hex}"
    code = f"""
import os, signal, time
mark = "{mark}"
signal.signal(signal.SIGINT, signal.SIG_IGN)
if os.fork() == 0:
    if os.fork() == 0:
        print("all are there", flush=True)
        time.sleep(97)
    time.sleep(97)
time.sleep(97)
"""
    limits = gateway.Limits(timeout_seconds=500, grace_seconds=0.2)
    ended = gateway.run(launch(code, confinement), limits=limits, on_line=take)
    assert ended.exceeded == "timeout"
    assert ended.signals_sent == ("SIGINT", "SIGKILL")
    assert ended.signal == signal.SIGKILL
    assert ended.proof is not None
    running = [process for process in psutil.process_iter(["cmdline"]) if mark in str(process.info["cmdline"])]
    assert [process for process in running if not is_gone(process.pid)] == []


def test_order_that_came_before_the_start_is_obeyed(confinement: sandbox.Confinement | None) -> None:
    cancel = CancelSource()
    cancel.request(StopOrder.CANCEL)
    ended = gateway.run(
        launch("import time; time.sleep(60)", confinement), cancel=cancel, limits=gateway.Limits(grace_seconds=1)
    )
    assert ended.order is StopOrder.CANCEL
    assert ended.signals_sent[0] == "SIGINT"
    assert ended.exit_code != 0
    cancel.close()


def test_first_order_stands() -> None:
    cancel = CancelSource()
    assert cancel.request(StopOrder.CANCEL)
    assert not cancel.request(StopOrder.HALT)
    assert cancel.requested() is StopOrder.CANCEL
    cancel.close()


def test_sink_that_raises_ends_the_process() -> None:
    def take(line: Line) -> None:
        raise RuntimeError(line.text)

    with pytest.raises(RuntimeError, match="x"):
        gateway.run(launch("import time; print('x', flush=True); time.sleep(60)"), on_line=take)
    assert own_children() == []


def test_sink_that_raises_lets_the_process_save_what_it_has(tmp_path: Path) -> None:
    def refuse(line: Line) -> None:
        raise RuntimeError(line.text)

    code = f"""
import time
try:
    print("ready", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    open("{tmp_path}/saved", "w").write("state")
"""
    with pytest.raises(RuntimeError, match="ready"):
        gateway.run(launch(code), on_line=refuse)
    assert (tmp_path / "saved").read_text() == "state"


def test_program_that_is_not_there_is_a_clear_error() -> None:
    missing = gateway.Launch(Path("/nonexistent/tofu"), Script(""), {}, Path("/"))
    with pytest.raises(ProcessFailed, match="/nonexistent/tofu could not be started"):
        gateway.run(missing)


def test_program_that_the_sandbox_does_not_show_is_a_clear_error() -> None:
    tools = probe().tools
    if tools is None:
        pytest.skip(probe().reason)
    hidden = gateway.Launch(Path("/nonexistent/tofu"), Script(""), {}, Path("/"), sandbox.Confinement(tools))
    ended_or_error: object
    try:
        ended_or_error = gateway.run(hidden).exit_code
    except ProcessFailed as error:
        ended_or_error = error.detail
    assert ended_or_error in {126, 127} or "nonexistent" in str(ended_or_error)


def test_memory_limit_ends_an_evaluation() -> None:
    code = f"{until_limited('DATA')}; x = bytearray(600_000_000)"
    ended = gateway.run(launch(code), limits=gateway.Limits(memory_bytes=200_000_000))
    assert ended.exit_code == 1
    assert b"MemoryError" in ended.stderr


def test_no_descriptor_is_left_open(confinement: sandbox.Confinement | None) -> None:
    gateway.run(launch("print(1)", confinement), capture_stdout=True)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        gateway.run(launch("print(1)", confinement), capture_stdout=True)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_process_inherits_no_descriptor_of_ours(confinement: sandbox.Confinement | None) -> None:
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    ended = gateway.run(
        launch("import os; print(sorted(int(n) for n in os.listdir('/proc/self/fd')))", confinement),
        capture_stdout=True,
    )
    os.close(reader)
    os.close(writer)
    assert len(eval(ended.stdout)) <= 4, ended.stdout


def test_server_runs_until_it_is_stopped(tmp_path: Path) -> None:
    server = gateway.start(launch("print('up', flush=True); import time; time.sleep(60)"), log=tmp_path / "log")
    assert until(lambda: "up" in (tmp_path / "log").read_text())
    assert server.poll() is None
    assert server.wait(0.01) is None
    assert server.stop(grace_seconds=60) == -signal.SIGTERM


def test_server_that_ignores_its_signal_is_killed(tmp_path: Path) -> None:
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    server = gateway.start(launch(code), log=tmp_path / "log")
    assert until(lambda: "up" in (tmp_path / "log").read_text())
    assert server.stop(grace_seconds=0.1) == -signal.SIGKILL


def test_server_dies_with_the_thread_that_started_it(tmp_path: Path) -> None:
    started: list[gateway.Server] = []

    def begin() -> None:
        started.append(gateway.start(launch("import time; time.sleep(60)"), log=tmp_path / "log"))

    thread = threading.Thread(target=begin)
    thread.start()
    thread.join()
    assert started[0].wait(60) == -signal.SIGKILL
