"""A search over every state that a plan and its apply can reach together: nothing applies past policy and approval."""

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from itertools import product

from app.runs.errors import GuardRefused, IllegalTransition
from app.runs.machine import FINAL, MOVES, TABLE, Facts, Kind, Status, Trigger, decide

BOOLEANS = [field.name for field in fields(Facts) if field.name != "child_status"]
VERDICTS = ("passed", "advisory", "blocked_soft", "blocked_hard")
BLOCKED = {"blocked_soft", "blocked_hard"}
KNOWN_OF_THE_STATE = {"is_blocked", "makes_quorum", "quorum_is_lost", "child_is_queued", "is_speculative"}


@dataclass(frozen=True)
class Node:
    """Where a plan and its apply are. The last three are history: what the path went through."""

    kind: Kind
    is_speculative: bool
    status: Status | None = None
    verdict: str | None = None
    has_quorum: bool = False
    child: Status | None = None
    was_overridden: bool = False
    passed_policy: bool = False
    gate: Trigger | None = None


def facts_that_matter(trigger: Trigger) -> list[str]:
    read = {name for row in TABLE if row.trigger is trigger for name in row.holds.__code__.co_names}
    return [name for name in BOOLEANS if name in read]


def facts_of(node: Node, trigger: Trigger) -> Iterator[Facts]:
    """Yield every combination of facts that may hold at the node: free, but for what the node itself says."""
    free = [name for name in facts_that_matter(trigger) if name not in KNOWN_OF_THE_STATE]
    known = {
        "is_blocked": node.verdict is None or (node.verdict in BLOCKED and not node.was_overridden),
        "makes_quorum": node.has_quorum,
        "quorum_is_lost": not node.has_quorum,
        "child_is_queued": node.child is Status.QUEUED,
        "is_speculative": node.is_speculative,
    }
    for values in product((False, True), repeat=len(free)):
        yield Facts(**known, **dict(zip(free, values, strict=True)), child_status=node.child)


def after_plan_moves(node: Node, trigger: Trigger, status: Status) -> Iterator[Node]:
    """Yield the nodes after the plan itself moved; approve and auto_approve queue the apply in the same step."""
    moved = replace(node, status=status)
    if trigger in (Trigger.APPROVE, Trigger.AUTO_APPROVE):
        passed = node.verdict is not None and (node.verdict not in BLOCKED or node.was_overridden)
        moved = replace(moved, child=Status.QUEUED, gate=trigger, passed_policy=passed)
        if trigger is Trigger.AUTO_APPROVE:
            moved = replace(moved, has_quorum=True)
    if trigger is Trigger.OVERRIDE:
        # Never of a hard-mandatory one: whoever calls the machine says so in `may_override`.
        moved = replace(moved, was_overridden=node.verdict == "blocked_soft")
        if not moved.was_overridden:
            return
    if trigger in (Trigger.DISCARD, Trigger.SUPERSEDE) and node.child is Status.QUEUED:
        moved = replace(moved, child=Status.CANCELLED)
    yield moved


def decisions(node: Node, kind: Kind, status: Status | None) -> Iterator[tuple[Trigger, Status]]:
    """Yield what every trigger does under every combination of facts; evidence changes nothing and is left out."""
    for trigger in Trigger:
        for facts in facts_of(node, trigger):
            with suppress(IllegalTransition):
                decision = decide(kind, status, trigger, facts)
                if not decision.is_evidence:
                    yield trigger, decision.status


def judged(node: Node) -> Iterator[tuple[str, Node]]:
    """Yield what policies and people may do to the node. New results and the status that follows are one step."""
    for verdict in VERDICTS:
        checked = replace(node, verdict=verdict, has_quorum=False, was_overridden=False)
        if node.status is Status.RUNNING:
            yield "checked", checked
        elif node.status in (Status.AWAITING_APPROVAL, Status.POLICY_BLOCKED):
            with suppress(GuardRefused):
                facts = Facts(is_blocked=verdict in BLOCKED)
                checked = replace(checked, status=decide(node.kind, node.status, Trigger.REEVALUATE, facts).status)
            yield "reevaluated", checked
    if node.status in (Status.AWAITING_APPROVAL, Status.APPROVED):
        yield "decided", replace(node, has_quorum=not node.has_quorum)


