"""The tags of the resources that a plan changes, from its document: what approval conditions ask for.

Attributes as the providers name them: `tags` and `tags_all` (AWS, Azure), `labels` with what the provider adds
(Google), `metadata.labels` (Kubernetes), and blocks or lists of `key` and `value`.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from app.core.masking import Masker
from app.runner.port import ChangedTags
from app.runner.sides import part

ATTRIBUTES = ("tags", "tags_all", "tag", "labels", "effective_labels", "terraform_labels")
SINGLE = "tag"
"""As a text it is no resource's tag but the version of an image."""
NESTED = ("metadata",)
_NAMES = frozenset((*ATTRIBUTES, *NESTED))
SEPARATORS = ("=", ":")
"""Between key and value where a provider has tags as a list of texts."""
KEY_NAMES = ("key", "Key", "label")
MOST_KEYS = 200
MOST_VALUES = 50
LONGEST = 256


def of_changes(changes: Iterable[dict[str, Any]], masker: Masker) -> ChangedTags:
    """Return the tags before and after of these changes (`change` of a plan document's `resource_changes`).

    A value that is sensitive, known after apply, or longer than ``LONGEST`` characters is never told: its key stands
    for any value. So does one with more than ``MOST_VALUES`` values. Beyond ``MOST_KEYS`` keys, or where a whole set of
    tags is unknown, sensitive or a text of some provider's own form, the answer says that it is not complete.
    """
    found = _Found(masker)
    for change in changes:
        found.side(change.get("before"), change.get("before_sensitive"), None)
        found.side(change.get("after"), change.get("after_sensitive"), change.get("after_unknown"))
    return found.told()


class _Found:
    def __init__(self, masker: Masker) -> None:
        self._masker = masker
        self._values: defaultdict[str, set[str]] = defaultdict(set)
        self._any_value: set[str] = set()
        self._is_complete = True

    def told(self) -> ChangedTags:
        """Return what was found so far."""
        return ChangedTags(
            values={
                key: None if key in self._any_value else tuple(sorted(self._values[key]))
                for key in sorted({*self._values, *self._any_value})
            },
            is_complete=self._is_complete,
        )

    def side(self, values: Any, hidden: Any, unknown: Any) -> None:
        """Note the tags of one side of a change, with its sensitive and unknown structures."""
        if not (_may_hold_tags(values) or _may_hold_tags(unknown)):
            # As with most resources: nothing below would find any.
            return
        for name in ATTRIBUTES:
            known = part(values, name)
            if isinstance(known, str):
                self._is_complete = self._is_complete and (name == SINGLE or not known)
                continue
            self._set(known, part(hidden, name), part(unknown, name))
        for name in NESTED:
            inner, inner_hidden, inner_unknown = part(values, name), part(hidden, name), part(unknown, name)
            if inner_unknown is True:
                self._is_complete = False
            elif isinstance(inner, dict) or isinstance(inner_unknown, dict):
                self.side(inner, inner_hidden, inner_unknown)
            else:
                for index in range(max(_length(inner), _length(inner_unknown))):
                    self._nested(part(inner, index), part(inner_hidden, index), part(inner_unknown, index))

    def _nested(self, item: Any, hidden: Any, unknown: Any) -> None:
        if unknown is True:
            self._is_complete = False
        else:
            self.side(item, hidden, unknown)

    def _set(self, values: Any, hidden: Any, unknown: Any) -> None:
        if unknown is True or (hidden is True and values):
            self._is_complete = False
            return
        if isinstance(values, dict) or isinstance(unknown, dict):
            known = values if isinstance(values, dict) else {}
            # What is known after apply is left out of the values.
            later = [key for key, mark in unknown.items() if mark] if isinstance(unknown, dict) else []
            for key in {*known, *later}:
                self._tag(key, known.get(key), is_told=not (part(hidden, key) or part(unknown, key)))
        elif isinstance(values, list) or isinstance(unknown, list):
            for index in range(max(_length(values), _length(unknown))):
                self._item(part(values, index), part(hidden, index), part(unknown, index))

    def _item(self, item: Any, hidden: Any, unknown: Any) -> None:
        """Note one of a list of tags: a text, or an object of a key and a value."""
        named = next((name for name in KEY_NAMES if name in item), "key") if isinstance(item, dict) else ""
        key = item.get(named) if isinstance(item, dict) else item
        is_key_told = not (hidden is True or unknown is True or part(hidden, named) or part(unknown, named))
        if not isinstance(key, str) or not is_key_told:
            self._is_complete = False
        elif isinstance(item, dict):
            is_told = not (part(hidden, "value") or part(unknown, "value"))
            self._tag(key, item.get("value", item.get("Value")), is_told=is_told)
        else:
            self._tag(key, "", is_told=True)
            for separator in SEPARATORS:
                head, separated, value = key.partition(separator)
                if separated:
                    self._tag(head, value, is_told=True)

    def _tag(self, key: str, value: Any, *, is_told: bool) -> None:
        is_new = key not in self._values and key not in self._any_value
        is_full = is_new and len(self._values.keys() | self._any_value) >= MOST_KEYS
        if is_full or len(key) > LONGEST or self._masker.text(key) != key:
            self._is_complete = False
            return
        text = _text(value) if is_told else None
        if text is None or len(text) > LONGEST or self._masker.text(text) != text:
            self._any_value.add(key)
            return
        values = self._values[key]
        values.add(text)
        if len(values) > MOST_VALUES:
            # Such as a name of each resource: no reason to hold them all.
            values.clear()
            self._any_value.add(key)


def _may_hold_tags(side: Any) -> bool:
    return side is True or (isinstance(side, dict) and not _NAMES.isdisjoint(side))


def _text(value: Any) -> str | None:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None


def _length(items: Any) -> int:
    return len(items) if isinstance(items, list) else 0
