"""The tags that conditions of approval ask for, from plan documents as the providers write them."""

from typing import Any

from app.core.masking import Masker
from app.runner.port import ChangedTags
from app.runner.tags import LONGEST, MOST_KEYS, MOST_VALUES, of_changes
from tests.runner.test_runner_summary import change, summed


def found(*changes: dict[str, Any], secrets: tuple[str, ...] = ()) -> ChangedTags:
    return of_changes(changes, Masker(secrets))


def test_tags_before_and_after_of_what_changes_and_of_nothing_else() -> None:
    told = summed(
        change("new", ["create"], after={"tags": {"env": "prod"}, "tags_all": {"env": "prod", "cost": "7"}}),
        change("old", ["delete"], {"tags": {"env": "test"}}),
        change("moved", ["update"], {"tags": {"tier": "gold"}}, {"tags": {"tier": "silver"}}),
        change("still", ["no-op"], {"tags": {"still": "1"}}, {"tags": {"still": "1"}}),
        change("read", ["read"], None, {"tags": {"read": "1"}}),
        change("untagged", ["create"], after={"tags": None}),
    ).tags
    assert told == ChangedTags(values={"cost": ("7",), "env": ("prod", "test"), "tier": ("gold", "silver")})


def test_labels_of_other_providers_are_tags_too() -> None:
    told = found(
        {"before": None, "after": {"labels": {"env": "prod"}, "effective_labels": {"goog-managed": "true"}}},
        {"before": None, "after": {"metadata": [{"labels": {"app": "web"}, "name": "x"}]}},
        {"before": None, "after": {"tag": [{"key": "team", "value": "net", "propagate_at_launch": True}]}},
        {"before": None, "after": {"tags": ["http-server", "prod"]}},
        {"before": None, "after": {"labels": [{"label": "com.example.app", "value": "web"}]}},
        {"before": None, "after": {"tag": "v1.2", "tags": {}}},
    )
    assert told.is_complete
    assert told.values == {
        "app": ("web",),
        "com.example.app": ("web",),
        "env": ("prod",),
        "goog-managed": ("true",),
        "http-server": ("",),
        "prod": ("",),
        "team": ("net",),
    }


def test_texts_with_a_separator_are_tags_with_a_value_too() -> None:
    told = found({"before": None, "after": {"tags": ["env:prod", "tier=gold", "team:net=1"]}})
    assert (told.values["env"], told.values["tier"], told.values["team"]) == (("prod",), ("gold",), ("net=1",))
    assert told.values["env:prod"] == ("",)


def test_tags_as_one_text_are_not_known() -> None:
    assert not found({"before": {"tags": "prod;web"}, "after": None}).is_complete
    assert not found({"before": None, "after": {"labels": "prod"}}).is_complete
    assert found({"before": None, "after": {"tags": ""}}).is_complete


def test_labels_of_metadata_that_is_known_after_apply_are_not_known() -> None:
    for after, unknown in (
        ({}, {"metadata": {"labels": True}}),
        ({"metadata": []}, {"metadata": [{"labels": True}]}),
        ({"metadata": [None]}, {"metadata": [True]}),
    ):
        assert not found({"before": None, "after": after, "after_unknown": unknown}).is_complete, unknown


def test_sensitive_and_unknown_values_are_never_told_and_stand_for_any() -> None:
    told = found(
        {
            "before": {"tags": {"env": "s3cret-before", "plain": "1"}},
            "before_sensitive": {"tags": {"env": True}},
            "after": {"tags": {"owner": "s3cret-value", "note": "holds s3cret-value inside"}},
            "after_unknown": {"tags": {"created": True, "plain": False}},
        },
        secrets=("s3cret-value",),
    )
    assert told == ChangedTags(values={"created": None, "env": None, "note": None, "owner": None, "plain": ("1",)})
    assert "s3cret" not in told.model_dump_json()


def test_whole_sets_that_are_sensitive_or_unknown_make_it_incomplete() -> None:
    hidden = {"before": {"tags": {"env": "prod"}}, "before_sensitive": {"tags": True}, "after": None}
    everything = {"before": {"tags": {"env": "prod"}}, "before_sensitive": True, "after": None}
    unknown = {"before": None, "after": {}, "after_unknown": {"tags_all": True}}
    block = {"before": None, "after": {}, "after_unknown": {"metadata": True}}
    masked_key = {"before": None, "after": {"tags": {"s3cret-key": "1"}}}
    for one in (hidden, everything, unknown, block, masked_key):
        assert found(one, secrets=("s3cret-key",)) == ChangedTags(is_complete=False), one
    unmarked = {"before": {"tags": None}, "before_sensitive": {"tags": True}, "after": None}
    assert found(unmarked).is_complete


def test_numbers_are_bounded_and_what_is_left_out_counts_as_any() -> None:
    named = [{"before": None, "after": {"tags": {"Name": f"web-{n}", "env": "prod"}}} for n in range(MOST_VALUES + 1)]
    told = found(*named)
    assert told == ChangedTags(values={"Name": None, "env": ("prod",)})
    keys = {f"k{number:04}": "1" for number in range(MOST_KEYS + 5)}
    many = found({"before": None, "after": {"tags": keys}})
    assert (len(many.values), many.is_complete) == (MOST_KEYS, False)
    long = found({"before": None, "after": {"tags": {"env": "x" * (LONGEST + 1), "y" * (LONGEST + 1): "1"}}})
    assert long == ChangedTags(values={"env": None}, is_complete=False)
