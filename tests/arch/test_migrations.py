"""The migrated database is what the models say, also where Alembic's comparison is blind: triggers and functions."""

from collections.abc import Iterator

import psycopg
import pytest
from alembic.command import check
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, pool

from app import registry
from app.core.db import Base
from app.embedded import schema
from tests.support import database

QUERIES = {
    "triggers": "SELECT tgrelid::regclass::text, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
    "functions": "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
    "constraints": "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint "
    "WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> 'alembic_version'",
    "indexes": "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version'",
    "columns": "SELECT table_name, column_name, data_type, is_nullable, column_default, is_identity "
    "FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version'",
}


@pytest.fixture(scope="module")
def pair(databases: database.TestDatabases) -> Iterator[tuple[str, str]]:
    migrated, created = databases.create("arch_migrated"), databases.create_empty("arch_created")
    assert registry.MODELS
    engine = create_engine(database.sqlalchemy_address(created), poolclass=pool.NullPool)
    Base.metadata.create_all(engine)
    engine.dispose()
    yield migrated, created
    databases.drop(migrated)
    databases.drop(created)


def rows(url: str, query: str) -> set[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return set(connection.execute(query.encode()).fetchall())


@pytest.mark.parametrize("what", QUERIES)
def test_migrated_database_equals_the_models(pair: tuple[str, str], what: str) -> None:
    migrated, created = (rows(url, QUERIES[what]) for url in pair)
    assert migrated - created == set()
    assert created - migrated == set()


def test_alembic_sees_nothing_to_migrate(pair: tuple[str, str]) -> None:
    configuration = database.alembic_config()
    engine = create_engine(database.sqlalchemy_address(pair[0]), poolclass=pool.NullPool)
    with engine.connect() as connection:
        configuration.attributes["connection"] = connection
        check(configuration)
    engine.dispose()


def test_wanted_revision_is_alembics_head() -> None:
    script = ScriptDirectory.from_config(database.alembic_config())
    wanted, known = schema.wanted_revision()
    assert wanted == script.get_current_head()
    assert known == {revision.revision for revision in script.walk_revisions()}


def test_every_migration_bounds_its_locks() -> None:
    for revision in ScriptDirectory.from_config(database.alembic_config()).walk_revisions():
        text = revision.module.__file__ and open(revision.module.__file__).read()  # noqa: PTH123, SIM115
        assert text and "lock_timeout" in text and "statement_timeout" in text, revision.revision  # noqa: PT018
