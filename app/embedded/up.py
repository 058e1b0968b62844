"""Everything of Sluice on one machine: checks, starts in order, keeps running, and stops in order."""

import http.client
import json
import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from app.embedded.commands import CREATES_DATABASE, READY_FILE, PartName, SluicePart
from app.embedded.drain import Patience, stop_worker
from app.embedded.errors import PortInUse, ServerFailed, StartError
from app.embedded.home import Home, HomeLock, open_home
from app.embedded.postgres import Postgres
from app.embedded.redis import Redis
from app.embedded.supervise import Part, Say, StopSignals, Supervisor
from app.executor import gateway

ROOT = Path(__file__).resolve().parents[2]
STOP_ORDER = ("api", "worker", "beat", "redis", "postgres")
_GRACE_SECONDS = 8.0
_HEALTH_SECONDS = 60.0
_STEP_SECONDS = 300.0


class StopRequested(Exception):
    """A signal asked for a stop while Sluice was still starting."""


@dataclass(frozen=True)
class Options:
    """What `sluice up` was asked for. Port 0 takes a free one."""

    home: Path
    host: str = "127.0.0.1"
    port: int = 8080
    has_demo: bool = True


@dataclass(frozen=True)
class Ready:
    """What a person or a script needs once Sluice is ready."""

    url: str
    login_url: str
    token: str | None
    engine: str
    policy_engine: str
    pid: int


class Up:
    """One Sluice on one machine. ``say`` gets sentences for the person who watches."""

    def __init__(self, options: Options, say: Say, environment: Mapping[str, str] | None = None) -> None:
        self._options = options
        self._say = say
        self._given = dict(os.environ if environment is None else environment)
        self._supervisor = Supervisor(say)
        self._lock: HomeLock | None = None

    def start(self, stop: StopSignals) -> Ready:
        """Start everything and return once it is ready.

        Raises ``StartError`` with the remedy when something is in the way, and ``StopRequested`` when a signal came;
        either way ``stop_all`` ends what was started.
        """
        options = self._options
        home = open_home(options.home)
        self._home = home
        self._lock = HomeLock(home)
        if home.has_elsewhere_sockets:
            self._say(f"The path of {home.root} is too long for sockets; they are in {home.sockets}.")
        port = free_port(options.host, options.port)
        self._environment = self._environment_of_parts(home, port)
        self._start_servers(home)
        self._go_on(stop)
        prepared = self._ask("prepare", (), stop)
        if prepared.get("migrated_from"):
            self._say(f"The database was migrated from {prepared['migrated_from']} to {prepared['schema']}.")
        api = self._launch("api", "--host", options.host, "--port", str(port))
        worker = self._launch_worker(stop)
        seeded = self._ask("bootstrap", ("--demo",) if options.has_demo else ("--no-demo",), stop)
        self._wait_healthy(api, options.host, port, stop)
        self._wait_working(worker, stop)
        self._launch("beat")
        return Ready(
            url=self._environment["SLUICE_URL"],
            login_url=str(seeded.get("login_url") or self._environment["SLUICE_URL"]),
            token=seeded.get("token"),
            engine=str(prepared["engine"]),
            policy_engine=str(prepared["policy_engine"]),
            pid=os.getpid(),
        )

    def run(self, stop: StopSignals) -> None:
        """Keep everything running until a stop is asked for."""
        self._supervisor.run(stop)

    def stop_all(self) -> None:
        """End every part, in order, and let go of the data directory."""
        self._supervisor.stop_all(STOP_ORDER)
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _environment_of_parts(self, home: Home, port: int) -> dict[str, str]:
        host = self._options.host
        shown = "127.0.0.1" if host in {"0.0.0.0", "::", ""} else host  # noqa: S104 - compared, not bound
        address = f"[{shown}]" if ":" in shown else shown
        return {
            "SLUICE_URL": f"http://{address}:{port}",
            # Engines are on this machine, whatever address people have for it.
            "SLUICE_RUNNER_URL": f"http://{address}:{port}",
            "SLUICE_MODULES_DIR": str(ROOT / "modules"),
            "SLUICE_POLICIES_DIR": str(ROOT / "policies"),
            "SLUICE_FRONTEND_DIR": str(ROOT / "frontend" / "dist"),
            # With one person, nobody else could ever approve; the web UI says that four-eyes is off.
            "SLUICE_SINGLE_MEMBER_MAY_APPROVE": "true",
            # Whoever presses Ctrl-C waits before the screen.
            "SLUICE_DRAIN_SECONDS": f"{Patience().wait_seconds:.0f}",
            # Threads would otherwise keep an arena each, tens of megabytes that nobody uses.
            "MALLOC_ARENA_MAX": "2",
            **_without_another_s_url(self._given, port),
            "SLUICE_HOME": str(home.root),
            "PYTHONUNBUFFERED": "1",
        }

    def _start_servers(self, home: Home) -> None:
        if not self._environment.get("SLUICE_REDIS_URL"):
            redis = Redis(home)
            part = Part("redis", redis.start, redis.stop, home.log("redis"), redis.wait_ready)
            self._supervisor.launch(part)
            self._environment["SLUICE_REDIS_URL"] = redis.url()
        if not self._environment.get("SLUICE_DATABASE_URL"):
            postgres = Postgres(home)
            if not postgres.has_data:
                self._say(f"Making a new data directory: {home.root}")
            postgres.make()
            part = Part("postgres", postgres.start, postgres.stop, home.log("postgres"), postgres.wait_ready)
            self._supervisor.launch(part)
            self._environment["SLUICE_DATABASE_URL"] = postgres.url()
            self._environment[CREATES_DATABASE] = "1"
        for part in self._supervisor.parts:
            if part.wait_ready is not None and part.server is not None:
                part.wait_ready(part.server)

    def _launch(self, name: PartName, *options: str) -> Part:
        part = Part(name, lambda: self._start_part(name, options), _end, self._home.log(name))
        self._supervisor.launch(part)
        return part

    def _start_part(self, name: PartName, options: tuple[str, ...] = ()) -> gateway.Server:
        command = SluicePart(name, options)
        launch = gateway.Launch(command.program, command, self._environment, ROOT)
        return gateway.start(launch, log=self._home.log(name))

    def _launch_worker(self, stop: StopSignals) -> Part:
        self._environment[READY_FILE] = str(self._home.root / "worker.ready")

        def start() -> gateway.Server:
            Path(self._environment[READY_FILE]).unlink(missing_ok=True)
            return self._start_part("worker")

        def end(server: gateway.Server) -> None:
            patience = Patience(wait_seconds=float(self._environment["SLUICE_DRAIN_SECONDS"]))
            stop_worker(server, f"{READY_FILE}={self._environment[READY_FILE]}", stop, self._say, patience)

        part = Part("worker", start, end, self._home.log("worker"))
        self._supervisor.launch(part)
        return part

    def _wait_working(self, worker: Part, stop: StopSignals) -> None:
        until = time.monotonic() + _HEALTH_SECONDS
        while not Path(self._environment[READY_FILE]).exists():
            self._go_on(stop)
            self._still_starting(worker, "The worker")
            if time.monotonic() > until:
                raise ServerFailed(
                    f"The worker was not ready within {_HEALTH_SECONDS:.0f} s. Its log: {worker.log}.",
                    log=str(worker.log),
                )
            time.sleep(0.05)

    @staticmethod
    def _still_starting(part: Part, name: str) -> None:
        if part.server is not None and (code := part.server.poll()) is not None:
            raise ServerFailed(
                f"{name} ended while it started (exit {code}): {_last_line(part.log)} Its log: {part.log}.",
                log=str(part.log),
            )

    def _ask(self, name: PartName, options: tuple[str, ...], stop: StopSignals) -> dict[str, Any]:
        """Run a part that ends, and return the JSON that it printed last. Raises ``StartError`` when it failed."""
        command = SluicePart(name, options)
        launch = gateway.Launch(command.program, command, self._environment, ROOT)
        limits = gateway.Limits(timeout_seconds=_STEP_SECONDS, grace_seconds=5)
        ended = gateway.run(launch, limits=limits, cancel=stop.order, capture_stdout=True)
        self._go_on(stop)
        log = self._home.log(name)
        log.write_bytes(ended.stderr)
        lines = ended.stdout.decode(errors="replace").strip().splitlines()
        try:
            answer = json.loads(lines[-1]) if lines else {}
        except ValueError:
            answer = {}
        if isinstance(answer, dict) and answer.get("detail") and "error" in answer:
            raise StartError(str(answer["detail"]), reason=str(answer["error"]))
        if ended.exit_code != 0 or not isinstance(answer, dict) or not answer:
            last = ended.stderr.decode(errors="replace").strip().splitlines()[-1:]
            raise ServerFailed(
                f"The step `{name}` failed (exit {ended.exit_code}): {''.join(last) or 'it said nothing'}. "
                f"Its log: {log}.",
                log=str(log),
            )
        return answer

    def _wait_healthy(self, api: Part, host: str, port: int, stop: StopSignals) -> None:
        address = "127.0.0.1" if host in {"0.0.0.0", ""} else "::1" if host == "::" else host  # noqa: S104 - compared
        until = time.monotonic() + _HEALTH_SECONDS
        answer = "no answer"
        while time.monotonic() < until:
            self._go_on(stop)
            self._still_starting(api, "The API")
            answer = _health(address, port)
            if answer == "200":
                return
            time.sleep(0.05)
        raise ServerFailed(
            f"The API was not healthy within {_HEALTH_SECONDS:.0f} s ({answer}). Its log: {api.log}.", log=str(api.log)
        )

    @staticmethod
    def _go_on(stop: StopSignals) -> None:
        if stop.requested:
            raise StopRequested


