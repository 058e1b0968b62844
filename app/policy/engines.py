"""The two engines that evaluate Rego, each in a child with limits of time and memory, started by the gateway.

Neither is trusted to end, to stay small, or to say when something is missing: every way in which a child may fail
becomes an `Evaluation` with an error, which blocks.
"""

import json
import math
import os
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

from app.core.settings import Settings
from app.executor import discovery, gateway
from app.executor.commands import OpaEvalCommand, PythonEvaluatorCommand
from app.executor.environment import DEFAULT_PATH
from app.executor.errors import ToolMissing
from app.policy import rego
from app.policy.schemas import PolicyBundle, RegoVersion

_EVALUATOR = Path(__file__).with_name("evaluator.py")
_OUTPUT_BYTES = 64 * 1024 * 1024
_GRACE_SECONDS = 0.2
_START_SECONDS = 5.0
_MAX_PROCESSORS = 4
_OUT_OF_MEMORY = (
    "MemoryError",
    "cannot allocate memory",
    "memory allocation of",
    "out of memory",
    "pthread_create failed",
)


@dataclass(frozen=True)
class PolicySet:
    """One bundle to evaluate: its packages with their outcome rules, and whether it keeps to its own data.

    Without ``packages`` the bundle is only compiled.
    """

    bundle: PolicyBundle
    packages: Mapping[tuple[str, ...], Sequence[str]]
    is_self_contained: bool = False

    @property
    def versions(self) -> tuple[RegoVersion, ...]:
        """The Rego versions to try, in order."""
        return (1, 0) if self.bundle.rego_version is None else (self.bundle.rego_version,)

    def query(self) -> str:
        """Return a query that holds for each ``package/rule`` a list with its value, empty when undefined."""
        return _query([self])


@dataclass(frozen=True)
class Evaluation:
    """What an engine answered for one bundle: values by ``package/rule``, or an error; and how long it took.

    ``is_syntax`` marks an error that the bundle's text is to blame for, whatever the input.
    """

    values: Mapping[str, Sequence[Any]] | None = None
    error: str | None = None
    is_syntax: bool = False
    rego_version: RegoVersion | None = None
    seconds: float = 0.0


class PolicyEngine(Protocol):
    """Evaluates policy sets over one input document."""

    @property
    def name(self) -> str:
        """The engine and its version, as shown on checks."""

    def evaluate(self, sets: Sequence[PolicySet], document: bytes) -> list[Evaluation]:
        """Evaluate each set over ``document`` (JSON); answers in the order of ``sets``. Never raises for a policy."""


def select_engine(settings: Settings) -> PolicyEngine:
    """Return the engine by ``SLUICE_POLICY_ENGINE``: ``auto`` takes opa where it is found, else regorus.

    Raises ``ToolMissing`` when opa is asked for, or named by ``SLUICE_OPA``, and can't be used.
    """
    if settings.policy_engine == "regorus":
        return RegorusEngine(settings)
    try:
        return OpaEngine(settings, discovery.find_opa(settings))
    except ToolMissing:
        if settings.policy_engine == "opa" or settings.opa is not None:
            raise
        return RegorusEngine(settings)


class OpaEngine:
    """The ``opa`` binary. Sets that can't see each other share one process; the others run beside it."""

    def __init__(self, settings: Settings, tool: discovery.Tool) -> None:
        self._settings = settings
        self._tool = tool

    @property
    def name(self) -> str:
        """The engine and its version."""
        return f"opa {self._tool.version}"

    def evaluate(self, sets: Sequence[PolicySet], document: bytes) -> list[Evaluation]:
        """Evaluate together what may be, and alone whatever failed together, so that a bad set blames itself only."""
        answers: dict[int, Evaluation] = {}
        groups = _groups(sets)
        with ThreadPoolExecutor(max_workers=max(1, min(len(groups), os.cpu_count() or 1))) as pool:
            together = pool.map(lambda group: self._evaluate([sets[index] for index in group], document), groups)
            alone: list[int] = []
            for group, answer in zip(groups, together, strict=True):
                if answer.error is not None and len(group) > 1:
                    alone += group
                else:
                    answers |= dict.fromkeys(group, replace(answer, seconds=answer.seconds / len(group)))
            again = pool.map(lambda index: self._evaluate([sets[index]], document), alone)
            answers |= dict(zip(alone, again, strict=True))
        return [answers[index] for index in range(len(sets))]

    def _evaluate(self, sets: Sequence[PolicySet], document: bytes) -> Evaluation:
        first: Evaluation | None = None
        for rego_version in sets[0].versions:
            answer = self._run(sets, rego_version, document)
            if not answer.is_syntax:
                return answer
            first = first or answer
        assert first is not None
        return first

    def _run(self, sets: Sequence[PolicySet], rego_version: RegoVersion, document: bytes) -> Evaluation:
        timeout = self._settings.policy_timeout_seconds
        with tempfile.TemporaryDirectory(prefix="sluice-policy-") as directory:
            data: list[str] = []
            for index, policy_set in enumerate(sets):
                data += _lay_out(Path(directory), f"set{index}", policy_set.bundle)
            command = OpaEvalCommand(
                query=_query(sets),
                data=tuple(data),
                capabilities=str(rego.CAPABILITIES),
                rego_version=rego_version,
                timeout_seconds=timeout,
            )
            environment = {
                "PATH": DEFAULT_PATH,
                "HOME": "/nonexistent",
                "GOMEMLIMIT": f"{self._settings.policy_memory_mb * 9 // 10}MiB",
                # Every thread's stack counts towards the memory limit, however many processors there are.
                "GOMAXPROCS": str(min(_MAX_PROCESSORS, os.cpu_count() or 1)),
            }
            launch = gateway.Launch(self._tool.path, command, environment, Path(directory), stdin=document)
            ended = gateway.run(launch, limits=_limits(self._settings, timeout + 1), capture_stdout=True)
        return _read_opa(ended, rego_version, self._settings)


