"""A state of 20 MB with 10,000 resources: stored, read, listed, compared; and what 100 versions of it take.

Expected: a hundred versions with small changes take less than three times what one takes; stored within 10 s, read
within 3 s, a page of its resources within 1 s, a page of a difference within 5 s.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import _harness as harness
from fastapi.testclient import TestClient
from sqlalchemy import func, select

from app.core.crypto import create_key_file
from app.core.db import unit_of_work
from app.core.permissions import Actor, system_actor
from app.core.settings import get_settings
from app.embedded import schema
from app.embedded.home import open_home
from app.embedded.postgres import Postgres
from tests.state import states

RESOURCES = 10_000
ATTRIBUTE_BYTES = 1152
VERSIONS = 100
CHANGED_PER_VERSION = 3
REPEATS = 5
MOST_RATIO = 3.0
MOST_SECONDS = {"store": 10.0, "read": 3.0, "list": 1.0, "diff": 5.0}


@contextmanager
def database(home: Path) -> Iterator[None]:
    """Run a PostgreSQL of its own, migrated, that the settings name."""
    postgres = Postgres(open_home(home))
    postgres.make()
    server = postgres.start()
    try:
        postgres.wait_ready(server)
        os.environ |= {"SLUICE_HOME": str(home), "SLUICE_DATABASE_URL": postgres.url()}
        os.environ.pop("SLUICE_MASTER_KEY", None)
        create_key_file(home)
        get_settings.cache_clear()
        schema.look_at(postgres.url(), create_missing=True)
        schema.migrate(postgres.url())
        yield
    finally:
        postgres.stop(server)


def stored_bytes(workspace_id: str) -> int:
    """Return what every row that the workspace's states are made of takes."""
    from app.state.models import TerraformStateChunk, TerraformStateVersion

    with unit_of_work() as session:
        sizes = [
            session.scalar(
                select(func.coalesce(func.sum(func.pg_column_size(model.__table__.table_valued())), 0)).where(
                    model.workspace_id == workspace_id
                )
            )
            for model in (TerraformStateChunk, TerraformStateVersion)
        ]
    return sum(int(size or 0) for size in sizes)


def timed(action: Any) -> tuple[float, Any]:
    """Return the seconds that ``action`` took, and what it gave."""
    started = time.perf_counter()
    answer = action()
    return time.perf_counter() - started, answer


def main() -> int:
    """Store a hundred versions, read, list, compare, and report."""
    with harness.scratch() as directory, database(directory / "home"):
        return measure()


def tenant() -> tuple[Actor, str, str]:
    """Make an organization with a workspace; return its admin, his token and the workspace's id."""
    from app.fence import service as fence
    from app.identity import service as identity
    from app.identity.schemas import TokenIn, UserIn
    from app.specs import service as specs
    from app.specs.schemas import StackIn
    from app.workspaces import service as workspaces
    from app.workspaces.schemas import NewWorkspace

    with unit_of_work() as session:
        fence.create_everything(session)
        organization = identity.create_organization(session, "bench")
        body = UserIn.model_validate({"email": "bench@example.org", "name": "bench", "roles": ["admin"]})
        user = identity.create_user(session, system_actor(organization.id), body)
        actor = identity.actor_of_user(session, organization.id, user.id)
        assert actor is not None
        token = identity.issue_token(session, actor, TokenIn(name="bench")).token
        specs.create_stack(session, actor, StackIn(name="bench"))
        return actor, token, workspaces.create(session, actor, NewWorkspace(name="bench", stack="bench")).id


def measure() -> int:
    """Do the work on the database that the settings name."""
    from app.main import create_app
    from app.state import service as state

    actor, token, workspace_id = tenant()

    def store(data: bytes) -> str:
        with unit_of_work() as session:
            return state.store_version(
                session,
                organization_id=actor.organization_id,
                workspace_id=workspace_id,
                run_id=None,
                kind="applied",
                data=data,
                created_by={},
            ).id

    resources = [states.resource(number, size=ATTRIBUTE_BYTES) for number in range(RESOURCES)]
    first_data = states.document(resources, 1)
    first_seconds, first = timed(lambda: store(first_data))
    one = stored_bytes(workspace_id)
    store_seconds: list[float] = []
    last = first
    for serial in range(2, VERSIONS + 1):
        for step in range(CHANGED_PER_VERSION):
            number = (serial * 7919 + step * 3571) % RESOURCES
            resources[number] = states.resource(number, size=ATTRIBUTE_BYTES, revision=serial)
        data = states.document(resources, serial)
        seconds, last = timed(lambda data=data: store(data))
        store_seconds.append(seconds)
    many = stored_bytes(workspace_id)

    def read(version_id: str) -> bytes:
        with unit_of_work() as session:
            return state.content(session, actor.organization_id, version_id)

    client = TestClient(create_app(), base_url="http://127.0.0.1:8080", headers={"Authorization": f"Bearer {token}"})

    def page(path: str) -> Any:
        answer = client.get(path)
        answer.raise_for_status()
        return answer.json()

    read_seconds = [timed(lambda: read(last))[0] for _ in range(REPEATS)]
    assert read(first) == first_data
    listing = f"/terraform/state-versions/{last}/resources?type=aws_instance&module=module.cell[3]&limit=200"
    page(listing)
    list_seconds = [timed(lambda: page(listing))[0] for _ in range(REPEATS)]
    difference = f"/terraform/state-versions/{first}/diff/{last}?limit=100"
    compared = [timed(lambda: page(difference)) for _ in range(REPEATS)]
    assert compared[0][1]["changed"] > VERSIONS

    medians = {
        "store": harness.median(store_seconds),
        "read": harness.median(read_seconds),
        "list": harness.median(list_seconds),
        "diff": harness.median([seconds for seconds, _ in compared]),
    }
    result = {
        "benchmark": "state",
        "state_mb": round(len(first_data) / 1e6, 1),
        "resources": RESOURCES,
        "first_store_seconds": round(first_seconds, 3),
        **{f"{name}_seconds": value for name, value in medians.items()},
        "one_version_stored_mb": round(one / 1e6, 2),
        "versions": VERSIONS,
        "versions_stored_mb": round(many / 1e6, 2),
        "ratio": round(many / one, 3),
    }
    misses = [
        f"{name}: {medians[name]} s, at most {most} expected"
        for name, most in MOST_SECONDS.items()
        if medians[name] > most
    ]
    if many >= MOST_RATIO * one:
        misses.append(f"{VERSIONS} versions take {many / one:.2f} times one, less than {MOST_RATIO} expected")
    return harness.report(result, misses)


if __name__ == "__main__":
    sys.exit(main())
