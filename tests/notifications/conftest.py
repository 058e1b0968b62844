"""An organization with runs, a receiver on loopback that settings permit, and a clock that tests set."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from app.core import clock
from app.core.db import unit_of_work
from app.core.pages import PageParams
from app.core.settings import get_settings
from app.notifications import sending, service
from app.notifications.schemas import DeliveryOut, DestinationIn, DestinationOut
from tests.factories.scene import Scene, new_scene
from tests.support.receiver import Receiver, running_receiver


@dataclass
class Desk:
    """What a test does with notifications."""

    scene: Scene
    at: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))

    def later(self, **given: float) -> None:
        self.at += timedelta(**given)

    def add(self, url: str, **given: Any) -> DestinationOut:
        wanted = {"name": f"hook-{len(self.all())}", "url": url, "events": ["waiting", "errored", "halted"], **given}
        with unit_of_work() as session:
            return service.create(session, self.scene.admin, DestinationIn.model_validate(wanted))

    def all(self) -> list[DestinationOut]:
        with unit_of_work() as session:
            return service.listed(session, self.scene.admin, PageParams()).items

    def get(self, destination: DestinationOut) -> DestinationOut:
        with unit_of_work() as session:
            return service.get(session, self.scene.admin, destination.id)

    def deliveries(self, destination: DestinationOut) -> list[DeliveryOut]:
        with unit_of_work() as session:
            return service.deliveries(session, self.scene.admin, destination.id, PageParams()).items

    def send_due(self, **given: Any) -> list[bool]:
        return [sending.deliver(found, **given) for found in sending.due(100)]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as running:
        yield running


@pytest.fixture
def desk(session: Session, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("SLUICE_OUTGOING_ALLOWED", "127.0.0.1, 127.0.0.2")
    get_settings.cache_clear()
    made = Desk(new_scene())
    with clock.using(lambda: made.at):
        yield made
