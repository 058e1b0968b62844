"""Options that say where a workspace's state lies."""

from typing import Annotated, Any, Literal

import typer

from app.client.errors import LocalProblem

Backend = Annotated[
    Literal["managed", "local", "s3", "azurerm", "gcs", "hcp", "default"] | None,
    typer.Option(
        "--state-backend", help="Where the state lies; default: the installation's default.", show_default=False
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--setting",
        metavar="NAME=VALUE",
        help="A setting of the state backend; may be repeated. All settings are replaced.",
        show_default=False,
    ),
]


def backend_fields(backend: str | None, settings: list[str] | None) -> dict[str, Any]:
    """Return the API's fields for the options that were given.

    Raises ``LocalProblem`` for what is not NAME=VALUE.
    """
    fields: dict[str, Any] = {}
    if backend is not None:
        fields["state_backend"] = None if backend == "default" else backend
    if settings is not None:
        fields["state_backend_settings"] = parse_settings(settings)
    return fields


def parse_settings(given: list[str]) -> dict[str, Any]:
    """Return NAME=VALUE pairs as an object; true and false are booleans, all else is text.

    `endpoints.s3=…` goes into an object `endpoints`. Raises ``LocalProblem``.
    """
    found: dict[str, Any] = {}
    for pair in given:
        name, separator, text = pair.partition("=")
        *above, last = name.split(".")
        if not separator or not last or "" in above:
            raise LocalProblem(f"--setting {pair!r} is not NAME=VALUE, such as bucket=states.", "usage")
        inner = found
        for part in above:
            inner = inner.setdefault(part, {})
            if not isinstance(inner, dict):
                raise LocalProblem(f"--setting {name}: {part} has a value of its own already.", "usage")
        inner[last] = {"true": True, "false": False}.get(text, text)
    return found


def describe_backend(found: dict[str, Any]) -> str:
    """Return a workspace's backend with its settings on one line."""
    pairs = ", ".join(f"{name}={_text(value)}" for name, value in (found.get("state_backend_settings") or {}).items())
    return f"{found.get('state_backend')}{f' ({pairs})' if pairs else ''}"


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}={_text(item)}" for name, item in value.items()) + "}"
    return str(value).lower() if isinstance(value, bool) else str(value)
