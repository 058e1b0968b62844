import base64
import secrets
from pathlib import Path

import pytest
from pydantic import SecretStr

from app.core.crypto import key_file
from app.core.settings import Settings
from app.embedded import keys
from app.embedded.errors import KeyMismatch


def new_key(key_id: str = "k1") -> SecretStr:
    return SecretStr(f"{key_id}:{base64.b64encode(secrets.token_bytes(32)).decode()}")


def settings(home: Path, key: SecretStr | None = None) -> Settings:
    return Settings(home=home, master_key=key)


@pytest.fixture(autouse=True)
def _no_key_in_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLUICE_MASTER_KEY", raising=False)


def test_ensure_new_home_makes_a_key_that_stays(tmp_path: Path) -> None:
    keys.ensure(settings(tmp_path), has_data=False)
    made = key_file(tmp_path).read_text()
    keys.ensure(settings(tmp_path), has_data=True)
    assert key_file(tmp_path).read_text() == made
    assert key_file(tmp_path).stat().st_mode & 0o077 == 0


def test_ensure_lost_key_is_refused_and_none_is_made(tmp_path: Path) -> None:
    keys.ensure(settings(tmp_path), has_data=False)
    key_file(tmp_path).unlink()
    with pytest.raises(KeyMismatch, match="Restore that file"):
        keys.ensure(settings(tmp_path), has_data=False)
    assert not key_file(tmp_path).exists()


def test_ensure_new_home_on_a_database_with_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyMismatch, match="SLUICE_MASTER_KEY"):
        keys.ensure(settings(tmp_path), has_data=True)


def test_ensure_other_key_file_is_refused(tmp_path: Path) -> None:
    keys.ensure(settings(tmp_path), has_data=False)
    key_file(tmp_path).write_text(new_key().get_secret_value())
    with pytest.raises(KeyMismatch, match="does not open"):
        keys.ensure(settings(tmp_path), has_data=True)


def test_ensure_other_key_in_environment_is_refused(tmp_path: Path) -> None:
    keys.ensure(settings(tmp_path, new_key("a")), has_data=False)
    with pytest.raises(KeyMismatch, match="SLUICE_MASTER_KEY does not open"):
        keys.ensure(settings(tmp_path, new_key("b")), has_data=True)


def test_ensure_newer_key_before_the_old_one_passes(tmp_path: Path) -> None:
    old, new = new_key("old"), new_key("new")
    keys.ensure(settings(tmp_path, old), has_data=False)
    ring = SecretStr(f"{new.get_secret_value()},{old.get_secret_value()}")
    keys.ensure(settings(tmp_path, ring), has_data=True)


def test_ensure_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    keys.ensure(settings(tmp_path), has_data=False)
    key_file(tmp_path).chmod(0o644)
    with pytest.raises(KeyMismatch, match="chmod 600"):
        keys.ensure(settings(tmp_path), has_data=True)
