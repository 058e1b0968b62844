"""Checking an audit trail's chain against itself and its signed checkpoints, event by event, in bounded memory.

The same code judges on the server and over an export that lies in a file.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal

from pydantic import BaseModel

from app.core.chain import ChainedEvent
from app.core.checkpoints import Checkpoint, Trust

Finding = Literal[
    "changed",
    "missing",
    "reordered",
    "tail_cut",
    "rewritten",
    "checkpoint_forged",
    "checkpoint_missing",
    "unchained",
]
MOST_FINDINGS = 20
_FAR = 1000
"""How far from its place an event that was moved is looked for."""
_CLOCKS_APART = timedelta(minutes=5)
"""An event that is so much younger than a checkpoint behind it was put there after the checkpoint was made."""


class BadRow(BaseModel):
    """The audit row that a finding is about, as it reads now."""

    id: int
    position: int
    action: str
    at: datetime


class ChainFinding(BaseModel):
    """One thing that is wrong: which, at which positions, the row where there is one, and in words."""

    finding: Finding
    first_position: int
    last_position: int
    message: str
    row: BadRow | None = None


class StoredCheckpoint(BaseModel):
    """A checkpoint as it was found: the digest that its place names, and the document; None when it is none of ours."""

    sequence: int
    position: int
    digest: str
    checkpoint: Checkpoint | None


class ChainCheck:
    """One pass over a chain, or over the part of it behind ``position``, whose last hash is ``previous``.

    ``checkpoints`` are those behind ``position``, in order of their sequence; ``before`` is the digest of the one
    before them, None when the first is the organization's first, and "" when it is not known; ``agreed_position`` is
    where a checkpoint before them agreed. Events are given to ``take`` as the chain has them; ``finish`` ends the pass.
    """

    def __init__(
        self,
        organization_id: str,
        checkpoints: Iterable[StoredCheckpoint],
        trust: Trust,
        *,
        position: int = 0,
        previous: str | None = None,
        before: str | None = None,
        agreed_position: int | None = None,
    ) -> None:
        self.position = position
        self.head_hash = previous
        self.checked = 0
        self.checkpoints = 0
        self.agreed_position = position if agreed_position is None else agreed_position
        self._findings: list[ChainFinding] = []
        self._organization_id = organization_id
        self._trust = trust
        self._last: ChainedEvent | None = None
        self._suspects: list[ChainedEvent] = []
        self._regrown: int | None = None
        self._before = before
        self._sequence: int | None = None
        self._stored = iter(checkpoints)
        self._next = self._next_valid()

    @property
    def findings(self) -> list[ChainFinding]:
        """What is wrong, in the order of positions."""
        found = [*self._findings, *(self._judged(event) for event in self._suspects)]
        return sorted(found, key=lambda one: one.first_position)

    @property
    def is_full(self) -> bool:
        """Whether so much is wrong that looking on says nothing new."""
        return len(self._findings) + len(self._suspects) >= MOST_FINDINGS

    def take(self, event: ChainedEvent) -> None:
        """Check one event behind those that were given before."""
        is_behind_gap = event.position > self.position + 1
        cut = self._pass(event.position - 1)
        self.checked += 1
        if event.organization_id != self._organization_id:
            self._add("changed", event.position, event.position, "belongs to another organization", event)
            return
        if event.position <= self.position:
            self._add("reordered", event.position, event.position, "stands behind a later one", event)
            return
        if is_behind_gap and cut is not None and cut.position == event.position - 1:
            self._tail_cut(cut, "; what came later was chained behind it")
        elif is_behind_gap:
            self._missing(self.position + 1, event.position - 1)
        if event.hash != event.link():
            self._suspects.append(event)
        elif not is_behind_gap and event.previous_hash != self.head_hash and not self._is_suspect(self._last):
            self._does_not_follow(event)
        self._note_age(event)
        self.position, self.head_hash, self._last = event.position, event.hash, event
        self._pass(event.position)

    def finish(self) -> None:
        """End the pass behind the chain's head: checkpoints that stand further on say that the tail was cut."""
        last = None
        while self._next is not None:
            last = self._next
            self._counted()
        if last is not None:
            self._tail_cut(last)

    def _tail_cut(self, last: Checkpoint, besides: str = "") -> None:
        first = self.position + 1
        self._add(
            "tail_cut",
            first,
            last.position,
            f"the tail was cut: the events at positions {first} to {last.position} are gone, though the checkpoint of "
            f"{_moment(last.at)} stands, which has them{besides}",
        )

    def _missing(self, first: int, last: int) -> None:
        which = f"the event at position {first} is" if first == last else f"the events at {first} to {last} are"
        self._add("missing", first, last, f"{which} missing")

    def _does_not_follow(self, event: ChainedEvent) -> None:
        """Blame the row before when there is one: its successor, which fits in itself, still names its first hash."""
        if self._last is not None and self._last.position == event.position - 1:
            self._add(
                "changed",
                self._last.position,
                self._last.position,
                "was changed and its hash computed anew: the event behind it names another hash",
                self._last,
            )
        else:
            self._add("changed", event.position, event.position, "does not follow the hash before it", event)

    def _is_suspect(self, event: ChainedEvent | None) -> bool:
        return bool(self._suspects) and event is self._suspects[-1]

    def _judged(self, event: ChainedEvent) -> ChainFinding:
        place = self._true_place(event)
        if place is not None:
            return self._made(
                "reordered", event.position, event.position, f"was chained at position {place} and was moved", event
            )
        return self._made("changed", event.position, event.position, "was changed: it does not match its hash", event)

    def _true_place(self, event: ChainedEvent) -> int | None:
        """Return the position that an event's hash belongs to, or the one whose hash it has; None when it has none."""
        for place in range(max(1, event.position - _FAR), event.position + _FAR):
            if place != event.position and event.link(position=place, previous=event.previous_hash) == event.hash:
                return place
        for other in self._suspects:
            if other is event:
                continue
            if event.link(position=other.position, previous=other.previous_hash) == other.hash:
                return other.position
        return None

    def _note_age(self, event: ChainedEvent) -> None:
        if self._next is not None and self._regrown is None and event.at > self._next.at + _CLOCKS_APART:
            self._regrown = event.position

    def _pass(self, position: int) -> Checkpoint | None:
        """Hold the checkpoints up to ``position`` against the chain; return the last that the chain has no event of."""
        beyond = None
        while self._next is not None and self._next.position <= position:
            checkpoint = self._next
            if checkpoint.position == self.position:
                self._compare(checkpoint)
            elif checkpoint.position > self.position:
                beyond = checkpoint
            self._counted()
        return beyond

    def _compare(self, checkpoint: Checkpoint) -> None:
        if checkpoint.head_hash == self.head_hash:
            self.agreed_position = self.position
        elif not self._has_finding_behind(self.agreed_position):
            first, last = self.agreed_position + 1, self.position
            where = (
                f"the checkpoint of {_moment(checkpoint.at)} has another hash for position {last} than the chain, "
                "whose hashes were computed anew"
            )
            if self._regrown is not None:
                self._add(
                    "tail_cut",
                    self._regrown,
                    last,
                    f"the tail was cut from position {self._regrown} on at the latest, and younger events were put in "
                    f"its place: {where}",
                )
            else:
                self._add(
                    "rewritten",
                    first,
                    last,
                    f"the chain was rewritten, from position {last} on at the latest and not before {first}: {where}",
                )
        self._regrown = None

    def _has_finding_behind(self, position: int) -> bool:
        return any(found.last_position > position for found in self._findings) or any(
            event.position > position for event in self._suspects
        )

    def _counted(self) -> None:
        self.checkpoints += 1
        self._next = self._next_valid()

    def _next_valid(self) -> Checkpoint | None:
        """Return the next checkpoint that is truly ours; say of each that is none, and of each that is not there."""
        for stored in self._stored:
            found = stored.checkpoint
            is_ours = (
                found is not None
                and found.organization_id == self._organization_id
                and (found.sequence, found.position, found.digest) == (stored.sequence, stored.position, stored.digest)
                and self._trust.accepts(found)
            )
            if not is_ours or found is None:
                self._add(
                    "checkpoint_forged",
                    stored.position,
                    stored.position,
                    f"checkpoint {stored.sequence} (position {stored.position}) is forged or altered: no trusted key "
                    "has signed it as it is",
                )
                continue
            if self._before not in {"", found.previous}:
                last = found.sequence - 1
                first = last if self._sequence is None else min(self._sequence + 1, last)
                self._add(
                    "checkpoint_missing",
                    found.position,
                    found.position,
                    f"checkpoint {first if first == last else f'{first} to {last}'}, before the one of "
                    f"{_moment(found.at)}, is missing",
                )
            self._before, self._sequence = stored.digest, found.sequence
            return found
        return None

    def _add(self, finding: Finding, first: int, last: int, message: str, event: ChainedEvent | None = None) -> None:
        if len(self._findings) < MOST_FINDINGS:
            self._findings.append(self._made(finding, first, last, message, event))

    def _made(
        self, finding: Finding, first: int, last: int, message: str, event: ChainedEvent | None = None
    ) -> ChainFinding:
        row = None
        if event is not None:
            row = BadRow(id=event.id, position=event.position, action=event.action, at=event.at)
            message = f"row {event.id} ({event.action} of {_moment(event.at)}, position {event.position}) {message}"
        return ChainFinding(
            finding=finding,
            first_position=first,
            last_position=last,
            message=f"{message[0].upper()}{message[1:]}.",
            row=row,
        )


def _moment(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S UTC")
