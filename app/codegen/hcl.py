"""Values as HCL. Pure: whatever text goes in comes out as a literal that is that text, and never as code.

The engine normalises strings to Unicode's NFC; everything else it reads back is exact. Heredocs are never written.
"""

import math
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from app.codegen.errors import NotRenderable

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}
_EXACT = 2**53 - 1


class Hcl(str):
    """Text that is HCL already. Templates give out nothing else."""

    __slots__ = ()


def _refused(message: str) -> NotRenderable:
    return NotRenderable(f"{message}.", errors=[{"field": "inputs", "message": message}])


def _character(character: str, following: str) -> str:
    known = _ESCAPES.get(character)
    if known is not None:
        return known
    code = ord(character)
    if 0xD800 <= code <= 0xDFFF or code == 0:
        raise _refused(f"U+{code:04X} is no character of HCL: remove it")
    # The doubled forms ($${ and %%{) are ambiguous after another $ or %; a code point never is.
    opens_template = character in "$%" and following == "{"
    if opens_template or not character.isprintable():
        return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
    return character


def quoted(text: str) -> Hcl:
    """Return ``text`` as a quoted literal. Raises ``NotRenderable`` for NUL and lone surrogates."""
    pairs = zip(text, text[1:] + " ", strict=False)
    return Hcl('"' + "".join(_character(character, following) for character, following in pairs) + '"')


def identifier(name: str) -> Hcl:
    """Return ``name`` when it is an identifier. Raises ``NotRenderable`` otherwise."""
    if not _IDENTIFIER.fullmatch(name):
        raise _refused(f"{name!r} is not an identifier: use letters, digits, '_' and '-'")
    return Hcl(name)


def address(steps: Sequence[tuple[str, str | int | None]]) -> Hcl:
    """Return an address, its names in order with their keys, every key escaped. Raises ``NotRenderable``."""
    return Hcl(
        ".".join(
            name + ("" if key is None else f"[{key if isinstance(key, int) else quoted(key)}]") for name, key in steps
        )
    )


def import_block(steps: Sequence[tuple[str, str | int | None]], resource_id: str) -> Hcl:
    """Return the block that imports the resource of that id to an address. Raises ``NotRenderable``."""
    return Hcl(f"import {{\n  to = {address(steps)}\n  id = {quoted(resource_id)}\n}}\n")


def removed_block(steps: Sequence[tuple[str, str | int | None]]) -> Hcl:
    """Return the block that takes a resource out of the state, on one line. Raises ``NotRenderable``.

    The address is that of a whole resource: engines refuse keys there.
    """
    return Hcl(f"removed {{ from = {address(steps)} }}")


def literal(value: Any, *, is_measured: bool = False) -> Hcl:
    """Return a JSON value as an HCL literal.

    Raises ``NotRenderable`` for keys that are one after normalisation and, unless ``is_measured`` (the value is what an
    engine gave out, as exact as it will be), for floats and for integers beyond 2^53 - 1.
    """
    if value is None:
        return Hcl("null")
    if isinstance(value, bool):
        return Hcl("true" if value else "false")
    if is_measured and isinstance(value, int | float) and math.isfinite(value):
        return Hcl(repr(value))
    if isinstance(value, int):
        if abs(value) > _EXACT:
            raise _refused(f"{value} is beyond 2^53 - 1, so not exact: write it as a string")
        return Hcl(str(value))
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list | tuple):
        return Hcl("[" + ", ".join(literal(item, is_measured=is_measured) for item in value) + "]")
    if isinstance(value, dict):
        return _object(value, is_measured=is_measured)
    raise _refused(f"{value!r} ({type(value).__name__}) has no exact form in HCL: write it as a string")


def _object(value: dict[Any, Any], *, is_measured: bool) -> Hcl:
    if not all(isinstance(key, str) for key in value):
        raise _refused("the keys of an object must be text")
    if len({unicodedata.normalize("NFC", key) for key in value}) != len(value):
        raise _refused("two keys of an object are the same once Unicode is normalised: rename one")
    inner = ", ".join(f"{quoted(key)} = {literal(item, is_measured=is_measured)}" for key, item in value.items())
    return Hcl(f"{{ {inner} }}" if inner else "{}")
