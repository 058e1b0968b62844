import json
import re
import subprocess
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from app.core.settings import Settings
from app.executor import discovery
from app.policy import bundles
from app.policy.checker import PolicyChecker
from app.policy.schemas import CheckResult, PinnedAttachment
from tests.policy.bundles import pinned
from tests.policy.conftest import ENGINES

ROOT = Path(__file__).parents[2] / "policies"
SETS = sorted(path.name for path in ROOT.iterdir() if path.is_dir())
FIXTURES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("*/fixtures/*.json"))


def _document(fixture: str) -> dict[str, Any]:
    path = ROOT / fixture
    document: dict[str, Any] = json.loads(path.read_text())[path.stem]
    return document


def _pinned(name: str) -> PinnedAttachment:
    return pinned(bundles.load(ROOT, f"policies/{name}"), uri=f"policies/{name}")


def _results(engine: str, attachments: list[PinnedAttachment], fixture: str) -> list[CheckResult]:
    report = PolicyChecker(Settings(policy_engine=engine)).check(attachments, _document(fixture))
    return list(report.results)


@lru_cache(maxsize=1)
def _all_compiled() -> list[PinnedAttachment]:
    checker = PolicyChecker()
    return [pinned(checker.compile(bundles.load(ROOT, f"policies/{name}")), uri=name) for name in SETS]


@pytest.mark.parametrize("fixture", FIXTURES)
def test_fixture_has_the_outcome_of_its_name_with_every_engine(fixture: str) -> None:
    answers = []
    for engine in ENGINES:
        (result,) = _results(engine, [_pinned(fixture.split("/", maxsplit=1)[0])], fixture)
        assert result.error is None
        assert result.outcome == ("passed" if Path(fixture).name.startswith("pass_") else "failed")
        answers.append(result.findings)
    assert all(findings == answers[0] for findings in answers)


@pytest.mark.parametrize("fixture", FIXTURES)
def test_all_sets_together_agree_with_every_engine(fixture: str) -> None:
    answers = [
        [(item.policy_set_uri, item.outcome, item.findings) for item in _results(engine, _all_compiled(), fixture)]
        for engine in ENGINES
    ]
    assert all(answer == answers[0] for answer in answers)
    assert all(outcome != "error" for _, outcome, _ in answers[0])


@pytest.mark.parametrize("name", SETS)
def test_set_is_complete(name: str) -> None:
    fixtures = [path.name for path in (ROOT / name / "fixtures").iterdir()]
    assert any(fixture.startswith("pass_") for fixture in fixtures)
    assert any(fixture.startswith("fail_") for fixture in fixtures)
    assert (ROOT / name / "policy_test.rego").is_file()
    assert re.search(rf"^\| `{name}` \|", (ROOT / "README.md").read_text(), re.MULTILINE)


def test_shipped_sets_are_listed_with_their_titles() -> None:
    found = {item.name: item for item in bundles.shipped(ROOT)}
    assert sorted(found) == SETS
    assert all(item.error is None and item.title != item.name for item in found.values())


@pytest.mark.parametrize("arguments", [["."], *([name] for name in SETS)])
def test_opa_test_passes(spawns: None, arguments: list[str]) -> None:
    if "opa" not in ENGINES:
        pytest.skip("opa is not on this machine: run `make tools`")
    opa = discovery.find_opa(Settings()).path
    ended = subprocess.run([opa, "test", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "PASS" in ended.stdout
