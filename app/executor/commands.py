"""Typed commands and the pure functions that turn each into arguments.

The gateway takes these only, never a list of arguments, so what can be run is what can be written here. An apply can't
be written without the plan file and its digest.
"""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import ClassVar, Literal, Protocol

_DIGEST = re.compile(r"[0-9a-f]{64}")
PLAN_FILE = "tfplan.binary"
PUSHED_FILE = "pushed.tfstate"


class Command(Protocol):
    """One thing to run: a name for logs and errors, and the arguments after the program."""

    @property
    def name(self) -> str:
        """Return the subcommand's name."""

    def arguments(self) -> tuple[str, ...]:
        """Return the arguments that follow the program."""


@dataclass(frozen=True)
class VersionCommand:
    """``version -json``."""

    name: ClassVar[str] = "version"

    def arguments(self) -> tuple[str, ...]:
        """Return the arguments that follow the program."""
        return ("version", "-json")


@dataclass(frozen=True)
class InitCommand:
    """``init``: fetches modules and providers and configures the backend.

    ``is_json`` asks for machine-readable events, which engines before 1.9 may not have.
    ``lockfile`` ``readonly`` refuses to change ``.terraform.lock.hcl``: an apply uses the providers of its plan.
    """

    is_json: bool = True
    lockfile: Literal["write", "readonly"] = "write"
    upgrade: bool = False
    name: ClassVar[str] = "init"

    def arguments(self) -> tuple[str, ...]:
        """Return the arguments that follow the program."""
        arguments = ["init", "-input=false", "-no-color"]
        if self.is_json:
            arguments.append("-json")
        if self.lockfile == "readonly":
            arguments.append("-lockfile=readonly")
        if self.upgrade:
            arguments.append("-upgrade")
        return tuple(arguments)


@dataclass(frozen=True)
class PlanCommand:
    """``plan -json -out=…``. Exit codes are detailed: 0 no changes, 2 changes, 1 an error.

    ``mode`` is normal, destroy or refresh (refresh only). ``lock_timeout_seconds`` is how long to wait for the
    engine's own state lock; ``is_locked`` False takes none (a speculative plan).
    """

    mode: Literal["normal", "destroy", "refresh"] = "normal"
    out: str = PLAN_FILE
    is_locked: bool = True
    lock_timeout_seconds: int = 0
    refresh: bool = True
    targets: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()
    parallelism: int | None = None
    name: ClassVar[str] = "plan"

    def __post_init__(self) -> None:
        _check_relative(self.out)

    def arguments(self) -> tuple[str, ...]:
        """Return the arguments that follow the program."""
        arguments = ["plan", "-input=false", "-no-color", "-json", "-detailed-exitcode", f"-out={self.out}"]
        if self.mode == "destroy":
            arguments.append("-destroy")
        elif self.mode == "refresh":
            arguments.append("-refresh-only")
        if not self.is_locked:
            arguments.append("-lock=false")
        elif self.lock_timeout_seconds:
            arguments.append(f"-lock-timeout={self.lock_timeout_seconds}s")
        if not self.refresh:
            arguments.append("-refresh=false")
        arguments += [f"-target={address}" for address in self.targets]
        arguments += [f"-replace={address}" for address in self.replaces]
        if self.parallelism is not None:
            arguments.append(f"-parallelism={self.parallelism}")
        return tuple(arguments)


@dataclass(frozen=True)
class ShowCommand:
    """``show -json`` of a plan file: the plan document."""

    plan_file: str = PLAN_FILE
    name: ClassVar[str] = "show"

    def __post_init__(self) -> None:
        _check_relative(self.plan_file)

    def arguments(self) -> tuple[str, ...]:
        """Return the arguments that follow the program."""
        return ("show", "-no-color", "-json", self.plan_file)


