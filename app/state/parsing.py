"""Reads the engines' state format, version 4 (JSON). Pure."""

import json
from collections.abc import Iterator
from typing import Any

from pydantic import JsonValue
from pydantic_core import from_json

from app.core.canonical import with_member
from app.state.errors import StateEncrypted, StateUnreadable
from app.state.schemas import Output, ParsedState, StateResource

MOST_SERIAL = 2**31 - 1
_LONGEST_LINEAGE = 200
_LONGEST_VERSION = 100


def parse(data: bytes, *, needs_lineage: bool = True) -> ParsedState:
    """Return serial, lineage, outputs (values included) and resources.

    An engine that could not reach its backend at the end of a first apply leaves a state with an empty lineage, since
    it makes one up with the first write; it is read without ``needs_lineage``. Raises ``StateUnreadable``, and
    ``StateEncrypted`` for a state that OpenTofu itself has encrypted.
    """
    found = document(data)
    serial, lineage = found.get("serial"), found.get("lineage")
    if type(serial) is not int or not isinstance(lineage, str) or (needs_lineage and not lineage):
        raise StateUnreadable("The state has no serial or no lineage.")
    if not 0 <= serial <= MOST_SERIAL or len(lineage) > _LONGEST_LINEAGE or not lineage.isprintable():
        raise StateUnreadable("The state's serial or lineage is not one that an engine writes.")
    version = str(found.get("terraform_version", ""))
    if len(version) > _LONGEST_VERSION or not version.isprintable():
        raise StateUnreadable("The state's terraform_version is not one that an engine writes.")
    try:
        return _parsed(found, serial, lineage, version)
    except (AttributeError, TypeError, ValueError):
        raise StateUnreadable("The state's outputs or resources are not as a state of format 4 has them.") from None


def document(data: bytes) -> dict[str, Any]:
    """Return a state of format version 4 as JSON. Raises ``StateUnreadable`` and ``StateEncrypted``."""
    try:
        # Strict, so that a version can be shown: no NaN, no half of a character, 200 levels at most.
        found = from_json(data, allow_inf_nan=False)
    except ValueError as error:
        if "recursion limit" in str(error):
            raise StateUnreadable("The state is not JSON that is read here: it nests deeper than 200 levels.") from None
        if "out of range" in str(error):
            raise StateUnreadable("The state is not JSON that is read here: a number has over 4300 digits.") from None
        raise StateUnreadable("The state is not JSON; it may be cut short. It was not stored as a version.") from None
    if isinstance(found, dict) and "encrypted_data" in found:
        raise StateEncrypted(
            "OpenTofu has encrypted this state, and Sluice has no key for it. Write it in clear where its `encryption` "
            "block is, with `tofu state pull > plain.tfstate`, and send that: Sluice encrypts every state at rest."
        )
    if not isinstance(found, dict) or found.get("version") != 4:
        raise StateUnreadable("The state is not of format version 4, which OpenTofu and Terraform ≥ 0.12 write.")
    return found


def _parsed(found: dict[str, Any], serial: int, lineage: str, version: str) -> ParsedState:
    outputs = found.get("outputs") or {}
    return ParsedState(
        serial=serial,
        lineage=lineage,
        engine_version=version,
        outputs=[_output(name, value) for name, value in sorted(outputs.items())],
        resources=[item for block in found.get("resources") or [] for item, _ in instances_of(block)],
    )


def _output(name: str, value: dict[str, Any]) -> Output:
    return Output(
        name=name,
        type=value.get("type", "dynamic"),
        sensitive=bool(value.get("sensitive", False)),
        value=value.get("value"),
    )


def with_serial(data: bytes, serial: int) -> bytes:
    """Return the state with another serial; every other byte stays. Raises ``StateUnreadable``."""
    return _with(data, "serial", serial)


def with_lineage(data: bytes, lineage: str) -> bytes:
    """Return the state with another lineage; every other byte stays. Raises ``StateUnreadable``."""
    return _with(data, "lineage", lineage)


def _with(data: bytes, name: str, value: int | str) -> bytes:
    try:
        return with_member(data, name, value)
    except ValueError as error:
        raise StateUnreadable(f"The state can't be read, it may be cut short: {error}.") from None


def instances_of(block: dict[str, Any]) -> Iterator[tuple[StateResource, dict[str, Any]]]:
    """Yield the instances of one block of a state's ``resources``, each with what the state says of it.

    Raises ``AttributeError`` and ``TypeError`` for what no engine writes.
    """
    module = str(block.get("module", ""))
    mode, kind, name = str(block.get("mode")), str(block.get("type")), str(block.get("name"))
    prefix = ".".join(part for part in (module, "data" if mode == "data" else "", kind, name) if part)
    provider = _provider(str(block.get("provider", "")))
    for instance in block.get("instances") or []:
        _demand_shape(instance)
        resource = StateResource(
            address=prefix + _index(instance.get("index_key")),
            module=module,
            mode=mode,
            type=kind,
            name=name,
            provider=provider,
        )
        yield resource, instance


def _demand_shape(instance: Any) -> None:
    if not isinstance(instance, dict):
        raise TypeError("an instance is an object")
    if not all(isinstance(instance.get(name), dict | None) for name in ("attributes", "attributes_flat")):
        raise TypeError("attributes are an object")
    paths = instance.get("sensitive_attributes") or []
    steps = [step for path in paths if isinstance(path, list) for step in path] if isinstance(paths, list) else [None]
    if not all(isinstance(step, dict) for step in steps):
        raise TypeError("sensitive attributes are a list of paths, each a list of steps")


def _index(key: JsonValue) -> str:
    if key is None:
        return ""
    return f"[{key}]" if isinstance(key, int) else f"[{json.dumps(key)}]"


def _provider(reference: str) -> str:
    """``provider["registry.opentofu.org/hashicorp/aws"]`` names its source address between the quotes."""
    parts = reference.split('"')
    return parts[1] if len(parts) >= 3 else reference
