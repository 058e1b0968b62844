"""What SLUICE_HALT_ENDPOINTS may say, and what is said when it says something else: never a token."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from app.core.halt_endpoints import check_tokens, parse
from app.core.settings import Settings

GOOD: dict[str, Any] = {"name": "bots", "url": "https://bots.internal/bots/halt-all", "token": "very-secret"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("{", "not JSON"),
        ("{}", "a JSON list"),
        ("[1]", "entry 1"),
        (json.dumps([{**GOOD, "url": "ftp://x"}]), "url should begin with http"),
        (json.dumps([{**GOOD, "url": "https://u:p@x/"}]), "no user, password"),
        (json.dumps([{**GOOD, "name": ""}]), "name"),
        (json.dumps([{**GOOD, "tokn": "very-secret"}]), "tokn"),
        (json.dumps([{**GOOD, "token_env": "BOTS"}]), "one of token"),
        (json.dumps([{**GOOD, "timeout_seconds": 0}]), "timeout_seconds"),
        (json.dumps([GOOD, GOOD]), "bots comes more than once"),
    ],
)
def test_settings_of_a_wrong_endpoint_say_what_is_wrong_and_no_token(given: str, said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(halt_endpoints=given)  # type: ignore[arg-type]  # as the environment gives it
    messages = "; ".join(problem["msg"] for problem in refused.value.errors())
    assert said in messages
    assert "very-secret" not in messages


def test_token_comes_from_its_file_or_the_environment_and_is_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    file.write_text("from-the-file\n")
    monkeypatch.setenv("BOTS_TOKEN", "from-the-environment")
    wanted = [
        {"name": "a", "url": "http://127.0.0.1:1/a", "token_file": str(file)},
        {"name": "b", "url": "http://127.0.0.1:1/b?key=1", "token_env": "BOTS_TOKEN"},
        GOOD,
    ]
    found = parse(json.dumps(wanted))
    assert [endpoint.secret() for endpoint in found] == ["from-the-file", "from-the-environment", "very-secret"]
    assert check_tokens(found) == []
    assert "very-secret" not in repr(found)
    assert found[1].shown_url == "http://127.0.0.1:1/b"
    file.unlink()
    [wrong] = check_tokens(found)
    assert "token_file of a" in wrong


def test_no_endpoints_is_none() -> None:
    assert Settings().siblings == ()
