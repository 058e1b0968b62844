"""A Sluice in its parts: PostgreSQL, Redis, two APIs, two workers and a beat, each started and killed by itself.

They are the parts that `sluice up` starts, by the same code, without the one that starts again what has ended.
"""

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from app.embedded.commands import CREATES_DATABASE, READY_FILE, PartName, SluicePart
from app.embedded.home import open_home
from app.embedded.postgres import Postgres
from app.embedded.redis import Redis
from app.embedded.up import ROOT, free_port
from app.executor import gateway
from tests.support.database import note_server
from tests.support.server import clean_environment

LEASE_SECONDS = 4
GRACE_SECONDS = 3
CONCURRENCY = 3
STEP_SECONDS = 120
STOP_SECONDS = 20
SUPERVISOR, NURSERY = "sluice-supervi", "sluice-nursery"
ENGINES = frozenset({"tofu", "terraform"})


@dataclass
class Part:
    """One process of the installation. ``stop`` is how it is asked to end."""

    name: str
    start: Callable[[], gateway.Server]
    stop: signal.Signals = signal.SIGTERM
    wait_ready: Callable[[gateway.Server], None] | None = None
    server: gateway.Server | None = None
    starts: int = field(default=0)

    def run(self) -> None:
        """Start it; what it says once it is ready is waited for where it has a way to say it."""
        self.server = self.start()
        self.starts += 1
        if self.wait_ready is not None:
            self.wait_ready(self.server)

    def ask(self, number: signal.Signals) -> None:
        """Send a signal to this process alone."""
        assert self.server is not None
        self.server.send(number)

    def kill(self, number: signal.Signals) -> None:
        """Send a signal to this process alone, and wait until it has ended."""
        self.ask(number)
        assert self.server is not None
        self.server.wait(STOP_SECONDS)


