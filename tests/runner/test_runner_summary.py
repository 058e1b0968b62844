import json
from typing import Any

import pytest

from app.core.masking import Masker
from app.runner.summary import PlanDocumentUnreadable, Summary, summarize


def change(name: str, actions: list[str], before: Any = None, after: Any = None, **more: Any) -> dict[str, Any]:
    outer = {key: more.pop(key) for key in ("action_reason", "previous_address", "module_address") if key in more}
    return {
        "address": f"aws_vpc.{name}",
        "mode": "managed",
        "type": "aws_vpc",
        "name": name,
        "provider_name": "registry.opentofu.org/hashicorp/aws",
        **outer,
        "change": {
            "actions": actions,
            "before": before,
            "after": after,
            "after_unknown": {},
            "before_sensitive": False,
            "after_sensitive": {},
            **more,
        },
    }


def summed(*changes: dict[str, Any], secrets: tuple[str, ...] = (), **more: Any) -> Summary:
    document = {"terraform_version": "1.12.6", "resource_changes": list(changes), **more}
    return summarize(json.dumps(document).encode(), has_changes=True, masker=Masker(secrets))


def test_counts_are_in_the_products_words() -> None:
    found = summed(
        change("a", ["create"], after={"x": 1}),
        change("b", ["update"], {"x": 1}, {"x": 2}),
        change("c", ["delete"], {"x": 1}),
        change("d", ["delete", "create"], {"x": 1}, {"x": 2}),
        change("e", ["create", "delete"], {"x": 1}, {"x": 2}),
        change("f", ["no-op"], {"x": 1}, {"x": 1}),
        change("g", ["no-op"], {"x": 1}, {"x": 1}, previous_address="aws_vpc.old"),
        change("h", ["no-op"], {"x": 1}, {"x": 1}, importing={"id": "vpc-1"}),
        change("i", ["forget"], {"x": 1}),
        change("j", ["read"], None, {"x": 1}),
        change("k", ["update"], {"x": 1}, {"x": 2}, previous_address="aws_vpc.o2", importing={"id": "vpc-2"}),
    )
    assert found.counts.model_dump(by_alias=True) == {
        "add": 1,
        "change": 2,
        "destroy": 1,
        "replace": 2,
        "read": 1,
        "move": 2,
        "forget": 1,
        "import": 2,
    }
    assert [(shown.name, shown.action, shown.replace_order) for shown in found.view.resources] == [
        ("a", "create", None),
        ("b", "update", None),
        ("c", "delete", None),
        ("d", "replace", "delete_first"),
        ("e", "replace", "create_first"),
        ("g", "move", None),
        ("h", "import", None),
        ("i", "forget", None),
        ("j", "read", None),
        ("k", "update", None),
    ]


def test_attributes_show_what_changes_and_count_what_does_not() -> None:
    found = summed(
        change(
            "a",
            ["delete", "create"],
            {"cidr": "10.0.0.0/16", "tags": {"a": "1", "b.c": "2"}, "list": [1, 2], "same": True, "arn": "x"},
            {"cidr": "10.1.0.0/16", "tags": {"a": "1", "b.c": "3"}, "list": [1, 3, 4], "same": True, "arn": None},
            after_unknown={"arn": True, "id": True},
            replace_paths=[["cidr"]],
            action_reason="replace_because_cannot_update",
        )
    )
    [resource] = found.view.resources
    assert resource.reason == "replace_because_cannot_update"
    rows = {row.path: row for row in resource.attributes}
    assert set(rows) == {"arn", "cidr", "id", "list[1]", "list[2]", 'tags["b.c"]'}
    assert rows["cidr"].forces_replacement
    assert not rows["list[1]"].forces_replacement
    assert rows["arn"].after_unknown
    assert (rows["list[2]"].before, rows["list[2]"].after, rows["list[2]"].action) == (None, 4, "create")
    assert resource.unchanged_count == 3


def test_sensitive_values_are_null_with_a_flag() -> None:
    found = summed(
        change(
            "a",
            ["update"],
            {"password": "old", "nested": {"key": "k1", "name": "n"}, "all": {"a": "1"}},
            {"password": "new", "nested": {"key": "k2", "name": "m"}, "all": {"a": "2"}},
            before_sensitive={"password": True, "all": True},
            after_sensitive={"nested": {"key": True}, "all": True},
        ),
        output_changes={
            "secret": {
                "actions": ["update"],
                "before": "o1",
                "after": "o2",
                "after_unknown": False,
                "before_sensitive": True,
                "after_sensitive": True,
            }
        },
    )
    text = found.view_json().decode()
    for secret in ("old", "k1", "k2", "o1", "o2"):
        assert f'"{secret}"' not in text
    rows = {row.path: row for row in found.view.resources[0].attributes}
    assert rows["password"].before_sensitive
    assert rows["nested.key"].after_sensitive
    assert (rows["nested.name"].before, rows["nested.name"].after) == ("n", "m")
    assert found.view.outputs[0].sensitive


def test_value_of_a_sensitive_variable_is_masked_where_no_flag_is() -> None:
    found = summed(
        change("a", ["create"], None, {"note": "it is hunter2", "map": {"hunter2": 1}}),
        secrets=("hunter2", "update", "create"),
        output_changes={"o": {"actions": ["create"], "before": None, "after": ["hunter2"], "after_unknown": False}},
    )
    assert "hunter2" not in found.view_json().decode()
    assert found.view.resources[0].action == "create"


def test_drift_and_outputs_are_counted() -> None:
    found = summed(
        resource_drift=[change("a", ["update"], {"x": 1}, {"x": 2})],
        output_changes={
            "a": {"actions": ["no-op"], "before": 1, "after": 1, "after_unknown": False},
            "b": {"actions": ["delete"], "before": 1, "after": None, "after_unknown": False},
        },
    )
    assert (found.drift_count, found.output_changes) == (1, 1)
    assert found.view.drift[0].attributes[0].path == "x"


def test_plan_that_nests_as_deep_as_is_read_can_be_written_and_one_that_nests_deeper_is_refused() -> None:
    def document(levels: int) -> bytes:
        value: Any = "leaf"
        for _ in range(levels):
            value = [value]
        return json.dumps({"resource_changes": [change("a", ["create"], None, {"x": value})]}).encode()

    assert summarize(document(190), has_changes=True, masker=Masker(["secret"])).view_json()
    with pytest.raises(PlanDocumentUnreadable, match="nests too deep"):
        summarize(document(300), has_changes=True, masker=Masker([]))


@pytest.mark.parametrize("document", [b"", b"[]", b'{"resource_changes": [{}]}', b'{"resource_changes": 3}'])
def test_document_that_can_not_be_read_is_an_error(document: bytes) -> None:
    with pytest.raises(PlanDocumentUnreadable):
        summarize(document, has_changes=True, masker=Masker([]))


def test_ten_thousand_resources_are_summed_quickly() -> None:
    import time

    attributes = {f"attribute_{number}": {"a": [number, number]} for number in range(10)}
    changes = [change(str(number), ["create"], None, attributes) for number in range(2000)]
    started = time.process_time()
    assert summed(*changes).counts.add == 2000
    assert time.process_time() - started < 5
