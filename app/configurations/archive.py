"""Archives of configurations: read with suspicion, packed again the same way every time. Pure.

What comes out holds regular files only: links inside the archive become copies of what they point to, so that nothing
later has to think of links. The digest is of content: path, executable bit and SHA-256 of each file.
"""

import gzip
import io
import posixpath
import tarfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from app.configurations.errors import ArchiveRefused, ArchiveTooLarge, NoConfigurationFiles
from app.core.canonical import digest, sha256_hex

RESERVED_PREFIX = "zzzz_sluice_"
"""Names of files that Sluice lays over a root module begin so; a configuration may not bring its own."""

_DROPPED_DIRECTORIES = frozenset({".git", ".terraform", "terraform.tfstate.d"})
_MODULE_SUFFIXES = (".tf", ".tofu", ".tf.json", ".tofu.json")
_LINK_HOPS = 20
_LINKS = 500
_CHUNK = 64 * 1024
_TAR_MARK, _TAR_MARK_AT = b"ustar", 257


@dataclass(frozen=True)
class Limits:
    """What an archive may cost. ``ratio`` counts only beyond ``ratio_free_bytes`` of unpacked content.

    ``remedy`` is what is said of one that is too large, ``packing`` how to pack one that can't be read; with
    ``may_link`` False links are refused even when they stay inside; with ``may_be_plain`` a tar that is not compressed
    is read, too.
    """

    packed_bytes: int
    unpacked_bytes: int
    entries: int = 20_000
    ratio: int = 200
    ratio_free_bytes: int = 16 * 1024 * 1024
    remedy: str = "Leave files out with a .terraformignore."
    packing: str = "`sluice plan DIR` or `tar -czf`"
    may_link: bool = True
    may_be_plain: bool = False

    @classmethod
    def for_upload(cls, packed_bytes: int) -> "Limits":
        """Return the limits of an upload of at most ``packed_bytes``: four times of it unpacked."""
        return cls(packed_bytes=packed_bytes, unpacked_bytes=4 * packed_bytes)


@dataclass(frozen=True)
class Entry:
    """One regular file of a configuration."""

    path: str
    data: bytes
    is_executable: bool = False


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Bounded(io.RawIOBase):
    """Reads from a decompressor and raises before it has given more than the limits allow."""

    def __init__(self, inner: _Readable, packed: int, limits: Limits) -> None:
        super().__init__()
        self._inner = inner
        self._given = 0
        self._limits = limits
        self._by_ratio = max(limits.ratio_free_bytes, packed * limits.ratio)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._inner.read(size if size >= 0 else _CHUNK)
        self._given += len(data)
        if self._given > self._limits.unpacked_bytes:
            raise ArchiveTooLarge(
                f"The archive unpacks to more than {self._limits.unpacked_bytes} bytes. {self._limits.remedy}",
                limit_bytes=self._limits.unpacked_bytes,
            )
        if self._given > self._by_ratio:
            raise ArchiveTooLarge(
                f"The archive unpacks to more than {self._limits.ratio} times its size. {self._limits.remedy}",
                limit_bytes=self._by_ratio,
            )
        return data


def is_module_file(name: str) -> bool:
    """Whether an engine reads a file of this name as configuration."""
    return name.endswith(_MODULE_SUFFIXES) and not name.startswith(".")


def _refused(entry: str, problem: str) -> ArchiveRefused:
    shown = ascii(entry)[1:-1][:200]
    return ArchiveRefused(
        f"{shown}: {problem}.", entry=shown, errors=[{"field": "archive", "message": f"{shown}: {problem}"}]
    )


def clean_path(name: str) -> str:
    """Return an entry's path in canonical form. Raises ``ArchiveRefused`` for one that could lead elsewhere."""
    if name.startswith("/"):
        raise _refused(name, "is an absolute path; pack the directory with relative paths")
    if "\\" in name or not name.isprintable():
        raise _refused(name, "has a backslash or a character that can't be printed in its name; rename it")
    segments = [segment for segment in name.split("/") if segment not in {"", "."}]
    if ".." in segments:
        raise _refused(name, "leaves the archive by '..'; pack the directory that holds all of it")
    if len(name) > 1024 or any(len(segment.encode()) > 255 for segment in segments):
        raise _refused(name, "has a name that is too long; rename it")
    return "/".join(segments)


