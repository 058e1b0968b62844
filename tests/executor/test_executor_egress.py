"""The rules of egress, one by one."""

import pytest

from app.executor import egress
from app.executor.egress import Endpoint, Policy, Refusal
from app.executor.errors import EgressInvalid

NAMES = {
    "registry.opentofu.org": ["104.18.0.1", "2606:4700::1"],
    "s3.eu-central-1.amazonaws.com": ["52.219.0.1"],
    "rebound.amazonaws.com": ["10.0.0.5"],
    "metadata.amazonaws.com": ["169.254.169.254"],
    "git.corp": ["10.1.2.3"],
    "sly.example": ["127.0.0.1"],
    "mixed.amazonaws.com": ["10.0.0.5", "52.219.0.9"],
    "azure.example": ["168.63.129.16"],
    "mapped.amazonaws.com": ["::ffff:169.254.169.254"],
    "nat64.amazonaws.com": ["64:ff9b::a9fe:a9fe"],
    "sluice.internal": ["172.18.0.2"],
}


def judged(rules: str, host: str, port: int = 443, backend: Endpoint | None = None) -> list[str] | Refusal:
    return Policy(egress.parse(rules.split(",")), backend).judge(host, port, lambda name, _: NAMES[name])


@pytest.mark.parametrize(
    ("rules", "host", "port", "expected"),
    [
        ("registry.opentofu.org", "registry.opentofu.org", 443, NAMES["registry.opentofu.org"]),
        ("registry.opentofu.org", "REGISTRY.opentofu.org.", 80, NAMES["registry.opentofu.org"]),
        ("*.amazonaws.com", "s3.eu-central-1.amazonaws.com", 443, ["52.219.0.1"]),
        ("*.amazonaws.com", "mixed.amazonaws.com", 443, ["52.219.0.9"]),
        ("git.corp:8443", "git.corp", 8443, ["10.1.2.3"]),
        ("*.amazonaws.com,10.0.0.0/8", "rebound.amazonaws.com", 443, ["10.0.0.5"]),
        ("10.0.0.0/8", "10.2.3.4", 443, ["10.2.3.4"]),
        ("[fd12::1]:8200", "fd12::1", 8200, ["fd12::1"]),
        ("127.0.0.1:9000", "127.0.0.1", 9000, ["127.0.0.1"]),
        ("169.254.169.254", "169.254.169.254", 80, ["169.254.169.254"]),
    ],
)
def test_judge_what_a_rule_names_is_reached(rules: str, host: str, port: int, expected: list[str]) -> None:
    assert judged(rules, host, port) == expected


@pytest.mark.parametrize(
    ("rules", "host", "port"),
    [
        ("registry.opentofu.org", "evil.example", 443),
        ("registry.opentofu.org", "registry.opentofu.org", 22),
        ("registry.opentofu.org", "xregistry.opentofu.org", 443),
        ("*.amazonaws.com", "amazonaws.com", 443),
        ("*.amazonaws.com", "amazonaws.com.evil.example", 443),
        ("git.corp:8443", "git.corp", 443),
        ("10.0.0.0/8", "11.0.0.1", 443),
        ("10.0.0.0/8", "::ffff:11.0.0.1", 443),
        ("*.amazonaws.com", "52.219.0.1", 443),
    ],
)
def test_judge_what_no_rule_names_is_refused_and_not_resolved(rules: str, host: str, port: int) -> None:
    def never(_: str, __: int) -> list[str]:
        raise AssertionError("a refused name must not be asked for: that is a way out, too")

    found = Policy(egress.parse(rules.split(","))).judge(host, port, never)
    assert found == Refusal("not in SLUICE_EGRESS_HOSTS")


@pytest.mark.parametrize(
    ("rules", "host"),
    [
        ("*.amazonaws.com", "rebound.amazonaws.com"),
        ("*.amazonaws.com", "metadata.amazonaws.com"),
        ("metadata.amazonaws.com", "metadata.amazonaws.com"),
        ("sly.example", "sly.example"),
        ("azure.example", "azure.example"),
        ("*.amazonaws.com", "mapped.amazonaws.com"),
        ("*.amazonaws.com", "nat64.amazonaws.com"),
    ],
)
def test_judge_a_name_that_leads_inside_is_refused_and_says_where_to(rules: str, host: str) -> None:
    found = judged(rules, host)
    assert isinstance(found, Refusal)
    assert NAMES[host][0] in found.reason


def test_judge_the_backend_is_reached_without_a_rule() -> None:
    backend = Endpoint.of_url("http://sluice.internal:8080/terraform/state/ws-1")
    assert judged("", "sluice.internal", 8080, backend) == ["172.18.0.2"]
    assert isinstance(judged("", "sluice.internal", 5432, backend), Refusal)


@pytest.mark.parametrize(
    ("url", "is_loopback"),
    [
        ("http://127.0.0.1:8080/x", True),
        ("http://localhost/x", True),
        ("http://[::1]:8080/x", True),
        ("https://sluice.example/x", False),
    ],
)
def test_endpoint_knows_loopback(url: str, is_loopback: bool) -> None:
    found = Endpoint.of_url(url)
    assert found is not None
    assert found.is_loopback is is_loopback


@pytest.mark.parametrize("text", ["https://x.org", "*", "*.org", "a b", "host:99999", "host:x", "10.0.0.0/99", "1.2.3"])
def test_parse_what_is_no_rule_is_named(text: str) -> None:
    with pytest.raises(EgressInvalid, match="SLUICE_EGRESS_HOSTS"):
        egress.parse([text])
