"""What a module declares, read from its files without an engine: variables, outputs and local module calls. Pure.

It reads declarations, not values, and never fails: what it can't make out is left to the engine, whose diagnostics are
better.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_TOKEN = re.compile(
    r"(?P<comment>#[^\n]*|//[^\n]*|/\*.*?(?:\*/|\Z))"
    r"|(?P<newline>\n)"
    r"|(?P<space>[ \t\r\f\v]+)"
    r"|<<-?(?P<heredoc>[A-Za-z_][\w-]*)\r?\n"
    r"|(?P<id>[^\W\d][\w-]*)"
    r"|(?P<quote>\")"
    r"|(?P<punct>==|[{}()\[\]=])"
    r"|(?P<other>.)",
    re.DOTALL,
)
_PAIRS = {"}": "{", ")": "(", "]": "["}
_OPEN, _CLOSE = frozenset(_PAIRS.values()), frozenset(_PAIRS)


@dataclass(frozen=True)
class VariableInfo:
    """A declared variable."""

    is_required: bool
    is_sensitive: bool


@dataclass(frozen=True)
class OutputInfo:
    """A declared output."""

    is_sensitive: bool
    description: str = ""


@dataclass
class ModuleInterface:
    """What a module takes and gives, and which local modules it calls."""

    variables: dict[str, VariableInfo] = field(default_factory=dict)
    outputs: dict[str, OutputInfo] = field(default_factory=dict)
    module_sources: list[str] = field(default_factory=list)


@dataclass
class _Block:
    """One block: its type and labels, attributes as text, and blocks inside it."""

    words: list[str]
    attributes: dict[str, str] = field(default_factory=dict)


Token = tuple[str, str]


def _string_end(text: str, start: int) -> tuple[int, bool]:
    """Return the index after the string that begins at ``start`` (after its opening quote), and whether it closed."""
    # Of each string that is open, how many braces of a template in it are.
    depths, i = [0], start
    while i < len(text):
        depth, two = depths[-1], text[i : i + 2]
        if depth == 0 and text[i] == "\\":
            i += 2
        elif two in {"${", "%{"} and text[i - 1 : i] != text[i]:
            depths[-1], i = depth + 1, i + 2
        elif depth > 0 and text[i] == '"':
            depths.append(0)
            i += 1
        elif depth > 0 and text[i] in "{}":
            depths[-1], i = depth + (1 if text[i] == "{" else -1), i + 1
        elif depth == 0 and text[i] in '"\n':
            i += 1
            if len(depths) == 1:
                return i, text[i - 1] == '"'
            depths.pop()
        else:
            i += 1
    return len(text), False


def _heredoc_end(text: str, start: int, marker: str) -> int:
    match = re.compile(rf"^[ \t]*{re.escape(marker)}[ \t]*\r?$", re.MULTILINE).search(text, start)
    return match.end() if match else len(text)


def _tokens(text: str) -> Iterator[Token]:
    i = 0
    while i < len(text):
        match = _TOKEN.match(text, i)
        if match is None:
            return
        i = match.end()
        kind = match.lastgroup or "other"
        if kind == "quote":
            end, is_closed = _string_end(text, i)
            yield "string", text[i : end - 1 if is_closed else end]
            i = end
        elif kind == "heredoc":
            i = _heredoc_end(text, i, match["heredoc"])
            yield "other", "<<"
        elif kind not in {"comment", "space"}:
            yield kind, match.group()


def _expression(tokens: list[Token], i: int) -> tuple[str, int]:
    """Return the text of the expression at ``i`` and the index after it: it ends with its line, or its block."""
    parts: list[str] = []
    depth = 0
    while i < len(tokens):
        kind, text = tokens[i]
        if depth == 0 and (kind == "newline" or text == "}"):
            break
        if kind == "punct":
            depth += (text in _OPEN) - (text in _CLOSE)
        parts.append(json.dumps(text) if kind == "string" else text)
        i += 1
    return "".join(parts), i


def _body(tokens: list[Token], i: int, block: _Block) -> tuple[list[_Block], int]:
    """Read statements up to the closing brace; fill ``block``'s attributes; return inner blocks and the next index."""
    inner: list[_Block] = []
    while i < len(tokens):
        kind, text = tokens[i]
        if text == "}" and kind == "punct":
            return inner, i + 1
        if kind != "id":
            i += 1
            continue
        words, i = [text], i + 1
        while i < len(tokens) and tokens[i][0] in {"id", "string"}:
            words.append(tokens[i][1])
            i += 1
        if i < len(tokens) and tokens[i] == ("punct", "="):
            block.attributes[words[0]], i = _expression(tokens, i + 1)
        elif i < len(tokens) and tokens[i] == ("punct", "{"):
            child = _Block(words)
            _, i = _body(tokens, i + 1, child)
            inner.append(child)
    return inner, i


