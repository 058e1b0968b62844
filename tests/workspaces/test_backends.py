from typing import Any

import pytest
from sqlalchemy.orm import Session

from app.core import events
from app.core.permissions import Actor
from app.core.settings import get_settings
from app.workspaces import service
from app.workspaces.backends import SETTINGS, check_settings
from app.workspaces.errors import BackendSettingsInvalid, StateLocationTaken
from app.workspaces.schemas import NewWorkspace, StateBackendChanging, WorkspaceChange, WorkspaceOut

S3 = {"bucket": "states", "key": "prod.tfstate", "region": "eu-central-1"}
AZURE = {"storage_account_name": "acct", "container_name": "states", "key": "prod.tfstate"}
GCS = {"bucket": "states", "prefix": "prod"}
HCP = {"organization": "acme", "workspace": "prod"}
NEEDED: dict[str, dict[str, Any]] = {"managed": {}, "local": {}, "s3": S3, "azurerm": AZURE, "gcs": GCS, "hcp": HCP}


def refused(backend: Any, given: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(BackendSettingsInvalid) as caught:
        check_settings(backend, given)
    return {
        item["field"].removeprefix("state_backend_settings."): item["message"] for item in caught.value.fields["errors"]
    }


@pytest.mark.parametrize("backend", SETTINGS)
def test_check_settings_needed_ones_are_enough_and_each_is_needed(backend: Any) -> None:
    found = check_settings(backend, NEEDED[backend])
    assert found.items() >= NEEDED[backend].items()
    for name in NEEDED[backend]:
        less = {key: value for key, value in NEEDED[backend].items() if key != name}
        assert refused(backend, less) == {name: f"is missing; the backend {backend} needs it"}


@pytest.mark.parametrize("backend", SETTINGS)
def test_check_settings_unknown_one_is_refused_by_name_with_those_that_are_taken(backend: Any) -> None:
    problem = refused(backend, {**NEEDED[backend], "colour": "red"})["colour"]
    assert problem.startswith(f"is not a setting of the backend {backend}; it takes ")
    assert all(name in problem for name in NEEDED[backend])


@pytest.mark.parametrize(
    ("backend", "name", "variable"),
    [(backend, name, variable) for backend, model in SETTINGS.items() for name, variable in model.secrets.items()],
)
def test_check_settings_secret_is_refused_with_the_variable_to_set_and_never_repeated(
    backend: Any, name: str, variable: str
) -> None:
    with pytest.raises(BackendSettingsInvalid) as caught:
        check_settings(backend, {**NEEDED[backend], name: "hunter2hunter2"})
    assert caught.value.fields["errors"][0]["field"] == f"state_backend_settings.{name}"
    assert f"sensitive environment variable {variable}" in caught.value.detail
    assert "hunter2" not in str(caught.value.fields) + caught.value.detail


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"bucket": 1}, "bucket"),
        ({"bucket": ""}, "bucket"),
        ({"bucket": "a\nb"}, "bucket"),
        ({"bucket": "a\x00b"}, "bucket"),
        ({"encrypt": "true"}, "encrypt"),
        ({"endpoints": {"s3": "s3.example.com"}}, "endpoints.s3"),
        ({"endpoints": {"s3": "https://me:secret@s3.example.com"}}, "endpoints.s3"),
        ({"endpoints": {"s3": "https://s3.example.com/?sig=abc"}}, "endpoints.s3"),
        ({"endpoints": {"s3": "https://[::1"}}, "endpoints.s3"),
        ({"endpoints": {"s4": "https://s3.example.com"}}, "endpoints.s4"),
        ({"assume_role": {"session_name": "x"}}, "assume_role.role_arn"),
    ],
)
def test_check_settings_wrong_value_is_refused_by_name(given: dict[str, Any], field: str) -> None:
    assert list(refused("s3", {**S3, **given})) == [field]


def test_check_settings_s3_has_a_lock_in_either_style() -> None:
    assert check_settings("s3", S3)["use_lockfile"] is True
    table = check_settings("s3", {**S3, "dynamodb_table": "locks"})
    assert (table["use_lockfile"], table["dynamodb_table"]) == (False, "locks")
    assert check_settings("s3", {**S3, "dynamodb_table": "locks", "use_lockfile": True})["use_lockfile"] is True
    with pytest.raises(BackendSettingsInvalid, match="no lock"):
        check_settings("s3", {**S3, "use_lockfile": False})


def test_create_without_a_wish_takes_the_installations_default_and_keeps_it(
    session: Session, actor: Actor, workspace: WorkspaceOut, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = get_settings().model_copy(
        update={
            "terraform_state_backend": "s3",
            "terraform_state_backend_settings": '{"bucket": "b", "key": "x/{workspace_id}.tfstate", "region": "r"}',
        }
    )
    monkeypatch.setattr("app.workspaces.placement.get_settings", lambda: elsewhere)
    made = service.create(session, actor, NewWorkspace(name="other", stack="network"))
    assert made.state_backend == "s3"
    assert made.state_backend_settings["key"] == f"x/{made.id}.tfstate"
    again = service.get(session, actor.organization_id, workspace.id)
    assert (again.state_backend, again.state_backend_settings) == (workspace.state_backend, {})


@pytest.mark.parametrize("text", ["{", "[]", '{"bucket": "b", "key": "same", "region": "r"}'])
def test_create_default_settings_that_cannot_serve_are_refused_naming_the_variable(
    session: Session, actor: Actor, workspace: WorkspaceOut, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    wrong = get_settings().model_copy(
        update={"terraform_state_backend": "s3", "terraform_state_backend_settings": text}
    )
    monkeypatch.setattr("app.workspaces.placement.get_settings", lambda: wrong)
    with pytest.raises(BackendSettingsInvalid, match="SLUICE_TERRAFORM_STATE_BACKEND_SETTINGS"):
        service.create(session, actor, NewWorkspace(name="other", stack="network"))
    named = NewWorkspace(name="other", stack="network", state_backend="managed")
    assert service.create(session, actor, named).state_backend == "managed"


def test_change_backend_replaces_the_settings_and_asks_who_depends_on_it(
    session: Session, actor: Actor, workspace: WorkspaceOut, facts: list[events.Fact]
) -> None:
    change = WorkspaceChange(state_backend="s3", state_backend_settings={**S3})
    changed = service.change(session, actor, workspace.id, change)
    assert changed.state_backend_settings == {**S3, "encrypt": True, "use_lockfile": True}
    assert service.change(session, actor, workspace.id, change) == changed
    only = service.change(session, actor, workspace.id, WorkspaceChange(state_backend_settings={**S3, "key": "b"}))
    assert only.state_backend_settings["key"] == "b"
    assert facts == [StateBackendChanging(actor.organization_id, workspace.id)] * 2
    back = service.change(session, actor, workspace.id, WorkspaceChange(state_backend="managed"))
    assert (back.state_backend, back.state_backend_settings) == ("managed", {})


def test_change_to_another_workspaces_place_is_refused(session: Session, actor: Actor, workspace: WorkspaceOut) -> None:
    first = NewWorkspace(name="first", stack="network", state_backend="s3", state_backend_settings={**S3})
    service.create(session, actor, first)
    same = {**S3, "encrypt": False, "region": "us-east-1"}
    with pytest.raises(StateLocationTaken, match="first"):
        service.change(session, actor, workspace.id, WorkspaceChange(state_backend="s3", state_backend_settings=same))
    free = {**S3, "endpoints": {"s3": "https://elsewhere.example.com"}}
    service.change(session, actor, workspace.id, WorkspaceChange(state_backend="s3", state_backend_settings=free))
