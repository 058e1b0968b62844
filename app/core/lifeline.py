"""Threads that are kept for halts, as ``core.db`` keeps connections: no other request can use them up."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import anyio
from anyio import CapacityLimiter
from anyio.lowlevel import RunVar
from starlette.requests import HTTPConnection

THREADS = 4
PATIENCE_SECONDS = 3.0
"""A halt is tried for so long while the database starts again, before whoever halts is told."""
URGENT = frozenset({"/terraform/halt", "/terraform/resume"})
_limiter: RunVar[CapacityLimiter] = RunVar("sluice_lifeline")
P = ParamSpec("P")
T = TypeVar("T")


def is_urgent(connection: HTTPConnection) -> bool:
    """Whether a request halts or resumes."""
    return connection.scope.get("method") == "POST" and connection.url.path in URGENT


async def on_lifeline(work: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
    """Do blocking ``work`` in one of the kept threads and return what it returns."""
    try:
        limiter = _limiter.get()
    except LookupError:
        limiter = CapacityLimiter(THREADS)
        _limiter.set(limiter)
    return await anyio.to_thread.run_sync(lambda: work(*arguments, **options), limiter=limiter)
