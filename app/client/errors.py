"""What can go wrong between a program and Sluice. Each error can be shown as a problem document."""

from collections.abc import Mapping
from typing import Any


class ClientError(Exception):
    """Base of all errors of the client. ``code`` is stable; ``detail`` says what failed and what to do."""

    code = "client_error"
    title = "The request failed"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail

    def problem(self) -> dict[str, Any]:
        """Return the error as a problem document; ``status`` is null where no server answered."""
        return {
            "type": f"urn:sluice:error:{self.code}",
            "title": self.title,
            "status": None,
            "detail": self.detail,
            "code": self.code,
        }


class Unreachable(ClientError):
    """No answer came: the address is wrong, the server is down, or the connection broke."""

    code = "unreachable"
    title = "Sluice can't be reached"


class UnexpectedAnswer(ClientError):
    """Something answered that is not this API: another server, a proxy, or a redirect."""

    code = "unexpected_answer"
    title = "This is not Sluice's API"


class WaitTimeout(ClientError):
    """The run did not get where it was waited for in time. It goes on."""

    code = "wait_timeout"
    title = "Waited long enough"

    def __init__(self, detail: str, run_id: str) -> None:
        super().__init__(detail)
        self.run_id = run_id

    def problem(self) -> dict[str, Any]:
        """Return the problem document, with the run."""
        return {**super().problem(), "run": {"id": self.run_id}}


class LocalProblem(ClientError):
    """Something on this side is not right: a directory, a file, a value. ``code`` is given."""

    title = "Not possible here"

    def __init__(self, detail: str, code: str, **fields: Any) -> None:
        super().__init__(detail)
        self.code = code
        self._fields = fields

    def problem(self) -> dict[str, Any]:
        """Return the problem document with the error's own members."""
        return {**super().problem(), **self._fields}


class ApiError(ClientError):
    """The API refused, with a problem document (RFC 9457): ``status``, ``code``, ``title``, ``detail``, ``errors``."""

    def __init__(self, status: int, document: Mapping[str, Any]) -> None:
        self.status = status
        self.code = str(document.get("code") or f"http_{status}")
        self.title = str(document.get("title") or f"HTTP {status}")
        super().__init__(str(document.get("detail") or self.title))
        errors = document.get("errors")
        self.errors: list[dict[str, str]] = (
            [
                {"field": str(item.get("field", "")), "message": str(item.get("message", ""))}
                for item in errors
                if isinstance(item, Mapping)
            ]
            if isinstance(errors, list)
            else []
        )
        self._document = dict(document)

    def problem(self) -> dict[str, Any]:
        """Return the problem document as the server sent it."""
        return {
            "type": f"urn:sluice:error:{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            **self._document,
        }
