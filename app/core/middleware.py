"""What every answer passes on its way out, and every body on its way in: ids, the access log, headers, limits.

Plain ASGI, since a wrapper that buffers would cost every request and break streaming.
"""

import logging
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from secrets import token_hex

from sqlalchemy.exc import OperationalError
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.errors import PayloadTooLarge, Unavailable
from app.core.http import problem

_log = logging.getLogger("app.access")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_QUIET = frozenset({"/healthz", "/readyz"})


class RequestLog:
    """Gives each request an id and logs method, path, status, time and actor: no query, header or body.

    The id comes from ``X-Request-Id`` where the sender gave one, and is sent back in it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else token_hex(8)
        started, status = time.perf_counter(), 0

        async def reply(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-Id"] = request_id
            await send(message)

        try:
            await self._app(scope, receive, reply)
        finally:
            if scope["path"] not in _QUIET or status >= 400:
                self._write(scope, request_id, status, time.perf_counter() - started)

    @staticmethod
    def _write(scope: Scope, request_id: str, status: int, seconds: float) -> None:
        actor = scope.get("state", {}).get("actor")
        client = scope.get("client")
        _log.info(
            "request",
            extra={
                "method": scope["method"],
                "path": scope["path"],
                "status": status,
                "ms": round(seconds * 1000, 1),
                "request_id": request_id,
                "actor": actor.id if actor is not None else None,
                "address": client[0] if client else None,
            },
        )


class LastResort:
    """Turns what nobody expected into a problem document and a log line, below the headers and the request log."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request. What fails after the answer has begun is raised, which breaks the connection off."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_begun = False

        async def reply(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, reply)
        except OperationalError as error:
            if has_begun:
                raise
            # Ended by a halt that it kept waiting, by an operator, or with the server.
            _log.warning("a request lost its database connection", extra={"path": scope["path"], "error": str(error)})
            lost = Unavailable("The database ended this request's transaction, or can't be reached. Send it again.")
            await problem(lost.status, lost.code, lost.title, lost.detail)(scope, receive, send)
        except Exception as error:
            if has_begun:
                raise
            logging.getLogger(__name__).error("unexpected error", exc_info=error, extra={"path": scope["path"]})
            detail = "Sluice failed while answering; nothing was saved. The process log has the details."
            await problem(500, "internal_error", "Internal error", detail)(scope, receive, send)


class SecurityHeaders:
    """Adds headers to every answer that does not set them itself."""

    def __init__(self, app: ASGIApp, headers: Mapping[str, str]) -> None:
        self._app = app
        self._headers = dict(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def reply(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, reply)


class _BodyTooLarge(Exception):
    pass


class BodyLimit:
    """Refuses bodies beyond a limit with 413, by their declared length, else once that much has arrived.

    ``larger`` maps path prefixes to limits of their own, in bytes; ``*`` in one stands for a segment.
    """

    def __init__(self, app: ASGIApp, default: int, larger: Mapping[str, int]) -> None:
        self._app = app
        self._default = default
        self._larger = [(re.compile(re.escape(path).replace(r"\*", "[^/]+")), size) for path, size in larger.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = next((size for path, size in self._larger if path.match(scope["path"])), self._default)
        declared = Headers(scope=scope).get("content-length", "0")
        if declared.isdecimal() and int(declared) > limit:
            await self._refuse(limit)(scope, receive, send)
            return
        received, is_refused, has_begun = 0, False, False

        async def bounded() -> Message:
            nonlocal received, is_refused
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                is_refused = True
                raise _BodyTooLarge
            return message

        async def reply(message: Message) -> None:
            nonlocal has_begun
            if is_refused and not has_begun:
                return
            has_begun = True
            await send(message)

        with suppress(_BodyTooLarge):
            await self._app(scope, bounded, reply)
        if is_refused and not has_begun:
            await self._refuse(limit)(scope, receive, send)

    @staticmethod
    def _refuse(limit: int) -> ASGIApp:
        error = PayloadTooLarge
        detail = f"The body is larger than {limit} bytes, which is what this address takes."
        answer = problem(error.status, error.code, error.title, detail, limit_bytes=limit)
        answer.headers["Connection"] = "close"
        return answer