def successors(node: Node) -> Iterator[tuple[str, Node]]:
    for trigger, status in decisions(node, node.kind, node.status):
        for following in after_plan_moves(node, trigger, status):
            yield trigger.value, following
    if node.child is not None:
        for trigger, status in decisions(node, Kind.APPLY, node.child):
            yield f"child.{trigger.value}", replace(node, child=status)
    yield from judged(node)


def walk() -> dict[Node, list[tuple[str, Node]]]:
    starts = [Node(kind, speculative) for kind in Kind for speculative in (False, True)]
    graph: dict[Node, list[tuple[str, Node]]] = {}
    open_nodes = deque(starts)
    while open_nodes:
        node = open_nodes.popleft()
        if node in graph:
            continue
        graph[node] = list(dict.fromkeys(successors(node)))
        open_nodes.extend(following for _, following in graph[node])
    return graph


GRAPH = walk()


def test_walk_reaches_every_status_of_plans_and_applies() -> None:
    assert {node.status for node in GRAPH} == {None, *Status}
    assert {node.child for node in GRAPH if node.child} >= {
        Status.QUEUED,
        Status.RUNNING,
        Status.APPLIED,
        Status.SUPERSEDED,
        Status.CANCELLED,
        Status.ERRORED,
    }


def test_applied_is_never_reached_past_policy_and_approval() -> None:
    applied = [node for node in GRAPH if Status.APPLIED in (node.status, node.child)]
    assert applied
    for node in applied:
        assert node.passed_policy, node
        assert node.gate in (Trigger.APPROVE, Trigger.AUTO_APPROVE), node
        assert not node.is_speculative, node


def test_what_moves_a_state_is_applied_by_people_alone() -> None:
    moved = [node for node in GRAPH if node.kind in MOVES and node.child is not None]
    assert {node.kind for node in moved if node.child is Status.APPLIED} == MOVES
    assert {node.gate for node in moved} == {Trigger.APPROVE}


def test_only_approve_and_auto_approve_make_an_apply() -> None:
    made = {
        name
        for node, following in GRAPH.items()
        for name, after in following
        if node.child is None and after.child is not None
    }
    assert made == {"approve", "auto_approve"}
    for node, following in GRAPH.items():
        for name, after in following:
            if name == "approve":
                assert node.has_quorum, node
                assert after.passed_policy, node


def test_plan_is_applied_only_with_its_child() -> None:
    for node, following in GRAPH.items():
        for name, after in following:
            if after.status is Status.APPLIED and node.status is not Status.APPLIED:
                assert name == "child_ended"
                assert node.child is Status.APPLIED


def test_apply_is_never_requested() -> None:
    assert not [node for node in GRAPH if node.kind is Kind.APPLY and node.status is not None]


def test_final_statuses_are_never_left() -> None:
    for node, following in GRAPH.items():
        for _, after in following:
            assert node.status not in FINAL or after.status is node.status
            assert node.child not in FINAL or after.child is node.child


def test_every_live_state_can_end() -> None:
    ends = {node for node in GRAPH if node.status in FINAL}
    backwards: dict[Node, list[Node]] = {}
    for node, following in GRAPH.items():
        for _, after in following:
            backwards.setdefault(after, []).append(node)
    seen, open_nodes = set(ends), deque(ends)
    while open_nodes:
        for before in backwards.get(open_nodes.popleft(), []):
            if before not in seen:
                seen.add(before)
                open_nodes.append(before)
    assert {node for node in GRAPH if node.kind is not Kind.APPLY} <= seen
