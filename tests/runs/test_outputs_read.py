"""Outputs of one workspace as inputs of another: pinned at the claim, recorded, part of the fingerprint."""

from typing import Any

import pytest
from sqlalchemy.orm import Session

from app.configurations import service as configurations
from app.core.db import unit_of_work
from app.core.permissions import Actor
from app.runs import service as runs
from app.runs.schemas import RunOut, RunRequest
from app.runs.tasks import supersede_moved
from app.specs import service as specs
from app.specs.schemas import TerraformStackSpec
from app.state import service as state
from app.state.schemas import Retention
from app.state.upstream_schemas import OutputSharingIn
from app.workspaces import service as workspaces
from tests.factories.scene import Scene, new_scene, second_workspace, state_document
from tests.support.archives import archive

OUTPUTS: dict[str, Any] = {
    "vpc_id": {"value": "vpc-1", "type": "string"},
    "sizes": {"value": {"a": 1.5, "b": [True, "${x}"]}, "type": "dynamic"},
    "password": {"value": "planted-secret", "type": "string", "sensitive": True},
}
MAPPINGS = {"vpc_id": "vpc_id", "sizes": "sizes", "secret": "password"}


@pytest.fixture
def network(session: Session) -> Scene:
    return new_scene()


@pytest.fixture
def app(network: Scene) -> Scene:
    """A workspace of the same organization, which may read the network's outputs."""
    made = second_workspace(network)
    share(network, made)
    return made


def share(source: Scene, *readers: Scene, everyone: bool = False) -> None:
    with unit_of_work() as session:
        wanted = OutputSharingIn(everyone=everyone, readers=[reader.workspace.name for reader in readers])
        state.set_sharing(session, source.admin, source.workspace.id, wanted)


def store(scene: Scene, serial: int = 1, **changed: Any) -> str:
    outputs = {name: {**value, **changed.get(name, {})} for name, value in OUTPUTS.items() if changed.get(name) != {}}
    return scene.store(state_document(serial, outputs=outputs)).id


def request(scene: Scene, source: Scene, mappings: dict[str, str] | None = None, **fields: Any) -> str:
    """Request a plan whose spec reads outputs of ``source``."""
    with unit_of_work() as session:
        wanted = RunRequest(
            workspace=scene.workspace.id,
            spec=spec_of(session, scene, source, mappings if mappings is not None else MAPPINGS),
            **fields,
        )
        return str(runs.request(session, scene.planner, wanted, None)["id"])


def spec_of(session: Session, scene: Scene, source: Scene, mappings: dict[str, str]) -> TerraformStackSpec:
    declared = "".join(f'variable "{name}" {{}}\n' for name in MAPPINGS)
    digest = configurations.store_archive(session, scene.planner, archive({"main.tf": declared})).digest
    references = {name: f"workspace:{source.workspace.name}.{output}" for name, output in mappings.items()}
    return TerraformStackSpec(name=scene.workspace.stack.name, configuration_digest=digest, output_mappings=references)


def shown(scene: Scene, run_id: str, actor: Actor | None = None) -> RunOut:
    with unit_of_work() as session:
        return runs.get(session, actor or scene.admin, run_id)


def at_gate(scene: Scene, source: Scene) -> str:
    run_id = request(scene, source)
    job = scene.claimed(run_id)
    scene.settle(job)
    scene.quiesce(job)
    return run_id


def test_outputs_become_variables_of_the_job_and_are_recorded_without_values(network: Scene, app: Scene) -> None:
    version = store(network, 4)
    run_id = request(app, network)
    job = app.claimed(run_id)
    found = {item.key: (item.value, item.hcl, item.sensitive) for item in job.variables}
    assert found == {
        "vpc_id": ("vpc-1", False, False),
        "sizes": ('{ "a" = 1.5, "b" = [true, "\\u0024{x}"] }', True, False),
        "secret": ("planted-secret", False, True),
    }
    run = shown(app, run_id)
    assert [(item.input, item.output, item.workspace, item.sensitive) for item in run.upstream_outputs] == [
        ("secret", "password", network.workspace.name, True),
        ("sizes", "sizes", network.workspace.name, False),
        ("vpc_id", "vpc_id", network.workspace.name, False),
    ]
    assert {(item.state_version_id, item.number, item.serial) for item in run.upstream_outputs} == {(version, 1, 4)}
    assert "planted-secret" not in run.model_dump_json()


def test_reading_is_in_the_fingerprint_and_the_apply_takes_what_the_plan_read(network: Scene, app: Scene) -> None:
    version = store(network)
    run_id = at_gate(app, network)
    signed = shown(app, run_id).fingerprint
    assert signed is not None
    assert [part.label for part in signed.parts if part.name == "outputs"] == ["Outputs of other workspaces 3"]
    app.approve(run_id)
    store(network, 2, vpc_id={"value": "vpc-1"})
    job = app.claimed(app.child(run_id))
    assert {item.key: item.value for item in job.variables}["vpc_id"] == "vpc-1"
    assert {item.state_version_id for item in shown(app, job.run_id).upstream_outputs} == {version}
    assert app.verify(job).may_apply


def test_run_that_reads_nothing_has_no_such_part(app: Scene) -> None:
    run = shown(app, app.at_gate())
    assert run.upstream_outputs == []
    assert run.fingerprint is not None
    assert "outputs" not in {part.name for part in run.fingerprint.parts}


