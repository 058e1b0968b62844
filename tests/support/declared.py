"""Every error that the API answers a test with stands at its route in the API's document."""

import json
from collections.abc import Callable
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.http import PROBLEM


class OnlyWhatIsDeclared:
    """Fails the test whose request is answered with a problem that its route does not declare.

    What no route answers (no such path, no such method), what is not in the document, and what nobody expects
    (status 500) is let pass.
    """

    def __init__(self, app: ASGIApp, document: Callable[[], dict[str, Any]]) -> None:
        self._app = app
        self._document = document

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        status, is_problem, body = 0, False, b""

        async def reply(message: Message) -> None:
            nonlocal status, is_problem, body
            if message["type"] == "http.response.start":
                status = message["status"]
                is_problem = (b"content-type", PROBLEM.encode()) in message["headers"]
            elif is_problem and message["type"] == "http.response.body":
                body += message.get("body", b"")
            await send(message)

        await self._app(scope, receive, reply)
        if is_problem and status != 500:
            self._check(scope, status, json.loads(body)["code"])

    def _check(self, scope: Scope, status: int, code: str) -> None:
        path = getattr(scope.get("route"), "path_format", None)
        operation = self._document()["paths"].get(path, {}).get(scope["method"].lower())
        if operation is None:
            return
        declared = operation["responses"].get(str(status), {}).get("description", "")
        assert f"(`{code}`)" in declared, (
            f"{operation['operationId']} answers {status} {code}, which it does not declare"
        )
