"""The dependency lock file: which provider versions an `init` chose, and the checksums that their packages may have.

Format: https://opentofu.org/docs/language/files/dependency-lock/. The file comes from a run, so what is read is
checked as strictly as any other input. Pure.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_MOST_BYTES = 1024 * 1024
_HEAD = re.compile(r'provider "([^"\\]+)" \{')
_VERSION = re.compile(r'[ \t]*version[ \t]*=[ \t]*"([^"\\]+)"')
_HASHES = re.compile(r"([ \t]*)hashes[ \t]*=[ \t]*\[[ \t]*")
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


@dataclass
class _Block:
    """One entry as it is written: its list of checksums is in the lines from ``first`` up to, without, ``end``."""

    address: str
    version: str | None = None
    hashes: frozenset[str] | None = None
    indent: str = ""
    first: int = 0
    end: int = 0


def parse(content: bytes | None) -> dict[str, LockedProvider]:
    """Return the providers of a lock file by address; entries that no engine would have written so are left out.

    So are all of a file over 1 MiB, which is hundreds of times what engines write. Takes time in proportion to the
    file's size.
    """
    found = {}
    for block in _blocks(_lines(content or b"")):
        if block.version is not None and is_address(block.address) and is_version(block.version):
            found[block.address] = LockedProvider(block.address, block.version, block.hashes or frozenset())
    return found


def with_hash(content: bytes, address: str, added: str) -> bytes:
    """Return a lock file whose entry for ``address`` allows one more checksum, written as an engine would write it."""
    lines = _lines(content)
    for block in _blocks(lines):
        if block.address == address and block.hashes is not None:
            lines[block.first : block.end] = [f'{block.indent}  "{name}",' for name in sorted({*block.hashes, added})]
            return "\n".join(lines).encode(errors="surrogateescape")
    return content


def _lines(content: bytes) -> list[str]:
    if len(content) > _MOST_BYTES:
        return []
    return content.decode(errors="surrogateescape").replace("\r\n", "\n").split("\n")


def _blocks(lines: list[str]) -> Iterator[_Block]:
    """Go through the lines once, and give each entry that is closed."""
    block: _Block | None = None
    listed: set[str] | None = None
    for number, line in enumerate(lines):
        if block is None:
            head = _HEAD.fullmatch(line)
            block, listed = (_Block(head.group(1)) if head else None), None
        elif line.startswith("}"):
            yield block
            block = None
        elif listed is not None:
            if line.lstrip().startswith("]"):
                block.hashes, block.end, listed = frozenset(listed), number, None
            else:
                listed.update(_HASH.findall(line))
        elif block.version is None and (version := _VERSION.match(line)):
            block.version = version.group(1)
        elif block.hashes is None and (hashes := _HASHES.fullmatch(line)):
            block.indent, block.first, listed = hashes.group(1), number + 1, set()


def is_address(text: str) -> bool:
    """Return whether ``text`` is a provider's whole address, HOST/NAMESPACE/TYPE, and safe as a relative path."""
    return _ADDRESS.fullmatch(text) is not None and ".." not in text


def is_version(text: str) -> bool:
    """Return whether ``text`` is one version, and safe as a file name."""
    return _EXACT.fullmatch(text) is not None
