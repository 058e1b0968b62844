"""Just enough OpenPGP to sign a provider's checksums as a registry does: one RSA key, one identity.

Format: RFC 4880, version 4 packets.
"""

import base64
import hashlib
import struct
import time

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

_RSA, _SHA256 = 1, 8
_BINARY, _CERTIFICATION = 0x00, 0x13
_PUBLIC_KEY, _SIGNATURE, _USER_ID = 6, 2, 13


class SigningKey:
    """A key pair that was made a moment ago; engines can check what it signs."""

    def __init__(self, name: str = "Registry of the tests <registry@example.invalid>") -> None:
        self._private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        numbers = self._private.public_key().public_numbers()
        self._made = int(time.time()) - 60
        self._public = struct.pack(">BIB", 4, self._made, _RSA) + _integer(numbers.n) + _integer(numbers.e)
        self._name = name.encode()
        self._fingerprint = hashlib.sha1(_framed_key(self._public), usedforsecurity=False).digest()

    @property
    def key_id(self) -> str:
        """Return the id by which a registry names the key."""
        return self._fingerprint[-8:].hex().upper()

    def armored(self) -> str:
        """Return the public key in ASCII armor, with an identity that it has signed itself."""
        identity = b"\xb4" + struct.pack(">I", len(self._name)) + self._name
        # Flags: it may certify and sign.
        own = self._sign(_CERTIFICATION, _framed_key(self._public) + identity, b"\x02\x1b\x03")
        packets = _packet(_PUBLIC_KEY, self._public) + _packet(_USER_ID, self._name) + own
        body = base64.encodebytes(packets).decode()
        check = base64.b64encode(struct.pack(">I", _crc24(packets))[1:]).decode()
        return f"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n{body}={check}\n-----END PGP PUBLIC KEY BLOCK-----\n"

    def sign(self, data: bytes) -> bytes:
        """Return a detached signature of ``data``."""
        return self._sign(_BINARY, data, b"")

    def _sign(self, kind: int, data: bytes, subpackets: bytes) -> bytes:
        hashed = b"\x05\x02" + struct.pack(">I", self._made) + subpackets
        head = struct.pack(">BBBBH", 4, kind, _RSA, _SHA256, len(hashed)) + hashed
        signed = data + head + struct.pack(">BBI", 4, 0xFF, len(head))
        unhashed = b"\x09\x10" + self._fingerprint[-8:]
        value = int.from_bytes(self._private.sign(signed, padding.PKCS1v15(), hashes.SHA256()))
        left = hashlib.sha256(signed).digest()[:2]
        body = head + struct.pack(">H", len(unhashed)) + unhashed + left + _integer(value)
        return _packet(_SIGNATURE, body)


def _framed_key(public: bytes) -> bytes:
    return b"\x99" + struct.pack(">H", len(public)) + public


def _integer(value: int) -> bytes:
    length = value.bit_length()
    return struct.pack(">H", length) + value.to_bytes((length + 7) // 8)


def _packet(tag: int, body: bytes) -> bytes:
    return bytes([0xC0 | tag, 0xFF]) + struct.pack(">I", len(body)) + body


def _crc24(data: bytes) -> int:
    value = 0xB704CE
    for byte in data:
        value ^= byte << 16
        for _ in range(8):
            value <<= 1
            if value & 0x1000000:
                value ^= 0x1864CFB
    return value & 0xFFFFFF
