"""Verifying an export of the audit trail: a file of JSON Lines, and a public key that is trusted. Needs no server."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from app.core.chain import EXPORT_FORMAT, ChainedEvent
from app.core.chain_check import ChainCheck, ChainFinding, StoredCheckpoint
from app.core.checkpoints import Checkpoint, PublicKey, Trust


class ExportInvalid(Exception):
    """The file is no export that can be verified; the message says why and what to do."""


class ExportReport(BaseModel):
    """What a check of an export found. ``checkpoint_position`` is how far signed checkpoints agree."""

    organization_id: str
    is_intact: bool
    checked: int
    checkpoints: int
    head_position: int
    head_hash: str | None
    checkpoint_position: int
    findings: list[ChainFinding]


def check_export(file: Path, trusted: Iterable[PublicKey], *, since: tuple[int, str] | None = None) -> ExportReport:
    """Check an export line by line, in bounded memory.

    ``since`` is the position and hash that an export which begins behind a position is to follow. Raises
    ``ExportInvalid`` for what can't be verified, and ``OSError``.
    """
    header = _header(file)
    after = header["filter"]["after"]
    if after and (since is None or since[0] != after):
        raise ExportInvalid(f"This export begins behind position {after}: name its hash, --since {after}:HASH.")
    trust = Trust(trusted)
    newest = _newest(header, trust)
    check = ChainCheck(
        header["organization_id"],
        _checkpoints(file),
        trust,
        position=after,
        previous=since[1] if since is not None and after else None,
        before="" if after else None,
    )
    _walk(file, check)
    findings = check.findings
    if check.checked and not check.checkpoints and not findings:
        raise ExportInvalid("The export holds no signed checkpoint, so nothing proves it. Export it again in a minute.")
    if newest is not None and newest.position > check.position and not findings:
        first = check.position + 1
        message = f"The tail was cut: the export ends at position {check.position}, and its newest checkpoint has "
        findings = [
            ChainFinding(
                finding="tail_cut",
                first_position=first,
                last_position=newest.position,
                message=f"{message}{newest.position}.",
            )
        ]
    return ExportReport(
        organization_id=header["organization_id"],
        is_intact=not findings,
        checked=check.checked,
        checkpoints=check.checkpoints,
        head_position=check.position,
        head_hash=check.head_hash,
        checkpoint_position=check.agreed_position,
        findings=findings,
    )


def _walk(file: Path, check: ChainCheck) -> None:
    is_ended = False
    for number, line in _lines(file):
        if is_ended:
            raise ExportInvalid(f"Line {number} stands behind the end of the export.")
        is_ended = line["type"] == "end"
        if line["type"] == "event" and not check.is_full:
            try:
                check.take(ChainedEvent.of_line(line))
            except ValueError as error:
                raise ExportInvalid(f"Line {number} is {error}.") from None
    if not is_ended:
        raise ExportInvalid("The export was cut short: its last line is not of type `end`. Export it again.")
    if not check.is_full:
        check.finish()


def _header(file: Path) -> dict[str, Any]:
    first = next(_lines(file), None)
    if first is None or first[1]["type"] != "header" or first[1].get("format") != EXPORT_FORMAT:
        raise ExportInvalid("The file does not begin as an export of the audit trail does.")
    header = first[1]
    told = header.get("filter")
    if not isinstance(told, dict) or not isinstance(header.get("organization_id"), str):
        raise ExportInvalid("The file does not begin as an export of the audit trail does.")
    if any(told.get(name) is not None for name in ("since", "until", "action")):
        raise ExportInvalid(
            "The export was made with a filter, so it has gaps, and nothing can be proven of it. Export without "
            "--since, --until and --action."
        )
    if type(told.get("after")) is not int:
        raise ExportInvalid("The header of the export says no position that it begins behind.")
    return header


def _newest(header: dict[str, Any], trust: Trust) -> Checkpoint | None:
    """Return the newest checkpoint by the header when a trusted key has signed it; all that it names are trusted."""
    try:
        found = Checkpoint.parse(header.get("checkpoint") or {})
    except ValueError:
        return None
    is_ours = found.organization_id == header["organization_id"] and trust.accepts(found)
    return found if is_ours else None


def _checkpoints(file: Path) -> Iterator[StoredCheckpoint]:
    """Yield the checkpoints of the file, read beside the events: each is known before its event comes."""
    for number, line in _lines(file):
        if line["type"] != "checkpoint":
            continue
        try:
            document = Checkpoint.parse(line.get("document") or {})
        except ValueError:
            document = None
        try:
            yield StoredCheckpoint(
                sequence=line["sequence"], position=line["position"], digest=line["digest"], checkpoint=document
            )
        except (KeyError, ValueError):
            raise ExportInvalid(f"Line {number} is no checkpoint.") from None


def _lines(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with file.open(encoding="utf-8") as opened:
        for number, text in enumerate(opened, start=1):
            try:
                line = json.loads(text)
            except ValueError:
                line = None
            if not isinstance(line, dict) or line.get("type") not in {"header", "event", "checkpoint", "end"}:
                raise ExportInvalid(f"Line {number} is no line of an export.")
            yield number, line
