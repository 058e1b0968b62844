"""Every query on stacks and spec versions."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, bindparam, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.core.pages import PageParams, fetch_page
from app.specs.models import TerraformStack, TerraformStackSpecVersion
from app.specs.schemas import StackVersionSummary

# Made once: every run asks these, and putting a statement together takes longer than running it.
_STACKS = select(TerraformStack.id, TerraformStack.name, TerraformStack.latest_version_id)
_STACK_REFS = _STACKS.where(TerraformStack.id.in_(bindparam("ids", expanding=True)))
_VERSION = select(TerraformStackSpecVersion).where(
    TerraformStackSpecVersion.organization_id == bindparam("organization"),
    TerraformStackSpecVersion.id == bindparam("wanted"),
)
_VERSIONS_BY_ID = select(TerraformStackSpecVersion).where(
    TerraformStackSpecVersion.id.in_(bindparam("ids", expanding=True))
)
_SUMMARIES = select(
    TerraformStackSpecVersion.id,
    TerraformStackSpecVersion.number,
    TerraformStackSpecVersion.hash,
    TerraformStackSpecVersion.created_at,
).where(TerraformStackSpecVersion.id.in_(bindparam("ids", expanding=True)))
_DETACHED = select(TerraformStackSpecVersion).where(
    TerraformStackSpecVersion.stack_id == bindparam("stack"),
    TerraformStackSpecVersion.hash == bindparam("hash"),
    TerraformStackSpecVersion.number.is_(None),
)


def pinned_digests(session: Session, organization_id: str, digests: Sequence[str]) -> set[str]:
    """Return which of these configurations a pushed version names."""
    named = TerraformStackSpecVersion.document["configuration_digest"].astext
    return set(
        session.scalars(
            select(named)
            .where(
                TerraformStackSpecVersion.organization_id == organization_id,
                TerraformStackSpecVersion.number.is_not(None),
                named.in_(digests),
            )
            .distinct()
        )
    )


def stack_refs(session: Session, stack_ids: Sequence[str]) -> Sequence[tuple[str, str, str | None]]:
    """Return (id, name, latest version) of the stacks of those ids."""
    return [(row[0], row[1], row[2]) for row in session.execute(_STACK_REFS, {"ids": list(stack_ids)})]


def stacks_to_join() -> Select[str, str, str | None]:
    """Select (id, name, latest version) of the stacks, for a query that is about more."""
    return _STACKS


def stack_by_id_or_name(session: Session, organization_id: str, id_or_name: str) -> TerraformStack | None:
    """Return the organization's stack of that id, else of that name, or None."""
    query = select(TerraformStack).filter_by(organization_id=organization_id)
    query = query.where(or_(TerraformStack.id == id_or_name, TerraformStack.name == id_or_name))
    found = session.scalars(query).all()
    return next((stack for stack in found if stack.id == id_or_name), found[0] if found else None)


def stacks(session: Session, organization_id: str, params: PageParams) -> tuple[Sequence[TerraformStack], str | None]:
    """Return one page of the organization's stacks, newest first."""
    query = select(TerraformStack).filter_by(organization_id=organization_id)
    return fetch_page(session, query, TerraformStack.id, params)


def insert_stack_unless_there(session: Session, values: dict[str, Any]) -> bool:
    """Insert a stack; return whether this call did.

    Of two transactions with the same name the first to commit wins; the other waits for it, inserts nothing, and gets
    False.
    """
    statement = insert(TerraformStack).values(values)
    statement = statement.on_conflict_do_nothing(index_elements=["organization_id", "name"])
    return session.scalars(statement.returning(TerraformStack.id)).one_or_none() is not None


def lock_stack(session: Session, organization_id: str, name: str) -> TerraformStack | None:
    """Lock a stack's row and return it as it is now, or None.

    Pushes to one stack go one after another: the second waits here and then sees what the first made. The lock lets
    workspaces be created on the stack meanwhile (their foreign key needs a key-share lock only).
    """
    query = select(TerraformStack).filter_by(organization_id=organization_id, name=name)
    query = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    return session.scalars(query).one_or_none()


def version(session: Session, organization_id: str, version_id: str) -> TerraformStackSpecVersion | None:
    """Return the organization's spec version, or None."""
    return session.scalars(_VERSION, {"organization": organization_id, "wanted": version_id}).one_or_none()


def versions_by_id(session: Session, version_ids: Sequence[str]) -> dict[str, TerraformStackSpecVersion]:
    """Return the versions of those ids, by id."""
    return {row.id: row for row in session.scalars(_VERSIONS_BY_ID, {"ids": list(version_ids)})}


def version_summaries(session: Session, version_ids: Sequence[str]) -> dict[str, StackVersionSummary]:
    """Return the versions of those ids without their documents, by id."""
    if not version_ids:
        return {}
    return {
        row.id: StackVersionSummary(id=row.id, number=row.number, hash=row.hash, created_at=row.created_at)
        for row in session.execute(_SUMMARIES, {"ids": list(version_ids)})
    }


def versions(
    session: Session, stack_id: str, params: PageParams
) -> tuple[Sequence[TerraformStackSpecVersion], str | None]:
    """Return one page of a stack's pushed versions, newest first."""
    query = select(TerraformStackSpecVersion).filter_by(stack_id=stack_id)
    query = query.where(TerraformStackSpecVersion.number.is_not(None))
    return fetch_page(session, query, TerraformStackSpecVersion.number, params)  # type: ignore[arg-type]


def last_number(session: Session, stack_id: str) -> int:
    """Return the number of the stack's newest pushed version, 0 when it has none. Call it with the stack locked."""
    query = select(func.max(TerraformStackSpecVersion.number)).filter_by(stack_id=stack_id)
    return session.scalars(query).one() or 0


def add_version(session: Session, row: TerraformStackSpecVersion) -> None:
    """Add a pushed version."""
    session.add(row)
    session.flush()


def insert_detached_unless_there(session: Session, values: dict[str, Any]) -> bool:
    """Insert a version that is never pushed; return whether this call did.

    Of two transactions with the same content the first to commit wins; the other waits, inserts nothing, and reads it.
    """
    statement = insert(TerraformStackSpecVersion).values(values)
    statement = statement.on_conflict_do_nothing(
        index_elements=["stack_id", "hash"], index_where=TerraformStackSpecVersion.number.is_(None)
    )
    return session.scalars(statement.returning(TerraformStackSpecVersion.id)).one_or_none() is not None


def detached(session: Session, stack_id: str, spec_hash: str) -> TerraformStackSpecVersion | None:
    """Return the stack's version of that content that was never pushed, or None."""
    return session.scalars(_DETACHED, {"stack": stack_id, "hash": spec_hash}).one_or_none()


def stack_ids_matching(session: Session, organization_id: str, text: str) -> Sequence[str]:
    """Return the organization's stacks whose names hold ``text``."""
    return session.scalars(
        select(TerraformStack.id).where(
            TerraformStack.organization_id == organization_id, TerraformStack.name.icontains(text, autoescape=True)
        )
    ).all()