class RegorusEngine:
    """The engine from PyPI, in one fresh interpreter for all sets of a check."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def name(self) -> str:
        """The engine and its version."""
        return f"regorus {_regorus_version()}"

    def evaluate(self, sets: Sequence[PolicySet], document: bytes) -> list[Evaluation]:
        """Evaluate in order; when the child dies over a set, that set gets the error and a new child takes the rest."""
        answers: dict[int, Evaluation] = {}
        waiting = list(range(len(sets)))
        while waiting:
            found, blamed = self._run([sets[index] for index in waiting], document)
            answers |= {waiting[position]: answer for position, answer in found.items()}
            if blamed is not None:
                guilty = waiting if blamed[0] is None else [waiting[blamed[0]]]
                answers |= dict.fromkeys((i for i in guilty if i not in answers), Evaluation(error=blamed[1]))
            waiting = [index for index in waiting if index not in answers]
        return [answers[index] for index in range(len(sets))]

    def _run(
        self, sets: Sequence[PolicySet], document: bytes
    ) -> tuple[dict[int, Evaluation], tuple[int | None, str] | None]:
        """Return the answers by position and, when the child did not end well, the set to blame (None: all) and why."""
        settings = self._settings
        timeout = settings.policy_timeout_seconds
        order = {
            "timeout_seconds": timeout,
            "forbidden": [[name, arity] for name, arity in _FORBIDDEN_ARITIES.items()],
            "sets": [
                {
                    "files": item.bundle.files,
                    "data": item.bundle.data,
                    "versions": item.versions,
                    "query": item.query(),
                }
                for item in sets
            ],
        }
        launch = gateway.Launch(
            Path(sys.executable),
            PythonEvaluatorCommand(str(_EVALUATOR)),
            {"PATH": DEFAULT_PATH, "HOME": "/nonexistent", "RUST_BACKTRACE": "0"},
            Path("/"),
            stdin=json.dumps(order).encode() + b"\n" + document,
        )
        limits = _limits(settings, timeout * len(sets) + _START_SECONDS)
        ended = gateway.run(launch, limits=limits, capture_stdout=True)
        answers, begun = _read_lines(ended.stdout)
        if len(answers) == len(sets):
            return answers, None
        guilty = begun if begun is not None and begun not in answers else None
        is_late = ended.exceeded == "timeout" or ended.signal == signal.SIGALRM
        return answers, (guilty, _late(settings) if is_late else _crash("regorus", ended, settings))


_FORBIDDEN_ARITIES = {"http.send": 1, "opa.runtime": 0, "rand.intn": 2, "time.now_ns": 0, "uuid.rfc4122": 1}
"""What regorus has of the forbidden builtins, and how many arguments each takes."""


@lru_cache(maxsize=1)
def _regorus_version() -> str:
    try:
        return version("gordon-to-regorus")
    except PackageNotFoundError:
        return "(not installed)"


def _limits(settings: Settings, timeout_seconds: float) -> gateway.Limits:
    return gateway.Limits(
        timeout_seconds=timeout_seconds,
        grace_seconds=_GRACE_SECONDS,
        output_bytes=_OUTPUT_BYTES,
        memory_bytes=settings.policy_memory_mb * 1024 * 1024,
        # Wall-clock limits end a child first; this one also ends what a stopped parent can't watch.
        cpu_seconds=math.ceil(timeout_seconds) * max(1, os.cpu_count() or 1) + 1,
    )


def _query(sets: Sequence[PolicySet]) -> str:
    """Return one object: for each ``package/rule`` of all sets a list with its value, empty when undefined."""
    entries = [
        f"{json.dumps(rego.dotted(package) + '/' + rule)}: [v | v := {rego.rule_reference(package, rule)}]"
        for policy_set in sets
        for package, rules in policy_set.packages.items()
        for rule in rules
    ]
    return "{" + ", ".join(entries) + "}"


def _groups(sets: Sequence[PolicySet]) -> list[list[int]]:
    """Put sets together that can't meet: known and equal Rego version, no data.json, no package within another's."""
    groups: list[list[int]] = []
    shared: dict[RegoVersion, tuple[list[int], list[tuple[str, ...]]]] = {}
    for index, item in enumerate(sets):
        rego_version = item.bundle.rego_version
        if rego_version is None or item.bundle.data is not None or not item.is_self_contained:
            groups.append([index])
            continue
        members, packages = shared.setdefault(rego_version, ([], []))
        if any(_meet(own, other) for own in item.packages for other in packages):
            groups.append([index])
            continue
        if not members:
            groups.append(members)
        members.append(index)
        packages.extend(item.packages)
    return groups


def _meet(first: tuple[str, ...], second: tuple[str, ...]) -> bool:
    length = min(len(first), len(second))
    return first[:length] == second[:length]


def _lay_out(root: Path, prefix: str, bundle: PolicyBundle) -> list[str]:
    """Write a bundle's files below ``root/prefix``; return them as opa wants them named."""
    named = []
    contents = dict(bundle.files)
    if bundle.data is not None:
        contents["data.json"] = bundle.data
    for name, content in contents.items():
        path = root / prefix / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        named.append(f"{prefix}/{name}")
    return named


