"""ASGI composition root: every slice's router, the errors' handlers, the built web UI.

``python -m app.main --openapi`` prints the API's document.
"""

import json
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any, Literal

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.exc import DataError, SQLAlchemyError
from starlette.middleware.gzip import GZipMiddleware

from app import registry, routers
from app.core import permissions
from app.core.broker import is_reachable, redis_url
from app.core.db import unit_of_work
from app.core.errors import AppError, Invalid
from app.core.frozen import FrozenWatch
from app.core.http import install_error_handlers, problem
from app.core.middleware import BodyLimit, LastResort, RequestLog, SecurityHeaders
from app.core.openapi import document
from app.core.permissions import PUBLIC, SIGNED_IN, Actor
from app.core.settings import Settings, get_settings
from app.core.webui import PageFirst, WebUI
from app.executor import discovery
from app.executor.errors import ToolMissing
from app.halt.tasks import Caretaker
from app.identity.errors import CsrfHeaderMissing
from app.identity.resolver import resolve
from app.identity.schemas import SESSION_COOKIE
from app.policy import bundles
from app.policy.engines import select_engine

_log = logging.getLogger(__name__)
_DEFAULT_BODY_BYTES = 4 * 1024 * 1024
_PAGES = frozenset({"/audit"})

DESCRIPTION = """\
A change to infrastructure enters as a versioned, hashed stack spec, becomes a plan, passes policy, waits at a gate
until the right people have approved exactly that plan, and only then is applied.

**Credentials.** `Authorization: Bearer slc_…`, or the cookie of a browser session together with the header
`X-Sluice-CSRF: 1` on every change. **Errors** are `application/problem+json` (RFC 9457) with a stable `code`.
**Lists** are pages: `items` and `next_cursor`, which `?cursor=` takes. **Creating a run** takes an `Idempotency-Key`.
"""

TAGS = [
    {"name": "auth", "description": "Signing in and out, and who one is."},
    {"name": "members", "description": "People, teams, service accounts, roles and tokens."},
    {"name": "stacks", "description": "Stack specs, their versions, and the differences between them."},
    {"name": "configurations", "description": "Uploaded configurations, each pinned to a digest."},
    {"name": "workspaces", "description": "Workspaces, their rules, and their variables."},
    {"name": "runs", "description": "Plans, the gate, and applies."},
    {"name": "queue", "description": "What waits, in which order, and how many runs execute at once."},
    {"name": "progress", "description": "A run's log lines and events, by offset; the WebSocket sends the same."},
    {"name": "state", "description": "State versions, outputs and locks."},
    {
        "name": "recovery",
        "description": "States that could not become versions, and what dead applies left that no state knows.",
    },
    {"name": "policy", "description": "Policy sets and where they are attached."},
    {"name": "rehearsal", "description": "Draft policies over past plans, before they are attached."},
    {"name": "notifications", "description": "Signed webhooks: who is told of which events, and what was sent."},
    {"name": "halt", "description": "The kill switch: halt and resume."},
    {"name": "inbox", "description": "What waits for whom."},
    {"name": "experiments", "description": "Experiments and tests that runs can belong to."},
    {"name": "audit", "description": "Who did what, in a hash chain."},
    {"name": "system", "description": "Health and version."},
]

system = APIRouter(tags=["system"])
Signed = Annotated[Actor, SIGNED_IN]


