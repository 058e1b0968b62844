"""How `sluice audit verify` has the chain checked: by the server page by page, or here, of an export."""

import tempfile
from pathlib import Path
from typing import Any

import typer

from app.cli.access import connect
from app.client.errors import LocalProblem

Report = dict[str, Any]
Anchor = tuple[int, str | None]


def parse_anchor(text: str | None) -> Anchor:
    """Read ``POSITION`` or ``POSITION:HASH``. Raises ``LocalProblem``."""
    if text is None:
        return 0, None
    position, _, digest = text.partition(":")
    if not position.isdecimal() or (digest and (len(digest) != 64 or set(digest) - set("0123456789abcdef"))):
        raise LocalProblem(f"--since {text} is neither a position nor POSITION:HASH.", "usage")
    return int(position), digest or None


def check_there(anchor: Anchor) -> Report:
    """Have the server check page after page, and return all of it as one report."""
    from app.client.audit_calls import audit_chain

    after, previous = anchor
    whole: Report = {}
    with connect() as client:
        while True:
            page = client.send(audit_chain(after, previous))
            whole = _joined(whole, page)
            if page["is_complete"]:
                return whole
            after, previous = page["head_position"], page["head_hash"]


def _joined(whole: Report, page: Report) -> Report:
    if not whole:
        return page
    first = whole if whole["finding"] is not None else page
    return {
        **page,
        **{name: first[name] for name in ("finding", "broken_at", "row", "message")},
        "is_intact": whole["is_intact"] and page["is_intact"],
        "checked": whole["checked"] + page["checked"],
        "checkpoints": whole["checkpoints"] + page["checkpoints"],
        "findings": [*whole["findings"], *page["findings"]],
    }


def check_here(file: Path | None, keys: list[str], anchor: Anchor) -> Report:
    """Check an export, of the server when no file is named. Raises ``LocalProblem``."""
    from app.core.checkpoints import PublicKey
    from app.core.export_check import ExportInvalid, check_export

    if not keys:
        raise LocalProblem("Name the key that you trust: --public-key, as `sluice audit key` prints it.", "usage")
    try:
        trusted = [PublicKey.parse(key) for key in keys]
    except ValueError as error:
        raise LocalProblem(f"--public-key: {error}.", "usage") from None
    position, digest = anchor
    since = (position, digest) if digest is not None else None
    try:
        if file is not None:
            report = check_export(file, trusted, since=since)
        else:
            with tempfile.TemporaryDirectory(prefix="sluice-audit-") as directory:
                report = check_export(_fetched(Path(directory), anchor), trusted, since=since)
    except ExportInvalid as error:
        raise LocalProblem(str(error), "export_invalid") from None
    except (OSError, UnicodeDecodeError) as error:
        raise LocalProblem(f"{file} can't be read: {error}.", "file_unreadable") from None
    first = report.findings[0] if report.findings else None
    return {
        **report.model_dump(mode="json"),
        "is_complete": True,
        "finding": first.finding if first is not None else None,
        "broken_at": first.first_position if first is not None else None,
        "row": first.row.model_dump(mode="json") if first is not None and first.row is not None else None,
        "message": first.message if first is not None else "The export is intact.",
    }


def _fetched(directory: Path, anchor: Anchor) -> Path:
    from app.client.audit_calls import export_audit

    file = directory / "audit.jsonl"
    with connect() as client, file.open("w", encoding="utf-8") as opened:
        for line in client.lines(export_audit(after=anchor[0])):
            opened.write(f"{line}\n")
    return file


def show(report: Report, *, as_json: bool) -> None:
    """Write a report: what is proven to standard output, what is wrong to standard error."""
    from app.cli.output import print_json, say

    if as_json:
        print_json(report)
        return
    if report["is_intact"]:
        typer.echo(f"Intact: {report['checked']} events, head {report['head_hash']} at {report['head_position']}.")
        typer.echo(
            f"Signed checkpoints: {report['checkpoints']}, the last of position {report['checkpoint_position']}."
        )
        return
    for found in report["findings"]:
        say(f"{found['finding']}: {found['message']}")
