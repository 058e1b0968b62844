"""Reads the text of a spec: YAML or JSON, bounded, without surprises. Pure.

YAML's plain scalars are read by the rules of JSON: ``no``, ``12:30``, ``0755`` and dates stay the text that they are.
"""

import json
import re
from typing import Any

import yaml

from app.specs.errors import SpecTooLarge, SpecUnreadable

LIMIT_BYTES = 256 * 1024
LIMIT_NODES = 20_000
LIMIT_DEPTH = 40

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(
    r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_SCALAR_TAGS = {
    f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "timestamp", "merge", "value")
}
_LITERALS = {"true": True, "false": False, "null": None, "~": None, "": None}


def _unreadable(message: str, field: str = "spec") -> SpecUnreadable:
    return SpecUnreadable(f"{field}: {message}", errors=[{"field": field, "message": message}])


def read_document(data: bytes) -> Any:
    """Return the value that ``data`` holds: JSON when it begins with ``{``, else YAML.

    Raises ``SpecTooLarge`` above ``LIMIT_BYTES`` and ``SpecUnreadable`` for anything malformed, doubled or too deep.
    """
    if len(data) > LIMIT_BYTES:
        raise SpecTooLarge(
            f"A spec may have {LIMIT_BYTES} bytes, and this one has more. Move large values into files of the "
            "configuration.",
            limit_bytes=LIMIT_BYTES,
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _unreadable(f"byte {error.start} is not UTF-8: save the file as UTF-8") from None
    try:
        return _read_json(text) if text.lstrip().startswith("{") else _read_yaml(text)
    except RecursionError:
        raise _unreadable(f"it is nested more than {LIMIT_DEPTH} levels deep: flatten it") from None


def _read_json(text: str) -> Any:
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_int=_integer)
    except json.JSONDecodeError as error:
        # Flow-style YAML also begins with a brace; when it is not that either, the error of JSON is the clearer one.
        try:
            return _read_yaml(text)
        except SpecUnreadable:
            raise _unreadable(f"line {error.lineno}, column {error.colno}: {error.msg}") from None
    _check_size(value, 0, [0])
    return value


def _no_constant(name: str) -> Any:
    raise _unreadable(f"{name} is not JSON: write it as a string")


def _integer(text: str) -> int:
    if len(text) > 400:
        raise _unreadable(f"the number {text[:20]}… is too large: write it as a string")
    return int(text)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise _unreadable("the key appears twice in one object: keep one of them", key)
        result[key] = value
    return result


def _check_size(value: Any, depth: int, count: list[int]) -> None:
    count[0] += 1
    if depth > LIMIT_DEPTH:
        raise _unreadable(f"it is nested more than {LIMIT_DEPTH} levels deep: flatten it")
    if count[0] > LIMIT_NODES:
        raise _unreadable(f"it holds more than {LIMIT_NODES} values: move them into files of the configuration")
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for child in children:
        _check_size(child, depth + 1, count)


def _read_yaml(text: str) -> Any:
    try:
        # It reads the first characters at once, and refuses those that no YAML holds.
        loader = yaml.SafeLoader(text)
    except yaml.YAMLError as error:
        raise _unreadable(f"not YAML: {str(error).splitlines()[0]}") from None
    try:
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
        raise _unreadable(f"{where}{error.problem or 'not YAML'}") from None
    except yaml.YAMLError as error:
        raise _unreadable(f"not YAML: {str(error).splitlines()[0]}") from None
    finally:
        loader.dispose()
    if node is None:
        raise _unreadable("it is empty: write at least `name` and `module_source`")
    return _Builder().build(node, "", 0, ())


class _Builder:
    """Turns YAML nodes into plain values, counting what aliases expand to."""

    def __init__(self) -> None:
        self._count = 0

    def build(self, node: yaml.Node, path: str, depth: int, parents: tuple[int, ...]) -> Any:
        self._count += 1
        where = path or "spec"
        if depth > LIMIT_DEPTH:
            raise _unreadable(f"it is nested more than {LIMIT_DEPTH} levels deep: flatten it", where)
        if self._count > LIMIT_NODES:
            raise _unreadable(f"with its aliases expanded it holds more than {LIMIT_NODES} values", where)
        if id(node) in parents:
            raise _unreadable("an alias refers to what it is part of: write the value out", where)
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node, where)
        inner = (*parents, id(node))
        if isinstance(node, yaml.SequenceNode):
            _plain_tag(node, "tag:yaml.org,2002:seq", where)
            return [self.build(child, f"{path}[{i}]", depth + 1, inner) for i, child in enumerate(node.value)]
        _plain_tag(node, "tag:yaml.org,2002:map", where)
        return self._mapping(node, path, depth, inner)

    def _mapping(self, node: yaml.Node, path: str, depth: int, parents: tuple[int, ...]) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise _unreadable(f"line {line}: a key must be text", path or "spec")
            key = str(key_node.value)
            inner = f"{path}.{key}" if path else key
            if key in result:
                raise _unreadable(f"line {line}: the key appears twice in one mapping: keep one of them", inner)
            if key == "<<" and key_node.style is None:
                raise _unreadable(f"line {line}: merge keys are not read: write the fields out", inner)
            result[key] = self.build(value_node, inner, depth + 1, parents)
        return result


def _plain_tag(node: yaml.Node, expected: str, where: str) -> None:
    if node.tag != expected:
        raise _unreadable(f"line {node.start_mark.line + 1}: the tag {node.tag} is not allowed: remove it", where)


def _scalar(node: yaml.ScalarNode, where: str) -> Any:
    text = str(node.value)
    if node.style is not None:
        _plain_tag(node, "tag:yaml.org,2002:str", where)
        return text
    if node.tag not in _SCALAR_TAGS:
        raise _unreadable(f"line {node.start_mark.line + 1}: the tag {node.tag} is not allowed: remove it", where)
    if text in _LITERALS:
        return _LITERALS[text]
    if _INTEGER.fullmatch(text):
        return _integer(text)
    if _FLOAT.fullmatch(text) and not text.isdigit():
        return float(text)
    return text