class Health(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """Whether the parts that the API needs can be reached. Redis is a doorbell: without it everything still works."""

    database: Literal["ok", "unavailable"]
    redis: Literal["ok", "unavailable", "not configured"]


class EngineVersion(BaseModel):
    """The engine that this process finds."""

    kind: str
    version: str


class VersionOut(BaseModel):
    """What is installed."""

    version: str
    engine: EngineVersion | None
    policy_engine: str | None


@system.get("/healthz", operation_id="get_health", dependencies=[PUBLIC])
async def get_health() -> Health:
    """Say that the process answers; looks at nothing else."""
    return Health()


@system.get("/readyz", operation_id="get_readiness", dependencies=[PUBLIC], responses={503: {"model": Readiness}})
def get_readiness(response: Response) -> Readiness:
    """Say whether database and Redis can be reached; 503 without the database."""
    readiness = Readiness(database=_database(), redis=_redis())
    if readiness.database != "ok":
        response.status_code = 503
    return readiness


@system.get("/terraform/version", operation_id="get_version")
def get_version(_: Signed) -> VersionOut:
    """Say which Sluice, engine and policy engine are installed."""
    settings = get_settings()
    return VersionOut(version=_version(), engine=_engine(settings), policy_engine=_policy_engine(settings))


@system.get("/openapi.json", operation_id="get_openapi", include_in_schema=False)
def get_document(_: Signed, request: Request) -> JSONResponse:
    """Return the API's document."""
    return JSONResponse(request.app.openapi())


def _version() -> str:
    try:
        return version("sluice")
    except PackageNotFoundError:
        return "0"


def _database() -> Literal["ok", "unavailable"]:
    try:
        with unit_of_work() as session:
            session.execute(text("SELECT 1"))
    except (SQLAlchemyError, AppError):
        return "unavailable"
    return "ok"


def _redis() -> Literal["ok", "unavailable", "not configured"]:
    if redis_url() is None:
        return "not configured"
    return "ok" if is_reachable() else "unavailable"


def _engine(settings: Settings) -> EngineVersion | None:
    try:
        tool = discovery.find_engine(settings)
    except ToolMissing:
        return None
    return EngineVersion(kind=tool.kind, version=tool.version)


def _policy_engine(settings: Settings) -> str | None:
    try:
        return select_engine(settings).name
    except ToolMissing:
        return None


def _security_headers(settings: Settings) -> dict[str, str]:
    policy = {
        "default-src": "'self'",
        "script-src": "'self'",
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data:",
        "font-src": "'self' data:",
        "connect-src": "'self' " + settings.url.replace("http", "ws", 1),
        "worker-src": "'self' blob:",
        "object-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
    }
    headers = {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
        "Cache-Control": "no-store",
    }
    if settings.url.startswith("https://"):
        headers["Strict-Transport-Security"] = "max-age=31536000"
    return headers


def _install_data_error_handler(application: FastAPI) -> None:
    @application.exception_handler(DataError)
    def _data(request: Request, error: DataError) -> JSONResponse:
        """A text with a NUL character, or a number beyond the column's range: the sender's to change."""
        _log.warning("value refused by the database", extra={"path": request.url.path, "error": str(error.orig)})
        detail = "A value can't be stored: a text holds a NUL character, or a number is out of range. Nothing was done."
        return problem(Invalid.status, Invalid.code, Invalid.title, detail)

    @application.exception_handler(UnicodeEncodeError)
    def _half_a_character(request: Request, error: UnicodeEncodeError) -> JSONResponse:
        """A surrogate alone, which JSON can write and no text holds: the sender's to change."""
        if "surrogates" not in error.reason:
            raise error
        _log.warning("half a character refused", extra={"path": request.url.path})
        detail = "A text holds a surrogate (\\ud800 to \\udfff) without its other half. Nothing was done."
        return problem(Invalid.status, Invalid.code, Invalid.title, detail)


def _document(application: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document, with the two ways to sign in."""
    schemes = {
        "token": {"type": "http", "scheme": "bearer", "description": "An API token, `slc_…`."},
        "session": {"type": "apiKey", "in": "cookie", "name": SESSION_COOKIE, "description": "A browser session."},
    }
    return document(application, schemes=schemes, of_changes=(CsrfHeaderMissing,))


@asynccontextmanager
async def _lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Look after halts, and for who is frozen, for as long as the process serves."""
    caretaker, watch = Caretaker(), FrozenWatch()
    caretaker.start()
    watch.start()
    yield
    watch.stop(wait_seconds=1)
    # A call to a sibling system may be under way, and whoever takes it over finds it.
    caretaker.stop(wait_seconds=0)


def create_app() -> FastAPI:
    """Return the application by this process's settings."""
    settings = get_settings()
    application = FastAPI(
        title="Sluice",
        version=_version(),
        description=DESCRIPTION,
        openapi_tags=TAGS,
        openapi_url=None,
        lifespan=_lifespan,
    )
    registry.connect()
    permissions.set_resolver(resolve)
    install_error_handlers(application)
    _install_data_error_handler(application)
    for router in (*routers.ROUTERS, system):
        application.include_router(router)
    segments = {(route.path or "/").split("/")[1] for route in iter_route_contexts(application.routes)} - {""}
    web_ui = WebUI(settings.frontend_dir, frozenset(segments))
    application.router.default = web_ui
    application.add_middleware(PageFirst, web_ui=web_ui, pages=_PAGES)
    application.add_middleware(
        BodyLimit,
        default=_DEFAULT_BODY_BYTES,
        larger={
            "/terraform/configurations": settings.max_upload_bytes + 64 * 1024,
            "/terraform/policy-bundles": bundles.MAX_BYTES + 64 * 1024,
            "/terraform/state/": settings.max_state_bytes,
            "/terraform/workspaces/*/state-import": settings.max_state_bytes,
        },
    )
    application.add_middleware(GZipMiddleware, minimum_size=4096, compresslevel=5)
    application.add_middleware(LastResort)
    application.add_middleware(SecurityHeaders, headers=_security_headers(settings))
    application.add_middleware(RequestLog)

    def openapi() -> dict[str, Any]:
        if application.openapi_schema is None:
            application.openapi_schema = _document(application)
        return application.openapi_schema

    application.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend the document
    return application


def main(arguments: list[str]) -> int:
    """Print the API's document; the exit code is 2 for anything else."""
    if arguments != ["--openapi"]:
        sys.stderr.write("usage: python -m app.main --openapi\nThe API itself is started by `sluice api`.\n")
        return 2
    sys.stdout.write(json.dumps(create_app().openapi(), indent=2, sort_keys=True) + "\n")
    return 0


def __getattr__(name: str) -> Any:
    """Make ``app.main:app`` the application, without making one when the module is only imported."""
    if name == "app":
        return create_app()
    raise AttributeError(name)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
