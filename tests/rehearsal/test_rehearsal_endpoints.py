"""Rehearsals and the playground over the API: who may, what is refused, and how it is said."""

from pathlib import Path
from typing import Any

import pytest

from app.configurations import service as configurations
from app.core.permissions import Actor, Permission
from app.core.settings import get_settings
from app.rehearsal import playground, working
from tests.factories.rehearsals import DENY_ALL, draft
from tests.factories.scene import Scene, new_scene
from tests.support.client import ActingClient
from tests.support.people import narrowed

BASE = "/terraform/rehearsals"
TRY = "/terraform/policies/evaluate"
FILES = {"draft.rego": DENY_ALL}


@pytest.fixture
def api(client: ActingClient, scene: Scene) -> ActingClient:
    return client.acting(scene.planner)


def code_of(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_rehearsal_is_asked_for_worked_on_and_read(api: ActingClient, scene: Scene, sent_jobs: Any) -> None:
    run_id = scene.at_gate()
    sent_jobs.clear()
    asked = api.post(BASE, json=draft(DENY_ALL, workspaces=[scene.workspace.name]))
    assert asked.status_code == 202, asked.text
    made = asked.json()
    assert (made["status"], made["total"], made["done"], made["seconds"]) == ("queued", 1, 0, None)
    assert made["workspaces"] == [{"id": scene.workspace.id, "name": scene.workspace.name}]
    assert sent_jobs == [("rehearsal.advance", (scene.organization_id,), "control")]
    working.advance(scene.organization_id)
    done = api.get(f"{BASE}/{made['id']}").json()
    assert (done["status"], done["newly_blocked"], done["files"]) == ("finished", 1, ["draft.rego"])
    assert api.get(BASE).json()["items"] == [done]
    [one] = api.get(f"{BASE}/{made['id']}/results").json()["items"]
    assert (one["run_id"], one["newly_blocks"], one["verdict_then"]) == (run_id, True, "passed")
    assert api.get(f"{BASE}/{made['id']}/results?effect=passes&effect=warns").json()["items"] == []
    assert code_of(api.post(f"{BASE}/{made['id']}/cancel")) == (409, "rehearsal_over")


def test_results_come_page_by_page_in_one_order(api: ActingClient, scene: Scene) -> None:
    runs = [scene.at_gate() for _ in range(3)]
    made = api.post(BASE, json=draft(DENY_ALL)).json()["id"]
    for _ in range(3):
        working.advance(scene.organization_id)
    first = api.get(f"{BASE}/{made}/results?limit=2").json()
    rest = api.get(f"{BASE}/{made}/results?limit=2&cursor={first['next_cursor']}").json()
    assert [item["run_id"] for item in first["items"] + rest["items"]] == runs[::-1]
    assert rest["next_cursor"] is None


def test_same_key_gives_the_same_rehearsal(api: ActingClient, scene: Scene) -> None:
    first, again = (
        api.post(BASE, json=draft(DENY_ALL), headers={"Idempotency-Key": "k"}).json()["id"] for _ in range(2)
    )
    assert first == again
    assert len(api.get(BASE).json()["items"]) == 1


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({}, "rehearsal_invalid", "draft"),
        (draft(DENY_ALL, policy_set_uri="policies/x"), "rehearsal_invalid", "draft"),
        (draft(DENY_ALL, workspaces=["a"], tag="b"), "rehearsal_invalid", "tag"),
        (draft(DENY_ALL, waives_unevaluable=True), "rehearsal_invalid", "waives_unevaluable"),
        (draft(DENY_ALL, last=501), "invalid", "last"),
        (draft(DENY_ALL, enforcement_level="hard"), "invalid", "enforcement_level"),
        ({"policy_set_uri": "https://example.org/x"}, "policy_set_uri_refused", "policy_set_uri"),
        (draft("package draft\n\ndeny contains nope(1)\n"), "policy_set_invalid", "draft.files.draft.rego"),
    ],
)
def test_request_that_is_wrong_is_refused_and_names_the_field(
    api: ActingClient, body: dict[str, Any], code: str, field: str
) -> None:
    answer = api.post(BASE, json=body)
    assert code_of(answer) == (422, code)
    assert answer.json()["errors"][0]["field"] == field


def test_unknown_workspace_and_that_of_another_organization_are_the_same(api: ActingClient, scene: Scene) -> None:
    rival = new_scene(name="rival")
    for name in ("nowhere", rival.workspace.id, rival.workspace.name):
        assert code_of(api.post(BASE, json=draft(DENY_ALL, workspaces=[name]))) == (404, "workspace_not_found")


