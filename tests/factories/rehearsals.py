"""Drafts, and rehearsals that are worked on step by step."""

from typing import Any

from app.core.db import unit_of_work
from app.core.pages import PageParams
from app.rehearsal import service, working
from app.rehearsal.schemas import RehearsalIn, RehearsalOut, RehearsalResultOut
from tests.factories.scene import Scene

DENY_ALL = 'package draft\n\ndeny contains "nothing may change"\n'
DENY_NONE = "package draft\n\ndeny contains message if {\n\tinput.run.id == 1\n\tmessage := 1\n}\n"


def draft(text: str, **more: Any) -> dict[str, Any]:
    """Return the body of a request for a draft of one file."""
    return {"draft": {"files": {"draft.rego": text}}, **more}


def ask(scene: Scene, body: dict[str, Any]) -> str:
    """Request a rehearsal; return its id."""
    with unit_of_work() as session:
        return str(service.request(session, scene.planner, RehearsalIn.model_validate(body), None)["id"])


def look(scene: Scene, rehearsal_id: str) -> RehearsalOut:
    with unit_of_work() as session:
        return service.get(session, scene.planner, rehearsal_id)


def found(scene: Scene, rehearsal_id: str) -> list[RehearsalResultOut]:
    with unit_of_work() as session:
        return service.results(session, scene.planner, rehearsal_id, [], PageParams(limit=200)).items


def rehearse(scene: Scene, body: dict[str, Any]) -> RehearsalOut:
    """Request a rehearsal and evaluate batch after batch to its end."""
    rehearsal_id = ask(scene, body)
    for _ in range(100):
        if look(scene, rehearsal_id).status not in {"queued", "running"}:
            break
        working.advance(scene.organization_id)
    return look(scene, rehearsal_id)
