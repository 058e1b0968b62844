"""Outgoing HTTP against real servers on loopback, with the resolver as the one thing that is scripted."""

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from app.core import outgoing
from app.core.outgoing import OutgoingFailed, OutgoingRefused, check_url, send
from app.core.outgoing_addresses import Allowed, is_public
from tests.support.certificates import serving, write_certificate
from tests.support.peers import drip, dripping_headers, read_head, running_peer
from tests.support.receiver import running_receiver
from tests.support.waiting import PATIENCE_SECONDS, until

NOTHING = Allowed()
LOOPBACK = Allowed.parse(["127.0.0.0/8"])
LARGE = 64 * 1024 * 1024


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
    return write_certificate(tmp_path / "tls.pem", "hooks.example.org")


def dripping_handshake(connection: socket.socket) -> None:
    connection.recv(65536)
    drip(connection, b"\x16\x03\x03\x40\x00" + b"\x02\x00\x3f\xfc" + b"a" * 150)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_send_ends_at_its_time_though_the_headers_drip(certificate: Path, scheme: str) -> None:
    trusting = ssl.create_default_context(cafile=str(certificate))
    with running_peer(dripping_headers, serving(certificate) if scheme == "https" else None) as port:
        url = f"{scheme}://hooks.example.org:{port}/"
        with pytest.raises(OutgoingFailed, match=r"within 0\.5 s"):
            send("POST", url, allowed=LOOPBACK, seconds=0.5, resolve=resolving(["127.0.0.1"]), tls=trusting)


def test_send_ends_at_its_time_though_the_peer_takes_little_by_little() -> None:
    taken: list[int] = []

    def talk(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        read_head(connection)
        size = 0
        while came := connection.recv(65536):
            size += len(came)
            if size >= LARGE // 2:
                break
            time.sleep(0.005)
        taken.append(size)

    with running_peer(talk) as port:
        with pytest.raises(OutgoingFailed, match=r"within 0\.5 s"):
            send("POST", f"http://127.0.0.1:{port}/", body=b"x" * LARGE, allowed=LOOPBACK, seconds=0.5)
        until(lambda: taken)
    assert taken[0] < LARGE // 2, "it was sent on and on beyond its time"


def test_send_ends_at_its_time_though_the_handshake_drips() -> None:
    with running_peer(dripping_handshake) as port, pytest.raises(OutgoingFailed, match=r"within 0\.5 s"):
        send("POST", f"https://127.0.0.1:{port}/", allowed=LOOPBACK, seconds=0.5)


def test_tls_verifies_the_name_though_the_address_is_pinned(certificate: Path) -> None:
    trusting = ssl.create_default_context(cafile=str(certificate))
    with running_receiver(tls=serving(certificate)) as receiver:

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
