"""What a pipeline works with: the job, the control plane, the engine, and the supervisor's part."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from app.core.artifacts import ArtifactRef
from app.core.masking import Masker
from app.executor.engine import Engine
from app.runner.port import EngineInfo, Phase, RunnerJob, RunnerPort, StateAnswer, StateKind, Timing

T = TypeVar("T")


class Stage(Protocol):
    """What the supervisor gives to a pipeline beside port and engine."""

    def phase(self, name: Phase) -> AbstractContextManager[None]:
        """Enter a phase: tell the control plane, take the time.

        Raises ``EngineStopped`` when there is an order to stop; only `snapshotting` begins all the same.
        """

    def lay_out(self, archive: bytes | None) -> None:
        """Lay out the configuration, and the generated files over it."""

    def put_state(self, kind: StateKind, data: bytes) -> StateAnswer:
        """Store a state, insisting."""

    def flush(self) -> None:
        """Let every line so far arrive before the run's end does."""

    def hurry(self) -> None:
        """Send every line so far on its way, since the process that wrote them has ended."""

    def insist(self, what: str, call: Callable[[], T]) -> T:
        """Make a call to the control plane again while it is away."""

    @property
    def timings(self) -> tuple[Timing, ...]:
        """Return how long each phase took so far."""

    @property
    def resources_applied(self) -> int:
        """Return how many resources the engine reported as done."""


@dataclass(frozen=True)
class Context:
    """One run's means: the job, the control plane, the engine, and the supervisor's part."""

    job: RunnerJob
    port: RunnerPort
    engine: Engine
    stage: Stage
    masker: Masker
    engine_info: EngineInfo = field(kw_only=True)
    target: Engine | None = field(default=None, kw_only=True)

    def fetch(self, reference: ArtifactRef | None) -> bytes | None:
        """Return an artifact of the job."""
        if reference is None:
            return None
        return self.stage.insist(
            "get_artifact", lambda: self.port.get_artifact(self.job.run_id, self.job.fencing_token, reference)
        )
