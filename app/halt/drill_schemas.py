"""Drills as people and dashboards see them."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

StepName = Literal["plan", "start", "halt", "death", "refusal", "resume"]
STEPS: tuple[StepName, ...] = ("plan", "start", "halt", "death", "refusal", "resume")


class DrillRequest(BaseModel):
    """Where to drill."""

    model_config = ConfigDict(extra="forbid")

    workspace: str | None = Field(
        None,
        description="Name or id of a workspace that has no run under way and whose plan takes a while; left out, the "
        "canary, which the first drill makes",
    )


class DrillStep(BaseModel):
    """One step of a drill, and what was seen."""

    name: StepName
    status: Literal["passed", "failed"]
    seconds: float
    detail: str


class DrillOut(BaseModel):
    """A drill: whether the switch works, step by step, with the seconds that each took."""

    id: str
    workspace_id: str
    workspace_name: str
    actor: dict[str, Any]
    status: Literal["running", "passed", "failed"]
    created_at: datetime
    ended_at: datetime | None
    seconds: float | None
    run_id: str | None
    halt_id: str | None
    steps: list[DrillStep]
    failed_step: StepName | None
    detail: str | None
