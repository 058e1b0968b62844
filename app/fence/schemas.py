"""The fence's vocabulary."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Scope = Literal["everything", "organization", "workspace"]

EVERYTHING = "everything"
"""Id of the fence around everything."""


class FenceOut(BaseModel):
    """A fence. It is raised while ``halt_id`` is set; ``raised_by`` is who raised it (id, kind, name)."""

    model_config = ConfigDict(frozen=True)

    id: str
    scope: Scope
    organization_id: str | None
    halt_id: str | None
    raised_at: datetime | None
    raised_by: dict[str, Any] | None
    reason: str | None

    @property
    def is_raised(self) -> bool:
        """Whether a halt stands here."""
        return self.halt_id is not None
