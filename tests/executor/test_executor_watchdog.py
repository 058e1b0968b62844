"""The limits on a process and all that it starts, by real processes."""

import contextlib
import os
import resource
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.executor import accounts, endings, gateway, sandbox, tree, watchdog
from app.executor.errors import ProcessFailed
from app.executor.launch import Limits
from app.executor.probe import probe
from app.executor.sandbox import SandboxTools
from app.executor.watchdog import LOOK_SECONDS, Excess, Tree, TreeLimits, Watchdog, of_namespace, of_session
from tests.executor.test_executor_gateway import confinement, launch, until_limited  # noqa: F401 - a fixture

pytestmark = pytest.mark.processes
MEBIBYTE = 1024 * 1024
AsSomebody = Callable[[SandboxTools], SandboxTools]
GREEDY = "import time; x = bytearray({size}); [x.__setitem__(i, 1) for i in range(0, len(x), 4096)]; time.sleep(30)"


def limits(**tree: int) -> Limits:
    return Limits(timeout_seconds=25, grace_seconds=5, tree=TreeLimits(**tree))


@pytest.fixture
def as_somebody() -> Iterator[AsSomebody]:
    """Give tools a uid that nobody else of this machine has, where the worker gives uids."""
    taken: list[accounts.Account] = []

    def own(tools: SandboxTools) -> SandboxTools:
        if tools.owner_id is None:
            return tools
        taken.append(accounts.take())
        return replace(tools, user_id=taken[-1].user_id)

    yield own
    for account in taken:
        account.release()


def in_child(code: str) -> str:
    return f"import subprocess, sys; sys.exit(subprocess.run([sys.executable, '-c', {code!r}]).returncode)"


@pytest.mark.parametrize("is_nested", [False, True], ids=["itself", "its child"])
def test_memory_over_the_limit_ends_the_tree(
    confinement: sandbox.Confinement | None,  # noqa: F811
    is_nested: bool,
) -> None:
    code = GREEDY.format(size=120 * MEBIBYTE)
    ended = gateway.run(
        launch(in_child(code) if is_nested else code, confinement), limits=limits(memory_bytes=100 * MEBIBYTE)
    )
    assert ended.exceeded == "memory"
    assert ended.seen is not None
    assert 100 * MEBIBYTE < ended.seen < 200 * MEBIBYTE
    assert ended.proof is not None


def test_memory_far_over_the_limit_is_killed_without_grace(
    confinement: sandbox.Confinement | None,  # noqa: F811
) -> None:
    code = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); " + GREEDY.format(size=300 * MEBIBYTE)
    patient = replace(limits(memory_bytes=100 * MEBIBYTE), grace_seconds=600)
    ended = gateway.run(launch(code, confinement), limits=patient)
    assert (ended.exceeded, "SIGKILL" in ended.signals_sent) == ("memory", True)


def test_memory_that_processes_share_counts_once(confinement: sandbox.Confinement | None) -> None:  # noqa: F811
    code = (
        "import os, time; x = bytearray(80_000_000); [x.__setitem__(i, 1) for i in range(0, len(x), 4096)]\n"
        "for _ in range(3):\n  if os.fork() == 0: time.sleep(1.5); os._exit(0)\n"
        "time.sleep(1.5)"
    )
    ended = gateway.run(launch(code, confinement), limits=limits(memory_bytes=200 * MEBIBYTE))
    assert (ended.exit_code, ended.exceeded) == (0, None)


def test_files_in_memory_count_as_memory() -> None:
    tools = probe().tools
    if tools is None:
        pytest.skip(probe().reason)
    code = "import time; open('/dev/shm/x', 'wb').write(bytes(150_000_000)); time.sleep(20)"
    ended = gateway.run(launch(code, sandbox.Confinement(tools)), limits=limits(memory_bytes=100 * MEBIBYTE))
    assert ended.exceeded == "memory"


def test_too_many_processes_are_refused_by_the_kernel_and_end_the_tree(as_somebody: AsSomebody) -> None:
    tools = probe().tools
    if tools is None:
        pytest.skip(probe().reason)
    # The watchdog may interrupt it before the kernel refuses it anything.
    code = (
        "import os, signal, time\nn, of = 0, {signal.SIGINT}\nsignal.pthread_sigmask(signal.SIG_BLOCK, of)\ntry:\n"
        "  while n < 400:\n    if os.fork() == 0: time.sleep(60); os._exit(0)\n    n += 1\n"
        "except BlockingIOError as error: print('refused after', n, flush=True)\n"
        "signal.pthread_sigmask(signal.SIG_UNBLOCK, of)\ntime.sleep(60)"
    )
    ended = gateway.run(
        launch(code, sandbox.Confinement(as_somebody(tools))), limits=limits(processes=100), capture_stdout=True
    )
    assert b"refused after" in ended.stdout
    assert int(ended.stdout.split()[-1]) <= 110
    assert ended.exceeded == "processes"
    assert ended.proof == "empty_pid_namespace"


