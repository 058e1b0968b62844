"""One workspace that random histories happen to, in a transaction of its own, and looks at its runs."""

from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine
from sqlalchemy import Connection, Engine, select
from sqlalchemy.orm import Session

from app.core import clock, db
from app.core.artifacts import ArtifactStore, using
from app.core.blobs import MemoryBlobStore
from app.core.crypto import key_ring
from app.core.db import unit_of_work
from app.core.errors import AppError
from app.core.permissions import Actor
from app.runner.port import RunnerJob
from app.runs.machine import Kind, Status
from app.runs.models import TerraformRun
from tests.factories.policies import PolicySets
from tests.factories.scene import Scene
from tests.runs.gate_model import Model

NUMBERS = st.integers(0, 5)
"""Which of those that there are."""


class Place:
    """Where the machine runs; a test's fixture says so before it starts."""

    engine: Engine | None = None
    sets: PolicySets | None = None
    seen: Counter[str] = Counter()
    """How often what happened, so that a run in which nothing is ever applied shows."""


class Workspace(RuleBasedStateMachine):
    """The workspace, its people, and what the test itself did and knows."""

    def __init__(self) -> None:
        super().__init__()
        assert Place.engine is not None
        self._connection: Connection = Place.engine.connect()
        self._transaction = self._connection.begin()
        db.set_session_factory(self._session)
        self._around = ExitStack()
        self._around.enter_context(using(ArtifactStore(MemoryBlobStore(), key_ring())))
        self._later = timedelta()
        self._around.enter_context(clock.using(lambda: datetime.now(UTC) + self._later))
        self.model = Model()
        self.scene: Scene
        self.people: list[Actor] = []
        self.bot: Actor
        self.team: str
        self.jobs: dict[str, RunnerJob] = {}
        self.verified: dict[str, str] = {}
        self.ended: dict[str, str] = {}
        self.halted = False
        self.attachment: str | None = None
        self.revision = 0

    def _session(self, _pool: db.Pool = "default") -> Session:
        return Session(self._connection, expire_on_commit=False, join_transaction_mode="create_savepoint")

    def teardown(self) -> None:
        try:
            if self.people:
                Place.seen["applied"] += len(self.runs(Status.APPLIED, kind=Kind.APPLY))
        finally:
            # Also after a fault of the database, which would otherwise fail the next history in its stead.
            self._around.close()
            db.set_session_factory(None)
            self._transaction.rollback()
            self._connection.close()

    def runs(self, *statuses: Status, kind: Kind | None = None) -> list[TerraformRun]:
        with unit_of_work() as session:
            rows = session.scalars(
                select(TerraformRun).filter_by(workspace_id=self.scene.workspace.id).order_by(TerraformRun.id)
            ).all()
        return [row for row in rows if (not statuses or row.status in statuses) and (kind is None or row.kind == kind)]

    def some(self, number: int, *statuses: Status) -> str | None:
        found = self.runs(*statuses)
        return found[number % len(found)].id if found else None

    def job(self, number: int) -> RunnerJob | None:
        found = list(self.jobs.values())
        return found[number % len(found)] if found else None

    def attempt(self, action: Callable[[], Any]) -> Any:
        """Do what the product may refuse, by a typed error."""
        with suppress(AppError):
            return action()
        return None
