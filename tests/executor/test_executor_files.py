import io
import os
import tarfile
from pathlib import Path

import pytest

from app.executor import files
from app.executor.errors import ProcessFailed
from app.executor.files import Owner
from app.executor.trees import remove_tree

OURS = Owner()


def test_read_returns_content_and_none_for_what_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c").write_bytes(b"x")
    assert files.read(tmp_path, "a/b/c", limit_bytes=10) == b"x"
    assert files.read(tmp_path, "a/b/d", limit_bytes=10) is None
    assert files.read(tmp_path, "a/q/d", limit_bytes=10) is None


def test_read_follows_no_link_at_any_place(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_bytes(b"k")
    root = tmp_path / "root"
    root.mkdir()
    (root / "file").symlink_to(secret / "key")
    (root / "directory").symlink_to(secret)
    for name in ("file", "directory/key", "../secret/key"):
        with pytest.raises(ProcessFailed):
            files.read(root, name, limit_bytes=10)


def test_read_of_a_pipe_or_directory_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "directory").mkdir()
    for name in ("pipe", "directory"):
        with pytest.raises(ProcessFailed, match="not a regular file"):
            files.read(tmp_path, name, limit_bytes=10)


def test_read_over_the_limit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * 11)
    with pytest.raises(ProcessFailed, match="at most 10"):
        files.read(tmp_path, "big", limit_bytes=10)


def test_write_replaces_a_link_and_leaves_its_target(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("kept")
    root = tmp_path / "root"
    root.mkdir()
    (root / "file").symlink_to(tmp_path / "target")
    files.write(root, "file", b"new", owner=OURS, mode=0o600)
    assert (tmp_path / "target").read_text() == "kept"
    assert (root / "file").read_bytes() == b"new"
    assert (root / "file").stat().st_mode & 0o777 == 0o600


def test_write_through_a_linked_directory_is_refused(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    root = tmp_path / "root"
    root.mkdir()
    (root / "d").symlink_to(outside)
    with pytest.raises(ProcessFailed):
        files.write(root, "d/file", b"x", owner=OURS)
    assert list(outside.iterdir()) == []


def test_write_makes_directories_for_its_owner(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives files away")
    files.write(tmp_path, "a/b/c", b"x", owner=Owner(61234))
    assert {(tmp_path / name).stat().st_uid for name in ("a", "a/b", "a/b/c")} == {61234}


def test_pack_and_unpack_keep_content_and_executable_bit(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    (one / "d").mkdir(parents=True)
    two.mkdir()
    (one / "d" / "tool").write_bytes(b"#!")
    (one / "d" / "tool").chmod(0o755)
    (one / "data").write_bytes(os.urandom(100))
    packed = files.pack(one, ["d/tool", "data", "missing"], limit_bytes=1000)
    files.unpack(two, packed, owner=OURS)
    assert (two / "d" / "tool").stat().st_mode & 0o777 == 0o755
    assert (two / "data").read_bytes() == (one / "data").read_bytes()


def test_pack_over_the_limit_names_the_remedy(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_bytes(b"x" * 60)
    with pytest.raises(ProcessFailed, match="before the plan"):
        files.pack(tmp_path, ["a", "b"], limit_bytes=100)


@pytest.mark.parametrize("name", ["../escape", "/etc/escape", "a/../../escape"])
def test_unpack_of_a_path_that_leaves_is_refused(tmp_path: Path, name: str) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        member = tarfile.TarInfo(name)
        member.size = 1
        archive.addfile(member, io.BytesIO(b"x"))
    with pytest.raises(ProcessFailed):
        files.unpack(tmp_path, packed.getvalue(), owner=OURS)


def test_unpack_of_a_link_is_refused(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        member = tarfile.TarInfo("link")
        member.type = tarfile.SYMTYPE
        member.linkname = "/etc/passwd"
        archive.addfile(member)
    with pytest.raises(ProcessFailed):
        files.unpack(tmp_path, packed.getvalue(), owner=OURS)


def test_snapshot_sees_new_and_changed_files_and_no_links(tmp_path: Path) -> None:
    (tmp_path / "same").write_text("1")
    (tmp_path / "changed").write_text("1")
    (tmp_path / "skipped").mkdir()
    (tmp_path / "skipped" / "x").write_text("1")
    (tmp_path / "link").symlink_to("same")
    before = files.snapshot(tmp_path, lambda name: name == "skipped")
    (tmp_path / "changed").write_text("22")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "new").write_text("1")
    after = files.snapshot(tmp_path, lambda name: name == "skipped")
    assert set(before) == {"same", "changed"}
    assert {name for name, facts in after.items() if before.get(name) != facts} == {"changed", "d/new"}


def test_snapshot_of_more_files_than_are_kept_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_FILES", 10)
    for number in range(10):
        (tmp_path / f"f{number}").touch()
    assert len(files.snapshot(tmp_path, lambda _: False)) == 10
    (tmp_path / "one-more").touch()
    with pytest.raises(ProcessFailed, match="more than 10 files"):
        files.snapshot(tmp_path, lambda _: False)


def test_snapshot_of_what_nests_deeper_than_a_path_is_long_is_refused(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(40):
        os.mkdir("d" * 200, dir_fd=descriptor)
        deeper = os.open("d" * 200, os.O_RDONLY | os.O_DIRECTORY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = deeper
    os.close(descriptor)
    with pytest.raises(ProcessFailed, match="can't be read"):
        files.snapshot(tmp_path, lambda _: False)
    remove_tree(tmp_path / ("d" * 200))


@pytest.mark.parametrize("change", ["content", "times set back", "link", "new file", "renamed away and back", "mode"])
def test_facts_below_differ_after_any_change(tmp_path: Path, change: str) -> None:
    provider = tmp_path / ".terraform" / "providers" / "p"
    provider.parent.mkdir(parents=True)
    provider.write_text("good")
    (tmp_path / ".terraform" / "link").symlink_to("providers/p")
    before = files.facts_below(tmp_path, (".terraform", "lock"))
    assert files.facts_below(tmp_path, (".terraform", "lock")) == before
    facts = provider.stat()
    if change == "content":
        provider.write_text("evil")
    elif change == "times set back":
        provider.write_text("evil")
        os.utime(provider, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    elif change == "link":
        (tmp_path / ".terraform" / "link").unlink()
        (tmp_path / ".terraform" / "link").symlink_to("providers/q")
    elif change == "new file":
        (tmp_path / "lock").touch()
    elif change == "renamed away and back":
        provider.rename(tmp_path / "away")
        (tmp_path / "away").rename(provider)
    else:
        provider.chmod(0o700)
    assert files.facts_below(tmp_path, (".terraform", "lock")) != before


def test_make_anew_leaves_nothing_and_follows_no_link(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    home = tmp_path / "home"
    home.mkdir()
    (home / ".tofurc").touch()
    files.make_anew(home, owner=OURS)
    assert list(home.iterdir()) == []
    home.rmdir()
    home.symlink_to(kept)
    files.make_anew(home, owner=OURS)
    assert not home.is_symlink()
    assert (kept / "file").exists()