def _literal(text: str | None) -> str:
    if text is None or not text.startswith('"'):
        return ""
    try:
        return str(json.loads(text)).replace('\\"', '"')
    except ValueError:
        return ""


def _read_native(text: str, into: ModuleInterface) -> None:
    blocks, _ = _body(list(_tokens(text)), 0, _Block([]))
    for block in blocks:
        if len(block.words) != 2:
            continue
        kind, name = block.words
        known = block.attributes
        is_sensitive = known.get("sensitive") == "true"
        if kind == "variable":
            into.variables[name] = VariableInfo("default" not in known, is_sensitive)
        elif kind == "output":
            into.outputs[name] = OutputInfo(is_sensitive, _literal(known.get("description")))
        elif kind == "module":
            into.module_sources.append(_literal(known.get("source")))


def _merged(value: Any) -> dict[str, Any]:
    """Return a JSON body's blocks by name; the engines take one object, or a list of them."""
    result: dict[str, Any] = {}
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, dict):
            result.update({name: body for name, body in item.items() if isinstance(body, dict)})
    return result


def _read_json(text: str, into: ModuleInterface) -> None:
    root: dict[str, Any] = {}
    value = json.loads(text)
    for item in value if isinstance(value, list) else [value]:
        root.update(item if isinstance(item, dict) else {})
    for name, body in _merged(root.get("variable", {})).items():
        into.variables[name] = VariableInfo("default" not in body, body.get("sensitive") is True)
    for name, body in _merged(root.get("output", {})).items():
        into.outputs[name] = OutputInfo(body.get("sensitive") is True, str(body.get("description", "")))
    for body in _merged(root.get("module", {})).values():
        into.module_sources.append(str(body.get("source", "")))


def is_single_expression(value: str) -> bool:
    """Whether ``value`` can stand after an equals sign in a variables file and be nothing but one value.

    Brackets and quotes must close, and no line may end outside of them, where another assignment could follow.
    """
    expression = value.strip()
    opened: list[str] = []
    i = 0
    while i < len(expression):
        match = _TOKEN.match(expression, i)
        kind = match.lastgroup if match is not None else None
        if match is None or kind in {"comment", "heredoc"} or (kind == "newline" and not opened):
            return False
        i, text = match.end(), match.group()
        if kind == "quote":
            i, is_closed = _string_end(expression, i)
            if not is_closed:
                return False
        elif text in _OPEN:
            opened.append(text)
        elif text in _CLOSE:
            if not opened or opened.pop() != _PAIRS[text]:
                return False
        elif text + expression[i : i + 1] in {"/*", "<<"}:
            return False
    return bool(expression) and not opened


def read_interface(files: Mapping[str, bytes]) -> ModuleInterface:
    """Return what the files of one directory (name to content) declare together."""
    found = ModuleInterface()
    for name in sorted(files):
        text = files[name].decode("utf-8-sig", errors="replace")
        try:
            if name.endswith((".tf.json", ".tofu.json")):
                _read_json(text, found)
            elif name.endswith((".tf", ".tofu")):
                _read_native(text, found)
        except (ValueError, RecursionError):
            continue
    return found