def test_program_whose_child_started_too_much_can_start_threads_to_end_in_order(
    confinement: sandbox.Confinement | None,  # noqa: F811
    as_somebody: AsSomebody,
) -> None:
    code = """
import os, signal, threading, time
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
provider = os.fork()
if not provider:
    time.sleep(60)
    os._exit(0)
if not os.fork():
    while True:
        try:
            if not os.fork():
                time.sleep(60)
                os._exit(0)
        except BlockingIOError:
            time.sleep(0.01)
        if PLAIN:
            time.sleep(0.002)
try:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    time.sleep(60)
except KeyboardInterrupt:
    for _ in range(20):
        threading.Thread(target=time.sleep, args=(0.1,), daemon=True).start()
    print('state written, provider at work' if os.waitpid(provider, os.WNOHANG) == (0, 0) else 'provider gone')
"""
    if confinement is not None:
        confinement = replace(confinement, tools=as_somebody(confinement.tools))
    ended = gateway.run(
        launch(code.replace("PLAIN", str(confinement is None)), confinement),
        limits=limits(processes=100),
        capture_stdout=True,
    )
    said = b"state written, provider at work\n"
    assert (ended.exceeded, ended.signals_sent, ended.stdout) == ("processes", ("SIGINT",), said), ended.stderr[-500:]


def test_two_trees_have_their_processes_each(as_somebody: AsSomebody) -> None:
    """The kernel counts by uid: without an account of its own a run would pay for the others' processes."""
    tools = probe().tools
    if tools is None or tools.owner_id is None:
        pytest.skip("only a root worker gives accounts")
    code = "import os, time\nfor _ in range(40):\n  if os.fork() == 0: time.sleep(2); os._exit(0)\ntime.sleep({})"
    ends = []
    threads = [
        threading.Thread(
            target=lambda own=own: ends.append(
                gateway.run(launch(code.format(2), sandbox.Confinement(own)), limits=limits(processes=64))
            )
        )
        for own in [as_somebody(tools) for _ in range(3)]
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [ended.exit_code for ended in ends] == [0, 0, 0], [ended.stderr[-300:] for ended in ends]


def test_too_many_processes_without_a_sandbox_are_counted() -> None:
    code = "import os, time\nfor _ in range(69):\n  if os.fork() == 0: time.sleep(20); os._exit(0)\ntime.sleep(20)"
    ended = gateway.run(launch(code), limits=limits(processes=70))
    assert (ended.exceeded, ended.seen) == ("processes", 70)


def test_directories_over_the_limit_end_the_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Others free and fill the same disk.
    monkeypatch.setattr(watchdog, "_used_bytes", lambda _: sum(path.stat().st_size for path in tmp_path.iterdir()))
    code = f"import time\nfor n in range(8): open(f'{tmp_path}/{{n}}', 'wb').write(bytes(8_000_000))\ntime.sleep(20)"
    started = gateway.Launch(**{**vars(launch(code)), "writable": (tmp_path,)})
    ended = gateway.run(started, limits=limits(disk_bytes=40_000_000))
    assert ended.exceeded == "disk"
    assert ended.seen is not None
    assert ended.seen > 40_000_000


def test_one_file_over_the_limit_is_refused_by_the_kernel(
    confinement: sandbox.Confinement | None,  # noqa: F811
) -> None:
    code = (
        f"{until_limited('FSIZE')}; import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "open('/tmp/large', 'wb').write(bytes(3_000_000))"
    )
    ended = gateway.run(launch(code, confinement), limits=limits(disk_bytes=1_000_000))
    Path("/tmp/large").unlink(missing_ok=True)
    assert b"File too large" in ended.stderr


def test_core_dumps_are_off(confinement: sandbox.Confinement | None) -> None:  # noqa: F811
    limit = "resource.getrlimit(resource.RLIMIT_CORE)"
    code = f"import resource, time\nwhile {limit} != (0, 0): time.sleep(0.01)\nprint({limit})"
    ended = gateway.run(launch(code, confinement), limits=limits(), capture_stdout=True)
    assert ended.stdout.strip() == b"(0, 0)"


def test_what_runs_out_of_memory_dies_before_the_servers(
    confinement: sandbox.Confinement | None,  # noqa: F811
) -> None:
    score = "open('/proc/self/oom_score_adj').read().strip()"
    code = f"import time\nwhile {score} != '500': time.sleep(0.01)\nprint({score})"
    ended = gateway.run(launch(code, confinement), limits=limits(), capture_stdout=True)
    assert ended.stdout.strip() == b"500"


def test_engine_lets_the_servers_go_first(confinement: sandbox.Confinement | None) -> None:  # noqa: F811
    own = os.getpriority(os.PRIO_PROCESS, 0) + 5
    code = f"""
import os, time
while os.getpriority(os.PRIO_PROCESS, 0) != {own}:
    time.sleep(0.01)
while os.path.exists('/proc/self/autogroup') and not open('/proc/self/autogroup').read().strip().endswith('nice 10'):
    time.sleep(0.01)
print('others go first')
"""
    ended = gateway.run(launch(code, confinement), limits=limits(), capture_stdout=True)
    assert (ended.exceeded, ended.stdout) == (None, b"others go first\n")


def test_look_is_followed_by_a_pause() -> None:
    watchdog = Watchdog(TreeLimits(10**12, 10**6, 10**12), of_session(os.getsid(0)), directories=(Path("/tmp"),))
    began = time.monotonic()
    assert watchdog.look() is None
    assert watchdog.due >= began + LOOK_SECONDS


@pytest.fixture
def no_descriptors() -> Iterator[Callable[[], None]]:
    """Give what leaves this process no descriptor to open, until the test's end."""
    before, taken = resource.getrlimit(resource.RLIMIT_NOFILE), list[int]()

    def take() -> None:
        highest = max(int(path.name) for path in Path("/proc/self/fd").iterdir())
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, before[1]))
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.open("/dev/null", os.O_RDONLY))

    yield take
    resource.setrlimit(resource.RLIMIT_NOFILE, before)
    for descriptor in taken:
        os.close(descriptor)


