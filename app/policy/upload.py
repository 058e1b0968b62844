"""Reads an uploaded policy set off the wire, never more than the limit."""

from typing import Any

from fastapi import Request

from app.configurations.errors import ArchiveTooLarge
from app.policy.bundles import MAX_BYTES

_BINARY = {"schema": {"type": "string", "format": "binary"}}
REQUEST_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "A tar.gz or tar of Rego files, or one Rego file, as the body itself.",
        "content": {"application/gzip": _BINARY, "application/x-tar": _BINARY, "application/octet-stream": _BINARY},
    }
}


async def bundle_body(request: Request) -> bytes:
    """FastAPI dependency: the bytes of the uploaded policy set. Raises ``ArchiveTooLarge`` once the limit is passed."""
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > MAX_BYTES:
            raise ArchiveTooLarge(
                f"An uploaded policy set may have {MAX_BYTES} bytes. Leave out what is not Rego.", limit_bytes=MAX_BYTES
            )
    return bytes(received)
