"""The engine's ``-json`` lines as typed events. Unknown types and plain text are events too: nothing is dropped."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

_ACTIONS = {"noop": "no-op", "remove": "delete"}


@dataclass(frozen=True)
class Event:
    """What every event has: the engine's level and its message for people."""

    type: ClassVar[str] = "log"
    level: str
    message: str

    @property
    def kind(self) -> str:
        """Return what happened, in one word: the type, or for a resource `apply_start`, `refresh_complete`, …."""
        return self.type

    def data(self) -> dict[str, Any]:
        """Return the event's own fields as plain values; empty ones are left out."""
        return {
            key: value
            for key, value in vars(self).items()
            if key not in {"level", "message"} and value not in (None, "", [], {})
        }


@dataclass(frozen=True)
class Log(Event):
    """A message without further structure."""


@dataclass(frozen=True)
class PlainText(Event):
    """A line that is not a JSON event: an older engine, a provider, or a program that the configuration runs."""

    type: ClassVar[str] = "text"


@dataclass(frozen=True)
class Unknown(Event):
    """A JSON event of a type that is not known here; ``name`` is its type."""

    type: ClassVar[str] = "unknown"
    name: str = ""


@dataclass(frozen=True)
class Version(Event):
    """Which engine speaks."""

    type: ClassVar[str] = "version"
    engine: str = ""
    version: str = ""


@dataclass(frozen=True)
class PlannedChange(Event):
    """A resource change that the plan holds. ``is_drift``: seen outside of the engine, not proposed."""

    type: ClassVar[str] = "planned_change"
    address: str = ""
    module: str = ""
    resource_type: str = ""
    action: str = ""
    reason: str = ""
    previous_address: str = ""
    is_drift: bool = False


@dataclass(frozen=True)
class ResourceStep(Event):
    """A step of work on one resource, in the order in which it happens.

    ``operation`` is apply, refresh, provision or ephemeral; ``step`` is start, progress, complete or errored.
    ``id_value`` is what the provider calls the resource.
    """

    type: ClassVar[str] = "resource"
    operation: str = "apply"
    step: Literal["start", "progress", "complete", "errored"] = "start"
    address: str = ""
    module: str = ""
    resource_type: str = ""
    action: str = ""
    id_key: str = ""
    id_value: str = ""
    elapsed_seconds: float | None = None
    provisioner: str = ""
    output: str = ""

    @property
    def kind(self) -> str:
        """Return operation and step, such as `apply_start`."""
        return f"{self.operation}_{self.step}"


@dataclass(frozen=True)
class ChangeSummary(Event):
    """How many changes a plan holds or an apply made."""

    type: ClassVar[str] = "change_summary"
    operation: str = ""
    add: int = 0
    change: int = 0
    remove: int = 0
    imports: int = 0


@dataclass(frozen=True)
class Outputs(Event):
    """The outputs' names, each with its action and whether it is sensitive; never a value."""

    type: ClassVar[str] = "outputs"
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Diagnostic(Event):
    """An error or a warning, with the place in the configuration that it is about."""

    type: ClassVar[str] = "diagnostic"
    severity: str = "error"
    summary: str = ""
    detail: str = ""
    address: str = ""
    file: str = ""
    line: int | None = None
    column: int | None = None
    snippet: str = ""

    def text(self) -> str:
        """Return it as the engine would print it, without its frame."""
        place = f"\n  on {self.file} line {self.line}:" if self.file and self.line else ""
        snippet = f"\n    {self.snippet}" if self.snippet and place else ""
        detail = f"\n{self.detail}" if self.detail else ""
        return f"{self.severity.capitalize()}: {self.summary}{place}{snippet}{detail}"


_STEPS: dict[str, tuple[str, Literal["start", "progress", "complete", "errored"]]] = {
    f"{prefix}_{step}": (operation, step)
    for prefix, operation in (
        ("apply", "apply"),
        ("refresh", "refresh"),
        ("provision", "provision"),
        ("ephemeral_op", "ephemeral"),
    )
    for step in ("start", "progress", "complete", "errored")
}


