"""What engines send: states and lock infos. Pure."""

import base64
import binascii
import hashlib
import json
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.state import parsing
from app.state.backend_errors import LockInfoUnreadable, StateDigestMismatch, StateMalformed, StateTruncated
from app.state.errors import StateUnreadable
from app.state.schemas import ParsedState


class LockInfo(BaseModel):
    """An engine's lock info. ``ID`` is made up by the engine, anew for each lock."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    id: str = Field(alias="ID", min_length=1, max_length=200)
    operation: str = Field("", alias="Operation", max_length=200)
    info: str = Field("", alias="Info", max_length=2000)
    who: str = Field("", alias="Who", max_length=200)
    version: str = Field("", alias="Version", max_length=100)
    path: str = Field("", alias="Path", max_length=2000)

    def document(self) -> dict[str, Any]:
        """Return it as it is noted, with the engines' names."""
        return self.model_dump(by_alias=True)


def lock_info(body: bytes) -> LockInfo:
    """Read a lock info. Raises ``LockInfoUnreadable``."""
    try:
        return LockInfo.model_validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "body"
        raise LockInfoUnreadable(f"The body is no lock info of an engine: {where}: {first['msg']}.") from None


def check(body: bytes, content_md5: str | None) -> ParsedState:
    """Read the state, once it is known to be whole and as it was sent.

    Raises ``StateTruncated``, ``StateDigestMismatch`` and ``StateMalformed``.
    """
    try:
        json.loads(body)
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise StateTruncated(
            f"The body of {len(body)} bytes is not a whole JSON document, so a part of it was lost on its way. Nothing "
            "was stored; send it again."
        ) from None
    except (ValueError, RecursionError):
        # More than is read, and nothing was lost: what the parser says of it counts.
        pass
    if content_md5 is not None and not _matches(body, content_md5):
        raise StateDigestMismatch("The body does not match its Content-MD5. No version was stored; send it again.")
    try:
        return parsing.parse(body)
    except StateUnreadable as error:
        raise StateMalformed(error.detail) from None
    except (AttributeError, TypeError, ValueError):
        raise StateMalformed("The state's outputs or resources are not as a state of format 4 has them.") from None


def is_state(body: bytes) -> bool:
    """Whether a body is a state that can be read, whatever its digest says."""
    try:
        check(body, None)
    except (StateTruncated, StateMalformed):
        return False
    return True


def md5_base64(data: bytes) -> str:
    """Return the digest as Content-MD5 has it. It guards against accidents only; the digest that counts is SHA-256."""
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


def _matches(body: bytes, content_md5: str) -> bool:
    try:
        given = base64.b64decode(content_md5, validate=True)
    except binascii.Error:
        return False
    return given == hashlib.md5(body, usedforsecurity=False).digest()


def empty_state(serial: int, lineage: str, engine_version: str) -> bytes:
    """Return a state that holds nothing."""
    return json.dumps(
        {
            "version": 4,
            "terraform_version": engine_version,
            "serial": serial,
            "lineage": lineage,
            "outputs": {},
            "resources": [],
        }
    ).encode()
