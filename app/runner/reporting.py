"""Turns the engine's output into masked progress records."""

from typing import Literal

from pydantic import JsonValue

from app.core import clock
from app.executor.engine import Notice, Output
from app.executor.events import Diagnostic, Event, Log, PlainText, PlannedChange, ResourceStep
from app.runner.feed import Feed
from app.runner.masking import Masker, StreamMasker
from app.runner.port import ProgressRecord

_MAX_TEXT = 64 * 1024


class Reporter:
    """Masks each line before it leaves the process, and counts what the engine says it has done."""

    def __init__(self, feed: Feed, masker: Masker) -> None:
        self._feed = feed
        self._masker = masker
        self._streams = {name: StreamMasker(masker) for name in ("stdout", "stderr")}
        self.resources_applied = 0
        self._planned: set[str] = set()

    @property
    def resources_total(self) -> int | None:
        """Return how many resource changes the engine announced; None when it announced none."""
        return len(self._planned) or None

    def take(self, output: Output | Notice) -> None:
        """Take one line or notice."""
        if isinstance(output, Notice):
            data = {"type": "notice", "command": output.command, **self._masker.value(output.data)}
            self._add("event", "system", self._masker.text(output.message)[:_MAX_TEXT], data)
            return
        event = output.event
        self._count(event)
        if isinstance(event, PlainText):
            # Only plain text comes in pieces: a line that long is no event any more.
            text = self._streams[output.stream].piece(event.message, is_last=not output.is_partial)
            for start in range(0, max(len(text), 1), _MAX_TEXT):
                self._add("line", output.stream, text[start : start + _MAX_TEXT], {})
            return
        text = self._masker.text(event.text() if isinstance(event, Diagnostic) else event.message)
        if type(event) is Log:
            self._add("line", output.stream, text[:_MAX_TEXT], {"level": event.level} if event.level != "info" else {})
            return
        data = {"type": event.kind, "level": event.level, "command": output.command, **self._masker.value(event.data())}
        self._add("event", output.stream, text[:_MAX_TEXT], data)

    def _count(self, event: Event) -> None:
        if isinstance(event, PlannedChange) and not event.is_drift and event.action != "read":
            self._planned.add(event.address)
        elif isinstance(event, ResourceStep) and event.kind == "apply_complete":
            self.resources_applied += 1

    def _add(
        self,
        kind: Literal["line", "event"],
        stream: Literal["stdout", "stderr", "system"],
        text: str,
        data: dict[str, JsonValue],
    ) -> None:
        # Not validated: what is put together here is right by construction, and there may be a million of them.
        self._feed.add(ProgressRecord.model_construct(at=clock.now(), kind=kind, stream=stream, text=text, data=data))
