"""Every way around the gate is refused, each by its own code, and leaves everything as it was."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.orm import Session

from tests.factories.policies import PolicySets
from tests.runs import plan_attempts, rule_attempts
from tests.runs.gate_site import APPLIES, Codes, Site, new_site
from tests.runs.ways import WAYS, Way

ATTEMPTS: dict[str, Callable[[Site], Codes]] = {
    name: attempt
    for module in (plan_attempts, rule_attempts)
    for name, attempt in vars(module).items()
    if name in {way.key for way in WAYS}
}


@pytest.fixture
def site(session: Session, sent_jobs: Any, sets: PolicySets) -> Site:
    return new_site(sets)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.key)
def test_way_around_the_gate_is_refused_by_its_own_code_and_changes_nothing(site: Site, way: Way) -> None:
    attempt = ATTEMPTS[way.key](site)
    next(attempt)
    tables = APPLIES if way.ends else None
    before, applied = site.snapshot(*([tables] if tables else [])), site.applied()
    codes = list(attempt)
    assert codes == [way.code] * len(codes)
    assert bool(codes) == (way.code is not None)
    assert site.snapshot(*([tables] if tables else [])) == before
    assert set(site.applied()) <= set(applied), "nothing was applied, and no engine was let start"


def test_ways_each_have_a_code_of_their_own() -> None:
    codes = [way.code for way in WAYS if way.code is not None]
    assert len(codes) == len(set(codes))
    assert len({way.key for way in WAYS}) == len(WAYS)
