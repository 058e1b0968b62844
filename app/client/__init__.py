"""The typed Python client of the API, sync and async. Imports no slice.

``SluiceClient`` and ``AsyncSluiceClient`` send the calls that ``app.client.calls`` makes, and follow runs. Names are
loaded when they are first used: a command that only shows its help needs no HTTP library.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app.client.aio import AsyncSluiceClient
    from app.client.errors import ApiError, ClientError, LocalProblem, UnexpectedAnswer, Unreachable, WaitTimeout
    from app.client.models import (
        Configuration,
        Evaluation,
        Page,
        ProgressPage,
        Record,
        Rehearsal,
        RehearsalResult,
        Run,
        Stack,
        Workspace,
        ended,
        settled,
    )
    from app.client.sync import SluiceClient

__all__ = [
    "ApiError",
    "AsyncSluiceClient",
    "ClientError",
    "Configuration",
    "Evaluation",
    "LocalProblem",
    "Page",
    "ProgressPage",
    "Record",
    "Rehearsal",
    "RehearsalResult",
    "Run",
    "SluiceClient",
    "Stack",
    "UnexpectedAnswer",
    "Unreachable",
    "WaitTimeout",
    "Workspace",
    "ended",
    "settled",
]

_ERRORS = {"ApiError", "ClientError", "LocalProblem", "UnexpectedAnswer", "Unreachable", "WaitTimeout"}
_CLIENTS = {"SluiceClient": "app.client.sync", "AsyncSluiceClient": "app.client.aio"}


def __getattr__(name: str) -> Any:
    """Load one of ``__all__``."""
    if name not in __all__:
        raise AttributeError(name)
    return getattr(import_module(_CLIENTS.get(name, f"app.client.{'errors' if name in _ERRORS else 'models'}")), name)
