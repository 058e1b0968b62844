"""The lease, the feed, the persistence of calls, and the choice of an engine."""

import threading
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from app.core import clock
from app.core.canonical import sha256_hex
from app.core.errors import Conflict, Unavailable
from app.core.settings import Settings, get_settings
from app.executor import discovery
from app.executor.cancel import StopOrder
from app.executor.errors import EngineMissing, EngineRefused
from app.runner import engines, lease
from app.runner.feed import Feed
from app.runner.lease import LeaseKeeper
from app.runner.port import EngineRequest, HeartbeatAnswer, LeaseLost, Phase, ProgressRecord
from app.runner.steadfast import insist
from tests.runner.memory import MemoryPort, plan_job
from tests.support.waiting import until


def record(text: str) -> ProgressRecord:
    return ProgressRecord(at=clock.now(), kind="line", text=text)


def alive(stop: str | None = None) -> HeartbeatAnswer:
    return HeartbeatAnswer.model_validate({"stop": stop, "lease_expires_at": clock.now() + timedelta(seconds=30)})


class Beats:
    def __init__(self) -> None:
        self.phases: list[Phase | None] = []
        self.orders: list[StopOrder] = []
        self.answer: HeartbeatAnswer | Exception = alive()

    def beat(self, phase: Phase | None) -> HeartbeatAnswer:
        self.phases.append(phase)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def stop(self, order: StopOrder, reason: str) -> None:
        self.orders.append(order)

    def keeper(self, *, heartbeat: float = 0.01, lease: float = 30) -> LeaseKeeper:
        return LeaseKeeper(self.beat, self.stop, heartbeat_seconds=heartbeat, lease_seconds=lease)


def test_lease_tells_a_phase_with_the_next_beat() -> None:
    beats = Beats()
    keeper = beats.keeper(heartbeat=0.05)
    keeper.enter("planning")
    assert until(lambda: "planning" in beats.phases)
    keeper.close()


@pytest.mark.parametrize("order", ["cancel", "halt", "lease_lost"])
def test_lease_hands_an_order_on_once(order: str) -> None:
    beats = Beats()
    beats.answer = alive(order)
    keeper = beats.keeper()
    assert until(lambda: len(beats.phases) > 3 or order == "lease_lost")
    assert until(lambda: beats.orders == [StopOrder(order)])
    keeper.close()
    assert beats.orders == [StopOrder(order)]


def test_lease_that_is_refused_stops_at_once() -> None:
    beats = Beats()
    beats.answer = LeaseLost("swept")
    keeper = beats.keeper()
    assert until(lambda: beats.orders == [StopOrder.LEASE_LOST])
    keeper.close()


def test_lease_survives_a_short_silence_and_stops_after_a_long_one() -> None:
    beats = Beats()
    keeper = beats.keeper(lease=600)
    assert until(lambda: len(beats.phases) > 1)
    beats.answer = ConnectionRefusedError("away")
    told = len(beats.phases)
    assert until(lambda: len(beats.phases) > told + 3)
    keeper.close()
    assert beats.orders == []
    keeper = beats.keeper(lease=0.1)
    assert until(lambda: beats.orders == [StopOrder.LEASE_LOST])
    keeper.close()


def test_lease_notices_a_heartbeat_that_hangs() -> None:
    beats = Beats()
    release = threading.Event()

    def hang(phase: Phase | None) -> HeartbeatAnswer:
        release.wait(60)
        return alive()

    keeper = LeaseKeeper(hang, beats.stop, heartbeat_seconds=0.01, lease_seconds=0.1)
    assert until(lambda: beats.orders == [StopOrder.LEASE_LOST])
    release.set()
    keeper.close()


