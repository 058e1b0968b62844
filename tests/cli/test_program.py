"""The program's parts that need no server: help, usage errors, exit codes, credentials, text."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from app.cli import access, output, program, report
from app.cli.main import app
from app.client import LocalProblem, Run
from tests.support.guards import spawning

PROGRAM = get_command(app)
RUNNER = CliRunner()
SERVERS = {("up",), ("api",), ("worker",), ("beat",)}


def commands(found: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    inner = getattr(found, "commands", None)
    if inner is None:
        yield path, found
        return
    for name, command in inner.items():
        yield from commands(command, (*path, name))


COMMANDS = [item for item in commands(PROGRAM) if item[0] not in SERVERS and not item[1].hidden]


@pytest.fixture(autouse=True)
def _nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SLUICE_URL", "SLUICE_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=[" ".join(path) for path, _ in COMMANDS])
def test_command_explains_itself_with_an_example_and_takes_json(path: tuple[str, ...], command: Any) -> None:
    assert "Example" in command.help, "the help ends with an example"
    assert f"sluice {' '.join(path)}" in command.help
    assert "--json" in {option for parameter in command.params for option in parameter.opts}
    for parameter in command.params:
        assert getattr(parameter, "help", None), f"{parameter.name} says what it is"
    shown = RUNNER.invoke(app, [*path, "--help"])
    assert shown.exit_code == 0


def test_output_that_the_terminal_can_not_show_is_no_reason_to_fail() -> None:
    script = "from app.cli.main import app; app(['plan', '--help'])"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    with spawning("a fresh interpreter, with another encoding"):
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr


def test_help_loads_neither_http_nor_models() -> None:
    heavy = ("httpx", "pydantic", "websockets", "sqlalchemy", "celery", "fastapi", "yaml", "rich.progress")
    script = f"import app.cli.main, sys; print([name for name in {heavy!r} if name in sys.modules])"
    with spawning("a fresh interpreter, to see what it loads"):
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["plam"], "Did you mean 'plan'"),
        (["plan", "."], "--workspace"),
        (["plan", ".", "-w", "x", "--nope"], "--nope"),
        (["plan", "-w", "x", "--destroy", "--refresh-only"], "exclude each other"),
        (["runs", "--status", "nope"], "nope"),
        (["var", "set", "-w", "x", "KEY"], "--value-stdin"),
        (["var", "set", "-w", "x", "A=1", "B=2", "--value-stdin"], "one KEY"),
        (["halt", "--reason", "x", "--scope", "workspace"], "--workspace"),
        (["halt", "prod-network", "--reason", "x"], "A workspace is named by --workspace"),
        (["workspace", "set", "x"], "token"),
        (["workspace", "set", "x", "--no-more-approvals", "--more-approvals", "deletes=2"], "contradict each other"),
        (["workspace", "set", "x", "--any-approver", "--approver-team", "platform"], "contradict each other"),
        (["notification", "set", "x"], "Nothing to change"),
    ],
)
def test_mistake_in_arguments_exits_1_and_says_which(arguments: list[str], words: str) -> None:
    ended = RUNNER.invoke(app, arguments)
    assert ended.exit_code == 1
    assert words in ended.stderr
    assert ended.stdout == ""


@pytest.mark.parametrize("arguments", [["plan", "."], ["plan", "-w", "x"], ["runs", "--limit", "0"], ["nope"]])
def test_mistake_with_json_prints_one_problem(arguments: list[str]) -> None:
    ended = RUNNER.invoke(app, [*arguments, "--json"])
    assert ended.exit_code == 1
    problem = json.loads(ended.stdout)
    assert {"type", "title", "status", "detail", "code"} <= problem.keys()


def run(**fields: Any) -> Run:
    workspace = {"id": "ws-1", "name": "w"}
    return Run.read({"id": "run-1", "kind": "plan", "url": "http://x", "workspace": workspace, **fields})


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"status": "no_changes", "has_changes": False, "verdict": "passed"}, 0),
        ({"status": "applied", "has_changes": True, "verdict": "passed"}, 0),
        ({"status": "awaiting_approval", "has_changes": True, "verdict": "passed"}, 2),
        ({"status": "awaiting_approval", "has_changes": True, "verdict": "advisory"}, 2),
        ({"status": "approved", "has_changes": True, "verdict": "passed"}, 2),
        ({"status": "policy_blocked", "has_changes": True, "verdict": "blocked_soft"}, 3),
        ({"status": "policy_blocked", "has_changes": True, "verdict": "blocked_hard"}, 3),
        ({"status": "planned", "is_speculative": True, "has_changes": True, "verdict": "passed"}, 2),
        ({"status": "planned", "is_speculative": True, "has_changes": True, "verdict": "advisory"}, 2),
        ({"status": "planned", "is_speculative": True, "has_changes": False, "verdict": "passed"}, 0),
        ({"status": "planned", "is_speculative": True, "has_changes": True, "verdict": "blocked_hard"}, 3),
        ({"status": "planned", "is_speculative": True, "has_changes": False, "verdict": "blocked_soft"}, 3),
        ({"status": "errored"}, 1),
        ({"status": "cancelled", "has_changes": True, "verdict": "passed"}, 1),
        ({"status": "superseded", "has_changes": True, "verdict": "passed"}, 1),
        ({"status": "discarded", "has_changes": True, "verdict": "passed"}, 1),
    ],
)
def test_plan_exit_code_is_by_verdict_and_changes(fields: dict[str, Any], code: int) -> None:
    assert report.plan_exit_code(run(**fields)) == code


def test_run_document_has_what_scripts_rely_on_before_there_is_a_plan() -> None:
    document = report.run_document(run(status="queued", summary=None))
    assert document["summary"] == {"add": None, "change": None, "destroy": None, "replace": None}
    assert document["timings"] == {}
    assert {"id", "status", "url"} <= document.keys()


def test_counts_line_says_signs_and_words() -> None:
    summary = {"add": 3, "change": 4, "replace": 2, "destroy": 1, "move": 0}
    minus = "\N{MINUS SIGN}"
    assert report.counts_line(summary).plain == f"+3 to add  ~4 to change  {minus}/+2 to replace  {minus}1 to destroy"
    assert report.short_counts(summary).plain == f"+3 ~4 {minus}/+2 {minus}1"


def test_clean_text_can_not_move_the_cursor() -> None:
    assert output.clean("a\x1b[2Jb\x1b]0;title\x07c\rd\te\n") == "ab]0;titlec\nd\te\n"


def test_clean_text_shows_what_would_turn_its_direction_or_be_invisible() -> None:
    assert output.clean("ok \u202egnp.evil\u2066\u200f") == "ok <U+202E>gnp.evil<U+2066><U+200F>"


def test_access_environment_wins_and_a_stored_token_goes_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    file = access.store("https://sluice.example.org", "slc_stored")
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    found = access.find_access()
    assert (found.url, found.token) == ("https://sluice.example.org", "slc_stored")
    assert "slc_stored" not in repr(found)

    monkeypatch.setenv("SLUICE_URL", "https://elsewhere.example.org")
    assert access.find_access().token is None
    monkeypatch.setenv("SLUICE_URL", "https://sluice.example.org/")
    assert access.find_access().token == "slc_stored"
    monkeypatch.setenv("SLUICE_TOKEN", "slc_env")
    assert access.find_access().token == "slc_env"


def test_access_without_token_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LocalProblem, match="SLUICE_TOKEN") as refused:
        access.connect()
    assert refused.value.code == "token_missing"
    access.credentials_file().parent.mkdir(parents=True)
    access.credentials_file().write_text("{")
    with pytest.raises(LocalProblem, match="sluice login"):
        access.find_access()


def test_server_that_is_not_there_is_named_with_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.client.sync.PATIENCE_SECONDS", 0.0)
    monkeypatch.setenv("SLUICE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("SLUICE_TOKEN", "slc_x")
    ended = RUNNER.invoke(app, ["runs", "--json"])
    assert ended.exit_code == 1
    assert json.loads(ended.stdout)["code"] == "unreachable"
    assert "http://127.0.0.1:1" in ended.stderr
    assert "SLUICE_URL" in ended.stderr


def test_help_text_joins_paragraphs_and_keeps_examples_apart() -> None:
    shown = program.help_text(
        "First\n    line.\n\n    Second\n    paragraph.\n\n    Examples:\n      a b\n\n      c d\n    "
    )
    assert shown == "First line.\n\nSecond paragraph.\n\nExamples:\n  a b\n  c d"


def test_statuses_to_choose_runs_by_are_those_of_the_run_machine() -> None:
    from app.cli.runs import Status as Choice
    from app.runs.schemas import Status

    assert [choice.value for choice in Choice] == [status.value for status in Status]
