import io
import os
import tarfile
from pathlib import Path

import pytest

from app.client import packing
from app.client.errors import LocalProblem
from app.client.packing import Archive, pack
from app.configurations.archive import Limits, content_digest, read_archive

LIMITS = Limits.for_upload(64 * 1024 * 1024)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    (root / "main.tf").write_text("x")
    return root


def write(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)


def paths(packed: Archive) -> tuple[str, ...]:
    with tarfile.open(fileobj=io.BytesIO(packed.data), mode="r:gz") as archive:
        return tuple(archive.getnames())


def test_pack_leaves_out_state_caches_and_what_is_ignored(root: Path) -> None:
    write(
        root,
        "sub/x.tf",
        "terraform.tfstate",
        "terraform.tfstate.backup",
        "sub/.terraform/big",
        ".git/config",
        "docs/readme.md",
        "docs/keep.md",
        "logs/a.log",
        "sub/b.log",
        "node_modules/x/y",
        ".terraform.lock.hcl",
    )
    (root / ".terraformignore").write_text("# comment\ndocs/*\n!docs/keep.md\n*.log\n/node_modules\n")
    assert paths(pack(root)) == (
        ".terraform.lock.hcl",
        ".terraformignore",
        "docs/keep.md",
        "main.tf",
        "sub/x.tf",
    )


def test_pack_state_can_not_be_taken_in_again(root: Path) -> None:
    write(root, "terraform.tfstate")
    (root / ".terraformignore").write_text("!terraform.tfstate\n!*.tfstate\n")
    assert "terraform.tfstate" not in paths(pack(root))


def test_pack_same_content_is_the_same_bytes_and_the_servers_digest(root: Path) -> None:
    write(root, "b/y.tf", "a/x.tf")
    (root / "run.sh").write_text("#!/bin/sh")
    (root / "run.sh").chmod(0o750)
    first = pack(root)
    os.utime(root / "main.tf", (1, 1))
    again = pack(root)
    assert first.data == again.data
    entries = read_archive(first.data, LIMITS)
    assert [entry.path for entry in entries if entry.is_executable] == ["run.sh"]
    assert content_digest(entries) == content_digest(read_archive(again.data, LIMITS))
    with tarfile.open(fileobj=io.BytesIO(first.data), mode="r:gz") as archive:
        assert {(member.mtime, member.uid, member.uname) for member in archive} == {(0, 0, "")}


@pytest.mark.parametrize("target", ["../outside.txt", "/etc/hostname", ".."])
def test_pack_link_that_leaves_it_is_refused_by_name(root: Path, target: str) -> None:
    write(root.parent, "outside.txt")
    (root / "sub").mkdir()
    (root / "sub" / "leaving").symlink_to(Path("..") / target if not target.startswith("/") else target)
    with pytest.raises(LocalProblem, match=r"sub/leaving is a link that leaves the directory"):
        pack(root)
    (root / ".terraformignore").write_text("leaving\n")
    assert paths(pack(root)) == (".terraformignore", "main.tf")


def test_pack_chain_of_links_that_leaves_it_is_refused(root: Path) -> None:
    write(root.parent, "outside.txt")
    (root / "a").symlink_to("b")
    (root / "b").symlink_to("../outside.txt")
    with pytest.raises(LocalProblem, match="leaves the directory"):
        pack(root)


def test_pack_links_inside_become_copies(root: Path) -> None:
    write(root, "shared/x.tf")
    (root / "envs").mkdir()
    (root / "envs" / "prod").symlink_to("../shared")
    (root / "alias.tf").symlink_to("main.tf")
    packed = pack(root)
    assert paths(packed) == ("alias.tf", "envs/prod/x.tf", "main.tf", "shared/x.tf")
    assert packed.module_directories == ("", "envs/prod", "shared")
    with tarfile.open(fileobj=io.BytesIO(packed.data), mode="r:gz") as archive:
        assert all(member.isreg() for member in archive)


def test_pack_link_to_what_holds_it_dangling_link_and_pipe_are_refused(root: Path) -> None:
    (root / "sub").mkdir()
    link = root / "sub" / "x"
    for target, words in ((".", "holds it"), ("nothing", "does not exist"), ("x", "does not exist")):
        link.symlink_to(target)
        with pytest.raises(LocalProblem, match=f"sub/x.*{words}"):
            pack(root)
        link.unlink()
    os.mkfifo(link)
    with pytest.raises(LocalProblem, match="not a regular file"):
        pack(root)


def test_pack_without_configuration_is_refused(root: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    write(empty, "readme.md")
    for directory, words in (
        (empty, "holds no .tf"),
        (root / "main.tf", "is a file"),
        (root / "nothing", "does not exist"),
    ):
        with pytest.raises(LocalProblem, match=words):
            pack(directory)


def test_pack_more_files_than_the_server_takes_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(root, "other.tf")
    monkeypatch.setattr(packing, "_MAX_FILES", 1)
    with pytest.raises(LocalProblem, match=r"2 files; at most 1"):
        pack(root)
