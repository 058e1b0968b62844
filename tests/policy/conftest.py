from collections.abc import Callable

import pytest

from app.core.settings import Settings
from app.executor import discovery
from app.executor.errors import ToolMissing
from app.policy.checker import PolicyChecker


def _engines() -> list[str]:
    try:
        discovery.find_opa(Settings())
    except ToolMissing:
        return ["regorus"]
    return ["opa", "regorus"]


ENGINES = _engines()


@pytest.fixture(params=ENGINES)
def checker(request: pytest.FixtureRequest) -> PolicyChecker:
    """A checker with each engine that this machine has."""
    return PolicyChecker(Settings(policy_engine=request.param))


@pytest.fixture(params=ENGINES)
def checker_with(request: pytest.FixtureRequest) -> Callable[..., PolicyChecker]:
    """Make a checker with each engine that this machine has, and settings of the test's own."""

    def make(**settings: object) -> PolicyChecker:
        return PolicyChecker(Settings(policy_engine=request.param, **settings))

    return make
