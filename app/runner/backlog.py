"""Records that wait for the control plane, in order: in memory while they are few, else in a file.

The file has no name and is sealed with a key that only this process has, so it ends with the process and tells nobody
anything. Where it can't be written (a full disk), memory takes the rest: a line is never dropped.
"""

import logging
import os
import secrets
import tempfile
from collections import deque
from collections.abc import Iterable
from typing import BinaryIO

import zstandard
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import TypeAdapter

from app.runner.port import ProgressRecord

FRONT_BYTES = 8 * 1024 * 1024
BACK_BYTES = 1024 * 1024
_OVERHEAD_BYTES = 300
_LENGTH_BYTES = 8
_log = logging.getLogger(__name__)
_RECORDS = TypeAdapter(list[ProgressRecord])


def weight(record: ProgressRecord) -> int:
    """Return about how many bytes a record takes."""
    return len(record.text) + _OVERHEAD_BYTES + (len(repr(record.data)) if record.data else 0)


class Backlog:
    """A queue of records whose memory is bounded. Not safe for several threads: its owner has a lock."""

    def __init__(self, *, front_bytes: int = FRONT_BYTES, back_bytes: int = BACK_BYTES) -> None:
        self._most_front, self._most_back = front_bytes, back_bytes
        self._front: deque[tuple[ProgressRecord, int]] = deque()
        self._front_bytes = 0
        self._back: list[ProgressRecord] = []
        self._back_bytes = 0
        self._file: BinaryIO | None = None
        self._read_at = self._write_at = 0
        self._spilled = 0
        self._key = AESGCM(secrets.token_bytes(32))
        self._can_spill = True

    def __len__(self) -> int:
        """Return how many records wait."""
        return len(self._front) + self._spilled + len(self._back)

    @property
    def spilled(self) -> int:
        """How many records are in the file."""
        return self._spilled

    def add(self, record: ProgressRecord) -> None:
        """Put a record at the end."""
        size = weight(record)
        has_room = self._front_bytes + size <= self._most_front or not self._front
        if not self._spilled and not self._back and has_room:
            self._front.append((record, size))
            self._front_bytes += size
            return
        self._back.append(record)
        self._back_bytes += size
        if self._back_bytes >= self._most_back and self._can_spill:
            self._spill()

    def first(self, most: int, most_bytes: int) -> list[ProgressRecord]:
        """Return up to ``most`` records from the beginning, one at least if there are any; they stay."""
        if not self._front:
            self._refill()
        found: list[ProgressRecord] = []
        size = 0
        for record, own in self._front:
            if found and (len(found) >= most or size + own > most_bytes):
                break
            found.append(record)
            size += own
        return found

    def drop(self, count: int) -> None:
        """Let go of ``count`` records from the beginning, of those that ``first`` gave."""
        for _ in range(count):
            _, size = self._front.popleft()
            self._front_bytes -= size

    def last(self, count: int) -> list[ProgressRecord]:
        """Return the last ``count`` records of those in memory at the end."""
        held = self._back if self._spilled or self._back else [record for record, _ in self._front]
        if len(held) < count and not self._spilled and self._back:
            held = [record for record, _ in self._front] + self._back
        return held[-count:]

    def close(self) -> None:
        """Forget everything."""
        self._front.clear()
        self._back.clear()
        self._spilled = 0
        if self._file is not None:
            self._file.close()
            self._file = None

    def _refill(self) -> None:
        if self._spilled:
            self._take(self._read())
        else:
            self._take(self._back)
            self._back, self._back_bytes = [], 0

    def _take(self, records: Iterable[ProgressRecord]) -> None:
        for record in records:
            size = weight(record)
            self._front.append((record, size))
            self._front_bytes += size

    def _spill(self) -> None:
        nonce = secrets.token_bytes(12)
        body = nonce + self._key.encrypt(nonce, zstandard.compress(_RECORDS.dump_json(self._back), 1), None)
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="sluice-feed-", buffering=0)  # noqa: SIM115 - held long
            block = len(body).to_bytes(_LENGTH_BYTES, "big") + body
            written = 0
            while written < len(block):
                written += os.pwrite(self._file.fileno(), block[written:], self._write_at + written)
        except OSError as error:
            self._can_spill = False
            _log.warning("Log lines that wait can't be put into a file, so they stay in memory: %s", error)
            return
        self._write_at += len(block)
        self._spilled += len(self._back)
        self._back, self._back_bytes = [], 0

    def _read(self) -> list[ProgressRecord]:
        assert self._file is not None
        size = int.from_bytes(os.pread(self._file.fileno(), _LENGTH_BYTES, self._read_at), "big")
        body = os.pread(self._file.fileno(), size, self._read_at + _LENGTH_BYTES)
        self._read_at += _LENGTH_BYTES + size
        records = _RECORDS.validate_json(zstandard.decompress(self._key.decrypt(body[:12], body[12:], None)))
        self._spilled -= len(records)
        if not self._spilled:
            self._file.truncate(0)
            self._read_at = self._write_at = 0
            self._can_spill = True
        return records
