"""What progress looks like from outside."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue


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
