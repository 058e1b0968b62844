"""Sends a run's lines and events to the control plane in batches, in order, without ever holding the engine back."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable

from app.core import clock
from app.core.errors import AppError
from app.runner.backlog import Backlog
from app.runner.port import LeaseLost, ProgressRecord
from app.runner.seams import Seams
from app.runner.steadfast import may_pass

_log = logging.getLogger(__name__)
_TAIL_RECORDS = 200
_BATCH_BYTES = 1024 * 1024
_SEAM_SECONDS = 0.25
"""For so long a line that may end inside a value waits for the next one."""


class Feed:
    """Gathers records and appends them in batches from a thread of its own.

    The first record after a pause waits ``gather_seconds`` for company; what follows within ``batch_seconds`` goes
    together. What can't be appended for now is kept and tried again, beyond some memory in a file; after the lease is
    lost the last records are handed to ``on_lost``. ``seams`` masks over the ends of lines.
    """

    def __init__(
        self,
        append: Callable[[list[ProgressRecord]], None],
        on_lost: Callable[[list[ProgressRecord]], None],
        *,
        seams: Seams | None = None,
        gather_seconds: float = 0.02,
        batch_seconds: float = 0.05,
        batch_records: int = 2000,
    ) -> None:
        self._append = append
        self._on_lost = on_lost
        self._seams = seams
        self._gather_seconds = gather_seconds
        self._batch_seconds = batch_seconds
        self._batch_records = batch_records
        self._waiting = Backlog()
        self._is_closed = False
        self._is_lost = False
        self._is_urgent = False
        self._hurried = 0
        self._deadline: float | None = None
        self._held_since: float | None = None
        self._condition = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="feed", daemon=True)
        self._thread.start()

    def add(self, record: ProgressRecord) -> None:
        """Take one record. Never blocks on the control plane."""
        with self._condition:
            self._waiting.add(record)
            if len(self._waiting) == 1:
                self._condition.notify_all()

    def line(self, text: str) -> None:
        """Take one line of Sluice's own."""
        self.add(ProgressRecord(at=clock.now(), kind="line", stream="system", text=text))

    def hurry(self) -> None:
        """Append what was taken so far at once: the process that wrote it has ended. Does not wait for that."""
        with self._condition:
            self._hurried = len(self._waiting)
            self._condition.notify_all()

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until everything taken so far was appended. Returns whether it was."""
        with self._condition:
            self._is_urgent = True
            self._condition.notify_all()
            self._condition.wait_for(lambda: not len(self._waiting) or self._is_lost, timeout_seconds)
            self._is_urgent = False
            return not len(self._waiting) and not self._is_lost

    def close(self, timeout_seconds: float) -> None:
        """Append what is left, for at most ``timeout_seconds``, and end the thread."""
        with self._condition:
            self._is_closed = True
            self._deadline = time.monotonic() + timeout_seconds
            self._condition.notify_all()
        self._thread.join(timeout_seconds + 5)
        with self._condition:
            tail = self._waiting.last(2 * _TAIL_RECORDS)
            if not self._thread.is_alive():
                self._waiting.close()
        if tail:
            self._on_lost(self._shown(tail))

    def _work(self) -> None:
        pause = 0.05
        while True:
            batch = self._next_batch()
            if batch is None:
                return
            if not batch:
                continue
            try:
                self._send(batch)
            except Exception as error:
                if not may_pass(error):
                    if not isinstance(error, LeaseLost):
                        _log.exception("Progress records were refused.")
                    self._lose()
                    return
                # The control plane is away for now: keep everything and try again, ever more slowly.
                if self._deadline is not None and time.monotonic() + pause > self._deadline:
                    return
                time.sleep(pause)
                pause = min(pause * 2, 2.0)
                continue
            pause = 0.05
            with self._condition:
                self._waiting.drop(len(batch))
                self._hurried = max(0, self._hurried - len(batch))
                self._condition.notify_all()
                if len(self._waiting) < self._batch_records:
                    self._condition.wait_for(self._waits_no_longer, self._batch_seconds)

    def _send(self, batch: list[ProgressRecord]) -> None:
        if self._seams is None:
            self._append(batch)
            return
        try:
            self._append(self._seams.masked(batch))
        except Exception:
            self._seams.take_back()
            raise

    def _next_batch(self) -> list[ProgressRecord] | None:
        """Wait for what to append; an empty batch when only a line that may go on waits, None at the end."""
        with self._condition:
            if not len(self._waiting):
                self._condition.wait_for(lambda: len(self._waiting) or self._is_closed)
                self._condition.wait_for(self._waits_no_longer, self._gather_seconds)
            if not len(self._waiting) or self._is_lost:
                return None
            batch = self._waiting.first(self._batch_records, _BATCH_BYTES)
            if self._seams is None or self._waits_no_longer() or not self._seams.may_go_on(batch[-1]):
                self._held_since = None
                return batch
            now = time.monotonic()
            self._held_since = self._held_since or now
            if now - self._held_since >= _SEAM_SECONDS:
                self._held_since = None
                return batch
            if len(batch) > 1:
                return batch[:-1]
            self._condition.wait_for(self._waits_no_longer, self._batch_seconds)
            return []

    def _waits_no_longer(self) -> bool:
        return self._is_closed or self._is_urgent or self._hurried > 0

    def _lose(self) -> None:
        with self._condition:
            self._is_lost = True
            tail = self._waiting.last(2 * _TAIL_RECORDS)
            self._waiting.close()
            self._condition.notify_all()
        with contextlib.suppress(AppError):
            self._on_lost(self._shown(tail))

    def _shown(self, tail: list[ProgressRecord]) -> list[ProgressRecord]:
        """Return the last of these records; those before them may hold the beginning of a value."""
        return (tail if self._seams is None else self._seams.masked(tail))[-_TAIL_RECORDS:]
