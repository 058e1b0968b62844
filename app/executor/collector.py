"""How much Go's garbage collector works in an engine and its providers.

They are short-lived Go programs: at Go's default a run spends about a fifth of its time collecting what the end of the
process frees anyway. Collecting less often costs memory, so a soft limit stands beside it, above which the collector
works as hard as it likes. A worker whose memory is short keeps Go's default. Source: https://go.dev/doc/gc-guide.
"""

import os
from pathlib import Path

from app.core.settings import Settings
from app.executor import control_group

_MEBIBYTE = 1024 * 1024
_LEAST_SHARE_BYTES = 1024 * _MEBIBYTE


def collector_variables(settings: Settings) -> dict[str, str]:
    """Return the variables that tune the collector.

    None when the settings leave it as Go has it, or where a supervisor's share of the memory is below 1 GiB.
    """
    # The limit counts engine and providers together, and each has a collector of its own: half is for the largest.
    share = min(memory_bytes() // settings.worker_concurrency, engine_memory_bytes(settings) // 2)
    if settings.engine_gogc == 100 or share < _LEAST_SHARE_BYTES:
        return {}
    return {"GOGC": str(settings.engine_gogc), "GOMEMLIMIT": f"{share // _MEBIBYTE}MiB"}


def engine_memory_bytes(settings: Settings) -> int:
    """Return what an engine and its providers may use together: as set, else three quarters of what there is."""
    if settings.engine_memory_mb is not None:
        return settings.engine_memory_mb * _MEBIBYTE
    return memory_bytes() * 3 // 4


def memory_bytes(own: Path = control_group.OWN, root: Path = control_group.ROOT) -> int:
    """Return the memory that this machine may use, or this process's control group and those above it."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([physical, *control_group.memory_limits(own, root)])
