"""Shared fixtures: real PostgreSQL and Redis, sessions that roll back, databases with real commits, and the guards.

- ``session`` (``db`` is the same): a transaction that is rolled back; every ``unit_of_work`` inside joins it
- ``real_database``: a migrated database of its own, with real commits (races, processes); its address
- ``module_database``, ``module_redis_url``: addresses for processes that serve all tests of a module
- ``redis_url``: a real Redis; without it, jobs go to a broker in memory
- ``sent_jobs``: what ``core.jobs`` would have sent, as ``(task, ids, queue)``
- ``client``: the API inside ``session``'s transaction, as whichever actor the test says
- ``engine_tool``: runs the test once with each engine that is found
"""

import base64
import os
import secrets
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Engine, create_engine, pool
from sqlalchemy.orm import Session

from tests.support import aws, clouds, examples, guards, nginx

if TYPE_CHECKING:
    from tests.support.client import ActingClient

KEPT = ("SLUICE_TEST_", "SLUICE_TOOLS_DIR")
for _name in [name for name in os.environ if name.startswith("SLUICE_") and not name.startswith(KEPT)]:
    del os.environ[_name]
_scratch = Path(tempfile.mkdtemp(prefix="sluice-tests-"))
os.environ["SLUICE_HOME"] = str(_scratch / "home")
os.environ["SLUICE_WORK_DIR"] = str(_scratch / "work")
os.environ["SLUICE_MASTER_KEY"] = f"test:{base64.b64encode(secrets.token_bytes(32)).decode()}"
(_scratch / "home").mkdir(mode=0o700)
(_scratch / "work").mkdir(mode=0o700)

from app.core import broker, db, jobs, outbox  # noqa: E402 - after the environment that settings read
from app.core.errors import Unavailable  # noqa: E402
from app.core.settings import get_settings  # noqa: E402
from app.executor import discovery  # noqa: E402
from tests.support import database, registry  # noqa: E402
from tests.support.joined import JoinedSessions  # noqa: E402

examples.load()


def pytest_collection_finish(session: pytest.Session) -> None:
    if getattr(session.config.option, "loadgroup", False):
        # Tests that share a server would start one in each worker, unseen but for the time it takes.
        lost = [item for item in session.items if item.get_closest_marker("xdist_group") and "@" not in item.nodeid]
        if lost:
            raise pytest.UsageError(f"pytest-xdist does not group {lost[0].nodeid}: see pytest in pyproject.toml")
    # From here on: what hands out the tests starts processes before, and asks the machine for its name.
    guards.install()


# A runner that was started in the background hands on an ignored SIGINT, which programs under test would inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)


_LEFT_OUT = pytest.StashKey[dict[str, int]]()
_SWITCHES = {
    "aws": ("AWS", aws.OFF, "SLUICE_TEST_AWS=off"),
    "clouds": ("cloud", clouds.OFF, "SLUICE_TEST_CLOUDS=off"),
    "provider": ("provider registry", registry.HAS_NO_PROVIDER, "there is no Go to build a provider with"),
    "nginx": ("nginx", nginx.PROGRAM is None, "there is no nginx, nor apt to get it with"),
    "gcs": ("GCS", clouds.HAS_NO_GCS and not clouds.OFF, "there is no Go to build fake-gcs-server with"),
}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what a switch asks for or this machine can't have, and count it."""
    counted = {}
    for marker, (_, is_off, _) in _SWITCHES.items():
        if not is_off:
            continue
        left_out = [item for item in items if item.get_closest_marker(marker)]
        items[:] = [item for item in items if not item.get_closest_marker(marker)]
        config.hook.pytest_deselected(items=left_out)
        counted[marker] = len(left_out)
    config.stash[_LEFT_OUT] = counted
    if hasattr(config, "workeroutput"):
        config.workeroutput["left_out"] = counted


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a worker of pytest-xdist counted; each of them collects everything."""
    node.config.stash[_LEFT_OUT] = getattr(node, "workeroutput", {}).get("left_out", {})


def pytest_unconfigure(config: pytest.Config) -> None:
    shutil.rmtree(_scratch, ignore_errors=True)
    said = [
        f"{word} tests left out: {config.stash.get(_LEFT_OUT, {}).get(marker, 0)}, {reason}"
        for marker, (word, is_off, reason) in _SWITCHES.items()
        if is_off
    ]
    if said and not hasattr(config, "workerinput"):
        # Here and not in the terminal's summary, since this is to be the last line of all.
        print("; ".join(said))


def engines() -> list[discovery.Tool]:
    return discovery.find_engines(get_settings())


def pytest_report_header() -> str:
    found = ", ".join(f"{tool.kind} {tool.version}" for tool in engines())
    return f"engines: {found or 'none (run `make tools`, or install OpenTofu or Terraform)'}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "engine_tool" in metafunc.fixturenames:
        found = engines()
        metafunc.parametrize(
            "engine_tool", found or [None], ids=[tool.kind for tool in found] or ["none"], indirect=True
        )


@pytest.fixture
def engine_tool(request: pytest.FixtureRequest) -> discovery.Tool:
    """One of the engines that are found; the test runs with each."""
    if request.param is None:
        pytest.fail("No engine was found: run `make tools`, or install OpenTofu or Terraform.")
    tool: discovery.Tool = request.param
    return tool


def forget_settings() -> None:
    """Let settings and what is made from them be read again."""
    db.engine.cache_clear()
    forget_broker()


def forget_broker() -> None:
    """Let settings be read again; engines stay, since who drops one must have disposed of its connections."""
    broker.celery_app.cache_clear()
    outbox.outbox.cache_clear()
    get_settings.cache_clear()


@pytest.fixture(autouse=True)
def _settings_of_this_test() -> Iterator[None]:
    """What a test did to the environment is not in the settings of the next."""
    yield
    get_settings.cache_clear()


@pytest.fixture(scope="session")
def databases() -> Iterator[database.TestDatabases]:
    """This process's PostgreSQL."""
    with database.running_postgres() as running:
        yield running


