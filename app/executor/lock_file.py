"""The dependency lock file: which provider versions an `init` chose, and the checksums that their packages may have.

Format: https://opentofu.org/docs/language/files/dependency-lock/. The file comes from a run, so what is read is
checked as strictly as any other input. Pure.
"""

import re
from dataclasses import dataclass

_BLOCK = re.compile(r'^provider "([^"\\\n]+)" \{\n(.*?)^\}', re.MULTILINE | re.DOTALL)
_VERSION = re.compile(r'^\s*version\s*=\s*"([^"\\\n]+)"', re.MULTILINE)
_HASHES = re.compile(r"^(\s*)hashes\s*=\s*\[\n(.*?)^\s*\]", re.MULTILINE | re.DOTALL)
_HASH = re.compile(r'"((?:h1|zh):[A-Za-z0-9+/=]+)"')
_PART = r"[0-9a-z](?:[0-9a-z_-]{0,62}[0-9a-z])?"
_ADDRESS = re.compile(rf"[0-9a-z](?:[0-9a-z.-]{{0,252}}[0-9a-z])?(?::[0-9]{{1,5}})?/{_PART}/{_PART}")
_EXACT = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+(?:-[0-9A-Za-z.-]{1,64})?(?:\+[0-9A-Za-z.-]{1,64})?")


@dataclass(frozen=True)
class LockedProvider:
    """One provider of a lock file: its address with the host, its version, and the checksums that it may have."""

    address: str
    version: str
    hashes: frozenset[str]


def parse(content: bytes | None) -> dict[str, LockedProvider]:
    """Return the providers of a lock file by address; entries that no engine would have written so are left out."""
    text = (content or b"").decode(errors="replace").replace("\r\n", "\n")
    found = {}
    for block in _BLOCK.finditer(text):
        address, body = block.groups()
        version = _VERSION.search(body)
        if version is not None and is_address(address) and is_version(version.group(1)):
            hashes = _HASHES.search(body)
            named = frozenset(_HASH.findall(hashes.group(2))) if hashes else frozenset()
            found[address] = LockedProvider(address, version.group(1), named)
    return found


def with_hash(content: bytes, address: str, added: str) -> bytes:
    """Return a lock file whose entry for ``address`` allows one more checksum, written as an engine would write it."""
    text = content.decode().replace("\r\n", "\n")
    for block in _BLOCK.finditer(text):
        hashes = _HASHES.search(block.group(2))
        if block.group(1) != address or hashes is None:
            continue
        indent = hashes.group(1)
        lines = "".join(f'{indent}  "{name}",\n' for name in sorted({*_HASH.findall(hashes.group(2)), added}))
        begin = block.start(2)
        written = f"{indent}hashes = [\n{lines}{indent}]"
        return (text[: begin + hashes.start()] + written + text[begin + hashes.end() :]).encode()
    return content


def is_address(text: str) -> bool:
    """Return whether ``text`` is a provider's whole address, HOST/NAMESPACE/TYPE, and safe as a relative path."""
    return _ADDRESS.fullmatch(text) is not None and ".." not in text


def is_version(text: str) -> bool:
    """Return whether ``text`` is one version, and safe as a file name."""
    return _EXACT.fullmatch(text) is not None
