"""The managed backend over HTTP: exactly what the engines' `http` backend speaks.

Credentials come as basic authentication, which is what engines send: a run's own, or an API token as the password
(any user name). A bearer token works too; a browser's cookie does not.
"""

import base64
import binascii
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.security.utils import get_authorization_scheme_param
from starlette.requests import ClientDisconnect

from app.core.db import unit_of_work
from app.core.errors import Unauthenticated
from app.core.permissions import Permission, PermissionCheck
from app.identity import service as identity
from app.state import backend_body, backend_service, credentials
from app.state.backend_errors import StateTruncated
from app.state.backend_service import Caller, RunBearer

router = APIRouter(prefix=credentials.PATH, tags=["state"], include_in_schema=False)


class BackendCheck(PermissionCheck):
    """Admits runs by their credential, and people and programs that hold the permission by their token."""

    def __call__(self, request: Request) -> Caller:  # type: ignore[override]  # FastAPI reads the signature
        """Return who asks. Raises ``Unauthenticated`` and ``Forbidden``; a run's rights are checked with its write."""
        password = _password(request)
        if password.startswith(credentials.PREFIX):
            return RunBearer(credentials.hash_secret(password))
        with unit_of_work() as session:
            address = request.client.host if request.client is not None else None
            actor = identity.resolve_token(session, password, address)
        if actor is None:
            raise Unauthenticated("Send an API token as the password of basic authentication (TF_HTTP_PASSWORD).")
        request.state.actor = actor
        actor.require(self.permission)
        return actor


def _password(request: Request) -> str:
    scheme, value = get_authorization_scheme_param(request.headers.get("authorization"))
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


async def whole_body(request: Request) -> bytes:
    """Return the request's body. Raises ``StateTruncated`` when the sender went away before its end."""
    try:
        return await request.body()
    except ClientDisconnect:
        raise StateTruncated("The connection ended before the body did. Nothing was stored.") from None


def _admits(permission: Permission) -> Any:
    return Depends(BackendCheck(permission))


# What the state holds in clear is what a download gives: the same right.
Reader = Annotated[Caller, _admits(Permission.STATE_DOWNLOAD)]
Writer = Annotated[Caller, _admits(Permission.STATE_WRITE)]
Body = Annotated[bytes, Depends(whole_body)]


@router.get("/{workspace}", operation_id="backend_get")
def backend_get(workspace: str, caller: Reader) -> Response:
    """Return the newest state; 204 before the first."""
    data = backend_service.read(caller, workspace)
    if data is None:
        return Response(status_code=204)
    # Said to be encoded already, so that it isn't compressed: the engine is most often on the same machine.
    headers = {"Content-MD5": backend_body.md5_base64(data), "Content-Encoding": "identity"}
    return Response(data, media_type="application/json", headers=headers)


@router.post("/{workspace}", operation_id="backend_post")
def backend_post(
    workspace: str,
    caller: Writer,
    request: Request,
    body: Body,
    lock_id: Annotated[str | None, Query(alias="ID")] = None,
) -> Response:
    """Store a state under the lock ``ID``."""
    content_md5 = request.headers.get("content-md5")
    backend_service.write(caller, workspace, body, lock_id=lock_id or None, content_md5=content_md5)
    return Response(status_code=200)


@router.delete("/{workspace}", operation_id="backend_delete")
def backend_delete(workspace: str, caller: Writer) -> Response:
    """Leave an empty state as the newest version, if nothing is managed any more."""
    backend_service.delete(caller, workspace)
    return Response(status_code=200)


@router.api_route("/{workspace}", methods=["LOCK"], operation_id="backend_lock")
def backend_lock(workspace: str, caller: Writer, body: Body) -> Response:
    """Take the lock; 423 with the holder's lock info when another has it."""
    backend_service.lock(caller, workspace, backend_body.lock_info(body))
    return Response(status_code=200)


@router.api_route("/{workspace}", methods=["UNLOCK"], operation_id="backend_unlock")
def backend_unlock(workspace: str, caller: Writer, body: Body) -> Response:
    """Give the lock back; an engine's force-unlock comes as the id alone, or as nothing."""
    backend_service.unlock(caller, workspace, backend_body.lock_info(body) if body else None)
    return Response(status_code=200)
