"""Outputs of one workspace as inputs of another: who may read them, which are read, and whether they moved since.

A reader is a workspace, not a person: whoever may plan in it can write a configuration that gives out what it reads. So
a workspace shares its outputs with named others, and with none by default.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from app.audit import service as audit
from app.core import events
from app.core.permissions import Actor, Permission
from app.specs import service as specs
from app.specs.schemas import split_output_reference
from app.state import repository, upstream_repository, versions
from app.state.errors import (
    StateVersionNotFound,
    StateVersionPruned,
    UpstreamCycle,
    UpstreamOutputMissing,
    UpstreamOutputNotShared,
)
from app.state.events import OutputSharingChanged
from app.state.models import TerraformOutputSharing
from app.state.schemas import Output, UpstreamOutput
from app.state.upstream_schemas import OutputSharing, OutputSharingIn, Reader
from app.workspaces import service as workspaces
from app.workspaces.errors import WorkspaceNotFound
from app.workspaces.schemas import WorkspaceOut

FIELD = "output_mappings"


def sharing(session: Session, actor: Actor, workspace: str) -> OutputSharing:
    """Return which workspaces may read the workspace's outputs."""
    found = workspaces.get(session, actor.organization_id, workspace)
    return _sharing_out(session, upstream_repository.sharing(session, found.id))


def set_sharing(session: Session, actor: Actor, workspace: str, wanted: OutputSharingIn) -> OutputSharing:
    """Set which workspaces may read the workspace's outputs; audited.

    Their runs see sensitive outputs in clear, so who sets it must hold ``state:read-sensitive``. A plan that waits and
    may no longer read what it was made from is superseded. Raises ``WorkspaceNotFound`` and ``Forbidden``.
    """
    found = workspaces.get(session, actor.organization_id, workspace)
    actor.require(Permission.STATE_READ_SENSITIVE)
    workspaces.lock_exclusive(session, found.id)
    ids = sorted({workspaces.get(session, actor.organization_id, reader).id for reader in wanted.readers})
    row = upstream_repository.sharing(session, found.id)
    if row is None:
        row = TerraformOutputSharing(workspace_id=found.id, organization_id=actor.organization_id)
        session.add(row)
    row.everyone, row.reader_ids = wanted.everyone, ids
    session.flush()
    evidence = {"everyone": wanted.everyone, "reader_ids": ids}
    audit.record(session, actor, "state.outputs_shared", ("workspace", found.id), evidence)
    events.publish(session, OutputSharingChanged(actor.organization_id, found.id))
    return _sharing_out(session, row)


def _sharing_out(session: Session, row: TerraformOutputSharing | None) -> OutputSharing:
    if row is None:
        return OutputSharing(everyone=False, readers=[])
    found = workspaces.get_many(session, row.reader_ids)
    readers = sorted((Reader(id=item.id, name=item.name) for item in found.values()), key=lambda item: item.name)
    return OutputSharing(everyone=row.everyone, readers=readers)


def resolve_outputs(
    session: Session, reader: WorkspaceOut, mappings: Mapping[str, str]
) -> list[tuple[UpstreamOutput, Output]]:
    """Return what each of a spec's output mappings names now, pinned to its state version, with its value.

    Raises ``UpstreamOutputMissing``, ``UpstreamOutputNotShared`` and ``UpstreamCycle``, which name the mapping.
    """
    return [_resolve(session, reader, name, reference) for name, reference in sorted(mappings.items())]


def _resolve(session: Session, reader: WorkspaceOut, name: str, reference: str) -> tuple[UpstreamOutput, Output]:
    source_name, output_name = split_output_reference(reference)
    try:
        source = workspaces.get(session, reader.organization_id, source_name)
    except WorkspaceNotFound:
        message = f"there is no workspace {source_name!r} in this organization"
        raise _problem(UpstreamOutputMissing, name, reference, message) from None
    _refuse_cycle(session, reader, source, name, reference)
    if not _may_read(session, source.id, reader.id):
        message = (
            f"{source.name} does not share its outputs with {reader.name}; who may write it can: "
            f"`sluice state share --workspace {source.name} --with {reader.name}`"
        )
        raise _problem(UpstreamOutputNotShared, name, reference, message)
    row = repository.current(session, source.id, with_content=True)
    if row is None:
        raise _problem(UpstreamOutputMissing, name, reference, f"{source.name} has no state yet; apply it first")
    outputs = {output.name: output for output in versions.outputs_of(session, row)}
    if output_name not in outputs:
        there = ", ".join(sorted(outputs)) or "none"
        message = f"the state of {source.name} (version {row.number}) has no such output; it has: {there}"
        raise _problem(UpstreamOutputMissing, name, reference, message)
    found = outputs[output_name]
    pin = UpstreamOutput(
        input=name,
        workspace_id=source.id,
        workspace=source.name,
        output=output_name,
        sensitive=found.sensitive,
        state_version_id=row.id,
        number=row.number,
        serial=row.serial,
    )
    return pin, found


