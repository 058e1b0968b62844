import pytest

from app.executor import backend
from app.executor.errors import BackendRefused


@pytest.mark.parametrize(
    "content",
    [
        b"nope",
        b"[]",
        b'{"backend": "s3"}',
        b'{"backend": {"type": "local", "config": "here"}}',
        b"[" * 100_000,
        b'{"backend": {"type": "local", "config": ' + b'{"a": ' * 900 + b"1" + b"}" * 902,
    ],
    ids=["no JSON", "a list", "a text", "settings that are a text", "nested lists", "nested settings"],
)
def test_check_of_what_is_no_backend_is_refused(content: bytes) -> None:
    with pytest.raises(BackendRefused):
        backend.check(content, "local", {})


def test_check_of_nothing_is_the_local_backend() -> None:
    backend.check(None, "local", {})
    with pytest.raises(BackendRefused) as caught:
        backend.check(None, "s3", {})
    assert caught.value.fields["found"] == "local"
