"""Envelopes: data at rest, sealed with AES-256-GCM under a key that the envelope names.

Layout: ``SLC1`` | key id length (1 byte) | key id | nonce (12 bytes) | ciphertext and tag. The key of an envelope is
derived (HKDF-SHA-256) from the master key of that id, the organization and the kind of data; organization, kind, owner
and digest are bound in as associated data, so an envelope that is moved to another owner does not open.
"""

import base64
import binascii
import os
import secrets
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.core.errors import AppError, IntegrityError
from app.core.settings import Settings, get_settings

_MAGIC = b"SLC1"
_NONCE_BYTES = 12


class MasterKeyError(AppError):
    """The master key is missing, malformed or not the one that the data was sealed with."""

    code = "master_key_error"
    title = "The master key can't be used"


@dataclass(frozen=True)
class Binding:
    """What an envelope belongs to; opening with any other binding fails."""

    organization_id: str
    kind: str
    owner: str
    digest: str = ""

    def associated_data(self) -> bytes:
        """Return the bytes that are authenticated beside the ciphertext."""
        return "\x1f".join((self.organization_id, self.kind, self.owner, self.digest)).encode()


class KeyRing:
    """Master keys by id. The first seals; all of them open."""

    def __init__(self, keys: dict[str, bytes]) -> None:
        if not keys:
            raise MasterKeyError("The key ring is empty: set SLUICE_MASTER_KEY or restore the key file.")
        for key_id, key in keys.items():
            if len(key) != 32 or not 1 <= len(key_id.encode()) <= 64:
                raise MasterKeyError(f"Master key {key_id!r} is not 32 bytes long: write it as id:base64.")
        self._keys = dict(keys)
        self.current_id = next(iter(keys))
        self._derive = lru_cache(maxsize=1024)(self._derive_uncached)

    def _derive_uncached(self, key_id: str, organization_id: str, kind: str) -> AESGCM:
        info = f"sluice/{organization_id}/{kind}".encode()
        return AESGCM(HKDF(hashes.SHA256(), 32, salt=None, info=info).derive(self._keys[key_id]))

    def seal(self, data: bytes, binding: Binding) -> bytes:
        """Return ``data`` as an envelope under the current key, bound to ``binding``."""
        key_id = self.current_id.encode()
        nonce = secrets.token_bytes(_NONCE_BYTES)
        cipher = self._derive(self.current_id, binding.organization_id, binding.kind)
        return b"".join(
            (_MAGIC, bytes([len(key_id)]), key_id, nonce, cipher.encrypt(nonce, data, binding.associated_data()))
        )

    def open(self, envelope: bytes, binding: Binding) -> bytes:
        """Return what ``envelope`` holds.

        Raises ``IntegrityError`` when a byte was changed or the binding is another one, and ``MasterKeyError`` when
        the key that it names is not in the ring.
        """
        key_id, body = _split(envelope)
        if key_id not in self._keys:
            raise MasterKeyError(
                f"The data is sealed with key {key_id!r}, which is not in the key ring. Restore that key: the file "
                "master.key in the data directory, or SLUICE_MASTER_KEY."
            )
        cipher = self._derive(key_id, binding.organization_id, binding.kind)
        try:
            return cipher.decrypt(body[:_NONCE_BYTES], body[_NONCE_BYTES:], binding.associated_data())
        except InvalidTag:
            raise IntegrityError(
                f"The stored {binding.kind.replace('_', ' ')} of {binding.owner} does not open: it was altered in the "
                "store, or it belongs elsewhere."
            ) from None


def _split(envelope: bytes) -> tuple[str, bytes]:
    if len(envelope) < len(_MAGIC) + 1 or not envelope.startswith(_MAGIC):
        raise IntegrityError("The stored data is not an envelope of ours: it was altered in the store.")
    length = envelope[len(_MAGIC)]
    start = len(_MAGIC) + 1 + length
    try:
        return envelope[len(_MAGIC) + 1 : start].decode(), envelope[start:]
    except UnicodeDecodeError:
        raise IntegrityError("The stored data's key id is damaged: it was altered in the store.") from None


def parse_keys(text: str) -> dict[str, bytes]:
    """Parse ``id:base64[,id:base64…]``. Raises ``MasterKeyError`` that names the malformed entry."""
    keys: dict[str, bytes] = {}
    for entry in filter(None, (part.strip() for part in text.replace("\n", ",").split(","))):
        key_id, separator, encoded = entry.partition(":")
        try:
            keys[key_id] = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            separator = ""
        if not separator:
            raise MasterKeyError(f"Master key entry {key_id!r} is not id:base64.")
    return keys


def key_file(home: Path) -> Path:
    """Return where the master key lies when ``SLUICE_MASTER_KEY`` is not set."""
    return home / "master.key"


def create_key_file(home: Path) -> Path:
    """Write a fresh master key (0600) unless one is there; return its path. Safe when two processes race."""
    path = key_file(home)
    line = f"k1:{base64.b64encode(secrets.token_bytes(32)).decode()}\n"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path
    with os.fdopen(descriptor, "w") as file:
        file.write(line)
    return path


def load_key_ring(settings: Settings) -> KeyRing:
    """Return the key ring of ``settings``. Raises ``MasterKeyError`` with the remedy when there is none."""
    if settings.master_key is not None:
        return KeyRing(parse_keys(settings.master_key.get_secret_value()))
    path = key_file(settings.home)
    try:
        text = path.read_text()
    except FileNotFoundError:
        raise MasterKeyError(
            f"There is no master key: set SLUICE_MASTER_KEY, or restore {path} (0600). Without it stored data can't be "
            "opened."
        ) from None
    if path.stat().st_mode & 0o077:
        raise MasterKeyError(f"{path} can be read by others: run chmod 600 on it.")
    return KeyRing(parse_keys(text))


@lru_cache(maxsize=1)
def key_ring() -> KeyRing:
    """Return this process's key ring, loaded once."""
    return load_key_ring(get_settings())
