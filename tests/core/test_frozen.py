"""Whoever waits for a process that is frozen in the middle of a transaction goes on within seconds."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import psycopg
import pytest
from psycopg import pq
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.configurations import service as configurations
from app.core import clock, frozen
from app.core.db import APPLICATION, Pool, engine, unit_of_work
from app.core.frozen import FrozenWatch
from app.core.ids import new_id
from app.fence import service as fence
from app.halt.models import Halt, HaltCall
from app.identity import repository_credentials, tokens
from app.identity import service as identity
from app.identity.models import ApiToken
from app.identity.schemas import TokenIn
from app.progress.models import ProgressStream
from app.runner.port import ProgressRecord
from app.runs import queue_repository, queueing, repository, service, tasks
from app.runs.models import TerraformRun
from app.runs.queue_schemas import QueueLimitIn
from app.runs.schemas import RunRequest
from app.state import repository as states
from app.workspaces import service as workspaces
from tests.factories.scene import Scene, new_scene, second_workspace
from tests.support.archives import archive
from tests.support.races import SECONDS, Holder, address, idle_holder, waiting_for_locks
from tests.support.waiting import until

pytestmark = pytest.mark.races
IDLE_SECONDS = 0.3
UNREAD = text("select 1 from pg_stat_activity where datname = current_database() and wait_event = 'ClientWrite'")
Hold = Callable[[Session], object]


@pytest.fixture
def scene(real_database: str, sent_jobs: Any) -> Scene:
    return new_scene(required_approvals=1)


@contextmanager
def watching() -> Iterator[None]:
    """Look for who is frozen as a process that serves does, with less patience."""
    watch = FrozenWatch(look_seconds=0.05, idle_seconds=IDLE_SECONDS)
    watch.start()
    try:
        yield
    finally:
        watch.stop()


@dataclass
class Case:
    """What a frozen process holds, and what somebody else then wants."""

    hold: Hold
    want: Callable[[], object]
    pool: Pool = "default"


def idle_waiter(want: Hold) -> threading.Thread:
    """Return a thread that waits for a lock."""

    def wait() -> None:
        with unit_of_work() as session:
            want(session)

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


def _row(model: Any, row_id: str) -> Hold:
    return lambda session: session.scalars(select(model).filter_by(id=row_id).with_for_update()).one()


def _workspace(scene: Scene) -> Hold:
    return lambda session: workspaces.lock_exclusive(session, scene.workspace.id)


def _fences(scene: Scene) -> Case:
    wanted = QueueLimitIn(own_limit=3)

    def change() -> None:
        with unit_of_work() as session:
            queueing.set_limit(session, scene.admin, wanted)

    return Case(lambda session: fence.hold_shared(session, scene.organization_id, scene.workspace.id), change)


def _rights(scene: Scene) -> Case:
    return Case(lambda session: fence.hold_exclusive(session, scene.organization_id), scene.request)


def _claim(scene: Scene) -> Case:
    run_id = scene.request()
    return Case(_workspace(scene), partial(scene.claimed, run_id))


def _line(scene: Scene) -> Case:
    with unit_of_work() as session:
        queueing.set_limit(session, scene.admin, QueueLimitIn(own_limit=3))
    other = second_workspace(scene)
    other.request()
    return Case(lambda session: queue_repository.hold_line(session, scene.organization_id), other.claim_next)


def _approval(scene: Scene) -> Case:
    run_id = scene.at_gate()
    return Case(lambda session: repository.lock(session, run_id), partial(scene.approve, run_id))


def _heartbeat(scene: Scene) -> Case:
    job = scene.claimed(scene.request())
    beat = partial(scene.port.heartbeat, job.run_id, job.fencing_token, "planning")
    return Case(_row(TerraformRun, job.run_id), beat)


def _settling(scene: Scene) -> Case:
    job = scene.claimed(scene.request())
    return Case(_workspace(scene), partial(scene.settle, job))


def _progress(scene: Scene) -> Case:
    job = scene.claimed(scene.request())
    line = ProgressRecord(at=clock.now(), kind="line", text="a line", data={})
    held = lambda session: session.scalars(  # noqa: E731  # one of many
        select(ProgressStream).filter_by(run_id=job.run_id).with_for_update()
    ).one()
    return Case(held, partial(scene.port.append, job.run_id, job.fencing_token, [line]))


def _state(scene: Scene) -> Case:
    _, job = scene.applying()
    return Case(lambda session: states.serialize_writers(session, scene.workspace.id), partial(scene.put_state, job))


def _repeated_request(scene: Scene) -> Case:
    """The client sends it again to another API process, with the same key, while the first is frozen."""
    wanted = RunRequest.model_validate({"workspace": scene.workspace.id, "configuration_id": scene.configuration_id})

    def request(session: Session) -> object:
        return service.request(session, scene.planner, wanted, "the-same-key")

    def again() -> None:
        with unit_of_work() as session:
            request(session)

    return Case(request, again)


def _upload(scene: Scene) -> Case:
    given = archive({"main.tf": f'output "x" {{ value = "{new_id("x")}" }}'})

    def store(session: Session) -> object:
        return configurations.store_archive(session, scene.planner, given)

    def again() -> None:
        with unit_of_work() as session:
            store(session)

    return Case(store, again)


def _other_halt(scene: Scene) -> Case:
    """An API process was frozen in the middle of a halt."""
    return Case(
        lambda session: fence.hold_exclusive(session, scene.organization_id),
        partial(scene.halt, "organization"),
        "halt",
    )


def _resume(scene: Scene) -> Case:
    """An API process was frozen while it noted how a sibling system answered."""
    halt_id = scene.halt().id
    with unit_of_work() as session:
        call = HaltCall(id=new_id("hcall"), halt_id=halt_id, name="fleet", url="http://127.0.0.1:9/halt")
        session.add(call)
        call_id = call.id

    def note(session: Session) -> None:
        _row(Halt, halt_id)(session)
        _row(HaltCall, call_id)(session)

    return Case(note, scene.resume, "halt")


CASES = [
    _fences, _rights, _claim, _line, _approval, _heartbeat, _settling, _progress, _state, _repeated_request, _upload,
    _other_halt, _resume,
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__.strip("_"))
def test_what_waits_for_a_frozen_process_goes_on_without_it(scene: Scene, case: Callable[[Scene], Case]) -> None:
    found = case(scene)
    holder = idle_holder(found.hold, found.pool)
    with watching():
        found.want()
    assert isinstance(holder.end(), OperationalError), "who was frozen is told, and has done nothing"


def test_who_waits_behind_somebody_who_waits_for_a_frozen_process_goes_on_too(scene: Scene) -> None:
    """An apply's heartbeat waits for its settling, and that for the workspace, which a frozen process holds."""
    job = scene.claimed(scene.request())
    outcome = scene.outcome(job)
    scene.port.check(job.run_id, job.fencing_token, outcome)
    frozen_one = idle_holder(_workspace(scene))
    waits = Holder(lambda session: repository.lock(session, job.run_id), _workspace(scene))
    beat = partial(scene.port.heartbeat, job.run_id, job.fencing_token, "planning")
    with ThreadPoolExecutor(1) as behind:
        beating = behind.submit(beat)
        until(lambda: waiting_for_locks() == 2)
        with watching():
            beating.result(SECONDS)
    assert waits.end() is None, "who waits himself is not taken for frozen"
    assert isinstance(frozen_one.end(), OperationalError)


