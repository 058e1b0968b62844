"""Keeps what `init` made, so that the same configuration needs no second one.

What is kept are the files and provider links of `.terraform` and the lock file, taken right after `init`, before any
provider or provisioner of the configuration has run. A shelf belongs to one workspace, configuration, engine and
backend, so nothing of it can reach another's run; and engines look again by themselves at every start whether backend,
modules and providers are those that the configuration and the lock file name, and ask for an `init` when they aren't.
Provider packages themselves are not kept: only links to a mirror, which runs can't write to.
"""

import io
import logging
import os
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from app.core.canonical import digest
from app.executor import files
from app.executor.trees import remove_tree

DATA_DIRECTORY = ".terraform"
_LOCK_FILE = ".terraform.lock.hcl"
_FORMAT = 1
_MOST_BYTES = 16 * 1024 * 1024
_MOST_KEPT = 512
_PLATFORM_PARTS = 7
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prepared:
    """What an `init` left: an uncompressed tar of files and links, and the lock file that it ended with."""

    archive: bytes
    lock_file: bytes | None


class Shelf:
    """What was kept for one configuration. ``parts`` are everything besides the lock file that `init` depends on."""

    def __init__(self, directory: Path, parts: Sequence[object]) -> None:
        self._directory = directory
        self._parts = list(parts)

    def take(self, lock_file: bytes | None) -> Prepared | None:
        """Return what an `init` with this lock file left; None when it is not there, or can't be read."""
        path = self._path(lock_file)
        try:
            content = path.read_bytes()
            os.utime(path)
            return _parse(content)
        except (OSError, ValueError, tarfile.TarError):
            return None

    def put(self, prepared: Prepared, *, lock_file: bytes | None) -> None:
        """Keep what an `init` that was given ``lock_file`` left, for that one and for its own. Quiet when it can't."""
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            for given in {lock_file, prepared.lock_file}:
                self._write(self._path(given), _format(prepared))
            self._forget_oldest()
        except OSError as error:
            _log.warning("What init made could not be kept: %s", error)

    def _path(self, lock_file: bytes | None) -> Path:
        return self._directory / digest([_FORMAT, *self._parts, (lock_file or b"").hex()])

    def _write(self, path: Path, content: bytes) -> None:
        descriptor, name = tempfile.mkstemp(dir=self._directory, prefix=".new-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            Path(name).replace(path)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise

    def _forget_oldest(self) -> None:
        kept = sorted(self._directory.iterdir(), key=_used_at, reverse=True)
        for path in kept[_MOST_KEPT:]:
            path.unlink(missing_ok=True)


def collect(module: Path, mirrors: Sequence[Path], lock_file: bytes | None) -> Prepared | None:
    """Return what `init` left in a root module's directory.

    None when it can't be used again: it is too large, or provider packages were unpacked into it rather than linked to
    one of the ``mirrors``.
    """
    buffer = io.BytesIO()
    total = 0
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        pending = [DATA_DIRECTORY]
        while pending:
            directory = pending.pop()
            with os.scandir(module / directory) as entries:
                for entry in sorted(entries, key=lambda found: found.name):
                    name = f"{directory}/{entry.name}"
                    if entry.is_symlink():
                        target = Path(entry.path).readlink()
                        if not _is_below(target, mirrors):
                            return None
                        member = tarfile.TarInfo(name)
                        member.type, member.linkname = tarfile.SYMTYPE, str(target)
                        archive.addfile(member)
                    elif entry.is_dir(follow_symlinks=False):
                        pending.append(name)
                    else:
                        if _is_package(name):
                            return None
                        content = files.read(module, name, limit_bytes=_MOST_BYTES) or b""
                        total += len(content)
                        if total > _MOST_BYTES:
                            return None
                        member = tarfile.TarInfo(name)
                        member.size, member.mode = len(content), 0o644
                        archive.addfile(member, io.BytesIO(content))
    return Prepared(buffer.getvalue(), lock_file)


def links(prepared: Prepared) -> list[str]:
    """Return where the links lead that an `init` left: to packages of providers."""
    with tarfile.open(fileobj=io.BytesIO(prepared.archive), mode="r:") as archive:
        return [member.linkname for member in archive if member.issym()]


def lay_out(module: Path, prepared: Prepared, *, owner: files.Owner) -> None:
    """Put what an `init` left into a root module's directory, in place of what is there."""
    remove(module)
    with tarfile.open(fileobj=io.BytesIO(prepared.archive), mode="r:") as archive:
        for member in archive:
            if member.issym():
                files.link(module, member.name, member.linkname, owner=owner)
            else:
                content = archive.extractfile(member)
                files.write(module, member.name, content.read() if content else b"", owner=owner)
    if prepared.lock_file is not None:
        files.write(module, _LOCK_FILE, prepared.lock_file, owner=owner)


def remove(module: Path) -> None:
    """Take `.terraform` away. No link is followed."""
    remove_tree(module / DATA_DIRECTORY)


def _is_package(name: str) -> bool:
    """Whether a file lies in `.terraform/providers/HOST/NAMESPACE/TYPE/VERSION/PLATFORM/`."""
    parts = PurePosixPath(name).parts
    return parts[1] == "providers" and len(parts) > _PLATFORM_PARTS


def _is_below(target: Path, mirrors: Sequence[Path]) -> bool:
    path = Path(os.path.normpath(target))
    return path.is_absolute() and any(path.is_relative_to(mirror) for mirror in mirrors)


def _used_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _format(prepared: Prepared) -> bytes:
    lock_file = prepared.lock_file
    head = b"-" if lock_file is None else str(len(lock_file)).encode()
    return head + b"\n" + (lock_file or b"") + prepared.archive


def _parse(content: bytes) -> Prepared:
    head, _, rest = content.partition(b"\n")
    if head == b"-":
        return Prepared(rest, None)
    size = int(head)
    if len(rest) < size:
        raise ValueError("cut short")
    return Prepared(rest[size:], rest[:size])
