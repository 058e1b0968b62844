"""What is advised: import blocks that are literals, words that say what to look at."""

from datetime import UTC, datetime
from typing import Any

import pytest

from app.recovery.advice import advise, exists_in_states_only, import_block
from app.recovery.reconciling import Lost

AWS = "registry.opentofu.org/hashicorp/aws"


def lost(**facts: Any) -> Lost:
    said = {
        "address": "aws_sqs_queue.orders",
        "action": "create",
        "change": "create",
        "outcome": "created",
        "reason": "…",
        "provider": AWS,
        "type": "aws_sqs_queue",
        "id_key": "id",
        "resource_id": "https://q/1",
    }
    return Lost.model_validate(said | facts)


def test_created_resource_has_an_import_block_and_nothing_to_check() -> None:
    found = advise(lost(), is_address_taken=False)
    assert found.import_block == 'import {\n  to = aws_sqs_queue.orders\n  id = "https://q/1"\n}\n'
    assert found.check is None


@pytest.mark.parametrize("hostile", ['"\n}\nresource "x" "y" {}', '${file("/etc/passwd")}', "%{ if true }", "a\\"])
def test_hostile_id_stays_one_literal(hostile: str) -> None:
    block = import_block("aws_x.y", hostile)
    assert block is not None
    assert block.count("\n") == 4
    assert "${" not in block
    assert "%{" not in block


def test_id_that_hcl_cannot_say_has_no_block_and_a_hint() -> None:
    assert import_block("aws_x.y", "a\x00b") is None
    found = advise(lost(resource_id="a\x00b"), is_address_taken=False)
    assert found.import_block is None
    assert "by hand" in str(found.check)


def test_id_that_is_a_name_says_so_in_the_block() -> None:
    block = advise(lost(id_key="name", resource_id="orders"), is_address_taken=False).import_block
    assert str(block).startswith("# this is its name")


def test_label_alone_is_no_id() -> None:
    found = advise(lost(id_key="tags.Name", resource_id="orders"), is_address_taken=False)
    assert found.import_block is None
    assert "orders" in str(found.check)


def test_hidden_id_is_not_in_the_advice() -> None:
    found = advise(lost(resource_id="", is_id_hidden=True), is_address_taken=False)
    assert found.import_block is None
    assert "sensitive" in str(found.check)


def test_taken_address_is_warned_about() -> None:
    found = advise(lost(), is_address_taken=True)
    assert "state rm 'aws_sqs_queue.orders'" in str(found.check)


def test_unknown_creation_says_where_to_look_for_what_since_when() -> None:
    at = datetime(2026, 11, 21, 8, 30, tzinfo=UTC)
    item = lost(outcome="unknown", resource_id="", id_key="", started_at=at, hints={"name": "orders"})
    found = advise(item, is_address_taken=False)
    assert found.import_block is None
    assert str(found.import_template).endswith('id = ""\n}\n')
    for part in (AWS, "aws_sqs_queue", "name = 'orders'", "2026-11-21 08:30:00 UTC"):
        assert part in str(found.check)


@pytest.mark.parametrize(
    ("provider", "is_so"),
    [
        ("terraform.io/builtin/terraform", True),
        ("registry.opentofu.org/hashicorp/random", True),
        ("registry.terraform.io/hashicorp/tls", True),
        ("registry.opentofu.org/acme/random", False),
        (AWS, False),
        ("", False),
    ],
)
def test_providers_that_make_entries_of_a_state_only(provider: str, is_so: bool) -> None:
    assert exists_in_states_only(provider) is is_so


def test_resource_of_such_a_provider_is_not_imported_but_the_built_in_one() -> None:
    random = advise(lost(provider="registry.opentofu.org/hashicorp/random"), is_address_taken=False)
    assert random.import_block is None
    assert "plan again" in str(random.check)
    built_in = advise(lost(provider="terraform.io/builtin/terraform"), is_address_taken=False)
    assert built_in.import_block is not None


def test_destroyed_resource_is_planned_again_or_taken_out_of_the_state() -> None:
    gone = lost(action="delete", change="delete", outcome="destroyed")
    found = advise(gone, is_address_taken=False)
    assert "state rm 'aws_sqs_queue.orders'" in str(found.check)
    assert "removed { from = aws_sqs_queue.orders }" in str(found.check)
    keyed = advise(gone.model_copy(update={"address": 'aws_x.y["it\'s"]'}), is_address_taken=False)
    assert "removed {" not in str(keyed.check)
    assert "'aws_x.y[\"it'\\''s\"]'" in str(keyed.check)
