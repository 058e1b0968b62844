"""Fan-out with real commits and sockets: once a halt, in parallel, tried again, and silence is never called stopped."""

import logging
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from app.core import clock
from app.core.db import unit_of_work
from app.core.settings import get_settings
from app.halt import call_repository, fanout, service
from app.halt.models import HaltCall
from app.halt.schemas import HaltOut, HaltRequest
from tests.factories.scene import Scene, new_scene
from tests.halt.siblings import Sibling, endpoints, running
from tests.support.waiting import until

pytestmark = pytest.mark.races
Named = Callable[..., None]


@pytest.fixture
def operator(real_database: str, sent_jobs: Any) -> Scene:
    return new_scene(is_operator=True)


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> Iterator[Named]:
    """Name sibling systems in the settings; retries come at once."""
    monkeypatch.setattr(fanout, "PAUSES_SECONDS", (0.05,))

    def name(**siblings: Sibling) -> None:
        monkeypatch.setenv("SLUICE_HALT_ENDPOINTS", endpoints(**siblings))
        get_settings.cache_clear()

    yield name
    nobody_calls()
    monkeypatch.undo()
    get_settings.cache_clear()


def nobody_calls() -> None:
    """Wait until nobody is calling a sibling system, or about to."""
    until(lambda: not [thread for thread in threading.enumerate() if thread.name.startswith("fanout-")])


def halted(scene: Scene, scope: str = "organization", given_id: str | None = None) -> HaltOut:
    with unit_of_work("halt") as session:
        workspace = scene.workspace.id if scope == "workspace" else None
        wanted = HaltRequest.model_validate({"scope": scope, "workspace": workspace, "reason": "fire"})
        return service.halt(session, scene.admin, wanted, given_id)


def seen(scene: Scene, halt: HaltOut) -> dict[str, Any]:
    with unit_of_work() as session:
        return {call.name: call for call in service.get(session, scene.admin, halt.id).fanout}


def ended(scene: Scene, halt: HaltOut) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found = seen(scene, halt)
        return found if all(call.status != "pending" for call in found.values()) else None

    found: dict[str, Any] = until(look)
    return found


def test_each_sibling_is_called_with_its_token_and_the_halt_s_id(
    operator: Scene, named: Named, caplog: pytest.LogCaptureFixture
) -> None:
    bots = Sibling([200], body={"message": "stopped; you sent secret-bots"})
    with caplog.at_level(logging.DEBUG), running(bots):
        named(bots=bots)
        halt = halted(operator)
        call = ended(operator, halt)["bots"]
    headers, body = bots.calls[0]
    assert (call.status, call.http_status, call.attempts) == ("answered", 200, 1)
    assert (headers["Authorization"], headers["X-Halt-Id"]) == ("Bearer secret-bots", halt.id)
    assert body["scope"] == "organization"
    assert "fire" in body["reason"]
    assert "secret-bots" not in call.detail + caplog.text + repr(get_settings())


def test_one_that_fails_and_one_that_hangs_hold_nobody_back(operator: Scene, named: Named) -> None:
    good, bad, silent = Sibling([200]), Sibling([503], body={"detail": "no"}), Sibling([0])
    with running(good, bad, silent):
        named(good=good, bad=bad, silent=silent)
        halt = halted(operator)
        until(lambda: seen(operator, halt)["good"].status == "answered")
        until(lambda: seen(operator, halt)["bad"].status == "failed")
        found = seen(operator, halt)
    assert found["silent"].status == "pending", "neither the halt nor who else is called waits for it"
    assert found["bad"].attempts == fanout.ATTEMPTS


def test_one_that_says_nothing_is_tried_again_and_is_not_known(operator: Scene, named: Named) -> None:
    silent = Sibling([0], timeout_seconds=0.5)
    with running(silent):
        named(silent=silent)
        call = ended(operator, halted(operator))["silent"]
    assert (call.status, call.attempts) == ("timed_out", fanout.ATTEMPTS)
    assert call.detail.startswith("Not known")


