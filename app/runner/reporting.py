"""Turns the engine's output into masked progress records."""

import time
from typing import Any, Literal

from pydantic import JsonValue

from app.core import clock
from app.core.masking import Masker, StreamMasker
from app.executor.engine import Notice, Output
from app.executor.events import Diagnostic, Event, Log, PlainText, PlannedChange, ResourceStep
from app.runner.feed import Feed
from app.runner.port import ProgressRecord

_Kind = Literal["line", "event"]
_Stream = Literal["stdout", "stderr", "system"]
_MAX_TEXT = 64 * 1024
_MAX_LEVEL = 32


def _short(data: dict[str, Any]) -> dict[str, Any]:
    """Return an event's fields with long texts cut: the record's own text holds all of them."""
    return {key: item[:_MAX_TEXT] if isinstance(item, str) else item for key, item in data.items()}


class Reporter:
    """Masks each line before it leaves the process, and counts what the engine says it has done."""

    def __init__(self, feed: Feed, masker: Masker) -> None:
        self._feed = feed
        self._masker = masker
        self._streams = {name: StreamMasker(masker) for name in ("stdout", "stderr")}
        self.resources_applied = 0
        self._planned: set[str] = set()
        self._started: dict[tuple[str, str, str], float] = {}

    @property
    def resources_total(self) -> int | None:
        """Return how many resource changes the engine announced; None when it announced none."""
        return len(self._planned) or None

    def take(self, output: Output | Notice) -> None:
        """Take one line or notice."""
        if isinstance(output, Notice):
            self._take_notice(output)
            return
        event = output.event
        self._count(event)
        if isinstance(event, PlainText):
            # Only plain text comes in pieces: a line that long is no event any more.
            text = self._streams[output.stream].piece(event.message, is_last=not output.is_partial)
            self._add_text("line", output.stream, text, {})
            return
        text = self._masker.shown(event.text() if isinstance(event, Diagnostic) else event.message)
        level = self._masker.shown(event.level)[:_MAX_LEVEL]
        if type(event) is Log:
            self._add_text("line", output.stream, text, {"level": level} if level != "info" else {})
            return
        own = {**event.data(), **self._seconds(event)}
        data = {
            "type": event.kind,
            "level": level,
            "command": output.command,
            **_short(self._masker.shown_value(own)),
        }
        self._add_text("event", output.stream, text, data)

    def _take_notice(self, notice: Notice) -> None:
        data: dict[str, Any] = {"type": "notice", "command": notice.command}
        if notice.is_fixed:
            # What masks is made when the first text needs it: no engine should wait for that.
            self._add("event", "system", notice.message, data)
            return
        data |= self._masker.shown_value(notice.data)
        self._add("event", "system", self._masker.shown(notice.message)[:_MAX_TEXT], data)

    def _seconds(self, event: Event) -> dict[str, float]:
        """Return how long a step took that is over; the engine itself says whole seconds."""
        if not isinstance(event, ResourceStep):
            return {}
        key = (event.operation, event.address, event.action)
        if event.step == "start":
            self._started[key] = time.monotonic()
        elif event.step in {"complete", "errored"} and (started := self._started.pop(key, None)) is not None:
            return {"seconds": round(time.monotonic() - started, 3)}
        return {}

    def _count(self, event: Event) -> None:
        if isinstance(event, PlannedChange) and not event.is_drift and event.action != "read":
            self._planned.add(event.address)
        elif isinstance(event, ResourceStep) and event.kind == "apply_complete":
            self.resources_applied += 1

    def _add_text(self, kind: _Kind, stream: _Stream, text: str, data: dict[str, JsonValue]) -> None:
        """Add a record; what is too long for one goes on in lines."""
        self._add(kind, stream, text[:_MAX_TEXT], data)
        for start in range(_MAX_TEXT, len(text), _MAX_TEXT):
            self._add("line", stream, text[start : start + _MAX_TEXT], data if kind == "line" else {})

    def _add(self, kind: _Kind, stream: _Stream, text: str, data: dict[str, JsonValue]) -> None:
        # Not validated: what is put together here is right by construction, and there may be a million of them.
        self._feed.add(ProgressRecord.model_construct(at=clock.now(), kind=kind, stream=stream, text=text, data=data))
