"""The address of the artifact store, as ``SLUICE_ARTIFACTS_URL`` writes it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlsplit

Cloud = Literal["s3", "gs", "az"]

OPTIONS: Mapping[str, frozenset[str]] = {
    "s3": frozenset({"region", "endpoint"}),
    "gs": frozenset({"endpoint"}),
    "az": frozenset({"account", "endpoint"}),
}
_EXAMPLES = "/srv/sluice/artifacts, s3://bucket/prefix?region=eu-central-1, gs://bucket/prefix, az://container/prefix"


@dataclass(frozen=True)
class Directory:
    """A directory on this machine, or on a file system that every part mounts."""

    path: Path


@dataclass(frozen=True)
class Bucket:
    """A bucket (of Azure: a container), the prefix that all keys have there, and the options of the address."""

    cloud: Cloud
    name: str
    prefix: str
    options: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return the address without its options."""
        return f"{self.cloud}://{self.name}/{self.prefix}".rstrip("/")


def parse(text: str) -> Directory | Bucket:
    """Read an address: an absolute path, ``file:///…``, ``s3://…``, ``gs://…`` or ``az://…``.

    Raises ``ValueError`` that says what would be right. Credentials never stand in it: they come from each cloud's own
    environment variables, so that an address can be shown.
    """
    parts = urlsplit(text)
    if parts.scheme in {"", "file"}:
        path = Path(unquote(parts.path) if parts.scheme else text)
        if parts.netloc or not path.is_absolute():
            raise ValueError(f"should be an absolute path or an address, for example {_EXAMPLES}")
        return Directory(path)
    if parts.scheme not in OPTIONS:
        raise ValueError(f"should begin with file://, s3://, gs:// or az://, for example {_EXAMPLES}")
    if "@" in parts.netloc:
        raise ValueError(
            "should hold no credentials: set them in the environment variables that the cloud's tools read"
        )
    if not parts.netloc or parts.fragment:
        raise ValueError(f"should name a bucket, for example {_EXAMPLES}")
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    known = OPTIONS[parts.scheme]
    if wrong := sorted(name for name, value in given.items() if name not in known or not value):
        raise ValueError(
            f"has {', '.join(wrong)}, which {parts.scheme}:// does not take or which is empty; "
            f"it takes {', '.join(sorted(known))}"
        )
    endpoint = given.get("endpoint", "https://")
    if not endpoint.startswith(("http://", "https://")):
        raise ValueError("has an endpoint that should begin with https:// (or http://)")
    prefix = unquote(parts.path).strip("/")
    if any(part in {"", ".", ".."} for part in prefix.split("/")) and prefix:
        raise ValueError("has a prefix with an empty part, . or ..")
    cloud: Cloud = "s3" if parts.scheme == "s3" else "gs" if parts.scheme == "gs" else "az"
    return Bucket(cloud, parts.netloc, prefix, given)
