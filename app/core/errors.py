"""Typed errors; the edge turns them into RFC 9457 problem documents."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self


def said_by_validation(message: str) -> str:
    """Return what pydantic says of a value, without the name of the exception that a validator of ours raised."""
    return message.removeprefix("Value error, ")


class AppError(Exception):
    """Nobody expected it: the process's log says what it was.

    Base of every error that may reach a caller. Subclasses set ``status`` (HTTP), ``code`` (stable, machine-readable)
    and ``title``. ``detail`` says what failed and what to do; keyword fields go into the problem document as extension
    members.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Internal error"

    def __init__(self, detail: str, **fields: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.fields: Mapping[str, Any] = fields

    @classmethod
    def of_field(cls, field: str, problem: str) -> Self:
        """Return the error for one field of a request; ``problem`` says what is wrong with it and what to do."""
        return cls(f"{field}: {problem}.", errors=[{"field": field, "message": problem}])


class NotFound(AppError):
    """The thing does not exist, or belongs to another organization (both look the same from outside)."""

    status = 404
    code = "not_found"
    title = "Not found"


class Unauthenticated(AppError):
    """No credential, or one that is unknown, expired or revoked."""

    status = 401
    code = "unauthenticated"
    title = "Sign in first"


class Forbidden(AppError):
    """The actor is known and lacks the permission."""

    status = 403
    code = "forbidden"
    title = "Not permitted"


class Invalid(AppError):
    """A value is not acceptable; ``errors`` lists ``{"field": …, "message": …}``."""

    status = 422
    code = "invalid"
    title = "The request is not valid"


class Conflict(AppError):
    """The request is well-formed but the present state does not allow it."""

    status = 409
    code = "conflict"
    title = "Conflict"


class Gone(AppError):
    """Base of what says that something was there and is not kept any more."""

    status = 410


class PayloadTooLarge(AppError):
    """A body or archive exceeds its limit; ``limit_bytes`` says which."""

    status = 413
    code = "payload_too_large"
    title = "Too large"


class IntegrityError(AppError):
    """Stored data does not match its digest or its seal: it was altered, or belongs elsewhere."""

    status = 500
    code = "integrity_error"
    title = "Stored data was altered"


class Unavailable(AppError):
    """A part that the request needs can't be reached now; trying again later may help."""

    status = 503
    code = "unavailable"
    title = "Not available now"
