"""Whether a state may be moved to a backend that may hold one already. Pure."""

from typing import Any

from app.core.canonical import is_same_document
from app.state import parsing
from app.state.errors import MigrationTargetTaken
from app.state.schemas import ParsedState


def check_target(found: bytes, there: bytes | None) -> tuple[ParsedState, int | None]:
    """Return what the state to move is, and the serial of its earlier copy there, once the target may take it.

    The target holds nothing, a state without resources and outputs, or an older state or this very one of the same
    lineage (an earlier migration did not come to its end). Raises ``MigrationTargetTaken`` otherwise, and
    ``StateUnreadable``.
    """
    moved = parsing.parse(found)
    if there is None:
        return moved, None
    other = parsing.parse(there)
    if not other.resources and not other.outputs and other.lineage != moved.lineage:
        return moved, None
    where: dict[str, Any] = {"lineage": other.lineage, "serial": other.serial}
    if other.lineage != moved.lineage:
        raise MigrationTargetTaken(
            f"The target holds another state: its lineage is {other.lineage}, the workspace's is {moved.lineage}. It "
            "stays as it is. Name another place, or take that state away first.",
            **where,
        )
    if other.serial > moved.serial:
        raise MigrationTargetTaken(
            f"The target holds a newer state of the same lineage: serial {other.serial}, the workspace's is "
            f"{moved.serial}. It stays as it is. Find out who wrote it, and name another place.",
            **where,
        )
    if other.serial == moved.serial and not is_same_document(found, there, besides=["terraform_version"]):
        raise MigrationTargetTaken(
            f"The target holds another state of the same lineage and serial {other.serial}. It stays as it is. Find "
            "out who wrote it, and name another place.",
            **where,
        )
    return moved, other.serial
