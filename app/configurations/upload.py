"""Reads an uploaded archive off the wire, never more than the limit."""

from collections.abc import AsyncIterator
from typing import Any

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from app.configurations.errors import ArchiveRefused, ArchiveTooLarge
from app.core.settings import get_settings

_FORM_OVERHEAD_BYTES = 64 * 1024
RAW_TYPES = ("application/gzip", "application/x-gzip", "application/x-tar+gzip", "application/octet-stream")

_BINARY = {"schema": {"type": "string", "format": "binary"}}
REQUEST_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "A tar.gz, as the body itself or as the field `archive` of a form.",
        "content": {
            "application/gzip": _BINARY,
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["archive"],
                    "properties": {"archive": {"type": "string", "format": "binary"}},
                }
            },
        },
    }
}


def _refused(message: str) -> ArchiveRefused:
    return ArchiveRefused.of_field("archive", message)


async def _bounded(request: Request, limit: int, told: int) -> AsyncIterator[bytes]:
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if received > limit:
            raise _too_large(told)
        yield chunk


def _too_large(limit: int) -> ArchiveTooLarge:
    return ArchiveTooLarge(
        f"An archive may have {limit} bytes (SLUICE_MAX_UPLOAD_BYTES). Leave files out with a .terraformignore.",
        limit_bytes=limit,
    )


async def archive_body(request: Request) -> bytes:
    """FastAPI dependency: the uploaded archive's bytes.

    Reading stops as soon as the limit is passed. Raises ``ArchiveTooLarge``, or ``ArchiveRefused`` for a body of
    another kind.
    """
    told = get_settings().max_upload_bytes
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_form = content_type == "multipart/form-data"
    if not is_form and content_type not in RAW_TYPES:
        raise _refused(f"send a tar.gz as application/gzip or as a form's field, not as {content_type or 'nothing'}")
    limit = told + (_FORM_OVERHEAD_BYTES if is_form else 0)
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(told)
    stream = _bounded(request, limit, told)
    return await _form_field(request, stream) if is_form else b"".join([chunk async for chunk in stream])


async def _form_field(request: Request, stream: AsyncIterator[bytes]) -> bytes:
    async def chunks() -> Any:
        async for chunk in stream:
            yield chunk

    try:
        form = await MultiPartParser(request.headers, chunks(), max_files=1, max_fields=10).parse()
    except (MultiPartException, KeyError) as error:
        raise _refused(f"the form can't be read: {getattr(error, 'message', error)}") from None
    field = form.get("archive")
    if not isinstance(field, UploadFile):
        raise _refused("the form has no file field of this name; send the tar.gz in it")
    try:
        return await field.read()
    finally:
        await form.close()
