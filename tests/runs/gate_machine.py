"""Histories of one workspace: what people and runners do, from a beginning of some kind."""

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from app.core.db import unit_of_work
from app.identity import service as identity
from tests.factories.scene import new_scene
from tests.runs.gate_people import MORE, People
from tests.runs.gate_runners import PLANS, Runners
from tests.runs.gate_workspace import NUMBERS


class Histories(People, Runners):
    """One workspace, its runs, and everybody who can do something to them. Refusals are fine."""

    @initialize(
        required=st.sampled_from([1, 2]),
        own=st.booleans(),
        auto=st.sampled_from([False, False, True]),
        start=st.sampled_from(["applying", "overridden", "ruled", "approved", "doubted", "gate", "nothing"]),
        doubt=st.sampled_from(["reject", "revoke", "disable", "demote", "run out"]),
    )
    def begin(self, required: int, own: bool, auto: bool, start: str, doubt: str) -> None:
        self.scene = new_scene(
            approvers=3, is_operator=True, required_approvals=required, requester_may_approve=own, auto_apply=auto
        )
        self.first_backend = self.scene.workspace.state_backend
        self.bot = self.scene.planner
        self.people = [*self.scene.approvers, self.scene.admin]
        self.model.deciders = {person.id for person in self.people}
        with unit_of_work() as session:
            self.team = identity.create_team(session, self.scene.admin, "security").id
        self.move_in_team(2, joins=True)
        if start == "overridden":
            self.attach("soft-mandatory", "denies")
        if start in {"ruled", "doubted"}:
            self.scene.change(approval_conditions=[MORE], approval_validity_seconds=3600)
        if start != "nothing":
            for _ in range(2):
                self.request("plan", speculative=False, by_person=False)
                self.run_on(finishes=True, plan=PLANS[2] if start == "ruled" else PLANS[0])
        if start == "overridden":
            self.override(0, 0, 3600)
        if start not in {"gate", "nothing"}:
            self.everybody_approves()
        if start == "doubted":
            self.claim()
            self.doubt(0, doubt)
        if start in {"applying", "overridden", "ruled"}:
            self.run_on(finishes=False, plan=PLANS[0])

    @precondition(lambda self: bool(self.jobs))
    @rule(number=NUMBERS, how=st.sampled_from(["reject", "revoke", "disable", "demote", "run out"]))
    def doubt(self, number: int, how: str) -> None:
        """Take an approval away between the claim of an apply and its verification."""
        job = self.job(number)
        if job is None or job.kind != "apply" or job.run_id in self.verified:
            return
        if how == "run out":
            self.wait(3600)
        elif how in {"disable", "demote"}:
            self.change_rights(0, how)
        else:
            self.attempt(lambda: self.scene.disapprove(job.planned_run_id or "", how, self.people[0]))
        self.verify(number)
