"""API and beat of an ``installation``, which each module here makes; workers come and go with the tests."""

from collections.abc import Iterator

import pytest

from tests.e2e.site import Site
from tests.support.journal import Journal, running_journal
from tests.support.parts import Parts


@pytest.fixture(scope="module")
def journal() -> Iterator[Journal]:
    with running_journal() as running:
        yield running


@pytest.fixture
def parts(installation: Parts) -> Iterator[Parts]:
    """API and beat, which serve all tests here; each starts its own workers, and they end with it."""
    with installation.kept():
        yield installation


@pytest.fixture(scope="module")
def site(installation: Parts) -> Iterator[Site]:
    opened = Site(installation)  # type: ignore[arg-type]
    yield opened
    opened.close()
