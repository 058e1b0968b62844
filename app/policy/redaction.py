"""Builds the document that policies see, with every sensitive value replaced by a marker. Pure.

An engine's plan document marks what is sensitive beside the values, except in its copy of the configuration and in the
input variables; what is known to be secret from elsewhere is replaced there too.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from app.core.masking import LEAST_LENGTH, literal_forms, sensitive_texts
from app.core.texts import strings_in
from app.policy.schemas import PolicyDocument

SENSITIVE_MARKER = "(sensitive value)"
_CHANGED_VALUES = ("before", "after", "before_identity", "after_identity", "importing", "generated_config")


def build_input(
    plan_json: Mapping[str, Any],
    *,
    run: Mapping[str, Any],
    spec: Mapping[str, Any],
    workspace: Mapping[str, Any],
    actor: Mapping[str, Any],
    state_summary: Mapping[str, Any] | None,
    time: datetime,
    sensitive_variables: Collection[str] = (),
) -> PolicyDocument:
    """Return the policies' input for one plan.

    ``plan_json`` is the engine's plan document; it is not changed. ``sensitive_variables`` names the workspace's
    sensitive Terraform variables; where the configuration does not declare one sensitive, its value is replaced
    wherever it occurs, also in JSON, base64 or a URL. ``state_summary`` tells of the state before (serial, lineage,
    counts), None when there is none. ``time`` is the moment that policies take for now.
    """
    return PolicyDocument(
        plan=redact_plan(plan_json, sensitive_variables),
        run=dict(run),
        spec=dict(spec),
        workspace=dict(workspace),
        actor=dict(actor),
        state=None if state_summary is None else dict(state_summary),
        time=time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
    )


def redact_plan(plan_json: Mapping[str, Any], sensitive_variables: Collection[str] = ()) -> dict[str, Any]:
    """Return the plan document with the marker in place of every sensitive value; parts without any are shared."""
    secrets: set[str] = set()
    plan: Any = dict(plan_json)
    for name in ("resource_changes", "resource_drift"):
        if isinstance(plan.get(name), list):
            plan[name] = [_resource_change(item, secrets) for item in plan[name]]
    if isinstance(plan.get("deferred_changes"), list):
        plan["deferred_changes"] = [
            _at(item, "resource_change", lambda change: _resource_change(change, secrets))
            for item in plan["deferred_changes"]
        ]
    plan = _at(plan, "output_changes", lambda outputs: _each(outputs, lambda change: _change(change, secrets)))
    plan = _at(plan, "planned_values", lambda values: _state_values(values, secrets))
    plan = _at(plan, "prior_state", lambda state: _at(state, "values", lambda values: _state_values(values, secrets)))
    declared = set(_declared_sensitive(plan))
    untold: set[str] = set()
    plan = _at(plan, "variables", lambda variables: _variables(variables, set(sensitive_variables) - declared, untold))
    plan = _at(plan, "variables", lambda variables: _variables(variables, declared, secrets))
    plan = _at(plan, "configuration", lambda configuration: _configuration(configuration, secrets))
    # What is known to be secret is looked for in values alone: by choosing it, nobody may hide what a plan does.
    known = frozenset(text for text in secrets if len(text) >= LEAST_LENGTH)
    if known:
        plan = _written_out(plan, lambda value: _without(value, known))
    # Of these the configuration does not say that they are sensitive, so the engine marked nothing that they flow into.
    needles = _spelled(untold)
    return _untold(plan, needles) if needles else plan


def _spelled(secrets: Collection[str]) -> tuple[str, ...]:
    """Return what to look for: the secrets and each line of them, as functions of a configuration may write them."""
    texts = {text for secret in secrets for text in sensitive_texts(secret, is_hcl=False)}
    return literal_forms(texts)


def _at(parent: Any, name: str, change: Callable[[Any], Any]) -> Any:
    """Return ``parent`` with ``change`` applied to its member ``name``, when both are there."""
    if not isinstance(parent, dict) or parent.get(name) is None:
        return parent
    return {**parent, name: change(parent[name])}


def _each(parent: Any, change: Callable[[Any], Any]) -> Any:
    return {name: change(value) for name, value in parent.items()} if isinstance(parent, dict) else parent


def _every(parent: Any, change: Callable[[Any], Any]) -> Any:
    return [change(item) for item in parent] if isinstance(parent, list) else parent


def _resource_change(item: Any, secrets: set[str]) -> Any:
    return _at(item, "change", lambda change: _change(change, secrets))


def _change(change: Any, secrets: set[str]) -> Any:
    if not isinstance(change, dict):
        return change
    for name in ("before", "after"):
        marks = change.get(f"{name}_sensitive")
        if marks and name in change:
            change = {**change, name: _mask(change[name], marks, secrets)}
    # Configuration that the engine wrote for an import repeats the values, without marks.
    if change.get("generated_config") and (change.get("before_sensitive") or change.get("after_sensitive")):
        change = {**change, "generated_config": SENSITIVE_MARKER}
    return change


def _state_values(values: Any, secrets: set[str]) -> Any:
    values = _at(values, "outputs", lambda outputs: _each(outputs, lambda output: _output(output, secrets)))
    return _at(values, "root_module", lambda module: _module(module, secrets))


def _output(output: Any, secrets: set[str]) -> Any:
    if isinstance(output, dict) and output.get("sensitive") and "value" in output:
        return {**output, "value": _mask(output["value"], marks=True, secrets=secrets)}
    return output


def _module(module: Any, secrets: set[str]) -> Any:
    module = _at(module, "resources", lambda resources: [_resource(item, secrets) for item in resources])
    return _at(module, "child_modules", lambda children: [_module(child, secrets) for child in children])


def _resource(resource: Any, secrets: set[str]) -> Any:
    marks = resource.get("sensitive_values") if isinstance(resource, dict) else None
    return _at(resource, "values", lambda values: _mask(values, marks, secrets)) if marks else resource


def _declared_sensitive(plan: Mapping[str, Any]) -> Iterator[str]:
    root = (plan.get("configuration") or {}).get("root_module") or {}
    for name, item in (root.get("variables") or {}).items():
        if isinstance(item, dict) and item.get("sensitive"):
            yield name


def _variables(variables: Any, hidden: Collection[str], secrets: set[str]) -> Any:
    if not isinstance(variables, dict):
        return variables
    return {
        name: _at(item, "value", lambda value: _mask(value, marks=True, secrets=secrets)) if name in hidden else item
        for name, item in variables.items()
    }


def _configuration(value: Any, secrets: set[str]) -> Any:
    """Hide the defaults of sensitive variables and the constants of sensitive outputs, in every module."""
    if isinstance(value, list):
        return [_configuration(item, secrets) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("sensitive") is True:
        value = _at(value, "default", lambda default: _mask(default, marks=True, secrets=secrets))
        value = _at(value, "expression", lambda _: {"constant_value": SENSITIVE_MARKER})
    return {name: _configuration(item, secrets) for name, item in value.items()}


def _mask(value: Any, marks: Any, secrets: set[str]) -> Any:
    """Return ``value`` with the marker wherever ``marks`` (True, or the value's own shape) says so.

    Null stays null: that a thing has no value is not a secret, and policies tell create from update by it.
    """
    if not marks or value is None:
        return value
    if isinstance(marks, dict) and isinstance(value, dict):
        return {name: _mask(item, marks.get(name), secrets) for name, item in value.items()}
    if isinstance(marks, list) and isinstance(value, list):
        return [_mask(item, marks[index] if index < len(marks) else None, secrets) for index, item in enumerate(value)]
    secrets.update(strings_in(value))
    return SENSITIVE_MARKER


def _without(value: Any, secrets: frozenset[str]) -> Any:
    """Return ``value`` with the marker in place of every string that is a known secret."""
    if not secrets:
        return value
    if isinstance(value, str):
        return SENSITIVE_MARKER if value in secrets else value
    if isinstance(value, dict):
        return {name: _without(item, secrets) for name, item in value.items()}
    if isinstance(value, list):
        return [_without(item, secrets) for item in value]
    return value


def _untold(plan: dict[str, Any], needles: tuple[str, ...]) -> dict[str, Any]:
    """Return the plan with the marker in every value that holds one of ``needles``; what the engine says stays."""

    def hide(value: Any) -> Any:
        return _without_any(value, needles)

    def state(values: Any) -> Any:
        values = _at(values, "outputs", lambda outputs: _each(outputs, lambda output: _at(output, "value", hide)))
        return _at(values, "root_module", module)

    def module(found: Any) -> Any:
        found = _at(found, "resources", lambda items: _every(items, lambda item: _at(item, "values", hide)))
        return _at(found, "child_modules", lambda items: _every(items, module))

    def change(found: Any) -> Any:
        for name in _CHANGED_VALUES:
            found = _at(found, name, hide)
        return found

    for name in ("resource_changes", "resource_drift"):
        plan = _at(plan, name, lambda items: _every(items, lambda item: _at(item, "change", change)))
    plan = _at(
        plan,
        "deferred_changes",
        lambda items: _every(items, lambda item: _at(item, "resource_change", lambda one: _at(one, "change", change))),
    )
    plan = _at(plan, "output_changes", lambda outputs: _each(outputs, change))
    plan = _at(plan, "planned_values", state)
    plan = _at(plan, "prior_state", lambda prior: _at(prior, "values", state))
    return _written_out(plan, hide)


def _written_out(plan: dict[str, Any], hide: Callable[[Any], Any]) -> dict[str, Any]:
    """Hide in the values that came in: variables, and what the configuration writes out."""
    plan = _at(plan, "variables", lambda variables: _each(variables, lambda item: _at(item, "value", hide)))
    hidden: dict[str, Any] = _at(plan, "configuration", lambda configuration: _constants(configuration, hide))
    return hidden


def _constants(configuration: Any, hide: Callable[[Any], Any]) -> Any:
    """Hide in the values that a configuration writes out: defaults of variables, and constants in expressions."""

    def within(value: Any) -> Any:
        if isinstance(value, list):
            return [within(item) for item in value]
        if not isinstance(value, dict):
            return value
        return {name: hide(item) if name == "constant_value" else within(item) for name, item in value.items()}

    def holder(found: Any) -> Any:
        for name in ("expression", "expressions", "count_expression", "for_each_expression"):
            found = _at(found, name, within)
        found = _at(found, "provisioners", lambda items: _every(items, holder))
        return _at(found, "module", module)

    def module(found: Any) -> Any:
        found = _at(found, "variables", lambda items: _each(items, lambda item: _at(item, "default", hide)))
        found = _at(found, "resources", lambda items: _every(items, holder))
        for name in ("outputs", "module_calls"):
            found = _at(found, name, lambda items: _each(items, holder))
        return found

    configuration = _at(configuration, "provider_config", lambda items: _each(items, holder))
    return _at(configuration, "root_module", module)


def _without_any(value: Any, needles: tuple[str, ...]) -> Any:
    """Return ``value`` with the marker in place of every string, also of a key, that holds one of ``needles``."""
    if isinstance(value, str):
        return SENSITIVE_MARKER if any(needle in value for needle in needles) else value
    if isinstance(value, dict):
        found: dict[str, Any] = {}
        for name, item in value.items():
            key = _without_any(name, needles)
            # Several stay as many as they are.
            while key in found:
                key += " "
            found[key] = _without_any(item, needles)
        return found
    if isinstance(value, list):
        return [_without_any(item, needles) for item in value]
    return value
