"""Which addresses an engine without a network of its own may reach: the rules, and how one is judged.

A rule is a host name (`registry.opentofu.org`), all names below one (`*.amazonaws.com`), an address or a range
(`10.1.0.0/16`), each with or without a port; without one, 443 and 80. Names are resolved here, not by the engine, and
what a name resolves to is judged, too: an address of the inside needs a rule that says so.
"""

import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from app.executor.errors import EgressInvalid

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Sequence[str]]
_DEFAULT_PORTS = frozenset({80, 443})
_MOST_PORT = 65535
_NAME = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
# Clouds answer here with the credentials of the machine; not all of these are link-local.
_METADATA = frozenset(
    map(ipaddress.ip_address, ("169.254.169.254", "168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254"))
)
_EMBEDDED = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))


@dataclass(frozen=True)
class Rule:
    """What may be reached: ``host`` (a name, with ``is_wildcard`` all below it) or ``network``, at ``ports``."""

    text: str
    host: str = ""
    is_wildcard: bool = False
    network: ipaddress.IPv4Network | ipaddress.IPv6Network | None = None
    ports: frozenset[int] = _DEFAULT_PORTS

    def names(self, host: str, port: int) -> bool:
        """Return whether the rule speaks of the name ``host``."""
        if port not in self.ports or not self.host:
            return False
        return host.endswith(f".{self.host}") if self.is_wildcard else host == self.host

    def covers(self, address: Address, port: int) -> bool:
        """Return whether the rule speaks of the address itself."""
        return (
            self.network is not None
            and port in self.ports
            and address.version == self.network.version
            and address in self.network
        )


@dataclass(frozen=True)
class Refusal:
    """Why something may not be reached, as a sentence for the run's log."""

    reason: str


@dataclass(frozen=True)
class Endpoint:
    """A host and a port, such as those of the managed state backend."""

    host: str
    port: int

    @classmethod
    def of_url(cls, url: str) -> "Endpoint | None":
        """Return where a URL leads; None when it names no host."""
        parts = urlsplit(url)
        if not parts.hostname:
            return None
        return cls(parts.hostname.lower(), parts.port or (443 if parts.scheme == "https" else 80))

    @property
    def is_loopback(self) -> bool:
        """Whether it is this machine by its loopback, which HTTP clients never ask a proxy for."""
        if self.host == "localhost" or self.host.endswith(".localhost"):
            return True
        address = _as_address(self.host)
        return address is not None and address.is_loopback


def parse(texts: Sequence[str]) -> tuple[Rule, ...]:
    """Return the rules that the setting ``SLUICE_EGRESS_HOSTS`` lists. Raises ``EgressInvalid``."""
    return tuple(_rule(text.strip().lower().rstrip(".")) for text in texts if text.strip())


class Policy:
    """Judges one engine's connections. ``backend`` is its state's, which it may always reach."""

    def __init__(self, rules: Sequence[Rule], backend: Endpoint | None = None) -> None:
        self._rules = tuple(rules)
        self.backend = backend

    def judge(self, host: str, port: int, resolve: Resolve | None = None) -> list[str] | Refusal:
        """Return the addresses at which ``host`` may be reached, in the resolver's order, or why it may not.

        Raises ``OSError`` when an allowed name can't be resolved.
        """
        resolve = resolve or _resolve
        host = host.lower().rstrip(".")
        if self.backend is not None and (host, port) == (self.backend.host, self.backend.port):
            return list(resolve(host, port))
        literal = _as_address(host)
        if literal is not None:
            if any(rule.covers(address, port) for rule in self._rules for address in _faces(literal)):
                return [str(literal)]
            return Refusal("not in SLUICE_EGRESS_HOSTS")
        named = [rule for rule in self._rules if rule.names(host, port)]
        if not named:
            return Refusal("not in SLUICE_EGRESS_HOSTS")
        found = list(resolve(host, port))
        allowed = [text for text in found if self._may_reach(ipaddress.ip_address(text.partition("%")[0]), port, named)]
        if found and not allowed:
            return Refusal(
                f"it resolves to {found[0]}, which is not a public address; SLUICE_EGRESS_HOSTS has to name that, too"
            )
        return allowed

    def _may_reach(self, address: Address, port: int, named: Sequence[Rule]) -> bool:
        faces = _faces(address)
        if any(rule.covers(face, port) for rule in self._rules for face in faces):
            return True
        if any(_is_guarded(face) for face in faces):
            return False
        # Who writes one internal name means it; of all names below a domain nobody knows where they lead.
        return all(face.is_global for face in faces) or any(not rule.is_wildcard for rule in named)


def _rule(text: str) -> Rule:
    host, ports = text, _DEFAULT_PORTS
    bracketed = re.fullmatch(r"\[([^\]]+)\](?::(\d+))?", text)
    if bracketed is not None:
        host, number = bracketed.group(1), bracketed.group(2)
    elif text.count(":") == 1:
        host, _, number = text.partition(":")
    else:
        number = None
    if number is not None:
        if not number.isdigit() or not 0 < int(number) <= _MOST_PORT:
            raise _invalid(text)
        ports = frozenset({int(number)})
    try:
        return Rule(text, network=ipaddress.ip_network(host, strict=False), ports=ports)
    except ValueError:
        pass
    is_wildcard = host.startswith("*.")
    name = host.removeprefix("*.")
    if not _NAME.fullmatch(name) or (is_wildcard and "." not in name) or name.replace(".", "").isdigit():
        raise _invalid(text)
    return Rule(text, host=name, is_wildcard=is_wildcard, ports=ports)


def _invalid(text: str) -> EgressInvalid:
    return EgressInvalid(
        f"SLUICE_EGRESS_HOSTS: {text!r} is no rule. Write a host name, `*.` and a domain, an address or a range, "
        "each with `:port` if it is not 443 or 80: registry.opentofu.org, *.amazonaws.com, 10.1.0.0/16, git.test:8443.",
        rule=text,
    )


def _as_address(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None


def _faces(address: Address) -> tuple[Address, ...]:
    """Return the address and the IPv4 one that lies in it: a way in must not be hidden in another notation."""
    if isinstance(address, ipaddress.IPv4Address):
        return (address,)
    inner = address.ipv4_mapped or address.sixtofour
    if inner is None and any(address in network for network in _EMBEDDED):
        inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if inner is None:
        return (address,)
    return (inner,) if address.ipv4_mapped is not None else (address, inner)


def _is_guarded(address: Address) -> bool:
    return (
        address in _METADATA
        or address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_unspecified
    )


def _resolve(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))
