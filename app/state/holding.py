"""Which resource instances states hold, and by what id: what a dead apply left is compared with it."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy.orm import Session

from app.state import parsing, quarantine_repository, repository, versions
from app.state.errors import StateUnreadable, StateVersionPruned
from app.state.vault import Vault

InstancePlace = tuple[str, str, str, str | int | None]
"""Where a managed resource instance is: module (the engine's spelling, empty for the root), type, name, index."""


class HeldInstance(BaseModel):
    """One object that a state holds at a place. ``names`` are what a provider may call it by, by attribute."""

    model_config = ConfigDict(frozen=True)

    names: dict[str, str]
    is_deposed: bool


Holdings = dict[InstancePlace, list[HeldInstance]]


def held_now(session: Session, workspace_id: str) -> Holdings:
    """Return what the workspace's current state holds; nothing before the first."""
    newest = repository.current(session, workspace_id, with_content=True)
    return _holdings([versions.content_of(session, newest)]) if newest is not None else {}


def held_of_run(session: Session, run_id: str) -> Holdings:
    """Return what is in the states that a run left: its newest version, what its engine could not send, quarantine.

    A state whose content retention let go of, or that can't be read, holds nothing that is known.
    """
    contents = []
    for position, row in enumerate(repository.of_run(session, run_id)):
        if position and row.kind != "errored":
            continue
        try:
            contents.append(versions.content_of(session, row))
        except StateVersionPruned:
            continue
    for held in quarantine_repository.held_rows_of_run(session, run_id):
        if held.manifest is not None:
            vault = Vault(held.organization_id, held.workspace_id)
            manifest = vault.open_manifest(held.manifest, owner=held.id, digest=held.digest)
            contents.append(vault.get_content(session, manifest, held.digest))
    return _holdings(contents)


def _holdings(contents: Iterable[bytes]) -> Holdings:
    found: defaultdict[InstancePlace, list[HeldInstance]] = defaultdict(list)
    for content in contents:
        try:
            blocks = parsing.document(content).get("resources") or []
            for block in blocks:
                if block.get("mode") == "managed":
                    _take(found, block)
        except (StateUnreadable, AttributeError, TypeError):
            continue
    return dict(found)


def _take(found: defaultdict[InstancePlace, list[HeldInstance]], block: dict[str, Any]) -> None:
    module, kind, name = (str(block.get(key) or "") for key in ("module", "type", "name"))
    for instance in block.get("instances") or []:
        index = instance.get("index_key")
        place = (module, kind, name, index if isinstance(index, str | int) else None)
        names = _names(instance.get("attributes") or {})
        found[place].append(HeldInstance(names=names, is_deposed="deposed" in instance))


def _names(attributes: dict[str, Any]) -> dict[str, str]:
    names = {key: str(attributes[key]) for key in ("id", "name") if attributes.get(key) is not None}
    tags = attributes.get("tags")
    if isinstance(tags, dict):
        names |= {f"tags.{key}": str(tags[key]) for key in ("name", "Name") if tags.get(key) is not None}
    return names
