"""Whose the artifact store's place is."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete
from sqlalchemy.orm import Session

from app.core.artifacts import MARKER, ArtifactStore, using
from app.core.blobs import ArtifactStoreOfAnother, FileBlobStore
from app.core.crypto import key_ring
from app.core.installation import Installation, claim_artifacts, installation_id, owns_artifacts


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ArtifactStore]:
    made = ArtifactStore(FileBlobStore(tmp_path / "artifacts"), key_ring())
    with using(made):
        yield made


def become_another(session: Session) -> None:
    session.execute(delete(Installation))
    session.commit()


def test_installation_has_one_id(session: Session) -> None:
    assert installation_id(session) == installation_id(session)
    assert installation_id(session).startswith("inst-")


def test_place_of_nobody_becomes_ours_and_stays_so(session: Session, store: ArtifactStore) -> None:
    assert store.holder() is None
    assert not owns_artifacts()
    for _ in range(2):
        claim_artifacts()
        assert store.holder() == installation_id(session)
        assert owns_artifacts()


def test_marker_is_in_no_listing(session: Session, store: ArtifactStore) -> None:
    claim_artifacts()
    assert list(store.blobs()) == []
    assert list(store.sealed_with()) == []


def test_place_of_another_is_refused_until_its_marker_is_deleted(
    session: Session, store: ArtifactStore, tmp_path: Path
) -> None:
    claim_artifacts()
    first = store.holder()
    become_another(session)
    assert not owns_artifacts()
    with pytest.raises(ArtifactStoreOfAnother, match="SLUICE_ARTIFACTS_URL") as caught:
        claim_artifacts()
    assert f"delete its object {MARKER}" in caught.value.detail
    assert store.holder() == first
    (tmp_path / "artifacts" / MARKER).unlink()
    claim_artifacts()
    assert owns_artifacts()
