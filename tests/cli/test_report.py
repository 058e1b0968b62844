"""What the command line says of a run."""

from typing import Any, cast

import pytest

from app.cli import following, report, state
from app.client import SluiceClient
from app.client.models import Run


def said(capsys: pytest.CaptureFixture[str], **fields: Any) -> str:
    run = Run.model_validate(
        {"id": "run-1", "kind": "apply", "url": "http://here/run-1", "workspace": {"id": "ws-1", "name": "prod"}}
        | fields
    )
    report.print_run(cast(SluiceClient, None), run)
    return capsys.readouterr().out


STOPPED = {"phase": "applying", "message": "`apply` was stopped: halt."}


def test_run_that_was_stopped_says_who_and_when_and_not_that_it_failed(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, status="cancelled", status_reason="Halted by Ada: wrong account", failure=STOPPED)
    assert "  Stopped while applying: `apply` was stopped: halt.\n  Halted by Ada: wrong account\n" in text
    assert "Failed" not in text


def test_run_that_failed_says_where(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, status="errored", status_reason="boom", failure={"phase": "applying", "message": "boom"})
    assert text.count("boom") == 1
    assert "  Failed while applying: boom\n" in text


def test_nested_output_keeps_its_letters() -> None:
    assert state._value({"value": {"name": "Zoë 🚀"}}) == '{"name": "Zoë 🚀"}'


PLACE = {"position": 2, "code": "workspace_busy", "reason": "Waits for run-7 (apply), which is at work."}


def test_run_that_is_queued_says_its_place_and_what_it_waits_for(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, status="queued", queue=PLACE)
    assert "  2nd in the queue. Waits for run-7 (apply), which is at work.\n" in text


def test_place_is_said_when_it_changes_and_only_then(capsys: pytest.CaptureFixture[str]) -> None:
    fields = {"id": "run-1", "kind": "plan", "url": "http://here", "workspace": {"id": "ws-1", "name": "prod"}}
    with following.Show() as show:
        for place in (PLACE, PLACE, PLACE | {"position": 1}, PLACE | {"position": 1, "code": "starting"}, None):
            show.run(Run.model_validate(fields | {"status": "queued", "queue": place}))
    lines = capsys.readouterr().err.splitlines()
    assert [line[:18] for line in lines] == ["2nd in the queue. ", "1st in the queue. "]


OVERRIDE = {
    "actor": {"name": "Bo"},
    "policy_set_uris": ["policies/no_local_exec"],
    "reason": "moves on Monday",
    "expires_at": "2026-11-21T19:47:50+00:00",
    "ended_at": None,
    "end_reason": None,
}


def test_overrides_are_shown_with_their_reason_and_their_end(capsys: pytest.CaptureFixture[str]) -> None:
    ended = OVERRIDE | {"ended_at": "2026-11-21T12:00:00+00:00", "end_reason": "The policies changed."}
    text = said(capsys, status="awaiting_approval", overrides=[ended, OVERRIDE])
    assert "  policies/no_local_exec overridden by Bo, ended 2026-11-21 12:00:00: The policies changed.\n" in text
    assert "  policies/no_local_exec overridden by Bo, until 2026-11-21 19:47:50\n    moves on Monday\n" in text


@pytest.mark.parametrize(("verdict", "may"), [("blocked_soft", True), ("blocked_hard", False)])
def test_blocked_run_names_the_override_only_where_it_is_possible(
    capsys: pytest.CaptureFixture[str], verdict: str, may: bool
) -> None:
    fields = {"id": "run-1", "kind": "plan", "url": "http://here", "workspace": {"id": "ws-1", "name": "prod"}}
    report.print_next_steps(Run.model_validate(fields | {"status": "policy_blocked", "verdict": verdict}))
    assert ("sluice override run-1" in capsys.readouterr().out) is may


def test_rejected_run_says_who_must_revoke_and_not_that_it_waits_for_approvals(
    capsys: pytest.CaptureFixture[str],
) -> None:
    fields = {"id": "run-1", "kind": "plan", "url": "http://here", "workspace": {"id": "ws-1", "name": "prod"}}
    rejection = {"decision": "reject", "actor": {"id": "user-1", "name": "Ada"}, "voided_at": None}
    stale = {"decision": "reject", "actor": {"id": "user-2", "name": "Bo"}, "voided_at": None}
    detail = {
        "decisions": [rejection, stale],
        "because": ["0 of 1 approvals", "Ada rejected it", "Bo's rejection does not count: Bo was disabled"],
        "rejected_by": ["user-1"],
    }
    report.print_next_steps(Run.read(fields | {"status": "awaiting_approval", "approvals_detail": detail}))
    said = capsys.readouterr().out
    assert "Ada" in said
    assert "revoke" in said
    assert "sluice approve" not in said
    assert "Bo" not in said
