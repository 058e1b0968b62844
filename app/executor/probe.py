"""Finds out, once a process, whether the sandbox works here, and remembers why not."""

import os
import shutil
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from app.executor import gateway
from app.executor.commands import ProbeCommand
from app.executor.errors import ProcessFailed, SandboxUnavailable
from app.executor.sandbox import Confinement, SandboxTools

Mode = Literal["auto", "required", "off"]


@dataclass(frozen=True)
class Probe:
    """Either tools that work, or the reason why there is no sandbox."""

    tools: SandboxTools | None
    reason: str


def sandbox_tools(mode: Mode) -> SandboxTools | None:
    """Return the sandbox to use under the setting ``SLUICE_SANDBOX``; None to run without one.

    Raises ``SandboxUnavailable`` when it is required and does not work.
    """
    if mode == "off":
        return None
    found = probe()
    if found.tools is None and mode == "required":
        raise SandboxUnavailable(
            f"SLUICE_SANDBOX=required, but {found.reason}. Install bubblewrap (the package `bubblewrap`), allow user "
            "namespaces, or set SLUICE_SANDBOX=auto to run without it.",
            reason=found.reason,
        )
    return found.tools


@lru_cache(maxsize=4)
def isolation_failure(tools: SandboxTools) -> str:
    """Return why a sandbox can't have a network namespace of its own here; empty when it can."""
    return _failure(tools, has_network=False)


@lru_cache(maxsize=1)
def probe() -> Probe:
    """Start a program that does nothing in the sandbox, and say whether that worked."""
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        return Probe(None, "bubblewrap (bwrap) is not installed")
    candidates = []
    setpriv = shutil.which("setpriv")
    if os.geteuid() == 0 and setpriv is not None:
        candidates.append(SandboxTools(Path(bwrap), "privileged", Path(setpriv)))
    candidates.append(SandboxTools(Path(bwrap), "user", user_id=os.geteuid()))
    reason = ""
    for tools in candidates:
        reason = _failure(tools)
        if not reason:
            return Probe(tools, "")
    return Probe(None, f"bubblewrap does not work here: {reason}")


def _failure(tools: SandboxTools, *, has_network: bool = True) -> str:
    """Return why ``tools`` don't work; empty when they do."""
    program = Path(shutil.which("true") or "/usr/bin/true")
    launch = gateway.Launch(
        program=program,
        command=ProbeCommand(),
        environment={},
        directory=Path("/"),
        confinement=Confinement(tools, has_network=has_network),
    )
    try:
        ended = gateway.run(launch, limits=gateway.Limits(timeout_seconds=10, grace_seconds=1))
    except ProcessFailed as error:
        return error.detail
    if ended.exit_code != 0 or ended.proof != "empty_pid_namespace":
        return ended.stderr.decode(errors="replace").strip()[:300] or f"exit code {ended.exit_code}"
    return ""
