#!/usr/bin/env python3
"""Write the tables that are made from code into the docs; with ``--check`` only compare.

A table stands between `<!-- table: NAME -->` and `<!-- /table -->`.
"""

import importlib
import pkgutil
import re
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
DOCUMENTS = (ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").glob("*.md")))
_BLOCK = re.compile(r"(<!-- table: (?P<name>[a-z-]+) -->\n).*?(\n<!-- /table -->)", re.DOTALL)


def run_states() -> str:
    """Return the run state machine."""
    from app.runs.machine import markdown_table

    return markdown_table()


def settings() -> str:
    """Return every setting with its default."""
    from app.core.settings import Settings

    lines = ["| variable | default | what it is |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        if field.default_factory is not None:
            default = "`~/.local/share/sluice`" if name == "home" else "empty"
        elif field.default is None or field.default == "":
            default = "unset"
        else:
            default = f"`{field.default}`"
        lines.append(f"| `SLUICE_{name.upper()}` | {default} | {field.description} |")
    return "\n".join(lines)


def _import_all() -> None:
    import app

    for module in pkgutil.walk_packages(app.__path__, "app."):
        if "migrations" not in module.name and not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def error_codes() -> str:
    """Return every error that may reach a caller of the API."""
    from app.core.errors import AppError

    _import_all()

    def below(parent: type[AppError]) -> set[type[AppError]]:
        return {parent}.union(*(below(child) for child in parent.__subclasses__()))

    # Errors of `sluice up` are sentences on a terminal; they never leave by the API.
    errors = [error for error in below(AppError) if not error.__module__.startswith(("app.embedded", "tests"))]
    # What has no code of its own is the base of others.
    errors = [error for error in errors if "code" in vars(error)]
    lines = ["| code | status | title | when |", "|---|---|---|---|"]
    for error in sorted(errors, key=lambda found: (found.code, found.__name__)):
        summary = (error.__doc__ or "").strip().partition("\n\n")[0]
        lines.append(f"| `{error.code}` | {error.status} | {error.title} | {' '.join(summary.split())} |")
    return "\n".join(lines)


def ways_around() -> str:
    """Return every way around the gate that is tested, and what answers."""
    from tests.runs.ways import WAYS

    lines = ["| tried | answered |", "|---|---|"]
    for way in WAYS:
        answer = f"`{way.code}`" if way.code is not None else way.instead
        lines.append(f"| {way.tried} | {answer}{', and the plan is superseded' if way.ends else ''} |")
    return "\n".join(lines)


def permissions() -> str:
    """Return every permission, and which role holds it."""
    from app.core.permissions import PERSON_ONLY, Permission
    from app.identity.roles import PERMISSIONS

    roles = [str(getattr(role, "value", role)) for role in PERMISSIONS]
    lines = [f"| permission | {' | '.join(roles)} | people only |", "|---|" + "---|" * (len(roles) + 1)]
    for permission in Permission:
        held = ["yes" if permission in PERMISSIONS[role] else "" for role in PERMISSIONS]
        lines.append(f"| `{permission}` | {' | '.join(held)} | {'yes' if permission in PERSON_ONLY else ''} |")
    return "\n".join(lines)


def roles() -> str:
    """Return every role, and what it is for."""
    from app.identity.roles import DESCRIPTIONS

    lines = ["| role | what it is for |", "|---|---|"]
    lines += [f"| `{role}` | {words} |" for role, words in DESCRIPTIONS.items()]
    return "\n".join(lines)


def tasks() -> str:
    """Return every task and what it does."""
    from app.core.schedule import BEAT_SCHEDULE
    from app.worker import app

    every = {entry["task"]: entry["schedule"] for entry in BEAT_SCHEDULE.values()}
    lines = ["| task | sent | what it does |", "|---|---|---|"]
    for name in sorted(app.tasks):
        if not name.startswith("celery."):
            summary = " ".join((app.tasks[name].__doc__ or "").strip().partition("\n\n")[0].split())
            sent = f"every {every[name]:g} s" if name in every else "after commit"
            lines.append(f"| `{name}` | {sent} | {summary} |")
    return "\n".join(lines)


TABLES: dict[str, Callable[[], str]] = {
    "run-states": run_states,
    "settings": settings,
    "error-codes": error_codes,
    "permissions": permissions,
    "roles": roles,
    "tasks": tasks,
    "ways-around": ways_around,
}


def rendered(text: str) -> str:
    """Return ``text`` with every table made anew. Raises ``KeyError`` for a table that nobody makes."""

    def table(found: re.Match[str]) -> str:
        return f"{found.group(1)}{TABLES[found.group('name')]()}{found.group(3)}"

    return _BLOCK.sub(table, text)


def names(text: str) -> set[str]:
    """Return the names of the tables in ``text``."""
    return {found.group("name") for found in _BLOCK.finditer(text)}


def main() -> int:
    """Write the documents, or exit 1 when one differs from what the code says."""
    stale = []
    for document in DOCUMENTS:
        text = document.read_text()
        fresh = rendered(text)
        if fresh != text:
            stale.append(document.relative_to(ROOT))
            if "--check" not in sys.argv[1:]:
                document.write_text(fresh)
    if "--check" in sys.argv[1:]:
        for document in stale:
            print(f"{document} is not what the code says: run `make docs` and commit it.", file=sys.stderr)
        return 1 if stale else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
