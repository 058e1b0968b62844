import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from app.executor import keeper, tree
from app.executor.errors import NurseryGone, ProcessFailed
from app.executor.nursery import Nursery, retire
from tests.support.guards import spawning
from tests.support.waiting import until

pytestmark = pytest.mark.processes
WORKER = Path(__file__).with_name("nursery_worker.py")


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def echo(payload: bytes) -> bytes:
    return payload[::-1]


def fail(payload: bytes) -> bytes:
    raise RuntimeError(payload)


def kill(payload: bytes) -> bytes:
    os.kill(os.getpid(), signal.SIGKILL)
    return payload


def held(payload: bytes) -> bytes:
    """Work until there is a file of that name."""
    assert until(Path(payload.decode()).exists)
    return b"held"


def show(payload: bytes) -> bytes:
    return Path("/proc/self/cmdline").read_bytes() + Path("/proc/self/environ").read_bytes()


@pytest.fixture
def go(tmp_path: Path) -> Path:
    """Return the file that children of the target `held` wait for."""
    return tmp_path / "go"


@pytest.fixture
def nursery() -> Iterator[Nursery]:
    kept = Nursery.fork({"echo": echo, "fail": fail, "kill": kill, "held": held, "show": show})
    yield kept
    kept.close()
    assert until(lambda: is_gone(kept.pid)), "the nursery ends when its worker closes it"


def test_nursery_child_returns_its_result_and_exit(nursery: Nursery) -> None:
    payload = os.urandom(3 * 1024 * 1024)
    child = nursery.start("echo", payload)
    end = child.wait(60)
    assert end is not None
    assert end.result == payload[::-1]
    assert end.exit_code == 0
    assert end.pid == child.pid


def test_nursery_child_that_raises_has_no_result(nursery: Nursery) -> None:
    end = nursery.start("fail", b"").wait(60)
    assert end is not None
    assert end.result is None
    assert end.exit_code == 1


def test_nursery_killed_child_tells_its_signal(nursery: Nursery) -> None:
    end = nursery.start("kill", b"").wait(60)
    assert end is not None
    assert end.signal == signal.SIGKILL
    assert end.result is None


def test_nursery_wait_with_time_out_returns_none_and_can_be_repeated(nursery: Nursery, go: Path) -> None:
    child = nursery.start("held", bytes(go))
    assert child.wait(0.05) is None
    go.touch()
    end = child.wait(60)
    assert end is not None
    assert end.result == b"held"


def test_nursery_unknown_target_is_refused(nursery: Nursery) -> None:
    with pytest.raises(ProcessFailed, match="echo"):
        nursery.start("nothing", b"")


