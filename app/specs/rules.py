"""What the fields of a spec may hold, and the remedy for what they may not. Pure."""

import re
import unicodedata
from typing import Any

from packaging.version import InvalidVersion, Version
from pydantic_core import PydanticCustomError

from app.specs.reading import LIMIT_DEPTH

NAME_PATTERN = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,88}[a-z0-9])?")
NAME_REMEDY = "use 1 to 90 lower-case letters, digits, '.', '_' and '-', beginning and ending with a letter or digit"
TAG_PATTERN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9:=._/-]{0,62}[A-Za-z0-9])?")
TAG_REMEDY = "use 1 to 64 letters, digits, ':', '=', '.', '_', '/' and '-'"

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,127}")
_RESERVED_INPUTS = frozenset(
    {"source", "version", "providers", "count", "for_each", "lifecycle", "depends_on", "locals"}
)
DIGEST_PATTERN = re.compile(r"[0-9a-f]{64}")
_SECRET = re.compile(r"variable:[A-Za-z_][A-Za-z0-9_-]{0,127}")
_OUTPUT = re.compile(rf"workspace:({NAME_PATTERN.pattern})\.([A-Za-z_][A-Za-z0-9_-]{{0,127}})")
_CONSTRAINT = re.compile(r"(=|!=|>=|<=|>|<|~>)?\s*([0-9]+(?:\.[0-9]+){0,2}(?:-[0-9A-Za-z.-]+)?)")
_SAFE_INTEGER = 2**53 - 1
LIMIT_MODULE_PATH = 512


def refuse(message: str) -> PydanticCustomError:
    """Return the error that a validator raises: ``message`` says what is wrong and what to write instead."""
    return PydanticCustomError("refused", "{reason}", {"reason": message})


def check_name(value: str) -> str:
    """Return a stack's or workspace's name; raise ``PydanticCustomError`` with the remedy."""
    if not NAME_PATTERN.fullmatch(value):
        raise refuse(f"{value[:100]!r} is not a name: {NAME_REMEDY}")
    return value


def check_tags(values: list[str]) -> list[str]:
    """Return tags, each once and in order; raise ``PydanticCustomError`` with the remedy."""
    if len(values) > 50:
        raise refuse("at most 50 tags are allowed")
    for value in values:
        if not TAG_PATTERN.fullmatch(value):
            raise refuse(f"{value[:80]!r} is not a tag: {TAG_REMEDY}")
    return sorted(set(values))


def check_module_path(value: str) -> str:
    """Return a relative directory in canonical form (no leading ``./``, no ``..``); raise with the remedy."""
    path = value.strip("/") if not value.startswith("/") else value
    while path.startswith("./"):
        path = path[2:]
    if path in {"", "."}:
        return ""
    segments = path.split("/")
    bad = path.startswith("/") or "\\" in path or not path.isprintable() or len(path) > LIMIT_MODULE_PATH
    if bad or any(segment in {"", ".", ".."} for segment in segments):
        raise refuse("must be a relative directory inside the configuration, such as envs/prod, without '..'")
    return path


def text_problem(value: str) -> str | None:
    """Return what neither the engine nor the database can hold in ``value``, or None."""
    if "\x00" in value:
        return "holds a NUL character: remove it"
    if any("\ud800" <= character <= "\udfff" for character in value):
        return "holds half of a surrogate pair, which is no character: remove it"
    return None


def check_text(value: str) -> None:
    """Raise for text that neither the engine nor the database can hold."""
    problem = text_problem(value)
    if problem is not None:
        raise refuse(problem)


def parse_version_constraint(text: str) -> list[tuple[str, Version]]:
    """Parse ``>= 1.6, < 2`` into operators and versions. Raises ``ValueError`` that names the wrong part."""
    parts: list[tuple[str, Version]] = []
    for part in text.split(","):
        match = _CONSTRAINT.fullmatch(part.strip())
        if match is None:
            raise ValueError(f"{part.strip()!r} is not a version constraint: write, for example, '>= 1.6, < 2'")
        try:
            parts.append((match[1] or "=", Version(match[2])))
        except InvalidVersion:
            raise ValueError(f"{match[2]!r} is not a version: write, for example, 1.6.0") from None
    return parts