def _read_opa(ended: gateway.Ended, rego_version: RegoVersion, settings: Settings) -> Evaluation:
    if ended.exceeded == "timeout":
        return Evaluation(error=_late(settings), seconds=ended.seconds)
    try:
        document = json.loads(ended.stdout)
        errors = document.get("errors")
        if errors:
            return _opa_error(errors, settings, ended.seconds)
        values = document["result"][0]["expressions"][0]["value"]
        if ended.exit_code == 0 and isinstance(values, dict):
            return Evaluation(values=values, rego_version=rego_version, seconds=ended.seconds)
    except (ValueError, LookupError, TypeError, AttributeError):
        pass
    return Evaluation(error=_crash("opa", ended, settings), seconds=ended.seconds)


def _opa_error(errors: Sequence[Mapping[str, Any]], settings: Settings, seconds: float) -> Evaluation:
    if any(error.get("code") == "eval_cancel_error" for error in errors):
        return Evaluation(error=_late(settings), seconds=seconds)
    parts = []
    for error in errors[:5]:
        location = error.get("location") or {}
        # The first part of the path is where the set was laid out.
        file = str(location.get("file") or "").partition("/")[2]
        where = f"{file}:{location.get('row')}: " if file else ""
        parts.append(f"{where}{error.get('message')}")
    is_syntax = all(
        error.get("code") in {"rego_parse_error", "rego_compile_error", "rego_type_error", "rego_unsafe_var_error"}
        for error in errors
    )
    return Evaluation(error="; ".join(parts), is_syntax=is_syntax, seconds=seconds)


def _read_lines(output: bytes) -> tuple[dict[int, Evaluation], int | None]:
    """Return the answers that a child wrote, by position, and the last set that it began."""
    answers: dict[int, Evaluation] = {}
    begun: int | None = None
    for line in output.splitlines():
        try:
            record = json.loads(line)
            index = int(record["set"])
        except (ValueError, LookupError, TypeError):
            continue
        if record.get("begun"):
            begun = index
        elif "values" in record:
            answers[index] = Evaluation(
                values=record["values"], rego_version=record["version"], seconds=float(record["seconds"])
            )
        else:
            answers[index] = Evaluation(
                error=str(record.get("error")),
                is_syntax=record.get("kind") == "syntax",
                seconds=float(record.get("seconds", 0.0)),
            )
    return answers, begun


def _late(settings: Settings) -> str:
    return (
        f"the evaluation took longer than {settings.policy_timeout_seconds:g} s and was ended "
        "(SLUICE_POLICY_TIMEOUT_SECONDS)"
    )


def _crash(engine: str, ended: gateway.Ended, settings: Settings) -> str:
    said = ended.stderr.decode(errors="replace").strip()
    if ended.exceeded == "output":
        return f"{engine} answered with more than {_OUTPUT_BYTES // 1024 // 1024} MiB"
    if any(sign in said for sign in _OUT_OF_MEMORY):
        return (
            f"the evaluation needed more than {settings.policy_memory_mb} MiB of memory and was ended "
            "(SLUICE_POLICY_MEMORY_MB)"
        )
    how = f"exit code {ended.exit_code}" if ended.signal is None else signal.Signals(ended.signal).name
    first_line = said.splitlines()[0][:300] if said else "it said nothing"
    return f"{engine} ended without an answer ({how}): {first_line}"