@dataclass(frozen=True)
class ApplyCommand:
    """``apply`` of one saved plan. ``plan_digest`` is the SHA-256 that the plan file must have; the executor checks it.

    There is no default for either, so an apply of whatever the configuration says now can't be expressed.
    """

    plan_file: str
    plan_digest: str
    is_locked: bool = True
    lock_timeout_seconds: int = 0
    parallelism: int | None = None
    name: ClassVar[str] = "apply"

    def __post_init__(self) -> None:
        _check_relative(self.plan_file)
        if not _DIGEST.fullmatch(self.plan_digest):
            raise ValueError("plan_digest must be 64 lower-case hexadecimal digits (SHA-256 of the plan file)")

    def arguments(self) -> tuple[str, ...]:
        """Return the arguments that follow the program."""
        arguments = ["apply", "-input=false", "-no-color", "-json"]
        if not self.is_locked:
            arguments.append("-lock=false")
        elif self.lock_timeout_seconds:
            arguments.append(f"-lock-timeout={self.lock_timeout_seconds}s")
        if self.parallelism is not None:
            arguments.append(f"-parallelism={self.parallelism}")
        return (*arguments, self.plan_file)


@dataclass(frozen=True)
class StatePullCommand:
    """``state pull``: the current state on standard output, whatever the backend."""

    name: ClassVar[str] = "state pull"

    def arguments(self) -> tuple[str, ...]:
        """Return the arguments that follow the program."""
        return ("state", "pull")


@dataclass(frozen=True)
class StatePushCommand:
    """``state push`` of one file to the configured backend, under the backend's own lock.

    Unless it ``is_forced``, the engine refuses another lineage, and a serial that is lower than what is there.
    """

    state_file: str = PUSHED_FILE
    is_forced: bool = False
    lock_timeout_seconds: int = 0
    name: ClassVar[str] = "state push"

    def __post_init__(self) -> None:
        _check_relative(self.state_file)

    def arguments(self) -> tuple[str, ...]:
        """Return the arguments that follow the program."""
        arguments = ["state", "push", "-no-color"]
        if self.is_forced:
            arguments.append("-force")
        if self.lock_timeout_seconds:
            arguments.append(f"-lock-timeout={self.lock_timeout_seconds}s")
        return (*arguments, self.state_file)


@dataclass(frozen=True)
class OpaVersionCommand:
    """``opa version``."""

    name: ClassVar[str] = "opa version"

    def arguments(self) -> tuple[str, ...]:
        """Return the arguments that follow the program."""
        return ("version",)


@dataclass(frozen=True)
class OpaEvalCommand:
    """``opa eval`` of one query over bundles or Rego files, with the input document on standard input.

    ``capabilities`` names a JSON file that lists the allowed builtins. ``timeout_seconds`` is opa's own limit, beside
    the gateway's. ``rego_version`` 0 reads Rego v0, 1 Rego v1.
    """

    query: str
    data: tuple[str, ...]
    capabilities: str | None = None
    rego_version: Literal[0, 1] = 1
    timeout_seconds: float | None = None
    strict_builtin_errors: bool = True
    name: ClassVar[str] = "opa eval"

    def arguments(self) -> tuple[str, ...]:
        """Return the arguments that follow the program."""
        arguments = ["eval", "--format=json", "--stdin-input"]
        if self.rego_version == 0:
            arguments.append("--v0-compatible")
        if self.strict_builtin_errors:
            arguments.append("--strict-builtin-errors")
        if self.capabilities is not None:
            arguments.append(f"--capabilities={self.capabilities}")
        if self.timeout_seconds is not None:
            arguments.append(f"--timeout={self.timeout_seconds:g}s")
        for path in self.data:
            arguments += ["--data", path]
        return (*arguments, self.query)


@dataclass(frozen=True)
class PythonEvaluatorCommand:
    """A fresh interpreter, isolated from environment and user site (``-I``), that runs one script of ours.

    Evaluation children are started so rather than forked: nothing of the parent's memory (keys, passwords) is in them.
    """

    script: str
    options: tuple[str, ...] = ()
    name: ClassVar[str] = "python evaluator"

    def arguments(self) -> tuple[str, ...]:
        """Return the arguments that follow the program."""
        return ("-I", "-B", self.script, *self.options)


@dataclass(frozen=True)
class ProbeCommand:
    """What the sandbox is probed with: a program that does nothing and takes no arguments."""

    name: ClassVar[str] = "probe"

    def arguments(self) -> tuple[str, ...]:
        """Return the arguments that follow the program."""
        return ()


def _check_relative(path: str) -> None:
    parts = PurePosixPath(path)
    if not path or parts.is_absolute() or ".." in parts.parts or path.startswith("-"):
        raise ValueError(f"{path!r} must be a relative path inside the working directory")
