"""The API's application for tests, made once: making it and its first answer take what would be most tests' time."""

from fastapi import FastAPI

from app import registry
from app.core import permissions
from app.core.settings import get_settings
from app.identity.resolver import resolve
from app.main import create_app
from tests.support.declared import OnlyWhatIsDeclared

_made: dict[tuple[object, ...], FastAPI] = {}


def application() -> FastAPI:
    """Return an application by the present settings, the same one for the same of those that it reads when it is made.

    What a test connected or resolved otherwise is undone, as in an application that is made anew.
    """
    settings = get_settings()
    read = (settings.url, settings.frontend_dir, settings.max_upload_bytes, settings.max_state_bytes)
    if read not in _made:
        _made[read] = create_app()
        _made[read].add_middleware(OnlyWhatIsDeclared, document=_made[read].openapi)
    registry.connect()
    permissions.set_resolver(resolve)
    return _made[read]