def test_rehearsal_of_another_organization_is_not_found(api: ActingClient, scene: Scene) -> None:
    rival = new_scene(name="rival")
    made = api.post(BASE, json=draft(DENY_ALL)).json()["id"]
    api.acting(rival.admin)
    for answer in (api.get(f"{BASE}/{made}"), api.get(f"{BASE}/{made}/results"), api.post(f"{BASE}/{made}/cancel")):
        assert code_of(answer) == (404, "rehearsal_not_found")
    assert api.get(BASE).json()["items"] == []


def test_reading_policies_alone_shows_no_plan(api: ActingClient, scene: Scene) -> None:
    run_id = scene.at_gate()
    api.acting(narrowed(scene.admin, Permission.POLICIES_READ))
    made = api.post(BASE, json=draft(DENY_ALL))
    assert (made.status_code, made.json()["permission"]) == (403, "runs:read")
    for answer in (
        api.get(BASE),
        api.get(f"{BASE}/reh-1/results"),
        api.post(TRY, json={"files": FILES, "run_id": run_id}),
        api.get(f"/terraform/runs/{run_id}/policy-input"),
    ):
        assert answer.status_code == 403, answer.text
    assert api.post(TRY, json={"files": FILES, "input": {}}).json()["outcome"] == "failed"


