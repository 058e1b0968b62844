from hypothesis import given
from hypothesis import strategies as st

from app.executor.lines import Line, LineSplitter


def split(data: bytes, cuts: list[int], limit: int) -> list[Line]:
    found: list[Line] = []
    splitter = LineSplitter("stdout", limit, found.append)
    start = 0
    for cut in sorted(cut % (len(data) + 1) for cut in cuts):
        splitter.feed(data[start:cut])
        start = cut
    splitter.feed(data[start:])
    splitter.flush()
    return found


@given(st.text(), st.lists(st.integers(0, 1000), max_size=6), st.integers(4, 50))
def test_split_anywhere_loses_and_invents_nothing(text: str, cuts: list[int], limit: int) -> None:
    data = text.encode()
    joined = "".join(line.text + ("" if line.is_partial else "\n") for line in split(data, cuts, limit))
    expected = text.replace("\r\n", "\n")
    if not text.endswith("\n") and text:
        expected += "\n"
    if text.endswith("\r"):
        expected = expected.removesuffix("\r\n") + "\r\n"
    assert joined.replace("\r\n", "\n").rstrip("\r") == expected.replace("\r\n", "\n").rstrip("\r")
    assert all(len(line.text.encode()) <= limit for line in split(data, cuts, limit))


def test_characters_are_not_cut_in_two() -> None:
    lines = split("é".encode() * 10, [1, 5], 5)
    assert "".join(line.text for line in lines) == "é" * 10
    assert [line.is_partial for line in lines] == [True, True, True, True, False]


def test_bytes_that_are_no_text_are_replaced() -> None:
    assert [line.text for line in split(b"\xff\xfe\nok\n", [], 100)] == ["��", "ok"]
