"""Addresses: read as engines and states spell them."""

import pytest

from app.state import addresses
from app.state.errors import AddressUnreadable


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
    state = addresses.normal_place(('module.m["$${a}é"]', "aws_x", "y", 0))
    assert engine == state


@pytest.mark.parametrize(
    "address", ["", "a", "a..b", "a.b[", 'a.b["x]', "a.b c", "data.a.b", "a.b\n}", "a.b[-1]", "1a.b"]
)
def test_text_that_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(AddressUnreadable):
        addresses.place_of(address)
