"""When a plan needs more approvals than its workspace's rule says: pure functions over values."""

from collections.abc import Iterable

from app.approvals.schemas import ApprovalCondition, Demand, PlanFacts


def demands(conditions: Iterable[ApprovalCondition], facts: PlanFacts) -> tuple[Demand, ...]:
    """Return what the conditions that hold for the plan ask for, in their order.

    What is not known of a plan counts as if it held: a tag whose value comes with the apply, or is sensitive.
    """
    return tuple(
        Demand(
            required_approvals=condition.required_approvals,
            reason=reason,
            approver_team_ids=condition.approver_team_ids,
            approver_team_names=condition.approver_team_names,
        )
        for condition in conditions
        if (reason := _why(condition, facts)) is not None
    )


def _why(condition: ApprovalCondition, facts: PlanFacts) -> str | None:
    """Return in words why the condition holds; None when it does not."""
    if condition.when == "deletes":
        return f"it destroys or replaces {_resources(facts.deletes)}" if facts.deletes else None
    if condition.when == "changes_over":
        most = condition.threshold or 0
        return f"it changes {_resources(facts.changes)}, more than {most}" if facts.changes > most else None
    return _why_tagged(condition.tag or "", facts)


def _why_tagged(tag: str, facts: PlanFacts) -> str | None:
    key, equals, value = tag.partition("=")
    if key in facts.tags:
        values = facts.tags[key]
        if not equals or (values is not None and value in values):
            return f"a resource tagged {tag} changes"
        if values is None:
            return f"a resource with the tag {key} changes, and its value is not known yet, is sensitive, or is long"
    if not facts.tags_are_known:
        return f"tags of resources that change are not known, so {tag} may be among them"
    return None


def _resources(number: int) -> str:
    return f"{number} resource" if number == 1 else f"{number} resources"
