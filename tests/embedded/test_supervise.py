import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from app.embedded.supervise import Part, StopSignals, Supervisor
from app.executor import gateway


@dataclass(frozen=True)
class Sleep:
    name = "sleep"

    def arguments(self) -> tuple[str, ...]:
        return ("600",)


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class World:
    log: Path
    said: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.supervisor = Supervisor(self.said.append, self.clock)

    def part(self, name: str) -> Part:
        def start() -> gateway.Server:
            return gateway.start(gateway.Launch(Path("/bin/sleep"), Sleep(), {}, Path("/")), log=self.log)

        def stop(server: gateway.Server) -> None:
            self.stopped.append(name)
            server.stop(grace_seconds=5)

        return Part(name, start, stop, self.log)

    def kill(self, part: Part) -> None:
        assert part.server is not None
        part.server.send(signal.SIGKILL)
        part.server.wait(10)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "part.log")
    yield made
    made.supervisor.stop_all(())


def test_check_part_that_ended_is_announced_and_started_again_after_a_pause(world: World) -> None:
    part = world.part("worker")
    world.supervisor.launch(part)
    world.kill(part)
    world.supervisor.check()
    assert world.said == [f"worker ended unexpectedly (SIGKILL); starting it again in 0.5 s. Its log: {world.log}"]
    world.supervisor.check()
    assert part.server is None
    world.clock.now += 0.5
    world.supervisor.check()
    assert part.server is not None
    assert part.server.poll() is None
    assert world.said[-1] == "worker runs again."


def test_check_part_that_keeps_ending_waits_longer_each_time_up_to_half_a_minute(world: World) -> None:
    part = world.part("worker")
    world.supervisor.launch(part)
    pauses = []
    for _ in range(8):
        world.kill(part)
        world.supervisor.check()
        assert part.restart_at is not None
        pauses.append(part.restart_at - world.clock.now)
        world.clock.now = part.restart_at
        world.supervisor.check()
    assert pauses == [0.5, 1, 2, 4, 8, 16, 30, 30]


def test_check_part_that_ran_steadily_starts_over_with_a_short_pause(world: World) -> None:
    part = world.part("worker")
    part.failures = 6
    world.supervisor.launch(part)
    world.clock.now += 60
    world.kill(part)
    world.supervisor.check()
    assert part.restart_at == world.clock.now + 0.5


def test_check_part_that_can_not_start_again_is_tried_again_later(world: World) -> None:
    part = world.part("postgres")
    world.supervisor.launch(part)
    world.kill(part)
    world.supervisor.check()

    def not_ready(_: gateway.Server) -> None:
        raise RuntimeError("not ready")

    part.wait_ready = not_ready
    world.clock.now += 0.5
    world.supervisor.check()
    assert "could not be started again (not ready)" in world.said[-1]
    assert part.server is None
    assert world.stopped == ["postgres"]
    part.wait_ready = None
    world.clock.now += 60
    world.supervisor.check()
    assert part.server is not None


def test_stop_all_keeps_the_order(world: World) -> None:
    for name in ("redis", "postgres", "api", "worker", "beat"):
        world.supervisor.launch(world.part(name))
    world.supervisor.stop_all(("api", "worker", "beat", "redis", "postgres"))
    assert world.stopped == ["api", "worker", "beat", "redis", "postgres"]


def test_run_returns_when_a_signal_comes(world: World) -> None:
    world.supervisor.launch(world.part("worker"))
    with StopSignals().installed() as stop:
        timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM))
        timer.start()
        world.supervisor.run(stop)
        timer.join()
        assert stop.requested
        assert stop.order.requested() is not None


def test_launch_large_log_is_put_aside(world: World) -> None:
    world.log.write_bytes(b"x" * (10 * 1024 * 1024 + 1))
    world.supervisor.launch(world.part("worker"))
    assert world.log.stat().st_size < 1000
    assert world.log.with_suffix(".log.1").exists()
