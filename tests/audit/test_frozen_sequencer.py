"""A sequencer that is frozen in the middle of its work holds the chain up no longer than it takes to see that."""

from collections.abc import Iterator

import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.audit import repository, service, tasks
from app.core import artifacts, crypto, frozen
from app.core.artifacts import ArtifactStore
from app.core.blobs import MemoryBlobStore
from app.core.db import unit_of_work
from tests.audit.conftest import ALICE, ORGANIZATION
from tests.support.races import Holder, idle_holder
from tests.support.waiting import until

pytestmark = pytest.mark.races


@pytest.fixture(autouse=True)
def _trail(real_database: str) -> Iterator[None]:
    with artifacts.using(ArtifactStore(MemoryBlobStore(), crypto.key_ring())):
        with unit_of_work() as session:
            service.record(session, ALICE, "x.y", ("x", "1"))
        yield


def sequencing(organization_id: str) -> Holder:
    """Return a sequencer that stands still."""

    def begin(session: Session) -> None:
        assert repository.become_sequencer(session, organization_id)

    return idle_holder(begin)


def is_chained() -> bool:
    with unit_of_work() as session:
        return not repository.unchained_organizations(session)


def test_chain_goes_on_past_a_sequencer_that_is_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frozen, "IDLE_SECONDS", 0.2)
    sequencer = sequencing(ORGANIZATION)

    def chained() -> bool:
        tasks.chain_all()
        return is_chained()

    until(chained)
    assert isinstance(sequencer.end(), OperationalError), "who was frozen is told, and has done nothing"


def test_chain_leaves_a_sequencer_at_work_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frozen, "IDLE_SECONDS", 600.0)
    sequencer = sequencing(ORGANIZATION)
    tasks.chain_all()
    assert not is_chained()
    assert sequencer.end() is None


def test_sequencer_ends_the_frozen_one_of_its_own_organization_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frozen, "IDLE_SECONDS", 0.2)
    own, other = sequencing(ORGANIZATION), sequencing("org-2")

    def won() -> bool:
        with unit_of_work() as session:
            return repository.become_sequencer(session, ORGANIZATION)

    until(won)
    assert isinstance(own.end(), OperationalError)
    assert other.end() is None
