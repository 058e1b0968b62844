"""Every route that writes, and every trigger of the run state machine, leaves an event."""

import json
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.core.openapi import api_routes
from app.runs import transition as transitions
from app.runs.machine import Decision, Status, Trigger
from app.runs.transition import transition
from tests.arch.test_routes_permissions import BODIES
from tests.factories.scene import new_scene
from tests.support import tenancy
from tests.support.application import application

ROUTES = {route.operation_id: route for route in api_routes(application())}
WRITES = {name for name, route in ROUTES.items() if not (route.methods or set()) <= {"GET", "HEAD"}}

CREATES: dict[str, Any] = {
    "create_user": {"email": "new@example.org", "name": "New"},
    "create_team": {"name": "new"},
    "create_service_account": {"name": "new"},
    "create_token": {"name": "new", "service_account": "ci"},
    "create_stack": {"name": "new"},
    "create_experiment": {"name": "new"},
    "create_workspace": {"name": "new", "stack": "net"},
    "request_run": {"workspace": "prod", "kind": "plan"},
    "set_queue_limit": {"own_limit": 3},
    "create_policy_attachment": {"policy_set_uri": "policies/required_tags", "enforcement_level": "advisory"},
    "create_notification": {"name": "new", "url": "https://hooks.example.org/x", "events": ["halted"]},
    "request_rehearsal": {"policy_set_uri": "policies/blast_radius"},
    "halt": {"scope": "organization", "reason": "a drill"},
    "backend_post": json.loads(tenancy.state_document().replace(b'"serial": 1', b'"serial": 7')),
}

ELSEWHERE = {
    # Signing in and passwords: tests/identity.
    "log_in",
    "use_login_link",
    "log_out",
    "set_password",
    # The gate: each is a trigger of the machine, or a decision that approvals records (tests/approvals, tests/runs).
    "approve_run",
    "reject_run",
    "revoke_run",
    "override_run",
    "discard_run",
    "apply_run",
    "request_rollback",
    "request_migration",
    # Needs what a tenant here has not: an archive, a lock, another system, a halt (tests of their slices).
    "upload_configuration",
    "upload_policy_bundle",
    "release_orphaned_lock",
    "unlock_state",
    "force_unlock_state",
    "backend_unlock",
    "import_state",
    "import_state_from_hcp",
    "resume",
    "begin_halt_drill",
    "delete_workspace",
}
CHANGES_NOTHING = {
    "add_team_member": "is one already",
    "sync_policy_attachment": "the set has not moved",
    "evaluate_policy": "a draft is tried",
}


def _events(session: Session) -> int:
    return session.execute(text("SELECT count(*) FROM audit_events")).scalar_one()


def test_every_route_that_writes_records_an_event(session: Session) -> None:
    acme = tenancy.new_tenant(session, "acme")
    silent: dict[str, str] = {}
    for name in sorted(WRITES - ELSEWHERE - CHANGES_NOTHING.keys()):
        (method,) = ROUTES[name].methods or set()
        path = acme.path(ROUTES[name].path_format or "")
        with session.begin_nested() as savepoint:
            session.connection()
            before = _events(session)
            answer = acme.client.request(method, path, json=BODIES.get(name, CREATES.get(name)))
            written = _events(session) - before
            savepoint.rollback()
        if not (200 <= answer.status_code < 300 and written):
            silent[name] = f"{answer.status_code}, {written} events: {answer.text[:200]}"
    assert silent == {}


def test_routes_that_are_left_out_exist() -> None:
    assert (ELSEWHERE | CHANGES_NOTHING.keys()) - WRITES == set()


@pytest.mark.parametrize("trigger", sorted(set(Trigger) - {Trigger.REQUEST}))
def test_every_trigger_records_an_event(session: Session, monkeypatch: pytest.MonkeyPatch, trigger: Trigger) -> None:
    from app.runs.models import TerraformRun

    scene = new_scene()
    run = session.get(TerraformRun, scene.request())
    assert run is not None
    monkeypatch.setattr(transitions, "decide", lambda *_: Decision(Status.DISCARDED))
    transition(session, run, trigger, transitions.Facts(), actor=scene.admin, reason="why", evidence={"proof": 1})
    session.flush()
    newest = session.execute(
        text("SELECT action, target_id, actor->>'id', evidence FROM audit_events ORDER BY id DESC LIMIT 1")
    ).one()
    assert newest[:3] == (f"run.{trigger.value}", run.id, scene.admin.id)
    assert newest[3] == {"from": "queued", "to": "discarded", "reason": "why", "proof": 1}


def test_request_records_who_asked_for_what(session: Session) -> None:
    scene = new_scene()
    run_id = scene.request()
    session.flush()
    row = session.execute(
        text("SELECT actor->>'id', evidence FROM audit_events WHERE action = 'run.request' AND target_id = :id"),
        {"id": run_id},
    ).one()
    assert row[0] == scene.planner.id
    assert row[1]["kind"] == "plan"
    assert row[1]["configuration_digest"]
