import json
from typing import Any

import pytest

from app.state import comparing
from app.state.schemas import ResourceChange
from tests.state import states


def diff(before: list[dict[str, Any]], after: list[dict[str, Any]], **outputs: Any) -> dict[str, ResourceChange]:
    old = comparing.read(states.document(before, 1, outputs=outputs.get("old")))
    new = comparing.read(states.document(after, 2, outputs=outputs.get("new")))
    found = comparing.compare(old, new)
    return {address: comparing.change_of(old, new, address, op) for address, op in found.addresses}


def data(attributes: dict[str, Any], *, marks: tuple[Any, ...] = (), name: str = "a") -> dict[str, Any]:
    return {
        "mode": "managed",
        "type": "terraform_data",
        "name": name,
        "provider": 'provider["terraform.io/builtin/terraform"]',
        "instances": [{"attributes": attributes, "sensitive_attributes": list(marks)}],
    }


def attr(*steps: Any) -> list[dict[str, Any]]:
    return [
        {"type": "get_attr", "value": step}
        if isinstance(step, str)
        else {"type": "index", "value": {"value": step, "type": "number"}}
        for step in steps
    ]


def test_added_removed_and_changed_resources_are_told_apart() -> None:
    found = diff([data({"id": "1"}), data({"id": "2"}, name="b")], [data({"id": "9"}), data({"id": "3"}, name="c")])
    assert {address: change.op for address, change in found.items()} == {
        "terraform_data.a": "change",
        "terraform_data.b": "remove",
        "terraform_data.c": "add",
    }


def test_only_what_differs_is_named_as_deep_as_it_lies() -> None:
    before = {"id": "1", "tags": {"a": "x", "b.c": "y"}, "rule": [{"port": 80}, {"port": 81}]}
    after = {"id": "1", "tags": {"a": "z", "b.c": None}, "rule": [{"port": 80}]}
    (change,) = diff([data(before)], [data(after)]).values()
    assert [(item.path, item.op, item.before, item.after) for item in change.attributes] == [
        ("rule[1].port", "remove", 81, None),
        ("tags.a", "change", "x", "z"),
        ('tags["b.c"]', "change", "y", None),
    ]


@pytest.mark.parametrize(
    "mark", [attr("setting"), attr("setting", "inner"), attr("setting", "inner", 0)], ids=["whole", "below", "index"]
)
def test_marked_values_are_hidden_before_and_after(mark: Any) -> None:
    before, after = ({"setting": {"inner": [value], "open": value[:2]}} for value in ("hunter-old-1", "hunter-new-2"))
    (change,) = diff([data(before)], [data(after, marks=(mark,))]).values()
    text = json.dumps(change.model_dump())
    assert "hunter" not in text
    hidden = {item.path: item.sensitive for item in change.attributes}
    assert hidden["setting.inner[0]"]


def test_unmarked_neighbour_of_a_marked_value_is_shown() -> None:
    marks = (attr("secretive"),)
    before, after = {"secretive": "aaaaaaaa", "size": 1}, {"secretive": "bbbbbbbb", "size": 2}
    (change,) = diff([data(before, marks=marks)], [data(after, marks=marks)]).values()
    assert {item.path: item.after for item in change.attributes} == {"secretive": None, "size": 2}


def test_copy_of_a_secret_in_an_unmarked_attribute_is_hidden() -> None:
    marks = (attr("origin"),)
    before = data({"origin": "correct-horse", "copy": "", "line": ""}, marks=marks)
    after = data({"origin": "battery-staple", "copy": "battery-staple", "line": "x battery-staple y"}, marks=marks)
    (change,) = diff([before], [after]).values()
    assert "battery" not in json.dumps(change.model_dump())


def test_value_of_a_sensitive_output_is_hidden_everywhere() -> None:
    output = {"out": {"value": "tops3cret", "type": "string", "sensitive": True}}
    (change,) = diff([data({"input": ""})], [data({"input": "tops3cret"})], new=output).values()
    assert "tops3cret" not in json.dumps(change.model_dump())
    old, new = comparing.read(states.document([])), comparing.read(states.document([], 2, outputs=output))
    (changed,) = comparing.compare(old, new).outputs
    assert (changed.name, changed.op, changed.after, changed.sensitive) == ("out", "add", None, True)


def test_attribute_named_like_a_secret_is_hidden_without_a_mark() -> None:
    (change,) = diff([data({"db_password": "one"})], [data({"db_password": "two"})]).values()
    assert [(item.before, item.after, item.sensitive) for item in change.attributes] == [(None, None, True)]


def test_removed_resource_hides_its_marked_values() -> None:
    (change,) = diff([data({"value": {"a": "plantedvalue"}}, marks=(attr("value"),))], []).values()
    assert "plantedvalue" not in json.dumps(change.model_dump())


def test_tainted_and_type_changes_are_differences() -> None:
    tainted = data({"id": "1"})
    tainted["instances"][0]["status"] = "tainted"
    (change,) = diff([data({"id": "1"})], [tainted]).values()
    assert [(item.path, item.after) for item in change.attributes] == [("(status)", "tainted")]
    (retyped,) = diff([data({"n": "1"})], [data({"n": 1})]).values()
    assert [(item.before, item.after) for item in retyped.attributes] == [("1", 1)]


def test_equal_states_have_no_difference() -> None:
    assert diff([states.resource(1)], [states.resource(1)]) == {}


def test_secret_that_the_engine_does_not_know_is_hidden_in_attributes_and_outputs() -> None:
    secret = "Tr0ub4dor"
    outputs = {"out": {"value": f"y-{secret}", "type": "string"}}
    old = comparing.read(states.document([data({"input": "x"})]), {secret})
    new = comparing.read(states.document([data({"input": f"x-{secret}"})], 2, outputs=outputs), {secret})
    found = comparing.compare(old, new)
    shown = [comparing.change_of(old, new, address, op).model_dump() for address, op in found.addresses]
    assert shown
    assert secret not in json.dumps([shown, [output.model_dump() for output in found.outputs]])
