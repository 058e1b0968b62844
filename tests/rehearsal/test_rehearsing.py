"""A rehearsal over plans that were judged: what it says, in which order, and that it changes nothing."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.core import clock
from app.core.db import unit_of_work
from app.core.settings import get_settings
from app.policy import service as policy
from app.policy.schemas import PolicyAttachmentIn
from app.rehearsal import tasks, working
from app.runs import retention
from tests.factories.rehearsals import DENY_ALL, DENY_NONE, ask, draft, found, look, rehearse
from tests.factories.scene import Scene, new_scene, second_workspace

DENY_NAMED = """package draft

deny contains finding if {
	input.workspace.name == "%s"
	finding := {"message": "not here", "address": input.run.id}
}

warn contains "looked at"
"""


def attach(scene: Scene, level: str) -> None:
    body = {"policy_set_uri": "policies/rehearsed.rego", "enforcement_level": level, "workspace": scene.workspace.id}
    with unit_of_work() as session:
        policy.attach(session, scene.admin, PolicyAttachmentIn.model_validate(body))


@pytest.fixture
def policies(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "rehearsed.rego").write_text(DENY_ALL)
    monkeypatch.setenv("SLUICE_POLICIES_DIR", str(tmp_path))
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


def snapshot(session: Session) -> dict[str, Any]:
    """Everything of runs, their checks, decisions and fingerprints, as the database has it."""
    tables = ("terraform_runs", "terraform_policy_checks", "terraform_approvals", "terraform_run_evidence")
    rows = {name: session.execute(text(f"SELECT to_jsonb(t) FROM {name} t ORDER BY id")).scalars() for name in tables}
    return {name: list(found) for name, found in rows.items()}


def test_rehearsal_of_a_draft_says_of_each_plan_what_it_would_do(scene: Scene) -> None:
    other = second_workspace(scene)
    passing, blocked = other.at_gate(), scene.at_gate()
    done = rehearse(scene, draft(DENY_NAMED % scene.workspace.name))
    assert (done.status, done.total, done.done, done.removed) == ("finished", 2, 2, 0)
    assert (done.newly_blocked, done.would_block, done.would_warn, done.would_pass) == (1, 1, 1, 0)
    assert done.plans_per_second is not None
    assert done.policy_engine is not None
    first, second = found(scene, done.id)
    assert (first.run_id, first.effect, first.verdict, first.verdict_then) == (
        blocked,
        "newly_blocks",
        "blocked_hard",
        "passed",
    )
    assert [(item.kind, item.message, item.address) for item in first.findings] == [
        ("deny", "not here", blocked),
        ("warn", "looked at", None),
    ]
    assert first.workspace.name == scene.workspace.name
    assert (second.run_id, second.effect, second.outcome) == (passing, "warns", "passed")


def test_rehearsal_tells_what_is_new_from_what_was_blocked_then(scene: Scene, policies: None) -> None:
    passed = scene.at_gate()
    attach(scene, "soft-mandatory")
    blocked = scene.at_gate()
    done = rehearse(scene, draft(DENY_ALL))
    assert (done.newly_blocked, done.would_block) == (1, 2)
    assert [(item.run_id, item.effect, item.newly_blocks) for item in found(scene, done.id)] == [
        (passed, "newly_blocks", True),
        (blocked, "blocks", False),
    ]


@pytest.mark.parametrize(
    ("level", "verdict", "effect"),
    [
        ("advisory", "advisory", "warns"),
        ("soft-mandatory", "blocked_soft", "newly_blocks"),
        ("hard-mandatory", "blocked_hard", "newly_blocks"),
    ],
)
def test_rehearsal_follows_the_level(scene: Scene, level: str, verdict: str, effect: str) -> None:
    scene.at_gate()
    done = rehearse(scene, draft(DENY_ALL, enforcement_level=level))
    [one] = found(scene, done.id)
    assert (one.verdict, one.effect) == (verdict, effect)


def test_rehearsal_changes_no_run_verdict_fingerprint_or_approval(
    scene: Scene, session: Session, policies: None
) -> None:
    attach(scene, "advisory")
    scene.at_gate()
    other = second_workspace(scene)
    run_id = other.at_gate()
    other.approve(run_id)
    before = snapshot(session)
    rehearse(scene, draft(DENY_ALL))
    rehearse(scene, draft(DENY_NONE))
    session.expire_all()
    assert snapshot(session) == before


def test_rehearsal_takes_the_last_plans_of_what_was_chosen(scene: Scene) -> None:
    other = second_workspace(scene, tags=["prod"])
    old, new, tagged = scene.at_gate(), scene.at_gate(), other.at_gate()

    def runs_of(**more: Any) -> set[str]:
        return {item.run_id for item in found(scene, rehearse(scene, draft(DENY_ALL, **more)).id)}

    assert runs_of() == {old, new, tagged}
    assert runs_of(last=2) == {new, tagged}
    assert runs_of(workspaces=[scene.workspace.name]) == {old, new}
    assert runs_of(workspaces=[scene.workspace.id, other.workspace.id], last=3) == {old, new, tagged}
    assert runs_of(tag="prod") == {tagged}
    assert runs_of(tag="nobody") == set()


def test_rehearsal_counts_plans_that_retention_removed_and_says_so(scene: Scene) -> None:
    gone = scene.at_gate()
    scene.discard(gone)
    kept = scene.at_gate()
    moment = clock.now() + timedelta(days=91)
    with clock.using(lambda: moment):
        assert retention.remove_due() == 1
        done = rehearse(scene, draft(DENY_ALL))
    assert (done.total, done.done, done.removed, done.would_block) == (2, 2, 1, 1)
    assert [(item.run_id, item.effect, item.outcome) for item in found(scene, done.id)] == [
        (kept, "newly_blocks", "failed"),
        (gone, "removed", None),
    ]


def test_plan_that_retention_removes_meanwhile_counts_as_removed(scene: Scene) -> None:
    run_id = scene.at_gate()
    scene.discard(run_id)
    rehearsal_id = ask(scene, draft(DENY_ALL))
    moment = clock.now() + timedelta(days=91)
    with clock.using(lambda: moment):
        assert retention.remove_due() == 1
        working.advance(scene.organization_id)
    assert (look(scene, rehearsal_id).status, look(scene, rehearsal_id).removed) == ("finished", 1)


def test_policy_that_can_not_be_evaluated_over_a_plan_blocks_it_and_says_why(scene: Scene) -> None:
    scene.at_gate()
    broken = "package draft\n\ndeny contains message if message := lower(input.state.serial)\n"
    done = rehearse(scene, draft(broken))
    assert (done.status, done.not_evaluable, done.would_block) == ("finished", 1, 1)
    [one] = found(scene, done.id)
    assert (one.outcome, one.effect) == ("error", "newly_blocks")
    assert "draft.rego" in (one.error or "") or "lower" in (one.error or "")


def test_rehearsal_without_a_plan_is_finished(scene: Scene) -> None:
    done = rehearse(scene, draft(DENY_ALL))
    assert (done.status, done.total, done.plans_per_second) == ("finished", 0, None)


def test_rehearsal_of_a_set_that_lies_under_policies_takes_it_as_it_is_now(scene: Scene, policies: None) -> None:
    scene.at_gate()
    done = rehearse(scene, {"policy_set_uri": "policies/rehearsed.rego"})
    assert (done.policy_set_uri, done.files, done.newly_blocked) == (
        "policies/rehearsed.rego",
        ["rehearsed.rego"],
        1,
    )


def test_sensitive_values_are_never_in_what_a_draft_can_say(scene: Scene) -> None:
    scene.put_variable("hunter2-hunter2", key="password", sensitive=True)
    run_id = scene.request()
    job = scene.claimed(run_id)
    outcome = scene.outcome(job)
    plan = {
        "format_version": "1.2",
        "variables": {"password": {"value": "hunter2-hunter2"}},
        "resource_changes": [{"address": "a.b", "change": {"actions": ["create"], "after": {"x": "hunter2-hunter2"}}}],
    }
    stored = scene.port.put_artifact(run_id, job.fencing_token, "plan_json", json.dumps(plan).encode())
    outcome = outcome.model_copy(update={"plan_json": stored})
    scene.port.check(run_id, job.fencing_token, outcome)
    scene.port.settle(run_id, job.fencing_token, outcome)
    scene.put_variable("eu", key="password", sensitive=False)
    tell = "package draft\n\ndeny contains message if message := json.marshal(input.plan)\n"
    [one] = found(scene, rehearse(scene, draft(tell)).id)
    [finding] = one.findings
    assert "(sensitive value)" in finding.message
    assert "hunter2" not in finding.message


def test_old_rehearsals_are_removed_and_living_ones_stay(scene: Scene) -> None:
    scene.at_gate()
    done = rehearse(scene, draft(DENY_ALL))
    waiting = ask(scene, draft(DENY_ALL))
    assert tasks.retain() == 0
    moment = clock.now() + timedelta(days=31)
    with clock.using(lambda: moment):
        assert tasks.retain() == 1
    with pytest.raises(Exception, match=done.id):
        look(scene, done.id)
    assert look(scene, waiting).status == "queued"


def test_rehearsals_of_another_organization_are_not_touched(scene: Scene) -> None:
    scene.at_gate()
    rival = new_scene(name="rival")
    rival_run = rival.at_gate()
    done = rehearse(rival, draft(DENY_ALL))
    assert [item.run_id for item in found(rival, done.id)] == [rival_run]
