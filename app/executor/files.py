"""Reads and writes below a directory in which hostile code has run: no link is ever followed.

A process of the engine may replace any file of its directory by a link to a file of ours, or by a pipe that blocks.
"""

import contextlib
import io
import os
import shutil
import stat
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from app.executor.errors import ProcessFailed
from app.executor.trees import remove_tree

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

Fingerprint = tuple[int, int, int, int]
Facts = dict[str, tuple[int, ...]]

MOST_FILES = 200_000
"""Below a run's directory: a large configuration with its modules and side files has some thousands."""


@dataclass(frozen=True)
class Owner:
    """The uid and gid that new files get; None where they stay ours."""

    id: int | None = None

    def take(self, descriptor: int) -> None:
        """Give the open file or directory to the owner."""
        if self.id is not None:
            os.fchown(descriptor, self.id, self.id)


def read(root: Path, name: str, *, limit_bytes: int) -> bytes | None:
    """Return the content of the regular file ``name`` below ``root``; None when there is none.

    Raises ``ProcessFailed`` when a link or something else that is not a file lies there, or it is over the limit.
    """
    try:
        with _directory(root, PurePosixPath(name).parts[:-1]) as parent:
            descriptor = os.open(PurePosixPath(name).name, _READ, dir_fd=parent)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ProcessFailed(f"{name} in the working directory can't be read: {error.strerror}.", file=name) from error
    facts = os.fstat(descriptor)
    if not stat.S_ISREG(facts.st_mode):
        os.close(descriptor)
        raise ProcessFailed(f"{name} in the working directory is not a regular file.", file=name)
    with os.fdopen(descriptor, "rb") as file:
        if facts.st_size > limit_bytes:
            raise ProcessFailed(
                f"{name} has {facts.st_size} bytes; at most {limit_bytes} are kept.", file=name, limit_bytes=limit_bytes
            )
        return file.read(limit_bytes + 1)


def write(root: Path, name: str, content: bytes, *, owner: Owner, mode: int = 0o644) -> None:
    """Write a file below ``root``, in place of whatever has that name, and make the directories above it.

    Raises ``ProcessFailed`` when a directory above it is a link or a file.
    """
    *above, last = PurePosixPath(name).parts
    try:
        with _directory(root, above, owner=owner) as parent:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(last, dir_fd=parent)
            descriptor = os.open(last, _CREATE, mode, dir_fd=parent)
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(file.fileno(), mode)
                owner.take(file.fileno())
                file.write(content)
    except OSError as error:
        raise ProcessFailed(
            f"{name} can't be written to the working directory: {error.strerror}.", file=name
        ) from error


def link(root: Path, name: str, target: str, *, owner: Owner | None = None) -> None:
    """Make a symbolic link below ``root``, in place of whatever has that name; with ``owner`` the directories too."""
    *above, last = PurePosixPath(name).parts
    with _directory(root, above, owner=owner) as parent:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(last, dir_fd=parent)
        os.symlink(target, last, dir_fd=parent)


def replace_by_link(root: Path, name: str, target: str) -> None:
    """Remove the directory ``name`` below ``root``, with all in it, and make a symbolic link of that name."""
    *above, last = PurePosixPath(name).parts
    with _directory(root, above) as parent:
        shutil.rmtree(last, dir_fd=parent)
        os.symlink(target, last, dir_fd=parent)


def snapshot(root: Path, skip: Callable[[str], bool]) -> dict[str, Fingerprint]:
    """Return every regular file below ``root`` by its relative path, with what changes when its content does.

    ``skip`` is asked for each file and directory, by relative path. Raises ``ProcessFailed`` for more than
    ``MOST_FILES`` files and directories, and for what can't be read, as when it nests deeper than a path is long.
    """
    found: dict[str, Fingerprint] = {}
    pending = [""]
    seen = 0
    while pending:
        directory = pending.pop()
        try:
            with os.scandir(root / directory) as entries:
                for entry in entries:
                    seen += 1
                    name = f"{directory}{entry.name}"
                    if skip(name):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(f"{name}/")
                    elif entry.is_file(follow_symlinks=False):
                        facts = entry.stat(follow_symlinks=False)
                        found[name] = (facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)
        except OSError as error:
            raise ProcessFailed(
                f"{directory[:200]} in the working directory can't be read: {error.strerror}.", file=directory[:200]
            ) from error
        if seen > MOST_FILES:
            raise ProcessFailed(
                f"The working directory holds more than {MOST_FILES} files. Write fewer at plan time, and keep what is "
                "not needed out of the configuration.",
                limit_files=MOST_FILES,
            )
    return found


