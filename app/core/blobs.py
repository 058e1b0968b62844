"""Where sealed bytes lie: the protocol of a blob store, a directory, and memory.

An object store of a cloud is in ``object_store``, apart, so that nobody loads its library for a directory.
"""

import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from app.core import clock
from app.core.errors import NotFound, Unavailable

HIDDEN = "."
"""A key whose last part begins so is no artifact: a file that is being written, the trial of a start, the marker."""


class ArtifactStoreUnavailable(Unavailable):
    """The artifact store did not answer, or had no room; trying again later may help."""

    code = "artifact_store_unavailable"
    title = "The artifact store can't be reached"


class ArtifactStoreRefused(Unavailable):
    """The artifact store answered and refused: credentials, rights, or a bucket that is not there."""

    code = "artifact_store_refused"
    title = "The artifact store refuses access"


class ArtifactStoreOfAnother(Unavailable):
    """Another installation keeps its artifacts at the place that this one is to use."""

    code = "artifact_store_of_another"
    title = "The artifact store belongs to another installation"


@dataclass(frozen=True)
class StoredBlob:
    """One blob of a listing. ``modified_at`` is when it was written last, by the store's own clock."""

    key: str
    size: int
    modified_at: datetime


class BlobStore(Protocol):
    """Opaque bytes by key. Keys are relative paths of letters, digits, ``-``, ``_``, ``.`` and ``/``.

    Every call raises ``ArtifactStoreUnavailable`` or ``ArtifactStoreRefused`` when the store can't do its work.
    """

    def put(self, key: str, data: bytes) -> None:
        """Store ``data`` under ``key``; the same key again replaces it.

        Whoever reads meanwhile gets the old bytes or the new ones, whole. Of two writers the last one's stay.
        Raises ``ArtifactStoreUnavailable``.
        """

    def get(self, key: str) -> bytes:
        """Return what lies under ``key``; raises ``NotFound``."""

    def delete(self, key: str) -> None:
        """Remove ``key``; quiet when it is not there."""

    def blobs(self, below: str = "") -> Iterator[StoredBlob]:
        """Yield everything that is stored, in no promised order; what is put or deleted meanwhile may be missed.

        ``below`` takes those alone whose key begins with it and a slash.
        """

    def head(self, key: str, length: int) -> bytes:
        """Return the first ``length`` bytes of what lies under ``key``, or all of it; raises ``NotFound``."""

    def connect(self) -> None:
        """Do ahead what the first call would wait for. Quiet when the store can't be reached."""


def not_stored(key: str) -> NotFound:
    """Return the error of a key that nothing lies under."""
    return NotFound(f"The artifact {key!r} is not in the store.")


class FileBlobStore:
    """Blobs as files below one 0700 directory."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def _path(self, key: str) -> Path:
        path = self._root / key
        if not path.resolve().is_relative_to(self._root.resolve()):
            raise NotFound(f"There is no artifact {key!r}.")
        return path

    def put(self, key: str, data: bytes) -> None:
        """Write a temporary file beside the target, flush it to disk, and rename it over."""
        path = self._path(key)
        temporary = path.with_name(f"{HIDDEN}{path.name}.{secrets.token_hex(6)}")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.rename(path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
        except PermissionError as error:
            raise self._refused(error) from error
        except OSError as error:
            raise ArtifactStoreUnavailable(
                f"The artifact directory {self._root} can't be written to: {error.strerror}."
            ) from error

    def _refused(self, error: OSError) -> ArtifactStoreRefused:
        return ArtifactStoreRefused(
            f"The artifact directory {self._root} refuses access: {error.strerror}. Give this process's user the right "
            "to it, or name another place with SLUICE_ARTIFACTS_URL."
        )

    def get(self, key: str) -> bytes:
        """Read the whole file."""
        return self._read(key, -1)

    def _read(self, key: str, length: int) -> bytes:
        try:
            with self._path(key).open("rb") as file:
                return file.read(length)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise not_stored(key) from None
        except PermissionError as error:
            raise self._refused(error) from error

    def delete(self, key: str) -> None:
        """Unlink the file."""
        try:
            self._path(key).unlink(missing_ok=True)
        except NotADirectoryError:
            return
        except PermissionError as error:
            raise self._refused(error) from error

    def blobs(self, below: str = "") -> Iterator[StoredBlob]:
        """Walk the directory; files that are being written are left out."""
        for directory, directories, files in os.walk(self._path(below) if below else self._root):
            directories.sort()
            for name in sorted(files):
                if name.startswith(HIDDEN):
                    continue
                path = Path(directory) / name
                try:
                    facts = path.stat()
                except FileNotFoundError:
                    continue
                modified_at = datetime.fromtimestamp(facts.st_mtime, UTC)
                yield StoredBlob(str(path.relative_to(self._root)), facts.st_size, modified_at)

    def head(self, key: str, length: int) -> bytes:
        """Read the file's beginning."""
        return self._read(key, length)

    def connect(self) -> None:
        """There is nothing to do ahead."""


class MemoryBlobStore:
    """Blobs of this process only."""

    def __init__(self) -> None:
        self._blobs: dict[str, tuple[bytes, datetime]] = {}

    def put(self, key: str, data: bytes) -> None:
        """Keep ``data``."""
        self._blobs[key] = (data, clock.now())

    def get(self, key: str) -> bytes:
        """Return what was put."""
        if key not in self._blobs:
            raise not_stored(key)
        return self._blobs[key][0]

    def delete(self, key: str) -> None:
        """Forget ``key``."""
        self._blobs.pop(key, None)

    def blobs(self, below: str = "") -> Iterator[StoredBlob]:
        """Yield what was put."""
        for key, (data, modified_at) in sorted(self._blobs.items()):
            if not key.rpartition("/")[2].startswith(HIDDEN) and (not below or key.startswith(f"{below}/")):
                yield StoredBlob(key, len(data), modified_at)

    def head(self, key: str, length: int) -> bytes:
        """Return the beginning of what was put."""
        return self.get(key)[:length]

    def connect(self) -> None:
        """There is nothing to do ahead."""