def test_who_computes_waits_for_a_heartbeat_but_not_for_one_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    beats, begun, release = Beats(), threading.Event(), threading.Event()

    def hang(phase: Phase | None) -> HeartbeatAnswer:
        begun.set()
        release.wait(60)
        return beats.beat(phase)

    monkeypatch.setattr(lease, "_GIVE_WAY_SECONDS", 60.0)
    keeper = LeaseKeeper(hang, beats.stop, heartbeat_seconds=0.05, lease_seconds=600)
    keeper.give_way()
    assert begun.wait(60)
    threading.Timer(0.1, release.set).start()
    keeper.give_way()
    assert release.is_set(), "the heartbeat went first"
    keeper.close()
    release.clear()
    begun.clear()
    monkeypatch.setattr(lease, "_GIVE_WAY_SECONDS", 0.1)
    keeper = LeaseKeeper(hang, beats.stop, heartbeat_seconds=0.05, lease_seconds=600)
    assert begun.wait(60)
    told = len(beats.phases)
    keeper.give_way()
    keeper.give_way()
    assert len(beats.phases) == told, "it still hangs"
    release.set()
    keeper.close()


def test_lease_whose_run_has_told_its_end_beats_on_and_hands_on_no_order() -> None:
    """A run that has failed is answered as one that somebody else ended."""
    beats = Beats()
    keeper = beats.keeper()
    keeper.end_orders()
    beats.answer = alive("lease_lost")
    told = len(beats.phases)
    assert until(lambda: len(beats.phases) > told + 3)
    keeper.close()
    assert beats.orders == []


def test_feed_keeps_order_in_batches() -> None:
    batches: list[list[str]] = []
    feed = Feed(lambda records: batches.append([found.text for found in records]), lambda _: None, batch_seconds=600)
    for number in range(500):
        feed.add(record(str(number)))
    feed.close(60)
    assert [text for batch in batches for text in batch] == [str(number) for number in range(500)]
    assert len(batches) < 50


def test_feed_flush_does_not_wait_for_the_next_batch() -> None:
    sent: list[str] = []
    feed = Feed(lambda records: sent.extend(found.text for found in records), lambda _: None, batch_seconds=600)
    feed.add(record("a"))
    assert until(lambda: sent == ["a"])
    feed.add(record("b"))
    assert feed.flush(60)
    assert sent == ["a", "b"]
    feed.close(60)


def test_feed_hurried_does_not_wait_for_the_next_batch_and_only_once() -> None:
    sent: list[str] = []
    feed = Feed(lambda records: sent.extend(found.text for found in records), lambda _: None, batch_seconds=600)
    feed.hurry()
    feed.add(record("a"))
    assert until(lambda: sent == ["a"])
    feed.add(record("b"))
    feed.hurry()
    assert until(lambda: sent == ["a", "b"])
    feed.add(record("c"))
    threading.Event().wait(0.2)
    assert sent == ["a", "b"], "this one was not hurried"
    feed.close(60)
    assert sent == ["a", "b", "c"]


def test_feed_keeps_records_while_the_control_plane_is_away() -> None:
    sent: list[str] = []
    failures = [Unavailable("away"), ConnectionResetError("away")]

    def append(records: list[ProgressRecord]) -> None:
        if failures:
            raise failures.pop()
        sent.extend(found.text for found in records)

    feed = Feed(append, lambda _: None)
    for number in range(10):
        feed.add(record(str(number)))
    assert feed.flush(60)
    assert sent == [str(number) for number in range(10)]
    feed.close(60)


@pytest.mark.parametrize("error", [LeaseLost("swept"), ValueError("a fault")])
def test_feed_hands_the_last_records_on_when_they_are_refused(error: Exception) -> None:
    lost: list[str] = []

    def append(records: list[ProgressRecord]) -> None:
        raise error

    feed = Feed(append, lambda records: lost.extend(found.text for found in records))
    feed.add(record("a"))
    assert until(lambda: lost == ["a"])
    feed.add(record("b"))
    feed.close(60)
    assert lost == ["a", "b"]


def test_insist_calls_again_until_it_is_answered() -> None:
    pauses: list[float] = []
    failures: list[Exception] = [
        Unavailable("a"),
        OperationalError("select", {}, Exception("b")),
        ConnectionResetError("c"),
    ]

    def call() -> str:
        if failures:
            raise failures.pop()
        return "answer"

    assert insist("x", call, for_seconds=60, sleep=pauses.append) == "answer"
    assert pauses == [0.05, 0.1, 0.2]


