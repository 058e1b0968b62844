"""What can go wrong while a process is found, started, watched or ended."""

from collections.abc import Sequence
from typing import Any

from app.core.errors import AppError, Conflict, Invalid, Unavailable


class ToolMissing(Unavailable):
    """A binary that the work needs is not on this machine; ``tool`` names it."""

    code = "tool_missing"
    title = "A program is missing"


class EngineMissing(ToolMissing):
    """Neither OpenTofu nor Terraform was found."""

    code = "engine_missing"
    title = "No engine was found"


class EngineRefused(ToolMissing):
    """An engine's binary is not the one that it should be; ``file``, ``expected`` and ``found`` name it."""

    code = "engine_refused"
    title = "An engine's binary has another checksum"


class ForbiddenVariable(Invalid):
    """An environment variable that users may not set; ``variable`` names it."""

    code = "forbidden_environment_variable"
    title = "This environment variable may not be set"


class SandboxUnavailable(Unavailable):
    """``SLUICE_SANDBOX=required``, and bubblewrap does not work here; ``reason`` says why."""

    code = "sandbox_unavailable"
    title = "The sandbox is not available"


class EgressUnavailable(Unavailable):
    """``SLUICE_EGRESS`` asks for a network of the engine's own, which can't be had here; ``reason`` says why."""

    code = "egress_unavailable"
    title = "Engines can't be kept from the network"


class EgressInvalid(Invalid):
    """``SLUICE_EGRESS_HOSTS`` holds something that is no rule; ``rule`` is it."""

    code = "egress_rule_invalid"
    title = "This is no rule for egress"


class NurseryGone(Unavailable):
    """The process that supervisors are forked from has ended; the worker must be started again."""

    code = "nursery_gone"
    title = "The supervisor nursery is gone"


class ProcessFailed(AppError):
    """A process could not be started, or ended other than it should."""

    code = "process_failed"
    title = "A process failed"


class ProcessTimedOut(ProcessFailed):
    """A process was ended because it ran longer than its limit; ``timeout_seconds`` says how long."""

    code = "process_timed_out"
    title = "A process took too long"


class OutputLimitExceeded(ProcessFailed):
    """A process was ended because it wrote more than its limit; ``limit_bytes`` says how much."""

    code = "output_limit_exceeded"
    title = "A process wrote too much"


class PackageRefused(ProcessFailed):
    """A provider's package may not enter the shared cache; ``package`` names it."""

    code = "package_refused"
    title = "A provider's package was refused"


class EngineOutOfMemory(ProcessFailed):
    """An engine and its providers were ended because they used too much memory.

    ``seen_bytes`` says how much, ``limit_bytes`` how much they may use.
    """

    code = "engine_out_of_memory"
    title = "The engine used too much memory"


class EngineOutOfProcesses(ProcessFailed):
    """An engine was ended because it and what it started were too many; ``seen`` and ``limit`` count threads."""

    code = "engine_out_of_processes"
    title = "The engine started too many processes"


class EngineOutOfDisk(ProcessFailed):
    """An engine was ended because its directories grew too large; ``seen_bytes`` and ``limit_bytes`` say how much."""

    code = "engine_out_of_disk"
    title = "The engine wrote too much to disk"


class EngineFailed(ProcessFailed):
    """The engine reported an error; ``diagnostics`` are its own, ``exit_code`` and ``command`` say where."""

    code = "engine_failed"
    title = "The engine reported an error"

    def __init__(self, detail: str, *, diagnostics: Sequence[dict[str, Any]] = (), **fields: Any) -> None:
        super().__init__(detail, diagnostics=list(diagnostics), **fields)


class PlanSurroundingsChanged(ProcessFailed):
    """Something that ran in a plan changed the providers or settings that its plan file is read with.

    ``files`` names what changed.
    """

    code = "plan_surroundings_changed"
    title = "The plan changed what it is judged by"


class EngineStopped(ProcessFailed):
    """The engine was stopped on order; ``order`` says by whom: cancel, halt, lease_lost."""

    code = "engine_stopped"
    title = "The engine was stopped"


class BackendRefused(Conflict):
    """After ``init`` the configured backend is another than the one that Sluice laid out."""

    code = "backend_refused"
    title = "The configuration chose another backend"


class WorkingDirectoryMismatch(Conflict):
    """An apply would run under another absolute path than its plan; ``planned`` and ``present`` name both."""

    code = "working_directory_mismatch"
    title = "Plan and apply differ in their directory"
