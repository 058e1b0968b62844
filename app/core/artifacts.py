"""The artifact store: immutable blobs, encrypted, addressed by key, with a digest beside each.

Nothing on a worker's disk is needed later: plan files, plan documents, lock files, states and configurations travel
through here.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from app.core.canonical import sha256_hex
from app.core.crypto import Binding, KeyRing, key_id_of, key_ring
from app.core.errors import IntegrityError, NotFound
from app.core.settings import get_settings

_HEAD_BYTES = 128
"""Holds the longest name of a key."""


class ArtifactRef(BaseModel):
    """Names one stored artifact: where it lies, what it belongs to, and the SHA-256 of its plain bytes."""

    model_config = ConfigDict(frozen=True)

    key: str
    organization_id: str
    kind: str
    owner: str
    digest: str
    size: int

    def binding(self) -> Binding:
        """Return what the envelope is bound to."""
        return Binding(self.organization_id, self.kind, self.owner, self.digest)


class BlobStore(Protocol):
    """Opaque bytes by key. Keys are relative paths of letters, digits, ``-``, ``_``, ``.`` and ``/``."""

    def put(self, key: str, data: bytes) -> None:
        """Store ``data`` under ``key``, atomically; the same key again replaces it."""

    def get(self, key: str) -> bytes:
        """Return what lies under ``key``; raises ``NotFound``."""

    def delete(self, key: str) -> None:
        """Remove ``key``; quiet when it is not there."""

    def keys(self) -> Iterator[str]:
        """Yield every key that is stored, in order; what is put meanwhile may be missed."""

    def head(self, key: str, length: int) -> bytes:
        """Return the first ``length`` bytes of what lies under ``key``; raises ``NotFound``."""


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
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
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

    def get(self, key: str) -> bytes:
        """Read the whole file."""
        try:
            return self._path(key).read_bytes()
        except FileNotFoundError:
            raise NotFound(f"The artifact {key!r} is not in the store.") from None

    def delete(self, key: str) -> None:
        """Unlink the file."""
        self._path(key).unlink(missing_ok=True)

    def keys(self) -> Iterator[str]:
        """Walk the directory; files that are being written are left out."""
        for directory, below, files in os.walk(self._root):
            below.sort()
            for name in sorted(files):
                if not name.startswith("."):
                    yield str((Path(directory) / name).relative_to(self._root))

    def head(self, key: str, length: int) -> bytes:
        """Read the file's beginning."""
        try:
            with self._path(key).open("rb") as file:
                return file.read(length)
        except FileNotFoundError:
            raise NotFound(f"The artifact {key!r} is not in the store.") from None


class ArtifactStore:
    """Seals what goes into a blob store, and checks seal and digest of what comes out."""

    def __init__(self, blobs: BlobStore, ring: KeyRing) -> None:
        self._blobs = blobs
        self._ring = ring

    def put(self, data: bytes, *, organization_id: str, kind: str, owner: str) -> ArtifactRef:
        """Store ``data`` sealed to its organization, kind, owner and digest. The same content again is one artifact."""
        digest = sha256_hex(data)
        reference = ArtifactRef(
            key=f"{organization_id}/{kind}/{owner}/{digest}",
            organization_id=organization_id,
            kind=kind,
            owner=owner,
            digest=digest,
            size=len(data),
        )
        self._blobs.put(reference.key, self._ring.seal(data, reference.binding()))
        return reference

    def get(self, reference: ArtifactRef) -> bytes:
        """Return the plain bytes.

        Raises ``NotFound`` when the store has lost them and ``IntegrityError`` when a byte was changed.
        """
        data = self._ring.open(self._blobs.get(reference.key), reference.binding())
        if sha256_hex(data) != reference.digest:
            raise IntegrityError(f"The stored {reference.kind} of {reference.owner} does not match its digest.")
        return data

    def delete(self, reference: ArtifactRef) -> None:
        """Remove the artifact; quiet when it is gone already."""
        self._blobs.delete(reference.key)

    def sealed_with(self) -> Iterator[tuple[str, str]]:
        """Yield (key of the artifact, id of the master key that sealed it) of everything stored."""
        for key in self._blobs.keys():  # noqa: SIM118 - a method of the store, not of a mapping
            try:
                yield key, key_id_of(self._blobs.head(key, _HEAD_BYTES))
            except NotFound:
                continue

    def reseal(self, key: str) -> None:
        """Seal an artifact anew, with the key that seals now. Quiet when it is gone. Raises ``IntegrityError``."""
        try:
            organization_id, kind, owner, digest = key.split("/")
        except ValueError:
            raise IntegrityError(f"{key!r} in the artifact store is not one of ours.") from None
        binding = Binding(organization_id, kind, owner, digest)
        try:
            self._blobs.put(key, self._ring.seal(self._ring.open(self._blobs.get(key), binding), binding))
        except NotFound:
            return


class MemoryBlobStore:
    """Blobs of this process only."""

    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}

    def put(self, key: str, data: bytes) -> None:
        """Keep ``data``."""
        self._blobs[key] = data

    def get(self, key: str) -> bytes:
        """Return what was put."""
        if key not in self._blobs:
            raise NotFound(f"The artifact {key!r} is not in the store.")
        return self._blobs[key]

    def delete(self, key: str) -> None:
        """Forget ``key``."""
        self._blobs.pop(key, None)

    def keys(self) -> Iterator[str]:
        """Yield what was put."""
        yield from sorted(self._blobs)

    def head(self, key: str, length: int) -> bytes:
        """Return the beginning of what was put."""
        return self.get(key)[:length]


_replacement: ArtifactStore | None = None


@contextmanager
def using(store: ArtifactStore) -> Iterator[None]:
    """Take ``store`` for the artifact store of this process inside the block."""
    global _replacement
    previous, _replacement = _replacement, store
    try:
        yield
    finally:
        _replacement = previous


def artifact_store() -> ArtifactStore:
    """Return this process's artifact store, by its settings."""
    return _replacement if _replacement is not None else _configured_store()


@lru_cache(maxsize=1)
def _configured_store() -> ArtifactStore:
    return ArtifactStore(FileBlobStore(get_settings().artifacts_dir), key_ring())
