"""Addresses of resource instances, as engines spell them. Pure.

``module.a["k"].aws_x.y[0]``: names and keys between dots and brackets. Engines quote a key as HCL does (`${` is
``$${``), so a key can hold anything.
"""

import re

from app.state.errors import AddressUnreadable
from app.state.holding import InstancePlace

Part = str | int
_NAME = re.compile(r"[^\W\d][\w-]*")
_NUMBER = re.compile(r"\[(\d+)\]")
_STRING = re.compile(r'\["((?:[^"\\]|\\.)*)"\]')
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_CHARACTERS = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}


def address_steps(address: str) -> tuple[tuple[str, Part | None], ...]:
    """Return the names of an address in order, each with its key. Raises ``AddressUnreadable``."""
    steps: list[tuple[str, Part | None]] = []
    position = 0
    while True:
        name = _NAME.match(address, position)
        if name is None:
            raise AddressUnreadable(f"{address[:200]!r} is no address of a resource.")
        position = name.end()
        key: Part | None = None
        if number := _NUMBER.match(address, position):
            key, position = int(number.group(1)), number.end()
        elif string := _STRING.match(address, position):
            key, position = _unquoted(string.group(1)), string.end()
        steps.append((name.group(), key))
        if position == len(address):
            return tuple(steps)
        if address[position] != ".":
            raise AddressUnreadable(f"{address[:200]!r} is no address of a resource.")
        position += 1


def place_of(address: str) -> InstancePlace:
    """Return the place of a managed resource instance: module, type, name, index. Raises ``AddressUnreadable``.

    The module is spelled in one way, whoever spelled the address.
    """
    steps = address_steps(address)
    if len(steps) < 2 or steps[-2][1] is not None or steps[0][0] == "data":
        raise AddressUnreadable(f"{address[:200]!r} is no address of a managed resource.")
    (kind, _), (name, index) = steps[-2:]
    return (_canonical(steps[:-2]), kind, name, index)


def normal_place(place: InstancePlace) -> InstancePlace:
    """Return a state's place with its module spelled as `place_of` does."""
    module, kind, name, index = place
    return (_canonical(address_steps(module)) if module else "", kind, name, index)


def _canonical(steps: tuple[tuple[str, Part | None], ...]) -> str:
    return ".".join(name if key is None else f"{name}[{key!r}]" for name, key in steps)


def _unquoted(text: str) -> str:
    plain = _ESCAPE.sub(_character, text)
    return plain.replace("$${", "${").replace("%%{", "%{")


def _character(found: re.Match[str]) -> str:
    short, long, other = found.groups()
    if short or long:
        code = int(short or long, 16)
        return chr(code) if code <= 0x10FFFF else "\ufffd"
    return _CHARACTERS.get(other, other)
