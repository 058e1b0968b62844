"""What a worker does for its machine when it starts: the shared provider cache is looked through."""

import json
import logging

from app.core.settings import Settings, get_settings
from app.executor.nursery import Target
from app.executor.options import cli_text, shared_cache

_log = logging.getLogger(__name__)


def target() -> Target:
    """Return what the nursery forks to look through the cache; it answers with what was set aside, as JSON."""

    def run(_payload: bytes) -> bytes:
        return json.dumps(check_cache(get_settings())).encode()

    return run


def check_cache(settings: Settings) -> list[str]:
    """Hash every package of the shared cache, set aside what is not as it was admitted, and clear what deaths left.

    Returns what was set aside; runs fetch it again. Raises ``ProcessFailed`` when the cache can't be opened.
    """
    cache = shared_cache(settings, cli_text(settings))
    if cache is None or not cache.open():
        return []
    cache.sweep()
    damaged = cache.check_all()
    if damaged:
        _log.error("packages of the shared provider cache were damaged and set aside", extra={"packages": damaged})
    return damaged
