"""The filter of system calls, by programs that make them."""

import platform

import pytest

from app.executor import gateway, sandbox, seccomp
from app.executor.probe import probe
from tests.executor.test_executor_gateway import launch

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(probe().tools is None, reason=f"no sandbox here: {probe().reason}"),
    pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers of the calls are those of x86-64"),
]
CALL = "import ctypes, os; c = ctypes.CDLL(None, use_errno=True); r = c.syscall({}); print(r, ctypes.get_errno())"
CALLS = {
    "add_key": "248, b'user', b'name', b'secret', 6, -3",
    "keyctl": "250, 0, -3, 1",
    "request_key": "249, b'user', b'name', None, -3",
    "unshare into a user namespace": "272, 0x10000000",
    "clone into a user namespace": "56, 0x10000000 | 17, 0, 0, 0, 0",
    "perf_event_open": "298, 0, 0, 0, 0, 0",
    "io_uring_setup": "425, 0, 0",
    "the x32 variant of getpid": f"{0x40000000 + 39}",
}


@pytest.mark.parametrize("name", CALLS)
def test_filter_refuses(name: str) -> None:
    tools = probe().tools
    assert tools is not None
    ended = gateway.run(launch(CALL.format(CALLS[name]), sandbox.Confinement(tools)), capture_stdout=True)
    assert ended.stdout.split()[:2] == [b"-1", b"1"], (ended.stdout, ended.stderr)


def test_filter_lets_threads_and_processes_be_made() -> None:
    tools = probe().tools
    assert tools is not None
    code = (
        "import subprocess, threading\n"
        "t = threading.Thread(target=lambda: print('thread', flush=True)); t.start(); t.join()\n"
        "subprocess.run(['/usr/bin/env', 'echo', 'process'], check=True)"
    )
    ended = gateway.run(launch(code, sandbox.Confinement(tools)), capture_stdout=True)
    assert ended.stdout.split() == [b"thread", b"process"]


def test_filter_of_a_machine_that_is_not_known_is_none() -> None:
    assert seccomp.program.__wrapped__("riscv64") is None
    assert seccomp.program.__wrapped__("aarch64") is not None
