"""Which addresses Sluice may send to: the public internet's, and what an operator permits beyond.

Refused are private, shared, loopback, link-local, unspecified, multicast, reserved and documentation ranges, and
everything that carries another address inside (IPv4-mapped and -compatible, NAT64, 6to4, Teredo, ISATAP).
"""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
_CARRIERS = tuple(
    ipaddress.IPv6Network(text)
    for text in ("::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16", "fec0::/10")
)
"""Compatible, mapped, NAT64 (RFC 6052, RFC 8215), Teredo, 6to4; and site-local, which no property names."""
_SERVICES = tuple(ipaddress.IPv4Network(text) for text in ("168.63.129.16/32", "192.88.99.0/24", "192.0.0.0/24"))
"""Public by number only: Azure's host service, relays of 6to4, and protocol assignments (RFC 6890)."""
_PRIVATE = tuple(
    ipaddress.ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
)


@dataclass(frozen=True)
class _Entry:
    name: str | None
    network: Network | None
    port: int | None


@dataclass(frozen=True)
class Allowed:
    """What is permitted beyond the public internet, and reached without TLS, too.

    A range permits what lies in it. A name (or ``*.`` and a domain) permits what it resolves to in private ranges;
    loopback and link-local addresses are permitted by their own number only, whatever a name resolves to.
    """

    entries: tuple[_Entry, ...] = ()

    @classmethod
    def parse(cls, texts: Iterable[str]) -> "Allowed":
        """Read names, addresses and ranges, each with ``:port`` if it is for that port only. Raises ``ValueError``."""
        return cls(tuple(_entry(text.strip()) for text in texts if text.strip()))

    def names(self, host: str, port: int) -> bool:
        """Whether an entry names the host."""
        return any(
            entry.name is not None and _is_port(entry, port) and _is_named(entry.name, host) for entry in self.entries
        )

    def holds(self, address: Address, port: int) -> bool:
        """Whether a range holds the address."""
        return any(
            entry.network is not None and _is_port(entry, port) and address in entry.network for entry in self.entries
        )

    def permits(self, host: str, address: Address, port: int) -> bool:
        """Whether a connection to ``address``, which ``host`` resolved to, may be made."""
        if is_public(address) or self.holds(address, port):
            return True
        return self.names(host, port) and any(address in network for network in _PRIVATE)


def is_public(address: Address) -> bool:
    """Whether an address is one of the public internet, and carries no other."""
    if isinstance(address, ipaddress.IPv6Address):
        is_isatap = address.packed[8:12] in {b"\x00\x00\x5e\xfe", b"\x02\x00\x5e\xfe"}
        if is_isatap or any(address in network for network in _CARRIERS):
            return False
    elif any(address in network for network in _SERVICES):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _entry(text: str) -> _Entry:
    host, port = text, None
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = _entry_port(text, rest.removeprefix(":")) if rest else None
    elif text.count(":") == 1:
        host, _, rest = text.partition(":")
        port = _entry_port(text, rest)
    try:
        return _Entry(None, ipaddress.ip_network(host, strict=False), port)
    except ValueError:
        name = host.removeprefix("*.").rstrip(".").lower()
        if not _NAME.fullmatch(name):
            raise ValueError(f"{text!r} is neither a name, an address nor a range") from None
        return _Entry(f"*.{name}" if host.startswith("*.") else name, None, port)


def _entry_port(text: str, port: str) -> int:
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"{text!r} has a port that is none")
    return int(port)


def _is_port(entry: _Entry, port: int) -> bool:
    return entry.port is None or entry.port == port


def _is_named(name: str, host: str) -> bool:
    host = host.rstrip(".").lower()
    return host.endswith(name[1:]) if name.startswith("*.") else host == name
