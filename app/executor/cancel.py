"""How an order to stop reaches a running process."""

import os
import threading
from enum import StrEnum
from typing import Protocol


class StopOrder(StrEnum):
    """Why a process is to end."""

    CANCEL = "cancel"
    HALT = "halt"
    LEASE_LOST = "lease_lost"


class CancelToken(Protocol):
    """What the gateway looks at while a process runs."""

    def requested(self) -> StopOrder | None:
        """Return the order, once there is one."""

    def fileno(self) -> int:
        """Return a descriptor that is readable from the moment an order was given, so that nobody has to poll."""


class CancelSource:
    """A ``CancelToken`` that another thread fires. The first order stands; later ones are ignored."""

    def __init__(self) -> None:
        self._order: StopOrder | None = None
        self._lock = threading.Lock()
        self._event = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def request(self, order: StopOrder) -> bool:
        """Give the order. Returns whether it was the first."""
        with self._lock:
            if self._order is not None:
                return False
            self._order = order
        os.eventfd_write(self._event, 1)
        return True

    def requested(self) -> StopOrder | None:
        """Return the order, once there is one."""
        return self._order

    def fileno(self) -> int:
        """Return the event descriptor; it stays readable."""
        return self._event

    def close(self) -> None:
        """Free the descriptor; the token may not be used afterwards."""
        os.close(self._event)
