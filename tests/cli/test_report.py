"""What the command line says of a run."""

from typing import Any, cast

import pytest

from app.cli import report, state
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
