"""Stacks and their spec versions: push, look up, compare.

``persist_spec`` is the one way in. Pushes to one stack follow each other under its row's lock, so equal pushes at once
make one version, and going back to older content makes a new one.
"""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Select
from sqlalchemy.orm import Session

from app.audit import service as audit
from app.configurations import service as configurations
from app.configurations.schemas import ConfigurationOut
from app.core import clock
from app.core.db import unit_of_work
from app.core.events import publish
from app.core.ids import new_id
from app.core.pages import Page, PageParams
from app.core.permissions import Actor, system_actor
from app.identity import service as identity
from app.specs import repository
from app.specs.diff import differences
from app.specs.errors import (
    SpecInvalid,
    SpecVersionNotFound,
    SpecVersionsUnrelated,
    StackExists,
    StackNotFound,
)
from app.specs.events import HeadMoved
from app.specs.models import TerraformStack, TerraformStackSpecVersion
from app.specs.schemas import (
    PushAnswer,
    SpecDiff,
    SpecVersionOut,
    StackIn,
    StackOut,
    StackRef,
    StackVersionSummary,
    Who,
)
from app.specs.spec import TerraformStackSpec, root_directory

WorkspaceCounter = Callable[[Session, Sequence[str]], dict[str, int]]
_count_workspaces: WorkspaceCounter | None = None


def set_workspace_counter(counter: WorkspaceCounter) -> None:
    """Plug in how many workspaces each stack has (workspaces does: it lies above, and knows)."""
    global _count_workspaces
    _count_workspaces = counter


def persist_spec(
    spec: TerraformStackSpec, *, actor: Actor | None = None, message: str = "", session: Session | None = None
) -> PushAnswer:
    """Push ``spec`` to the stack of its name, creating the stack when it is new.

    Without ``actor`` it is Sluice itself that pushes, in the operator's organization.

    A version is added only when the hash differs from the stack's latest pushed one. A ``module_source`` is pinned to
    the digest of what it names now, so the version names exact code. Without ``session`` it commits by itself. Raises
    ``SpecInvalid`` for inputs that the module does not declare, and what ``configurations`` raises for its source.
    """
    if session is None:
        with unit_of_work() as own:
            return persist_spec(spec, actor=actor, message=message, session=own)
    return push(session, actor or _operator(session), spec, message=message)


def push(session: Session, actor: Actor, spec: TerraformStackSpec, *, message: str = "") -> PushAnswer:
    """Do what ``persist_spec`` says, in the caller's transaction; publish ``HeadMoved`` when a version was added."""
    pinned, _ = pin(session, actor, spec)
    stack = _locked_stack(session, actor, pinned.name, pinned.description)
    latest = _version(session, actor.organization_id, stack.latest_version_id) if stack.latest_version_id else None
    if latest is not None and latest.hash == pinned.hash:
        return PushAnswer(stack=_present_stacks(session, [stack])[0], version=_present(latest), created=False)
    row = TerraformStackSpecVersion(
        id=new_id("spec"),
        organization_id=actor.organization_id,
        stack_id=stack.id,
        number=repository.last_number(session, stack.id) + 1,
        **_content(pinned, actor, message),
    )
    repository.add_version(session, row)
    stack.latest_version_id = row.id
    stack.description = pinned.description or stack.description
    session.flush()
    evidence = {"stack": stack.name, "number": row.number, "hash": row.hash, "message": message}
    audit.record(session, actor, "spec.pushed", ("spec_version", row.id), evidence)
    publish(session, HeadMoved(actor.organization_id, stack.id))
    return PushAnswer(stack=_present_stacks(session, [stack])[0], version=_present(row), created=True)


def add_detached_version(
    session: Session,
    actor: Actor,
    stack_id: str,
    spec: TerraformStackSpec,
    *,
    message: str = "",
    code: ConfigurationOut | None = None,
) -> SpecVersionOut:
    """Add a version that is never pushed (of an upload, or of a speculative run), or return the one of that content.

    It moves no head. ``stack_id`` is a workspace's own, so the caller has checked whose it is; ``code`` is the
    configuration that the spec names, where the caller has taken it. Raises what ``persist_spec`` raises.
    """
    pinned, _ = pin(session, actor, spec, code)
    known = repository.detached(session, stack_id, pinned.hash)
    if known is None:
        values = {
            "id": new_id("spec"),
            "organization_id": actor.organization_id,
            "stack_id": stack_id,
            "number": None,
            "created_at": clock.now(),
            **_content(pinned, actor, message),
        }
        repository.insert_detached_unless_there(session, values)
        known = repository.detached(session, stack_id, pinned.hash)
    if known is None:
        raise SpecVersionNotFound("The spec version was removed while it was stored; try again.")
    return _present(known)


