"""What Sluice knows to be secret in a workspace's states, and the engine may not: the values of sensitive variables."""

from collections.abc import Iterable

from sqlalchemy.orm import Session

from app.core.masking import literal_forms, texts_of_sensitive
from app.workspaces import service as workspaces


def known_secrets(session: Session, workspace_ids: Iterable[str]) -> frozenset[str]:
    """Return what the sensitive variables of these workspaces say, as functions of a configuration may write it.

    The strings of an expression and each line of a text, also in JSON, base64 or a URL.
    """
    found = [workspaces.variables_for_run(session, workspace_id) for workspace_id in workspace_ids]
    return frozenset(literal_forms({text for variables in found for text in texts_of_sensitive(variables)}))
