import pytest

from app.state import chunking
from tests.state import states


@pytest.fixture(scope="module")
def big() -> bytes:
    return states.document([states.resource(number) for number in range(1000)])


@pytest.mark.parametrize("is_compact", [False, True])
def test_pieces_make_the_whole_again_and_are_bounded(big: bytes, is_compact: bool) -> None:
    data = states.compact(big) if is_compact else big
    found = chunking.pieces(data)
    assert b"".join(found) == data
    assert len(found) > 3
    assert max(map(len, found)) <= chunking.MOST_BYTES


@pytest.mark.parametrize("data", [b"", b"{}", b"\n\n\n", b"x" * 300_000, b"}" * 100_000])
def test_pieces_of_odd_content_make_the_whole_again(data: bytes) -> None:
    assert b"".join(chunking.pieces(data)) == data


@pytest.mark.parametrize("is_compact", [False, True])
def test_pieces_beside_a_change_stay(is_compact: bool) -> None:
    resources = [states.resource(number) for number in range(1000)]
    before = states.document(resources)
    # Inserted, so that everything after it lies elsewhere.
    after = states.document([*resources[:500], states.resource(5000), *resources[500:]])
    if is_compact:
        before, after = states.compact(before), states.compact(after)
    known = set(chunking.pieces(before))
    assert len([piece for piece in chunking.pieces(after) if piece not in known]) <= 3