def test_nursery_many_threads_start_children_at_once(nursery: Nursery) -> None:
    results: dict[int, bytes | None] = {}

    def one(number: int) -> None:
        end = nursery.start("echo", str(number).encode()).wait(60)
        results[number] = end.result if end is not None else None

    threads = [threading.Thread(target=one, args=(number,)) for number in range(10, 30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {number: str(number).encode()[::-1] for number in range(10, 30)}


def test_nursery_payload_is_in_neither_arguments_nor_environment(nursery: Nursery) -> None:
    end = nursery.start("show", b"top secret payload").wait(60)
    assert end is not None
    assert end.result
    assert b"top secret payload" not in end.result


def test_nursery_child_leads_its_own_session_outside_the_tree(nursery: Nursery, go: Path) -> None:
    child = nursery.start("held", bytes(go))
    assert os.getsid(child.pid) == child.pid
    ours = {process.pid for process in psutil.Process().children(recursive=True)}
    assert child.pid not in ours
    assert nursery.pid not in ours
    go.touch()
    assert child.wait(60) is not None


def test_nursery_child_lets_the_servers_go_first(nursery: Nursery, go: Path) -> None:
    child = nursery.start("held", bytes(go))
    assert until(lambda: os.getpriority(os.PRIO_PROCESS, child.pid) == os.getpriority(os.PRIO_PROCESS, 0) + 5)
    shares = Path(f"/proc/{child.pid}/autogroup")
    # Without privileges the whole machine may say so ten times a second.
    assert os.geteuid() or not shares.exists() or until(lambda: shares.read_text().strip().endswith("nice 5"))
    go.touch()
    assert child.wait(60) is not None


def test_nursery_killed_makes_start_raise(nursery: Nursery) -> None:
    os.kill(nursery.pid, signal.SIGKILL)
    assert until(lambda: is_gone(nursery.pid))
    with pytest.raises(NurseryGone, match="Restart the worker"):
        nursery.start("echo", b"x")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["SIGKILL", "SIGTERM"])
def test_nursery_worker_killed_leaves_the_child_working(tmp_path: Path, number: signal.Signals) -> None:
    root = str(Path(__file__).resolve().parents[2])
    with spawning("a worker of its own, to be killed"):
        worker = subprocess.Popen(
            [sys.executable, str(WORKER), str(tmp_path)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": root},
            start_new_session=True,
        )
    try:
        assert worker.stdout is not None
        nursery_pid, child_pid = map(int, worker.stdout.readline().split())
        assert until((tmp_path / "started").exists)
        os.killpg(worker.pid, number)
        worker.wait(60)
        assert not is_gone(child_pid)
        assert not is_gone(nursery_pid)
        (tmp_path / "go").touch()
        assert until((tmp_path / "done").exists), "the child goes on to its end"
        assert until(lambda: is_gone(child_pid) and is_gone(nursery_pid)), "and the nursery ends with it"
    finally:
        (tmp_path / "go").touch()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(worker.pid, signal.SIGKILL)
        worker.wait(60)
        if worker.stdout is not None:
            worker.stdout.close()


@pytest.fixture
def nursery_with_spare(tmp_path: Path) -> Iterator[tuple[Nursery, Path]]:
    """Give a nursery whose spare children note their ids in a file once they are ready."""
    notes = tmp_path / "ready"

    def ready() -> None:
        with notes.open("a") as file:
            file.write(f"{os.getpid()}\n")

    kept = Nursery.fork({"echo": echo, "held": held}, ready=ready)
    yield kept, notes
    kept.close()
    assert until(lambda: is_gone(kept.pid)), "the nursery ends when its worker closes it"
    assert until(lambda: all(is_gone(pid) for pid in ready_pids(notes))), "a spare child ends with its nursery"


def ready_pids(notes: Path) -> list[int]:
    return [int(line) for line in notes.read_text().splitlines()] if notes.exists() else []


def is_waiting(nursery: Nursery, pid: int) -> bool:
    """Whether a child waits for a job, and its nursery has heard so."""
    sleeping = psutil.STATUS_SLEEPING
    with contextlib.suppress(psutil.NoSuchProcess):
        child = psutil.Process(pid)
        # The child says that it is ready before it sleeps, which wakes the nursery.
        is_ready = child.name() == "sluice-spare" and child.status() == sleeping
        return is_ready and psutil.Process(nursery.pid).status() == sleeping
    return False


def spares(nursery: Nursery) -> list[int]:
    return [child.pid for child in psutil.Process(nursery.pid).children() if is_waiting(nursery, child.pid)]


def test_nursery_ready_spare_gets_the_next_job_and_is_replaced(nursery_with_spare: tuple[Nursery, Path]) -> None:
    nursery, notes = nursery_with_spare
    assert until(lambda: spares(nursery) == ready_pids(notes) != [])

    child = nursery.start("echo", b"ab")

    assert child.pid == ready_pids(notes)[0]
    end = child.wait(60)
    assert end is not None
    assert (end.result, end.exit_code) == (b"ba", 0)
    assert until(lambda: len(ready_pids(notes)) == 2 and spares(nursery) == ready_pids(notes)[1:])
    assert nursery.start("echo", b"").pid == ready_pids(notes)[1]


def test_nursery_jobs_at_once_are_forked_when_the_spare_is_taken(
    nursery_with_spare: tuple[Nursery, Path], go: Path
) -> None:
    nursery, notes = nursery_with_spare
    assert until(lambda: len(ready_pids(notes)) == 1)

    children = [nursery.start("held", bytes(go)) for _ in range(4)]
    go.touch()

    assert len({child.pid for child in children}) == 4
    assert [end.result for child in children if (end := child.wait(60)) is not None] == [b"held"] * 4


def test_nursery_killed_spare_is_replaced_and_no_job_is_lost(nursery_with_spare: tuple[Nursery, Path]) -> None:
    nursery, notes = nursery_with_spare
    assert until(lambda: len(ready_pids(notes)) == 1)
    os.kill(ready_pids(notes)[0], signal.SIGKILL)

    end = nursery.start("echo", b"ab").wait(60)

    assert end is not None
    assert end.result == b"ba"
    assert until(lambda: len(ready_pids(notes)) == 2)


def test_nursery_spare_that_can_t_get_ready_takes_its_job_all_the_same() -> None:
    def unready() -> None:
        raise ConnectionError("the database is away")

    nursery = Nursery.fork({"echo": echo}, ready=unready)
    try:
        for _ in range(3):
            end = nursery.start("echo", b"ab").wait(60)
            assert end is not None
            assert end.result == b"ba"
    finally:
        nursery.close()


def test_nursery_whose_worker_is_gone_leaves_no_spare(nursery_with_spare: tuple[Nursery, Path]) -> None:
    nursery, notes = nursery_with_spare
    assert until(lambda: spares(nursery) == ready_pids(notes) != [])

    nursery.close()

    assert until(lambda: is_gone(ready_pids(notes)[0]))


def leave_thread(payload: bytes) -> bytes:
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    return payload


def leave_child(payload: bytes) -> bytes:
    if os.fork() == 0:
        tree.die_with_parent()
        time.sleep(60)
        os._exit(0)
    return payload


def leave_memory(payload: bytes) -> bytes:
    kept_memory.append(bytearray(os.urandom(1024 * 1024)) * 100)
    return payload


def ask_to_retire(payload: bytes) -> bytes:
    retire()
    return payload


kept_memory: list[bytearray] = []
UNCLEAN = {
    "fail": fail,
    "leave_thread": leave_thread,
    "leave_child": leave_child,
    "leave_memory": leave_memory,
    "ask_to_retire": ask_to_retire,
}


@pytest.fixture
def reusing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Nursery]:
    """Give a nursery whose children have up to three jobs each, and of which one waits."""
    # Else a spare that is made beside a long job would get the next one.
    monkeypatch.setattr(keeper, "SPARE_AFTER_SECONDS", 600.0)
    # A supervisor that another test ran in this process may have asked for no further job here, for good.
    monkeypatch.setattr(keeper, "_is_retired", False)
    kept = Nursery.fork({"echo": echo, "kill": kill, "held": held, **UNCLEAN}, ready=lambda: None, most_jobs=3)
    assert until(lambda: len(spares(kept)) == 1)
    yield kept
    kept.close()
    assert until(lambda: is_gone(kept.pid)), "the nursery ends when its worker closes it"


def run_to_end(nursery: Nursery, target: str, payload: bytes) -> int:
    child = nursery.start(target, payload)
    end = child.wait(60)
    assert end is not None
    return child.pid


def test_nursery_child_that_ended_cleanly_has_further_jobs_up_to_the_most(reusing: Nursery) -> None:
    pids = [run_to_end(reusing, "echo", b"ab") for _ in range(4)]

    assert pids[0] == pids[1] == pids[2]
    assert pids[3] != pids[0]
    assert until(lambda: is_gone(pids[0]))


@pytest.mark.parametrize("target", UNCLEAN)
def test_nursery_child_that_left_something_behind_has_no_further_job(reusing: Nursery, target: str) -> None:
    first = run_to_end(reusing, target, b"ab")

    assert run_to_end(reusing, "echo", b"ab") != first
    assert until(lambda: is_gone(first))


def test_nursery_child_killed_in_a_later_job_tells_its_signal(reusing: Nursery) -> None:
    first = run_to_end(reusing, "echo", b"ab")

    child = reusing.start("kill", b"")
    end = child.wait(60)

    assert child.pid == first
    assert end is not None
    assert (end.signal, end.result) == (signal.SIGKILL, None)


def test_nursery_child_killed_between_jobs_costs_no_job(reusing: Nursery) -> None:
    first = run_to_end(reusing, "echo", b"ab")
    os.kill(first, signal.SIGKILL)

    child = reusing.start("echo", b"cd")
    end = child.wait(60)

    assert end is not None
    assert (end.result, end.exit_code) == (b"dc", 0)
    assert child.pid != first


def test_nursery_closed_ends_children_that_wait_and_lets_the_others_work(reusing: Nursery, go: Path) -> None:
    waiting = run_to_end(reusing, "echo", b"ab")
    working = [reusing.start("held", bytes(go)) for _ in range(2)]

    reusing.close()
    go.touch()

    assert [end.result for child in working if (end := child.wait(60)) is not None] == [b"held"] * 2
    assert until(lambda: all(is_gone(pid) for pid in (waiting, *(child.pid for child in working))))
