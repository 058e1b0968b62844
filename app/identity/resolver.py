"""How a request's credential becomes an actor; ``main`` plugs it into ``core.permissions``."""

from fastapi import Request

from app.core.db import persistently, unit_of_work
from app.core.http import SAFE_METHODS
from app.core.lifeline import PATIENCE_SECONDS, is_urgent
from app.core.permissions import Actor
from app.identity import service
from app.identity.errors import CsrfHeaderMissing
from app.identity.schemas import CSRF_HEADER, SESSION_COOKIE


def resolve(request: Request) -> Actor | None:
    """Return who sent a request, or None; in a transaction of its own, so that a token's use is noted also then.

    Raises ``CsrfHeaderMissing`` for a change that comes with the cookie but without the header: other sites can make a
    browser send the first, never the second.
    """
    if "authorization" not in request.headers and SESSION_COOKIE not in request.cookies:
        return None
    hurries = is_urgent(request)

    def look_up() -> Actor | None:
        with unit_of_work("halt" if hurries else "default") as session:
            return service.resolve_connection(session, request)

    # What asks the database first in a request: after a restart no request meets a lost connection behind this.
    actor = persistently(look_up, for_seconds=PATIENCE_SECONDS if hurries else 0.0)
    if actor is None:
        return None
    if actor.session_id is not None and request.method not in SAFE_METHODS and request.headers.get(CSRF_HEADER) != "1":
        raise CsrfHeaderMissing(f"Send the header {CSRF_HEADER}: 1 with every change, or use a bearer token.")
    return actor
