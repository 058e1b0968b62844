"""How long an answer asks to wait."""

import httpx
import pytest

from app.core.retry_after import retry_after


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("0.25", 0.25),
        (" 7 ", 7.0),
        ("61", 60.0),
        ("9" * 5000, 60.0),
        ("0" * 9000 + "1", 60.0),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("nan", None),
        ("inf", None),
        ("1e3", None),
        ("٣", None),
        ("Fri, 20 Nov 2026 14:09:53 GMT", None),
    ],
)
def test_retry_after_reads_seconds_and_nothing_else(said: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": said}, longest=60) == seconds


def test_retry_after_takes_the_first_header_that_says_seconds() -> None:
    names = ("retry-after", "x-ratelimit-reset")
    headers = httpx.Headers({"Retry-After": "soon", "X-RateLimit-Reset": "9"})
    assert retry_after(headers, names=names) == 9.0
    assert retry_after(headers) is None
