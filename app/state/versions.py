"""Storing and reading state versions."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from app.audit import service as audit
from app.core.artifacts import ArtifactRef, artifact_store
from app.core.canonical import sha256_hex
from app.core.errors import IntegrityError
from app.core.ids import new_id
from app.core.masking import holds
from app.core.pages import Page, PageParams
from app.core.permissions import Actor, system_actor
from app.state import parsing, repository
from app.state.errors import OutputNotFound, StateConflict, StateVersionNotFound, StateVersionPruned
from app.state.known_secrets import known_secrets
from app.state.manifest import Manifest, Part
from app.state.models import TerraformStateVersion
from app.state.schemas import (
    CurrentState,
    Output,
    ParsedState,
    StateKind,
    StateResource,
    StateVersionDetail,
    StateVersionOut,
)
from app.state.vault import Vault
from app.workspaces import service as workspaces

ARTIFACT_KIND = "state"


def current(session: Session, workspace_id: str) -> CurrentState | None:
    """Return the workspace's newest state version, or None before the first."""
    row = repository.current(session, workspace_id)
    return _current(row) if row is not None else None


def of_serial(session: Session, workspace_id: str, lineage: str, serial: int) -> CurrentState | None:
    """Return the state version that had this lineage and serial, its content kept or not; None when none is known."""
    row = repository.of_serial(session, workspace_id, lineage, serial)
    return _current(row) if row is not None else None


def currents(session: Session, workspace_ids: Sequence[str]) -> dict[str, CurrentState]:
    """Return the newest state version by workspace id, for those that have one."""
    return {row.workspace_id: _current(row) for row in repository.currents(session, workspace_ids)}


def _current(row: TerraformStateVersion) -> CurrentState:
    return CurrentState(
        id=row.id,
        number=row.number,
        serial=row.serial,
        lineage=row.lineage,
        digest=row.digest,
        artifact=ArtifactRef(
            key=f"{row.organization_id}/{ARTIFACT_KIND}/{row.id}/{row.digest}",
            organization_id=row.organization_id,
            kind=ARTIFACT_KIND,
            owner=row.id,
            digest=row.digest,
            size=row.size_bytes,
        ),
        resource_count=row.resource_count,
    )


class Prepared(NamedTuple):
    """A state that was read, and what of it is stored."""

    parsed: ParsedState
    digest: str
    parts: dict[Part, bytes]


def prepare(data: bytes) -> Prepared:
    """Read a state: what takes long for a large one, and should come before anything is held up. No locks are needed.

    Raises ``StateUnreadable`` and ``StateEncrypted``.
    """
    parsed = parsing.parse(data)
    parts: dict[Part, bytes] = {
        "content": data,
        "resources": _lines(resource.model_dump() for resource in parsed.resources),
        "outputs": _lines(output.model_dump() for output in parsed.outputs),
    }
    return Prepared(parsed, sha256_hex(data), parts)


