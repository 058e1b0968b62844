from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.specs.diff import differences, pointer
from app.specs.errors import SpecInvalid
from app.specs.module_source import parse_module_source
from app.specs.rules import split_output_reference
from app.specs.spec import TERRAFORM_MODULE_KINDS, TerraformStackSpec, parse_spec, validate_spec

DIGEST = "a" * 64


def problems(**fields: Any) -> dict[str, str]:
    with pytest.raises(SpecInvalid) as caught:
        validate_spec({"name": "network", **fields})
    assert caught.value.status == 422
    return {item["field"]: item["message"] for item in caught.value.fields["errors"]}


def test_spec_hash_of_known_content_never_changes() -> None:
    spec = validate_spec({"name": "network", "module_source": "modules/network", "inputs": {"b": 1, "a": ["x"]}})
    assert spec.canonical() == (
        b'{"inputs":{"a":["x"],"b":1},"module_source":"modules/network","name":"network","schema_version":1}'
    )
    assert spec.hash == "v1:c790aa480fd7b4d73fd352a1d5f53de0f0e67c85d26d1b73920b7f3e69997c94"


def test_spec_hash_explicit_defaults_and_key_order_change_nothing() -> None:
    short = validate_spec({"name": "n", "inputs": {"a": 1, "b": 2}})
    long = validate_spec(
        {
            "inputs": {"b": 2, "a": 1},
            "kind": "generic",
            "engine": {"kind": "any", "version": None},
            "tags": [],
            "schema_version": 1,
            "description": "",
            "module_path": "./",
            "name": "n",
        }
    )
    assert short.hash == long.hash
    assert short.hash != validate_spec({"name": "n", "inputs": {"a": 1, "b": "2"}}).hash


def test_spec_hash_a_field_added_later_with_a_default_changes_no_old_hash() -> None:
    class Later(TerraformStackSpec):
        added_later: str = "default"

    value = {"name": "n", "module_source": "modules/x"}
    assert Later.model_validate(value).hash == TerraformStackSpec.model_validate(value).hash


@given(
    st.dictionaries(st.from_regex(r"[a-z]{1,5}x", fullmatch=True), st.integers(-(2**53) + 1, 2**53 - 1) | st.booleans())
)
def test_spec_document_read_back_gives_the_same_hash(inputs: dict[str, Any]) -> None:
    spec = validate_spec({"name": "n", "inputs": inputs})
    assert parse_spec(spec.canonical()).hash == spec.hash


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"inputs": {"a": {"b": [1, 1.5]}}}, "inputs.a.b[1]", "write it as a string"),
        ({"inputs": {"a": 2**53}}, "inputs.a", "2^53"),
        ({"inputs": {"a b": 1}}, "inputs.a b", "name of a variable"),
        ({"inputs": {"source": "x"}}, "inputs.source", "reserved"),
        ({"inputs": {"a": "\x00"}}, "inputs.a", "NUL"),
        ({"inputs": {"a": ["\ud800"]}}, "inputs.a[0]", "surrogate"),
        ({"inputs": {"a": {"\u00e9": 1, "e\u0301": 2}}}, "inputs.a.e\u0301", "normalised"),
        ({"inputs": []}, "inputs", "dictionary"),
        ({"modul_source": "x"}, "modul_source", "did you mean `module_source`?"),
        ({"engine": {"versoin": "1"}}, "engine.versoin", "did you mean `version`?"),
        ({"engine": {"version": "latest"}}, "engine.version", ">= 1.6"),
        ({"engine": {"kind": "pulumi"}}, "engine.kind", "tofu"),
        ({"kind": "storage"}, "kind", "generic"),
        ({"name": "Not A Name"}, "name", "lower-case"),
        ({"name": 5}, "name", "string"),
        ({"schema_version": 2}, "schema_version", "reads schema_version 1"),
        ({"schema_version": True}, "schema_version", "reads schema_version 1"),
        ({"tags": ["a", "b c"]}, "tags", "not a tag"),
        ({"module_path": "a/../../b"}, "module_path", "without '..'"),
        ({"module_path": "/etc"}, "module_path", "relative"),
        ({"configuration_digest": "abc"}, "configuration_digest", "64"),
        ({"module_source": "modules/x", "configuration_digest": DIGEST}, "spec", "exclude each other"),
        ({"module_digest": DIGEST}, "spec", "module_digest pins a module_source"),
        ({"module_source": "modules/x", "module_path": "y"}, "spec", "module_path"),
        ({"secret_mappings": {"token": "vault:kv/token"}}, "secret_mappings", "variable:KEY"),
        ({"inputs": {"t": "x"}, "secret_mappings": {"t": "variable:k"}}, "spec", "keep one"),
        ({"output_mappings": {"vpc": "prod.vpc_id"}}, "output_mappings", "workspace:NAME.OUTPUT"),
        ({"output_mappings": {"vpc": "workspace:prod"}}, "output_mappings", "workspace:NAME.OUTPUT"),
        ({"output_mappings": {"vpc": "workspace:Prod.vpc_id"}}, "output_mappings", "workspace:NAME.OUTPUT"),
        ({"output_mappings": {"vpc": "workspace:prod.a b"}}, "output_mappings", "workspace:NAME.OUTPUT"),
        ({"output_mappings": {"source": "workspace:prod.vpc_id"}}, "output_mappings", "reserved"),
        ({"inputs": {"t": "x"}, "output_mappings": {"t": "workspace:p.t"}}, "spec", "keep one"),
        (
            {"secret_mappings": {"t": "variable:k"}, "output_mappings": {"t": "workspace:p.t"}},
            "spec",
            "keep one",
        ),
        ({"module_source": "/etc/passwd"}, "module_source", "absolute path"),
    ],
)
def test_spec_wrong_field_is_named_with_its_path_and_the_remedy(fields: dict[str, Any], field: str, words: str) -> None:
    found = problems(**fields)
    assert words in found[field]


