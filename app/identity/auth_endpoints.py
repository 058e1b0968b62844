"""Edge of signing in and out."""

from typing import Annotated

from fastapi import APIRouter, Request, Response

from app.core.db import SessionDep, unit_of_work
from app.core.errors import Unavailable
from app.core.http import error_responses
from app.core.permissions import PUBLIC, SIGNED_IN, Actor
from app.core.settings import get_settings
from app.identity import service
from app.identity.errors import LinkUnusable, LoginRefused, TooManyAttempts
from app.identity.schemas import SESSION_COOKIE, LinkIn, LoginIn, Me, PasswordIn, SignedIn

router = APIRouter(prefix="/auth", tags=["auth"])

Self = Annotated[Actor, SIGNED_IN]


@router.post(
    "/login",
    operation_id="log_in",
    dependencies=[PUBLIC],
    responses=error_responses(LoginRefused, TooManyAttempts, Unavailable),
)
def log_in(body: LoginIn, request: Request, response: Response) -> SignedIn:
    """Sign in with e-mail and password; the session comes as a cookie.

    Each step commits by itself: the attempt counts, and its refusal is in the audit trail, whatever is answered.
    """
    address = _address(request)
    with unit_of_work() as session:
        service.reserve_attempt(session, body.email, address)
    with unit_of_work() as session:
        opened = service.log_in(session, body.email, body.password.get_secret_value(), address)
        user = service.describe(session, opened[0]) if opened is not None else None
    if opened is None or user is None:
        raise service.refuse_login()
    _set_cookie(response, opened[1])
    return SignedIn(user=user)


@router.post(
    "/link",
    operation_id="use_login_link",
    dependencies=[PUBLIC],
    responses=error_responses(LinkUnusable, LoginRefused, Unavailable),
)
def use_login_link(body: LinkIn, request: Request, response: Response, session: SessionDep) -> SignedIn:
    """Sign in with a one-time link, which is spent by it. The page `/login?link=…` posts it here."""
    actor, cookie = service.use_login_link(session, body.token, _address(request))
    _set_cookie(response, cookie)
    return SignedIn(user=service.describe(session, actor))


@router.post(
    "/logout",
    operation_id="log_out",
    status_code=204,
)
def log_out(actor: Self, response: Response, session: SessionDep) -> None:
    """End the browser session and forget its cookie."""
    service.log_out(session, actor)
    response.delete_cookie(SESSION_COOKIE, path="/")


@router.get("/me", operation_id="get_me")
def get_me(actor: Self, session: SessionDep) -> Me:
    """Say who the caller is and what the credential in use may do."""
    return service.describe(session, actor)


@router.put(
    "/password",
    operation_id="set_password",
    status_code=204,
)
def set_password(body: PasswordIn, actor: Self, session: SessionDep) -> None:
    """Set one's own password, from a browser session; the other sessions end."""
    current = body.current_password.get_secret_value() if body.current_password is not None else None
    service.set_password(session, actor, current, body.new_password.get_secret_value())


def _address(request: Request) -> str:
    return request.client.host if request.client is not None else "unknown"


def _set_cookie(response: Response, cookie: str) -> None:
    response.set_cookie(
        SESSION_COOKIE,
        cookie,
        max_age=int(service.session_lifetime().total_seconds()),
        path="/",
        httponly=True,
        samesite="lax",
        secure=get_settings().url.startswith("https://"),
    )
    response.headers["Cache-Control"] = "no-store"