def input_name_problem(name: str) -> str | None:
    """Return what is wrong with the name of an input, or None."""
    if not _IDENTIFIER.fullmatch(name):
        return "is not a name of a variable: use letters, digits, '_' and '-', beginning with a letter or '_'"
    if name in _RESERVED_INPUTS:
        return "is reserved by the engine and can't be a variable: use the name of a variable that the module declares"
    return None


def check_secrets(value: dict[str, str]) -> dict[str, str]:
    """Return secret mappings, input name to secret; raise ``PydanticCustomError`` with the remedy."""
    remedy = (
        "and no secret store of that scheme is known: write variable:KEY, where KEY is a sensitive terraform variable "
        "of the workspace"
    )
    return _check_mappings(value, _SECRET, remedy)


def check_outputs(value: dict[str, str]) -> dict[str, str]:
    """Return output mappings, input name to output; raise ``PydanticCustomError`` with the remedy."""
    remedy = (
        "which names no output: write workspace:NAME.OUTPUT, with the name of a workspace of the organization and of "
        "one of its outputs"
    )
    return _check_mappings(value, _OUTPUT, remedy)


def _check_mappings(value: dict[str, str], reference: re.Pattern[str], remedy: str) -> dict[str, str]:
    for name, given in value.items():
        problem = input_name_problem(name)
        if problem is not None:
            raise refuse(f"{name[:80]!r} {problem}")
        if not reference.fullmatch(given):
            raise refuse(f"{name} refers to {given[:200]!r}, {remedy}")
    return value


def split_output_reference(reference: str) -> tuple[str, str]:
    """Return workspace and output of a spec's ``workspace:NAME.OUTPUT``; a name may hold dots, an output can't."""
    workspace, _, output = reference.removeprefix("workspace:").rpartition(".")
    return workspace, output


def line(path: tuple[str | int, ...], message: str, value: Any) -> Any:
    """Return one error for ``ValidationError.from_exception_data``."""
    return {"type": refuse(message), "loc": path, "input": value}


def check_value(value: Any, path: tuple[str | int, ...], problems: list[Any], depth: int) -> None:
    """Add an error to ``problems`` for all that ``value`` holds and exact JSON, engine or database can not."""
    problem = _scalar_problem(value) if not isinstance(value, dict | list) else None
    if depth > LIMIT_DEPTH:
        problem = f"is nested more than {LIMIT_DEPTH} levels deep: flatten it"
    if problem is not None:
        problems.append(line(path, problem, value))
    elif isinstance(value, dict):
        _check_keys(value, path, problems)
        for key, item in value.items():
            check_value(item, (*path, str(key)), problems, depth + 1)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            check_value(item, (*path, index), problems, depth + 1)


def _scalar_problem(value: Any) -> str | None:
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, float):
        return f'{value!r} is a float, which has no exact form: write it as a string ("{value!r}"), or as an integer'
    if isinstance(value, int):
        return None if abs(value) <= _SAFE_INTEGER else "is beyond 2^53 - 1, so not exact: write it as a string"
    if not isinstance(value, str):
        return f"is of the type {type(value).__name__}, which JSON does not have: write text, a number or true/false"
    return text_problem(value)


def _check_keys(value: dict[Any, Any], path: tuple[str | int, ...], problems: list[Any]) -> None:
    seen: dict[str, str] = {}
    for key in value:
        problem = _scalar_problem(key) if isinstance(key, str) else "is not text: keys of an object must be"
        normal = unicodedata.normalize("NFC", key) if isinstance(key, str) else str(key)
        if normal in seen:
            problem = "is the same key as another one once Unicode is normalised, as the engine does: rename one"
        seen[normal] = normal
        if problem is not None:
            problems.append(line((*path, str(key)), problem, key))