def store_version(
    session: Session,
    *,
    organization_id: str,
    workspace_id: str,
    run_id: str | None,
    kind: StateKind,
    data: bytes,
    created_by: dict[str, Any],
    replaces_lineage: bool = False,
    prepared: Prepared | None = None,
) -> StateVersionOut:
    """Store ``data`` as the workspace's next state version, and return it; ``prepared`` is what ``prepare`` made of it.

    The current content again adds nothing and returns the current version. Raises ``StateUnreadable``, and
    ``StateConflict`` when the lineage is another one (unless it ``replaces_lineage``) or the serial is lower than the
    current one's; nothing was written then.
    """
    parsed, digest, parts = prepared or prepare(data)
    repository.serialize_writers(session, workspace_id)
    newest = repository.current(session, workspace_id, with_content=True)
    if newest is not None:
        if newest.digest == digest:
            return StateVersionOut.model_validate(newest)
        if newest.lineage != parsed.lineage and not replaces_lineage:
            raise StateConflict(
                f"The state's lineage is {parsed.lineage}, the workspace's is {newest.lineage}: it belongs to another "
                "state."
            )
        if newest.lineage == parsed.lineage and parsed.serial < newest.serial:
            raise StateConflict(f"The state's serial {parsed.serial} is older than the workspace's {newest.serial}.")
    row = TerraformStateVersion(
        id=new_id("sv"),
        organization_id=organization_id,
        workspace_id=workspace_id,
        run_id=run_id,
        number=newest.number + 1 if newest is not None else 1,
        kind=kind,
        serial=parsed.serial,
        lineage=parsed.lineage,
        digest=digest,
        size_bytes=len(data),
        engine_version=parsed.engine_version,
        resource_count=sum(1 for resource in parsed.resources if resource.mode == "managed"),
        created_by=created_by,
    )
    row.manifest = Vault(organization_id, workspace_id).put(
        session,
        owner=row.id,
        digest=digest,
        parts=parts,
        previous=_manifest(newest) if newest is not None and newest.manifest is not None else None,
    )
    session.add(row)
    session.flush()
    if run_id is not None:
        evidence = {"state_version_id": row.id, "run_id": run_id, "kind": kind, "serial": row.serial, "digest": digest}
        audit.record(session, system_actor(organization_id), "state.stored", ("workspace", workspace_id), evidence)
    return StateVersionOut.model_validate(row)


def newest_manifest(session: Session, workspace_id: str) -> Manifest | None:
    """Return what the newest version is made of, as bases of what is stored beside it."""
    newest = repository.current(session, workspace_id, with_content=True)
    return _manifest(newest) if newest is not None and newest.manifest is not None else None


def _lines(items: Any) -> bytes:
    # A line each, so that pieces are cut between them.
    return b"".join(json.dumps(item, separators=(",", ":")).encode() + b"\n" for item in items)


def _read_lines(data: bytes) -> list[Any]:
    return [json.loads(line) for line in data.splitlines()]


def versions(session: Session, actor: Actor, workspace: str, params: PageParams) -> Page[StateVersionOut]:
    """Return one page of a workspace's state versions, newest first."""
    found = workspaces.get(session, actor.organization_id, workspace)
    rows, cursor = repository.page(session, found.id, params)
    return Page(items=[StateVersionOut.model_validate(row) for row in rows], next_cursor=cursor)


def version(session: Session, actor: Actor, version_id: str) -> StateVersionDetail:
    """Return one state version with its resources. Raises ``StateVersionNotFound`` and ``StateVersionPruned``."""
    row = get_row(session, actor.organization_id, version_id)
    out = StateVersionOut.model_validate(row)
    return StateVersionDetail(**out.model_dump(), resources=resources_of(session, row))


def by_id(session: Session, organization_id: str, version_id: str) -> StateVersionOut | None:
    """Return one state version of the organization, or None."""
    row = repository.get(session, organization_id, version_id)
    return StateVersionOut.model_validate(row) if row is not None else None


def by_content(session: Session, workspace_id: str, data: bytes) -> StateVersionOut | None:
    """Return the workspace's newest state version that is exactly ``data``, or None."""
    row = repository.by_digest(session, workspace_id, sha256_hex(data))
    return StateVersionOut.model_validate(row) if row is not None else None


def download(session: Session, actor: Actor, version_id: str) -> bytes:
    """Return the state as the engine wrote it; the reading is audited."""
    row = get_row(session, actor.organization_id, version_id)
    data = content_of(session, row)
    audit.record(session, actor, "state.downloaded", ("state_version", row.id), {"workspace_id": row.workspace_id})
    return data


def content(session: Session, organization_id: str, version_id: str) -> bytes:
    """Return the state as the engine wrote it, for a run's job. Raises ``StateVersionNotFound``."""
    return content_of(session, get_row(session, organization_id, version_id))


