"""Queries of policy attachments, bundles and checks."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, bindparam, case, delete, false, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.core import clock
from app.core.ids import new_id
from app.core.pages import PageParams, fetch_page
from app.policy.models import TerraformPolicyAttachment, TerraformPolicyBundle, TerraformPolicyCheck

_BINDS = or_(
    TerraformPolicyAttachment.workspace_id == bindparam("workspace"),
    TerraformPolicyAttachment.tag.in_(bindparam("tags", expanding=True)),
    TerraformPolicyAttachment.workspace_id.is_(None) & TerraformPolicyAttachment.tag.is_(None),
)
"""What binds a workspace: its own, its tags', the organization's. Parameters: ``workspace``, its id, and ``tags``."""

# Made once: every run asks these, and putting a statement together takes longer than running it.
_OWN_BINDING = (
    TerraformPolicyAttachment.organization_id == bindparam("organization"),
    TerraformPolicyAttachment.deleted_at.is_(None),
    _BINDS,
)
_PINNED = (
    select(TerraformPolicyAttachment, TerraformPolicyBundle)
    .join(TerraformPolicyBundle, TerraformPolicyBundle.id == TerraformPolicyAttachment.bundle_id)
    .where(*_OWN_BINDING)
    .order_by(TerraformPolicyAttachment.id)
)
_PINNED_DIGESTS = select(
    TerraformPolicyAttachment.id,
    TerraformPolicyAttachment.bundle_digest,
    TerraformPolicyAttachment.enforcement_level,
).where(*_OWN_BINDING)


def find(session: Session, organization_id: str, attachment_id: str) -> TerraformPolicyAttachment | None:
    """Return an attachment that stands."""
    return session.scalars(
        _standing(organization_id).where(TerraformPolicyAttachment.id == attachment_id)
    ).one_or_none()


def find_refreshed(session: Session, organization_id: str, attachment_id: str) -> TerraformPolicyAttachment | None:
    """Return an attachment that stands as it is now, whatever this session read before; for use under its lock."""
    query = _standing(organization_id).where(TerraformPolicyAttachment.id == attachment_id)
    return session.scalars(query.execution_options(populate_existing=True)).one_or_none()


def find_equal(
    session: Session, organization_id: str, uri: str, workspace_id: str | None, tag: str | None
) -> TerraformPolicyAttachment | None:
    """Return the attachment of the same policy set to the same target."""
    return session.scalars(
        _standing(organization_id).where(
            TerraformPolicyAttachment.policy_set_uri == uri,
            TerraformPolicyAttachment.workspace_id.is_not_distinct_from(workspace_id),
            TerraformPolicyAttachment.tag.is_not_distinct_from(tag),
        )
    ).first()


def page(
    session: Session, organization_id: str, params: PageParams, binding: tuple[str, Sequence[str]] | None
) -> tuple[Sequence[TerraformPolicyAttachment], str | None]:
    """Return a page of standing attachments, newest first; with ``binding`` only those of that workspace and tags."""
    query = _standing(organization_id)
    if binding is not None:
        workspace_id, tags = binding
        query = query.where(_BINDS).params(workspace=workspace_id, tags=list(tags))
    return fetch_page(session, query, TerraformPolicyAttachment.id, params)


def pinned(
    session: Session, organization_id: str, workspace_id: str, tags: Sequence[str]
) -> Sequence[tuple[TerraformPolicyAttachment, TerraformPolicyBundle]]:
    """Return the attachments that bind a workspace with these tags, with their bundles, in the order of creation."""
    given = {"organization": organization_id, "workspace": workspace_id, "tags": list(tags)}
    return [(attachment, bundle) for attachment, bundle in session.execute(_PINNED, given)]


def pinned_digests(
    session: Session, organization_id: str, workspace_id: str, tags: Sequence[str]
) -> Sequence[tuple[str, str, str]]:
    """Return (id, digest of its bundle, level) of the attachments that bind a workspace with these tags."""
    given = {"organization": organization_id, "workspace": workspace_id, "tags": list(tags)}
    return [(row[0], row[1], row[2]) for row in session.execute(_PINNED_DIGESTS, given)]


def bundles(session: Session, ids: Iterable[str]) -> dict[str, TerraformPolicyBundle]:
    """Return bundles by id."""
    rows = session.scalars(select(TerraformPolicyBundle).where(TerraformPolicyBundle.id.in_(set(ids))))
    return {row.id: row for row in rows}


def keep_bundle(session: Session, organization_id: str, digest: str, files: dict[str, object]) -> str:
    """Store a bundle unless the organization has one of this digest; return its id. Of two at once, one is stored."""
    session.execute(
        insert(TerraformPolicyBundle)
        .values(
            id=new_id("polbun"),
            organization_id=organization_id,
            created_at=clock.now(),
            digest=digest,
            files=files,
        )
        .on_conflict_do_nothing(index_elements=["organization_id", "digest"])
    )
    return session.scalars(
        select(TerraformPolicyBundle.id).filter_by(organization_id=organization_id, digest=digest)
    ).one()


def note_upload(session: Session, organization_id: str, digest: str, name: str, by: dict[str, Any]) -> bool:
    """Mark a kept bundle as uploaded; who uploads it again changes nothing. Return whether it was new."""
    found = session.execute(
        update(TerraformPolicyBundle)
        .where(
            TerraformPolicyBundle.organization_id == organization_id,
            TerraformPolicyBundle.digest == digest,
            TerraformPolicyBundle.uploaded_at.is_(None),
        )
        .values(name=name, uploaded_at=clock.now(), uploaded_by=by)
        .returning(TerraformPolicyBundle.id)
    )
    return found.first() is not None


def find_uploaded(session: Session, organization_id: str, digest: str) -> TerraformPolicyBundle | None:
    """Return the bundle of that digest, if somebody uploaded it."""
    return session.scalars(_uploads(organization_id).where(TerraformPolicyBundle.digest == digest)).one_or_none()


def newest_uploads(session: Session, organization_id: str, limit: int) -> Sequence[TerraformPolicyBundle]:
    """Return the bundles that were uploaded last."""
    return session.scalars(
        _uploads(organization_id)
        .order_by(TerraformPolicyBundle.uploaded_at.desc(), TerraformPolicyBundle.id.desc())
        .limit(limit)
    ).all()


def _uploads(organization_id: str) -> Select[TerraformPolicyBundle]:
    return (
        select(TerraformPolicyBundle)
        .where(TerraformPolicyBundle.organization_id == organization_id, TerraformPolicyBundle.uploaded_at.is_not(None))
        .execution_options(populate_existing=True)
    )


def sources_to_look_at(session: Session, before: datetime, limit: int) -> Sequence[str]:
    """Return addresses of standing attachments that were not looked at since ``before``, without uploads."""
    query = (
        select(TerraformPolicyAttachment.policy_set_uri)
        .where(
            TerraformPolicyAttachment.deleted_at.is_(None),
            TerraformPolicyAttachment.policy_set_uri.not_like("upload:%"),
            func.coalesce(TerraformPolicyAttachment.looked_at, TerraformPolicyAttachment.synced_at) < before,
        )
        .distinct()
        .limit(limit)
    )
    return session.scalars(query).all()


def note_look(
    session: Session, uri: str, began: datetime, digest: str | None, commit: str | None, error: str | None
) -> int:
    """Note what lay at a source, on every standing attachment to it that was not synced since the look ``began``.

    ``digest`` None: it could not be read, for the reason in ``error``. Return how many have something newer.
    """
    is_newer = TerraformPolicyAttachment.bundle_digest != digest if digest is not None else false()
    noted = session.execute(
        update(TerraformPolicyAttachment)
        .where(
            TerraformPolicyAttachment.policy_set_uri == uri,
            TerraformPolicyAttachment.deleted_at.is_(None),
            TerraformPolicyAttachment.synced_at <= began,
        )
        .values(
            looked_at=began,
            newer_digest=case((is_newer, digest), else_=None),
            newer_commit_id=case((is_newer, commit), else_=None),
            look_error=error,
        )
        .returning(TerraformPolicyAttachment.newer_digest)
        .execution_options(synchronize_session=False)
    )
    return sum(row[0] is not None for row in noted)


def add(session: Session, *rows: TerraformPolicyAttachment | TerraformPolicyCheck) -> None:
    """Add rows, in one statement; their values are in the database from here on."""
    session.add_all(rows)
    session.flush()


def remove_checks(session: Session, run_id: str, stage: str) -> int:
    """Remove the checks of a run at this stage; return how many there were."""
    removed = session.execute(
        delete(TerraformPolicyCheck)
        .where(TerraformPolicyCheck.run_id == run_id, TerraformPolicyCheck.stage == stage)
        .returning(TerraformPolicyCheck.id)
    )
    return len(removed.all())


def checks(session: Session, run_ids: Iterable[str]) -> Sequence[TerraformPolicyCheck]:
    """Return the checks of these runs that no later one superseded, in the order in which they were stored."""
    return session.scalars(
        select(TerraformPolicyCheck)
        .where(TerraformPolicyCheck.run_id.in_(set(run_ids)), TerraformPolicyCheck.superseded_at.is_(None))
        .order_by(TerraformPolicyCheck.run_id, TerraformPolicyCheck.id)
    ).all()


def _standing(organization_id: str) -> Select[TerraformPolicyAttachment]:
    return select(TerraformPolicyAttachment).where(
        TerraformPolicyAttachment.organization_id == organization_id,
        TerraformPolicyAttachment.deleted_at.is_(None),
    )