def is_dropped(path: str) -> bool:
    """Whether a file never belongs to a configuration: local state, the engine's cache, a repository."""
    segments = path.split("/")
    name = segments[-1]
    if not _DROPPED_DIRECTORIES.isdisjoint(segments):
        return True
    return name.endswith(".tfstate") or ".tfstate." in name


class _Reader:
    """Collects files and links of one archive."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.files: dict[str, Entry] = {}
        self.links: dict[str, str] = {}

    def take(self, archive: tarfile.TarFile) -> None:
        for count, member in enumerate(archive, 1):
            if count > self._limits.entries:
                raise ArchiveTooLarge(
                    f"The archive has more than {self._limits.entries} entries. {self._limits.remedy}",
                    limit_entries=self._limits.entries,
                )
            self._take_member(archive, member)

    def _take_member(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        path = clean_path(member.name)
        if member.isdir() or not path:
            return
        if (member.issym() or member.islnk()) and not self._limits.may_link:
            raise _refused(member.name, "is a link; put a copy of the file in its place")
        if member.issym() or member.islnk():
            self.take_link(path, member.name, member.linkname, is_relative=member.issym())
        elif not member.isreg() or member.issparse():
            raise _refused(member.name, "is not a regular file (a device, pipe, socket or sparse file); leave it out")
        elif not is_dropped(path):
            content = archive.extractfile(member)
            data = content.read() if content is not None else b""
            self._add(Entry(path, data, bool(member.mode & 0o111)))

    def take_link(self, path: str, name: str, target: str, *, is_relative: bool) -> None:
        """Take a link at ``path``, which is called ``name``; its target is relative to its directory, or to the top.

        Raises ``ArchiveRefused`` for one that leaves the archive or comes twice, ``ArchiveTooLarge`` for too many.
        """
        base = posixpath.dirname(path) if is_relative else ""
        resolved = posixpath.normpath(posixpath.join(base, target)) if target else ".."
        if target.startswith("/") or resolved == ".." or resolved.startswith("../"):
            raise _refused(name, f"is a link that leaves the archive (to {target!a}); copy the files in")
        if path in self.files or path in self.links:
            raise _refused(path, "is in the archive twice; pack it again")
        if len(self.links) >= _LINKS:
            raise ArchiveTooLarge(f"The archive has more than {_LINKS} links. Copy the files in.", limit_entries=_LINKS)
        if not is_dropped(path):
            self.links[path] = "" if resolved == "." else clean_path(resolved)

    def _add(self, entry: Entry) -> None:
        if entry.path in self.files or entry.path in self.links:
            raise _refused(entry.path, "is in the archive twice; pack it again")
        self.files[entry.path] = entry

    def entries(self) -> list[Entry]:
        """Return all files, links replaced by copies of what they point to."""
        self._check_parents()
        copies: dict[str, Entry] = {}
        budget = self._limits.unpacked_bytes - sum(len(entry.data) for entry in self.files.values())
        for path in self.links:
            for entry in self._copies(path, _LINK_HOPS):
                budget -= len(entry.data)
                if budget < 0 or len(copies) + len(self.files) >= self._limits.entries:
                    raise _refused(path, "is a link, and with what it points to copied the archive is too large")
                copies[entry.path] = entry
        return sorted([*self.files.values(), *copies.values()], key=lambda entry: entry.path)

    def _check_parents(self) -> None:
        for path in [*self.files, *self.links]:
            parent = posixpath.dirname(path)
            while parent:
                if parent in self.links or parent in self.files:
                    raise _refused(path, f"lies below {parent!a}, which is not a directory; pack it again")
                parent = posixpath.dirname(parent)

    def _copies(self, path: str, hops: int) -> Iterable[Entry]:
        target = self.links[path]
        if hops == 0 or target == path or path.startswith(f"{target}/") or not target:
            raise _refused(path, "is a link to what holds it, or a chain without end; remove it")
        if target in self.links:
            for entry in self._copies(target, hops - 1):
                yield Entry(path + entry.path.removeprefix(target), entry.data, entry.is_executable)
            return
        if target in self.files:
            yield Entry(path, self.files[target].data, self.files[target].is_executable)
            return
        inside = [entry for name, entry in self.files.items() if name.startswith(f"{target}/")]
        linked = [name for name in self.links if name.startswith(f"{target}/")]
        if not inside and not linked:
            raise _refused(path, f"is a link to {target!a}, which is not in the archive; copy the file in")
        for entry in inside:
            yield Entry(path + entry.path.removeprefix(target), entry.data, entry.is_executable)
        for name in linked:
            for entry in self._copies(name, hops - 1):
                yield Entry(path + entry.path.removeprefix(target), entry.data, entry.is_executable)


def read_archive(data: bytes, limits: Limits) -> list[Entry]:
    """Return the regular files of a tar.gz, or of a plain tar, by path, links copied.

    Local state (``*.tfstate``), ``.terraform`` and ``.git`` are left out: an uploaded state must never become a
    workspace's. Raises ``ArchiveRefused`` or ``ArchiveTooLarge``, naming the entry and the remedy.
    """
    if len(data) > limits.packed_bytes:
        raise ArchiveTooLarge(
            f"The archive has {len(data)} bytes and may have {limits.packed_bytes}. {limits.remedy}",
            limit_bytes=limits.packed_bytes,
        )
    reader = _Reader(limits)
    try:
        with _opened(data, limits) as unzipped:
            bounded = _Bounded(unzipped, len(data), limits)
            with tarfile.open(fileobj=bounded, mode="r|", bufsize=_CHUNK) as archive:
                reader.take(archive)
            while bounded.read(_CHUNK):
                pass
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error, UnicodeError, ValueError, OverflowError) as error:
        message = f"is not a whole tar.gz ({error}); pack it with {limits.packing}"
        raise ArchiveRefused(f"The archive {message}.", errors=[{"field": "archive", "message": message}]) from None
    return reader.entries()


def _opened(data: bytes, limits: Limits) -> gzip.GzipFile | io.BytesIO:
    packed = io.BytesIO(data)
    is_plain = limits.may_be_plain and data[_TAR_MARK_AT : _TAR_MARK_AT + len(_TAR_MARK)] == _TAR_MARK
    return packed if is_plain else gzip.GzipFile(fileobj=packed)


def gather(files: dict[str, Entry], links: dict[str, str], limits: Limits) -> list[Entry]:
    """Return the files of a tree, and copies of what its links (path to target as written) point to inside it.

    Raises ``ArchiveRefused`` for a path or a link that leads out of the tree, ``ArchiveTooLarge`` for too many.
    """
    reader = _Reader(limits)
    for path, entry in files.items():
        if clean_path(path) != path:
            raise _refused(path, "has a name that can't be taken")
        if not is_dropped(path):
            reader.files[path] = entry
    for path, target in links.items():
        reader.take_link(clean_path(path), path, target, is_relative=True)
    return reader.entries()


def check_entries(entries: list[Entry], module_path: str | None) -> None:
    """Refuse what Sluice can't run: names that it keeps for itself, and no configuration at ``module_path``.

    With ``module_path`` None, a configuration anywhere will do. Raises ``ArchiveRefused`` or ``NoConfigurationFiles``.
    """
    for entry in entries:
        if posixpath.basename(entry.path).startswith(RESERVED_PREFIX):
            raise _refused(entry.path, f"begins with {RESERVED_PREFIX}, which is kept for files that Sluice lays out")
    directories = {posixpath.dirname(entry.path) for entry in entries if is_module_file(posixpath.basename(entry.path))}
    if not directories or (module_path is not None and module_path not in directories):
        where = f"the directory {module_path!r} of the archive" if module_path else "the archive"
        known = f" There is configuration in: {', '.join(sorted(directories)[:10])}." if any(directories) else ""
        message = "has no .tf, .tofu or .tf.json file; name the directory that holds the root module"
        raise NoConfigurationFiles(f"{where} {message}.{known}", errors=[{"field": "module_path", "message": message}])


def content_digest(entries: list[Entry]) -> str:
    """Return the digest that names a configuration: SHA-256 over each file's path, executable bit and SHA-256."""
    return digest([[entry.path, entry.is_executable, sha256_hex(entry.data)] for entry in _sorted(entries)])


def pack(entries: list[Entry]) -> bytes:
    """Return the files as tar.gz: sorted, without times and owners, so that equal content gives equal bytes."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for entry in _sorted(entries):
            member = tarfile.TarInfo(entry.path)
            member.size = len(entry.data)
            member.mode = 0o755 if entry.is_executable else 0o644
            archive.addfile(member, io.BytesIO(entry.data))
    return gzip.compress(plain.getvalue(), compresslevel=6, mtime=0)


def _sorted(entries: list[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda entry: entry.path)
