"""The API with the routers of some slices, as one actor sees it."""

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import APIRouter, FastAPI
from fastapi.testclient import TestClient

from app.core import permissions
from app.core.http import install_error_handlers
from app.core.permissions import Actor


@contextmanager
def client_of(actor: Actor | None, *routers: APIRouter) -> Iterator[TestClient]:
    """Yield a client whose every request comes from ``actor``; None is nobody."""
    application = FastAPI()
    install_error_handlers(application)
    for router in routers:
        application.include_router(router)
    before = permissions._resolver
    permissions.set_resolver(lambda _request: actor)
    try:
        with TestClient(application) as client:
            yield client
    finally:
        permissions._resolver = before
