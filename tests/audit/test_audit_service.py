import base64

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.audit import service
from app.audit.errors import EvidenceInvalid
from app.audit.schemas import AuditFilter
from app.core.errors import Invalid
from app.core.pages import PageParams, encode_cursor
from app.core.permissions import Actor

ALICE = Actor(id="user-a", kind="person", name="Alice", organization_id="org-1", source_address="203.0.113.9")
OTHER = Actor(id="user-b", kind="person", name="Bob", organization_id="org-2")


def _record(session: Session, count: int, actor: Actor = ALICE) -> None:
    for number in range(count):
        service.record(session, actor, "run.approve", ("run", f"run-{number}"), {"number": number, "ratio": 0.5})
    session.flush()


def test_record_then_list_gives_what_was_written(session: Session) -> None:
    _record(session, 1)
    (event,) = service.list_events(session, "org-1", AuditFilter(), PageParams()).items
    assert event.actor.model_dump() == {"id": "user-a", "kind": "person", "name": "Alice"}
    assert (event.action, event.target.kind, event.target.id) == ("run.approve", "run", "run-0")
    assert event.evidence == {"number": 0, "ratio": 0.5}
    assert event.source_address == "203.0.113.9"
    assert event.hash is None


@pytest.mark.parametrize("evidence", [{"big": 2**60}, {"bad": object()}, {"nan": float("nan")}, {"deep": [1e30]}])
def test_record_evidence_no_canonical_json_refused(session: Session, evidence: dict[str, object]) -> None:
    with pytest.raises(EvidenceInvalid):
        service.record(session, ALICE, "x.y", ("x", "1"), evidence)


def test_list_events_other_organization_unseen(session: Session) -> None:
    _record(session, 2, OTHER)
    assert service.list_events(session, "org-1", AuditFilter(), PageParams()).items == []


def test_list_events_pages_newest_first_without_gap(session: Session) -> None:
    _record(session, 5)
    first = service.list_events(session, "org-1", AuditFilter(), PageParams(limit=3))
    rest = service.list_events(session, "org-1", AuditFilter(), PageParams(limit=3, cursor=first.next_cursor))
    assert [event.target.id for event in [*first.items, *rest.items]] == [f"run-{n}" for n in (4, 3, 2, 1, 0)]
    assert rest.next_cursor is None


NESTED = base64.urlsafe_b64encode(b"[" * 30_000).decode()


@pytest.mark.parametrize(
    "cursor", ["%%%", encode_cursor("run-1"), encode_cursor({"a": 1}), encode_cursor(None), NESTED]
)
def test_list_events_foreign_cursor_refused(session: Session, cursor: str) -> None:
    with pytest.raises(Invalid):
        service.list_events(session, "org-1", AuditFilter(), PageParams(cursor=cursor))


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        (AuditFilter(action="run.approve"), 2),
        (AuditFilter(action="run.*"), 3),
        (AuditFilter(action="run"), 0),
        (AuditFilter(target_id="run-1"), 2),
        (AuditFilter(actor_id="user-a"), 4),
        (AuditFilter(actor_id="user-b"), 0),
    ],
)
def test_list_events_filters_narrow(session: Session, wanted: AuditFilter, count: int) -> None:
    _record(session, 2)
    service.record(session, ALICE, "run.discarded", ("run", "run-1"))
    service.record(session, ALICE, "runner.seen", ("runner", "r"))
    session.flush()
    assert len(service.list_events(session, "org-1", wanted, PageParams()).items) == count


def test_chain_two_batches_form_one_intact_chain(session: Session) -> None:
    _record(session, 3)
    assert service.chain(session, "org-1") == 3
    _record(session, 2)
    assert service.unchained_organizations(session) == ["org-1"]
    assert service.chain(session, "org-1") == 2
    session.expire_all()
    report = service.verify_chain(session, "org-1")
    assert (report.checked, report.is_intact, report.broken_at) == (5, True, None)
    assert service.unchained_organizations(session) == []


def test_verify_chain_altered_event_names_its_position(session: Session) -> None:
    _record(session, 4)
    service.chain(session, "org-1")
    session.execute(text("ALTER TABLE audit_events DISABLE TRIGGER audit_events_append_only"))
    session.execute(text("UPDATE audit_events SET evidence = '{\"number\": 9}' WHERE chain_seq = 3"))
    session.expire_all()
    report = service.verify_chain(session, "org-1")
    assert (report.is_intact, report.broken_at) == (False, 3)


def test_verify_chain_removed_event_names_its_position(session: Session) -> None:
    _record(session, 4)
    service.chain(session, "org-1")
    session.execute(text("ALTER TABLE audit_events DISABLE TRIGGER audit_events_append_only"))
    session.execute(text("DELETE FROM audit_events WHERE chain_seq = 2"))
    session.expire_all()
    assert service.verify_chain(session, "org-1").broken_at == 2


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM audit_events",
        "UPDATE audit_events SET action = 'nothing.happened'",
        "UPDATE audit_events SET hash = 'x', chain_seq = 7",
    ],
)
def test_database_refuses_to_change_a_chained_event(session: Session, statement: str) -> None:
    _record(session, 1)
    service.chain(session, "org-1")
    with pytest.raises(DBAPIError, match="append-only"):
        session.execute(text(statement))
