"""A policy engine that is lost blocks: at the plan, and again at the apply of what was approved with it."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from app.core.settings import get_settings
from tests.factories.policies import PASSES, PolicySets, attach
from tests.factories.scene import Scene, new_scene

FAULTS = {"killed": "kill -KILL $$", "hanging": "kill -STOP $$"}


@pytest.fixture
def scene(session: Session, sent_jobs: Any, sets: PolicySets) -> Scene:
    made = new_scene()
    attach(made, sets.write("fine", PASSES), "advisory")
    return made


def _lose(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on, opa is what the fault makes of it."""
    fake = tmp_path / "opa"
    if how in FAULTS:
        fake.write_text(f'#!/bin/sh\n[ "$1" = version ] && echo "Version: 9.9" && exit 0\n{FAULTS[how]}\n')
        fake.chmod(0o755)
    monkeypatch.setenv("SLUICE_OPA", str(fake))
    monkeypatch.setenv("SLUICE_POLICY_TIMEOUT_SECONDS", "0.5" if how == "hanging" else "60")
    get_settings.cache_clear()


@pytest.mark.parametrize("how", [*FAULTS, "removed"])
def test_plan_whose_policy_engine_is_lost_is_blocked_with_the_reason(
    scene: Scene, how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _lose(how, tmp_path, monkeypatch)
    run_id = scene.at_gate()
    shown = scene.shown(run_id)
    assert (shown.status, shown.verdict) == ("policy_blocked", "blocked_hard")
    (check,) = shown.policy_checks
    assert (check.outcome, check.findings) == ("error", [])
    assert {"killed": "SIGKILL", "hanging": "longer than 0.5 s", "removed": "SLUICE_OPA"}[how] in str(check.error)


@pytest.mark.parametrize("how", [*FAULTS, "removed"])
def test_apply_whose_policy_engine_is_lost_does_not_begin(
    scene: Scene, how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id, child_id = scene.approved()
    job = scene.claimed(child_id)
    _lose(how, tmp_path, monkeypatch)
    answer = scene.verify(job)
    assert not answer.may_apply
    assert scene.status(child_id) == "superseded"
    assert scene.status(run_id) == "superseded"
