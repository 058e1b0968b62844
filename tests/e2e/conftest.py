"""One running Sluice for the journeys and the deaths, with a short lease."""

from collections.abc import Iterator

import pytest

from tests.e2e.site import Site
from tests.support.server import running_sluice


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    with running_sluice(lease_seconds="4", grace_seconds="2") as running:
        opened = Site(running)
        yield opened
        opened.close()
