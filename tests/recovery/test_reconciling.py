"""What is left of an apply: each combination of what was planned, begun and kept."""

from typing import Any

import pytest

from app.recovery.reconciling import RUNNER_DIED, Evidence, Lost, Planned, planned_of, reconcile
from app.runner.port import ApplyStep
from app.state.service import HeldInstance, Holdings

AWS = "registry.opentofu.org/hashicorp/aws"
ADDRESS = "aws_x.y"
PLACE = ("", "aws_x", "y", None)


def planned(action: str, **more: Any) -> Planned:
    return Planned(address=ADDRESS, action=action, provider=AWS, type="aws_x", **more)


def step(action: str, outcome: str, id_value: str = "") -> ApplyStep:
    return ApplyStep.model_validate(
        {
            "address": ADDRESS,
            "action": action,
            "outcome": outcome,
            "id_key": "id" if id_value else "",
            "id_value": id_value,
        }
    )


def holding(*ids: str) -> Holdings:
    return {PLACE: [HeldInstance(names={"id": found}, is_deposed=False) for found in ids]} if ids else {}


def left(
    plan: Planned | None,
    *steps: ApplyStep,
    kept: Holdings | None = None,
    current: Holdings | None = None,
    evidence: Evidence = "whole",
    is_ended: bool = False,
) -> list[Lost]:
    return reconcile(
        [plan] if plan else [],
        steps,
        kept=kept or {},
        current=current if current is not None else kept or {},
        evidence=evidence,
        is_ended=is_ended,
    )


def test_completed_creation_that_no_state_holds_is_created_with_its_id() -> None:
    [found] = left(planned("create"), step("create", "complete", "i-1"))
    assert (found.outcome, found.action, found.resource_id, found.provider) == ("created", "create", "i-1", AWS)


def test_completed_creation_in_a_state_of_the_run_or_the_current_one_is_not_listed() -> None:
    done = step("create", "complete", "i-1")
    assert left(planned("create"), done, kept=holding("i-1"), current={}) == []
    assert left(planned("create"), done, current=holding("i-1")) == []


def test_completed_creation_whose_address_holds_another_id_is_listed() -> None:
    [found] = left(planned("create"), step("create", "complete", "i-2"), kept=holding("i-1"))
    assert found.resource_id == "i-2"


def test_creation_without_an_end_is_unknown_unless_a_state_holds_it() -> None:
    [found] = left(planned("create"), step("create", "started"))
    assert (found.outcome, found.resource_id) == ("unknown", "")
    assert left(planned("create"), step("create", "started"), kept=holding("i-1")) == []


def test_creation_without_an_end_is_listed_although_a_later_run_made_another_at_its_address() -> None:
    later = holding("i-2")
    started = step("create", "started")
    [found] = left(planned("create"), started, current=later)
    assert found.outcome == "unknown"
    [found] = left(planned("replace", old_id="old"), started, kept=holding("old"), current=later)
    assert (found.change, found.outcome) == ("create", "unknown")
    [found] = left(planned("create"), current=later, evidence="none")
    assert found.reason == RUNNER_DIED
    [found] = left(planned("create"), step("create", "complete"), current=later)
    assert found.outcome == "created"


def test_failed_creation_is_listed_only_when_the_engine_did_not_end_by_itself() -> None:
    failed = step("create", "errored")
    assert left(planned("create"), failed, is_ended=True) == []
    assert left(planned("create"), failed, kept=holding("tainted")) == []
    [found] = left(planned("create"), failed)
    assert found.outcome == "unknown"


def test_creation_never_begun_is_listed_only_when_the_evidence_is_not_whole() -> None:
    assert left(planned("create")) == []
    for evidence in ("partial", "none"):
        [found] = left(planned("create"), evidence=evidence)  # type: ignore[arg-type]
        assert (found.outcome, found.reason) == ("unknown", RUNNER_DIED)
    assert left(planned("create"), kept=holding("i-1"), evidence="none") == []
    assert left(planned("delete"), evidence="none") == []


def test_replace_that_began_to_create_is_unknown_while_states_hold_the_old_one_alone() -> None:
    plan = planned("replace", old_id="old")
    [found] = left(plan, step("delete", "complete", "old"), step("create", "started"), kept={}, current={})
    assert (found.action, found.change, found.outcome) == ("replace", "create", "unknown")
    found, gone = sorted(
        left(plan, step("delete", "complete", "old"), step("create", "complete", "new"), kept=holding("old")),
        key=lambda each: each.change,
    )
    assert (found.outcome, found.resource_id, gone.outcome, gone.resource_id) == ("created", "new", "destroyed", "old")
    assert left(plan, step("create", "started"), kept=holding("old", "new")) == []


def test_create_before_destroy_is_judged_by_ids() -> None:
    plan = planned("replace", old_id="old")
    steps = (step("create", "complete", "new"), step("delete", "started", "old"))
    [found] = left(plan, *steps, kept=holding("new", "old"))
    assert (found.change, found.outcome, found.resource_id) == ("delete", "unknown", "old")
    assert left(plan, *steps, kept=holding("new")) == []


def test_replace_without_evidence_is_listed_while_states_hold_the_old_one_alone() -> None:
    plan = planned("replace", old_id="old")
    assert len(left(plan, kept=holding("old"), evidence="none")) == 1
    assert left(plan, kept=holding("new"), evidence="none") == []


@pytest.mark.parametrize(("outcome", "listed"), [("complete", "destroyed"), ("started", "unknown"), ("errored", None)])
def test_deletion_is_listed_while_the_current_state_holds_it(outcome: str, listed: str | None) -> None:
    found = left(planned("delete"), step("delete", outcome, "i-1"), kept=holding("i-1"))
    assert [each.outcome for each in found] == ([listed] if listed else [])
    assert left(planned("delete"), step("delete", outcome, "i-1"), kept=holding("i-1"), current={}) == []


@pytest.mark.parametrize(("outcome", "count"), [("complete", 0), ("started", 1), ("errored", 0)])
def test_update_is_listed_only_without_an_end(outcome: str, count: int) -> None:
    assert len(left(planned("update"), step("update", outcome, "i-1"), kept=holding("i-1"))) == count


def test_masked_id_is_not_compared_and_not_told() -> None:
    assert left(planned("create"), step("create", "complete", "x-***"), kept=holding("x-secret")) == []
    [found] = left(planned("create"), step("create", "complete", "x-***"))
    assert (found.resource_id, found.is_id_hidden) == ("", True)


def test_planned_of_view_takes_known_plain_attributes_as_hints() -> None:
    def attribute(path: str, after: Any, **more: Any) -> dict[str, Any]:
        flags = {"before": None, "before_sensitive": False, "after_sensitive": False, "after_unknown": False}
        return {"path": path, "after": after, **flags, **more}

    view = {
        "resources": [
            {
                "address": ADDRESS,
                "mode": "managed",
                "action": "replace",
                "provider": AWS,
                "type": "aws_x",
                "attributes": [
                    attribute("id", None, before="old", after_unknown=True),
                    attribute("name", "orders"),
                    attribute("tags.Name", "Orders"),
                    attribute("bucket", "secret", after_sensitive=True),
                    attribute("arn", None, after_unknown=True),
                    attribute("size", 3),
                ],
            },
            {"address": "data.aws_x.z", "mode": "data", "action": "read", "attributes": []},
            {"address": "aws_x.moved", "mode": "managed", "action": "move", "attributes": []},
        ]
    }
    [found] = planned_of(view)
    assert (found.action, found.old_id) == ("replace", "old")
    assert found.hints == {"tags.Name": "Orders", "name": "orders"}
