"""Outgoing HTTP against real servers on loopback, with the resolver as the one thing that is scripted."""

import datetime as dt
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.core import outgoing
from app.core.outgoing import OutgoingFailed, OutgoingRefused, check_url, send
from app.core.outgoing_addresses import Allowed, is_public
from tests.support.receiver import running_receiver
from tests.support.waiting import PATIENCE_SECONDS

NOTHING = Allowed()
LOOPBACK = Allowed.parse(["127.0.0.0/8"])


def resolving(*answers: Sequence[str]) -> Callable[[str, int], Sequence[str]]:
    """A resolver that gives these answers in turn, and fails when it is asked once more."""
    left = list(answers)

    def resolve(_host: str, _port: int) -> Sequence[str]:
        assert left, "the name was resolved once more"
        return left.pop(0)

    return resolve


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.255.254",
        "0.0.0.0",
        "10.1.2.3",
        "172.31.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "100.100.100.200",
        "169.254.169.254",
        "168.63.129.16",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "198.18.0.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "64:ff9b::7f00:1",
        "64:ff9b::808:808",
        "64:ff9b:1::a00:1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "2600::5efe:7f00:1",
    ],
)
def test_address_that_is_not_of_the_public_internet_is_refused(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))
    with pytest.raises(OutgoingRefused, match="not an address of the public internet"):
        send("GET", "https://hooks.example.org/x", allowed=NOTHING, resolve=resolving([address]))
    literal = f"[{address}]" if ":" in address else address
    with pytest.raises(OutgoingRefused):
        check_url(f"https://{literal}/x", NOTHING)


@pytest.mark.parametrize("address", ["8.8.8.8", "203.0.114.1", "2606:4700::1111"])
def test_address_of_the_public_internet_is_permitted(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://hooks.example.org/", "no address of the web"),
        ("https:///path", "no address of the web"),
        ("hooks.example.org/x", "no address of the web"),
        ("https://hooks.example.org/a b", "no address of the web"),
        ("https://hooks.example.org/a\r\nX: y", "no address of the web"),
        ("https://user:secret@hooks.example.org/", "user or a password"),
        ("https://hooks.example.org:99999/", "no address"),
        ("https://[::1/", "no address"),
        ("http://8.8.8.8/", "without TLS"),
    ],
)
def test_url_that_is_none_to_send_to_is_refused(url: str, said: str) -> None:
    with pytest.raises(OutgoingRefused, match=said):
        check_url(url, NOTHING)


@pytest.mark.parametrize("written", ["127.1", "0x7f.0.0.1", "2130706433", "0177.0.0.1"])
def test_number_written_otherwise_is_judged_as_what_it_is(written: str) -> None:
    def as_the_system_reads_numbers(host: str, _port: int) -> Sequence[str]:
        return [socket.inet_ntoa(socket.inet_aton(host))]

    with pytest.raises(OutgoingRefused, match=r"resolves to 127\.0\.0\.1"):
        send("GET", f"https://{written}/", allowed=NOTHING, resolve=as_the_system_reads_numbers)


def test_name_of_this_machine_is_refused() -> None:
    with pytest.raises(OutgoingRefused, match=r"resolves to (127\.0\.0\.1|::1)"):
        send("GET", "https://localhost/", allowed=NOTHING)


def test_send_gives_what_came_back() -> None:
    with running_receiver() as receiver:
        answer = send("POST", f"{receiver.url}?a=b&c=%20", body=b"hello", headers={"X-One": "1"}, allowed=LOOPBACK)
        (got,) = receiver.got
    assert (answer.status, answer.body, answer.is_cut, answer.address) == (200, b"thanks", False, "127.0.0.1")
    assert (got.method, got.path, got.body, got.headers["x-one"]) == ("POST", "/hook?a=b&c=%20", b"hello", "1")
    assert got.headers["host"] == f"127.0.0.1:{receiver.port}"


def test_send_resolves_once_and_connects_to_what_was_judged() -> None:
    with running_receiver("127.0.0.2") as receiver, running_receiver("127.0.0.3") as other:
        url = f"http://hooks.example.org:{receiver.port}/x"
        allowed = Allowed.parse(["127.0.0.2"])
        answer = send("GET", url, allowed=allowed, resolve=resolving(["127.0.0.2"]))
        assert (answer.address, receiver.got[0].headers["host"]) == ("127.0.0.2", f"hooks.example.org:{receiver.port}")
        with pytest.raises(OutgoingRefused, match=r"resolves to 127\.0\.0\.3"):
            send("GET", url, allowed=allowed, resolve=resolving(["127.0.0.3"]))
        with pytest.raises(OutgoingRefused):
            send("GET", url, allowed=allowed, resolve=resolving(["127.0.0.2", "127.0.0.3"]))
    assert (len(receiver.got), len(other.got)) == (1, 0)


