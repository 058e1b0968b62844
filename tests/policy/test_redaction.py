import base64
import copy
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest

from app.policy.redaction import SENSITIVE_MARKER as MARK
from app.policy.redaction import build_input, redact_plan

SECRET = "hunter2-planted"


def _plan() -> dict[str, Any]:
    values = {"name": "db", "password": SECRET, "nested": [{"token": SECRET, "open": 1}]}
    marks = {"password": True, "nested": [{"token": True}]}
    module = {
        "resources": [{"address": "a.b", "values": values, "sensitive_values": marks}],
        "child_modules": [{"resources": [{"address": "m.a.b", "values": values, "sensitive_values": marks}]}],
    }
    change = {
        "actions": ["update"],
        "before": {**values, "password": SECRET + "-old"},
        "after": values,
        "before_sensitive": marks,
        "after_sensitive": marks,
        "generated_config": f'password = "{SECRET}"',
    }
    outputs = {"secret": {"sensitive": True, "value": {"deep": SECRET}}, "open": {"sensitive": False, "value": "x"}}
    return {
        "format_version": "1.2",
        "variables": {"password": {"value": SECRET}, "platform": {"value": SECRET + "2"}, "region": {"value": "eu"}},
        "planned_values": {"outputs": outputs, "root_module": module},
        "prior_state": {"values": {"outputs": outputs, "root_module": module}},
        "resource_changes": [{"address": "a.b", "change": change}],
        "resource_drift": [{"address": "a.b", "change": change}],
        "deferred_changes": [{"reason": "x", "resource_change": {"address": "a.b", "change": change}}],
        "output_changes": {
            "secret": {"before": None, "after": SECRET, "before_sensitive": False, "after_sensitive": True}
        },
        "configuration": {
            "root_module": {
                "variables": {"password": {"sensitive": True, "default": SECRET}, "region": {"default": "eu"}},
                "resources": [{"address": "a.b", "expressions": {"password": {"constant_value": SECRET}}}],
                "outputs": {"secret": {"sensitive": True, "expression": {"constant_value": SECRET + "3"}}},
                "module_calls": {"m": {"module": {"variables": {"p": {"sensitive": True, "default": SECRET + "4"}}}}},
            }
        },
    }


def test_redact_plan_leaves_no_secret_anywhere() -> None:
    assert SECRET not in json.dumps(redact_plan(_plan(), ["platform"]))


def test_redact_plan_variable_that_only_the_platform_calls_sensitive_is_hidden_where_it_flows() -> None:
    plan = {
        "variables": {"key": {"value": SECRET}, "list": {"value": ["abcdef", "x"]}},
        "resource_changes": [{"change": {"after": {"url": f"https://u:{SECRET}@host", "x": "x", "y": "abcdef"}}}],
        "output_changes": {"o": {"after": SECRET}},
    }
    redacted = redact_plan(plan, ["key", "list"])
    assert redacted["resource_changes"][0]["change"]["after"] == {"url": MARK, "x": "x", "y": MARK}
    assert redacted["output_changes"]["o"]["after"] == MARK
    assert redact_plan(plan)["output_changes"]["o"]["after"] == SECRET


@pytest.mark.parametrize("shift", range(3))
def test_redact_plan_hides_what_functions_make_of_a_variable_that_only_the_platform_calls_sensitive(shift: int) -> None:
    secret = 'pa"ss <w>&ord\nsecond line'
    go = json.dumps({"password": secret}).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    made = {
        "base64": base64.b64encode(b"#!" + b" " * shift + secret.encode() + b"\n").decode(),
        "json": go,
        "json_in_base64": base64.b64encode(b" " * shift + go.encode()).decode(),
        "url": f"https://host/?p={quote(secret, safe='')}",
        "indented": secret.replace("\n", "\n    "),
    }
    plan = {
        "variables": {"key": {"value": secret}},
        "resource_changes": [{"change": {"after": {**made, "open": "as it is"}}}],
    }
    after = redact_plan(plan, ["key"])["resource_changes"][0]["change"]["after"]
    assert after == {**dict.fromkeys(made, MARK), "open": "as it is"}


def test_redact_plan_keeps_what_is_open_and_the_shape() -> None:
    after = redact_plan(_plan())["resource_changes"][0]["change"]["after"]
    assert after == {"name": "db", "password": MARK, "nested": [{"token": MARK, "open": 1}]}
    redacted = redact_plan(_plan())
    assert redacted["variables"]["region"] == {"value": "eu"}
    assert redacted["configuration"]["root_module"]["variables"]["region"] == {"default": "eu"}
    assert redacted["planned_values"]["outputs"]["open"]["value"] == "x"


def test_redact_plan_changes_nothing_in_place() -> None:
    plan = _plan()
    before = copy.deepcopy(plan)
    redact_plan(plan, ["platform"])
    assert plan == before


