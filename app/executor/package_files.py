"""What an unpacked provider package is made of: its checksum, its files as they lie, and making them ours."""

import base64
import hashlib
import os
import stat
from pathlib import Path

from app.executor.errors import PackageRefused

_MOST_BYTES = 4 * 1024 * 1024 * 1024
_MOST_FILES = 10_000
_MOST_LEVELS = 32


def package_hash(directory: Path) -> str:
    """Return the `h1:` checksum of an unpacked package.

    SHA-256 over the sorted lines of `sha256sum`, in base64: https://pkg.go.dev/golang.org/x/mod/sumdb/dirhash#Hash1.
    Raises ``OSError``, and ``PackageRefused`` for anything that is neither file nor directory.
    """
    lines = []
    for name, path in sorted(_files(directory).items()):
        with path.open("rb") as file:
            lines.append(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {name}\n")
    return "h1:" + base64.b64encode(hashlib.sha256("".join(lines).encode()).digest()).decode()


def _files(directory: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    pending = [(directory, 1)]
    directories = 0
    while pending:
        above, level = pending.pop()
        directories += 1
        if level > _MOST_LEVELS:
            raise PackageRefused(f"A provider's package holds more than {_MOST_LEVELS} directories in one another.")
        if directories > _MOST_FILES:
            raise PackageRefused(f"A provider's package holds more than {_MOST_FILES} directories.")
        with os.scandir(above) as entries:
            for entry in entries:
                path = Path(entry.path)
                if entry.is_dir(follow_symlinks=False):
                    pending.append((path, level + 1))
                elif entry.is_file(follow_symlinks=False):
                    found[path.relative_to(directory).as_posix()] = path
                else:
                    raise PackageRefused(f"{entry.name} in a provider's package is neither a file nor a directory.")
                if len(found) > _MOST_FILES:
                    raise PackageRefused(f"A provider's package holds more than {_MOST_FILES} files.")
    return found


def file_facts(directory: Path) -> dict[str, list[int]]:
    """Return what changes when a package's content does: each file's size in bytes, and times of change in ns.

    Nothing where the package can't be read or holds what it may not.
    """
    try:
        found = {name: path.stat(follow_symlinks=False) for name, path in _files(directory).items()}
    except (OSError, PackageRefused):
        return {}
    return {name: [facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns] for name, facts in sorted(found.items())}


def make_read_only(source: Path, name: str) -> None:
    """Make a fetched package ours, readable by all and writable by nobody, and put it on the disk.

    Its own directory stays writable for us, so that it can be renamed. Raises ``PackageRefused`` when it is too large
    or a file of it has another name, and as ``package_hash`` does.
    """
    found = _files(source)
    if sum(path.stat().st_size for path in found.values()) > _MOST_BYTES:
        raise PackageRefused(f"The package {name} is larger than {_MOST_BYTES} bytes.", package=name)
    for path in found.values():
        if path.stat().st_nlink != 1:
            raise PackageRefused(f"{path.name} of the package {name} has a second name.", package=name)
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.fchown(descriptor, os.geteuid(), os.getegid())
            is_program = os.fstat(descriptor).st_mode & stat.S_IXUSR
            os.fchmod(descriptor, 0o555 if is_program else 0o444)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    for directory, _, _ in os.walk(source, topdown=False):
        os.chown(directory, os.geteuid(), os.getegid())
        Path(directory).chmod(0o755 if Path(directory) == source else 0o555)
