"""What Sluice knows to be secret in a workspace's states, and the engine may not: the values of sensitive variables."""

from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy.orm import Session

from app.core.masking import literal_forms, sensitive_texts
from app.workspaces import service as workspaces

LEAST_LENGTH = 4
"""A shorter secret would be found everywhere by chance."""


def known_secrets(session: Session, workspace_ids: Iterable[str]) -> frozenset[str]:
    """Return what the sensitive variables of these workspaces say, as functions of a configuration may write it.

    The strings of an expression and each line of a text, also in JSON, base64 or a URL.
    """
    texts = {
        text
        for workspace_id in workspace_ids
        for variable in workspaces.variables_for_run(session, workspace_id)
        if variable.sensitive
        for text in sensitive_texts(variable.value, is_hcl=variable.hcl)
    }
    return frozenset(literal_forms(texts, least=LEAST_LENGTH))


def holds(value: Any, secrets: Iterable[str]) -> bool:
    """Return whether a JSON value holds one of these secrets in any of its strings."""
    return any(secret in text for text in texts_of(value) for secret in secrets)


def texts_of(value: Any) -> Iterator[str]:
    """Yield every string in a JSON value, object keys aside."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from texts_of(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts_of(item)
