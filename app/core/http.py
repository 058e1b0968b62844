"""The HTTP edge's shared parts: problem documents and their place in the OpenAPI document."""

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from app.core.errors import AppError, Invalid, Unavailable, said_by_validation

_log = logging.getLogger(__name__)
PROBLEM = "application/problem+json"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""What changes nothing (RFC 9110, 9.2.1)."""


class FieldProblem(BaseModel):
    """One field that was refused, and what would be right."""

    field: str
    message: str


class Problem(BaseModel):
    """RFC 9457 problem document. ``code`` is stable; more members may follow, by code."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[FieldProblem] | None = None


def problem(status: int, code: str, title: str, detail: str, **fields: Any) -> JSONResponse:
    """Return a problem document as a response."""
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    body = {"type": f"urn:sluice:error:{code}", "title": title, "status": status, "detail": detail, "code": code}
    return JSONResponse({**body, **fields}, status_code=status, media_type=PROBLEM, headers=headers)


def error_responses(*errors: type[AppError]) -> dict[int | str, dict[str, Any]]:
    """Return FastAPI's ``responses=`` for the errors that a route raises, titles joined where they share a status."""
    by_status: dict[int | str, dict[str, Any]] = {}
    for error in errors:
        text = f"{error.title} (`{error.code}`)"
        known = by_status.get(error.status)
        by_status[error.status] = {
            "description": f"{known['description']}; {text}" if known else text,
            "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    return by_status


def _location(parts: tuple[int | str, ...]) -> str:
    kept = parts[1:] if len(parts) > 1 and parts[0] in {"body", "query", "path", "header"} else parts
    return ".".join(str(part) for part in kept) or "body"


_NO_OBJECT = frozenset({"missing", "model_attributes_type", "dict_type"})


def _field_error(item: dict[str, Any], *, is_json: bool) -> dict[str, str]:
    if tuple(item["loc"]) == ("body",) and item["type"] in _NO_OBJECT:
        # What `curl -d` sends, unless it is told otherwise, is a form.
        what = "is missing: send a JSON object" if item["type"] == "missing" else "is no JSON object: send one"
        how = "" if is_json else ", with the header `Content-Type: application/json`"
        return {"field": "body", "message": f"{what}{how}"}
    if item["type"] == "json_invalid":
        # Its location is the offset of a character, which nobody would take for the name of a field.
        reason = item.get("ctx", {}).get("error", "it can't be read")
        return {"field": "body", "message": f"is not JSON, at character {item['loc'][-1]}: {reason}"}
    return {"field": _location(item["loc"]), "message": said_by_validation(item["msg"])}


def install_error_handlers(application: FastAPI) -> None:
    """Make every error of ``application`` leave as ``application/problem+json``."""

    @application.exception_handler(AppError)
    def _app_error(_: Request, error: AppError) -> JSONResponse:
        if error.status >= 500:
            _log.error("request failed", extra={"code": error.code, "detail": error.detail})
        return problem(error.status, error.code, error.title, error.detail, **error.fields)

    @application.exception_handler(RequestValidationError)
    def _validation(request: Request, error: RequestValidationError) -> JSONResponse:
        is_json = "json" in request.headers.get("content-type", "")
        errors = [_field_error(item, is_json=is_json) for item in error.errors()]
        named = "; ".join(f"{item['field']}: {item['message']}" for item in errors)
        return problem(422, "invalid", "The request is not valid", named, errors=errors)

    @application.exception_handler(HTTPException)
    def _http(_: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == 400:
            # The framework's word for a body that a parser gave up on, for a reason that it keeps to itself.
            unread = Invalid.of_field("body", "can't be read: send it whole, in UTF-8, not nested too deep")
            return problem(unread.status, unread.code, unread.title, unread.detail, **unread.fields)
        codes = {404: "not_found", 405: "method_not_allowed"}
        return problem(
            error.status_code, codes.get(error.status_code, "http_error"), str(error.detail), str(error.detail)
        )

    @application.exception_handler(OperationalError)
    @application.exception_handler(PoolTimeout)
    def _database(_: Request, error: Exception) -> JSONResponse:
        _log.error("database not available", extra={"error": str(error)})
        detail = "The database can't be reached or is overloaded. Nothing was done; try again."
        return problem(Unavailable.status, Unavailable.code, Unavailable.title, detail)

    @application.exception_handler(Exception)
    def _unexpected(request: Request, error: Exception) -> JSONResponse:
        _log.exception("unexpected error", exc_info=error, extra={"path": request.url.path})
        detail = "Sluice failed while answering; nothing was saved. The process log has the details."
        return problem(500, "internal_error", "Internal error", detail)