def _refuse_cycle(session: Session, reader: WorkspaceOut, source: WorkspaceOut, name: str, reference: str) -> None:
    """Raise when what ``source`` reads, by the heads of all on the way, leads back to ``reader``."""
    seen = {source.id}
    ways: list[tuple[WorkspaceOut, tuple[str, ...]]] = [(source, (reader.name, source.name))]
    while ways:
        here, path = ways.pop()
        if here.id == reader.id:
            raise _problem(UpstreamCycle, name, reference, f"that is a circle: {' reads '.join(path)}")
        if here.head is None:
            continue
        document = specs.version(session, here.organization_id, here.head.id).document
        for following in document.get(FIELD, {}).values():
            try:
                found = workspaces.get(session, here.organization_id, split_output_reference(following)[0])
            except WorkspaceNotFound:
                continue
            if found.id not in seen:
                seen.add(found.id)
                ways.append((found, (*path, found.name)))


def pinned_outputs(
    session: Session, organization_id: str, pins: Sequence[dict[str, Any]]
) -> list[tuple[UpstreamOutput, Output]]:
    """Return the values of what a plan pinned, for its apply. Raises ``UpstreamOutputMissing``.

    Where retention let go of the pinned version the present output stands in; the apply's verification then says that
    it can't be compared.
    """
    found = []
    for pin in map(UpstreamOutput.model_validate, pins):
        output = _output_of(session, organization_id, pin.state_version_id, pin.output)
        if output is None:
            newest = repository.current(session, pin.workspace_id)
            output = _output_of(session, organization_id, newest.id, pin.output) if newest is not None else None
        if output is None:
            raise _problem(UpstreamOutputMissing, pin.input, f"{pin.workspace}.{pin.output}", "it is gone; plan again")
        found.append((pin, output))
    return found


def moved_outputs(session: Session, organization_id: str, reader_id: str, pins: Sequence[dict[str, Any]]) -> list[str]:
    """Return in words which of the pinned outputs are no longer what they were.

    Values are compared, not versions: a state that moved and left an output alone changes nothing for its readers.
    """
    moved = []
    for pin in map(UpstreamOutput.model_validate, pins):
        what = f"the output {pin.output} of {pin.workspace}"
        newest = repository.current(session, pin.workspace_id)
        if newest is None:
            moved.append(f"{what} is gone")
        elif not _may_read(session, pin.workspace_id, reader_id):
            moved.append(f"{what} is no longer shared")
        elif newest.id != pin.state_version_id:
            before = _output_of(session, organization_id, pin.state_version_id, pin.output)
            after = _output_of(session, organization_id, newest.id, pin.output)
            if after is None:
                moved.append(f"{what} is gone")
            elif before is None:
                moved.append(f"{what} can't be compared: the state version that was read is no longer kept")
            elif before != after:
                moved.append(f"{what} changed")
    return moved


def _output_of(session: Session, organization_id: str, version_id: str, name: str) -> Output | None:
    try:
        row = versions.get_row(session, organization_id, version_id)
        return next((output for output in versions.outputs_of(session, row) if output.name == name), None)
    except (StateVersionNotFound, StateVersionPruned):
        return None


def _may_read(session: Session, source_id: str, reader_id: str) -> bool:
    row = upstream_repository.sharing(session, source_id)
    return row is not None and (row.everyone or reader_id in row.reader_ids)


def _problem(kind: type[Any], name: str, reference: str, message: str) -> Any:
    field = f"{FIELD}.{name}"
    text = f"refers to {reference}, and {message}"
    return kind.of_field(field, text)
