"""What engines are given and what they answer, the limits of their children, and the words for how those failed."""

import json
import math
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from app.core.settings import Settings
from app.executor import gateway
from app.policy import rego
from app.policy.schemas import PolicyBundle, RegoVersion

_OUTPUT_BYTES = 64 * 1024 * 1024
_GRACE_SECONDS = 0.2
_OUT_OF_MEMORY = (
    "MemoryError",
    "cannot allocate memory",
    "memory allocation of",
    "out of memory",
    "pthread_create failed",
)
_RUNTIME_CRASH = "SIGSEGV: segmentation violation"
"""How Go's runtime begins when it was refused memory where it can't say so; a program's own fault begins with panic."""


@dataclass(frozen=True)
class PolicySet:
    """One bundle to evaluate: its packages with their outcome rules, and whether it keeps to its own data.

    Without ``packages`` the bundle is only compiled. ``reaching`` are the builtins it calls that an operator allowed.
    """

    bundle: PolicyBundle
    packages: Mapping[tuple[str, ...], Sequence[str]]
    is_self_contained: bool = False
    reaching: frozenset[str] = frozenset()

    @property
    def versions(self) -> tuple[RegoVersion, ...]:
        """The Rego versions to try, in order."""
        return (1, 0) if self.bundle.rego_version is None else (self.bundle.rego_version,)

    def query(self) -> str:
        """Return a query that holds for each ``package/rule`` a list with its value, empty when undefined."""
        return query([self])


@dataclass(frozen=True)
class Evaluation:
    """What an engine answered for one bundle: values by ``package/rule``, or an error; and how long it took.

    ``is_syntax`` marks an error that the bundle's text is to blame for, whatever the input; ``is_late`` one for the
    time that it took.
    """

    values: Mapping[str, Sequence[Any]] | None = None
    error: str | None = None
    is_syntax: bool = False
    is_late: bool = False
    rego_version: RegoVersion | None = None
    seconds: float = 0.0


class PolicyEngine(Protocol):
    """Evaluates policy sets over one input document, or one set over many."""

    @property
    def name(self) -> str:
        """The engine and its version, as shown on checks."""

    def evaluate(self, sets: Sequence[PolicySet], document: bytes) -> list[Evaluation]:
        """Evaluate each set over ``document`` (JSON); answers in the order of ``sets``. Never raises for a policy."""

    def evaluate_documents(self, policy_set: PolicySet, documents: Sequence[bytes]) -> list[Evaluation]:
        """Evaluate one set over each document (JSON), with the limits of one evaluation for each; in their order."""


def limits(settings: Settings, timeout_seconds: float) -> gateway.Limits:
    """Return the limits of a child that has ``timeout_seconds`` for all that it is given."""
    return gateway.Limits(
        timeout_seconds=timeout_seconds,
        grace_seconds=_GRACE_SECONDS,
        output_bytes=_OUTPUT_BYTES,
        memory_bytes=settings.policy_memory_mb * 1024 * 1024,
        # Wall-clock limits end a child first; this one also ends what a stopped parent can't watch.
        cpu_seconds=math.ceil(timeout_seconds) * max(1, os.cpu_count() or 1) + 1,
    )


def query(sets: Sequence[PolicySet]) -> str:
    """Return one object: for each ``package/rule`` of all sets a list with its value, empty when undefined."""
    entries = [
        f"{json.dumps(rego.dotted(package) + '/' + rule)}: [v | v := {rego.rule_reference(package, rule)}]"
        for policy_set in sets
        for package, rules in policy_set.packages.items()
        for rule in rules
    ]
    return "{" + ", ".join(entries) + "}"


def late(settings: Settings) -> str:
    """Return what is said of an evaluation that took too long."""
    return (
        f"the evaluation took longer than {settings.policy_timeout_seconds:g} s and was ended "
        "(SLUICE_POLICY_TIMEOUT_SECONDS)"
    )


def crash(engine: str, ended: gateway.Ended, settings: Settings) -> str:
    """Return what is said of a child that ended without an answer."""
    said = ended.stderr.decode(errors="replace").strip()
    if ended.exceeded == "output":
        return f"{engine} answered with more than {_OUTPUT_BYTES // 1024 // 1024} MiB"
    if any(sign in said for sign in _OUT_OF_MEMORY) or said.startswith(_RUNTIME_CRASH):
        return (
            f"the evaluation needed more than {settings.policy_memory_mb} MiB of memory and was ended "
            "(SLUICE_POLICY_MEMORY_MB)"
        )
    how = f"exit code {ended.exit_code}" if ended.signal is None else signal.Signals(ended.signal).name
    first_line = said.splitlines()[0][:300] if said else "it said nothing"
    return f"{engine} ended without an answer ({how}): {first_line}"