def _end(server: gateway.Server) -> None:
    server.stop(grace_seconds=_GRACE_SECONDS)


def free_port(host: str, port: int) -> int:
    """Return ``port``, or a free one for 0. Raises ``PortInUse`` when somebody listens there already."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OverflowError as error:
            raise PortInUse(f"{port} is not a port: choose one from 1 to 65535 with --port.", port=port) from error
        except OSError as error:
            raise PortInUse(
                f"Sluice can't listen on {host} port {port}: {error.strerror}. Stop what uses it, or choose "
                "another with --port (or --host).",
                port=port,
            ) from error
        found: int = probe.getsockname()[1]
        return found


def _health(address: str, port: int) -> str:
    connection = http.client.HTTPConnection(address, port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return str(connection.getresponse().status)
    except OSError as error:
        return str(error)
    finally:
        connection.close()


def _last_line(log: Path) -> str:
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1][:300] if lines else ""


def _without_another_s_url(given: dict[str, str], port: int) -> dict[str, str]:
    """Leave SLUICE_URL out where it can't be this installation's: the command line reads the same variable.

    A public address stays, whatever its port: a proxy may stand there.
    """
    address = urlsplit(given.get("SLUICE_URL", ""))
    if address.hostname in {"127.0.0.1", "localhost", "::1"} and address.port != port:
        return {name: value for name, value in given.items() if name != "SLUICE_URL"}
    return given
