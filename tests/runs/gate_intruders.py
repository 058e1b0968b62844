"""What the gate's guards must bear one by one: a fence alone, a runner without its lease, a plan that was altered.

Elsewhere one guard would hide that another is gone. A history meets them in its midst, and each of them at its end.
"""

import sys
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from app.core import clock
from app.core.db import unit_of_work
from app.core.ids import new_id
from app.core.permissions import Actor
from app.fence import service as fence
from app.fence.schemas import EVERYTHING
from app.runner.port import LeaseLost, ProgressRecord, RunnerJob
from app.runs import repository
from app.runs.machine import FINAL, Status
from tests.runs.gate_machine import Histories
from tests.runs.gate_model import Plan
from tests.runs.gate_workspace import NUMBERS, Place

KEPT_AS_EVIDENCE = {"failure", "timings", "state_version_id"}
OF_ITS_DEATH = {"quiesced_at", "proof_of_death"}
WRITES = ("heartbeat", "append", "check", "settle", "verify", "finish", "fail", "acknowledge", "quiesce")
ALTERED = ("plan file", "parts", "fingerprint", "the apply's own", "variable", "token")
SCOPES = ("workspace", "organization", "everything")
MOST_LIVE = 5


class Intruded(Histories):
    """Histories in which each guard is also met by itself."""

    def teardown(self) -> None:
        try:
            if self.people and sys.exc_info()[0] is None:
                self._meet_every_guard()
        finally:
            super().teardown()

    def _meet_every_guard(self) -> None:
        """Meet them where each would be the last: with a plan, an approval and an apply that lack nothing else.

        One history meets some of them, a few histories all.
        """
        if self.halted:
            self.resume()
        Place.seen["histories"] += 1
        turn = Place.seen["histories"]
        scope, altered = SCOPES[turn % len(SCOPES)], ALTERED[(turn // 6 * 2 + turn % 6 - 1) % len(ALTERED)]
        self.attempt(lambda: self.scene.request(speculative=True))
        self.claim()
        for number in range(turn % 3, len(WRITES), 3):
            self.write_without_the_lease(number, WRITES[number], ("older", "newer", "swept")[(turn + number) % 3])
        self._begin_anew()
        how = turn // 6 % 2
        match turn % 6:
            case 0:
                self._settle_by_rule_under_a_fence(scope)
            case 1 | 2:
                self._alter_an_apply(altered, scope, approves_under_a_fence=turn % 6 == 1)
            case 3:
                self._approve_alone_what_one_asked_for()
            case 4:
                self._lose_an_override(("disable", "lapse")[how])
            case 5:
                self._lose_an_approval(("run out", "revoke")[how])

    def _settle_by_rule_under_a_fence(self, scope: str) -> None:
        self.scene.change(auto_apply=True)
        self.attempt(self.scene.request)
        self.claim()
        self.start_under_a_fence(scope)

    def _alter_an_apply(self, what: str, scope: str, *, approves_under_a_fence: bool) -> None:
        self._plan_waits()
        if approves_under_a_fence:
            self.start_under_a_fence(scope)
        self.everybody_approves()
        self.claim()
        if not approves_under_a_fence:
            self.start_under_a_fence(scope)
        self.alter_before_it_is_verified(0, what)

    def _approve_alone_what_one_asked_for(self) -> None:
        self.scene.planner = self.scene.admin
        self._plan_waits()
        self._approve_as(self.scene.admin)
        assert not self.runs(Status.APPROVED), "the requester's own approval alone made the quorum"

    def _lose_an_override(self, how: str) -> None:
        self.attach("soft-mandatory", "denies")
        self._plan_waits()
        self.override(0, 0, 60 if how == "lapse" else 3600)
        # By another: with the author's right the author's own approval would go, too.
        self._approve_as(self.people[1])
        self.claim()
        if how == "lapse":
            self.wait(60)
            self.verify(0)
        else:
            self.doubt(0, how)
        assert not self.verified.keys() & self.jobs.keys(), f"an apply begins although its override was lost ({how})"

    def _lose_an_approval(self, how: str) -> None:
        self.scene.change(approval_validity_seconds=3600)
        self._plan_waits()
        self._approve_as(self.people[0])
        self.claim()
        self.doubt(0, how)
        assert not self.verified.keys() & self.jobs.keys(), f"an apply begins although its approval was lost ({how})"

    def _approve_as(self, person: Actor) -> None:
        for run in self.runs(Status.AWAITING_APPROVAL):
            self.attempt(lambda run=run: self.scene.approve(run.id, person))  # type: ignore[misc]

    def _plan_waits(self) -> None:
        self.attempt(self.scene.request)
        self.run_on(finishes=True, plan=Plan())

    def _begin_anew(self) -> None:
        """End what there is, and have the workspace ask for no more than one approval."""
        for run in self.runs(*(set(Status) - FINAL)):
            self.attempt(lambda run=run: self.scene.discard(run.id))  # type: ignore[misc]
            self.attempt(lambda run=run: self.scene.cancel(run.id))  # type: ignore[misc]
        for job in list(self.jobs.values()):
            self.scene.quiesce(job)
        self.jobs.clear()
        self.release_orphaned_lock()
        for who in (0, 1):
            self.change_rights(who, "restore")
        self.detach_policy()
        self.scene.change(
            required_approvals=1,
            approver_team_ids=[],
            approval_conditions=[],
            plan_max_age_seconds=None,
            auto_apply=False,
            requester_may_approve=False,
            approval_validity_seconds=None,
        )
        self.scene.planner = self.bot

    @precondition(lambda self: not self.halted)
    @rule(scope=st.sampled_from(SCOPES))
    def start_under_a_fence(self, scope: str) -> None:
        """Try to start whatever there is while a fence stands and no run has been marked."""
        if len(self.runs(*(set(Status) - FINAL))) < MOST_LIVE:
            self.attempt(lambda: self.scene.request(speculative=True))
        place = {"workspace": self.scene.workspace.id, "organization": self.scene.organization_id}
        fence_id, halt_id = place.get(scope, EVERYTHING), new_id("halt")
        with unit_of_work() as session:
            fence.raise_fence(session, fence_id, halt_id=halt_id, actor=self.scene.admin, reason="alone")
        before = {run.id: run.status for run in self.runs()}
        self.halted = True
        self.attempt(self.scene.request)
        self.claim()
        self.everybody_approves()
        for job in list(self.jobs.values()):
            if job.kind != "apply":
                self._settle(job, Plan())
            elif job.run_id not in self.verified:
                answer = self.attempt(lambda job=job: self.scene.verify(job))  # type: ignore[misc]
                assert answer is None or not answer.may_apply, f"{job.run_id} is applied under a fence"
        self.halted = False
        after = {run.id: run.status for run in self.runs()}
        with unit_of_work() as session:
            assert fence.lower_fence(session, fence_id, halt_id=halt_id)
        assert set(after) == set(before), f"a run was requested although a fence stood ({scope})"
        moved = [run_id for run_id, status in after.items() if status != before[run_id]]
        started = [run_id for run_id in moved if after[run_id] in {Status.RUNNING, Status.APPROVED}]
        assert not started, f"{started} started although a fence stood ({scope})"
        Place.seen["a fence alone"] += 1

    @precondition(lambda self: bool(self.jobs))
    @rule(
        number=NUMBERS,
        how=st.sampled_from(WRITES),
        token=st.sampled_from(["swept", "older", "newer"]),
    )
    def write_without_the_lease(self, number: int, how: str, token: str) -> None:
        """Try to write as a runner whose token is not the run's, or no longer."""
        job = self.job(number)
        if job is None:
            return
        if token == "swept":
            self.expire(number)
        else:
            job = job.model_copy(update={"fencing_token": job.fencing_token + (1 if token == "newer" else -1)})
        before = self._facts(job.run_id)
        if before["fencing_token"] == job.fencing_token:
            return
        try:
            self._say(job, how)
        except LeaseLost:
            assert how in {"heartbeat", "append", "check", "settle", "verify"}
        else:
            assert how not in {"heartbeat", "append", "check"}, f"{how} without the lease ({token}) was taken"
        after = self._facts(job.run_id)
        evidence = KEPT_AS_EVIDENCE | (OF_ITS_DEATH if how == "quiesce" else set())
        is_evidence = token != "newer" and before["status"] in FINAL
        for name, value in after.items():
            assert value == before[name] or (is_evidence and name in evidence), f"{how} ({token}) changed {name}"
        Place.seen["without the lease"] += 1

    def _facts(self, run_id: str) -> dict[str, Any]:
        run = self.scene.run(run_id)
        return {column.key: getattr(run, column.key) for column in run.__table__.columns if column.key != "updated_at"}

    def _say(self, job: RunnerJob, how: str) -> None:
        port, held = self.scene.port, (job.run_id, job.fencing_token)
        line = ProgressRecord(at=clock.now(), kind="line", text="too late")
        ways: dict[str, Callable[[], Any]] = {
            "heartbeat": lambda: port.heartbeat(*held, "planning"),
            "append": lambda: port.append(*held, [line]),
            "check": lambda: port.check(*held, self.scene.outcome(job)),
            "settle": lambda: port.settle(*held, self.scene.outcome(job)),
            "verify": lambda: port.verify(*held),
            "finish": lambda: self.scene.finish(job),
            "fail": lambda: self.scene.fail(job),
            "acknowledge": lambda: port.acknowledge(*held, None),
            "quiesce": lambda: self.scene.quiesce(job),
        }
        answer = ways[how]()
        assert how != "verify" or not answer.may_apply, "an apply begins without the lease"

    @precondition(lambda self: any(job.kind == "apply" for job in self.jobs.values()))
    @rule(number=NUMBERS, what=st.sampled_from(ALTERED))
    def alter_before_it_is_verified(self, number: int, what: str) -> None:
        """Alter what was approved between the claim of an apply and its verification, past every check before."""
        waiting = [job for job in self.jobs.values() if job.kind == "apply" and job.run_id not in self.verified]
        if not waiting:
            return
        job = waiting[number % len(waiting)]
        if what == "variable":
            self.scene.put_variable(new_id("value"))
        elif what == "token":
            job = job.model_copy(update={"fencing_token": job.fencing_token + 1})
        else:
            self._alter(job, what)
        answer = self.attempt(lambda: self.scene.verify(job))
        assert answer is None or not answer.may_apply, f"{job.run_id} is applied although its {what} was altered"
        Place.seen["altered"] += 1

    def _alter(self, job: RunnerJob, what: str) -> None:
        with unit_of_work() as session:
            apply, plan = repository.by_id(session, job.run_id), repository.by_id(session, job.planned_run_id or "")
            assert apply is not None
            assert plan is not None
            if what == "plan file":
                plan.artifacts = {**plan.artifacts, "plan_file": {**plan.artifacts["plan_file"], "digest": "0" * 64}}
            elif what == "parts":
                plan.fingerprint_parts = {**(plan.fingerprint_parts or {}), "configuration": "0" * 64}
            elif what == "fingerprint":
                plan.fingerprint = apply.fingerprint = "0" * 64
            else:
                apply.fingerprint = "0" * 64
