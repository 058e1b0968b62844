"""What runs tells the slices above."""

from dataclasses import dataclass

from app.core.events import Fact
from app.runner.port import ApplySteps


@dataclass(frozen=True)
class ApplyQuiesced(Fact):
    """An apply that did not end as applied has quiesced: what it made may be in no state."""

    organization_id: str
    workspace_id: str
    run_id: str


@dataclass(frozen=True)
class ApplyStepsCame(Fact):
    """What such an apply had begun is known now; also after it has quiesced."""

    organization_id: str
    workspace_id: str
    run_id: str
    steps: ApplySteps
