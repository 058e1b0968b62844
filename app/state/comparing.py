"""What differs between two states, by resource and attribute, sensitive values masked. Pure.

A value is sensitive when either state marks its path (``sensitive_attributes`` of state format 4, which holds what the
configuration and the provider's schema mark), when it is the value of a sensitive output or of a marked path elsewhere
in either state, when it holds a secret that the caller names (a sensitive variable's value, which the engine may not
know to be secret), or when the attribute's name says so: engines before Terraform 1.10 did not write the schema's
marks.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from app.core.masking import LEAST_LENGTH, holds
from app.core.texts import strings_in
from app.state.parsing import instances_of
from app.state.schemas import AttributeChange, OutputChange, ResourceChange, StateResource

Steps = tuple[str | int, ...]
Op = Literal["add", "remove", "change"]
_ABSENT = object()
_SECRET_NAME = re.compile(
    r"passw(or)?d|passphrase|secret|token|private_key|credential|api_?key|connection_string", re.IGNORECASE
)


@dataclass(frozen=True)
class Held:
    """One resource instance of a state, with what is compared."""

    resource: StateResource
    values: dict[str, Any]
    marked: tuple[Steps, ...]


@dataclass(frozen=True)
class Content:
    """A state, ready to be compared."""

    held: dict[str, Held]
    outputs: dict[str, dict[str, Any]]
    secrets: frozenset[str] = field(repr=False)


@dataclass(frozen=True)
class Difference:
    """Where two states differ: addresses in order, and outputs."""

    addresses: list[tuple[str, Op]]
    outputs: list[OutputChange]


def read(data: bytes, known_secrets: Iterable[str] = ()) -> Content:
    """Return what is compared of a state that was stored as a version."""
    document = json.loads(data)
    held: dict[str, Held] = {}
    for block in document.get("resources") or []:
        for resource, instance in instances_of(block):
            values = instance.get("attributes")
            values = dict(values if values is not None else instance.get("attributes_flat") or {})
            if instance.get("status"):
                values["(status)"] = instance["status"]
            deposed = instance.get("deposed")
            address = f"{resource.address} (deposed {deposed})" if deposed else resource.address
            marked = tuple(_steps(path) for path in instance.get("sensitive_attributes") or [])
            held[address] = Held(resource, values, marked)
    outputs = document.get("outputs") or {}
    secrets = {
        text for output in outputs.values() if output.get("sensitive") for text in strings_in(output.get("value"))
    }
    secrets.update(known_secrets)
    for item in held.values():
        for path in item.marked:
            secrets.update(strings_in(_at(item.values, path)))
    return Content(held, outputs, frozenset(text for text in secrets if len(text) >= LEAST_LENGTH))


def compare(before: Content, after: Content) -> Difference:
    """Return which resources and outputs were added, removed or changed."""
    addresses: list[tuple[str, Op]] = []
    for address in sorted(before.held.keys() | after.held.keys()):
        old, new = before.held.get(address), after.held.get(address)
        if old is None:
            addresses.append((address, "add"))
        elif new is None:
            addresses.append((address, "remove"))
        elif old.values != new.values or old.resource.provider != new.resource.provider:
            addresses.append((address, "change"))
    outputs = [
        _output(name, before.outputs.get(name), after.outputs.get(name), before.secrets | after.secrets)
        for name in sorted(before.outputs.keys() | after.outputs.keys())
        if before.outputs.get(name) != after.outputs.get(name)
    ]
    return Difference(addresses, outputs)


def change_of(before: Content, after: Content, address: str, op: Op) -> ResourceChange:
    """Return one resource's change, attribute by attribute."""
    old, new = before.held.get(address), after.held.get(address)
    resource = (new or old or Held(_NOTHING, {}, ())).resource
    marked = (old.marked if old else ()) + (new.marked if new else ())
    secrets = before.secrets | after.secrets
    changes = [
        _attribute(path, was, now, is_sensitive=_is_sensitive(path, was, now, marked, secrets))
        for path, was, now in _leaves((), old.values if old else {}, new.values if new else {})
    ]
    if old is not None and new is not None and old.resource.provider != new.resource.provider:
        changes.append(_attribute(("(provider)",), old.resource.provider, new.resource.provider, is_sensitive=False))
    return ResourceChange(**resource.model_dump() | {"address": address}, op=op, attributes=changes)


_NOTHING = StateResource(address="", module="", mode="", type="", name="", provider="")


def _output(name: str, old: dict[str, Any] | None, new: dict[str, Any] | None, secrets: frozenset[str]) -> OutputChange:
    sensitive = any(
        output.get("sensitive") or holds(output.get("value"), secrets) for output in (old, new) if output is not None
    )
    return OutputChange(
        name=name,
        op="add" if old is None else "remove" if new is None else "change",
        before=None if sensitive or old is None else old.get("value"),
        after=None if sensitive or new is None else new.get("value"),
        sensitive=sensitive,
    )


def _attribute(path: Steps, was: Any, now: Any, *, is_sensitive: bool) -> AttributeChange:
    return AttributeChange(
        path=_text(path),
        op="add" if was is _ABSENT else "remove" if now is _ABSENT else "change",
        before=None if is_sensitive or was is _ABSENT else was,
        after=None if is_sensitive or now is _ABSENT else now,
        sensitive=is_sensitive,
    )


def _leaves(path: Steps, was: Any, now: Any) -> Iterator[tuple[Steps, Any, Any]]:
    """Yield where two values differ, as deep as it goes, so that a mask hides no more than it must."""
    if was is not _ABSENT and now is not _ABSENT and was == now and type(was) is type(now):
        return
    kinds = {type(value) for value in (was, now) if value is not _ABSENT}
    has_content = bool(was not in (_ABSENT, None) and was) or bool(now not in (_ABSENT, None) and now)
    if kinds == {dict} and has_content:
        old, new = (value if value is not _ABSENT else {} for value in (was, now))
        for key in sorted(old.keys() | new.keys()):
            yield from _leaves((*path, key), old.get(key, _ABSENT), new.get(key, _ABSENT))
    elif kinds == {list} and has_content:
        old, new = (value if value is not _ABSENT else [] for value in (was, now))
        for index in range(max(len(old), len(new))):
            yield from _leaves(
                (*path, index),
                old[index] if index < len(old) else _ABSENT,
                new[index] if index < len(new) else _ABSENT,
            )
    else:
        yield path, was, now


def _is_sensitive(path: Steps, was: Any, now: Any, marked: tuple[Steps, ...], secrets: frozenset[str]) -> bool:
    if any(path[: len(mark)] == mark or mark[: len(path)] == path for mark in marked):
        return True
    if any(isinstance(step, str) and _SECRET_NAME.search(step) for step in path):
        return True
    return any(holds(value, secrets) for value in (was, now) if value is not _ABSENT)


def _steps(path: Any) -> Steps:
    """``[{"type": "get_attr", "value": "a"}, {"type": "index", "value": {"value": 0, "type": "number"}}]``."""
    found: list[str | int] = []
    for step in path if isinstance(path, list) else []:
        value = step.get("value")
        if isinstance(value, dict):
            value = value.get("value")
        found.append(value if isinstance(value, str | int) else str(value))
    return tuple(found)


def _at(value: Any, path: Steps) -> Any:
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _text(path: Steps) -> str:
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif re.fullmatch(r"[\w()-]+", step):
            text += f".{step}" if text else step
        else:
            text += f"[{json.dumps(step)}]"
    return text
