"""Packs a directory into the archive that an upload takes.

Honours ``.terraformignore`` (the rules of a ``.gitignore``), leaves local state and caches out, and follows links only
where they stay inside: an archive never carries what lies outside of the directory.
"""

import gzip
import io
import os
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pathspec

from app.core.errors import Invalid

IGNORE_FILE = ".terraformignore"
LIMIT_FILES = 20_000
LIMIT_BYTES = 256 * 1024 * 1024
_ALWAYS = (".git/", ".terraform/", "terraform.tfstate.d/", "*.tfstate", "*.tfstate.*")
_MODULE_SUFFIXES = (".tf", ".tofu", ".tf.json", ".tofu.json")


class PackingRefused(Invalid):
    """The directory can't be packed; the message names the file and the remedy."""

    code = "packing_refused"
    title = "The directory can't be packed"


@dataclass(frozen=True)
class Packed:
    """An archive (tar.gz) and what went into it: paths by name, and their size unpacked."""

    data: bytes
    paths: tuple[str, ...]
    unpacked_bytes: int


@dataclass(frozen=True)
class _File:
    path: str
    real: Path
    is_executable: bool
    size: int


def _refused(path: str, problem: str) -> PackingRefused:
    message = f"{path}: {problem}"
    return PackingRefused(f"{message}.", errors=[{"field": "directory", "message": message}])


def pack_directory(directory: Path, *, module_path: str = "") -> Packed:
    """Return ``directory`` as a tar.gz: sorted, without times and owners, links replaced by what they point to.

    ``module_path`` is the directory inside it that holds the root module. Raises ``PackingRefused`` for a link that
    leaves the directory, a special file, a directory without configuration, and one that is too large.
    """
    if not directory.is_dir():
        raise _refused(str(directory), "is not a directory; name the one that holds the configuration")
    root = directory.resolve()
    files = sorted(_Walk(root).files(root, "", (root,)), key=lambda file: file.path)
    _check(files, directory, module_path)
    plain = io.BytesIO()
    total = 0
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for file in files:
            content = file.real.read_bytes()
            member = tarfile.TarInfo(file.path)
            member.size = len(content)
            member.mode = 0o755 if file.is_executable else 0o644
            archive.addfile(member, io.BytesIO(content))
            total += len(content)
    packed = gzip.compress(plain.getvalue(), compresslevel=6, mtime=0)
    return Packed(packed, tuple(file.path for file in files), total)


def _check(files: list[_File], directory: Path, module_path: str) -> None:
    prefix = f"{module_path.strip('/')}/" if module_path.strip("/") else ""
    names = [file.path.removeprefix(prefix) for file in files if file.path.startswith(prefix)]
    if not any("/" not in name and name.endswith(_MODULE_SUFFIXES) for name in names):
        where = directory / module_path if module_path else directory
        raise _refused(str(where), "has no .tf, .tofu or .tf.json file; name the directory that holds the root module")
    total = sum(file.size for file in files)
    if total > LIMIT_BYTES:
        largest = sorted(files, key=lambda file: -file.size)[:3]
        named = ", ".join(f"{file.path} ({file.size // 1024} KiB)" for file in largest)
        raise _refused(
            str(directory),
            f"holds {total // (1024 * 1024)} MiB, and {LIMIT_BYTES // (1024 * 1024)} are allowed; leave files out with "
            f"a {IGNORE_FILE}; the largest are {named}",
        )


class _Walk:
    """Walks a directory by the rules of its ignore file."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._count = 0
        self._always = pathspec.GitIgnoreSpec.from_lines(_ALWAYS)
        ignore = root / IGNORE_FILE
        try:
            lines = ignore.read_text(encoding="utf-8").splitlines() if ignore.is_file() else []
            self._ignored = pathspec.GitIgnoreSpec.from_lines(lines)
        except (UnicodeDecodeError, ValueError) as error:
            raise _refused(IGNORE_FILE, f"can't be read as ignore patterns ({error}); correct it") from None

    def _is_ignored(self, path: str) -> bool:
        return self._always.match_file(path) or self._ignored.match_file(path)

    def files(self, directory: Path, prefix: str, parents: tuple[Path, ...]) -> Iterator[_File]:
        """Yield the files below ``directory`` as they are named from the root; ``parents`` are the real directories."""
        with os.scandir(directory) as found:
            entries = sorted(found, key=lambda entry: entry.name)
        for entry in entries:
            path = f"{prefix}{entry.name}"
            # A link to a directory is ignored by patterns for either.
            if self._is_ignored(path) or (Path(entry.path).is_dir() and self._is_ignored(f"{path}/")):
                continue
            real = self._inside(Path(entry.path), path) if entry.is_symlink() else Path(entry.path)
            mode = real.stat().st_mode
            if stat.S_ISDIR(mode):
                if real in parents:
                    raise _refused(path, f"is a link to what holds it; remove it, or add it to {IGNORE_FILE}")
                yield from self.files(real, f"{path}/", (*parents, real))
            elif stat.S_ISREG(mode):
                self._count += 1
                if self._count > LIMIT_FILES:
                    raise _refused(
                        str(self._root),
                        f"holds more than {LIMIT_FILES} files; leave some out with a {IGNORE_FILE}, or name the "
                        "directory of the configuration",
                    )
                yield _File(path, real, bool(mode & 0o111), real.stat().st_size)
            else:
                raise _refused(path, f"is no regular file (a socket, pipe or device); add it to {IGNORE_FILE}")

    def _inside(self, link: Path, path: str) -> Path:
        """Return what ``link`` points to, for real. Raises ``PackingRefused`` when that is outside, or nothing."""
        try:
            real = link.resolve(strict=True)
        except (OSError, RuntimeError):
            target = link.readlink()
            raise _refused(path, f"is a link to {target}, which is not there; add it to {IGNORE_FILE}") from None
        if not real.is_relative_to(self._root):
            raise _refused(
                path,
                f"is a link that leaves the directory (to {link.readlink()}); copy the file in, pack the directory "
                f"above, or add it to {IGNORE_FILE}",
            )
        return real
