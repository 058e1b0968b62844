import os
import stat
from pathlib import Path

import pytest

from app.embedded.errors import AlreadyRunning, HomeUnusable
from app.embedded.home import HomeLock, open_home, password


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_open_home_new_directory_is_closed_to_others(tmp_path: Path) -> None:
    home = open_home(tmp_path / "a" / "b")
    assert {mode(path) for path in (home.root, home.logs, home.sockets, home.redis_data)} == {0o700}


def test_open_home_too_open_directory_is_closed(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir(mode=0o755)
    assert mode(open_home(tmp_path / "home").root) == 0o700


def test_open_home_short_path_keeps_sockets_inside(tmp_path: Path) -> None:
    home = open_home(tmp_path / "h")
    assert home.sockets == tmp_path / "h" / "run"
    assert not home.has_elsewhere_sockets


def test_open_home_deep_path_takes_a_short_private_directory_for_sockets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    deep = tmp_path.joinpath(*["deep" * 5] * 6)
    home = open_home(deep)
    assert home.has_elsewhere_sockets
    assert len(os.fsencode(home.sockets / ".s.PGSQL.5432.lock")) <= 107
    assert mode(home.sockets) == 0o700
    assert open_home(deep).sockets == home.sockets
    assert open_home(deep / "other").sockets != home.sockets
    for directory in (home.sockets, open_home(deep / "other").sockets):
        directory.rmdir()


def test_open_home_below_a_file_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HomeUnusable, match="--home or SLUICE_HOME"):
        open_home(tmp_path / "file" / "home")


def test_open_home_that_is_a_file_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HomeUnusable, match="--home"):
        open_home(tmp_path / "file")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_open_home_of_another_user_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    os.chown(tmp_path / "home", 12345, 12345)
    with pytest.raises(HomeUnusable, match="uid 12345"):
        open_home(tmp_path / "home")


def test_home_lock_second_holder_is_refused_and_told_the_first(tmp_path: Path) -> None:
    home = open_home(tmp_path)
    held = HomeLock(home)
    with pytest.raises(AlreadyRunning, match=f"process {os.getpid()}") as caught:
        HomeLock(home)
    assert caught.value.fields["pid"] == os.getpid()
    held.release()
    HomeLock(home).release()


def test_password_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    first = password(file)
    assert len(first) >= 32
    assert password(file) == first
    assert mode(file) == 0o600
