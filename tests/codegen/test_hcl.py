import base64
import json
import subprocess
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.codegen.errors import NotRenderable
from app.codegen.hcl import Hcl, address, identifier, import_block, literal, quoted, removed_block
from app.executor.discovery import Tool
from tests.support.examples import examples
from tests.support.guards import spawning

NASTY = [
    "",
    "${path.root}",
    "%{ if true }x%{ endif }",
    "$${",
    "$$${x}",
    "%%{x}",
    "%%%{",
    "$",
    "%",
    "${",
    "\\${x}",
    '"',
    '\\"',
    "\\",
    "\\\\",
    "\\n",
    "\n",
    "\r\n",
    "a\tb",
    '"\n}\nresource "terraform_data" "evil" {}\n',
    "<<EOT\nx\nEOT\n",
    "/* x */ # y // z",
    "\x01\x7f\x1b[31m",
    "\u202ereversed\u202c",
    "\u200b\ufeff",
    "\u2028\u2029\u0085",
    "\U0001f600 \U000e0041",
    "e\u0301",
    "\ufffe\uffff",
    "x" * 5000,
]
CHARACTERS = st.characters(exclude_characters="\x00", exclude_categories=["Cs"])
TEXTS = st.text(CHARACTERS, max_size=40) | st.text(st.sampled_from('${}%"\\\n\r\t<#/*u0024 a'), max_size=40)
KEYS = TEXTS.map(lambda text: unicodedata.normalize("NFC", text))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


def normalised(value: Any) -> Any:
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    if isinstance(value, list):
        return [normalised(item) for item in value]
    if isinstance(value, dict):
        return {normalised(key): normalised(item) for key, item in value.items()}
    return value


@pytest.fixture
def read_back(engine_tool: Tool, tmp_path: Path) -> Callable[[list[Any]], list[Any]]:
    """Write values as HCL into a file, and have the real engine say what they are."""

    def read(values: list[Any]) -> list[Any]:
        texts = [value if isinstance(value, Hcl) else literal(value) for value in values]
        locals_ = "".join(f"  v{index} = {text}\n" for index, text in enumerate(texts))
        (tmp_path / "main.tf").write_text(f'locals {{\n{locals_}  after = "sentinel"\n}}\n', encoding="utf-8")
        names = ", ".join(f"local.v{index}" for index in range(len(values)))
        with spawning("the engine's console reads the file back"):
            done = subprocess.run(
                [engine_tool.path, "console"],
                input=f"base64encode(jsonencode([{names}{',' if values else ''} local.after]))\n",
                capture_output=True,
                text=True,
                cwd=tmp_path,
                check=False,
                timeout=60,
                env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "CHECKPOINT_DISABLE": "1"},
            )
        assert done.returncode == 0, done.stderr
        result = json.loads(base64.b64decode(done.stdout.strip().strip('"')))
        assert result.pop() == "sentinel"
        return list(result)

    return read


@pytest.mark.engine
def test_literal_nasty_texts_read_back_by_the_engine_are_the_same(
    read_back: Callable[[list[Any]], list[Any]],
) -> None:
    values: list[Any] = [*NASTY, {text: text for text in NASTY}, [None, True, 2**53 - 1, -5, [], {}]]
    assert read_back(values) == normalised(values)


@pytest.mark.engine
@settings(max_examples=examples(8), suppress_health_check=list(HealthCheck))
@given(values=st.lists(VALUES, min_size=40, max_size=120))
def test_literal_any_value_read_back_by_the_engine_is_the_same(
    read_back: Callable[[list[Any]], list[Any]], values: list[Any]
) -> None:
    assert read_back(values) == normalised(values)


@given(TEXTS)
def test_quoted_any_text_is_one_line_of_printable_characters_without_an_open_template(text: str) -> None:
    made = quoted(text)
    assert made.isprintable()
    assert "${" not in made
    assert "%{" not in made
    assert made.startswith('"')
    assert made.endswith('"')


@pytest.mark.parametrize(
    "value", ["\x00", "\ud800", 1.5, 2**53, float("nan"), {1: "x"}, {"\u00e9": 1, "e\u0301": 2}, b"x", {"a": object()}]
)
def test_literal_value_without_exact_form_is_refused(value: Any) -> None:
    with pytest.raises(NotRenderable):
        literal(value)


@pytest.mark.parametrize("name", ["", "1a", "a b", "a.b", 'x" {', "a\n", "\u00e9", "${x}"])
def test_identifier_anything_else_is_refused(name: str) -> None:
    with pytest.raises(NotRenderable):
        identifier(name)


def test_literal_measured_numbers_read_back_by_the_engine_are_the_same(
    read_back: Callable[[list[Any]], list[Any]],
) -> None:
    values = [0.1, 1e-7, 1.5e300, 2**60, -3.25, {"a": [0.5]}]
    found = read_back([literal(value, is_measured=True) for value in values])
    # An engine writes 1.5e300 with all its digits, which JSON in Python takes for a whole number.
    assert json.loads(json.dumps(found), parse_int=float) == values


def test_literal_measured_value_that_is_no_number_of_json_is_refused() -> None:
    with pytest.raises(NotRenderable):
        literal(float("nan"), is_measured=True)


def test_address_a_key_is_written_as_a_literal_and_never_as_a_template() -> None:
    text = address([("module", None), ("m", "${evil}"), ("aws_x", None), ("y", 'a"b')])
    assert "${" not in text
    assert text.endswith('.aws_x.y["a\\"b"]')


def test_import_block_of_an_instance_names_its_address_and_id() -> None:
    assert import_block([("aws_x", None), ("y", 0)], "i-1") == 'import {\n  to = aws_x.y[0]\n  id = "i-1"\n}\n'


def test_import_block_of_an_id_that_hcl_cannot_say_is_refused() -> None:
    with pytest.raises(NotRenderable):
        import_block([("aws_x", None), ("y", None)], "i\0")


def test_removed_block_of_a_resource_names_its_address() -> None:
    assert removed_block([("aws_x", None), ("y", None)]) == "removed { from = aws_x.y }"
