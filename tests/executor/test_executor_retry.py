import pytest

from app.executor.retry import RetryPolicy, is_transient, may_pass


def test_wait_doubles_up_to_its_limit_and_then_gives_up() -> None:
    policy = RetryPolicy(attempts=5, first_seconds=1, longest_seconds=3)
    assert [policy.wait_after(attempt) for attempt in range(1, 6)] == [1, 2, 3, 3, None]


@pytest.mark.parametrize(
    "message",
    [
        "dial tcp 10.0.0.1:443: connect: connection refused",
        "read tcp: connection reset by peer",
        "net/http: TLS handshake timeout",
        "dial tcp: lookup registry.opentofu.org: no such host",
        "could not query provider registry: 503 Service Unavailable",
        "the request failed after 2 attempts, please try again later: 502 Bad Gateway",
        "unexpected EOF",
        "context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
        "fatal: Could not resolve host: example.invalid",
        "open provider: text file busy",
    ],
)
def test_failure_of_the_network_may_pass(message: str) -> None:
    assert is_transient([message])


@pytest.mark.parametrize(
    "message",
    [
        "no available releases match the given constraints 5.0.0",
        "provider registry.terraform.io/x/y was not found in any of the search locations",
        "Unsupported argument",
        "401 Unauthorized",
        "resource aws_instance.web502 is not declared",
        "the checksum does not match the lock file",
    ],
)
def test_failure_of_the_configuration_stays(message: str) -> None:
    assert not is_transient([message])


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ([], False),
        (["connection reset by peer", "503 Service Unavailable"], True),
        (["connection reset by peer", "no available releases match the given constraints"], False),
        (["GET https://x.invalid/p.zip giving up after 3 attempt(s)"], True),
        (["failed to retrieve authentication checksums: 500 Internal Server Error returned from x.invalid"], True),
        (["archive has incorrect checksum zh:1 (expected zh:2): unexpected EOF"], False),
        (["bad response code: 503"], True),
        (["bad response code: 404"], False),
    ],
)
def test_init_may_pass_when_each_of_its_errors_may(errors: list[str], expected: bool) -> None:
    assert may_pass(errors) is expected
