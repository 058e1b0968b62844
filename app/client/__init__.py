"""The typed Python client of the API, sync and async. Imports no slice.

``SluiceClient`` and ``AsyncSluiceClient`` send the calls that ``app.client.calls`` makes, and follow runs.
"""

from app.client.aio import AsyncSluiceClient
from app.client.errors import ApiError, ClientError, UnexpectedAnswer, Unreachable, WaitTimeout
from app.client.models import Configuration, Page, ProgressPage, Record, Run, Stack, Workspace, ended, settled
from app.client.sync import SluiceClient

__all__ = [
    "ApiError",
    "AsyncSluiceClient",
    "ClientError",
    "Configuration",
    "Page",
    "ProgressPage",
    "Record",
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
