"""The database: declarative base, engines and the unit of work.

One transaction a request, committed at the edge before the answer leaves; one a ``RunnerPort`` call; one a job. No
slice commits.
"""

import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache, partial
from typing import Annotated, Any, Literal, TypeVar

import psycopg
from anyio import CancelScope
from fastapi import Depends
from sqlalchemy import BigInteger, DateTime, Engine, ForeignKey, MetaData, String, create_engine, event
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import InvalidatePoolError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from app.core import clock
from app.core.errors import Unavailable
from app.core.lifeline import on_lifeline
from app.core.settings import Settings, get_settings

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Base of every row."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        list[Any]: JSONB,
        list[str]: ARRAY(String),
        int: BigInteger,
    }


Id = Annotated[str, mapped_column(String, primary_key=True)]


class OrganizationOwned:
    """Mixin: the row belongs to one organization and goes with it."""

    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"), index=True)


class Created:
    """Mixin: when the row was made."""

    created_at: Mapped[datetime] = mapped_column(default=clock.now)


Pool = Literal["default", "halt", "watch"]

CONNECTION_OPTIONS = "-c timezone=UTC -c idle_in_transaction_session_timeout=120s"
"""Given when a connection is made, which costs no round trip: UTC, and an end to what a lost client holds."""


APPLICATION, HALT_APPLICATION = "sluice", "sluice-halt"
"""What connections call themselves, so that a halt can tell its own kind from what it may end."""
HALT_CONNECTIONS = 4
IDLE_SECONDS = 1.0
"""A connection that nobody used for so long is looked at before it is used; to look costs a round trip."""
_USED = "sluice_used"
T = TypeVar("T")


def sqlalchemy_url(settings: Settings) -> str:
    """Return the database address for SQLAlchemy's psycopg 3 driver. Raises ``Unavailable`` when none is set."""
    if settings.database_url is None:
        raise Unavailable("No database is configured: set SLUICE_DATABASE_URL, or start everything with `sluice up`.")
    scheme, _, rest = settings.database_url.get_secret_value().partition("://")
    return f"postgresql+psycopg://{rest}" if scheme in {"postgres", "postgresql"} else f"{scheme}://{rest}"


_most_connections: int | None = None


def limit_connections(most: int) -> None:
    """Let this process, and those forked from it, keep at most ``most`` connections of the default pool."""
    global _most_connections
    _most_connections = most
    engine.cache_clear()


@lru_cache(maxsize=4)
def engine(pool: Pool = "default") -> Engine:
    """Return this process's engine. The ``halt`` pool is apart, so that a full pool can't queue a halt.

    So is ``watch``, for whoever ends what halts wait for: they would queue behind the halts that wait.
    """
    settings = get_settings()
    sizes: dict[Pool, int] = {
        "default": _most_connections or settings.database_pool_size,
        "halt": HALT_CONNECTIONS,
        "watch": HALT_CONNECTIONS + 1,
    }
    size = sizes[pool]
    made = create_engine(
        sqlalchemy_url(settings),
        pool_size=min(size, 5),
        max_overflow=max(0, size - 5),
        pool_timeout=15,
        # The one that was used last is used next: it is the least likely to need a look.
        pool_use_lifo=True,
        connect_args={
            "application_name": APPLICATION if pool == "default" else HALT_APPLICATION,
            "connect_timeout": 10,
            "options": CONNECTION_OPTIONS,
        },
    )
    event.listen(made, "checkin", _note_use)
    event.listen(made, "checkout", partial(_look_if_idle, made.dialect))
    return made


