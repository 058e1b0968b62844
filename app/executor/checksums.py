"""Which engine binaries an operator allows: a list of SHA-256 digests, as `sha256sum` and release pages write them."""

import re
from functools import lru_cache
from pathlib import Path

from app.executor.errors import EngineRefused

LIST_NAME = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-fA-F]{64})[ \t]+[ *]?(\S.*)")


class Checksums:
    """One list: file names, or paths relative to it, and the digest that each must have."""

    def __init__(self, file: Path, named: dict[str, str]) -> None:
        self._file = file
        self._named = named

    def check(self, path: Path, sha256: str) -> None:
        """Raise ``EngineRefused`` unless the list allows a binary of this digest.

        A binary that the list names must have the digest that stands there; any other, one of them.
        """
        expected = self._named.get(_relative(path, self._file.parent)) or self._named.get(path.name)
        allowed = {expected} if expected is not None else set(self._named.values())
        if sha256 in allowed:
            return
        wanted = f"{self._file} says {expected}" if expected is not None else f"{self._file} does not list that"
        raise EngineRefused(
            f"{path} has the SHA-256 {sha256}, but {wanted}. It was not run. Put the right binary there; if this "
            "one is right, correct the list.",
            tool=path.name,
            file=str(path),
            expected=expected or "",
            found=sha256,
        )


def read(file: Path) -> Checksums:
    """Return a list. Raises ``EngineRefused`` when it can't be read: then nothing is allowed."""
    try:
        facts = file.stat()
        return _read(file, facts.st_ino, facts.st_size, facts.st_mtime_ns)
    except (OSError, ValueError) as error:
        raise EngineRefused(
            f"{file}, which lists the engines that may run, can't be read: {error}. Correct it, or the setting "
            "SLUICE_ENGINE_CHECKSUMS that names it.",
            tool="engine",
            file=str(file),
            expected="",
            found="",
        ) from error


@lru_cache(maxsize=8)
def _read(file: Path, *_facts: int) -> Checksums:
    named = {}
    for number, line in enumerate(file.read_text().splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        found = _LINE.fullmatch(line.strip())
        if found is None:
            raise ValueError(f"line {number} is not a SHA-256 and a file name")
        named[found.group(2).removeprefix("./")] = found.group(1).lower()
    return Checksums(file, named)


def _relative(path: Path, directory: Path) -> str:
    return path.relative_to(directory).as_posix() if path.is_relative_to(directory) else path.name