def test_changed_output_supersedes_what_waits_and_another_does_not(network: Scene, app: Scene) -> None:
    store(network)
    run_id = at_gate(app, network)
    store(network, 2, unread={"value": "x", "type": "string"})
    supersede_moved(network.workspace.id)
    run = shown(app, run_id)
    assert (run.status, run.fingerprint.is_current if run.fingerprint else None) == ("awaiting_approval", True)
    store(network, 3, vpc_id={"value": "vpc-2"})
    moved = shown(app, run_id).fingerprint
    assert moved is not None
    assert [part.name for part in moved.parts if part.moved] == ["outputs"]
    supersede_moved(network.workspace.id)
    run = shown(app, run_id)
    assert run.status == "superseded"
    assert (
        run.status_reason == f"The output vpc_id of {network.workspace.name} changed since it was planned. Plan again."
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda source: store(source, 2, vpc_id={}), "is gone"),
        (lambda source: store(source, 2, password={"value": "another"}), "the output password"),
        (lambda source: store(source, 2, password={"sensitive": False}), "changed"),
        (share, "is no longer shared"),
    ],
    ids=["gone", "sensitive value", "no longer sensitive", "not shared"],
)
def test_output_that_moves_while_it_is_planned_supersedes_the_plan(
    network: Scene, app: Scene, change: Any, said: str
) -> None:
    store(network)
    job = app.claimed(request(app, network))
    change(network)
    answer = app.settle(job)
    assert answer.status == "superseded"
    assert said in str(answer.reason)
    assert "planted-secret" not in str(answer.reason)
    assert "another" not in str(answer.reason)


def test_output_that_moves_before_an_apply_verifies_supersedes_it(network: Scene, app: Scene) -> None:
    store(network)
    run_id = at_gate(app, network)
    app.approve(run_id)
    job = app.claimed(app.child(run_id))
    store(network, 2, vpc_id={"value": "vpc-2"})
    answer = app.verify(job)
    assert not answer.may_apply
    assert shown(app, run_id).status == "superseded"


def test_pinned_version_that_retention_let_go_can_not_be_compared(network: Scene, app: Scene) -> None:
    store(network)
    run_id = at_gate(app, network)
    app.approve(run_id)
    store(network, 2)
    with unit_of_work() as session:
        state.set_retention(session, network.admin, network.workspace.id, Retention(keep_versions=1, keep_days=None))
        state.prune(session, network.workspace.id)
    job = app.claimed(app.child(run_id))
    answer = app.verify(job)
    assert not answer.may_apply
    assert "can't be compared" in str(answer.reason)


def test_own_variable_of_the_inputs_name_wins_and_nothing_is_read(network: Scene, app: Scene) -> None:
    app.put_variable("vpc-own", key="vpc_id")
    run_id = request(app, network, {"vpc_id": "vpc_id"})
    job = app.claimed(run_id)
    assert {item.key: item.value for item in job.variables} == {"vpc_id": "vpc-own"}
    assert shown(app, run_id).upstream_outputs == []


@pytest.mark.parametrize("case", ["no state", "no output", "not shared", "no workspace", "another organization"])
def test_what_can_not_be_read_ends_the_run_and_names_the_mapping(network: Scene, app: Scene, case: str) -> None:
    source, code = network, "upstream_output_missing"
    if case == "no output":
        store(network, 1, vpc_id={})
    elif case == "not shared":
        store(network)
        share(network)
        code = "upstream_output_not_shared"
    elif case == "no workspace":
        source = second_workspace(network)
        with unit_of_work() as session:
            workspaces.delete(session, source.admin, source.workspace.id)
    elif case == "another organization":
        source = new_scene()
        store(source)
        share(source, everyone=True)
    run_id = request(app, source, {"vpc_id": "vpc_id"})
    assert app.claim(run_id) is None
    run = shown(app, run_id)
    assert run.status == "errored"
    assert run.failure is not None
    assert (run.failure.code, run.failure.message.startswith("output_mappings.vpc_id: refers to workspace:")) == (
        code,
        True,
    )
    if case == "no output":
        assert run.failure.message.endswith("it has: password, sizes.")
    if case == "not shared":
        assert f"sluice state share --workspace {network.workspace.name}" in run.failure.message
    assert app.claimed(app.request()), "the workspace goes on"


def test_sharing_with_everyone_lets_every_workspace_of_the_organization_read(network: Scene) -> None:
    store(network)
    share(network, everyone=True)
    reader = second_workspace(network)
    assert reader.claimed(request(reader, network)).variables


def test_circle_is_refused_and_named(network: Scene, app: Scene) -> None:
    store(network)
    store(app)
    share(app, network)
    with unit_of_work() as session:
        specs.push(session, network.admin, spec_of(session, network, app, {"vpc_id": "vpc_id"}))
    run_id = request(app, network)
    assert app.claim(run_id) is None
    failure = shown(app, run_id).failure
    assert failure is not None
    assert failure.code == "upstream_cycle"
    names = (app.workspace.name, network.workspace.name, app.workspace.name)
    assert " reads ".join(names) in failure.message


def test_workspace_that_reads_itself_is_a_circle(network: Scene) -> None:
    store(network)
    run_id = request(network, network)
    assert network.claim(run_id) is None
    failure = shown(network, run_id).failure
    assert failure is not None
    assert failure.code == "upstream_cycle"


def test_speculative_plan_reads_too(network: Scene, app: Scene) -> None:
    store(network)
    job = app.claimed(request(app, network, speculative=True))
    assert app.settle(job).status == "planned"
