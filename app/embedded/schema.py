"""Which schema a database has, which one this code wants, and how to get from one to the other.

Reads the migrations' headers instead of importing Alembic, so that a start that has nothing to migrate stays quick.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psycopg
from psycopg import errors

from app.embedded.errors import SchemaMismatch, ServerFailed

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"
_REVISION = re.compile(r"^revision(?::\s*str)?\s*=\s*[\"']([^\"']+)[\"']", re.MULTILINE)
_PARENT = re.compile(r"^down_revision(?::[^=]+)?\s*=\s*[\"']([^\"']+)[\"']", re.MULTILINE)

Age = Literal["empty", "old", "current"]


@dataclass(frozen=True)
class Schema:
    """What a database has: its revision, and how that compares to the one that is wanted."""

    age: Age
    revision: str | None
    wanted: str


def wanted_revision(migrations: Path = MIGRATIONS) -> tuple[str, frozenset[str]]:
    """Return the newest revision, and all that this code knows. Raises ``SchemaMismatch`` unless one is the newest."""
    revisions: dict[str, str | None] = {}
    for file in (migrations / "versions").glob("*.py"):
        text = file.read_text()
        if found := _REVISION.search(text):
            parent = _PARENT.search(text)
            revisions[found.group(1)] = parent.group(1) if parent else None
    heads = set(revisions) - set(revisions.values())
    if len(heads) != 1:
        raise SchemaMismatch(f"The migrations have {len(heads)} newest revisions, not one: this checkout is broken.")
    return heads.pop(), frozenset(revisions)


def look_at(url: str, *, create_missing: bool = False, migrations: Path = MIGRATIONS) -> Schema:
    """Return the schema of the database at ``url``; make an empty database first when it may be made.

    Raises ``SchemaMismatch`` for one that a newer Sluice made, and ``ServerFailed`` when it can't be reached.
    """
    wanted, known = wanted_revision(migrations)
    revision = _revision(url, create_missing)
    if revision is None:
        return Schema("empty", None, wanted)
    if revision not in known:
        raise SchemaMismatch(
            f"The database has the schema {revision}, which this Sluice does not know: a newer one made it. Start that "
            "version, or restore a backup from before the upgrade.",
            revision=revision,
            wanted=wanted,
        )
    return Schema("current" if revision == wanted else "old", revision, wanted)


def require_current(url: str) -> None:
    """Raise ``SchemaMismatch``, with the remedy, unless the database has the newest schema."""
    schema = look_at(url)
    if schema.age != "current":
        state = "is empty" if schema.age == "empty" else f"has the older schema {schema.revision}"
        raise SchemaMismatch(
            f"The database {state}; this Sluice needs {schema.wanted}. Run `sluice migrate` first.",
            revision=schema.revision,
            wanted=schema.wanted,
        )


def _revision(url: str, create_missing: bool) -> str | None:
    try:
        with psycopg.connect(url, connect_timeout=10, autocommit=True) as connection:
            return _read(connection)
    except psycopg.OperationalError as error:
        if create_missing and "does not exist" in str(error):
            with psycopg.connect(url, dbname="postgres", autocommit=True) as connection:
                name = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
                connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(str(name))))
            return None
        raise ServerFailed(
            f"The database can't be used: {str(error).strip()} Check SLUICE_DATABASE_URL, and that PostgreSQL runs."
        ) from error


def _read(connection: "psycopg.Connection[tuple[str]]") -> str | None:
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except errors.UndefinedTable:
        return None
    return row[0] if row else None


def migrate(url: str) -> None:
    """Bring the database at ``url`` to the newest schema. Raises ``SchemaMismatch`` when a migration fails."""
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import create_engine, pool  # noqa: TID251 - a migrator has one connection and no pool
    from sqlalchemy.exc import DBAPIError

    configuration = Config()
    configuration.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1), poolclass=pool.NullPool)
    try:
        with engine.connect() as connection:
            configuration.attributes["connection"] = connection
            command.upgrade(configuration, "head")
    except DBAPIError as error:
        raise SchemaMismatch(
            f"The migration failed and was rolled back: {str(error.orig).strip()} When it waited for a lock, stop the "
            "other parts of Sluice and start it again."
        ) from error
    finally:
        engine.dispose()