def test_rehearsing_what_the_server_fetches_takes_the_right_to_attach_it(
    api: ActingClient, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(*_: Any, **__: Any) -> None:
        pytest.fail("somebody who may only read had the server fetch")

    monkeypatch.setattr(configurations, "fetch_git", fetch)
    for uri in ("git+ssh://git@git.example/own.git//set?ref=main", "./git+https://git.example/own.git//set?ref=main"):
        refused = api.post(BASE, json={"policy_set_uri": uri})
        assert (refused.status_code, refused.json()["permission"]) == (403, "policies:write"), uri


def test_playground_evaluates_a_draft_over_a_run(api: ActingClient, scene: Scene) -> None:
    run_id = scene.at_gate()
    text = "package draft\n\ndeny contains input.run.id\n\nwarn contains input.actor.name\n"
    answer = api.post(TRY, json={"files": {"draft.rego": text}, "run_id": run_id})
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert (said["outcome"], said["error"], said["problems"]) == ("failed", None, [])
    assert {(item["kind"], item["message"]) for item in said["findings"]} == {
        ("deny", run_id),
        ("warn", scene.planner.name),
    }
    assert said["values"] == {"draft/deny": [run_id], "draft/warn": [scene.planner.name]}
    assert len(said["assumptions"]) == 3


def test_playground_evaluates_a_draft_with_data_over_an_input_of_ones_own(api: ActingClient) -> None:
    text = 'package draft\n\ndeny contains message if {\n\tinput.count > data.limit\n\tmessage := "too many"\n}\n'
    body = {"files": {"draft.rego": text}, "data": '{"limit": 2}'}
    assert api.post(TRY, json={**body, "input": {"count": 3}}).json()["outcome"] == "failed"
    assert api.post(TRY, json={**body, "input": {"count": 2}}).json()["outcome"] == "passed"


def test_playground_evaluates_a_set_by_its_address(api: ActingClient, scene: Scene) -> None:
    said = api.post(TRY, json={"policy_set_uri": "policies/no_local_exec", "run_id": scene.at_gate()}).json()
    assert (said["outcome"], said["error"]) == ("failed", None)
    assert "holds no configuration" in said["findings"][0]["message"]
    assert code_of(api.post(TRY, json={"policy_set_uri": "policies/nowhere", "input": {}})) == (
        404,
        "policy_set_not_found",
    )


def test_playground_tells_what_is_wrong_with_a_set_by_its_address(
    api: ActingClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_POLICIES_DIR", str(tmp_path))
    get_settings.cache_clear()
    (tmp_path / "loose.rego").write_text("package loose\n\ndeny contains x if x := lower(input.count)\n")
    said = api.post(TRY, json={"policy_set_uri": "policies/loose.rego", "input": {"count": 1}}).json()
    assert (said["outcome"], said["problems"][0]["file"], said["problems"][0]["line"]) == ("error", "loose.rego", 3)


def test_playground_does_not_have_the_server_fetch_for_who_may_only_read(
    api: ActingClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(configurations, "fetch_git", lambda *_, **__: pytest.fail("it was fetched"))
    refused = api.post(TRY, json={"policy_set_uri": "git+ssh://git@git.example/own.git//set?ref=main", "input": {}})
    assert (refused.status_code, refused.json()["permission"]) == (403, "policies:write")


@pytest.mark.parametrize(
    "given",
    [{}, {"files": FILES, "policy_set_uri": "policies/x"}, {"policy_set_uri": "policies/x", "data": "{}"}],
    ids=["none", "two", "data of neither"],
)
def test_playground_without_a_policy_or_with_two_is_refused(api: ActingClient, given: dict[str, Any]) -> None:
    assert code_of(api.post(TRY, json={**given, "input": {}})) == (422, "rehearsal_invalid")


def test_playground_tells_what_is_wrong_with_a_draft(api: ActingClient) -> None:
    text = "package draft\n\ndeny contains x if {\n\tx := nope(1)\n}\n"
    said = api.post(TRY, json={"files": {"draft.rego": text}, "input": {}}).json()
    assert said["outcome"] == "error"
    assert said["problems"] == [{"file": "draft.rego", "line": 4, "message": "there is no function nope"}]
    runtime = "package draft\n\ndeny contains x if x := lower(input.count)\n"
    said = api.post(TRY, json={"files": {"draft.rego": runtime}, "input": {"count": 1}}).json()
    assert (said["outcome"], said["problems"][0]["line"]) == ("error", 3)


def test_playground_without_an_input_or_with_two_is_refused(api: ActingClient, scene: Scene) -> None:
    for more in ({}, {"run_id": "run-1", "input": {}}):
        assert code_of(api.post(TRY, json={"files": FILES, **more})) == (422, "rehearsal_invalid")


def test_playground_does_not_wait_for_ever(api: ActingClient, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playground, "PATIENCE_SECONDS", 0.01)
    run_id = scene.at_gate()
    with playground.place(), playground.place():
        for answer in (
            api.post(TRY, json={"files": FILES, "input": {}}),
            api.post(BASE, json=draft(DENY_ALL)),
            api.get(f"/terraform/runs/{run_id}/policy-input"),
        ):
            assert code_of(answer) == (503, "playground_busy")
    assert api.post(TRY, json={"files": FILES, "input": {}}).status_code == 200


def test_playground_ends_a_draft_that_loops(api: ActingClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_POLICY_TIMEOUT_SECONDS", "0.5")
    get_settings.cache_clear()
    pairs = "some x in numbers.range(1, 100000); some y in numbers.range(1, 100000); z := x * y"
    text = f"package draft\n\ndeny contains total if {{\n\ttotal := sum([z | {pairs}])\n\ttotal == 1\n}}\n"
    said = api.post(TRY, json={"files": {"draft.rego": text}, "input": {}}).json()
    assert said["outcome"] == "error"
    assert "0.5 s" in said["error"]


def test_runs_of_another_organization_are_no_input(api: ActingClient, scene: Scene) -> None:
    theirs = new_scene(name="rival").at_gate()
    assert code_of(api.post(TRY, json={"files": FILES, "run_id": theirs})) == (404, "run_not_found")
    assert code_of(api.get(f"/terraform/runs/{theirs}/policy-input")) == (404, "run_not_found")


def test_input_of_a_run_is_what_its_check_saw(api: ActingClient, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The document is that of the check, but for the moment, also when state, head and variables moved since."""
    from app.core.db import unit_of_work
    from app.policy import service as policy
    from app.policy.schemas import PolicyAttachmentIn

    with unit_of_work() as session:
        body = PolicyAttachmentIn(policy_set_uri="policies/blast_radius", enforcement_level="advisory")
        policy.attach(session, scene.admin, body)
    seen: list[dict[str, Any]] = []
    check = policy.check

    def checked(pinned: Any, document: Any) -> Any:
        seen.append(document.model_dump())
        return check(pinned, document)

    monkeypatch.setattr(policy, "check", checked)
    _, first = scene.applying()
    scene.apply_to_end(first)
    run_id = scene.at_gate()
    scene.approve(run_id)
    [was] = [document for document in seen if document["run"]["id"] == run_id][:1]
    apply = scene.claimed(scene.child(run_id))
    assert scene.verify(apply).may_apply
    scene.apply_to_end(apply, serial=2)
    document = api.get(f"/terraform/runs/{run_id}/policy-input").json()
    assert document["state"] == {"serial": 1, "resource_count": 1}
    assert {**document, "time": was["time"]} == was
    assert document["time"][:16] == was["time"][:16]


def test_input_of_a_run_without_a_plan_is_not_there(api: ActingClient, scene: Scene) -> None:
    assert code_of(api.get(f"/terraform/runs/{scene.request()}/policy-input")) == (404, "run_not_found")


def test_actor_without_policies_is_refused(api: ActingClient, scene: Scene) -> None:
    nobody: Actor = narrowed(scene.admin, Permission.RUNS_READ)
    answer = api.acting(nobody).post(BASE, json=draft(DENY_ALL))
    assert (answer.status_code, answer.json()["permission"]) == (403, "policies:read")
