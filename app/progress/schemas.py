"""What progress looks like from outside."""

from datetime import datetime
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, JsonValue


class Unplaced(Protocol):
    """What can be appended: `NewRecord`, and a runner's own records without a copy of each."""

    @property
    def at(self) -> datetime:
        """When it happened."""

    @property
    def kind(self) -> str:
        """`line`, `event` or `phase`."""

    @property
    def stream(self) -> str:
        """`stdout`, `stderr` or `system`."""

    @property
    def text(self) -> str:
        """What people read."""

    @property
    def data(self) -> dict[str, Any]:
        """An event's fields."""


class NewRecord(BaseModel):
    """A line or typed event that has no offset yet."""

    model_config = ConfigDict(frozen=True)

    at: datetime
    kind: Literal["line", "event", "phase"]
    stream: Literal["stdout", "stderr", "system"] = "system"
    text: str = ""
    data: dict[str, JsonValue] = Field(default_factory=dict)


class Record(NewRecord):
    """A line or typed event of a run. Offsets of a run count from 0 without a gap."""

    offset: int


class ProgressPage(BaseModel):
    """Records from an offset on. Ask again with ``after=next``; when ``closed`` and empty, there is no more."""

    records: list[Record]
    next: int = Field(description="Offset that follows the last record given")
    closed: bool = Field(description="No record will be added any more")
