"""What became of a run: its JSON document, its summary for people, and its exit code."""

from typing import TYPE_CHECKING, Any

from app.cli.output import DASH, MINUS, clean, console, print_table, status_text, styled
from app.cli.program import BLOCKED, CHANGES, DONE, FAILED
from app.client import calls
from app.client.errors import ApiError, ClientError

if TYPE_CHECKING:
    from rich.console import Console

    from app.client import Run, SluiceClient

COUNTS = ("add", "change", "destroy", "replace")
_SIGNS = (
    ("add", "+", "green", "to add"),
    ("change", "~", "yellow", "to change"),
    ("replace", f"{MINUS}/+", "magenta", "to replace"),
    ("destroy", MINUS, "red", "to destroy"),
    ("move", "→", "cyan", "to move"),
    ("forget", "x", "cyan", "to forget"),
    ("import", "←", "cyan", "to import"),
)
_NAMED = 12
_MOVED = (
    "approval_expired",
    "approval_rules_moved",
    "approval_taken_back",
    "backend_moved",
    "engine_moved",
    "outputs_moved",
    "override_ended",
    "plan_altered",
    "plan_stale",
    "plan_too_old",
    "policies_moved",
    "quorum_lost",
    "rights_moved",
    "spec_moved",
    "state_moved",
    "variables_moved",
)
"""The codes of plans that are over because something moved."""


def run_document(run: "Run") -> dict[str, Any]:
    """Return a run as the API gave it; ``summary`` is always an object, its counts null while there is no plan."""
    summary = run.document.get("summary") or dict.fromkeys(COUNTS)
    return {**run.document, "summary": summary, "timings": run.document.get("timings") or {}}


def plan_exit_code(run: "Run") -> int:
    """Return the exit code of a plan that was waited for: by verdict and changes, speculative or not."""
    if run.status in {"no_changes", "applied"} and not run.is_blocked:
        return DONE
    if run.is_blocked:
        return BLOCKED
    if run.status in {"awaiting_approval", "approved", "planned"}:
        return CHANGES if run.has_changes else DONE
    return FAILED


def counts_line(summary: dict[str, Any] | None) -> Any:
    """Return counts as signs and words, coloured."""
    from rich.text import Text

    line = Text()
    for name, sign, style, words in _SIGNS:
        if count := (summary or {}).get(name):
            line.append(f"{sign}{count} {words}", style).append("  ")
    line.rstrip()
    return line


def short_counts(summary: dict[str, Any] | None) -> Any:
    """Return counts as signs alone, for tables."""
    from rich.text import Text

    line = Text()
    for name, sign, style, _ in _SIGNS:
        if count := (summary or {}).get(name):
            line.append(f"{sign}{count}", style).append(" ")
    line.rstrip()
    return line if line.plain else Text(DASH)


def print_run(client: "SluiceClient", run: "Run") -> None:
    """Write a compact summary of a run for people."""
    out = console()
    document = run.document
    head = styled(f"{run.id}  ", "bold")
    head.append(f"{run.kind}{' (speculative)' if run.is_speculative else ''} of {clean(run.workspace.name)}  ")
    head.append_text(status_text(run.status))
    out.print(head)
    if run.message:
        out.print(f"  {clean(run.message)}")
    if run.queue is not None:
        out.print(f"  {clean(run.queue.words)}")
    if run.summary is not None:
        _print_counts(out, run)
    _print_outputs_read(out, run)
    _print_losses(out, client, run)
    _print_policies(out, run)
    _print_overrides(out, run)
    _print_failure(out, run)
    if run.status_reason and (run.failure is None or run.status == "cancelled"):
        out.print(f"  {clean(run.status_reason)}")
    seconds = (document.get("timings") or {}).get("total_seconds")
    out.print(f"  {run.url}{f'  ({seconds:.1f} s)' if isinstance(seconds, int | float) else ''}")


