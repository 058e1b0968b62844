"""Reads the settings, and turns what is wrong with them into one sentence."""

from pydantic import ValidationError

from app.core.errors import said_by_validation
from app.core.settings import Settings, get_settings
from app.embedded.errors import InvalidSettings


def load() -> Settings:
    """Return this process's settings. Raises ``InvalidSettings`` that names each variable and what would be right."""
    try:
        return get_settings()
    except ValidationError as error:
        problems = [
            f"SLUICE_{'_'.join(map(str, found['loc'])).upper()}: {said_by_validation(found['msg'])}"
            for found in error.errors()
        ]
        raise InvalidSettings(f"The settings are not valid. {'; '.join(problems)}.") from None
