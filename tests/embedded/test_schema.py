import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from app.cli.main import app
from app.core.settings import get_settings
from app.embedded import schema
from app.embedded.errors import SchemaMismatch, ServerFailed
from tests.support.database import TestDatabases


@pytest.fixture
def empty(databases: TestDatabases) -> Iterator[str]:
    url = databases.create_empty("schema_test")
    yield url
    databases.drop(url)


def set_revision(url: str, revision: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = %s", [revision])


def test_look_at_empty_database_then_migrated_one(empty: str) -> None:
    assert schema.look_at(empty).age == "empty"
    schema.migrate(empty)
    assert schema.look_at(empty).age == "current"
    schema.require_current(empty)


def test_migrate_twice_changes_nothing(empty: str) -> None:
    schema.migrate(empty)
    schema.migrate(empty)
    assert schema.look_at(empty).age == "current"


def test_migrate_command_prints_one_document(empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def said() -> tuple[int, dict[str, Any]]:
        get_settings.cache_clear()
        done = CliRunner().invoke(app, ["migrate", "--json"])
        return done.exit_code, json.loads(done.stdout)

    monkeypatch.setenv("SLUICE_DATABASE_URL", empty)
    wanted = schema.look_at(empty).wanted
    assert said() == (0, {"schema": wanted, "migrated_from": None, "migrated": True})
    assert said() == (0, {"schema": wanted, "migrated_from": wanted, "migrated": False})
    set_revision(empty, "ffffffffffff")
    code, problem = said()
    assert (code, problem["code"]) == (1, SchemaMismatch.code)
    monkeypatch.delenv("SLUICE_DATABASE_URL")
    code, problem = said()
    assert (code, problem["code"]) == (1, "database_missing")
    get_settings.cache_clear()


def test_require_current_on_an_empty_database_names_the_remedy(empty: str) -> None:
    with pytest.raises(SchemaMismatch, match="sluice migrate"):
        schema.require_current(empty)


def test_look_at_unknown_revision_is_a_newer_sluice(empty: str) -> None:
    schema.migrate(empty)
    set_revision(empty, "ffffffffffff")
    with pytest.raises(SchemaMismatch, match="a newer one made it") as caught:
        schema.look_at(empty)
    assert caught.value.fields["revision"] == "ffffffffffff"


def test_look_at_older_revision_is_old(empty: str, tmp_path: Path) -> None:
    schema.migrate(empty)
    wanted, _ = schema.wanted_revision()
    versions = tmp_path / "versions"
    versions.mkdir()
    (versions / "a.py").write_text(f'revision: str = "{wanted}"\ndown_revision: str | None = None\n')
    (versions / "b.py").write_text(f'revision: str = "later"\ndown_revision: str | None = "{wanted}"\n')
    found = schema.look_at(empty, migrations=tmp_path)
    assert (found.age, found.revision, found.wanted) == ("old", wanted, "later")


def test_wanted_revision_with_two_heads_is_refused(tmp_path: Path) -> None:
    versions = tmp_path / "versions"
    versions.mkdir()
    for name in ("a", "b"):
        (versions / f"{name}.py").write_text(f'revision: str = "{name}"\ndown_revision: str | None = None\n')
    with pytest.raises(SchemaMismatch, match="2 newest"):
        schema.wanted_revision(tmp_path)


def test_look_at_missing_database_is_made_only_when_allowed(databases: TestDatabases) -> None:
    url = databases.url("made_on_demand")
    with pytest.raises(ServerFailed, match="SLUICE_DATABASE_URL"):
        schema.look_at(url)
    assert schema.look_at(url, create_missing=True).age == "empty"
    assert schema.look_at(url).age == "empty"
    databases.drop(url)


def test_look_at_unreachable_server_says_what_to_check(tmp_path: Path) -> None:
    with pytest.raises(ServerFailed, match="that PostgreSQL runs"):
        schema.look_at(f"postgresql://sluice:x@/sluice?host={tmp_path}")