def _print_outputs_read(out: "Console", run: "Run") -> None:
    for item in run.document.get("upstream_outputs") or []:
        source = f"{item['workspace']}.{item['output']}{' (sensitive)' if item['sensitive'] else ''}"
        out.print(clean(f"  {item['input']} is read from {source}, state version {item['number']}"))


def _print_counts(out: "Console", run: "Run") -> None:
    line = counts_line(run.document.get("summary"))
    outputs = run.document.get("output_changes")
    if line.plain:
        out.print(styled("  ", "").append_text(line))
    elif (to := (run.document.get("target") or {}).get("state_backend")) and run.has_changes:
        verb = "moved" if run.status == "applied" else "moves"
        out.print(f"  The state {verb} to {clean(str(to))}; no resource changes.")
    elif run.kind == "rollback" and run.has_changes is False:
        out.print(styled("  No changes: that version says what the current state says.", "green"))
    elif run.has_changes:
        out.print(f"  No resource changes; {outputs or 'some'} output(s) or addresses change.")
    elif run.has_changes is False:
        out.print(styled("  No changes: what is there is what the configuration says.", "green"))
    if drift := run.document.get("drift_count"):
        out.print(f"  {drift} resource(s) drifted: changed outside of Sluice.")


def _print_losses(out: "Console", client: "SluiceClient", run: "Run") -> None:
    """Say by name what an apply destroys, or has destroyed."""
    may_come = not run.is_final or run.status in {"planned", "applied"}
    if run.summary is None or not (run.summary.destroy or run.summary.replace) or not may_come:
        return
    try:
        plan = client.send(calls.get_plan(run.id))
    except ClientError:
        return
    lost = [item["address"] for item in plan.get("resources", []) if item.get("action") in {"delete", "replace"}]
    if not lost:
        return
    named = ", ".join(clean(address) for address in lost[:_NAMED])
    more = f" and {len(lost) - _NAMED} more" if len(lost) > _NAMED else ""
    is_past = run.status == "applied"
    verb = "Destroyed, with what it held:" if is_past else "Applying this destroys, with what it holds:"
    out.print(styled(f"  {verb} {named}{more}.", "bold red"))


def _print_policies(out: "Console", run: "Run") -> None:
    for check in run.policy_checks:
        findings = check.get("findings") or []
        if check.get("outcome") == "passed" and not findings:
            continue
        level, uri = check.get("enforcement_level", ""), check.get("policy_set_uri", "")
        style = "red" if check.get("outcome") != "passed" and level != "advisory" else "yellow"
        out.print(styled(f"  {level} {uri}: {check.get('outcome')}", style))
        if check.get("error"):
            out.print(f"    could not be evaluated: {clean(str(check['error']))}")
        for finding in findings:
            where = f" ({finding['address']})" if finding.get("address") else ""
            out.print(f"    {finding.get('kind')}: {clean(str(finding.get('message')))}{clean(where)}")
            if finding.get("remedy"):
                out.print(f"      {clean(str(finding['remedy']))}")


def _print_overrides(out: "Console", run: "Run") -> None:
    from app.cli.output import moment

    for item in run.overrides:
        who, sets = clean(str(item["actor"]["name"])), clean(", ".join(item["policy_set_uris"]))
        ended = f"ended {moment(item['ended_at'])}: {item['end_reason']}" if item.get("ended_at") else None
        until = ended or f"until {moment(item['expires_at'])}"
        out.print(styled(f"  {sets} overridden by {who}, {clean(until)}", "yellow"))
        out.print(f"    {clean(str(item['reason']))}")


