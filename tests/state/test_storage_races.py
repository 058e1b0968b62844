"""Writers and the sweep beside each other, with real commits."""

import threading
from collections.abc import Callable

from sqlalchemy import select

from app.core.db import unit_of_work
from app.state import service
from app.state.models import TerraformStateVersion
from app.state.schemas import Retention
from tests.factories.scene import new_scene
from tests.state import states

WRITERS = 4
VERSIONS = 8


def test_versions_stored_while_the_sweep_collects_are_all_readable(real_database: str) -> None:
    scene = new_scene()
    with unit_of_work() as session:
        service.set_retention(session, scene.admin, scene.workspace.id, Retention(keep_versions=3))
    failures: list[BaseException] = []
    # One serial for all, which every order of arrival accepts.
    shared = [states.resource(number) for number in range(60)]

    def write(writer: int) -> None:
        for round_ in range(VERSIONS):
            scene.store(states.document([*shared, states.resource(1000 + writer, revision=round_)], 1))

    def sweep(_: int) -> None:
        for _round in range(VERSIONS):
            with unit_of_work() as session:
                service.prune(session, scene.workspace.id)

    def kept(act: Callable[[int], None], number: int) -> None:
        try:
            act(number)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=kept, args=(write, number)) for number in range(WRITERS)]
    threads += [threading.Thread(target=kept, args=(sweep, 0)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    sweep(0)
    with unit_of_work() as session:
        rows = session.scalars(select(TerraformStateVersion).order_by(TerraformStateVersion.number)).all()
        assert [row.number for row in rows] == list(range(1, WRITERS * VERSIONS + 1))
        readable = [row for row in rows if row.pruned_at is None]
        assert len(readable) == 3
        for row in readable:
            assert b"web_59" in service.content(session, scene.organization_id, row.id)
