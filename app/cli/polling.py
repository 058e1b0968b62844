"""Waiting for what the server works on: looked at again and again."""

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from app.client import SluiceClient
    from app.client.calls import Call

T = TypeVar("T")


def wait_until(
    client: "SluiceClient",
    found: T,
    call: "Call[T]",
    is_over: Callable[[T], object],
    *,
    every_seconds: float,
    for_seconds: float = math.inf,
    patience_seconds: float | None = None,
    on_look: Callable[[T], object] | None = None,
) -> T:
    """Send ``call`` until what it reads is over, or ``for_seconds`` have gone; return what was read last.

    ``found`` is what is known before. ``on_look`` hears of it, and of every answer; ``patience_seconds`` is how long an
    outage may last. Raises what sending raises.
    """
    until = time.monotonic() + for_seconds
    while True:
        if on_look is not None:
            on_look(found)
        if is_over(found) or time.monotonic() > until:
            return found
        time.sleep(every_seconds)
        found = client.send(call, patience_seconds=patience_seconds)
