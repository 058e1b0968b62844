"""The tests' own PostgreSQL and Redis: the embedded ones, in a short directory, gone afterwards."""

import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, pool

from app.embedded.home import Home, open_home
from app.embedded.postgres import Postgres
from app.embedded.redis import Redis
from app.executor.gateway import Server

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = "template_sluice"
_servers: set[int] = set()
_homes: set[str] = set()


def own_children() -> list[psutil.Process]:
    """Return the processes below this one, other than the servers that the tests themselves run on.

    What left a server's tree on purpose, as supervisors do, is known by its data directory.
    """
    found = psutil.Process().children(recursive=True)
    roots = [process for process in found if process.pid in _servers or _home_of(process) in _homes]
    servers = {process.pid for root in roots for process in (root, *_below(root))}
    return [process for process in found if process.pid not in servers]


def note_server(pid: int, home: Path) -> None:
    """Take note of a Sluice that tests run on, and of its data directory."""
    _servers.add(pid)
    _homes.add(str(home))


def _home_of(process: psutil.Process) -> str | None:
    try:
        return process.environ().get("SLUICE_HOME")
    except psutil.Error:
        return None


def _below(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


@contextmanager
def _noted(server: Server) -> Iterator[None]:
    _servers.add(server.pid)
    try:
        yield
    finally:
        _servers.discard(server.pid)


class TestDatabases:
    """One server; databases are copies of one that was migrated once."""

    __test__ = False

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres
        self._is_migrated = False
        # A test's data need not survive a power cut; to make and drop a database is mostly to wait for the disk.
        for setting in ("fsync", "full_page_writes"):
            self._execute(f"ALTER SYSTEM SET {setting} = off")
        self._execute("SELECT pg_reload_conf()")

    def url(self, database: str) -> str:
        """Return a database's address. Commits don't wait for the disk either."""
        return f"{self._postgres.url(database)}&options=-csynchronous_commit%3Doff"

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())

    def _migrate(self) -> None:
        if self._is_migrated:
            return
        self._execute(f"CREATE DATABASE {TEMPLATE}")
        migrate(self.url(TEMPLATE))
        self._is_migrated = True

    def create_empty(self, name: str) -> str:
        """Make an empty database and return its address."""
        self._execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def create(self, name: str | None = None) -> str:
        """Make a migrated database and return its address."""
        self._migrate()
        name = name or f"test_{secrets.token_hex(6)}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY FILE_COPY")
        return self.url(name)

    def drop(self, url: str) -> None:
        """Remove a database, with whoever is still connected."""
        name = url.partition("@/")[2].partition("?")[0]
        self._execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def alembic_config() -> Config:
    """Return Alembic's configuration of this checkout."""
    return Config(ROOT / "alembic.ini")


def sqlalchemy_address(url: str) -> str:
    """Return ``url`` for SQLAlchemy's psycopg 3 driver."""
    return url.replace("postgresql://", "postgresql+psycopg://", 1)


def migrate(url: str, revision: str = "head") -> None:
    """Bring the database at ``url`` to ``revision``."""
    engine = create_engine(sqlalchemy_address(url), poolclass=pool.NullPool)
    configuration = alembic_config()
    with engine.connect() as connection:
        configuration.attributes["connection"] = connection
        command.upgrade(configuration, revision)
    engine.dispose()


@contextmanager
def temporary_home() -> Iterator[Home]:
    """Give a data directory with a short path (sockets must fit), removed afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="sluice-test-"))
    try:
        yield open_home(directory / "home")
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def running_postgres() -> Iterator[TestDatabases]:
    """Run a PostgreSQL for the tests of this process."""
    with temporary_home() as home:
        postgres = Postgres(home)
        postgres.make()
        server = postgres.start()
        try:
            postgres.wait_ready(server)
            with _noted(server):
                yield TestDatabases(postgres)
        finally:
            postgres.stop(server)


@contextmanager
def running_redis() -> Iterator[str]:
    """Run a Redis for the tests of this process and give its address."""
    with temporary_home() as home:
        redis = Redis(home)
        server = redis.start()
        try:
            redis.wait_ready(server)
            with _noted(server):
                yield redis.url()
        finally:
            redis.stop(server)
