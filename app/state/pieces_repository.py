"""Queries of the pieces that states are stored in."""

from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from app.state.models import (
    TerraformQuarantinedState,
    TerraformStateChunk,
    TerraformStateKey,
    TerraformStateVersion,
)

_BATCH = 5000


def _batches(ids: Collection[bytes]) -> Iterable[list[bytes]]:
    ordered = sorted(ids)
    return (ordered[at : at + _BATCH] for at in range(0, len(ordered), _BATCH))


def key(session: Session, workspace_id: str) -> bytes | None:
    """Return the workspace's sealed key of piece ids, if it has one."""
    return session.scalars(select(TerraformStateKey.sealed).filter_by(workspace_id=workspace_id)).one_or_none()


def add_key(session: Session, *, workspace_id: str, organization_id: str, sealed: bytes) -> None:
    """Keep the workspace's key of piece ids. The caller holds ``serialize_writers``."""
    session.add(TerraformStateKey(workspace_id=workspace_id, organization_id=organization_id, sealed=sealed))
    session.flush()


def bases_of(session: Session, workspace_id: str, ids: Collection[bytes]) -> dict[bytes, bytes | None]:
    """Return those of the pieces that are stored, each with its base."""
    found: dict[bytes, bytes | None] = {}
    for batch in _batches(ids):
        rows = session.execute(
            select(TerraformStateChunk.id, TerraformStateChunk.base_id).where(
                TerraformStateChunk.workspace_id == workspace_id, TerraformStateChunk.id.in_(batch)
            )
        )
        found.update((piece, base) for piece, base in rows)
    return found


def sealed(session: Session, workspace_id: str, ids: Collection[bytes]) -> dict[bytes, tuple[bytes | None, bytes]]:
    """Return (base, sealed bytes) of those of the pieces that are stored."""
    found: dict[bytes, tuple[bytes | None, bytes]] = {}
    for batch in _batches(ids):
        rows = session.execute(
            select(TerraformStateChunk.id, TerraformStateChunk.base_id, TerraformStateChunk.sealed).where(
                TerraformStateChunk.workspace_id == workspace_id, TerraformStateChunk.id.in_(batch)
            )
        )
        found.update((piece, (base, data)) for piece, base, data in rows)
    return found


def add(session: Session, rows: Sequence[dict[str, object]]) -> None:
    """Insert pieces. The caller holds ``serialize_writers`` and has looked which are there."""
    if rows:
        session.execute(insert(TerraformStateChunk), list(rows))


def manifests(session: Session, workspace_id: str) -> list[tuple[str, str, bytes]]:
    """Return (owner, digest, sealed manifest) of everything of the workspace that is stored in pieces."""
    found: list[tuple[str, str, bytes]] = []
    for model in (TerraformStateVersion, TerraformQuarantinedState):
        rows = session.execute(
            select(model.id, model.digest, model.manifest).where(
                model.workspace_id == workspace_id, model.manifest.is_not(None)
            )
        )
        found.extend((owner, digest, manifest) for owner, digest, manifest in rows if manifest is not None)
    return found


def every_piece(session: Session, workspace_id: str) -> dict[bytes, bytes | None]:
    """Return every stored piece of the workspace with its base."""
    rows = session.execute(
        select(TerraformStateChunk.id, TerraformStateChunk.base_id).filter_by(workspace_id=workspace_id)
    )
    return dict(iter(rows))


def remove(session: Session, workspace_id: str, ids: Collection[bytes]) -> None:
    """Delete pieces. The caller holds ``serialize_writers`` and knows that nothing needs them."""
    for batch in _batches(ids):
        session.execute(
            delete(TerraformStateChunk).where(
                TerraformStateChunk.workspace_id == workspace_id, TerraformStateChunk.id.in_(batch)
            )
        )
