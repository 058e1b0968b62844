"""A control plane in memory: what a pipeline's calls leave, and orders that a test gives."""

import gzip
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from io import BytesIO
from tarfile import TarInfo
from tarfile import open as open_tar
from typing import Any

from app.core import clock
from app.core.artifacts import ArtifactRef
from app.core.canonical import sha256_hex
from app.core.errors import IntegrityError
from app.runner.port import (
    ApplyOutcome,
    ApplySteps,
    ArtifactKind,
    CheckAnswer,
    Counts,
    EngineInfo,
    EngineRequest,
    Failure,
    HeartbeatAnswer,
    JobVariable,
    LeaseLost,
    MovePlan,
    Phase,
    PlanOutcome,
    ProgressRecord,
    ProofOfDeath,
    RunnerJob,
    SettleAnswer,
    StateAnswer,
    StateKind,
    StopOrder,
    VerifyAnswer,
    WorkerInfo,
)


@dataclass
class MemoryPort:
    """Implements ``RunnerPort``. ``calls`` names every call in order; ``end`` is how the run was ended."""

    artifacts: dict[str, bytes] = field(default_factory=dict)
    kinds: dict[str, ArtifactRef] = field(default_factory=dict)
    records: list[ProgressRecord] = field(default_factory=list)
    states: list[tuple[StateKind, bytes]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    left: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    end: str | None = None
    plan: PlanOutcome | None = None
    applied: ApplyOutcome | None = None
    failure: Failure | None = None
    proof: ProofOfDeath | None = None
    stop: StopOrder | None = None
    may_apply: bool = True
    is_lost: bool = False
    on_record: Callable[[ProgressRecord], None] | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def _note(self, call: str, *, needs_lease: bool = True) -> None:
        with self.lock:
            self.calls.append(call)
        if needs_lease and self.is_lost:
            raise LeaseLost("the token is no longer the run's")

    def store(self, kind: str, data: bytes) -> ArtifactRef:
        digest = sha256_hex(data)
        key = f"org-1/{kind}/{digest}"
        self.artifacts[key] = data
        return ArtifactRef(key=key, organization_id="org-1", kind=kind, owner="run-1", digest=digest, size=len(data))

    def claim(self, run_id: str, worker: WorkerInfo) -> RunnerJob | None:
        return None

    def heartbeat(self, run_id: str, token: int, phase: Phase | None) -> HeartbeatAnswer:
        self._note("heartbeat")
        return HeartbeatAnswer(stop=self.stop, lease_expires_at=clock.now() + timedelta(seconds=30))

    def append(self, run_id: str, token: int, records: list[ProgressRecord]) -> None:
        self._note("append")
        self.records += records
        if self.on_record is not None:
            for record in records:
                self.on_record(record)

    def get_artifact(self, run_id: str, token: int, reference: ArtifactRef) -> bytes:
        self._note("get_artifact")
        data = self.artifacts[reference.key]
        if sha256_hex(data) != reference.digest:
            raise IntegrityError(f"The stored {reference.kind} does not match its digest.")
        return data

    def put_artifact(self, run_id: str, token: int, kind: ArtifactKind, data: bytes) -> ArtifactRef:
        self._note(f"put_artifact {kind}")
        self.kinds[kind] = self.store(kind, data)
        return self.kinds[kind]

    def put_state(self, run_id: str, token: int, kind: StateKind, data: bytes) -> StateAnswer:
        self._note("put_state", needs_lease=False)
        self.states.append((kind, data))
        return StateAnswer(state_version_id=f"sv-{len(self.states)}", serial=json.loads(data)["serial"])

    def outline(self, run_id: str, token: int, found: bytes | None, there: bytes | None = None) -> MovePlan:
        self._note("outline")
        new = b'{"version": 4, "serial": 3, "lineage": "l", "outputs": {}, "resources": []}'
        return MovePlan(
            has_changes=True,
            counts=Counts(forget=1),
            plan_file=self.store("plan_file", new),
            plan_json=self.store("plan_json", b"{}"),
            plan_view=self.store("plan_view", b"{}"),
        )

    def check(self, run_id: str, token: int, outcome: PlanOutcome) -> CheckAnswer:
        self._note("check")
        return CheckAnswer(verdict="passed", failed=0, summary="no policies")

    def settle(self, run_id: str, token: int, outcome: PlanOutcome) -> SettleAnswer:
        self._note("settle")
        self.plan = outcome
        self.end = "settled"
        return SettleAnswer(status="awaiting_approval" if outcome.has_changes else "no_changes")

    def verify(self, run_id: str, token: int) -> VerifyAnswer:
        self._note("verify")
        return VerifyAnswer(may_apply=self.may_apply, reason=None if self.may_apply else "the state moved")

    def finish(self, run_id: str, token: int, outcome: ApplyOutcome) -> None:
        self._note("finish")
        self.applied = outcome
        self.end = "finished"

    def stale(self, run_id: str, token: int, reason: str) -> None:
        self._note("stale")
        self.end = "stale"

    def fail(self, run_id: str, token: int, failure: Failure) -> None:
        self._note("fail")
        self.failure = failure
        self.end = "failed"

    def acknowledge(self, run_id: str, token: int, failure: Failure | None) -> None:
        self._note("acknowledge")
        self.failure = failure
        self.end = "acknowledged"

    def evidence(self, run_id: str, token: int, kind: str, data: dict[str, Any]) -> None:
        self._note("evidence", needs_lease=False)
        self.left.append((kind, data))

    def put_steps(self, run_id: str, token: int, steps: ApplySteps) -> None:
        self._note("put_steps", needs_lease=False)
        self.steps = steps

    def quiesce(self, run_id: str, token: int, proof: ProofOfDeath) -> None:
        self._note("quiesce", needs_lease=False)
        self.proof = proof

    @property
    def text(self) -> str:
        return "\n".join(record.text for record in self.records)


def pack(files: dict[str, str]) -> bytes:
    """Return a tar.gz of the files, the same bytes for the same files."""
    packed = BytesIO()
    with open_tar(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            member = TarInfo(name)
            member.size = len(content.encode())
            member.mode = 0o644
            archive.addfile(member, BytesIO(content.encode()))
    return gzip.compress(packed.getvalue(), mtime=0)


def plan_job(port: MemoryPort, files: dict[str, str], **changes: Any) -> RunnerJob:
    """Return a job that plans ``files``."""
    return RunnerJob.model_validate(
        {
            "run_id": "run-plan",
            "organization_id": "org-1",
            "workspace_id": "ws-1",
            "workspace_name": "prod",
            "kind": "plan",
            "speculative": False,
            "fencing_token": 1,
            "lease_seconds": 30,
            "heartbeat_seconds": 0.05,
            "grace_seconds": 60,
            "timeout_seconds": 120,
            "engine": EngineRequest(),
            "configuration": port.store("configuration", pack(files)),
            "generated_files": {"zzzz_sluice_backend_override.tf": 'terraform {\n  backend "local" {}\n}\n'},
            "expected_backend": "local",
            **changes,
        }
    )


def apply_job(port: MemoryPort, planned: RunnerJob, **changes: Any) -> RunnerJob:
    """Return the job that applies what ``planned`` left in the port."""
    assert port.plan is not None
    return planned.model_copy(
        update={
            "run_id": "run-apply",
            "kind": "apply",
            "plan_file": port.plan.plan_file,
            "lock_file": port.plan.lock_file,
            "side_files": port.plan.side_files,
            "planned_run_id": planned.run_id,
            "working_directory": port.plan.working_directory,
            "planned_engine": port.plan.engine,
            **changes,
        }
    )


def engine_request(kind: str) -> EngineRequest:
    return EngineRequest.model_validate({"kind": kind})


__all__ = ["EngineInfo", "JobVariable", "MemoryPort", "apply_job", "engine_request", "pack", "plan_job"]
