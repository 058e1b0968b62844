"""The sibling systems that a halt is fanned out to, as ``SLUICE_HALT_ENDPOINTS`` names them."""

import json
import os
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, ValidationError, model_validator

from app.core.errors import said_by_validation

MOST = 50
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._/-]{0,59}$")]


class HaltEndpoint(BaseModel):
    """One sibling system: where its halt is raised, with which token."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: Name
    url: str
    token: SecretStr | None = None
    token_file: Path | None = None
    token_env: str | None = None
    scope: Literal["organization", "everything"] = "organization"
    timeout_seconds: float = Field(5.0, ge=0.1, le=60)

    @model_validator(mode="after")
    def _is_plausible(self) -> "HaltEndpoint":
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("url should begin with http:// or https:// and name a host")
        if parts.username is not None or parts.password is not None or parts.fragment:
            raise ValueError("url should hold no user, password or fragment: what it holds is shown; use token")
        if sum(given is not None for given in (self.token, self.token_file, self.token_env)) > 1:
            raise ValueError("give one of token, token_file and token_env")
        return self

    @property
    def shown_url(self) -> str:
        """The address without its query, which may hold what nobody should read."""
        return urlsplit(self.url)._replace(query="").geturl()

    def secret(self) -> str | None:
        """Return the token, read anew from its file; None when there is none.

        Raises ``ValueError`` that says what is missing, never what is in it.
        """
        if self.token_file is not None:
            try:
                found = self.token_file.read_text().strip()
            except (OSError, UnicodeDecodeError) as error:
                raise ValueError(f"the token_file of {self.name} can't be read: {type(error).__name__}") from None
        elif self.token_env is not None:
            found = os.environ.get(self.token_env, "").strip()
        elif self.token is not None:
            found = self.token.get_secret_value().strip()
        else:
            return None
        if not found or not found.isascii() or any(character.isspace() for character in found):
            raise ValueError(f"the token of {self.name} is empty, or holds what no token does")
        return found


def parse(text: str) -> tuple[HaltEndpoint, ...]:
    """Return the endpoints of a JSON list; none of an empty text.

    Raises ``ValueError`` that names the entry and what is wrong with it, and repeats no value.
    """
    if not text.strip():
        return ()
    try:
        given = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"should be a JSON list; it is not JSON at character {error.pos}") from None
    if not isinstance(given, list) or len(given) > MOST:
        raise ValueError(f'should be a JSON list of at most {MOST} objects like {{"name": …, "url": …, "token": …}}')
    found = [_one(number, item) for number, item in enumerate(given, start=1)]
    names = [endpoint.name for endpoint in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"names should differ; {', '.join(twice)} comes more than once")
    return tuple(found)


def check_tokens(endpoints: tuple[HaltEndpoint, ...]) -> list[str]:
    """Return what is wrong with the tokens of ``endpoints``; nothing when each can be read."""
    wrong = []
    for endpoint in endpoints:
        try:
            endpoint.secret()
        except ValueError as error:
            wrong.append(str(error))
    return wrong


def _one(number: int, item: Any) -> HaltEndpoint:
    try:
        return HaltEndpoint.model_validate(item)
    except ValidationError as error:
        named = item.get("name") if isinstance(item, dict) else None
        who = f"entry {number} ({named})" if isinstance(named, str) else f"entry {number}"
        problems = "; ".join(
            f"{'.'.join(map(str, found['loc'])) or 'it'}: {said_by_validation(found['msg'])}"
            for found in error.errors(include_input=False, include_context=False)
        )
        raise ValueError(f"{who} is not right: {problems}") from None
