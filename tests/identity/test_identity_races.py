"""Who wins among people, with real commits."""

import threading

import pytest

from app.audit import service as audit
from app.audit.tasks import chain_all
from app.core.db import unit_of_work
from app.core.permissions import system_actor
from app.identity import service
from app.identity.errors import LastAdmin, LinkUnusable
from app.identity.roles import Role
from tests.support import people

pytestmark = pytest.mark.races


def _at_once(count: int, act: object) -> list[str]:
    barrier, outcomes = threading.Barrier(count), []

    def run(number: int) -> None:
        barrier.wait(10)
        try:
            act(number)  # type: ignore[operator]
        except (LastAdmin, LinkUnusable) as error:
            outcomes.append(error.code)
        else:
            outcomes.append("done")

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return sorted(outcomes)


def test_two_admins_who_demote_each_other_leave_one(real_database: str) -> None:
    with unit_of_work() as session:
        organization_id = people.organization(session)
        admins = [people.person(session, organization_id, Role.ADMIN) for _ in range(2)]

    def demote(number: int) -> None:
        with unit_of_work() as session:
            service.assign_roles(session, admins[number].actor, admins[1 - number].id, [Role.VIEWER])

    assert _at_once(2, demote) == ["done", "last_admin"]


def test_login_link_used_at_once_opens_one_session(real_database: str) -> None:
    with unit_of_work() as session:
        organization_id = people.organization(session)
        user = people.person(session, organization_id, Role.VIEWER)
        link = service.create_login_link(session, system_actor(organization_id), user.id).login_url

    def use(_number: int) -> None:
        with unit_of_work() as session:
            service.use_login_link(session, link.partition("link=")[2], "203.0.113.5")

    assert _at_once(4, use) == ["done"] + ["login_link_unusable"] * 3


def test_chain_by_several_sequencers_over_concurrent_writers_is_intact(real_database: str) -> None:
    with unit_of_work() as session:
        organization_id = people.organization(session)
    actor = system_actor(organization_id)

    def write_and_chain(number: int) -> None:
        for step in range(10):
            with unit_of_work() as session:
                audit.record(session, actor, "test.step", ("test", f"{number}-{step}"), {"step": step})
            chain_all()

    assert _at_once(4, write_and_chain) == ["done"] * 4
    chain_all()
    with unit_of_work() as session:
        report = audit.verify_chain(session, organization_id)
        assert audit.unchained_organizations(session) == []
    assert (report.is_intact, report.checked) == (True, 41)
