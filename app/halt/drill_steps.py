"""A drill under way: its steps in order, in transactions of their own, each noted with what was seen."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.audit import service as audit
from app.core import clock
from app.core.db import unit_of_work
from app.core.errors import AppError
from app.core.impatience import impatient
from app.core.permissions import Actor
from app.core.settings import get_settings
from app.fence import service as fence
from app.fence.errors import Halted
from app.halt import canary, drill_repository, service
from app.halt.drill_schemas import STEPS, StepName
from app.halt.schemas import HaltRequest, ResumeRequest
from app.runs import service as runs
from app.runs.schemas import RunLook, RunRequest

POLL_SECONDS = 0.1
BEAT_SECONDS = 5.0
START_SECONDS = 120.0
"""For a worker to take a run, and for its engine to come to work."""
_log = logging.getLogger(__name__)


class _Failed(Exception):
    """A step did not come out as it must."""


class _Ended(Exception):
    """Somebody else has ended the drill."""


class Drill:
    """One drill under way."""

    def __init__(self, drill_id: str, actor: Actor, workspace_id: str, *, is_canary: bool) -> None:
        self.id = drill_id
        self._actor = actor
        self._workspace_id = workspace_id
        self._is_canary = is_canary
        self._steps: list[dict[str, Any]] = []
        self._run_id: str | None = None
        self._halt_id: str | None = None
        self._beaten = time.monotonic()

    def carry_out(self) -> None:
        """Take the steps in order; note each, and in any case leave no halt and no run behind."""
        failed: StepName | None = None
        try:
            steps = (self._plan, self._await_start, self._halt, self._await_death, self._see_refusal, self._resume)
            for name, step in zip(STEPS, steps, strict=True):
                if not self._take(name, step):
                    failed = name
                    break
            self._leave_nothing(failed)
            self._end(failed)
        except _Ended:
            self._leave_nothing("resume")
        except (SQLAlchemyError, AppError):
            _log.exception("a drill could not be carried to its end", extra={"drill": self.id})

    def _take(self, name: StepName, step: Callable[[], str]) -> bool:
        begun = time.monotonic()
        try:
            status, detail = "passed", step()
        except (_Failed, AppError) as error:
            status, detail = "failed", error.detail if isinstance(error, AppError) else str(error)
        self._steps.append(
            {"name": name, "status": status, "seconds": round(time.monotonic() - begun, 3), "detail": detail}
        )
        self._note(steps=self._steps, run_id=self._run_id, halt_id=self._halt_id)
        return status == "passed"

    def _plan(self) -> str:
        """Request a run; of the canary's wait until its rule has let the apply through."""
        with unit_of_work() as session:
            configuration = canary.store_configuration(session, self._actor) if self._is_canary else None
            wanted = RunRequest(
                workspace=self._workspace_id,
                message="Drill of the kill switch",
                speculative=not self._is_canary,
                configuration_id=configuration,
            )
            run_id = str(runs.request(session, self._actor, wanted, None)["id"])
            # Noted with it, so that whoever ends this drill knows what to stop.
            if not drill_repository.note(session, self.id, run_id=run_id):
                raise _Ended
        self._run_id = run_id
        if not self._is_canary:
            return f"Requested the speculative plan {self._run_id}."
        plan = self._until("the canary's plan was approved by its rule", self._run_id, lambda seen: seen.child_run_id)
        self._run_id = plan.child_run_id or self._run_id
        return f"The canary's plan passed the gate by its rule; {self._run_id} applies it."

    def _await_start(self) -> str:
        if self._is_canary:
            self._until("its engine is applying", self._required(), lambda seen: seen.phase == "applying")
            return "Its engine is applying."
        seen = self._until("a worker took it", self._required(), lambda seen: seen.claimed_at)
        return f"A worker took it; it is {seen.phase or seen.status}."

    def _halt(self) -> str:
        """Halt the workspace as the switch does, and see the run marked by that."""
        wanted = HaltRequest(scope="workspace", workspace=self._workspace_id, reason=f"Drill {self.id}")
        begun = time.monotonic()
        with unit_of_work("halt") as session:
            with impatient(session):
                is_raised = fence.hold_exclusive(session, self._workspace_id).is_raised
            if is_raised:
                raise _Failed("Somebody halted the workspace before the drill could; that halt stands.")
            raised = service.halt(session, self._actor, wanted)
            # Noted with it, so that whoever halts from now on knows that this one is going to be lifted.
            if not drill_repository.note(session, self.id, halt_id=raised.id):
                raise _Ended
        took = time.monotonic() - begun
        self._halt_id = raised.id
        marked = next((item for item in raised.runs.items if item.run_id == self._run_id), None)
        if marked is None:
            raise _Failed("The run ended before it could be halted: name a workspace whose plan takes longer.")
        if marked.state != "dying":
            raise _Failed(f"The run was halted with no process to stop: it is {marked.state}.")
        return f"{raised.runs.marked} runs cancelled by one commit, {took * 1000:.0f} ms after the call."

    def _await_death(self) -> str:
        settings = get_settings()
        most = 2.0 * (settings.lease_seconds + settings.grace_seconds) + BEAT_SECONDS
        seen = self._until(
            "its process was proven dead", self._required(), lambda seen: seen.quiesced_at, seconds=most, is_ending=True
        )
        proof = seen.proof_of_death or {}
        if proof.get("kind") == "presumed_by_lease":
            raise _Failed("Nothing proves that the process is dead: it is presumed, by lease.")
        signals = " and ".join(proof.get("signals_sent") or ()) or "no signal"
        return f"Proven by {str(proof.get('kind')).replace('_', ' ')}, after {signals}."

    def _see_refusal(self) -> str:
        """See that no start passes: neither a new run, nor what every claim, approval and apply goes through."""
        for what, start in (("a new run", self._request_again), ("a claim", self._hold_as_a_claim_does)):
            try:
                start()
            except Halted:
                continue
            raise _Failed(f"While the fence stood, {what} was let through.")
        return "A new run and a claim were refused."

    def _resume(self) -> str:
        with unit_of_work("halt") as session:
            with impatient(session):
                halt_id = fence.hold_exclusive(session, self._workspace_id).halt_id
            if halt_id != self._halt_id:
                raise _Failed("Somebody halted the workspace during the drill; that halt stands.")
            wanted = ResumeRequest(scope="workspace", workspace=self._workspace_id, reason=f"End of drill {self.id}")
            service.resume(session, self._actor, wanted)
        self._hold_as_a_claim_does()
        return "Starts pass again."

    def _request_again(self) -> None:
        with unit_of_work() as session:
            wanted = RunRequest(workspace=self._workspace_id, message="Must be refused", speculative=True)
            runs.request(session, self._actor, wanted, None)

    def _hold_as_a_claim_does(self) -> None:
        with unit_of_work() as session:
            fence.hold_shared(session, self._actor.organization_id, self._workspace_id)

    def _leave_nothing(self, failed: StepName | None) -> None:
        """After a failure: stop what the drill started, and lift what it raised."""
        if failed is None:
            return
        if self._run_id is not None and self._halt_id is None:
            with suppress(AppError), unit_of_work() as session:
                runs.cancel(session, self._actor, self._run_id, f"The drill {self.id} failed.")
        if self._halt_id is not None:
            with unit_of_work("halt") as session:
                if fence.lower_if_raised_by(session, self._workspace_id, self._halt_id):
                    service.note_lifted(session, self._actor, self._halt_id, f"The drill {self.id} failed.")

    def _end(self, failed: StepName | None) -> None:
        detail = self._steps[-1]["detail"] if failed is not None else None
        with unit_of_work() as session:
            note_end(session, self._actor, self.id, failed, detail, self._steps)

    def _required(self) -> str:
        assert self._run_id is not None, "the first step requests it"
        return self._run_id

    def _until(
        self,
        what: str,
        run_id: str,
        is_there: Callable[[RunLook], object],
        *,
        seconds: float = START_SECONDS,
        is_ending: bool = False,
    ) -> RunLook:
        """Wait until a run is where it should be. Raises ``_Failed`` when it ends before, or takes too long."""
        until = time.monotonic() + seconds
        while True:
            with unit_of_work() as session:
                seen = runs.look(session, run_id)
            if seen is None:
                raise _Failed("Its run is gone.")
            if is_there(seen):
                return seen
            where = seen.status.replace("_", " ") + (f" ({seen.status_reason})" if seen.status_reason else "")
            if seen.finished_at is not None and not is_ending:
                raise _Failed(f"Not seen that {what}: {run_id} is {where}.")
            if time.monotonic() > until:
                raise _Failed(f"Not within {seconds:g} s that {what}: {run_id} is {where}.")
            if time.monotonic() - self._beaten > BEAT_SECONDS:
                self._note()
            time.sleep(POLL_SECONDS)

    def _note(self, **values: Any) -> None:
        self._beaten = time.monotonic()
        with unit_of_work() as session:
            if not drill_repository.note(session, self.id, **values):
                raise _Ended


def note_end(
    session: Session,
    actor: Actor,
    drill_id: str,
    failed: StepName | None,
    detail: str | None,
    steps: Sequence[Mapping[str, Any]],
) -> None:
    """Note how a drill ended, and record it; nothing when it had ended before."""
    status = "passed" if failed is None else "failed"
    ended_at = clock.now()
    if drill_repository.note(session, drill_id, status=status, failed_step=failed, detail=detail, ended_at=ended_at):
        seconds = {step["name"]: step["seconds"] for step in steps}
        found = {"status": status, "failed_step": failed, "seconds": seconds}
        audit.record(session, actor, "halt.drill_ended", ("drill", drill_id), found)
