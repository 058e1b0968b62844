"""`sluice halt` and `sluice resume` want to know why: given, asked for, or said to be missing."""

import sys
from collections.abc import Callable

import pytest
import typer

from app.cli import halting
from app.client.errors import LocalProblem


def why(reason: str | None, *, as_json: bool = False) -> str:
    return halting._why(reason, "Why", as_json=as_json)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A person at the terminal; what they were asked."""
    questions: list[str] = []

    def prompt(question: str, **_: object) -> str:
        questions.append(question)
        return "smoke in the rack"

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(typer, "prompt", prompt)
    return questions


def test_workspace_named_is_the_scope() -> None:
    assert (halting._scope(None, "prod"), halting._scope("workspace", "prod")) == ("workspace", "workspace")
    assert (halting._scope(None, None), halting._scope("everything", None)) == ("organization", "everything")


def test_scope_and_workspace_that_contradict_are_refused_with_the_remedy() -> None:
    with pytest.raises(LocalProblem, match="--scope workspace needs --workspace NAME"):
        halting._scope("workspace", None)
    with pytest.raises(LocalProblem, match="--scope everything contradicts it: leave one of them out"):
        halting._scope("everything", "prod")


def test_drill_with_a_reason_is_refused_since_nobody_would_see_it() -> None:
    with pytest.raises(LocalProblem, match="--drill takes --workspace and --json only"):
        halting.halt(reason="why", is_drill=True)


def test_reason_given_asks_nobody(asked: list[str]) -> None:
    assert (why("wrong account"), asked) == ("wrong account", [])


def test_reason_left_out_on_a_terminal_is_asked_for_before_anything_stops(asked: list[str]) -> None:
    assert (why(None), asked) == ("smoke in the rack", ["Why"])


def test_reason_left_out_in_a_script_holds_nothing_up(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert why(None, as_json=True) == halting.NO_REASON
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False)
    assert (why(None), asked) == (halting.NO_REASON, [])


def test_reason_that_is_not_given_at_the_question_does_nothing_and_says_so(
    asked: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> str:
        raise typer.Abort

    monkeypatch.setattr(typer, "prompt", interrupted)
    with pytest.raises(typer.Abort):
        why(None)
    assert "nothing was done" in capsys.readouterr().err


@pytest.mark.parametrize("empty", ["", "  "])
def test_reason_that_is_empty_is_refused_with_the_remedy(empty: str) -> None:
    with pytest.raises(LocalProblem, match="--reason is empty"):
        why(empty)


@pytest.mark.parametrize("command", [halting.halt, halting.resume])
def test_scope_that_does_not_fit_is_refused_before_anybody_is_asked(
    asked: list[str], command: Callable[..., None]
) -> None:
    with pytest.raises(LocalProblem, match="--scope everything contradicts it"):
        command(scope="everything", workspace="prod")
    assert asked == []