def test_one_that_comes_back_is_tried_again_and_a_refusal_is_not(operator: Scene, named: Named) -> None:
    flaky, refusing = Sibling([500, 200]), Sibling([403])
    with running(flaky, refusing):
        named(flaky=flaky, refusing=refusing)
        found = ended(operator, halted(operator))
    assert (found["flaky"].status, found["flaky"].attempts) == ("answered", 2)
    assert (found["refusing"].status, found["refusing"].attempts) == ("failed", 1)


def test_halt_again_calls_nobody_again(operator: Scene, named: Named) -> None:
    bots = Sibling([200])
    with running(bots):
        named(bots=bots)
        first = halted(operator)
        ended(operator, first)
        assert halted(operator).id == first.id
        nobody_calls()
    assert len(bots.calls) == 1


@pytest.mark.parametrize("scope", ["workspace"])
def test_halt_of_a_workspace_is_not_fanned_out(operator: Scene, named: Named, scope: str) -> None:
    bots = Sibling([200])
    with running(bots):
        named(bots=bots)
        assert halted(operator, scope).fanout == []


def test_halt_of_another_tenant_is_not_fanned_out(operator: Scene, named: Named) -> None:
    bots = Sibling([200])
    tenant = new_scene()
    with running(bots):
        named(bots=bots)
        assert seen(tenant, halted(tenant)) == {}
    assert bots.calls == []


def test_halt_with_a_known_id_is_not_fanned_out_again_and_passes_on_an_unknown_one(
    operator: Scene, named: Named
) -> None:
    bots = Sibling([200])
    with running(bots):
        named(bots=bots)
        first = halted(operator, given_id="halt-of-another")
        ended(operator, first)
        assert bots.calls[0][0]["X-Halt-Id"] == "halt-of-another", "so that a circle of systems comes to its end"
        operator.resume("organization")
        for known in ("halt-of-another", first.id):
            again = halted(operator, given_id=known)
            assert again.id != first.id, "it halts all the same"
            assert again.fanout == []
            operator.resume("organization")
    assert len(bots.calls) == 1


def test_halt_after_one_that_came_with_a_known_id_is_fanned_out(operator: Scene, named: Named) -> None:
    bots = Sibling([200])
    with running(bots):
        named(bots=bots)
        ended(operator, halted(operator, given_id="old"))
        operator.resume("organization")
        silenced = halted(operator, given_id="old")
        assert silenced.fanout == []
        real = halted(operator)
        assert real.id == silenced.id
        assert ended(operator, real)["bots"].status == "answered"
    assert [headers["X-Halt-Id"] for headers, _ in bots.calls] == ["old", real.id]


def test_id_that_a_tenant_has_used_is_not_known_to_the_operator(operator: Scene, named: Named) -> None:
    bots = Sibling([200])
    tenant = new_scene()
    with running(bots):
        named(bots=bots)
        theirs = halted(tenant, given_id="coming")
        halted(operator, "workspace", given_id="coming")
        for number, given_id in enumerate(("coming", theirs.id), start=1):
            ended(operator, halted(operator, given_id=given_id))
            assert len(bots.calls) == number, "a tenant kept the siblings from hearing of a halt"
            operator.resume("organization")


def halted_by_who_died(operator: Scene, monkeypatch: pytest.MonkeyPatch) -> HaltOut:
    """Halt in a process that dies before it calls anybody."""
    with monkeypatch.context() as dead:
        dead.setattr(fanout, "start", lambda _: None)
        return halted(operator)


def test_call_that_a_dead_process_left_is_taken_over(
    operator: Scene, named: Named, monkeypatch: pytest.MonkeyPatch
) -> None:
    bots = Sibling([200])
    with running(bots):
        named(bots=bots)
        at = clock.now()
        with clock.using(lambda: at):
            halt = halted_by_who_died(operator, monkeypatch)
            fanout.take_over()
        nobody_calls()
        assert bots.calls == [], "for a moment it is still its own process's"
        with unit_of_work() as session:
            session.execute(update(HaltCall).values(created_at=clock.now() - timedelta(seconds=30)))
        fanout.take_over()
        assert ended(operator, halt)["bots"].status == "answered"
    assert len(bots.calls) == 1