def pin(
    session: Session, actor: Actor, spec: TerraformStackSpec, code: ConfigurationOut | None = None
) -> tuple[TerraformStackSpec, ConfigurationOut | None]:
    """Return ``spec`` with its code pinned to a digest, and the configuration; None when uploads bring the code.

    ``code`` is the configuration of the spec's digest, where the caller has it. Raises ``SpecInvalid`` for inputs that
    the module does not declare, and what ``configurations`` raises.
    """
    if spec.module_source is None and spec.configuration_digest is None:
        return spec, None
    found = code or configurations.for_spec(session, actor, spec)
    if spec.module_source is not None:
        spec = spec.model_copy(update={"module_digest": found.digest})
    _check_inputs(spec, found)
    return spec, found


def _check_inputs(spec: TerraformStackSpec, found: ConfigurationOut) -> None:
    declared = configurations.interface(found, root_directory(spec)).variables
    errors = []
    named = {
        "inputs": spec.inputs,
        "secret_mappings": spec.secret_mappings,
        "output_mappings": spec.output_mappings,
    }
    for field, names in named.items():
        for name in names:
            if name not in declared:
                known = ", ".join(sorted(declared)[:30]) or "none"
                message = f"the module declares no variable of this name; it declares: {known}"
                errors.append({"field": f"{field}.{name}", "message": message})
    if errors:
        raise SpecInvalid("; ".join(f"{item['field']}: {item['message']}" for item in errors) + ".", errors=errors)


def create_stack(session: Session, actor: Actor, wanted: StackIn) -> StackOut:
    """Create a stack without a version: its specs or uploads come later. Raises ``StackExists``."""
    if not _insert_stack(session, actor, wanted.name, wanted.description):
        message = "another stack has this name; push to it, or choose another name"
        raise StackExists.of_field("name", message)
    return get_stack(session, actor.organization_id, wanted.name)


def get_stack(session: Session, organization_id: str, id_or_name: str) -> StackOut:
    """Return a stack. Raises ``StackNotFound``, for another organization's too."""
    return _present_stacks(session, [_stack(session, organization_id, id_or_name)])[0]


def list_stacks(session: Session, organization_id: str, params: PageParams) -> Page[StackOut]:
    """Return one page of stacks, newest first."""
    rows, cursor = repository.stacks(session, organization_id, params)
    return Page(items=_present_stacks(session, rows), next_cursor=cursor)


def list_versions(session: Session, organization_id: str, id_or_name: str, params: PageParams) -> Page[SpecVersionOut]:
    """Return one page of a stack's pushed versions, newest first. Raises ``StackNotFound``."""
    stack = _stack(session, organization_id, id_or_name)
    rows, cursor = repository.versions(session, stack.id, params)
    return Page(items=[_present(row) for row in rows], next_cursor=cursor)


def version(session: Session, organization_id: str, version_id: str) -> SpecVersionOut:
    """Return a spec version. Raises ``SpecVersionNotFound``."""
    return _present(_version(session, organization_id, version_id))


def versions_by_id(session: Session, version_ids: Sequence[str]) -> dict[str, SpecVersionOut]:
    """Return the spec versions of those ids, by id; for lists that show them. The caller has checked who asks."""
    return {key: _present(row) for key, row in repository.versions_by_id(session, version_ids).items()}


def stack_refs(session: Session, stack_ids: Sequence[str]) -> dict[str, StackRef]:
    """Return name and latest version of those stacks, by id. The caller has checked who asks."""
    return {
        stack_id: StackRef(id=stack_id, name=name, latest_version_id=latest_version_id)
        for stack_id, name, latest_version_id in repository.stack_refs(session, stack_ids)
    }


def stacks_to_join() -> Select[str, str, str | None]:
    """Select (id, name, latest pushed version) of the stacks, as a part of another slice's query."""
    return repository.stacks_to_join()


