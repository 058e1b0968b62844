"""Loads what a supervisor needs before it is forked.

A fresh process compiles each SQL statement and finds each tool anew, which costs a run 0.1 s. The nursery therefore
goes once through the life of a run that never was: in one transaction that is rolled back, with artifacts in memory and
nothing sent. Its forks inherit the filled caches, and open connections of their own.
"""

import json
import logging
from contextlib import suppress

from app.configurations import service as configurations
from app.core import clock, db
from app.core.artifacts import ArtifactRef, ArtifactStore, artifact_store, using
from app.core.blobs import MemoryBlobStore
from app.core.crypto import key_ring
from app.core.db import unit_of_work
from app.core.errors import AppError
from app.core.ids import new_id
from app.core.permissions import Actor, Permission
from app.core.settings import get_settings
from app.executor import discovery
from app.executor.options import ExecutorOptions
from app.identity import service as identity
from app.identity.schemas import UserIn
from app.policy import service as policy
from app.runner import workdir
from app.runner.port import (
    ApplyOutcome,
    ArtifactKind,
    Counts,
    EngineInfo,
    LeaseLost,
    PlanOutcome,
    ProgressRecord,
    ProofOfDeath,
    RunnerJob,
    WorkerInfo,
)
from app.runs import service
from app.runs.port import InProcessPort
from app.runs.schemas import DecisionRequest, RunRequest
from app.specs import service as specs
from app.specs.schemas import StackIn
from app.workspaces import service as workspaces
from app.workspaces.schemas import NewWorkspace

SUPERVISOR_CONNECTIONS = 3
"""A supervisor's threads take turns: making a connection costs more than a turn."""
_log = logging.getLogger(__name__)
_STATE = {"version": 4, "serial": 1, "lineage": "warm-up", "terraform_version": "1", "outputs": {}, "resources": []}


def warm() -> None:
    """Fill this process's caches; what can't be warmed now is left to the first run, with a line in the log."""
    settings = get_settings()
    db.limit_connections(SUPERVISOR_CONNECTIONS)
    try:
        discovery.find_engines(settings)
        workdir.base_directory(settings)
        policy.get_ready()
        ExecutorOptions.from_settings(settings, grace_seconds=1, timeout_seconds=1)
        with db.rolled_back(), using(ArtifactStore(MemoryBlobStore(), key_ring())):
            _rehearse(InProcessPort())
    except Exception as error:  # whatever is missing now, the first run will say it better
        _log.warning("not warmed up; the first run will be slower", extra={"error": repr(error)})
    finally:
        db.engine().dispose()


def be_ready() -> None:
    """In a child that waits for its job: open its connections, and make the pages that every run writes its own.

    The calls name a run that isn't there, so they find nothing and leave nothing.
    """
    port = InProcessPort()
    for call in (
        lambda: port.heartbeat("", 0, "preparing"),
        lambda: port.append("", 0, [ProgressRecord(at=clock.now(), kind="line", text="ready")]),
    ):
        with suppress(LeaseLost):
            call()
    artifact_store().connect()


def _rehearse(port: InProcessPort) -> None:
    planner, name = _planner(), new_id("warm").lower()
    with unit_of_work() as session:
        specs.create_stack(session, planner, StackIn(name=name))
        workspaces.create(session, planner, NewWorkspace(name=name, stack=name, requester_may_approve=True))
        stored = configurations.store_files(session, planner, {"main.tf": b""})
    with unit_of_work() as session:
        wanted = RunRequest(workspace=name, configuration_id=stored.id)
        run_id = str(service.request(session, planner, wanted, None)["id"])
    plan = _claimed(port, run_id)
    token = plan.fencing_token
    port.append(run_id, token, [ProgressRecord(at=clock.now(), kind="line", text="warm")])
    port.heartbeat(run_id, token, "planning")
    if plan.configuration is not None:
        port.get_artifact(run_id, token, plan.configuration)
    outcome = _outcome(port, run_id, token)
    port.check(run_id, token, outcome)
    port.settle(run_id, token, outcome)
    port.quiesce(run_id, token, _proof())
    with unit_of_work() as session:
        service.approve(session, planner, run_id, DecisionRequest())
    with unit_of_work() as session:
        child_id = service.apply(session, planner, run_id).id
    token = _claimed(port, child_id).fencing_token
    port.heartbeat(child_id, token, "verifying")
    port.verify(child_id, token)
    state = port.put_state(child_id, token, "applied", json.dumps(_STATE).encode())
    port.finish(
        child_id,
        token,
        ApplyOutcome(state_version_id=state.state_version_id, resources_applied=1, timings=()),
    )
    port.quiesce(child_id, token, _proof())


def _planner() -> Actor:
    with unit_of_work() as session:
        organization = identity.create_organization(session, new_id("warm"))
        everyone = Actor(
            id="warm-up",
            kind="person",
            name="warm-up",
            organization_id=organization.id,
            permissions=frozenset(Permission),
        )
        body = UserIn.model_validate(
            {"email": f"{new_id('warm')}@sluice.invalid", "name": "warm-up", "roles": ["admin"]}
        )
        user = identity.create_user(session, everyone, body)
        actor = identity.actor_of_user(session, organization.id, user.id)
    if actor is None:
        raise AppError("the rehearsing user could not be made")
    return actor


def _claimed(port: InProcessPort, run_id: str) -> RunnerJob:
    job = port.claim(run_id, WorkerInfo(name="warm-up", host="warm-up", pid=0))
    if job is None:
        raise AppError("the rehearsed run could not be claimed")
    return job


def _outcome(port: InProcessPort, run_id: str, token: int) -> PlanOutcome:
    def put(kind: ArtifactKind, data: bytes = b"{}") -> ArtifactRef:
        return port.put_artifact(run_id, token, kind, data)

    return PlanOutcome(
        engine=EngineInfo(kind="tofu", version="1", sha256=""),
        has_changes=True,
        counts=Counts(add=1),
        plan_file=put("plan_file"),
        plan_json=put("plan_json"),
        plan_view=put("plan_view"),
        lock_file=put("lock_file"),
        side_files=None,
        working_directory="/",
        state_lineage=None,
        state_serial=0,
        timings=(),
    )


def _proof() -> ProofOfDeath:
    return ProofOfDeath(kind="never_started", at=clock.now())
