"""Addresses: read as engines and states spell them, written as HCL that is nothing else."""

import pytest

from app.recovery import addresses
from app.recovery.addresses import AddressUnreadable


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("terraform_data.a", ("", "terraform_data", "a", None)),
        ("terraform_data.a[3]", ("", "terraform_data", "a", 3)),
        ('aws_x.y["k"]', ("", "aws_x", "y", "k")),
        ('aws_x.y["a.b[0]"]', ("", "aws_x", "y", "a.b[0]")),
        (r'aws_x.y["q\"b\\c\nd"]', ("", "aws_x", "y", 'q"b\\c\nd')),
        ('aws_x.y["$${z}"]', ("", "aws_x", "y", "${z}")),
        ('module.m["k"].module.n[1].aws_x.y', ("module.m['k'].module.n[1]", "aws_x", "y", None)),
        ("aws_x.größe", ("", "aws_x", "größe", None)),
    ],
)
def test_place_of_address_is_read(address: str, place: tuple[object, ...]) -> None:
    assert addresses.place_of(address) == place


def test_module_of_engine_and_state_are_the_same_place() -> None:
    engine = addresses.place_of('module.m["$${a}é"].aws_x.y[0]')
    state = addresses.normal(('module.m["$${a}é"]', "aws_x", "y", 0))
    assert engine == state


@pytest.mark.parametrize(
    "address", ["", "a", "a..b", "a.b[", 'a.b["x]', "a.b c", "data.a.b", "a.b\n}", "a.b[-1]", "1a.b"]
)
def test_text_that_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(AddressUnreadable):
        addresses.place_of(address)


def test_key_is_written_as_a_literal_and_never_as_a_template() -> None:
    text = addresses.hcl(addresses.parse('module.m["$${evil}"].aws_x.y["a\\"b"]'))
    assert "${" not in text
    assert text.endswith('.aws_x.y["a\\"b"]')