def test_sweep_gets_past_somebody_who_waits_for_a_frozen_process(scene: Scene) -> None:
    job = scene.claimed(scene.request())
    frozen_one = idle_holder(_workspace(scene))
    waits = Holder(lambda session: repository.lock(session, job.run_id), _workspace(scene))
    until(waiting_for_locks)
    at = clock.now() + timedelta(seconds=300)
    with clock.using(lambda: at):
        tasks.sweep()
    assert scene.run(job.run_id).quiesced_at is not None
    assert waits.end() is None
    assert isinstance(frozen_one.end(), OperationalError)


def test_halt_ends_another_halt_that_is_frozen(scene: Scene) -> None:
    scene.request()
    holder = idle_holder(lambda session: fence.hold_exclusive(session, scene.organization_id), "halt")
    scene.halt("organization")
    assert isinstance(holder.end(), OperationalError)


def test_resume_ends_what_holds_the_halt_or_its_calls(scene: Scene) -> None:
    found = _resume(scene)
    holder = idle_holder(found.hold)
    found.want()
    assert isinstance(holder.end(), OperationalError)


def test_token_whose_use_a_frozen_process_notes_is_good_for_others_at_once(scene: Scene) -> None:
    with unit_of_work() as session:
        secret = identity.issue_token(session, scene.admin, TokenIn(name="ops")).token
        token_id = repository_credentials.token_credential(session, tokens.hash_secret(secret), clock.now()).id
    holder = idle_holder(lambda session: repository_credentials.touch_token(session, token_id, clock.now()))
    with unit_of_work("halt") as session:
        assert identity.resolve_token(session, secret) is not None
    assert holder.is_there, "nobody waited for it"
    assert holder.end() is None
    with unit_of_work() as session:
        assert session.get_one(ApiToken, token_id).last_used_at is not None


def test_process_that_was_frozen_before_it_read_an_answer_is_ended(scene: Scene) -> None:
    """The database counts it as at work, and would for ever: no time-out of its own ends it."""
    run_id = scene.request()
    silent = pq.PGconn.connect(address(APPLICATION).encode())
    try:
        locked = silent.exec_(f"begin; select 1 from terraform_runs where id = '{run_id}' for update".encode())
        assert locked.status == pq.ExecStatus.TUPLES_OK
        silent.send_query(b"select repeat('x', 1000) from generate_series(1, 100000)")
        silent.flush()
        waiting = idle_waiter(lambda session: repository.lock(session, run_id))
        until(waiting_for_locks)
        with engine("watch").connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            until(lambda: connection.scalar(UNREAD))
            assert frozen.end_frozen(connection, unread_seconds=600) == 0
            assert frozen.end_frozen(connection, unread_seconds=0) == 1
        waiting.join(SECONDS)
        assert not waiting.is_alive()
    finally:
        silent.finish()


def test_frozen_transaction_that_nobody_waits_for_and_one_of_somebody_else_are_let_be(scene: Scene) -> None:
    run_id, other_id = scene.request(), new_scene().request()
    alone = idle_holder(lambda session: repository.lock(session, run_id))
    with psycopg.connect(address("psql")) as operator:
        operator.execute("select 1 from terraform_runs where id = %s for update", [other_id])
        waiting = idle_waiter(lambda session: repository.lock(session, other_id))
        until(waiting_for_locks)
        with engine("watch").connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            assert frozen.end_frozen(connection, idle_seconds=0) == 0
        assert waiting.is_alive()
        operator.rollback()
    waiting.join(SECONDS)
    assert not waiting.is_alive()
    assert alone.end() is None
