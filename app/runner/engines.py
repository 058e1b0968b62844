"""Chooses the engine for a job among those on this machine."""

from app.core.settings import Settings
from app.executor import constraints, discovery
from app.executor.discovery import Tool
from app.executor.errors import EngineMissing
from app.runner.port import EngineInfo, EngineRequest


def choose(settings: Settings, request: EngineRequest, planned: EngineInfo | None = None) -> Tool:
    """Return the first engine that the request allows; for an apply the very one that planned, where it is here.

    Raises ``EngineMissing`` when there is none, naming what is there, and ``EngineRefused`` when the first that could
    do is not what the operator's checksums say.
    """
    kind = request.kind or (planned.kind if planned is not None else None)
    constraint = request.version_constraint
    found: list[Tool] = []
    chosen: Tool | None = None
    is_of_kind = False
    for candidate in discovery.candidates(settings):
        if kind is not None and candidate.kind not in (None, kind):
            continue
        is_of_kind = is_of_kind or candidate.kind is not None
        if candidate.version is not None and not _may_do(candidate.version, constraint, planned):
            continue
        tool = discovery.identify(settings, candidate)
        found.append(tool)
        if kind is not None and tool.kind != kind:
            continue
        is_of_kind = True
        if planned is not None and describe(tool) == planned:
            return tool
        if chosen is None and (constraint is None or allows(constraint, tool.version)):
            chosen = tool
            if planned is None:
                return tool
    if chosen is not None:
        return chosen
    if not is_of_kind:
        raise discovery.missing(settings, kind, found)
    present = ", ".join(f"{tool.kind} {tool.version}" for tool in discovery.find_engines(settings))
    raise EngineMissing(
        f"The stack or its workspace asks for {kind or 'an engine'} {constraint}, but this worker has {present}. "
        "Change the constraint or the workspace's pin, or install another engine (SLUICE_ENGINES_DIR holds several).",
        tool=kind or "tofu",
    )


def _may_do(version: str, constraint: str | None, planned: EngineInfo | None) -> bool:
    """Return whether an engine whose name says its version is worth a look."""
    return (planned is not None and planned.version == version) or constraint is None or allows(constraint, version)


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


def is_allowed(request: EngineRequest, engine: EngineInfo) -> bool:
    """Return whether a request allows an engine that has run. Raises ``EngineMissing`` for an unreadable constraint."""
    return request.kind in (None, engine.kind) and (
        request.version_constraint is None or allows(request.version_constraint, engine.version)
    )


def describe(tool: Tool) -> EngineInfo:
    """Return the engine as the control plane records it."""
    return EngineInfo(kind="tofu" if tool.kind == "tofu" else "terraform", version=tool.version, sha256=tool.sha256)