@pytest.mark.parametrize("error", [Conflict("no"), LeaseLost("no"), ValueError("no")])
def test_insist_takes_an_answer_or_a_fault_at_once(error: Exception) -> None:
    def call() -> None:
        raise error

    with pytest.raises(type(error)):
        insist("x", call, for_seconds=60, sleep=lambda _: pytest.fail("it must not wait"))


@pytest.mark.parametrize(
    ("constraint", "version", "is_allowed"),
    [
        ("1.11.4", "1.11.4", True),
        ("= 1.11.4", "1.11.5", False),
        (">= 1.6, < 2.0", "1.12.6", True),
        (">= 1.6, < 1.12", "1.12.6", False),
        ("~> 1.11", "1.12.6", True),
        ("~> 1.11.0", "1.12.6", False),
        ("~> 1", "1.12.6", True),
        ("!= 1.12.6", "1.12.6", False),
        ("> 1.0", "1.13.0-beta1", True),
    ],
)
def test_engine_constraint_is_read_as_engines_write_it(constraint: str, version: str, is_allowed: bool) -> None:
    assert engines.allows(constraint, version) is is_allowed


def test_engine_constraint_that_can_not_be_read_is_an_error() -> None:
    with pytest.raises(EngineMissing, match="~> 1.11"):
        engines.allows("newest", "1.0.0")


def test_engine_choice_without_a_match_says_what_is_there() -> None:
    settings = get_settings()
    with pytest.raises(EngineMissing, match="this worker has"):
        engines.choose(settings, EngineRequest(version_constraint="< 0.1"))


@pytest.fixture
def several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A worker with three engines of its own, of which one is not what its list says."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(discovery, "_known", {})
    directory = tmp_path / "engines"
    directory.mkdir()
    listed = ""
    for name in ("tofu-1.12.6", "tofu-1.11.0", "terraform-1.11.4"):
        path = directory / name
        path.write_text(f'#!/bin/sh\necho \'{{"terraform_version": "{name.partition("-")[2]}"}}\'\n')
        path.chmod(0o755)
        listed += f"{sha256_hex(path.read_bytes() if name != 'tofu-1.11.0' else b'else')}  {name}\n"
    (directory / "SHA256SUMS").write_text(listed)
    monkeypatch.setenv("PATH", str(tmp_path))
    return get_settings().model_copy(
        update={"engines_dir": directory, "tools_dir": tmp_path / "tools", "engine": None, "engine_checksums": None}
    )


@pytest.mark.processes
def test_engine_choice_among_several_takes_the_newest_that_is_allowed(several: Settings) -> None:
    def chosen(**request: str) -> str:
        tool = engines.choose(several, EngineRequest.model_validate(request))
        return f"{tool.kind} {tool.version}"

    assert chosen() == "tofu 1.12.6"
    assert chosen(kind="terraform") == "terraform 1.11.4"
    assert chosen(kind="tofu", version_constraint="~> 1.12") == "tofu 1.12.6"
    with pytest.raises(EngineRefused, match="tofu-1.11.0"):
        chosen(kind="tofu", version_constraint="1.11.0")
    with pytest.raises(EngineMissing, match="asks for tofu 1.13.0, but this worker has tofu 1.12.6, terraform 1.11.4"):
        chosen(kind="tofu", version_constraint="1.13.0")


@pytest.mark.processes
def test_engine_choice_for_an_apply_is_the_one_that_planned(several: Settings) -> None:
    planned = engines.describe(engines.choose(several, EngineRequest(kind="terraform")))

    assert engines.describe(engines.choose(several, EngineRequest(), planned)) == planned


@pytest.mark.parametrize(
    ("backend", "speculative", "is_locked"),
    [("http", False, False), ("http", True, False), ("local", False, True), ("s3", False, True), ("s3", True, False)],
)
def test_job_plan_takes_the_engines_lock_unless_the_run_holds_it_here(
    backend: str, speculative: bool, is_locked: bool
) -> None:
    job = plan_job(MemoryPort(), {}, expected_backend=backend, speculative=speculative)
    assert job.is_locked_by_engine is is_locked