def test_send_follows_no_redirect() -> None:
    with running_receiver() as inner, running_receiver() as receiver:
        receiver.statuses, receiver.headers = [302], {"Location": inner.url}
        answer = send("POST", receiver.url, allowed=LOOPBACK)
    assert (answer.status, answer.is_success, answer.headers["location"]) == (302, False, inner.url)
    assert inner.got == []


def test_send_takes_the_next_address_when_one_does_not_answer() -> None:
    with running_receiver("127.0.0.5") as receiver:
        url = f"http://hooks.example.org:{receiver.port}/x"
        answer = send("GET", url, allowed=LOOPBACK, resolve=resolving(["127.0.0.4", "127.0.0.5"]))
    assert answer.address == "127.0.0.5"


def test_send_reads_no_more_than_it_may() -> None:
    with running_receiver() as receiver:
        receiver.body = b"x" * 100_000
        answer = send("GET", receiver.url, allowed=LOOPBACK, most_bytes=1000)
    assert (len(answer.body), answer.is_cut) == (1000, True)


def test_send_ends_at_its_time_however_often_a_byte_comes() -> None:
    with running_receiver() as receiver:
        receiver.body, receiver.trickle_seconds = b"x" * 1000, 0.05
        with pytest.raises(OutgoingFailed, match=r"within 0\.5 s"):
            send("GET", receiver.url, allowed=LOOPBACK, seconds=0.5)


def test_send_to_a_name_that_is_resolved_too_slowly_fails() -> None:
    go_on = threading.Event()

    def slow(_host: str, _port: int) -> Sequence[str]:
        go_on.wait(PATIENCE_SECONDS)
        return ["127.0.0.1"]

    with pytest.raises(OutgoingFailed, match="not resolved in time"):
        send("GET", "https://hooks.example.org/", allowed=NOTHING, seconds=0.1, resolve=slow)
    go_on.set()


def test_send_to_nobody_says_so() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(OutgoingFailed, match="Connection refused"):
            send("GET", f"http://127.0.0.1:{taken.getsockname()[1]}/", allowed=LOOPBACK)

    def unknown(_host: str, _port: int) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(OutgoingFailed, match="Name or service not known"):
        send("GET", "https://hooks.example.org/", allowed=NOTHING, resolve=unknown)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for hooks.example.org, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hooks.example.org")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("hooks.example.org")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "tls.pem"
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(made.public_bytes(pem) + private)
    return file


def test_tls_verifies_the_name_though_the_address_is_pinned(certificate: Path) -> None:
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate)
    trusting = ssl.create_default_context(cafile=str(certificate))
    with running_receiver(tls=serving) as receiver:

        def get(host: str, tls: ssl.SSLContext | None) -> outgoing.Answer:
            url = f"https://{host}:{receiver.port}/"
            return send("GET", url, allowed=LOOPBACK, resolve=resolving(["127.0.0.1"]), tls=tls)

        assert get("hooks.example.org", trusting).status == 200
        with pytest.raises(OutgoingFailed, match="certificate is not trusted"):
            get("other.example.org", trusting)
        with pytest.raises(OutgoingFailed, match="certificate is not trusted"):
            get("hooks.example.org", None)
        assert len(receiver.got) == 1


@pytest.mark.parametrize(
    ("entry", "host", "address", "port", "is_permitted"),
    [
        ("10.0.0.0/8", "a.example.org", "10.1.2.3", 443, True),
        ("10.0.0.0/8:8443", "a.example.org", "10.1.2.3", 443, False),
        ("10.0.0.0/8:8443", "a.example.org", "10.1.2.3", 8443, True),
        ("hooks.corp.example", "hooks.corp.example", "10.1.2.3", 443, True),
        ("hooks.corp.example", "Hooks.Corp.Example.", "10.1.2.3", 443, True),
        ("hooks.corp.example", "other.corp.example", "10.1.2.3", 443, False),
        ("*.corp.example", "other.corp.example", "10.1.2.3", 443, True),
        ("*.corp.example", "corp.example", "10.1.2.3", 443, False),
        ("*.corp.example", "evilcorp.example", "10.1.2.3", 443, False),
        ("hooks.corp.example", "hooks.corp.example", "127.0.0.1", 443, False),
        ("hooks.corp.example", "hooks.corp.example", "169.254.169.254", 443, False),
        ("127.0.0.1", "hooks.corp.example", "127.0.0.1", 443, True),
        ("[fd00::/8]:8443", "a.example.org", "fd00::1", 8443, True),
        ("fd00::/8", "a.example.org", "fd00::1", 443, True),
        ("64:ff9b::/96", "a.example.org", "64:ff9b::808:808", 443, True),
    ],
)
def test_allowed_permits_what_it_names(entry: str, host: str, address: str, port: int, is_permitted: bool) -> None:
    assert Allowed.parse([entry]).permits(host, ipaddress.ip_address(address), port) is is_permitted


@pytest.mark.parametrize("entry", ["a b", "x:y", "http://x", "10.0.0.0/8:0", "-.."])
def test_allowed_that_is_malformed_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match="neither|port"):
        Allowed.parse([entry])
