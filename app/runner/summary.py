"""What a plan document says, for people: counts in the product's words and a view without sensitive values."""

import json
from collections.abc import Iterator
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from app.core.errors import AppError
from app.core.masking import Masker
from app.executor import documents
from app.runner import tags
from app.runner.port import ChangedTags, Counts
from app.runner.sides import part

ReplaceOrder = Literal["delete_first", "create_first"]


class PlanDocumentUnreadable(AppError):
    """The engine's plan document is not what it should be; the plan can't be shown, so it can't be approved."""

    code = "plan_document_unreadable"
    title = "The plan document can't be read"


class _View(BaseModel):
    model_config = ConfigDict(frozen=True)


class AttributeChange(_View):
    """One attribute that changes. Sensitive values are null, with their flag; unknown ones are known after apply."""

    path: str
    action: Literal["create", "update", "delete"]
    before: Any = None
    after: Any = None
    before_sensitive: bool = False
    after_sensitive: bool = False
    after_unknown: bool = False
    forces_replacement: bool = False


class ResourceChange(_View):
    """One resource instance that the plan touches."""

    address: str
    module: str
    mode: str
    type: str
    name: str
    index: str | int | None
    provider: str
    action: str
    replace_order: ReplaceOrder | None
    reason: str | None
    previous_address: str | None
    attributes: tuple[AttributeChange, ...]
    unchanged_count: int


class OutputChange(_View):
    """One output that changes."""

    name: str
    action: str
    before: Any
    after: Any
    after_unknown: bool
    sensitive: bool


class PlanView(_View):
    """The stored view of a plan."""

    format: int = 1
    engine_version: str
    has_changes: bool
    counts: dict[str, int]
    resources: tuple[ResourceChange, ...]
    outputs: tuple[OutputChange, ...]
    drift: tuple[ResourceChange, ...]


class Summary(_View):
    """Counts and view of one plan."""

    counts: Counts
    tags: ChangedTags
    output_changes: int
    drift_count: int
    view: PlanView

    def view_json(self) -> bytes:
        """Return the view as JSON, to be stored."""
        return self.view.model_dump_json().encode()


def summarize(document: bytes, *, has_changes: bool, masker: Masker) -> Summary:
    """Return the summary of a plan document (`show -json`). ``has_changes`` is the engine's exit code's word.

    Raises ``PlanDocumentUnreadable``.
    """
    try:
        plan = documents.load(document)
        touched: list[dict[str, Any]] = plan.get("resource_changes") or []
        changes = [_resource(found, masker) for found in touched]
        drift = [_resource(found, masker) for found in plan.get("resource_drift") or ()]
        outputs = [_output(name, found, masker) for name, found in sorted((plan.get("output_changes") or {}).items())]
        version = str(plan.get("terraform_version", ""))
        counts = _counts(touched)
        changed = [found["change"] for found in touched if action_of(found) not in _UNTOUCHED]
        changed_tags = tags.of_changes(changed, masker)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PlanDocumentUnreadable(f"The engine's plan document can't be read: {error}.") from error
    shown_outputs = tuple(found for found in outputs if found.action != "no-op")
    view = PlanView(
        engine_version=version,
        has_changes=has_changes,
        counts=counts.model_dump(by_alias=True),
        resources=tuple(found for found in changes if found.action != "no-op"),
        outputs=shown_outputs,
        drift=tuple(drift),
    )
    return Summary(
        counts=counts, tags=changed_tags, output_changes=len(shown_outputs), drift_count=len(drift), view=view
    )


def action_of(change: dict[str, Any]) -> str:
    """Return one word for what happens to a resource instance: the strongest thing, as people speak of it."""
    actions = set(change["change"]["actions"])
    if {"create", "delete"} <= actions or {"create", "forget"} <= actions:
        return "replace"
    for action in ("create", "update", "delete", "forget", "read"):
        if action in actions:
            return action
    if change["change"].get("importing"):
        return "import"
    if change.get("previous_address"):
        return "move"
    return "no-op"


_UNTOUCHED = frozenset({"no-op", "read", "move", "import"})
_COUNTED = {
    "create": "add",
    "update": "change",
    "delete": "destroy",
    "replace": "replace",
    "forget": "forget",
    "read": "read",
}


def _counts(changes: list[dict[str, Any]]) -> Counts:
    """Count resources. An import or a move counts beside what else happens to the same resource."""
    counted = dict.fromkeys((*_COUNTED.values(), "move", "imports"), 0)
    for change in changes:
        action = action_of(change)
        if action in _COUNTED:
            counted[_COUNTED[action]] += 1
        if change["change"].get("importing"):
            counted["imports"] += 1
        if change.get("previous_address"):
            counted["move"] += 1
    return Counts(**counted)


