from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.configurations import service as configurations
from app.configurations.models import Configuration
from app.core.db import unit_of_work
from app.core.permissions import Actor
from app.specs import service
from app.specs.models import TerraformStackSpecVersion
from app.specs.schemas import StackIn, validate_spec
from tests.configurations.archives import of_files
from tests.workspaces.tenant import new_tenant

T = TypeVar("T")
ROUNDS = 10


@pytest.fixture
def tenant(real_database: str) -> Actor:
    with unit_of_work() as session:
        return new_tenant(session)


def at_once(act: Callable[[Session], T]) -> list[T]:
    barrier = Barrier(2, timeout=30)

    def run() -> T:
        barrier.wait()
        with unit_of_work() as session:
            return act(session)

    with ThreadPoolExecutor(2) as pool:
        return [future.result() for future in [pool.submit(run) for _ in range(2)]]


@pytest.mark.races
def test_store_archive_two_at_once_make_one_configuration(tenant: Actor) -> None:
    for number in range(ROUNDS):
        data = of_files({"main.tf": f"# {number}\n"})
        answers = at_once(lambda session, data=data: configurations.store_archive(session, tenant, data))
        assert sorted(answer.created for answer in answers) == [False, True]
        assert answers[0].id == answers[1].id
    with unit_of_work() as session:
        assert session.scalar(select(func.count()).select_from(Configuration)) == ROUNDS


@pytest.mark.races
def test_add_detached_version_two_at_once_make_one_version(tenant: Actor) -> None:
    with unit_of_work() as session:
        stack = service.create_stack(session, tenant, StackIn(name="uploads"))
    for number in range(ROUNDS):
        spec = validate_spec({"name": "uploads", "inputs": {"n": number}})
        answers = at_once(lambda session, spec=spec: service.add_detached_version(session, tenant, stack.id, spec))
        assert answers[0].id == answers[1].id
    with unit_of_work() as session:
        assert session.scalar(select(func.count()).select_from(TerraformStackSpecVersion)) == ROUNDS
