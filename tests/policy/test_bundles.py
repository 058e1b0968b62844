from pathlib import Path

import pytest

from app.policy import bundles
from app.policy.errors import PolicySetInvalid, PolicySetNotFound, PolicySetUriRefused

TEXT = '# METADATA\n# title: No changes at all\npackage example\n\ndeny contains "no"\n'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    policies = tmp_path / "policies"
    (policies / "example" / "lib").mkdir(parents=True)
    (policies / "example" / "fixtures").mkdir()
    (policies / "example" / "policy.rego").write_text(TEXT)
    (policies / "example" / "policy_test.rego").write_text("package example_test\n")
    (policies / "example" / "lib" / "more.rego").write_text("package example.more\nwarn := []\n")
    (policies / "example" / "fixtures" / "data.json").write_text("{}")
    (policies / "single.rego").write_text(TEXT)
    (tmp_path / "outside.rego").write_text(TEXT)
    return policies


def test_load_directory_takes_rego_and_data_but_no_tests(root: Path) -> None:
    (root / "example" / "data.json").write_text('{"limits": 1}')
    loaded = bundles.load(root, "policies/example")
    assert sorted(loaded.files) == ["lib/more.rego", "policy.rego"]
    assert loaded.data == '{"limits": 1}'


def test_load_file_is_one_file_and_digest_follows_content(root: Path) -> None:
    first = bundles.load(root, "policies/single.rego")
    assert list(first.files) == ["single.rego"]
    (root / "single.rego").write_text(TEXT + "\n")
    assert bundles.load(root, "./policies/single.rego").digest != first.digest


@pytest.mark.parametrize(
    "uri",
    [
        "git::https://example.com/x",
        "https://example.com/x",
        "file:///etc",
        "git@example.com:x",
        "/etc/passwd",
        "policies/../outside.rego",
        "policies/",
        "policies/.",
        "policies/example/../..",
        "other/example",
        "policies/link",
        "policies/\0",
    ],
)
def test_load_address_outside_is_refused(root: Path, uri: str) -> None:
    (root / "link").symlink_to(root.parent / "outside.rego")
    with pytest.raises(PolicySetUriRefused):
        bundles.load(root, uri)


def test_load_missing_is_not_found(root: Path) -> None:
    with pytest.raises(PolicySetNotFound):
        bundles.load(root, "policies/none")


@pytest.mark.parametrize("case", ["empty", "nested_data", "yaml", "linked", "binary", "name", "large", "other_file"])
def test_load_unusable_set_is_invalid(root: Path, case: str) -> None:
    directory = root / "bad"
    directory.mkdir()
    uri = "policies/bad"
    if case != "empty":
        (directory / "policy.rego").write_text(TEXT)
    if case == "nested_data":
        (directory / "sub").mkdir()
        (directory / "sub" / "data.json").write_text("{}")
    elif case == "yaml":
        (directory / "data.yaml").write_text("a: 1")
    elif case == "linked":
        (directory / "more.rego").symlink_to(root.parent / "outside.rego")
    elif case == "binary":
        (directory / "more.rego").write_bytes(b"\xff\xfe")
    elif case == "name":
        (directory / "mo:re.rego").write_text(TEXT)
    elif case == "large":
        (directory / "more.rego").write_text("#" * (bundles.MAX_BYTES + 1))
    elif case == "other_file":
        (directory / "readme.txt").write_text("x")
        uri = "policies/bad/readme.txt"
    with pytest.raises(PolicySetInvalid):
        bundles.load(root, uri)


def test_shipped_lists_sets_and_says_what_is_broken(root: Path) -> None:
    (root / "broken").mkdir()
    (root / "README.md").write_text("x")
    found = {item.name: item for item in bundles.shipped(root)}
    assert sorted(found) == ["broken", "example", "single"]
    assert found["example"].title == "No changes at all"
    assert found["example"].packages == ["example", "example.more"]
    assert found["example"].error is None
    assert found["broken"].error
    assert bundles.shipped(root / "none") == []