def _resource(found: dict[str, Any], masker: Masker) -> ResourceChange:
    change = found["change"]
    action = action_of(found)
    order: ReplaceOrder | None = None
    if action == "replace":
        order = "create_first" if change["actions"][0] == "create" else "delete_first"
    attributes, unchanged = _attributes(change, masker, is_shown=action not in {"no-op", "move", "forget"})
    return ResourceChange(
        address=found["address"],
        module=found.get("module_address") or "",
        mode=found.get("mode", "managed"),
        type=found.get("type", ""),
        name=found.get("name", ""),
        index=found.get("index"),
        provider=found.get("provider_name", ""),
        action=action,
        replace_order=order,
        reason=found.get("action_reason"),
        previous_address=found.get("previous_address"),
        attributes=tuple(attributes),
        unchanged_count=unchanged,
    )


def _output(name: str, change: dict[str, Any], masker: Masker) -> OutputChange:
    actions = change["actions"]
    action = {"create": "create", "update": "update", "delete": "delete"}.get(actions[0], "no-op")
    is_sensitive = _any(change.get("before_sensitive")) or _any(change.get("after_sensitive"))
    return OutputChange(
        name=name,
        action=action,
        before=None if is_sensitive else masker.value(change.get("before")),
        after=None if is_sensitive else masker.value(change.get("after")),
        after_unknown=_any(change.get("after_unknown")),
        sensitive=is_sensitive,
    )


def _attributes(change: dict[str, Any], masker: Masker, *, is_shown: bool) -> tuple[list[AttributeChange], int]:
    """Return the attributes that change and how many do not."""
    walk = _Walk([tuple(path) for path in change.get("replace_paths") or ()], masker)
    walk.compare(
        (),
        change.get("before"),
        change.get("after"),
        change.get("before_sensitive"),
        change.get("after_sensitive"),
        change.get("after_unknown"),
    )
    return (walk.found if is_shown else []), walk.unchanged


class _Walk:
    """Walks the two sides of a change together, with their sensitive and unknown structures.

    Attributes that the provider does not call sensitive may still hold a sensitive variable's value, so all are masked.
    """

    def __init__(self, replace_paths: list[tuple[Any, ...]], masker: Masker) -> None:
        self._replace_paths = replace_paths
        self._masker = masker
        self.found: list[AttributeChange] = []
        self.unchanged = 0

    def compare(
        self, path: tuple[Any, ...], before: Any, after: Any, hidden_before: Any, hidden_after: Any, unknown: Any
    ) -> None:
        """Note the differences below ``path``."""
        is_hidden = hidden_before is True or hidden_after is True
        if is_hidden or unknown is True or not self._goes_deeper(before, after, unknown):
            self._leaf(path, before, after, hidden_before, hidden_after, unknown)
            return
        for key in _keys(before, after, unknown):
            self.compare(
                (*path, key),
                part(before, key),
                part(after, key),
                part(hidden_before, key),
                part(hidden_after, key),
                part(unknown, key),
            )

    @staticmethod
    def _goes_deeper(before: Any, after: Any, unknown: Any) -> bool:
        sides = [side for side in (before, after, unknown) if side not in (None, False)]
        return bool(sides) and (
            all(isinstance(side, dict) for side in sides) or all(isinstance(side, list) for side in sides)
        )

    def _leaf(
        self, path: tuple[Any, ...], before: Any, after: Any, hidden_before: Any, hidden_after: Any, unknown: Any
    ) -> None:
        is_unknown = _any(unknown)
        if before is None and after is None and not is_unknown:
            return
        if before == after and type(before) is type(after) and not is_unknown:
            self.unchanged += 1
            return
        # As the engines do: a value that is sensitive on one side is shown on neither, since they are often the same.
        is_hidden = _any(hidden_before) or _any(hidden_after)
        self.found.append(
            AttributeChange(
                path=self._masker.text(_spell(path)),
                action="create" if before is None else "delete" if after is None and not is_unknown else "update",
                before=None if is_hidden else self._masker.value(before),
                after=None if is_hidden or is_unknown else self._masker.value(after),
                before_sensitive=is_hidden,
                after_sensitive=is_hidden,
                after_unknown=is_unknown,
                forces_replacement=any(path[: len(found)] == found for found in self._replace_paths),
            )
        )


def _any(marks: Any) -> bool:
    """Return whether a structure of marks holds a true one anywhere."""
    if isinstance(marks, dict):
        return any(_any(item) for item in marks.values())
    if isinstance(marks, list):
        return any(_any(item) for item in marks)
    return marks is True


def _keys(*sides: Any) -> Iterator[Any]:
    if any(isinstance(side, dict) for side in sides):
        yield from sorted({key for side in sides if isinstance(side, dict) for key in side})
    else:
        yield from range(max(len(side) for side in sides if isinstance(side, list)))


def _spell(path: tuple[Any, ...]) -> str:
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif step.replace("_", "").replace("-", "").isalnum():
            text += f".{step}" if text else step
        else:
            text += f"[{json.dumps(step, ensure_ascii=False)}]"
    return text
