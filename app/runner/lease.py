"""Keeps a run's lease alive, and hears whether it is to stop."""

import logging
import threading
import time
from collections.abc import Callable

from app.executor.cancel import StopOrder
from app.runner.port import HeartbeatAnswer, LeaseLost, Phase

_log = logging.getLogger(__name__)
# Cancel and halt are heard in a heartbeat's answer, and people wait for both.
_LONGEST_INTERVAL_SECONDS = 1.0
_GIVE_WAY_SECONDS = 0.5


class LeaseKeeper:
    """A thread that sends heartbeats. The first order to stop is handed to ``on_stop``, once.

    When nothing is heard for ``lease_seconds`` the lease must be taken for lost: another runner may start.
    """

    def __init__(
        self,
        beat: Callable[[Phase | None], HeartbeatAnswer],
        on_stop: Callable[[StopOrder, str], None],
        *,
        heartbeat_seconds: float,
        lease_seconds: float,
    ) -> None:
        self._beat = beat
        self._on_stop = on_stop
        self._interval = min(heartbeat_seconds, _LONGEST_INTERVAL_SECONDS)
        self._lease_seconds = lease_seconds
        self._phase: Phase | None = None
        self._is_closed = False
        self._is_told = False
        self._is_over = False
        self._beating_since: float | None = None
        self._condition = threading.Condition()
        self._heard_at = time.monotonic()
        self._threads = [
            threading.Thread(target=self._work, name="lease", daemon=True),
            threading.Thread(target=self._watch, name="lease-watch", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def enter(self, phase: Phase) -> None:
        """Note the phase for the next heartbeat; the run's progress says it sooner."""
        self._phase = phase

    def give_way(self) -> None:
        """Wait while a heartbeat is under way, for half a second of it at most: whoever has much to compute calls it.

        Of threads that compute and one that asks and listens the interpreter favours the first. On a machine without
        processors to spare a heartbeat would take longer than the lease.
        """
        since = self._beating_since
        if since is None:
            return
        with self._condition:
            left = since + _GIVE_WAY_SECONDS - time.monotonic()
            self._condition.wait_for(lambda: self._beating_since is None or self._is_closed, max(0.0, left))

    def end_orders(self) -> None:
        """Hand on no more orders: nothing is left that one could stop, and a failed run's own end looks like one.

        The lease is kept for what is still to be sent.
        """
        with self._condition:
            self._is_over = True

    def close(self) -> None:
        """Send no more heartbeats."""
        with self._condition:
            self._is_closed = True
            self._condition.notify_all()
        for thread in self._threads:
            thread.join(5)

    def _watch(self) -> None:
        """Notice silence also while a heartbeat hangs in a call that does not return."""
        while True:
            with self._condition:
                left = self._heard_at + self._lease_seconds - time.monotonic()
                if left > 0:
                    self._condition.wait_for(lambda: self._is_closed, left)
                if self._is_closed:
                    return
            if time.monotonic() >= self._heard_at + self._lease_seconds:
                self._tell(StopOrder.LEASE_LOST, "the control plane was silent for longer than the lease")
                return

    def _work(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._is_closed, self._interval)
                if self._is_closed:
                    return
            try:
                answer = self._heartbeat()
            except LeaseLost as error:
                self._tell(StopOrder.LEASE_LOST, error.detail)
                return
            except Exception as error:
                # Silence is counted by `_watch`.
                _log.warning("A heartbeat was not heard: %s", error)
                continue
            self._heard_at = time.monotonic()
            if answer.stop is not None:
                self._tell(StopOrder(answer.stop), answer.reason or "")
                if answer.stop == "lease_lost" and not self._is_over:
                    return

    def _heartbeat(self) -> HeartbeatAnswer:
        self._beating_since = time.monotonic()
        try:
            return self._beat(self._phase)
        finally:
            with self._condition:
                self._beating_since = None
                self._condition.notify_all()

    def _tell(self, order: StopOrder, reason: str) -> None:
        with self._condition:
            if self._is_told or self._is_over:
                return
            self._is_told = True
        self._on_stop(order, reason)
