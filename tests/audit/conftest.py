"""A trail of one organization, its checkpoints in a store in memory, and a clock that tests set."""

import base64
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.audit import sequencing, service
from app.audit.schemas import ChainReport
from app.core import artifacts, clock, crypto
from app.core.artifacts import ArtifactStore
from app.core.blobs import MemoryBlobStore
from app.core.crypto import KeyRing
from app.core.permissions import Actor
from app.core.settings import get_settings

ORGANIZATION = "org-1"
ALICE = Actor(id="user-a", kind="person", name="Alice", organization_id=ORGANIZATION, source_address="203.0.113.9")


@dataclass
class Trail:
    """What a test does to the trail, by the sequencer or as a superuser with the trigger disabled."""

    session: Session
    blobs: MemoryBlobStore
    at: datetime = field(default_factory=lambda: datetime(2026, 11, 1, 8, 0, tzinfo=UTC))

    def later(self, **given: float) -> None:
        self.at += timedelta(**given)

    def write(self, count: int, action: str = "run.approved") -> None:
        for number in range(count):
            self.later(seconds=1)
            service.record(self.session, ALICE, action, ("run", f"run-{number}"), {"number": number})
        self.session.flush()
        while sequencing.chain(self.session, ORGANIZATION):
            pass

    def checkpoint(self) -> None:
        self.later(minutes=2)
        assert sequencing.checkpoint(self.session, ORGANIZATION, is_idle=True)
        self.session.commit()
        assert sequencing.store_checkpoints(ORGANIZATION) == 1

    def tamper(self, statement: str, **values: Any) -> None:
        self.session.execute(text("ALTER TABLE audit_events DISABLE TRIGGER audit_events_append_only"))
        self.session.execute(text(statement), values)
        self.session.execute(text("ALTER TABLE audit_events ENABLE TRIGGER audit_events_append_only"))
        self.session.expire_all()

    def rehash(self, first: int) -> None:
        """Compute all hashes anew from a position on, as somebody would who rewrites history."""
        from app.audit import repository

        events = repository.chained_after(self.session, ORGANIZATION, first - 1, 1000)
        before = repository.chained_after(self.session, ORGANIZATION, first - 2, 1)[0].hash if first > 1 else None
        for event in events:
            new = event.link(position=event.position, previous=before)
            self.tamper(
                "UPDATE audit_events SET previous_hash = :previous, hash = :hash WHERE id = :id",
                previous=before,
                hash=new,
                id=event.id,
            )
            before = new

    def verify(self, **given: Any) -> ChainReport:
        self.session.expire_all()
        return service.verify_chain(self.session, ORGANIZATION, **given)

    def stored(self) -> list[str]:
        return sorted(blob.key for blob in self.blobs.blobs())


@pytest.fixture
def trail(session: Session) -> Iterator[Trail]:
    blobs = MemoryBlobStore()
    made = Trail(session, blobs)
    with artifacts.using(ArtifactStore(blobs, crypto.key_ring())), clock.using(lambda: made.at):
        yield made


@pytest.fixture
def ring_of(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Give this process other master keys: ``ring_of("k2", "k1")``; the same name is the same key."""
    known: dict[str, bytes] = {}

    def use(*names: str) -> KeyRing:
        for name in names:
            known.setdefault(name, secrets.token_bytes(32))
        value = ",".join(f"{name}:{base64.b64encode(known[name]).decode()}" for name in names)
        monkeypatch.setenv("SLUICE_MASTER_KEY", value)
        get_settings.cache_clear()
        crypto.key_ring.cache_clear()
        return crypto.key_ring()

    yield use
    monkeypatch.undo()
    get_settings.cache_clear()
    crypto.key_ring.cache_clear()
