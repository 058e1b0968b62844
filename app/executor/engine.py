"""``Engine``: what a pipeline asks of whatever plans and applies, without knowing which engine it is."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from app.executor.cancel import StopOrder
from app.executor.discovery import Tool
from app.executor.errors import ProcessFailed
from app.executor.events import Event
from app.executor.launch import Ended

PlanMode = Literal["normal", "destroy", "refresh"]


@dataclass(frozen=True)
class Site:
    """One run's directories on this machine: ``work`` holds the configuration, the others are the process's own.

    ``module_path`` is the root module's directory below ``work``.
    """

    root: Path
    module_path: str = ""

    @property
    def work(self) -> Path:
        """Return the directory that holds the configuration."""
        return self.root / "work"

    @property
    def module(self) -> Path:
        """Return the root module's directory, in which the engine runs.

        Raises ``ProcessFailed`` when code of the configuration has put a link on its way that leads out of ``work``.
        """
        if not self.module_path:
            return self.work
        path = self.work / self.module_path
        if not path.resolve().is_relative_to(self.work.resolve()):
            raise ProcessFailed(f"The root module's directory {self.module_path!r} leaves the configuration by a link.")
        return path

    @property
    def temporary(self) -> Path:
        """Return the private temporary directory."""
        return self.root / "tmp"

    @property
    def home(self) -> Path:
        """Return the private home directory."""
        return self.root / "home"


@dataclass(frozen=True)
class Variable:
    """An input variable of the configuration. ``is_hcl``: the value is an expression, else the literal string."""

    name: str
    value: str = field(repr=False)
    is_hcl: bool = False


@dataclass(frozen=True)
class Output:
    """One line that the engine wrote, as an event. ``is_partial``: the next one of the stream continues it."""

    command: str
    stream: Literal["stdout", "stderr"]
    event: Event
    is_partial: bool = False


@dataclass(frozen=True)
class Notice:
    """Something that the executor itself has to say about a command: an attempt failed and will be repeated.

    ``is_fixed``: the message is the same for every run, so that nothing of this one can be in it.
    """

    command: str
    message: str
    data: dict[str, object] = field(default_factory=dict)
    is_fixed: bool = False


Report = Callable[[Output | Notice], None]


@dataclass(frozen=True)
class PlanProduct:
    """What a plan left: the artifact, its document as JSON, and what an apply will need beside them.

    ``has_changes`` is the engine's own word. ``side_files`` is a tar.gz of files that the plan wrote.
    ``state_position`` is lineage and serial of the state that it was made against, where the artifact says so.
    """

    artifact: bytes = field(repr=False)
    document: bytes = field(repr=False)
    has_changes: bool
    lock_file: bytes | None = field(repr=False)
    side_files: bytes | None = field(repr=False)
    state_position: tuple[str | None, int] | None = None


@dataclass(frozen=True)
class Inputs:
    """What a run brings to its directory beside the configuration; each may be missing."""

    state: bytes | None = field(default=None, repr=False)
    lock_file: bytes | None = field(default=None, repr=False)
    artifact: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class KeptState:
    """The states that lie in the working directory; ``errored`` is what the engine could not hand to its backend.

    ``unreadable`` names files that should hold a state and don't.
    """

    state: bytes | None = field(repr=False)
    errored: bytes | None = field(repr=False)
    unreadable: tuple[str, ...] = ()


class Engine(Protocol):
    """Something that plans and applies in one directory, one call after the other.

    `interrupt` may come from another thread at any moment.
    """

    @property
    def tool(self) -> Tool:
        """Return which engine it is."""

    @property
    def working_directory(self) -> str:
        """Return the absolute path that the engine sees as its own; plan and apply must have the same."""

    @property
    def ends(self) -> tuple[Ended, ...]:
        """Return how each process so far ended, in order."""

    @property
    def is_proven_dead(self) -> bool:
        """Return whether every process that was started is known to have ended, with all that it started."""

    def place(self, inputs: Inputs) -> None:
        """Put state, lock file and saved artifact where the engine looks for them."""

    def prepare(self, *, is_apply: bool) -> None:
        """Make the directory ready: modules, providers, backend. An apply changes no lock.

        Raises ``EngineFailed``, ``EngineStopped``, ``BackendRefused`` and the gateway's errors.
        """

    def plan(self, mode: PlanMode, *, is_locked: bool, on_artifact: Callable[[bytes], None]) -> PlanProduct:
        """Plan. ``on_artifact`` gets the artifact as soon as it exists, while the document is still being made.

        Raises ``EngineFailed``, ``EngineStopped`` and the gateway's errors.
        """

    def apply(self, *, artifact_digest: str, side_files: bytes | None) -> None:
        """Apply the artifact that lies in the directory, if its SHA-256 is ``artifact_digest``.

        Raises ``EngineFailed``, ``EngineStopped``, ``IntegrityError`` and the gateway's errors. Whatever happened,
        `kept_state` has what is left.
        """

    def pull_state(self) -> bytes | None:
        """Return the state that the prepared backend holds, None when it holds none.

        May be called after an order to stop, since what was done must be kept; it is then given the grace period.
        Raises ``EngineFailed``, ``EngineStopped`` and the gateway's errors.
        """

    def push_state(self, data: bytes, *, over: bytes | None) -> None:
        """Write a state to the prepared backend, which holds ``over`` now.

        Over a state of its own lineage it must be the later one, and may get a serial of one more than it says. Over
        nothing, or over a state of another lineage (which the caller has found to be empty), it keeps lineage and
        serial. Raises ``EngineFailed`` (also when the backend's state can't be followed by it), ``EngineStopped`` and
        the gateway's errors.
        """

    def kept_state(self) -> KeptState:
        """Return the states that lie in the directory now."""

    def interrupt(self, order: StopOrder) -> None:
        """Stop the running process, and every later one before it starts."""