def _print_failure(out: "Console", run: "Run") -> None:
    if run.failure is None:
        return
    diagnostics = run.failure.get("diagnostics") or []
    verb = "Stopped" if run.status == "cancelled" else "Failed"
    out.print(styled(f"  {verb} while {str(run.failure.get('phase', '')).replace('_', ' ')}:", "red"), end=" ")
    # The message of an engine's failure is its diagnostics once more, in one text.
    out.print(
        clean(
            str(run.failure.get("message", "")).partition("\n")[0]
            if diagnostics
            else str(run.failure.get("message", ""))
        )
    )
    for diagnostic in diagnostics:
        file, line = diagnostic.get("file") or diagnostic.get("filename"), diagnostic.get("line")
        where = f" ({file}{f':{line}' if line else ''})" if file else ""
        out.print(
            f"    {clean(str(diagnostic.get('severity', 'error')))}: {clean(str(diagnostic.get('summary', '')))}{where}"
        )
        for text in clean(str(diagnostic.get("detail") or "")).splitlines():
            out.print(f"      {text}")


def print_next_steps(run: "Run") -> None:
    """Say what can be done now."""
    have = run.approvals
    rejecters = _rejecters(run)
    steps = {
        "awaiting_approval": f"Rejected by {' and '.join(rejecters)}: nothing goes on until that is revoked "
        f"(`sluice revoke {run.id}`); or `sluice discard {run.id}`."
        if rejecters
        else f"Waits for approval{f' ({have.have} of {have.need})' if have else ''}: "
        f"`sluice approve {run.id}`, or `sluice discard {run.id}`.",
        "policy_blocked": f"A policy blocks it. Change the configuration and plan again, or `sluice discard {run.id}`."
        + (
            f" A second person may `sluice override {run.id} --reason …`, since what denies it is soft-mandatory."
            if run.verdict == "blocked_soft"
            else ""
        ),
        "approved": f"Approved; its apply is {run.child_run_id}: `sluice logs -f {run.id}`.",
        "queued": f"Queued: `sluice logs -f {run.id}` follows it, `sluice cancel {run.id}` takes it back.",
        "running": f"Runs: `sluice logs -f {run.id}` follows it, `sluice cancel {run.id}` interrupts it.",
    }
    if run.status in steps:
        console().print(f"  {steps[run.status]}")


def _rejecters(run: "Run") -> list[str]:
    """Return the names of those whose rejection keeps the quorum from being reached."""
    detail = run.document.get("approvals_detail") or {}
    names = {decision["actor"]["id"]: str(decision["actor"]["name"]) for decision in detail.get("decisions", [])}
    return [clean(names[person]) for person in detail.get("rejected_by", []) if person in names]


def print_runs(runs: "list[Run]") -> None:
    """Write runs as a table."""
    from app.cli.output import moment

    waits = any(run.queue is not None for run in runs)
    rows = (
        (
            run.id,
            run.workspace.name,
            f"{run.kind}{' (speculative)' if run.is_speculative else ''}",
            status_text(run.status),
            short_counts(run.document.get("summary")),
            moment(run.document.get("created_at")),
            *([clean(run.queue.words) if run.queue is not None else ""] if waits else []),
            run.message,
        )
        for run in runs
    )
    columns = ("Run", "Workspace", "Kind", "Status", "Changes", "Requested", *(["Queue"] if waits else []), "Message")
    print_table(columns, rows, "No runs.")


def approval_remedy(error: ApiError, run_id: str) -> str | None:
    """Return what to do about a refusal to apply or approve, in terms of commands."""
    return {
        "approval_required": f"`sluice approve {run_id}` (a person with the right), then `sluice apply {run_id}`.",
        "self_approval_forbidden": "Let someone else approve it; or, where one person is enough, an admin allows it "
        "with `sluice workspace set NAME --requester-may-approve`.",
        **dict.fromkeys(_MOVED, "Plan again: what was planned from, or what approved it, has moved."),
        "plan_rejected": f"Who rejected it revokes that, or approves: `sluice run show {run_id}` names them.",
        "approvals_void": f"`sluice approve {run_id}` anew; `sluice run show {run_id}` says what changed.",
        "policy_blocked": f"`sluice run show {run_id}` shows which policy, and why.",
    }.get(error.code)