@pytest.mark.parametrize("is_namespace", [True, False])
def test_look_without_a_descriptor_is_an_excess(no_descriptors: Callable[[], None], is_namespace: bool) -> None:
    watched = of_namespace(os.getpid()) if is_namespace else of_session(os.getsid(0))
    watchdog = Watchdog(TreeLimits(10**12, 10**6), watched)
    assert watchdog.look() is None
    no_descriptors()
    assert watchdog.look() == Excess("descriptors", 0, 0)
    assert watchdog.look() == Excess("descriptors", 0, 0, is_drastic=True)
    assert not tree.kill_session(2**22 + 1, within_seconds=0.1)


def test_run_whose_supervisor_can_open_nothing_is_ended(
    confinement: sandbox.Confinement | None,  # noqa: F811
    no_descriptors: Callable[[], None],
) -> None:
    within = Limits(timeout_seconds=25, grace_seconds=1, tree=TreeLimits(memory_bytes=10**12))
    code = "import time; print('up', flush=True); time.sleep(60)"
    ended = gateway.run(
        launch(code, confinement), limits=within, on_line=lambda line: no_descriptors() if line.text == "up" else None
    )
    assert ended.exceeded == "descriptors"
    with pytest.raises(ProcessFailed, match="could open no more files"):
        endings.check(ended, within, [])


def test_look_that_took_long_is_repeated_soon() -> None:
    def members() -> Iterator[Path]:
        time.sleep(0.3)
        yield Path("/proc/self")

    watchdog = Watchdog(TreeLimits(10**12), Tree(members, frozenset()))
    watchdog.look()
    assert watchdog.due - time.monotonic() <= 2.0


def test_look_counts_shared_pages_exactly_for_a_moment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    read, exact = Path.read_bytes, 0

    def slowly(path: Path) -> bytes:
        nonlocal exact
        if path.name == "smaps_rollup":
            exact += 1
            time.sleep(0.05)
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", slowly)
    found = Watchdog(TreeLimits(1), Tree(lambda: iter([Path("/proc/self")] * 100), frozenset())).look()
    assert found is not None
    assert 1 <= exact <= 5
    assert found.seen > 50 * MEBIBYTE


def test_empty_files_take_room_and_are_counted_no_further_than_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1000):
        (tmp_path / f"{number}").touch()
    watchdog = Watchdog(TreeLimits(disk_bytes=400_000), of_session(os.getsid(0)), directories=(tmp_path,))
    monkeypatch.setattr(watchdog, "_walk_after", 0.0)
    found = watchdog.look()
    assert found is not None
    assert (found.kind, found.is_drastic) == ("disk", True)
    assert 500_000 < found.seen < 510_000
