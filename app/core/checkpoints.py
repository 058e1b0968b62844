"""Signed checkpoints of an audit trail's head: the document, its signatures, and which keys are trusted.

A checkpoint says how far an organization's chain went and which hash it ended with. It is a JSON object; the signatures
(Ed25519) are over ``DOMAIN`` and the canonical JSON (RFC 8785) of everything but ``signatures``. Its digest is that of
the whole object, which the next checkpoint names, so that none can be taken out.

The signing key is derived from the master key, and changes with it: the first checkpoint under a new key is signed by
the old one too, so that whoever trusts the old one may trust the new; and each names every key that ever signed for the
organization, so that whoever trusts the new one may trust the old.
"""

import base64
import binascii
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import BaseModel, ConfigDict, ValidationError

from app.core.canonical import canonical_json, digest, sha256_hex
from app.core.crypto import KeyRing

DOMAIN = b"sluice.audit.checkpoint.v1\n"
PURPOSE = "sluice/audit/checkpoint-signing"


class PublicKey(BaseModel):
    """A key that signs checkpoints. ``id`` is the beginning of the SHA-256 of its 32 bytes, which are base64."""

    model_config = ConfigDict(frozen=True)

    id: str
    public_key: str

    @classmethod
    def of(cls, raw: bytes) -> "PublicKey":
        """Name the key of these 32 bytes."""
        return cls(id=sha256_hex(raw)[:16], public_key=base64.b64encode(raw).decode())

    @classmethod
    def parse(cls, text: str) -> "PublicKey":
        """Read a public key as base64. Raises ``ValueError``."""
        try:
            raw = base64.b64decode(text.strip(), validate=True)
        except binascii.Error:
            raise ValueError("a public key is 32 bytes as base64, as `sluice audit key` prints it") from None
        if len(raw) != 32:
            raise ValueError("a public key is 32 bytes as base64, as `sluice audit key` prints it")
        return cls.of(raw)

    def verifies(self, signature: str, data: bytes) -> bool:
        """Whether ``signature`` (base64) over ``data`` was made with this key."""
        try:
            raw = base64.b64decode(self.public_key, validate=True)
            Ed25519PublicKey.from_public_bytes(raw).verify(base64.b64decode(signature, validate=True), data)
        except (binascii.Error, ValueError, InvalidSignature):
            return False
        return PublicKey.of(raw).id == self.id


class Signature(BaseModel):
    """A signature (base64) and the id of the key that made it."""

    model_config = ConfigDict(frozen=True)

    key_id: str
    signature: str


class Checkpoint(BaseModel):
    """What was the head of an organization's chain at a moment. ``sequence`` counts the checkpoints from 1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    organization_id: str
    sequence: int
    position: int
    head_hash: str
    at: datetime
    previous: str | None
    keys: tuple[PublicKey, ...]
    signatures: tuple[Signature, ...] = ()

    def document(self) -> dict[str, Any]:
        """Return the JSON object."""
        document = self.model_dump(mode="json")
        document["at"] = self.at.astimezone(UTC).isoformat()
        return document

    @property
    def digest(self) -> str:
        """SHA-256 of the whole document, in hexadecimal."""
        return digest(self.document())

    @property
    def signer(self) -> PublicKey:
        """The key that signs in the first place."""
        return self.keys[0]

    def signed_bytes(self) -> bytes:
        """Return what the signatures are over."""
        document = self.document()
        document.pop("signatures")
        return DOMAIN + canonical_json(document)

    def signed_by(self) -> frozenset[PublicKey]:
        """Return the keys that have truly signed it, trusted or not."""
        data, known = self.signed_bytes(), {key.id: key for key in self.keys}
        return frozenset(
            known[one.key_id]
            for one in self.signatures
            if one.key_id in known and known[one.key_id].verifies(one.signature, data)
        )

    @classmethod
    def parse(cls, data: bytes | Mapping[str, Any]) -> "Checkpoint":
        """Read a stored or exported checkpoint. Raises ``ValueError`` for what is none."""
        try:
            found = cls.model_validate_json(data) if isinstance(data, bytes) else cls.model_validate(data)
        except ValidationError:
            raise ValueError("not a checkpoint") from None
        if not found.keys or found.at.tzinfo is None:
            raise ValueError("not a checkpoint")
        return found


class SigningKeys:
    """The keys that a key ring derives for signing checkpoints, by the master key of each; the first signs."""

    def __init__(self, ring: KeyRing) -> None:
        self._private = [Ed25519PrivateKey.from_private_bytes(seed) for seed in ring.derived(PURPOSE)]
        self.public = tuple(PublicKey.of(key.public_key().public_bytes_raw()) for key in self._private)

    @property
    def current(self) -> PublicKey:
        """The key that signs now."""
        return self.public[0]

    def sign(self, unsigned: Checkpoint, cosigner_ids: Iterable[str] = ()) -> Checkpoint:
        """Return the checkpoint signed with the present key, and with those older ones that the ring still has."""
        wanted = {self.current.id, *cosigner_ids}
        data = unsigned.signed_bytes()
        made = tuple(
            Signature(key_id=public.id, signature=base64.b64encode(private.sign(data)).decode())
            for public, private in zip(self.public, self._private, strict=True)
            if public.id in wanted
        )
        return unsigned.model_copy(update={"signatures": made})


class Trust:
    """Which keys are trusted: those given, and whatever a checkpoint that is signed by one of them vouches for."""

    def __init__(self, keys: Iterable[PublicKey]) -> None:
        self._keys = set(keys)

    def accepts(self, checkpoint: Checkpoint) -> bool:
        """Whether a trusted key has signed it; then every key that it names is trusted too."""
        if not self._keys & checkpoint.signed_by():
            return False
        self._keys.update(checkpoint.keys)
        return True
