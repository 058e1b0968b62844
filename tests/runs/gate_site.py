"""The gate as those who try to get around it meet it: the API with real tokens, and a look at everything it guards."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from fastapi.testclient import TestClient
from sqlalchemy import select

from app.core.db import Base, unit_of_work
from app.core.permissions import Actor, Permission
from app.identity import service as identity
from app.identity.roles import Role
from app.identity.schemas import TokenIn
from app.runs import repository
from tests.factories.policies import PolicySets
from tests.factories.scene import Scene, new_scene
from tests.support import people

Codes = Iterator[str]
"""What an attempt yields: first anything, once it is arranged; then the code of each refusal."""
GUARDED = {
    "terraform_runs": ("id", "status", "fingerprint", "reason_code", "was_overridden", "artifacts", "finished_at"),
    "terraform_approvals": ("id", "decision", "voided_at"),
    "terraform_overrides": ("id", "ended_at"),
    "terraform_state_versions": ("id", "serial"),
    "terraform_state_locks": ("workspace_id", "run_id"),
    "terraform_workspaces": ("id", "tags", "required_approvals", "requester_may_approve", "auto_apply"),
    "terraform_policy_attachments": ("id", "bundle_digest", "enforcement_level", "deleted_at"),
}
"""What an attempt must leave as it was."""
APPLIES = ("terraform_state_versions", "terraform_state_locks")


@dataclass
class Site:
    """A tenant whose people and programs have tokens."""

    scene: Scene
    sets: PolicySets
    client: TestClient
    tokens: dict[str, str] = field(default_factory=dict)

    def token(self, actor: Actor, *permissions: Permission) -> str:
        """Return a token of the actor, narrowed to ``permissions`` where some are named."""
        key = f"{actor.id} {permissions}"
        if key not in self.tokens:
            named = actor.name if actor.kind != "person" else None
            wanted = TokenIn(name="gate", service_account=named, permissions=list(permissions) or None)
            issuer = actor if actor.kind == "person" else self.scene.admin
            with unit_of_work() as session:
                self.tokens[key] = identity.issue_token(session, issuer, wanted).token
        return self.tokens[key]

    def send(self, method: str, path: str, who: Actor | str | None, body: Any = None, **headers: str) -> httpx.Response:
        """Send a request as an actor, or by a token."""
        token = self.token(who) if isinstance(who, Actor) else who
        sent = {**({"Authorization": f"Bearer {token}"} if token else {}), **headers}
        return self.client.request(method, path, json=body, headers=sent)

    def code(self, method: str, path: str, who: Actor | str | None, body: Any = None, **headers: str) -> str:
        """Send a request and return the code of its refusal; what is let through says so."""
        answer = self.send(method, path, who, body, **headers)
        return str(answer.json()["code"]) if answer.status_code >= 400 else f"let through: {answer.status_code}"

    def run(self, verb: str, run_id: str, who: Actor | str | None, **body: Any) -> str:
        """Approve, apply, override, reject or revoke a run; return the code."""
        if verb == "override":
            body = {"reason": "for the test", **body}
        return self.code("POST", f"/terraform/runs/{run_id}/{verb}", who, body)

    def tried(self, run_id: str, *verbs: str, who: Actor | str | None = None) -> Codes:
        """Yield the code of each verb, by someone who holds every right and did not ask for the plan."""
        for verb in verbs:
            yield self.run(verb, run_id, who or self.scene.admin)

    def person(self, *roles: Role, name: str = "Eve") -> Actor:
        with unit_of_work() as session:
            return people.person(session, self.scene.organization_id, *roles, name=name).actor

    def program(self, *, is_agent: bool = False) -> Actor:
        """Return a service account with every role."""
        with unit_of_work() as session:
            return people.account(session, self.scene.organization_id, *Role, is_agent=is_agent).actor

    def team(self, *members: Actor) -> str:
        with unit_of_work() as session:
            made = identity.create_team(session, self.scene.admin, f"team of {len(members)}").id
            for member in members:
                identity.add_team_member(session, self.scene.admin, made, member.id)
            return made

    def snapshot(self, tables: Sequence[str] = tuple(GUARDED)) -> dict[str, list[Any]]:
        """Return everything that the gate guards, as it is committed."""
        with unit_of_work() as session:
            return {
                name: [
                    tuple(map(str, row))
                    for row in session.execute(
                        select(*(Base.metadata.tables[name].c[column] for column in GUARDED[name])).order_by(
                            Base.metadata.tables[name].c[GUARDED[name][0]]
                        )
                    )
                ]
                for name in tables
            }

    def applied(self) -> list[str]:
        """Return the runs that were applied, or whose engine may be at work."""
        with unit_of_work() as session:
            runs = repository.of_ids(session, self.scene.organization_id, [row[0] for row in self._runs()])
            return sorted(f"{run.id} {run.status}" for run in runs if run.status in {"applied", "running"})

    def _runs(self) -> list[Any]:
        return self.snapshot(["terraform_runs"])["terraform_runs"]


def new_site(sets: PolicySets) -> Site:
    """Make a tenant that asks for one approval, with a client that speaks for nobody by itself."""
    return Site(new_scene(), sets, people.client())
