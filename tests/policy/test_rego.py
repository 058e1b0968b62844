import json
import time

import pytest

from app.policy import rego

HEAD = "package example\n"


def _errors(text: str, data: str | None = None) -> tuple[str, ...]:
    return rego.review({"policy.rego": text}, data).errors


def test_review_package_with_deny_is_found() -> None:
    found = rego.review({"a.rego": 'package a.b["c d"]\ndeny contains "x" if input.y\nwarn := set()\n'}, None)
    assert found.errors == ()
    assert dict(found.packages) == {("a", "b", "c d"): ("deny", "warn")}
    assert found.is_self_contained


def test_review_package_with_neither_deny_nor_warn_is_error() -> None:
    assert "neither deny nor warn" in _errors(HEAD + "denied contains 1 if input.x\n")[0]


def test_review_deny_only_in_comment_or_string_is_error() -> None:
    text = HEAD + '# deny contains "x"\ntext := `\ndeny contains "x"\n`\nother := "deny"\n'
    assert any("neither deny nor warn" in error for error in _errors(text))


def test_review_library_that_is_referred_to_is_accepted() -> None:
    files = {
        "lib.rego": "package lib.tags\nrequired := {1}\n",
        "policy.rego": "package example\nimport data.lib.tags\ndeny contains x if some x in tags.required\n",
    }
    assert rego.review(files, None).errors == ()
    del files["policy.rego"]
    assert rego.review(files, None).errors


@pytest.mark.parametrize(
    "call",
    [
        'http.send({"url": "x"})',
        'http["send"]({"url": "x"})',
        "http . send({})",
        "http[`send`]({})",
        "opa.runtime()",
        "time.now_ns()",
        'net.lookup_ip_addr("x")',
        'rand.intn("x", 2)',
        'uuid.rfc4122("x")',
    ],
)
def test_review_forbidden_builtin_is_error(call: str) -> None:
    assert "not allowed" in _errors(HEAD + f"deny contains x if {{ input.never; x := {call} }}\n")[0]
    assert (
        "not allowed"
        in _errors(HEAD + f"deny contains 1 if count([1]) == 1 with {call.split('(', maxsplit=1)[0]} as 1\n")[0]
    )


def test_review_pure_network_and_time_builtins_are_accepted() -> None:
    text = 'deny contains x if { x := time.parse_rfc3339_ns(input.time); net.cidr_contains("10.0.0.0/8", input.ip) }\n'
    assert _errors(HEAD + text) == ()


def test_review_unknown_data_is_error_known_is_not() -> None:
    text = HEAD + "deny contains x if some x in data.limits.types\n"
    assert "data.limits.types" in _errors(text)[0]
    assert _errors(text, json.dumps({"limits": {"types": []}})) == ()
    assert "data.limits.types" in _errors(text, json.dumps({"limits": {"type": []}}))[0]


def test_review_unknown_function_is_error_own_is_not() -> None:
    assert "no function protected" in _errors(HEAD + "deny contains 1 if protected(input.x)\n")[0]
    assert _errors(HEAD + "deny contains 1 if protected(input.x)\nprotected(x) if x == 1\n") == ()


def test_review_reference_over_all_data_is_not_self_contained() -> None:
    assert not rego.review({"a.rego": "package a.b\ndeny contains x if data[x].y\n"}, None).is_self_contained
    assert not rego.review({"a.rego": "package a.b\ndeny contains x if data.a[x].y\n"}, None).is_self_contained
    assert rego.review({"a.rego": "package a.b\nz := {1}\ndeny contains x if data.a.b.z[x]\n"}, None).is_self_contained


@pytest.mark.parametrize(
    ("text", "data", "message"),
    [
        ("deny contains 1\n", None, "no package declaration"),
        ("package a\npackage b\ndeny contains 1\n", None, "second package"),
        ("package a\ndeny contains 1\n", "[1]", "object"),
        ("package a\ndeny contains 1\n", "{", "not valid JSON"),
    ],
)
def test_review_malformed_set_is_error(text: str, data: str | None, message: str) -> None:
    assert any(message in error for error in _errors(text, data))


def test_review_no_file_is_error() -> None:
    assert rego.review({}, None).errors


def test_rule_reference_quotes_what_is_no_name() -> None:
    assert rego.rule_reference(("a", 'b"c'), "deny") == 'data["a"]["b\\"c"]["deny"]'


def test_capabilities_hold_no_forbidden_builtin_and_no_host() -> None:
    document = json.loads(rego.CAPABILITIES.read_text())
    assert document["allow_net"] == []
    assert not rego.allowed_builtins() & rego.FORBIDDEN_BUILTINS
    assert not [item["name"] for item in document["builtins"] if item.get("nondeterministic")]


@pytest.mark.parametrize("row", ['\\"', '"\\', '"', "$`", "`", "["])
def test_review_of_a_string_that_never_closes_takes_no_square_of_its_length(row: str) -> None:
    began = time.process_time()
    rego.review({"a.rego": HEAD + row * 40_000}, None)
    assert time.process_time() - began < 5


def test_review_looks_into_what_only_seems_to_be_a_string() -> None:
    assert "http.send" in " ".join(_errors(HEAD + 'deny contains x if { "a\\" x := http.send({}) }\n'))