def test_spec_several_wrong_fields_are_all_named() -> None:
    assert problems(inputs={"a": 1.5, "b": 2.5}, kind="x", nonsense=1).keys() == {
        "inputs.a",
        "inputs.b",
        "kind",
        "nonsense",
    }


def test_spec_without_name_says_it_is_required() -> None:
    with pytest.raises(SpecInvalid) as caught:
        validate_spec({})
    assert caught.value.fields["errors"] == [{"field": "name", "message": "is required: add it"}]


def test_spec_is_frozen() -> None:
    spec = validate_spec({"name": "n"})
    with pytest.raises(ValueError, match="frozen"):
        spec.name = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("modules/network", "network"),
        ("./network", "network"),
        ("./modules/network", "network"),
        ("../../modules/aws/network/", "aws/network"),
    ],
)
def test_module_source_path_is_relative_to_the_operators_modules(text: str, path: str) -> None:
    source = parse_module_source(text)
    assert (source.kind, source.path) == ("path", path)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("terraform-aws-modules/vpc/aws", "registry"),
        ("registry.example.com/team/vpc/aws//modules/endpoints", "registry"),
        ("git::https://git.example.com/team/vpc.git//sub?ref=v1.2", "git"),
        ("git::ssh://git@git.example.com/team/vpc.git?ref=main", "git"),
        ("git@git.example.com:team/vpc.git", "git"),
        ("github.com/team/vpc?ref=v1", "git"),
    ],
)
def test_module_source_remote_is_accepted_by_syntax(text: str, kind: str) -> None:
    assert parse_module_source(text).kind == kind


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/etc",
        "~/x",
        "../x",
        "../../../etc/passwd",
        "modules/../../etc",
        "modules/..",
        "modules/",
        "modules/a//b",
        "modules/.hidden",
        'modules/x"\n}\nprovider "x" {',
        "modules/${path.root}",
        "modules/x\\y",
        "a/b",
        "http://169.254.169.254/latest",
        "https://example.com/x.zip",
        "s3::https://s3.amazonaws.com/b/k",
        "git::file:///etc",
        "git::https://user:pass@git.example.com/x.git",
        "git::ext::sh -c true",
        "git::https://git.example.com/x.git?ref=--upload-pack=x",
        "modules/\u202ex",
    ],
)
def test_module_source_everything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        parse_module_source(text)


def test_module_kinds_hold_generic() -> None:
    assert "generic" in TERRAFORM_MODULE_KINDS


def test_diff_paths_are_json_pointers() -> None:
    before = {"inputs": {"a/b": 1, "gone": True, "list": [1, 2], "same": "x", "kind": 1}}
    after = {"inputs": {"a/b": 2, "list": [1, 3, 4], "same": "x", "new~": None, "kind": True}}
    assert [(change.path, change.op, change.before, change.after) for change in differences(before, after)] == [
        ("/inputs/a~1b", "change", 1, 2),
        ("/inputs/gone", "remove", True, None),
        ("/inputs/kind", "change", 1, True),
        ("/inputs/list/1", "change", 2, 3),
        ("/inputs/list/2", "add", None, 4),
        ("/inputs/new~0", "add", None, None),
    ]
    assert pointer(()) == ""
    assert differences(after, after) == []


def test_output_reference_with_dots_in_the_workspaces_name_is_split_at_the_last() -> None:
    spec = validate_spec({"name": "n", "output_mappings": {"vpc": "workspace:prod.eu.net.vpc_id"}})
    assert split_output_reference(spec.output_mappings["vpc"]) == ("prod.eu.net", "vpc_id")
    assert spec.hash != validate_spec({"name": "n"}).hash
