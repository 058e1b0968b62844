"""The built web UI, served by the API process: one process is the whole site."""

from pathlib import Path

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

_FOR_EVER = "public, max-age=31536000, immutable"
_ASK_FIRST = "no-cache"
_NOT_BUILT = (
    "<!doctype html><title>Sluice</title><p>The web UI is not built. Run <code>make install</code> (or "
    "<code>npm ci &amp;&amp; npm run build</code> in <code>frontend/</code>), or name it with "
    "<code>SLUICE_FRONTEND_DIR</code>. The API works without it."
)


class WebUI:
    """Answers what no route did: a built file, else the page, whose own router knows the address.

    ``api_segments`` are first path segments that belong to the API and never get the page.
    """

    def __init__(self, directory: Path, api_segments: frozenset[str]) -> None:
        self._files = StaticFiles(directory=directory, check_dir=False)
        self._api_segments = api_segments

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request. Raises ``HTTPException`` 404 for addresses of the API and for files that are not there."""
        if scope["type"] != "http":
            raise HTTPException(404, "Not found")
        segment = scope["path"].lstrip("/").partition("/")[0]
        if scope["method"] not in {"GET", "HEAD"} or segment in self._api_segments:
            raise HTTPException(404, "Not found")
        response = await self.file(scope) or await self.page(scope)
        await response(scope, receive, send)

    async def file(self, scope: Scope) -> Response | None:
        """Return a built file, to be kept for ever when its name holds its digest; None when the page is meant."""
        path = scope["path"].strip("/")
        if not path or path == "index.html":
            return None
        try:
            response = await self._files.get_response(path, scope)
        except HTTPException:
            if path.startswith("assets/"):
                raise
            return None
        response.headers["Cache-Control"] = _FOR_EVER if path.startswith("assets/") else _ASK_FIRST
        return response

    async def page(self, scope: Scope) -> Response:
        """Return the page; a browser asks for it again each time, so that a new version is seen at once."""
        try:
            response = await self._files.get_response("index.html", scope)
        except HTTPException:
            return HTMLResponse(_NOT_BUILT, status_code=404)
        response.headers["Cache-Control"] = _ASK_FIRST
        return response


class PageFirst:
    """Gives the page to a browser that opens an address which is both a page and a list of the API (``/audit``)."""

    def __init__(self, app: ASGIApp, web_ui: WebUI, pages: frozenset[str]) -> None:
        self._app = app
        self._web_ui = web_ui
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or not self._is_page(scope):
            await self._app(scope, receive, send)
            return
        response = await self._web_ui.page(scope)
        response.headers["Vary"] = "Accept"
        await response(scope, receive, send)

    def _is_page(self, scope: Scope) -> bool:
        if scope["method"] != "GET" or scope["path"].rstrip("/") not in self._pages:
            return False
        return "text/html" in Headers(scope=scope).get("accept", "")
