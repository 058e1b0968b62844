"""Sending to a real receiver on loopback, with the clock, the jitter and the resolver in the test's hands."""

import base64
import hashlib
import hmac
import itertools
from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.core.db import unit_of_work
from app.notifications import repository, sending, service
from app.notifications.models import NotificationDelivery
from app.notifications.schemas import DestinationChange, DestinationOut
from tests.notifications.conftest import Desk
from tests.support.receiver import Got, Receiver, running_receiver


def middle() -> float:
    return 0.5


def verified(got: Got, secret: str) -> bool:
    """Whether a receiver that knows the secret accepts the request."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{got.headers['webhook-id']}.{got.headers['webhook-timestamp']}.".encode() + got.body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return hmac.compare_digest(f"v1,{expected}", got.headers["webhook-signature"])


def waiting(desk: Desk, url: str) -> DestinationOut:
    made = desk.add(url)
    desk.scene.at_gate()
    return made


def test_delivery_arrives_signed(desk: Desk, receiver: Receiver) -> None:
    made = waiting(desk, receiver.url)
    assert desk.send_due() == [True]
    (got,) = receiver.got
    (told,) = desk.deliveries(made)
    assert made.secret is not None
    assert verified(got, made.secret)
    assert got.headers["webhook-id"] == told.id
    assert got.headers["webhook-timestamp"] == str(int(desk.at.timestamp()))
    assert got.headers["content-type"] == "application/json"
    assert (told.status, told.http_status, told.response, told.attempts) == ("delivered", 200, "thanks", 1)
    assert desk.get(made).succeeded_at == desk.at


def test_delivery_that_arrived_is_not_sent_again(desk: Desk, receiver: Receiver) -> None:
    made = waiting(desk, receiver.url)
    desk.send_due()
    (told,) = desk.deliveries(made)
    assert sending.deliver(told.id) is False
    assert sending.due(10) == []
    assert len(receiver.got) == 1


def test_delivery_is_tried_for_about_a_day_with_one_id(desk: Desk, receiver: Receiver) -> None:
    receiver.statuses, receiver.body = [503], b"x" * 5000
    made = waiting(desk, receiver.url)
    began, tried = desk.at, []
    while desk.send_due(jitter=middle):
        tried.append(desk.at)
        following = desk.deliveries(made)[0].next_attempt_at
        if following is None:
            break
        assert sending.due(10) == []
        desk.at = following
    (told,) = desk.deliveries(made)
    assert [after - before for before, after in itertools.pairwise(tried)] == list(sending.PAUSES)
    assert timedelta(hours=23) < desk.at - began < timedelta(hours=26)
    assert (told.status, told.attempts, told.error) == ("failed", 11, "It answered 503.")
    assert len(told.response or "") == 1000
    assert {got.headers["webhook-id"] for got in receiver.got} == {told.id}
    assert len({got.body for got in receiver.got}) == 1


def test_destination_that_takes_nothing_for_a_day_is_disabled_with_a_notice(
    desk: Desk, receiver: Receiver, session: Session
) -> None:
    receiver.statuses = [500]
    made = waiting(desk, receiver.url)
    for pause in (timedelta(), *sending.PAUSES):
        desk.at += pause * 1.2
        desk.send_due(jitter=middle)
    found = desk.get(made)
    assert (found.is_enabled, found.disabled_reason) == (
        False,
        f"Nothing has arrived since {found.failing_since:%Y-%m-%d %H:%M} UTC: It answered 500.",
    )
    noticed = session.execute(text("SELECT target_id FROM audit_events WHERE action = 'notification.disabled'"))
    assert list(noticed.scalars()) == [made.id]
    with unit_of_work() as opened:
        service.change(opened, desk.scene.admin, made.id, DestinationChange(is_enabled=True))
    assert (desk.get(made).disabled_reason, desk.get(made).failing_since) == (None, None)


def test_destination_that_is_gone_is_disabled_at_once(desk: Desk, receiver: Receiver) -> None:
    receiver.statuses = [410]
    made = waiting(desk, receiver.url)
    desk.send_due()
    assert not desk.get(made).is_enabled
    assert desk.deliveries(made)[0].status == "failed"


def test_pause_is_as_long_as_the_receiver_asks_and_never_all_the_same(desk: Desk, receiver: Receiver) -> None:
    receiver.statuses, receiver.headers = [429], {"Retry-After": "100"}
    made = waiting(desk, receiver.url)
    desk.send_due(jitter=middle)
    assert desk.deliveries(made)[0].next_attempt_at == desk.at + timedelta(seconds=100)
    assert sending._pause(1, None, lambda: 0.0) == timedelta(seconds=8)
    assert sending._pause(1, None, lambda: 1.0) == timedelta(seconds=12)


def test_receiver_that_recovers_gets_it(desk: Desk, receiver: Receiver) -> None:
    receiver.statuses = [500, 200]
    made = waiting(desk, receiver.url)
    desk.send_due(jitter=middle)
    assert desk.get(made).failing_since == desk.at
    desk.later(seconds=10)
    assert desk.send_due() == [True]
    assert desk.get(made).failing_since is None


def test_redirect_to_loopback_is_not_followed(desk: Desk, receiver: Receiver) -> None:
    with running_receiver() as inner:
        receiver.statuses, receiver.headers = [307], {"Location": inner.url}
        made = waiting(desk, receiver.url)
        assert desk.send_due() == [False]
    assert inner.got == []
    assert "redirects" in (desk.deliveries(made)[0].error or "")


def test_name_that_resolves_to_this_network_later_is_refused(desk: Desk) -> None:
    answers = iter([["127.0.0.2"], ["127.0.0.9"], ["10.0.0.1"]])

    def resolve(_host: str, _port: int) -> Sequence[str]:
        return next(answers)

    with running_receiver("127.0.0.2") as receiver, running_receiver("127.0.0.9") as inner:
        made = waiting(desk, f"http://hooks.example.org:{receiver.port}/x")
        receiver.statuses = [500]
        desk.send_due(resolve=resolve, jitter=middle)
        for _ in range(2):
            desk.later(minutes=5)
            assert desk.send_due(resolve=resolve, jitter=middle) == [False]
            assert "not an address of the public internet" in (desk.deliveries(made)[0].error or "")
    assert (len(receiver.got), inner.got) == (1, [])


def test_two_workers_send_it_once(desk: Desk, receiver: Receiver) -> None:
    made = waiting(desk, receiver.url)
    (told,) = desk.deliveries(made)
    with unit_of_work() as session:
        first = repository.claim(session, told.id, desk.at, desk.at + sending.CLAIM)
        assert first is not None
        assert repository.claim(session, told.id, desk.at, desk.at + sending.CLAIM) is None
    assert sending.deliver(told.id) is False
    assert receiver.got == []


def test_claim_of_a_dead_worker_lapses_and_what_it_says_later_is_not_taken(desk: Desk, receiver: Receiver) -> None:
    made = waiting(desk, receiver.url)
    (told,) = desk.deliveries(made)
    with unit_of_work() as session:
        assert repository.claim(session, told.id, desk.at, desk.at + sending.CLAIM) is not None
    desk.later(seconds=61)
    assert desk.send_due() == [True]
    with unit_of_work() as session:
        assert not repository.end_attempt(session, told.id, 1, {"status": "failed"})
    assert desk.deliveries(made)[0].status == "delivered"


def test_what_waits_for_a_disabled_destination_is_dropped(desk: Desk, receiver: Receiver, session: Session) -> None:
    made = waiting(desk, receiver.url)
    session.execute(text("UPDATE notification_destinations SET is_enabled = false"))
    session.commit()
    session.expire_all()
    assert desk.send_due() == [False]
    assert (desk.deliveries(made)[0].status, receiver.got) == ("dropped", [])


def test_redeliver_sends_it_again_under_its_id(desk: Desk, receiver: Receiver) -> None:
    made = waiting(desk, receiver.url)
    desk.send_due()
    (told,) = desk.deliveries(made)
    desk.later(hours=1)
    with unit_of_work() as session:
        again = service.redeliver(session, desk.scene.admin, told.id)
    assert (again.status, again.attempts) == ("pending", 0)
    assert desk.send_due() == [True]
    assert [got.headers["webhook-id"] for got in receiver.got] == [told.id] * 2


def test_try_out_reaches_a_disabled_destination_too(desk: Desk, receiver: Receiver) -> None:
    made = desk.add(receiver.url, format="slack", is_enabled=False)
    with unit_of_work() as session:
        told = service.try_out(session, desk.scene.admin, made.id)
    assert told.event == "test"
    assert desk.send_due() == [True]
    assert b"Sluice: a test, sent by" in receiver.got[0].body


def test_old_deliveries_are_removed(desk: Desk, receiver: Receiver, session: Session) -> None:
    waiting(desk, receiver.url)
    desk.send_due()
    assert sending.remove_old() == 0
    desk.later(days=31)
    assert sending.remove_old() == 1
    assert session.query(NotificationDelivery).count() == 0


def test_name_that_is_not_known_is_tried_again(desk: Desk) -> None:
    def unknown(_host: str, _port: int) -> Sequence[str]:
        raise OSError(-2, "Name or service not known")

    made = waiting(desk, "https://hooks.example.org/x")
    assert desk.send_due(resolve=unknown, jitter=middle) == [False]
    (told,) = desk.deliveries(made)
    assert told.error == "The name hooks.example.org can't be resolved: Name or service not known."
    assert told.next_attempt_at == desk.at + timedelta(seconds=10)


@pytest.mark.parametrize("event", ["waiting", "errored"])
def test_hand_over_sends_in_threads_of_its_own(
    real_database: str, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, event: str
) -> None:
    from app.core.settings import get_settings
    from app.notifications import tasks
    from tests.factories.scene import new_scene

    monkeypatch.setenv("SLUICE_OUTGOING_ALLOWED", "127.0.0.1")
    get_settings.cache_clear()
    desk = Desk(new_scene())
    made = desk.add(receiver.url)
    if event == "waiting":
        desk.scene.at_gate()
    else:
        desk.scene.fail(desk.scene.claimed(desk.scene.request()))
    (told,) = desk.deliveries(made)
    futures = [tasks.hand_over(told.id), tasks.hand_over(told.id)]
    assert [future.result(timeout=10) for future in futures if future is not None].count(True) == 1
    assert tasks.sweep() == 0
    assert len(receiver.got) == 1


@pytest.mark.parametrize("asked", ["9" * 5000, "0" * 9000 + "1"], ids=["nines", "zeros"])
def test_receiver_that_asks_to_wait_for_thousands_of_digits_is_tried_again_at_the_longest_pause(
    desk: Desk, receiver: Receiver, asked: str
) -> None:
    made = waiting(desk, receiver.url)
    receiver.statuses, receiver.headers = [503], {"Retry-After": asked}
    assert desk.send_due(jitter=middle) == [False]
    (told,) = desk.deliveries(made)
    assert (told.status, told.http_status, told.next_attempt_at) == ("pending", 503, desk.at + sending.PAUSES[-1])


def test_delivery_whose_every_attempt_kills_its_sender_comes_to_an_end(desk: Desk, receiver: Receiver) -> None:
    made = waiting(desk, receiver.url)
    (delivery_id,) = sending.due(1)
    for _ in range(len(sending.PAUSES) + 1):
        with unit_of_work() as session:
            assert repository.claim(session, delivery_id, desk.at, desk.at + sending.CLAIM) is not None
        desk.later(seconds=61)
    assert desk.send_due() == [False]
    (told,) = desk.deliveries(made)
    assert (told.status, receiver.got) == ("failed", [])
    assert sending.due(1) == []