class Installation:
    """All parts on a data directory of their own. Start parts from one thread: they end with it."""

    def __init__(
        self,
        home: Path,
        guards: dict[str, str] | None = None,
        *,
        workers: int = 2,
        settings: dict[str, str] | None = None,
    ) -> None:
        self.home = open_home(home)
        self.urls = [f"http://127.0.0.1:{free_port('127.0.0.1', 0)}" for _ in range(2)]
        postgres, redis = Postgres(self.home), Redis(self.home)
        postgres.make()
        self.database_url = postgres.url()
        self._environment = {
            **clean_environment(),
            **(guards or {}),
            "SLUICE_HOME": str(self.home.root),
            "SLUICE_URL": self.urls[0],
            "SLUICE_DATABASE_URL": self.database_url,
            "SLUICE_REDIS_URL": redis.url(),
            "SLUICE_MODULES_DIR": str(ROOT / "modules"),
            "SLUICE_POLICIES_DIR": str(ROOT / "policies"),
            "SLUICE_FRONTEND_DIR": str(ROOT / "frontend" / "dist"),
            "SLUICE_WORK_DIR": str(self.home.root / "work"),
            "SLUICE_LEASE_SECONDS": str(LEASE_SECONDS),
            "SLUICE_GRACE_SECONDS": str(GRACE_SECONDS),
            "SLUICE_WORKER_CONCURRENCY": str(CONCURRENCY),
            "MALLOC_ARENA_MAX": "2",
            "PYTHONUNBUFFERED": "1",
            CREATES_DATABASE: "1",
            **(settings or {}),
        }
        self.workers = tuple(f"worker-{number}" for number in range(1, workers + 1))
        self.parts = {
            part.name: part
            for part in (
                Part("postgres", postgres.start, signal.SIGINT, postgres.wait_ready),
                Part("redis", redis.start, signal.SIGTERM, redis.wait_ready),
                *(self._api(number) for number in (1, 2)),
                *(self._worker(number) for number in range(1, workers + 1)),
                Part("beat", lambda: self._launch("beat", "beat")),
            )
        }

    def _api(self, number: int) -> Part:
        port = self.urls[number - 1].rpartition(":")[2]
        return Part(
            f"api-{number}", lambda: self._launch(f"api-{number}", "api", "--host", "127.0.0.1", "--port", port)
        )

    def _worker(self, number: int) -> Part:
        """Return a worker whose engines reach their state over one of the APIs."""
        name = f"worker-{number}"
        own = {
            "SLUICE_RUNNER_URL": self.urls[(number - 1) % len(self.urls)],
            READY_FILE: str(self.home.root / f"{name}.ready"),
        }
        return Part(name, lambda: self._launch(name, "worker", **own))

    def _launch(self, name: str, part: PartName, *options: str, **own: str) -> gateway.Server:
        if READY_FILE in own:
            Path(own[READY_FILE]).unlink(missing_ok=True)
        command = SluicePart(part, options)
        launch = gateway.Launch(command.program, command, self._environment | own, ROOT)
        return gateway.start(launch, log=self.home.log(name))

    def _step(self, part: PartName, *options: str) -> dict[str, object]:
        command = SluicePart(part, options)
        launch = gateway.Launch(command.program, command, self._environment, ROOT)
        limits = gateway.Limits(timeout_seconds=STEP_SECONDS, grace_seconds=5)
        ended = gateway.run(launch, limits=limits, capture_stdout=True)
        if ended.exit_code != 0:
            raise RuntimeError(f"{part} failed (exit {ended.exit_code}): {ended.stdout!r} {ended.stderr[-2000:]!r}")
        answer: dict[str, object] = json.loads(ended.stdout.splitlines()[-1])
        return answer

    def start(self) -> str:
        """Start everything; return the admin's token."""
        for name in ("postgres", "redis"):
            self.parts[name].run()
        self._step("prepare")
        token = str(self._step("bootstrap", "--no-demo")["token"])
        for name in ("api-1", "api-2", *self.workers, "beat"):
            self.parts[name].run()
            server = self.parts[name].server
            assert server is not None
            note_server(server.pid, self.home.root)
        return token

    def stop(self) -> None:
        """End everything, engines included."""
        for name in self.workers:
            server = self.parts[name].server
            if server is not None:
                server.stop(grace_seconds=STOP_SECONDS)
        for process in self.named(SUPERVISOR, NURSERY):
            process.kill()
        for name in ("api-1", "api-2", "beat", "redis", "postgres"):
            part = self.parts[name]
            if part.server is not None:
                part.server.stop(grace_seconds=STOP_SECONDS, first=part.stop)

    # The processes behind the parts.

    def named(self, *names: str) -> list[psutil.Process]:
        """Return the processes of this installation whose kernel name begins with one of ``names``."""
        return [process for process in self._own() if _comm(process).startswith(names)]

    def supervisors(self) -> list[psutil.Process]:
        """Return the supervisors that have a job."""
        return self.named(SUPERVISOR)

    def engines(self) -> list[psutil.Process]:
        """Return the engines that run below the supervisors."""
        return [child for supervisor in self.supervisors() for child in _below(supervisor) if _comm(child) in ENGINES]

    def _own(self) -> Iterator[psutil.Process]:
        marker = str(self.home.root)
        for process in psutil.process_iter():
            try:
                if process.environ().get("SLUICE_HOME") == marker:
                    yield process
            except psutil.Error:
                continue


@contextmanager
def installed(
    directory: Path,
    guards: dict[str, str] | None = None,
    *,
    workers: int = 2,
    settings: dict[str, str] | None = None,
) -> Iterator[tuple[Installation, str]]:
    """Run an installation below ``directory``; give it and its admin's token, and end it, whatever happens."""
    installation = Installation(directory / "home", guards, workers=workers, settings=settings)
    try:
        yield installation, installation.start()
    finally:
        installation.stop()


def _comm(process: psutil.Process) -> str:
    try:
        return Path(f"/proc/{process.pid}/comm").read_text().strip()
    except OSError:
        return ""


def _below(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []
