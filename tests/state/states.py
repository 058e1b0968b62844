"""Made-up states, written as engines write them: indented by two, keys in the engine's order."""

import hashlib
import json
from typing import Any

LINEAGE = "5d3f6f3e-0000-4000-8000-000000000002"


def token(*parts: object, length: int = 32) -> str:
    """Return a text that looks random and is the same each time."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:length]


def resource(number: int, *, size: int = 400, revision: int = 0, sensitive: str | None = None) -> dict[str, Any]:
    """Return one resource with some ``size`` bytes of attributes; ``revision`` changes one of them."""
    attributes = {
        "id": f"i-{token('id', number, length=17)}",
        "arn": f"arn:aws:ec2:eu-central-1:123456789012:instance/i-{token('id', number, length=17)}",
        "instance_type": "t3.medium",
        "private_ip": f"10.{number // 65536 % 256}.{number // 256 % 256}.{number % 256}",
        "tags": {"Name": f"web-{number}", "Environment": "production", "Revision": str(revision)},
        "user_data": "".join(
            token("user_data", number, block, length=64)
            if block % 4 == 0
            else "systemctl enable --now web.service; ".ljust(64)
            for block in range(size // 64)
        ),
    }
    if sensitive is not None:
        attributes["password"] = sensitive
    return {
        "module": f"module.cell[{number % 20}]",
        "mode": "managed",
        "type": "aws_instance" if number % 2 else "aws_eip",
        "name": f"web_{number}",
        "provider": 'module.cell.provider["registry.opentofu.org/hashicorp/aws"]',
        "instances": [
            {
                "schema_version": 1,
                "attributes": attributes,
                "sensitive_attributes": [[{"type": "get_attr", "value": "password"}]] if sensitive else [],
                "private": "eyJzY2hlbWFfdmVyc2lvbiI6IjEifQ==",
                "dependencies": ["aws_vpc.main", "aws_subnet.main"],
            }
        ],
    }


def document(
    resources: list[dict[str, Any]], serial: int = 1, *, outputs: dict[str, Any] | None = None, lineage: str = LINEAGE
) -> bytes:
    """Return a state as an engine writes it."""
    state = {
        "version": 4,
        "terraform_version": "1.12.6",
        "serial": serial,
        "lineage": lineage,
        "outputs": outputs or {},
        "resources": resources,
        "check_results": None,
    }
    return json.dumps(state, indent=2).encode() + b"\n"


def compact(data: bytes) -> bytes:
    """Return a state without line breaks."""
    return json.dumps(json.loads(data), separators=(",", ":")).encode()
