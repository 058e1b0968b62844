"""Chooses the engine for a job among those on this machine."""

from app.core.settings import Settings
from app.executor import constraints, discovery
from app.executor.discovery import Tool
from app.executor.errors import EngineMissing
from app.runner.port import EngineInfo, EngineRequest


def choose(settings: Settings, request: EngineRequest, planned: EngineInfo | None = None) -> Tool:
    """Return the first engine that the request allows; an apply looks for the kind that planned.

    Raises ``EngineMissing`` when there is none, naming what is there.
    """
    kind = request.kind or (planned.kind if planned is not None else None)
    if settings.engine is not None or kind is not None:
        found = [discovery.find_engine(settings, kind)]
    else:
        found = discovery.find_engines(settings) or [discovery.find_engine(settings)]
    for tool in found:
        if request.version_constraint is None or allows(request.version_constraint, tool.version):
            return tool
    present = ", ".join(f"{tool.kind} {tool.version}" for tool in found)
    raise EngineMissing(
        f"The stack asks for an engine {request.version_constraint}, but this worker has {present}. Change the "
        "constraint, or install another engine.",
        tool=kind or "tofu",
    )


def allows(constraint: str, version: str) -> bool:
    """Return whether ``version`` meets a constraint as engines write it: `>= 1.6, < 2.0`, `~> 1.11`, `1.11.4`.

    Raises ``EngineMissing`` for a constraint that can't be read.
    """
    try:
        return constraints.allows(constraint, version)
    except ValueError as error:
        raise EngineMissing(
            f"The engine constraint {constraint!r} can't be read: write it like `>= 1.6, < 2.0` or `~> 1.11`.",
            tool="engine",
        ) from error


def describe(tool: Tool) -> EngineInfo:
    """Return the engine as the control plane records it."""
    return EngineInfo(kind="tofu" if tool.kind == "tofu" else "terraform", version=tool.version, sha256=tool.sha256)
