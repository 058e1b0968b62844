"""The API as tests call it: in process, inside the test's transaction, as whichever actor the test says."""

from typing import Any

import httpx
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session
from starlette.requests import HTTPConnection

from app.core import permissions
from app.core.permissions import Actor
from app.identity.resolver import resolve


class ActingClient(TestClient):
    """A client that acts as ``actor``; while that is None, credentials decide, as they do in production.

    What the test's session holds is expunged before each request, so that a lazy load fails here as it would there.
    """

    __test__ = False

    def __init__(self, application: FastAPI, session: Session | None) -> None:
        super().__init__(application, base_url="http://127.0.0.1:8080")
        self._session = session
        self.actor: Actor | None = None
        permissions.set_resolver(self._resolve)

    def _resolve(self, request: HTTPConnection) -> Actor | None:
        return self.actor if self.actor is not None else resolve(request)

    def acting(self, actor: Actor | None) -> "ActingClient":
        """Act as ``actor`` from here on; returns the client."""
        self.actor = actor
        return self

    def request(self, *arguments: Any, **options: Any) -> httpx.Response:
        if self._session is not None:
            self._session.flush()
            self._session.expunge_all()
        answer: httpx.Response = super().request(*arguments, **options)
        return answer
