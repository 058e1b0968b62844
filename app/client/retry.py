"""When a call is sent again, and how long to wait before. Pure but for the clock and the dice it is given."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from app.client.errors import ApiError, ClientError

Say = Callable[[str], None]
AGAIN_STATUSES = frozenset({429, 502, 503, 504})
_FIRST_SECONDS = 0.2
_LONGEST_SECONDS = 5.0


def silent(_: str) -> None:
    """Say nothing."""


@dataclass
class Attempts:
    """The attempts of one call.

    ``patience_seconds`` is how long an outage may last, from its first failure; ``may_repeat`` whether a call that may
    have arrived can be sent again without doing its work twice. ``say`` hears of the first failure.
    """

    may_repeat: bool
    patience_seconds: float
    say: Say = silent
    clock: Callable[[], float] = time.monotonic
    dice: Callable[[], float] = random.random

    def __post_init__(self) -> None:
        self._failures = 0
        self._since = 0.0

    def after(self, error: ClientError, *, has_arrived: bool, retry_after: float | None = None) -> float:
        """Return the seconds to wait before the next attempt, or raise ``error`` when there is none.

        ``has_arrived`` is false where the request certainly never reached the server.
        """
        if not self._may_try_again(error, has_arrived=has_arrived):
            raise error
        now = self.clock()
        if self._failures == 0:
            self._since = now
        delay = min(_LONGEST_SECONDS, _FIRST_SECONDS * 2.0**self._failures) * (0.5 + self.dice() / 2)
        delay = max(delay, min(retry_after or 0.0, 60.0))
        if now + delay - self._since > self.patience_seconds:
            raise error
        if self._failures == 0:
            self.say(f"{error.detail} Trying again for {self.patience_seconds:.0f} s ...")
        self._failures += 1
        return delay

    def _may_try_again(self, error: ClientError, *, has_arrived: bool) -> bool:
        if isinstance(error, ApiError):
            # 429 is said before anything is done; after the others it is not known.
            return error.status == 429 or (self.may_repeat and error.status in AGAIN_STATUSES)
        return self.may_repeat or not has_arrived