def test_redact_plan_null_stays_null_and_whole_value_mark_hides_all() -> None:
    plan = {
        "resource_changes": [
            {"change": {"before": None, "before_sensitive": True, "after": {"x": 1}, "after_sensitive": True}}
        ]
    }
    change = redact_plan(plan)["resource_changes"][0]["change"]
    assert (change["before"], change["after"]) == (None, MARK)


def test_redact_plan_odd_documents_do_not_raise() -> None:
    for odd in ({}, {"configuration": None}, {"resource_changes": None, "prior_state": {"values": None}}):
        assert redact_plan(odd) == odd
    named: dict[str, Any] = {"variables": {"a": {"value": SECRET}}}
    for odd in (3, "x", [3], {"a": 3}, {"root_module": 3}):
        for name in ("resource_changes", "deferred_changes", "output_changes", "planned_values"):
            assert redact_plan({**named, name: odd}, ["a"])[name] == odd


def test_build_input_has_the_time_in_utc_as_text() -> None:
    document = build_input(
        {"resource_changes": []},
        run={"id": "run-1"},
        spec={},
        workspace={"name": "w"},
        actor={"id": "u"},
        state_summary=None,
        time=datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC),
    )
    assert (document.time, document.state, document.run) == ("2026-01-02T03:04:05Z", None, {"id": "run-1"})


def test_redact_plan_hides_nothing_of_what_the_engine_says_whatever_a_variable_is_set_to() -> None:
    plan: dict[str, Any] = {
        "variables": {"a": {"value": "x"}},
        "resource_changes": [
            {
                "address": "aws_iam_user.delete",
                "type": "aws_iam_user",
                "name": "delete",
                "provider_name": "registry.opentofu.org/evil/aws",
                "change": {"actions": ["delete", "create"], "before": {"a": "delete"}, "after": {"a": "b"}},
                "action_reason": "replace_because_tainted",
            }
        ],
        "planned_values": {"root_module": {"resources": [{"type": "aws_iam_user", "values": {"v": "aws_iam_user"}}]}},
        "output_changes": {"after": {"actions": ["delete"], "before": "delete", "after": None}},
        "checks": [{"address": {"kind": "check"}, "status": "fail"}],
        "configuration": {
            "provider_config": {"aws": {"name": "aws", "full_name": "registry.opentofu.org/evil/aws"}},
            "root_module": {
                "resources": [
                    {"type": "aws_iam_user", "name": "delete", "expressions": {"v": {"constant_value": "delete"}}}
                ],
                "module_calls": {
                    "m": {"source": "./modules/evil", "module": {"resources": [{"type": "aws_iam_user"}]}}
                },
            },
        },
    }
    said = (
        *("delete", "create", "aws_iam_user", "aws_iam_user.delete", "registry.opentofu.org/evil/aws", "fail", "check"),
        *("replace_because_tainted", "./modules/evil"),
    )
    for value in said:
        for is_declared in (False, True):
            given = copy.deepcopy(plan)
            given["variables"]["a"]["value"] = value
            if is_declared:
                given["configuration"]["root_module"]["variables"] = {"a": {"sensitive": True}}
            found = redact_plan(given, ["a"])
            [change], shown = found["resource_changes"], found["configuration"]
            assert change == {
                **plan["resource_changes"][0],
                "change": {**change["change"], "actions": ["delete", "create"]},
            }
            assert found["output_changes"]["after"]["actions"] == ["delete"]
            assert found["checks"] == plan["checks"]
            assert shown["provider_config"] == plan["configuration"]["provider_config"]
            assert shown["root_module"]["module_calls"] == plan["configuration"]["root_module"]["module_calls"]
            assert shown["root_module"]["resources"][0]["type"] == "aws_iam_user"
            assert found["variables"]["a"]["value"] == MARK
    hidden = redact_plan({**plan, "variables": {"a": {"value": "delete"}}}, ["a"])
    assert hidden["resource_changes"][0]["change"]["before"] == {"a": MARK}
    assert hidden["output_changes"]["after"]["before"] == MARK
    expressions = hidden["configuration"]["root_module"]["resources"][0]["expressions"]
    assert expressions == {"v": {"constant_value": MARK}}


def test_redact_plan_hides_keys_of_values_and_keeps_their_number() -> None:
    after = {SECRET: 1, f"{SECRET}-2": 2, "open": 3}
    plan = {"variables": {"a": {"value": SECRET}}, "resource_changes": [{"change": {"after": after}}]}
    [change] = redact_plan(plan, ["a"])["resource_changes"]
    assert list(change["change"]["after"].values()) == [1, 2, 3]
    assert SECRET not in json.dumps(change)
