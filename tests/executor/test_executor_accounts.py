import os
from pathlib import Path

import pytest

from app.executor import accounts
from app.executor.errors import ProcessFailed
from app.executor.sandbox import UNPRIVILEGED_ID


def test_take_gives_each_its_own_until_it_is_released(tmp_path: Path) -> None:
    first, second = accounts.take(tmp_path / "a"), accounts.take(tmp_path / "a")
    assert (first.user_id, second.user_id) == (UNPRIVILEGED_ID, UNPRIVILEGED_ID + 1)
    first.release()
    assert accounts.take(tmp_path / "a").user_id == UNPRIVILEGED_ID
    second.release()


def test_take_all_taken_shares_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "COUNT", 1)
    held = accounts.take(tmp_path)
    shared = accounts.take(tmp_path)
    shared.release()
    assert (held.is_shared, shared.is_shared) == (False, True)
    assert (held.user_id, shared.user_id) == (UNPRIVILEGED_ID, UNPRIVILEGED_ID)
    held.release()


def test_take_account_of_a_dead_holder_is_free_again(tmp_path: Path) -> None:
    held = accounts.take(tmp_path)
    os.close(held._descriptor or -1)  # as the kernel does for a process that was killed
    assert accounts.take(tmp_path).user_id == held.user_id


def test_take_directory_that_others_write_to_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(ProcessFailed, match="only this user"):
        accounts.take(tmp_path)
