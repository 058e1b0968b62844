"""The API's document: what FastAPI derives from the routes, and what each answers by how it is declared.

Whoever adds a route names the errors of its own (``error_responses``). What its permission, its body and its parameters
imply stands in the document by itself.
"""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts

from app.core.errors import AppError, Invalid, PayloadTooLarge
from app.core.http import PROBLEM, SAFE_METHODS, Problem, error_responses
from app.core.permissions import Mark, PublicMarker

_OF_FASTAPI = ("HTTPValidationError", "ValidationError")


def api_routes(application: FastAPI) -> Iterator[RouteContext]:
    """Return every HTTP route of the API, however deep its router was included."""
    for route in iter_route_contexts(application.routes):
        if isinstance(route.original_route, APIRoute):
            yield route


def mark_of(route: RouteContext) -> Mark:
    """Return how a route declares who may use it. Raises ``ValueError`` unless it does so once."""
    (mark,) = _marks(route.dependant)
    return mark


def document(
    application: FastAPI, *, schemes: dict[str, dict[str, Any]], of_changes: tuple[type[AppError], ...]
) -> dict[str, Any]:
    """Return the OpenAPI document of an application.

    ``schemes`` are the ways to sign in, by name, each enough by itself; ``of_changes`` is what the credential of a
    request that changes something may be refused with.
    """
    made = get_openapi(
        title=application.title,
        version=application.version,
        description=application.description,
        routes=application.routes,
        tags=application.openapi_tags,
    )
    components = made["components"]
    for name in _OF_FASTAPI:
        components["schemas"].pop(name, None)
    components["schemas"] |= _problem_schemas()
    components["securitySchemes"] = schemes
    made["security"] = [{name: []} for name in schemes]
    for route in api_routes(application):
        for method in route.methods or () if route.include_in_schema else ():
            operation = made["paths"][route.path_format][method.lower()]
            mark = mark_of(route)
            if isinstance(mark, PublicMarker):
                operation["security"] = []
            elif method not in SAFE_METHODS:
                _add(operation, of_changes)
            _add(operation, (*mark.refusals, *_of_input(route, operation)))
    return made


def _marks(dependant: Dependant) -> Iterator[Mark]:
    for dependency in dependant.dependencies:
        call: object = dependency.call
        if isinstance(call, Mark):
            yield call
        yield from _marks(dependency)


def _of_input(route: RouteContext, operation: dict[str, Any]) -> Iterator[type[AppError]]:
    if "requestBody" in operation:
        yield PayloadTooLarge
    has_parsed_body = isinstance(route.original_route, APIRoute) and route.original_route.body_field is not None
    if has_parsed_body or "parameters" in operation:
        yield Invalid


def _add(operation: dict[str, Any], errors: tuple[type[AppError], ...]) -> None:
    """Add errors to those that an operation names itself."""
    responses = operation["responses"]
    for error in errors:
        ((status, fresh),) = error_responses(error).items()
        known = responses.get(str(status))
        if known is None or PROBLEM not in known.get("content", {}):
            responses[str(status)] = fresh
        elif f"(`{error.code}`)" not in known["description"]:
            known["description"] += f"; {fresh['description']}"


def _problem_schemas() -> dict[str, Any]:
    schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    return {**schema.pop("$defs", {}), Problem.__name__: schema}
