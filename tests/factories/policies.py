"""Policy sets of a test's own, and attaching them by the services."""

from pathlib import Path

from app.core.db import unit_of_work
from app.policy import service as policy
from app.policy.schemas import EnforcementLevel, PolicyAttachmentIn
from tests.factories.scene import Scene

DENIES = 'package {name}\n\ndeny contains "nothing passes {name}"\n'
PASSES = "package {name}\n\ndeny contains message if {{\n\tmessage := input.run.nothing\n}}\n"
FAILS = "package {name}\n\ndeny := input.run.nothing\n"
"""Compiles, and is undefined when it is evaluated."""


class PolicySets:
    """A policies directory whose sets a test writes."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, name: str, rego: str = DENIES) -> str:
        """Write a set of one file and return its URI."""
        (self.root / name).mkdir(parents=True, exist_ok=True)
        (self.root / name / "policy.rego").write_text(rego.format(name=name))
        return f"policies/{name}"


def attach(scene: Scene, uri: str, level: EnforcementLevel = "soft-mandatory", *, to_workspace: bool = True) -> str:
    """Attach a policy set and return the attachment's id."""
    wanted = PolicyAttachmentIn(
        policy_set_uri=uri, enforcement_level=level, workspace=scene.workspace.id if to_workspace else None
    )
    with unit_of_work() as session:
        return policy.attach(session, scene.admin, wanted).id


def detach(scene: Scene, attachment_id: str) -> None:
    with unit_of_work() as session:
        policy.detach(session, scene.admin, attachment_id)


def sync(scene: Scene, attachment_id: str) -> None:
    with unit_of_work() as session:
        policy.sync(session, scene.admin, attachment_id)