def stack_ids_matching(session: Session, organization_id: str, text: str) -> list[str]:
    """Return the ids of the organization's stacks whose names hold ``text``."""
    return list(repository.stack_ids_matching(session, organization_id, text))


def latest_version_ids(session: Session, stack_ids: Sequence[str]) -> dict[str, str]:
    """Return each stack's latest pushed version by stack id; stacks without one are absent."""
    refs = stack_refs(session, stack_ids)
    return {key: ref.latest_version_id for key, ref in refs.items() if ref.latest_version_id is not None}


def version_refs(session: Session, version_ids: Sequence[str]) -> dict[str, StackVersionSummary]:
    """Return those versions in one line each, without their documents. The caller has checked who asks."""
    return repository.version_summaries(session, version_ids)


def diff(session: Session, organization_id: str, before_id: str, after_id: str) -> SpecDiff:
    """Return what changed between two versions of one stack.

    Raises ``SpecVersionNotFound`` or ``SpecVersionsUnrelated``.
    """
    before = _version(session, organization_id, before_id)
    after = _version(session, organization_id, after_id)
    if before.stack_id != after.stack_id:
        raise SpecVersionsUnrelated("The versions belong to different stacks: choose two of the same stack.")
    return SpecDiff(a=before.id, b=after.id, changes=differences(before.document, after.document))


def _operator(session: Session) -> Actor:
    organization = identity.first_organization(session)
    if organization is None:
        raise StackNotFound("There is no organization yet: run python -m app.bootstrap, or name the actor.")
    return system_actor(organization.id)


def _content(spec: TerraformStackSpec, actor: Actor, message: str) -> dict[str, Any]:
    return {
        "schema_version": spec.schema_version,
        "hash": spec.hash,
        "document": spec.document(),
        "message": message,
        "created_by": actor.describe(),
    }


def _insert_stack(session: Session, actor: Actor, name: str, description: str) -> bool:
    stack_id = new_id("stack")
    values = {
        "id": stack_id,
        "organization_id": actor.organization_id,
        "name": name,
        "description": description,
        "latest_version_id": None,
        "created_at": clock.now(),
    }
    created = repository.insert_stack_unless_there(session, values)
    if created:
        audit.record(session, actor, "stack.created", ("stack", stack_id), {"name": name})
    return created


def _locked_stack(session: Session, actor: Actor, name: str, description: str) -> TerraformStack:
    stack = repository.lock_stack(session, actor.organization_id, name)
    if stack is None:
        _insert_stack(session, actor, name, description)
        stack = repository.lock_stack(session, actor.organization_id, name)
    if stack is None:
        raise StackNotFound(f"The stack {name!r} was removed while the spec was pushed; try again.")
    return stack


def _stack(session: Session, organization_id: str, id_or_name: str) -> TerraformStack:
    stack = repository.stack_by_id_or_name(session, organization_id, id_or_name)
    if stack is None:
        raise StackNotFound(f"There is no stack {id_or_name!r}. Push a spec with `sluice stack push`, or create it.")
    return stack


def _version(session: Session, organization_id: str, version_id: str) -> TerraformStackSpecVersion:
    row = repository.version(session, organization_id, version_id)
    if row is None:
        raise SpecVersionNotFound(f"There is no spec version {version_id!r}.")
    return row


def _present(row: TerraformStackSpecVersion) -> SpecVersionOut:
    return SpecVersionOut(
        id=row.id,
        stack_id=row.stack_id,
        number=row.number,
        hash=row.hash,
        schema_version=row.schema_version,
        message=row.message,
        created_by=Who.model_validate(row.created_by),
        created_at=row.created_at,
        document=row.document,
    )


def _present_stacks(session: Session, rows: Sequence[TerraformStack]) -> list[StackOut]:
    latest = repository.version_summaries(session, [row.latest_version_id for row in rows if row.latest_version_id])
    counts = _count_workspaces(session, [row.id for row in rows]) if _count_workspaces is not None else {}
    return [
        StackOut(
            id=row.id,
            name=row.name,
            description=row.description,
            latest_version=latest.get(row.latest_version_id or ""),
            workspace_count=counts.get(row.id, 0),
            created_at=row.created_at,
        )
        for row in rows
    ]


def pinned_digests(session: Session, organization_id: str, digests: Sequence[str]) -> set[str]:
    """Return which of these configurations a pushed version names: a workspace may plan it at any time."""
    return repository.pinned_digests(session, organization_id, digests)
