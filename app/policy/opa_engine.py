"""The ``opa`` binary: sets that can't see each other share a process, and so do documents of one set."""

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.core.settings import Settings
from app.executor import discovery, gateway
from app.executor.commands import OpaEvalCommand
from app.executor.environment import DEFAULT_PATH
from app.policy import evaluation, rego
from app.policy.evaluation import Evaluation, PolicySet
from app.policy.schemas import PolicyBundle, RegoVersion

_MAX_PROCESSORS = 4
_MOST_SHARES = 3
_LAZY_COLLECTOR, _SMALL_BYTES = "400", 2 * 1024 * 1024
"""GOGC of a check over a document of at most so many bytes, which can't come near the memory limit.

Its process lives for a moment and frees everything with its end: collecting takes a third of its time.
"""
_EACH = "each"


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

    def evaluate_documents(self, policy_set: PolicySet, documents: Sequence[bytes]) -> list[Evaluation]:
        """Evaluate all in one process; where that fails, halves, until what is to blame is alone.

        All together have the limits of one, so whatever keeps them together keeps them alone, too. A process that was
        ended for its time is not tried in halves, which could each take as long, but document by document.
        """
        if not documents:
            return []
        together = b"[" + b",".join(documents) + b"]"
        answer = self._evaluate([policy_set], together, _query_of_each(policy_set))
        count = len(documents)
        values = answer.values.get(_EACH, ()) if answer.values is not None else ()
        if answer.error is None and len(values) == count:
            return [replace(answer, values=value, seconds=answer.seconds / count) for value in values]
        if answer.is_syntax:
            return [answer] * count
        if count == 1:
            return [self._evaluate([policy_set], documents[0])]
        size = 1 if answer.is_late else (count + 1) // 2
        parts = [documents[start : start + size] for start in range(0, count, size)]
        return [found for part in parts for found in self.evaluate_documents(policy_set, part)]

    def _evaluate(self, sets: Sequence[PolicySet], document: bytes, query: str | None = None) -> Evaluation:
        first: Evaluation | None = None
        for rego_version in sets[0].versions:
            answer = self._run(sets, rego_version, document, query or evaluation.query(sets))
            if not answer.is_syntax:
                return answer
            first = first or answer
        assert first is not None
        return first

    def _run(self, sets: Sequence[PolicySet], rego_version: RegoVersion, document: bytes, query: str) -> Evaluation:
        # Each set may take its time; but one that never ends must not keep the others waiting for all of theirs.
        timeout = self._settings.policy_timeout_seconds * min(len(sets), _MOST_SHARES)
        with tempfile.TemporaryDirectory(prefix="sluice-policy-") as directory:
            data: list[str] = []
            for index, policy_set in enumerate(sets):
                data += _lay_out(Path(directory), f"set{index}", policy_set.bundle)
            capabilities = rego.CAPABILITIES
            if self._settings.policy_allowed_builtins:
                capabilities = Path(directory) / "capabilities.json"
                capabilities.write_bytes(rego.capabilities(self._settings.policy_allowed_builtins))
            command = OpaEvalCommand(
                query=query,
                data=tuple(data),
                capabilities=str(capabilities),
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
            if len(document) <= _SMALL_BYTES:
                environment["GOGC"] = _LAZY_COLLECTOR
            launch = gateway.Launch(self._tool.path, command, environment, Path(directory), stdin=document)
            ended = gateway.run(launch, limits=evaluation.limits(self._settings, timeout + 1), capture_stdout=True)
        return _read_opa(ended, rego_version, self._settings)


def _query_of_each(policy_set: PolicySet) -> str:
    """Return a query whose input is a list of documents; in one member the answers for each, in their order."""
    return f"{{{json.dumps(_EACH)}: [v | d := input[_]; v := {policy_set.query()} with input as d]}}"


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
        return Evaluation(error=evaluation.late(settings), is_late=True, seconds=ended.seconds)
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
    return Evaluation(error=evaluation.crash("opa", ended, settings), seconds=ended.seconds)


def _opa_error(errors: Sequence[Mapping[str, Any]], settings: Settings, seconds: float) -> Evaluation:
    if any(error.get("code") == "eval_cancel_error" for error in errors):
        return Evaluation(error=evaluation.late(settings), is_late=True, seconds=seconds)
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
