"""The typed commands that embedded gives to the gateway."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from app.embedded.account import Account

CREATES_DATABASE = "SLUICE_EMBEDDED_DATABASE"
"""The environment variable that lets `prepare` make the database: the server is ours."""
READY_FILE = "SLUICE_READY_FILE"
"""The environment variable that names the file which the worker writes once it takes jobs."""


@dataclass(frozen=True)
class InitDatabase:
    """``initdb``: a new cluster that demands passwords (SCRAM) on every connection, and sorts by code point."""

    program: Path
    account: Account
    data: Path
    user: str
    password_file: Path
    name: ClassVar[str] = "initdb"

    def arguments(self) -> tuple[str, ...]:
        """Return the arguments that follow the account's program."""
        return self.account.arguments(
            self.program,
            f"--pgdata={self.data}",
            f"--username={self.user}",
            f"--pwfile={self.password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--no-instructions",
            # Iterations stretch weak passwords; ours are 256 random bits, and each connection would pay for them.
            "--set=scram_iterations=1",
        )


@dataclass(frozen=True)
class PostgresServer:
    """``postgres``, on a Unix socket in ``sockets`` alone, small: it shares a laptop with everything else."""

    program: Path
    account: Account
    data: Path
    sockets: Path
    max_connections: int = 100
    name: ClassVar[str] = "postgres"

    def arguments(self) -> tuple[str, ...]:
        """Return the arguments that follow the account's program."""
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.sockets),
            "unix_socket_permissions": "0700",
            "max_connections": str(self.max_connections),
            "shared_buffers": "32MB",
            "work_mem": "4MB",
            "maintenance_work_mem": "32MB",
            "effective_cache_size": "256MB",
            "max_wal_size": "256MB",
            "min_wal_size": "64MB",
            "wal_level": "minimal",
            "max_wal_senders": "0",
            "max_worker_processes": "1",
            "max_logical_replication_workers": "0",
            "max_parallel_workers": "0",
            "max_parallel_workers_per_gather": "0",
            "io_method": "sync",
            "jit": "off",
            "autovacuum_max_workers": "1",
            "log_line_prefix": "%m [%p] ",
            "log_min_messages": "warning",
            "log_timezone": "UTC",
            "timezone": "UTC",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return self.account.arguments(self.program, "-D", str(self.data), *options)


@dataclass(frozen=True)
class RedisServer:
    """``redis-server`` with a configuration file, since arguments can be read by everybody on the machine."""

    configuration: Path
    name: ClassVar[str] = "redis-server"

    def arguments(self) -> tuple[str, ...]:
        """Return the arguments that follow the program."""
        return (str(self.configuration),)


PartName = Literal["api", "worker", "beat", "prepare", "bootstrap"]
_MODULES: dict[PartName, tuple[str, ...]] = {
    "api": ("app.cli.serve", "api"),
    "worker": ("app.cli.serve", "worker"),
    "beat": ("app.cli.serve", "beat"),
    "prepare": ("app.embedded.prepare",),
    "bootstrap": ("app.bootstrap",),
}


@dataclass(frozen=True)
class SluicePart:
    """One part of Sluice, as a fresh interpreter of the same installation; its settings come by environment."""

    part: PartName
    options: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Return the part's name."""
        return self.part

    @property
    def program(self) -> Path:
        """Return this interpreter."""
        return Path(sys.executable)

    def arguments(self) -> tuple[str, ...]:
        """Return the arguments that follow the interpreter."""
        return ("-m", *_MODULES[self.part], *self.options)