def parse(text: str) -> Event:
    """Return the event that one line of output is. Never raises: what can't be read is `PlainText`."""
    if not text.startswith("{"):
        return PlainText("info", text)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return PlainText("info", text)
    if not isinstance(document, dict) or "@message" not in document:
        return PlainText("info", text)
    try:
        return _typed(document)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return Unknown(
            _text(document.get("@level")) or "info", _text(document["@message"]), _text(document.get("type"))
        )


def _typed(document: dict[str, Any]) -> Event:
    level = _text(document.get("@level")) or "info"
    message = _text(document["@message"])
    kind = _text(document.get("type"))
    if kind in {"log", "init_output", ""}:
        return Log(level, message)
    if kind == "version":
        engine = "tofu" if "tofu" in document else "terraform"
        return Version(level, message, engine, _text(document.get(engine)))
    if kind in {"planned_change", "resource_drift"}:
        return _planned_change(level, message, document["change"], is_drift=kind == "resource_drift")
    if kind in _STEPS:
        return _step(level, message, _STEPS[kind], document["hook"])
    if kind == "change_summary":
        changes = document["changes"]
        return ChangeSummary(
            level,
            message,
            _text(changes.get("operation")),
            int(changes.get("add", 0)),
            int(changes.get("change", 0)),
            int(changes.get("remove", 0)),
            int(changes.get("import", 0)),
        )
    if kind == "outputs":
        return Outputs(
            level,
            message,
            {
                name: {key: kind(facts[key]) for key, kind in _OUTPUT_FACTS.items() if key in facts}
                for name, facts in document["outputs"].items()
            },
        )
    if kind == "diagnostic":
        return _diagnostic(level, message, document["diagnostic"])
    return Unknown(level, message, kind)


def _planned_change(level: str, message: str, change: dict[str, Any], *, is_drift: bool) -> PlannedChange:
    resource = change["resource"]
    action = _text(change.get("action"))
    return PlannedChange(
        level,
        message,
        _text(resource["addr"]),
        _text(resource.get("module")),
        _text(resource.get("resource_type")),
        _ACTIONS.get(action, action),
        _text(change.get("reason")),
        _text((change.get("previous_resource") or {}).get("addr")),
        is_drift,
    )


def _step(
    level: str,
    message: str,
    step: tuple[str, Literal["start", "progress", "complete", "errored"]],
    hook: dict[str, Any],
) -> ResourceStep:
    resource = hook["resource"]
    elapsed = hook.get("elapsed_seconds")
    action = _text(hook.get("action"))
    return ResourceStep(
        level,
        message,
        step[0],
        step[1],
        _text(resource["addr"]),
        _text(resource.get("module")),
        _text(resource.get("resource_type")),
        _ACTIONS.get(action, action),
        _text(hook.get("id_key")),
        _text(hook.get("id_value")),
        _seconds(elapsed) if elapsed is not None else None,
        _text(hook.get("provisioner")),
        _text(hook.get("output")),
    )


def _diagnostic(level: str, message: str, diagnostic: dict[str, Any]) -> Diagnostic:
    place = diagnostic.get("range") or {}
    start = place.get("start") or {}
    snippet = diagnostic.get("snippet") or {}
    return Diagnostic(
        level,
        message,
        _text(diagnostic.get("severity")) or "error",
        _text(diagnostic.get("summary")),
        _text(diagnostic.get("detail")),
        _text(diagnostic.get("address")),
        _text(place.get("filename")),
        int(start["line"]) if "line" in start else None,
        int(start["column"]) if "column" in start else None,
        _text(snippet.get("code")),
    )


def _seconds(value: Any) -> float:
    """Return a duration. Raises ``ValueError`` for what JSON can't hold: a number without end, or none."""
    seconds = float(value)
    if not math.isfinite(seconds):
        raise ValueError("no duration")
    return seconds


def _text(value: object) -> str:
    """Return a text that the event holds; what is no single value is none, since it may nest as deep as it likes."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) else ""


_OUTPUT_FACTS: dict[str, Callable[[object], str | bool]] = {"action": _text, "sensitive": bool}
