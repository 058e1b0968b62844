"""What the documents tell people to type is what the command line takes."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from app.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
FENCED = re.compile(r"```(?:console|sh|yaml)\n(.*?)```", re.DOTALL)
ENDS = {"|", "||", "&&", ";", "<", ">", "&"}


def typed(document: Path) -> list[list[str]]:
    """Return the arguments of every `sluice …` in the document's code."""
    found = []
    for block in FENCED.findall(document.read_text()):
        for line in block.replace("\\\n", " ").splitlines():
            for match in re.finditer(r"(?:^|[\s(|])sluice ((?!is |:).*)", line):
                lexer = shlex.shlex(match[1].split("  #")[0], posix=True, punctuation_chars="|&;<>)")
                lexer.whitespace_split = True
                words: list[str] = []
                for word in lexer:
                    if word in ENDS or set(word) <= set("|&;<>)"):
                        break
                    words.append(word)
                if words and (line.startswith(("$ ", " ", "sluice")) or "$(sluice" in line or "| sluice" in line):
                    found.append(words)
    return found


def check(words: list[str]) -> None:
    command: Any = get_command(app)
    rest = list(words)
    while getattr(command, "commands", None) is not None:
        name = rest.pop(0)
        assert name in command.commands, f"sluice {' '.join(words)}: there is no command {name}"
        command = command.commands[name]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    for word in rest:
        if word.startswith("-") and word != "-":
            option = word.partition("=")[0]
            assert option in known, f"sluice {' '.join(words)}: there is no option {option}"


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        *(f"docs/{page}.md" for page in ("cli", "ci", "getting-started", "runs", "approvals", "halt")),
        *(f"docs/{page}.md" for page in ("people-and-tokens", "deploy", "variables", "state")),
    ],
)
def test_document_types_what_there_is(name: str) -> None:
    lines = typed(ROOT / name)
    assert lines
    for words in lines:
        check(words)


def test_check_finds_what_is_not_there() -> None:
    for words in (["plan", "--nope"], ["plam"], ["var", "put"]):
        with pytest.raises(AssertionError):
            check(words)
