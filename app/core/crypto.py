"""Envelopes: data at rest, sealed with AES-256-GCM under a key that the envelope names.

Layout: ``SLC1`` | key id length (1 byte) | key id | nonce (12 bytes) | ciphertext and tag. The key of an envelope is
derived (HKDF-SHA-256) from the master key of that id, the organization and the kind of data; organization, kind, owner
and digest are bound in as associated data, so an envelope that is moved to another owner does not open.
"""

import base64
import binascii
import os
import secrets
from collections.abc import Callable, Iterable
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
    """Master keys by id. The first seals; all of them open.

    ``reread`` gives the keys anew when their file has changed, else None: a key that is added or removed while this
    process runs is taken up at the next sealing, and at the next envelope whose key is not known.
    """

    def __init__(self, keys: dict[str, bytes], *, reread: Callable[[], dict[str, bytes] | None] | None = None) -> None:
        self._reread = reread
        self._take(keys)

    def _take(self, keys: dict[str, bytes]) -> None:
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

    def _refresh(self) -> None:
        keys = self._reread() if self._reread is not None else None
        if keys is not None:
            self._take(keys)

    @property
    def ids(self) -> tuple[str, ...]:
        """The keys of the ring, the one that seals first."""
        self._refresh()
        return tuple(self._keys)

    def derived(self, purpose: str) -> list[bytes]:
        """Return 32 bytes derived for ``purpose`` from each key of the ring, the one that seals first."""
        self._refresh()
        keys = list(self._keys.values())
        return [HKDF(hashes.SHA256(), 32, salt=None, info=purpose.encode()).derive(key) for key in keys]

    def seal(self, data: bytes, binding: Binding) -> bytes:
        """Return ``data`` as an envelope under the current key, bound to ``binding``."""
        self._refresh()
        # Read once: another thread may take up a new key meanwhile.
        key_id = self.current_id
        nonce = secrets.token_bytes(_NONCE_BYTES)
        cipher = self._derive(key_id, binding.organization_id, binding.kind)
        return envelope_prefix(key_id) + nonce + cipher.encrypt(nonce, data, binding.associated_data())

    def open(self, envelope: bytes, binding: Binding) -> bytes:
        """Return what ``envelope`` holds.

        Raises ``IntegrityError`` when a byte was changed or the binding is another one, and ``MasterKeyError`` when
        the key that it names is not in the ring.
        """
        key_id, body = _split(envelope)
        if key_id not in self._keys:
            self._refresh()
        if key_id not in self._keys:
            raise MasterKeyError(
                f"The data is sealed with key {key_id!r}, which is not in the key ring. Restore that key: the file "
                "master.key in the data directory, or SLUICE_MASTER_KEY."
            )
        cipher = self._derive(key_id, binding.organization_id, binding.kind)
        try:
            return cipher.decrypt(bytes(body[:_NONCE_BYTES]), body[_NONCE_BYTES:], binding.associated_data())
        except InvalidTag:
            raise IntegrityError(
                f"The stored {binding.kind.replace('_', ' ')} of {binding.owner} does not open: it was altered in the "
                "store, or it belongs elsewhere."
            ) from None


def envelope_prefix(key_id: str) -> bytes:
    """Return how every envelope that is sealed with this key begins."""
    return _MAGIC + bytes([len(key_id.encode())]) + key_id.encode()


def key_id_of(envelope: bytes) -> str:
    """Return the id of the key that sealed ``envelope`` (its first 69 bytes suffice). Raises ``IntegrityError``."""
    return _split(envelope)[0]


def _split(envelope: bytes) -> tuple[str, memoryview]:
    if len(envelope) < len(_MAGIC) + 1 or not envelope.startswith(_MAGIC):
        raise IntegrityError("The stored data is not an envelope of ours: it was altered in the store.")
    length = envelope[len(_MAGIC)]
    start = len(_MAGIC) + 1 + length
    try:
        # A view: what is sealed may be large, and a copy of it would be for nothing.
        return envelope[len(_MAGIC) + 1 : start].decode(), memoryview(envelope)[start:]
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
    file = KeyFile(key_file(settings.home))
    return KeyRing(file.read(), reread=file.reread)


class KeyFile:
    """A file of keys, one ``id:base64`` a line, the one that seals first; always replaced as a whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None

    def read(self) -> dict[str, bytes]:
        """Return the keys. Raises ``MasterKeyError`` with the remedy when the file is missing or open to others."""
        try:
            facts = self._path.stat()
            text = self._path.read_text()
        except FileNotFoundError:
            raise MasterKeyError(
                f"There is no master key: set SLUICE_MASTER_KEY, or restore {self._path} (0600). Without it stored "
                "data can't be opened."
            ) from None
        if facts.st_mode & 0o077:
            raise MasterKeyError(f"{self._path} can be read by others: run chmod 600 on it.")
        self._seen = (facts.st_ino, facts.st_mtime_ns, facts.st_size)
        return parse_keys(text)

    def reread(self) -> dict[str, bytes] | None:
        """Return the keys when the file is another one than was read; None when it is not, or is gone."""
        try:
            facts = self._path.stat()
        except FileNotFoundError:
            return None
        return None if (facts.st_ino, facts.st_mtime_ns, facts.st_size) == self._seen else self.read()

    def write(self, keys: dict[str, bytes]) -> None:
        """Replace the file (0600), at once and for good. Raises ``MasterKeyError`` while another does the same."""
        temporary = self._path.with_name(f"{self._path.name}.new")
        text = "".join(f"{key_id}:{base64.b64encode(key).decode()}\n" for key_id, key in keys.items())
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise MasterKeyError(
                f"{temporary} is there: another change of the keys is under way. If none is, remove that file."
            ) from None
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(self._path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def new_key(present: Iterable[str]) -> tuple[str, bytes]:
    """Return the id and bytes of a fresh key; ``present`` are the ids in the ring.

    No id ever comes back, not even a removed key's: a process that still holds that key would take it for this one.
    """
    return f"k{len(set(present)) + 1}-{secrets.token_hex(4)}", secrets.token_bytes(32)


@lru_cache(maxsize=1)
def key_ring() -> KeyRing:
    """Return this process's key ring, loaded once."""
    return load_key_ring(get_settings())
