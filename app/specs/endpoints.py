"""REST of stacks and spec versions."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from app.core.db import SessionDep
from app.core.http import error_responses
from app.core.pages import Page, PageDep
from app.core.permissions import Actor, Permission, requires
from app.specs import service
from app.specs.errors import (
    SPEC_REFUSALS,
    SpecNameMismatch,
    SpecTooLarge,
    SpecUnreadable,
    SpecVersionNotFound,
    SpecVersionsUnrelated,
    StackExists,
    StackNotFound,
)
from app.specs.reading import LIMIT_BYTES, read_document
from app.specs.schemas import (
    PushAnswer,
    SpecDiff,
    SpecVersionOut,
    StackIn,
    StackOut,
)
from app.specs.spec import TerraformStackSpec, validate_spec

router = APIRouter(prefix="/terraform", tags=["stacks"])


def _inlined_schema() -> dict[str, Any]:
    """Return the spec's JSON schema without references, since the body is read by hand (JSON or YAML)."""
    schema = TerraformStackSpec.model_json_schema()
    definitions = schema.pop("$defs", {})

    def inline(value: Any) -> Any:
        if isinstance(value, list):
            return [inline(item) for item in value]
        if not isinstance(value, dict):
            return value
        if "$ref" in value:
            return inline(
                {**definitions[value["$ref"].rsplit("/", 1)[1]], **{k: v for k, v in value.items() if k != "$ref"}}
            )
        return {key: inline(item) for key, item in value.items()}

    return {key: inline(value) for key, value in schema.items() if key != "required"}


_SPEC_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The spec, as JSON or YAML. `name` may be left out: it is the path's.",
        "content": {
            "application/json": {"schema": _inlined_schema()},
            "application/yaml": {"schema": {"type": "string"}},
        },
    }
}


async def spec_body(request: Request) -> bytes:
    """FastAPI dependency: the request's body, at most ``LIMIT_BYTES`` and one byte of it."""
    data = b""
    async for chunk in request.stream():
        data += chunk
        if len(data) > LIMIT_BYTES:
            break
    return data


def _named(data: bytes, name: str) -> TerraformStackSpec:
    document = read_document(data)
    if isinstance(document, dict):
        document.setdefault("name", name)
    spec = validate_spec(document)
    if spec.name != name:
        message = f"the spec is named {spec.name!r} and was sent to the stack {name!r}; make the two equal"
        raise SpecNameMismatch.of_field("name", message)
    return spec


@router.get("/stacks", operation_id="list_stacks", summary="List stacks")
def list_stacks(
    actor: Annotated[Actor, requires(Permission.STACKS_READ)],
    session: SessionDep,
    params: PageDep,
) -> Page[StackOut]:
    """Return the organization's stacks, newest first."""
    return service.list_stacks(session, actor.organization_id, params)


@router.post(
    "/stacks",
    operation_id="create_stack",
    status_code=201,
    summary="Create a stack without a spec",
    responses=error_responses(StackExists),
)
def create_stack(
    body: StackIn, actor: Annotated[Actor, requires(Permission.STACKS_WRITE)], session: SessionDep
) -> StackOut:
    """Create a stack whose specs or uploads come later."""
    return service.create_stack(session, actor, body)


@router.get(
    "/stacks/{id_or_name}", operation_id="get_stack", summary="Show a stack", responses=error_responses(StackNotFound)
)
def get_stack(
    id_or_name: str, actor: Annotated[Actor, requires(Permission.STACKS_READ)], session: SessionDep
) -> StackOut:
    """Return a stack by id or name."""
    return service.get_stack(session, actor.organization_id, id_or_name)


@router.put(
    "/stacks/{name}/spec",
    operation_id="push_spec",
    summary="Push a spec",
    responses=error_responses(
        SpecUnreadable,
        SpecTooLarge,
        SpecNameMismatch,
        *SPEC_REFUSALS,
    ),
    openapi_extra=_SPEC_BODY,
)
def push_spec(
    name: str,
    actor: Annotated[Actor, requires(Permission.STACKS_WRITE)],
    data: Annotated[bytes, Depends(spec_body)],
    session: SessionDep,
    message: Annotated[str, Query(max_length=1000, description="Why, for people.")] = "",
) -> PushAnswer:
    """Add a version when the content differs from the latest pushed one; `created` says whether it did."""
    return service.push(session, actor, _named(data, name), message=message)


@router.get(
    "/stacks/{id_or_name}/versions",
    operation_id="list_spec_versions",
    summary="List a stack's pushed versions",
    responses=error_responses(StackNotFound),
)
def list_spec_versions(
    id_or_name: str,
    actor: Annotated[Actor, requires(Permission.STACKS_READ)],
    session: SessionDep,
    params: PageDep,
) -> Page[SpecVersionOut]:
    """Return the pushed versions, newest first."""
    return service.list_versions(session, actor.organization_id, id_or_name, params)


@router.get(
    "/spec-versions/{version_id}",
    operation_id="get_spec_version",
    summary="Show a spec version",
    responses=error_responses(SpecVersionNotFound),
)
def get_spec_version(
    version_id: str, actor: Annotated[Actor, requires(Permission.STACKS_READ)], session: SessionDep
) -> SpecVersionOut:
    """Return one version with its document."""
    return service.version(session, actor.organization_id, version_id)


@router.get(
    "/spec-versions/{before_id}/diff/{after_id}",
    operation_id="diff_spec_versions",
    summary="Compare two spec versions",
    responses=error_responses(SpecVersionNotFound, SpecVersionsUnrelated),
)
def diff_spec_versions(
    before_id: str, after_id: str, actor: Annotated[Actor, requires(Permission.STACKS_READ)], session: SessionDep
) -> SpecDiff:
    """Return what changed from the first version to the second, as JSON pointers."""
    return service.diff(session, actor.organization_id, before_id, after_id)