@pytest.mark.parametrize(
    "body",
    [b"[" * 8000, b'{"detail": ' + b"9" * 5000 + b"}", b'{"detail": {"a": [1]}}', b"\xff\x00\x1b[2J", b"9" * 9000],
    ids=["deep", "digits", "object", "control", "long"],
)
def test_answer_that_can_not_be_read_is_an_answer(operator: Scene, named: Named, body: bytes) -> None:
    bots = Sibling([200], body=body)
    with running(bots):
        named(bots=bots)
        call = ended(operator, halted(operator))["bots"]
    assert (call.status, call.http_status, call.attempts) == ("answered", 200, 1)
    assert call.detail.isprintable()
    assert len(call.detail) < 300


@pytest.mark.parametrize(
    "body",
    [
        b'{"detail": "you sent c2VjcmV0LWJvdHM= and secret%2Dbots"}',
        b"7365637265742d626f7473",
        b'{"error": "\\u0073ecret-bots is \\u0022secret\\u002dbots"}',
        b" " * 8180 + b"secret-bots",
    ],
    ids=["base64", "hexadecimal", "escaped", "cut in two"],
)
def test_answer_that_says_the_token_in_another_spelling_is_masked(operator: Scene, named: Named, body: bytes) -> None:
    bots = Sibling([200], body=body)
    with running(bots):
        named(bots=bots)
        call = ended(operator, halted(operator))["bots"]
    for spelled in ("secret-bots", "c2VjcmV0", "%2D", "73656372", "u002d", "secret-"):
        assert spelled not in call.detail


def test_call_whose_attempts_never_end_is_made_no_more_often(
    operator: Scene, named: Named, monkeypatch: pytest.MonkeyPatch
) -> None:
    bots = Sibling([200])
    with running(bots):
        named(bots=bots)
        halt = halted_by_who_died(operator, monkeypatch)
        with unit_of_work() as session:
            session.execute(update(HaltCall).values(attempts=fanout.ATTEMPTS, claimed_until=clock.now()))
        fanout.take_over()
        call = ended(operator, halt)["bots"]
    assert (call.status, bots.calls) == ("timed_out", [])


def test_two_that_take_over_at_once_make_one_call(
    operator: Scene, named: Named, monkeypatch: pytest.MonkeyPatch
) -> None:
    bots = Sibling([200])
    with running(bots):
        named(bots=bots)
        monkeypatch.setattr(fanout, "start", lambda _: None)
        halt = halted(operator)
        with unit_of_work() as session:
            [row] = call_repository.of_halts(session, [halt.id])
        at = clock.now()
        claims = []
        for _ in range(2):
            with unit_of_work() as session:
                claims.append(call_repository.claim(session, row.id, seen=None, at=at, until=at + timedelta(minutes=1)))
    assert [claim is not None for claim in claims] == [True, False]


def test_resume_ends_what_is_still_tried_as_not_known(operator: Scene, named: Named) -> None:
    silent = Sibling([0])
    with running(silent):
        named(silent=silent)
        halt = halted(operator)
        until(lambda: silent.calls)
        operator.resume("organization")
        call = seen(operator, halt)["silent"]
    assert call.status == "timed_out"
    assert "lifted" in call.detail


def test_sibling_that_never_comes_to_its_answer_is_given_up_in_time(operator: Scene, named: Named) -> None:
    bots = Sibling([200], drips=True, timeout_seconds=0.5)
    with running(bots):
        named(bots=bots)
        halt = halted(operator)
        call = ended(operator, halt)["bots"]
        nobody_calls()
    assert (call.status, call.attempts) == ("timed_out", fanout.ATTEMPTS)
    assert call.detail.startswith("Not known: no answer within 0.5 s")