@pytest.fixture(scope="session")
def _rolled_back_engine(databases: database.TestDatabases) -> Iterator[Engine]:
    engine = create_engine(database.sqlalchemy_address(databases.create("rolled_back")), poolclass=pool.StaticPool)
    yield engine
    engine.dispose()


@pytest.fixture
def session(_rolled_back_engine: Engine) -> Iterator[Session]:
    """A session whose work, and that of every unit of work inside the test, is rolled back at the end."""
    with _rolled_back_engine.connect() as connection:
        transaction = connection.begin()
        joined = JoinedSessions(connection)
        db.set_session_factory(joined)
        try:
            with joined() as opened:
                yield opened
        finally:
            db.set_session_factory(None)
            try:
                joined.end()
            finally:
                transaction.rollback()


@pytest.fixture(name="db")
def db_session(session: Session) -> Session:
    return session


@pytest.fixture
def real_database(databases: database.TestDatabases, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A migrated database with real commits, which settings name while the test runs; its address."""
    url = databases.create()
    monkeypatch.setenv("SLUICE_DATABASE_URL", url)
    forget_settings()
    try:
        yield url
    finally:
        for name in ("default", "halt", "watch"):
            # One that was never used can't be made any more where a test took the address away.
            with suppress(Unavailable):
                db.engine(name).dispose()
        forget_settings()
        databases.drop(url)


@pytest.fixture(scope="session")
def _redis() -> Iterator[str]:
    with database.running_redis() as url:
        yield url


@pytest.fixture
def redis_url(_redis: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A real Redis, emptied, which settings name while the test runs; its address."""
    import redis

    with redis.Redis.from_url(_redis) as connection:
        connection.flushall()
    monkeypatch.setenv("SLUICE_REDIS_URL", _redis)
    forget_broker()
    yield _redis
    forget_broker()


@pytest.fixture(scope="module")
def module_database(databases: database.TestDatabases) -> Iterator[str]:
    """A migrated database for processes that serve all tests of a module; settings don't name it."""
    url = databases.create()
    yield url
    databases.drop(url)


@pytest.fixture(scope="module")
def module_redis_url(_redis: str) -> str:
    """A real Redis, emptied, for processes that serve all tests of a module; settings don't name it."""
    import redis

    with redis.Redis.from_url(_redis) as connection:
        connection.flushall()
    return _redis


@pytest.fixture
def sent_jobs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[str, ...], str]]:
    """What would have been sent, instead of sending it: ``(task, ids, queue)``."""
    sent: list[tuple[str, tuple[str, ...], str]] = []

    def send(task: str, *ids: str, queue: jobs.Queue = "control") -> bool:
        sent.append((task, ids, queue))
        return True

    monkeypatch.setattr(jobs, "send", send)
    monkeypatch.setattr(jobs, "post", send)
    return sent


@pytest.fixture
def spawns() -> Iterator[None]:
    """For tests of scripts that start processes by themselves."""
    with guards.spawning("the test is about a script that starts processes"):
        yield


@pytest.fixture
def client(session: Session) -> Iterator["ActingClient"]:
    """The API inside the test's transaction: ``client.acting(actor).get(…)``; without an actor, credentials decide."""
    from app.core import permissions
    from app.identity.resolver import resolve
    from tests.support.application import application
    from tests.support.client import ActingClient

    with ActingClient(application(), session) as opened:
        yield opened
    permissions.set_resolver(resolve)
