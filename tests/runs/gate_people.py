"""Everything that people and programs can do to a workspace and its runs, as rules of a state machine."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.db import unit_of_work
from app.identity import service as identity
from app.identity.roles import Role
from app.identity.schemas import UserChange
from app.runs.machine import FINAL, Status
from app.state import service as state
from app.state.models import TerraformStateVersion
from tests.factories import policies
from tests.factories.scene import Scene
from tests.runs.gate_model import Behaviour, Policy
from tests.runs.gate_workspace import NUMBERS, Place, Workspace

GATE = {Status.AWAITING_APPROVAL, Status.POLICY_BLOCKED, Status.APPROVED}
REGO: dict[Behaviour, str] = {"denies": policies.DENIES, "passes": policies.PASSES, "fails": policies.FAILS}
MORE = {"when": "deletes", "required_approvals": 2}


def state_versions(session: Session, scene: Scene) -> list[str]:
    """Return the ids of the workspace's state versions, oldest first."""
    query = select(TerraformStateVersion.id).filter_by(workspace_id=scene.workspace.id)
    return list(session.scalars(query.order_by(TerraformStateVersion.number)))


class People(Workspace):
    """Requests, decisions, changes of rules, rights and policies, halts. Refusals are fine."""

    @precondition(lambda self: len(self.runs(*(set(Status) - FINAL))) < 5)
    @rule(
        kind=st.sampled_from(["plan", "plan", "destroy", "refresh"]),
        speculative=st.sampled_from([False, False, True]),
        by_person=st.booleans(),
    )
    def request(self, kind: str, speculative: bool, by_person: bool) -> None:
        self.scene.planner = self.scene.admin if by_person else self.bot
        self.attempt(lambda: self.scene.request(kind, speculative=speculative))

    @precondition(lambda self: len(self.runs(*(set(Status) - FINAL))) < 5)
    @rule(number=NUMBERS)
    def roll_back(self, number: int) -> None:
        with unit_of_work() as session:
            found = state_versions(session, self.scene)
        if found:
            self.attempt(lambda: self.scene.rollback(found[number % len(found)]))

    @precondition(lambda self: len(self.runs(*(set(Status) - FINAL))) < 5)
    @rule(backend=st.sampled_from(["managed", "local"]))
    def migrate(self, backend: str) -> None:
        self.attempt(lambda: self.scene.migrate(backend))

    @rule(number=NUMBERS, who=st.integers(0, 4))
    def approve(self, number: int, who: int) -> None:
        run_id = self.some(number, *GATE)
        if run_id is not None:
            self.attempt(lambda: self.scene.approve(run_id, [*self.people, self.bot][who]))

    @rule(number=NUMBERS, who=st.integers(0, 3), decision=st.sampled_from(["reject", "revoke"]))
    def disapprove(self, number: int, who: int, decision: str) -> None:
        run_id = self.some(number, *GATE)
        if run_id is not None:
            self.attempt(lambda: self.scene.disapprove(run_id, decision, self.people[who]))

    @precondition(lambda self: bool(self.runs(Status.POLICY_BLOCKED)))
    @rule(number=NUMBERS, who=st.integers(0, 4), seconds=st.sampled_from([60, 3600]))
    def override(self, number: int, who: int, seconds: int) -> None:
        run_id = self.some(number, Status.POLICY_BLOCKED)
        if run_id is None:
            return
        shown = self.attempt(lambda: self.scene.override(run_id, [*self.people, self.bot][who], seconds=seconds))
        if shown is not None:
            assert self.model.policy is not None
            self.model.overridden_at[shown.overrides[-1].id] = self.model.policy.revision

    @rule(number=NUMBERS)
    def discard(self, number: int) -> None:
        run_id = self.some(number)
        if run_id is not None:
            self.attempt(lambda: self.scene.discard(run_id))

    @rule(number=NUMBERS)
    def cancel(self, number: int) -> None:
        run_id = self.some(number, Status.QUEUED, Status.RUNNING, Status.APPROVED)
        if run_id is not None:
            self.attempt(lambda: self.scene.cancel(run_id))

    @rule(value=st.sampled_from(["eu", "us"]))
    def change_variable(self, value: str) -> None:
        self.scene.put_variable(value)

    @rule(
        change=st.sampled_from(
            [
                {"required_approvals": 1},
                {"required_approvals": 2},
                {"approval_validity_seconds": 3600},
                {"approval_validity_seconds": None},
                {"plan_max_age_seconds": 7200},
                {"auto_apply": True},
                {"auto_apply": True, "auto_apply_allows_destroy": True},
                {"auto_apply": False},
                {"requester_may_approve": True},
                {"requester_may_approve": False},
                {"approval_conditions": []},
                {"approval_conditions": [MORE]},
                {"approval_conditions": [{"when": "changes_over", "threshold": 2, "required_approvals": 3}]},
                {"approval_conditions": [{"when": "tag", "tag": "env=prod", "required_approvals": 2}]},
            ]
        )
    )
    def change_rule(self, change: dict[str, Any]) -> None:
        self.scene.change(**change)

    @rule(of=st.sampled_from(["nobody", "rule", "condition"]))
    def change_team(self, of: str) -> None:
        teams = [self.team] if of != "nobody" else []
        if of == "condition":
            condition = {"when": "changes_over", "threshold": 0, "required_approvals": 1, "approver_team_ids": teams}
            self.scene.change(approval_conditions=[condition])
        else:
            self.scene.change(approver_team_ids=teams)

    @rule(who=st.integers(0, 2), joins=st.booleans())
    def move_in_team(self, who: int, joins: bool) -> None:
        person = self.people[who].id
        with unit_of_work() as session:
            if joins:
                identity.add_team_member(session, self.scene.admin, self.team, person)
            else:
                identity.remove_team_member(session, self.scene.admin, self.team, person)
        members = self.model.teams.setdefault(self.team, set())
        (members.add if joins else members.discard)(person)

    @rule(who=st.integers(0, 2), how=st.sampled_from(["disable", "demote", "restore", "restore"]))
    def change_rights(self, who: int, how: str) -> None:
        person = self.people[who].id
        wanted = UserChange(is_disabled=how == "disable", roles=[Role.VIEWER if how == "demote" else Role.APPROVER])
        with unit_of_work() as session:
            identity.update_user(session, self.scene.admin, person, wanted)
        (self.model.deciders.add if how == "restore" else self.model.deciders.discard)(person)

    @rule(
        level=st.sampled_from(["advisory", "soft-mandatory", "soft-mandatory", "hard-mandatory"]),
        behaviour=st.sampled_from(["denies", "denies", "passes", "fails"]),
    )
    def change_policy(self, level: Any, behaviour: Behaviour) -> None:
        """Attach a policy set, or change the files of what is attached."""
        if self.model.policy is None:
            self.attach(level, behaviour)
        else:
            assert self.attachment is not None
            self.model.policy = Policy(self.model.policy.level, behaviour, self._write(behaviour))
            policies.sync(self.scene, self.attachment)

    def attach(self, level: Any, behaviour: Behaviour) -> None:
        self.model.policy = Policy(level, behaviour, self._write(behaviour))
        self.attachment = policies.attach(self.scene, "policies/gate", level)

    def _write(self, behaviour: Behaviour) -> int:
        assert Place.sets is not None
        self.revision += 1
        Place.sets.write("gate", f"{REGO[behaviour]}\n# revision {self.revision}\n")
        return self.revision

    @precondition(lambda self: self.attachment is not None)
    @rule()
    def detach_policy(self) -> None:
        if self.attachment is not None:
            policies.detach(self.scene, self.attachment)
        self.attachment = self.model.policy = None

    @rule(scope=st.sampled_from(["workspace", "organization", "everything"]), latch=st.booleans())
    def halt(self, scope: str, latch: bool) -> None:
        self.scene.halt(scope, latch=latch)
        assert not self.runs(*(set(Status) - FINAL)), "a halt leaves nothing alive"
        if latch:
            self.halted = True

    @precondition(lambda self: self.halted)
    @rule()
    def resume(self) -> None:
        for scope in ("workspace", "organization", "everything"):
            self.attempt(lambda scope=scope: self.scene.resume(scope))  # type: ignore[misc]
        self.halted = False

    @rule()
    def everybody_approves(self) -> None:
        for run in self.runs(Status.AWAITING_APPROVAL):
            for person in self.people:
                self.attempt(lambda run=run, who=person: self.scene.approve(run.id, who))  # type: ignore[misc]

    @rule()
    def release_orphaned_lock(self) -> None:
        def release() -> None:
            with unit_of_work() as session:
                state.release_orphaned(session, self.scene.admin, self.scene.workspace.id)

        self.attempt(release)
