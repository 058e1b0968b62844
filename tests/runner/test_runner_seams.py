import base64
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import OperationalError

from app.core import clock
from app.core.masking import Masker
from app.runner.feed import Feed
from app.runner.port import LeaseLost, ProgressRecord
from app.runner.seams import Seams

SECRET = "kJ8-very+long/secret_value=that&goes on and on 1234567890"


def line(text: str, stream: str = "stdout") -> ProgressRecord:
    return ProgressRecord.model_construct(at=clock.now(), kind="line", stream=stream, text=text, data={})


def through(masker: Masker, lines: list[str]) -> str:
    """Mask each line, then over their ends, as the reporter and the feed do."""
    seams = Seams(masker)
    return "\n".join(record.text for record in seams.masked([line(masker.shown(text)) for text in lines]))


@given(st.integers(1, len(SECRET) - 1), st.text("ab \t", max_size=5), st.sampled_from(["", "  ", "\t"]))
def test_seams_mask_a_value_that_is_broken_anywhere(at: int, before: str, indent: str) -> None:
    shown = through(Masker([SECRET]), [before + SECRET[:at], indent + SECRET[at:] + " after"])
    assert SECRET[:at][-6:] not in shown or at < 6
    assert SECRET[at:][:6] not in shown or len(SECRET) - at < 6
    assert shown.endswith(" after")


@given(st.integers(0, 40), st.sampled_from([16, 60, 64, 76]), st.booleans())
def test_seams_mask_base64_that_is_wrapped(shift: int, width: int, is_urlsafe: bool) -> None:
    encode = base64.urlsafe_b64encode if is_urlsafe else base64.b64encode
    encoded = encode(b"p" * shift + SECRET.encode() + b"more").decode()
    shown = through(Masker([SECRET]), textwrap.wrap(encoded, width))
    core = encode(b"p" * shift + SECRET.encode()).decode().rstrip("=")[(shift * 8 + 5) // 6 : -2]
    flat = shown.replace("\n", "")
    assert not any(core[at : at + 12] in flat for at in range(len(core) - 12))


def told(address: str, output: str) -> ProgressRecord:
    data = {"type": "provision_progress", "address": address, "output": output}
    text = f"{address}: (local-exec): {output}"
    return ProgressRecord.model_construct(at=clock.now(), kind="event", stream="stdout", text=text, data=data)


def test_seams_mask_what_a_provisioner_breaks_over_lines_beside_another() -> None:
    encoded = base64.b64encode(b"pp" + SECRET.encode() + b"more").decode()
    pieces = textwrap.wrap(encoded, 40)
    masker = Masker([SECRET])
    seams = Seams(masker)
    assert seams.may_go_on(told("a.b", SECRET[:20]))
    sent = [told("a.b", masker.shown(pieces[0])), told("c.d", "between"), told("a.b", masker.shown(pieces[1]))]
    shown = [*seams.masked(sent[:2]), *seams.masked(sent[2:])]
    assert shown[1] == sent[1]
    for record in (shown[0], shown[2]):
        assert record.text == f"a.b: (local-exec): {record.data['output']}"
    assert encoded[44:60] not in shown[2].text
    assert "***" in shown[2].text


def test_seams_mask_over_batches_and_leave_other_streams_alone() -> None:
    seams = Seams(Masker([SECRET]))
    assert seams.may_go_on(line("x " + SECRET[:20]))
    assert not seams.may_go_on(line("nothing of it"))
    seams.masked([line("x " + SECRET[:20])])
    [other, rest] = seams.masked([line("between", "stderr"), line(SECRET[20:] + " end")])
    assert (other.text, rest.text) == ("between", "*** end")


def test_feed_holds_a_line_that_may_go_on_until_the_next_one() -> None:
    sent: list[str] = []
    feed = Feed(
        lambda records: sent.extend(record.text for record in records), lambda _: None, seams=Seams(Masker([SECRET]))
    )
    feed.add(line("first"))
    feed.add(line("token: " + SECRET[:30]))
    feed.flush(0)
    feed.add(line(SECRET[30:]))
    feed.close(5)
    assert sent == ["first", "token: ***", "***"]


def test_feed_lets_a_line_go_that_only_looked_like_a_beginning() -> None:
    sent: list[str] = []
    feed = Feed(
        lambda records: sent.extend(record.text for record in records), lambda _: None, seams=Seams(Masker([SECRET]))
    )
    feed.add(line("ends with " + SECRET[:8]))
    assert feed.flush(5)
    feed.close(5)
    assert sent == ["ends with " + SECRET[:8]]


def test_feed_masks_the_rest_of_a_value_though_its_lines_were_sent_in_vain_before() -> None:
    sent: list[str] = []
    answers = iter([True, False, False, True])

    def append(records: list[ProgressRecord]) -> None:
        if not next(answers, True):
            raise OperationalError("the control plane is away", None, Exception())
        sent.extend(record.text for record in records)

    feed = Feed(append, lambda _: None, seams=Seams(Masker([SECRET])))
    feed.add(line("token: " + SECRET[:30]))
    assert feed.flush(5)
    feed.add(line(SECRET[30:]))
    feed.add(line("after"))
    feed.close(10)
    assert sent[1:] == ["***", "after"]


@pytest.mark.parametrize("error", [LeaseLost("gone"), OperationalError("away", None, Exception())])
def test_feed_masks_over_the_ends_of_lines_that_it_hands_on_for_evidence(error: Exception) -> None:
    kept: list[str] = []

    def append(_: list[ProgressRecord]) -> None:
        raise error

    feed = Feed(append, lambda records: kept.extend(record.text for record in records), seams=Seams(Masker([SECRET])))
    feed.add(line("token: " + SECRET[:30]))
    feed.add(line(SECRET[30:]))
    feed.close(0.1)
    assert kept == ["token: ***", "***"]