def facts_below(root: Path, names: Sequence[str]) -> Facts:
    """Return for each of ``names`` below ``root``, and all in it, what changes when it does; links, too.

    An unprivileged process can set a file's times, but not the time of its last change. Raises ``ProcessFailed`` for
    what can't be read and for more than ``MOST_FILES``.
    """
    found: Facts = {}
    pending = list(names)
    while pending:
        name = pending.pop()
        try:
            facts = (root / name).lstat()
            found[name] = (
                facts.st_dev,
                facts.st_ino,
                facts.st_mode,
                facts.st_size,
                facts.st_mtime_ns,
                facts.st_ctime_ns,
            )
            if stat.S_ISDIR(facts.st_mode):
                pending += [f"{name}/{entry.name}" for entry in (root / name).iterdir()]
        except FileNotFoundError:
            continue
        except OSError as error:
            raise ProcessFailed(f"{name[:200]} can't be read: {error.strerror}.", file=name[:200]) from error
        if len(found) > MOST_FILES:
            raise ProcessFailed(f"There are more than {MOST_FILES} files below {names[0]}.", limit_files=MOST_FILES)
    return found


def make_anew(directory: Path, *, owner: Owner) -> None:
    """Make an empty directory, open to be read, in place of whatever has that name. Raises ``OSError``."""
    if directory.is_symlink() or directory.is_file():
        directory.unlink()
    remove_tree(directory)
    directory.mkdir()
    directory.chmod(0o755)
    if owner.id is not None:
        os.chown(directory, owner.id, owner.id)


def pack(root: Path, names: list[str], *, limit_bytes: int) -> bytes:
    """Return a tar.gz of the named files, the same bytes for the same content.

    Raises ``ProcessFailed`` when together they are over the limit.
    """
    packed = io.BytesIO()
    total = 0
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=1, format=tarfile.PAX_FORMAT) as archive:
        for name in sorted(names):
            content = read(root, name, limit_bytes=limit_bytes)
            if content is None:
                continue
            total += len(content)
            if total > limit_bytes:
                raise ProcessFailed(
                    f"The files that the plan left beside it are over {limit_bytes} bytes. Write fewer or smaller "
                    "files at plan time, or build them before the plan.",
                    limit_bytes=limit_bytes,
                )
            member = tarfile.TarInfo(name)
            member.size = len(content)
            member.mode = stat.S_IMODE((root / name).lstat().st_mode)
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def unpack(root: Path, packed: bytes, *, owner: Owner) -> None:
    """Write the regular files of a tar.gz made by `pack` below ``root``.

    Raises ``ProcessFailed`` for anything else in it, and for a name that leads out of ``root``.
    """
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as archive:
        for member in archive:
            parts = PurePosixPath(member.name).parts
            content = archive.extractfile(member) if member.isfile() else None
            if content is None or ".." in parts or member.name.startswith("/"):
                raise ProcessFailed(f"The stored side files hold {member.name!r}, which is not a plain relative file.")
            write(root, member.name, content.read(), owner=owner, mode=member.mode & 0o777)


@contextlib.contextmanager
def _directory(root: Path, parts: tuple[str, ...] | list[str], *, owner: Owner | None = None) -> Iterator[int]:
    """Open the directory ``parts`` below ``root`` step by step; with ``owner`` make those that are missing."""
    if ".." in parts or (parts and parts[0] == "/"):
        raise NotADirectoryError(f"{'/'.join(parts)} leaves the working directory")
    current = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in parts:
            if owner is not None:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, 0o755, dir_fd=current)
                    made = os.open(part, _DIRECTORY, dir_fd=current)
                    try:
                        os.fchmod(made, 0o755)
                        owner.take(made)
                    finally:
                        os.close(made)
            deeper = os.open(part, _DIRECTORY, dir_fd=current)
            os.close(current)
            current = deeper
        yield current
    finally:
        os.close(current)