def outputs(session: Session, actor: Actor, version_id: str) -> list[Output]:
    """Return the outputs of a version; sensitive values are null."""
    return _masked(session, get_row(session, actor.organization_id, version_id))


def current_outputs(session: Session, actor: Actor, workspace: str) -> list[Output]:
    """Return the outputs of the workspace's newest state; none before the first."""
    found = workspaces.get(session, actor.organization_id, workspace)
    row = repository.current(session, found.id, with_content=True)
    return _masked(session, row) if row is not None else []


def reveal_output(session: Session, actor: Actor, version_id: str, name: str) -> Output:
    """Return one output with its value, sensitive or not; the reading is audited. Raises ``OutputNotFound``."""
    row = get_row(session, actor.organization_id, version_id)
    found = next((output for output in outputs_of(session, row) if output.name == name), None)
    if found is None:
        raise OutputNotFound(f"State version {version_id} has no output {name!r}.")
    evidence = {"workspace_id": row.workspace_id, "output": name, "sensitive": found.sensitive}
    audit.record(session, actor, "state.output_read", ("state_version", row.id), evidence)
    return found


def _masked(session: Session, row: TerraformStateVersion) -> list[Output]:
    """Return a version's outputs without values that the engine, or Sluice alone, knows to be sensitive."""
    secrets = known_secrets(session, [row.workspace_id])
    hidden = {"value": None, "sensitive": True}
    return [
        output.model_copy(update=hidden) if output.sensitive or holds(output.value, secrets) else output
        for output in outputs_of(session, row)
    ]


def get_row(session: Session, organization_id: str, version_id: str) -> TerraformStateVersion:
    """Return a version with what its content is read from. Raises ``StateVersionNotFound``."""
    row = repository.get(session, organization_id, version_id, with_content=True)
    if row is None:
        raise StateVersionNotFound(f"There is no state version {version_id}.")
    return row


def content_of(session: Session, row: TerraformStateVersion) -> bytes:
    """Return a version's state. Raises ``StateVersionPruned``, and ``IntegrityError`` when it was altered."""
    if row.manifest is None and row.artifact is not None:
        return artifact_store().get(ArtifactRef.model_validate(row.artifact))
    return _read(session, row, "content")


def resources_of(session: Session, row: TerraformStateVersion) -> list[StateResource]:
    """Return a version's resource instances in the state's order."""
    if row.manifest is None and row.resources is not None:
        return [StateResource.model_validate(item) for item in row.resources]
    return [StateResource.model_construct(**item) for item in _read_lines(_read(session, row, "resources"))]


def outputs_of(session: Session, row: TerraformStateVersion) -> list[Output]:
    """Return a version's outputs, sensitive values included."""
    if row.manifest is None and row.outputs_artifact is not None:
        found = json.loads(artifact_store().get(ArtifactRef.model_validate(row.outputs_artifact)))
    else:
        found = _read_lines(_read(session, row, "outputs"))
    return [Output.model_validate(item) for item in found]


def _read(session: Session, row: TerraformStateVersion, part: Part) -> bytes:
    vault = Vault(row.organization_id, row.workspace_id)
    try:
        manifest = _manifest(row)
        if part == "content":
            return vault.get_content(session, manifest, row.digest)
        return vault.get(session, manifest, part)
    except IntegrityError:
        session.refresh(row)
        if row.pruned_at is not None:
            # Retention came between reading the manifest and reading the pieces.
            raise _pruned(row) from None
        raise


def _manifest(row: TerraformStateVersion) -> Manifest:
    if row.manifest is None:
        raise _pruned(row)
    vault = Vault(row.organization_id, row.workspace_id)
    return vault.open_manifest(row.manifest, owner=row.id, digest=row.digest)


def _pruned(row: TerraformStateVersion) -> StateVersionPruned:
    return StateVersionPruned(
        f"The content of state version {row.number} is no longer kept, by the workspace's retention. Its serial, "
        "digest and run are still listed."
    )
