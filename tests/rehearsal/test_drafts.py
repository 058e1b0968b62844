"""What is wrong with a draft is told by file and line, whichever engine found it."""

from typing import Any

import pytest

from app.core.settings import get_settings
from app.policy.errors import PolicySetInvalid
from app.rehearsal import drafts
from tests.policy.conftest import ENGINES

GOOD = "package draft\n\ndeny contains input.x\n"
SYNTAX = 'package draft\n\ndeny contains "x" if {\n\tinput.x ==\n}\n'
UNKNOWN = "package draft\n\ndeny contains x if x := nope(1)\n"
FORBIDDEN = "package draft\n\nwarn contains x if {\n\n\tx := http.send({})\n}\n"
WITHOUT = "# a comment\npackage lib\n\nallow := true\n"


@pytest.fixture(params=ENGINES, autouse=True)
def _engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_POLICY_ENGINE", request.param)
    get_settings.cache_clear()


def refused(files: dict[str, str], data: str | None = None, field: str = "draft") -> dict[str, Any]:
    with pytest.raises(PolicySetInvalid) as error:
        drafts.compiled(files, data, field)
    return dict(error.value.fields)


@pytest.mark.parametrize(
    ("text", "line"), [(SYNTAX, 5), (UNKNOWN, 3), (FORBIDDEN, 5), (WITHOUT, 2)], ids=["syntax", "call", "off", "rules"]
)
def test_draft_that_is_wrong_is_refused_with_file_and_line(text: str, line: int) -> None:
    fields = refused({"good.rego": GOOD, "lib/bad.rego": text})
    [problem] = fields["problems"]
    assert (problem["file"], problem["line"]) == ("lib/bad.rego", line)
    assert problem["message"]
    assert "lib/bad.rego" not in problem["message"]
    assert fields["errors"] == [
        {"field": "draft.files.lib/bad.rego", "message": f"line {line}: {problem['message']}"},
    ]


def test_draft_with_several_faults_has_each_of_them_told() -> None:
    found = refused({"a.rego": UNKNOWN, "b.rego": FORBIDDEN})["problems"]
    assert [(item["file"], item["line"]) for item in found] == [("a.rego", 3), ("b.rego", 5)]


@pytest.mark.parametrize(
    ("files", "data", "said"),
    [
        ({"../a.rego": GOOD}, None, "characters other than"),
        ({"a_test.rego": GOOD}, None, "other than tests"),
        ({"a.rego": GOOD}, "[]", "data.json must hold an object"),
        ({"a.rego": GOOD}, "{", "data.json is not valid JSON"),
    ],
    ids=["name", "tests only", "data", "json"],
)
def test_draft_that_is_no_policy_set_is_refused(files: dict[str, str], data: str | None, said: str) -> None:
    [error] = refused(files, data, "")["errors"]
    assert error["field"] == "files"
    assert said in error["message"]


def test_draft_that_compiles_is_a_bundle_with_its_rego_version() -> None:
    assert drafts.compiled({"a.rego": GOOD}, '{"limit": 1}', "draft").rego_version == 1
