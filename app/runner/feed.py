"""Sends a run's lines and events to the control plane in batches, in order, without ever holding the engine back."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable

from app.core import clock
from app.core.errors import AppError
from app.runner.port import LeaseLost, ProgressRecord
from app.runner.steadfast import may_pass

_log = logging.getLogger(__name__)
_TAIL_RECORDS = 200


class Feed:
    """Gathers records and appends them in batches from a thread of its own.

    The first record after a pause waits ``gather_seconds`` for company; what follows within ``batch_seconds`` goes
    together. What can't be appended for now is kept and tried again; after the lease is lost the last records are
    handed to ``on_lost``.
    """

    def __init__(
        self,
        append: Callable[[list[ProgressRecord]], None],
        on_lost: Callable[[list[ProgressRecord]], None],
        *,
        gather_seconds: float = 0.02,
        batch_seconds: float = 0.05,
        batch_records: int = 2000,
    ) -> None:
        self._append = append
        self._on_lost = on_lost
        self._gather_seconds = gather_seconds
        self._batch_seconds = batch_seconds
        self._batch_records = batch_records
        self._waiting: list[ProgressRecord] = []
        self._is_closed = False
        self._is_lost = False
        self._is_urgent = False
        self._deadline: float | None = None
        self._condition = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="feed", daemon=True)
        self._thread.start()

    def add(self, record: ProgressRecord) -> None:
        """Take one record. Never blocks on the control plane."""
        with self._condition:
            self._waiting.append(record)
            self._condition.notify_all()

    def line(self, text: str) -> None:
        """Take one line of Sluice's own."""
        self.add(ProgressRecord(at=clock.now(), kind="line", stream="system", text=text))

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until everything taken so far was appended. Returns whether it was."""
        with self._condition:
            self._is_urgent = True
            self._condition.notify_all()
            self._condition.wait_for(lambda: not self._waiting or self._is_lost, timeout_seconds)
            self._is_urgent = False
            return not self._waiting and not self._is_lost

    def close(self, timeout_seconds: float) -> None:
        """Append what is left, for at most ``timeout_seconds``, and end the thread."""
        with self._condition:
            self._is_closed = True
            self._deadline = time.monotonic() + timeout_seconds
            self._condition.notify_all()
        self._thread.join(timeout_seconds + 5)
        if self._waiting:
            self._on_lost(self._waiting[-_TAIL_RECORDS:])

    def _work(self) -> None:
        pause = 0.05
        while True:
            with self._condition:
                if not self._waiting:
                    self._condition.wait_for(lambda: self._waiting or self._is_closed)
                    self._condition.wait_for(lambda: self._is_closed or self._is_urgent, self._gather_seconds)
                if not self._waiting or self._is_lost:
                    return
                batch = self._waiting[: self._batch_records]
            try:
                self._append(batch)
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
                del self._waiting[: len(batch)]
                self._condition.notify_all()
                if len(self._waiting) < self._batch_records:
                    self._condition.wait_for(lambda: self._is_closed or self._is_urgent, self._batch_seconds)

    def _lose(self) -> None:
        with self._condition:
            self._is_lost = True
            tail, self._waiting = self._waiting[-_TAIL_RECORDS:], []
            self._condition.notify_all()
        with contextlib.suppress(AppError):
            self._on_lost(tail)
