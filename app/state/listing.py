"""Resources of a state version by filter and page, and the difference between two states."""

from collections import Counter
from collections.abc import Iterable

from sqlalchemy.orm import Session

from app.core.errors import Invalid
from app.core.pages import Page, PageParams, decode_cursor, encode_cursor
from app.core.permissions import Actor
from app.state import comparing, parsing, quarantine, repository, versions
from app.state.known_secrets import known_secrets
from app.state.schemas import (
    FacetCount,
    QuarantineDiff,
    ResourceChange,
    ResourceFacets,
    ResourceFilter,
    StateChanges,
    StateDiff,
    StateResource,
    StateVersionOut,
)


def resources(
    session: Session, actor: Actor, version_id: str, wanted: ResourceFilter, params: PageParams
) -> Page[StateResource]:
    """Return one page of the resources of a version that pass ``wanted``, in the state's order."""
    row = versions.get_row(session, actor.organization_id, version_id)
    return _page_of(versions.resources_of(session, row), wanted, params)


def quarantined_resources(
    session: Session, actor: Actor, quarantine_id: str, wanted: ResourceFilter, params: PageParams
) -> Page[StateResource]:
    """Return one page of the resources of a held state that pass ``wanted``, in the state's order.

    Raises ``QuarantineNotFound``, ``QuarantineDecided``, and ``StateUnreadable`` when it is no whole state.
    """
    _, data = quarantine.readable(session, actor, quarantine_id)
    return _page_of(parsing.parse(data, needs_lineage=False).resources, wanted, params)


def _page_of(found: list[StateResource], wanted: ResourceFilter, params: PageParams) -> Page[StateResource]:
    start = _position(params)
    items: list[StateResource] = []
    for position in range(start, len(found)):
        if not _passes(found[position], wanted):
            continue
        if len(items) == params.limit:
            return Page(items=items, next_cursor=encode_cursor(position))
        items.append(found[position])
    return Page(items=items)


def facets(session: Session, actor: Actor, version_id: str) -> ResourceFacets:
    """Return what the resources of a version can be narrowed to, and how many resources there are."""
    found = versions.resources_of(session, versions.get_row(session, actor.organization_id, version_id))
    return ResourceFacets(
        total=len(found),
        modules=_counted(item.module for item in found),
        types=_counted(item.type for item in found),
        providers=_counted(item.provider for item in found),
        modes=_counted(item.mode for item in found),
    )


def _counted(values: Iterable[str]) -> list[FacetCount]:
    return [FacetCount(value=value, count=count) for value, count in sorted(Counter(values).items())]


def _passes(resource: StateResource, wanted: ResourceFilter) -> bool:
    if wanted.module is not None and not _is_in_module(resource.module, wanted.module):
        return False
    if wanted.type is not None and resource.type != wanted.type:
        return False
    if wanted.provider is not None and not f"/{resource.provider}".endswith(f"/{wanted.provider}"):
        return False
    if wanted.mode is not None and resource.mode != wanted.mode:
        return False
    return wanted.search is None or wanted.search.lower() in resource.address.lower()


def _is_in_module(module: str, wanted: str) -> bool:
    """``module.a`` holds its instances (``module.a[0]``) and what is nested in it; the empty one is the root alone."""
    if module == wanted or not wanted:
        return module == wanted
    return module.startswith((f"{wanted}.", f"{wanted}["))


def diff(session: Session, actor: Actor, before_id: str, after_id: str, params: PageParams) -> StateDiff:
    """Return one page of what differs between two versions, by resource; sensitive values are null and marked so."""
    before, after = (versions.get_row(session, actor.organization_id, found) for found in (before_id, after_id))
    secrets = known_secrets(session, {before.workspace_id, after.workspace_id})
    old = comparing.read(versions.content_of(session, before), secrets)
    new = comparing.read(versions.content_of(session, after), secrets)
    difference = comparing.compare(old, new)
    items, next_cursor = _changes(old, new, difference, params)
    ops = [op for _, op in difference.addresses]
    return StateDiff(
        before=StateVersionOut.model_validate(before),
        after=StateVersionOut.model_validate(after),
        added=ops.count("add"),
        removed=ops.count("remove"),
        changed=ops.count("change"),
        outputs=difference.outputs,
        items=items,
        next_cursor=next_cursor,
    )


def diff_quarantined(session: Session, actor: Actor, quarantine_id: str, params: PageParams) -> QuarantineDiff:
    """Return one page of what would differ if a held state took the current one's place; sensitive values are null.

    Raises ``QuarantineNotFound``, ``QuarantineDecided``, and ``StateUnreadable`` when it is no whole state.
    """
    after, data = quarantine.readable(session, actor, quarantine_id)
    before = repository.current(session, after.workspace_id, with_content=True)
    secrets = known_secrets(session, {after.workspace_id})
    old = comparing.read(versions.content_of(session, before) if before is not None else b"{}", secrets)
    new = comparing.read(data, secrets)
    difference = comparing.compare(old, new)
    items, next_cursor = _changes(old, new, difference, params)
    ops = [op for _, op in difference.addresses]
    return QuarantineDiff(
        before=StateVersionOut.model_validate(before) if before is not None else None,
        after=after,
        added=ops.count("add"),
        removed=ops.count("remove"),
        changed=ops.count("change"),
        outputs=difference.outputs,
        items=items,
        next_cursor=next_cursor,
    )


def _changes(
    old: comparing.Content, new: comparing.Content, difference: comparing.Difference, params: PageParams
) -> tuple[list[ResourceChange], str | None]:
    start = _position(params)
    page = difference.addresses[start : start + params.limit]
    end = start + len(page)
    cursor = encode_cursor(end) if end < len(difference.addresses) else None
    return [comparing.change_of(old, new, address, op) for address, op in page], cursor


def changes(session: Session, workspace_id: str, before: bytes, after: bytes) -> StateChanges:
    """Return all that differs from one state of the workspace to another; sensitive values are null and marked so."""
    secrets = known_secrets(session, {workspace_id})
    old, new = comparing.read(before, secrets), comparing.read(after, secrets)
    difference = comparing.compare(old, new)
    return StateChanges(
        resources=[comparing.change_of(old, new, address, op) for address, op in difference.addresses],
        outputs=difference.outputs,
    )


def _position(params: PageParams) -> int:
    if params.cursor is None:
        return 0
    position = decode_cursor(params.cursor, int)
    if position < 0:
        message = "is not a cursor that this list gave; leave it out to begin at the first page"
        raise Invalid.of_field("cursor", message)
    return position
