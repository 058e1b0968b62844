from dataclasses import replace

import pytest
from sqlalchemy.orm import Session

from app.core import events
from app.core.permissions import Actor, Permission
from app.specs import service as specs
from app.specs.schemas import PushAnswer, validate_spec
from app.workspaces import service
from app.workspaces.schemas import NewWorkspace, WorkspaceOut
from tests.workspaces.tenant import new_tenant


@pytest.fixture
def actor(session: Session) -> Actor:
    return new_tenant(session)


@pytest.fixture
def operator(actor: Actor) -> Actor:
    """Someone who may change workspaces, and not the rules of the gate."""
    return replace(actor, permissions=frozenset(Permission) - {Permission.WORKSPACES_RULES})


@pytest.fixture
def pushed(session: Session, actor: Actor) -> PushAnswer:
    return specs.persist_spec(validate_spec({"name": "network", "inputs": {"a": 1}}), actor=actor, session=session)


@pytest.fixture
def workspace(session: Session, actor: Actor, pushed: PushAnswer) -> WorkspaceOut:
    return service.create(session, actor, NewWorkspace(name="prod-network", stack="network", tags=["prod"]))


@pytest.fixture
def facts(monkeypatch: pytest.MonkeyPatch) -> list[events.Fact]:
    """Facts that were published, instead of handing them on."""
    seen: list[events.Fact] = []
    monkeypatch.setattr("app.workspaces.service.publish", lambda _session, fact: seen.append(fact))
    monkeypatch.setattr("app.workspaces.variables.publish", lambda _session, fact: seen.append(fact))
    return seen