def _note_use(_connection: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
    record.info[_USED] = time.monotonic()


def _look_if_idle(
    dialect: Dialect, connection: DBAPIConnection, record: ConnectionPoolEntry, _proxy: PoolProxiedConnection
) -> None:
    """Have a connection that died while nobody used it replaced by a new one, and all that are as old."""
    now = time.monotonic()
    if now - record.info.get(_USED, now) < IDLE_SECONDS:
        return
    try:
        dialect.do_ping(connection)
    except psycopg.Error as error:
        raise InvalidatePoolError from error


_session_factory: Callable[[Pool], Session] | None = None


def set_session_factory(factory: Callable[[Pool], Session] | None) -> None:
    """Replace how sessions are made (tests bind them to a transaction that is rolled back)."""
    global _session_factory
    _session_factory = factory


def new_session(pool: Pool = "default") -> Session:
    """Return a session that nobody has begun yet."""
    if _session_factory is not None:
        return _session_factory(pool)
    return Session(engine(pool), expire_on_commit=False, autoflush=True)


@contextmanager
def unit_of_work(pool: Pool = "default") -> Iterator[Session]:
    """Open a transaction; commit it when the block ends, roll it back when the block raises.

    Work buffered with ``after_commit`` (jobs, doorbells) runs after the commit and is forgotten on rollback.
    """
    with new_session(pool) as session:
        try:
            yield session
            session.commit()
        except BaseException:
            session.rollback()
            session.info.pop(_AFTER_COMMIT, None)
            raise
        _run_after_commit(session)


@contextmanager
def undone(pool: Pool = "default") -> Iterator[Session]:
    """Open a transaction that is rolled back when the block ends; nothing is sent after it."""
    with new_session(pool) as session:
        try:
            yield session
        finally:
            session.rollback()
            session.info.pop(_AFTER_COMMIT, None)


def persistently(work: Callable[[], T], *, for_seconds: float = 0.0) -> T:
    """Do ``work``, which may be done twice, once more when its connection turns out to have been lost.

    One that was used a moment ago is not looked at before it is used again; whoever finds out has all others replaced.
    With ``for_seconds`` it is also tried for so long while the database can't be reached.
    """
    until, pause, is_first = time.monotonic() + for_seconds, 0.05, True
    while True:
        try:
            return work()
        except OperationalError as error:
            if not (is_first and error.connection_invalidated):
                if time.monotonic() + pause > until:
                    raise
                time.sleep(pause)
                pause = min(2 * pause, 0.4)
            is_first = False


_AFTER_COMMIT = "sluice_after_commit"


def after_commit(session: Session, action: Callable[[], None]) -> None:
    """Run ``action`` once this session's unit of work has committed; never when it rolls back."""
    session.info.setdefault(_AFTER_COMMIT, []).append(action)


def _run_after_commit(session: Session) -> None:
    for action in session.info.pop(_AFTER_COMMIT, []):
        action()


@contextmanager
def rolled_back() -> Iterator[None]:
    """Let every unit of work inside the block join one transaction that is rolled back at its end.

    Nothing is sent after these commits. For loading code and filling statement caches before work comes.
    """
    with engine().connect() as connection, connection.begin() as transaction:

        def joined(_pool: Pool) -> Session:
            session = Session(connection, expire_on_commit=False, join_transaction_mode="create_savepoint")
            session.info[_AFTER_COMMIT] = _Forgetful()
            return session

        previous = _session_factory
        set_session_factory(joined)
        try:
            yield
        finally:
            set_session_factory(previous)
            transaction.rollback()


class _Forgetful(list[Callable[[], None]]):
    def append(self, _action: Callable[[], None]) -> None:
        """Forget the action."""


def request_session() -> Iterator[Session]:
    """FastAPI dependency: the request's unit of work."""
    with unit_of_work() as session:
        yield session


async def halt_session() -> AsyncIterator[Session]:
    """FastAPI dependency: a unit of work on the connections, and in the threads, that are kept for halts."""
    work = unit_of_work("halt")
    session = await on_lifeline(work.__enter__)
    try:
        yield session
    except BaseException as error:
        # Shielded, so that the connection goes back also when the request was given up.
        with CancelScope(shield=True):
            await on_lifeline(work.__exit__, type(error), error, error.__traceback__)
        raise
    await on_lifeline(work.__exit__, None, None, None)


SessionDep = Annotated[Session, Depends(request_session, scope="function")]
HaltSessionDep = Annotated[Session, Depends(halt_session, scope="function")]
