"""The artifact store: immutable blobs, encrypted, addressed by key, with a digest beside each.

Nothing on a worker's disk is needed later: plan files, plan documents, lock files, states and configurations travel
through here.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from pydantic import BaseModel, ConfigDict

from app.core.artifacts_address import Directory
from app.core.blobs import (
    HIDDEN,
    ArtifactStoreOfAnother,
    ArtifactStoreRefused,
    BlobStore,
    FileBlobStore,
    StoredBlob,
)
from app.core.canonical import sha256_hex
from app.core.crypto import Binding, KeyRing, key_id_of, key_ring
from app.core.errors import IntegrityError, NotFound
from app.core.settings import Settings, get_settings

_HEAD_BYTES = 128
"""Holds the longest name of a key."""
MARKER = f"{HIDDEN}installation"
"""Says, in plain text, which installation the place belongs to; in no listing, so never resealed and never removed."""


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
        for blob in self._blobs.blobs():
            try:
                yield blob.key, key_id_of(self._blobs.head(blob.key, _HEAD_BYTES))
            except NotFound:
                continue

    def blobs(self) -> Iterator[StoredBlob]:
        """Yield everything that is stored, in no promised order."""
        return self._blobs.blobs()

    def of_kind(self, organization_id: str, kind: str) -> Iterator[ArtifactRef]:
        """Yield what an organization has stored of a kind, by its listing; in no promised order, sealed sizes."""
        for blob in self._blobs.blobs(f"{organization_id}/{kind}"):
            parts = blob.key.split("/")
            if len(parts) == 4:
                yield ArtifactRef(
                    key=blob.key,
                    organization_id=organization_id,
                    kind=kind,
                    owner=parts[2],
                    digest=parts[3],
                    size=blob.size,
                )

    def discard(self, key: str) -> None:
        """Remove what lies under a key that no row names; quiet when it is gone already."""
        self._blobs.delete(key)

    def connect(self) -> None:
        """Do ahead what the first call would wait for. Quiet when the store can't be reached."""
        self._blobs.connect()

    def check(self) -> None:
        """Write, read and delete a trial.

        Raises ``ArtifactStoreRefused`` or ``ArtifactStoreUnavailable``, with what to do about it.
        """
        key, trial = f"{HIDDEN}trial-{secrets.token_hex(8)}", secrets.token_bytes(32)
        self._blobs.put(key, trial)
        try:
            found = self._blobs.get(key)
        except NotFound:
            found = b""
        finally:
            self._blobs.delete(key)
        if found != trial:
            raise ArtifactStoreRefused(
                "The artifact store gave back something else than was written: two installations must not share a "
                "place, and a cache must not stand before it. Correct SLUICE_ARTIFACTS_URL."
            )

    def holder(self) -> str | None:
        """Return the id of the installation that the place belongs to; None while it is nobody's."""
        try:
            return self._blobs.get(MARKER).decode(errors="replace").strip()
        except NotFound:
            return None

    def claim(self, installation_id: str) -> None:
        """Make the place this installation's when it is nobody's. Raises ``ArtifactStoreOfAnother``."""
        if self.holder() is None:
            self._blobs.put(MARKER, f"{installation_id}\n".encode())
        found = self.holder()
        if found != installation_id:
            raise ArtifactStoreOfAnother(
                f"The artifact store belongs to another installation ({found}; this database is {installation_id}), "
                "and each would remove the other's artifacts. Name a place of its own with SLUICE_ARTIFACTS_URL. If "
                f"no other installation uses this place any more, delete its object {MARKER} and start again."
            )

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
    return ArtifactStore(blob_store(get_settings()), key_ring())


def blob_store(settings: Settings) -> BlobStore:
    """Return the blob store that the settings name. Nothing is asked of it yet."""
    place = settings.artifacts_place
    if isinstance(place, Directory):
        return FileBlobStore(place.path)
    # Loaded for those alone who use it: it brings a library of 15 MB.
    from app.core.object_store import ObjectBlobStore

    return ObjectBlobStore(place)
