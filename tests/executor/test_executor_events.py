import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.executor.events import (
    ChangeSummary,
    Diagnostic,
    Log,
    Outputs,
    PlainText,
    PlannedChange,
    ResourceStep,
    Unknown,
    Version,
    parse,
)

RESOURCE = {
    "addr": 'module.m.aws_vpc.a["x"]',
    "module": "module.m",
    "resource": "aws_vpc.a",
    "resource_type": "aws_vpc",
    "resource_name": "a",
    "resource_key": "x",
}


def line(kind: str, **more: Any) -> str:
    return json.dumps({"@level": "info", "@message": "words", "type": kind, **more})


def test_version_tells_which_engine_speaks() -> None:
    assert parse(line("version", tofu="1.12.6", ui="1.2")) == Version("info", "words", "tofu", "1.12.6")
    assert parse(line("version", terraform="1.11.4")) == Version("info", "words", "terraform", "1.11.4")


def test_planned_change_carries_address_action_reason_and_move() -> None:
    change = {
        "resource": RESOURCE,
        "previous_resource": {"addr": "aws_vpc.old"},
        "action": "remove",
        "reason": "delete_because_no_module",
    }
    found = parse(line("planned_change", change=change))
    assert isinstance(found, PlannedChange)
    assert found.data() == {
        "address": RESOURCE["addr"],
        "module": "module.m",
        "resource_type": "aws_vpc",
        "action": "delete",
        "reason": "delete_because_no_module",
        "previous_address": "aws_vpc.old",
        "is_drift": False,
    }
    drift = parse(line("resource_drift", change=change))
    assert isinstance(drift, PlannedChange)
    assert drift.is_drift


@pytest.mark.parametrize("step", ["start", "progress", "complete", "errored"])
def test_resource_step_is_named_as_the_engine_names_it(step: str) -> None:
    hook = {"resource": RESOURCE, "action": "create", "id_key": "id", "id_value": "vpc-1", "elapsed_seconds": 3}
    found = parse(line(f"apply_{step}", hook=hook))
    assert isinstance(found, ResourceStep)
    assert found.kind == f"apply_{step}"
    assert found.elapsed_seconds == 3.0
    assert found.id_value == "vpc-1"


def test_diagnostic_carries_file_line_and_snippet() -> None:
    diagnostic = {
        "severity": "error",
        "summary": "Unsupported argument",
        "detail": "Not expected here.",
        "range": {"filename": "main.tf", "start": {"line": 3, "column": 5, "byte": 40}, "end": {}},
        "snippet": {"code": "  colour = 1", "context": None, "values": []},
    }
    found = parse(line("diagnostic", diagnostic=diagnostic))
    assert isinstance(found, Diagnostic)
    assert (found.file, found.line, found.column) == ("main.tf", 3, 5)
    assert found.text() == ("Error: Unsupported argument\n  on main.tf line 3:\n      colour = 1\nNot expected here.")


def test_change_summary_and_outputs_are_typed_and_hold_no_value() -> None:
    changes = {"add": 3, "change": 1, "remove": 2, "import": 4, "operation": "plan"}
    assert parse(line("change_summary", changes=changes)) == ChangeSummary("info", "words", "plan", 3, 1, 2, 4)
    found = parse(
        line("outputs", outputs={"a": {"sensitive": False, "type": "string", "value": "v", "action": "create"}})
    )
    assert isinstance(found, Outputs)
    assert found.outputs == {"a": {"sensitive": False, "action": "create"}}


def test_line_that_is_no_event_is_plain_text() -> None:
    for text in ("", "Initializing...", "{", '{"a": 1}', "[1]", '{"@message": 1'):
        assert parse(text) == PlainText("info", text)


def test_event_of_an_unknown_type_or_shape_is_kept() -> None:
    assert parse(line("hologram")) == Unknown("info", "words", "hologram")
    assert parse(line("planned_change")) == Unknown("info", "words", "planned_change")
    assert parse(line("apply_start", hook={"resource": 3})) == Unknown("info", "words", "apply_start")
    assert parse(line("init_output")) == Log("info", "words")


@given(st.text())
def test_parse_never_raises_on_text(text: str) -> None:
    parse(text)


HOSTILE_VALUES = (
    "1e999",
    "-1e999",
    "NaN",
    "-Infinity",
    "9" * 4299,
    "9" * 4301,
    '"nan"',
    '"\\ud800"',
    '"' + "9" * 5000 + '"',
    *("[" * depth + "]" * depth for depth in (300, 480, 700, 900, 980)),
    '{"a":' * 300 + "1" + "}" * 300,
)
HOSTILE_EVENTS = (
    '"@message": "m", "type": "change_summary", "changes": {"add": %s, "operation": "plan"}',
    '"@message": "m", "type": "change_summary", "changes": {"operation": %s}',
    '"@message": %s, "type": "version"',
    '"@message": "m", "@level": %s',
    '"@message": "m", "type": %s',
    '"@message": "m", "type": "apply_complete", "hook": {"resource": {"addr": "a.b"}, "elapsed_seconds": %s}',
    '"@message": "m", "type": "apply_complete", "hook": {"resource": {"addr": %s}, "id_value": "i"}',
    '"@message": "m", "type": "outputs", "outputs": {"a": {"action": %s, "sensitive": true}}',
    '"@message": "m", "type": "outputs", "outputs": {"a": {"action": "create", "sensitive": %s}}',
    '"@message": "m", "type": "diagnostic", "diagnostic": {"range": {"filename": "f", "start": {"line": %s}}}',
)


@pytest.mark.parametrize("event", HOSTILE_EVENTS)
def test_parse_of_hostile_values_never_raises_and_holds_what_json_can(event: str) -> None:
    for value in HOSTILE_VALUES:
        found = parse("{" + event % value + "}")
        json.dumps(found.data(), allow_nan=False)
        assert isinstance(found.message, str)
        assert isinstance(found.level, str)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.sampled_from(["version", "planned_change", "apply_start", "change_summary", "outputs", "diagnostic"]),
    st.dictionaries(st.sampled_from(["change", "hook", "changes", "outputs", "diagnostic", "tofu"]), json_values),
)
def test_parse_never_raises_on_documents(kind: str, document: dict[str, Any]) -> None:
    assert parse(line(kind, **document)).message == "words"
