"""The table of all commands in docs/cli.md holds each of them, and none that is not there."""

import re
from pathlib import Path
from typing import Any

import typer

from app.cli.main import app

DOCS = Path(__file__).parents[2] / "docs" / "cli.md"


def _paths(group: Any, before: str = "") -> set[str]:
    found: set[str] = set()
    for name, command in group.commands.items():
        if command.hidden:
            continue
        path = f"{before} {name}".strip()
        found |= _paths(command, path) if hasattr(command, "commands") else {path}
    return found


def _documented() -> set[str]:
    table = DOCS.read_text().partition("## All commands")[2].partition("\n## ")[0].replace("\\|", "/")
    found: set[str] = set()
    for each in re.findall(r"`([^`]+)`", table):
        *group, verbs = re.sub(r"\s+(\[.*?\]|-\S+)", "", each).split()
        found |= {" ".join([*group, verb]) for verb in verbs.split("/")}
    return found


def test_all_commands_compared_with_the_docs_are_the_same() -> None:
    assert _documented() == _paths(typer.main.get_command(app))
