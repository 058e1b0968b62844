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
