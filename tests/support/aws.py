"""The real AWS provider and an AWS API on loopback, for tests and benchmarks.

The provider comes from a filesystem mirror (``SLUICE_TEST_PROVIDER_MIRROR``, else one that is found on this machine),
else, once, from the registry. It is laid out again with hard links, since mirrors don't follow linked folders, and
under both registries' names, so that both engines use it.
"""

import os
import socket
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from packaging.version import InvalidVersion, Version

from tests.support.guards import spawning

HOSTS = ("registry.opentofu.org", "registry.terraform.io")
PROVIDER = Path("hashicorp", "aws")
SEARCHED = ("/opt", "/usr/share", "/usr/local/share", "/var/lib", str(Path.home() / ".terraform.d"))
FETCHED_VERSION = "5.100.0"
FETCH_SECONDS = 120
OFF = os.environ.get("SLUICE_TEST_AWS") == "off"
REMEDY = (
    "Name a filesystem mirror with SLUICE_TEST_PROVIDER_MIRROR, or give this machine access to the registry, or leave "
    "these tests out with SLUICE_TEST_AWS=off."
)


class ProviderMissing(Exception):
    """No AWS provider can be had; the message says what to do."""


@dataclass(frozen=True)
class Provider:
    """A provider that engines can install: the CLI configuration that names it, and its version."""

    cli_config: Path
    version: str


def _mirror_roots() -> Iterator[Path]:
    named = os.environ.get("SLUICE_TEST_PROVIDER_MIRROR")
    if named:
        yield Path(named)
        return
    for base in map(Path, SEARCHED):
        for host in HOSTS:
            for pattern in (f"{host}/{PROVIDER}", f"*/{host}/{PROVIDER}", f"*/*/{host}/{PROVIDER}"):
                for found in base.glob(pattern) if base.is_dir() else ():
                    yield found.parents[2]


def find_provider_versions() -> dict[str, Path]:
    """Return the unpacked versions of the AWS provider on this machine: version to its platform directory's parent."""
    return _versions_below(_mirror_roots())


def _versions_below(roots: Iterable[Path]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for root in roots:
        for host in HOSTS:
            for version in sorted((root / host / PROVIDER).glob("*")):
                if any(version.glob("*/terraform-provider-aws*")):
                    found.setdefault(version.name, version)
    return found


def lay_out_provider(directory: Path, engine: Path) -> Provider:
    """Lay out a mirror below ``directory`` and return the CLI configuration that names it.

    Where no mirror is found, ``engine`` fetches the provider from its registry. Raises ``ProviderMissing`` when that
    fails, or when ``SLUICE_TEST_PROVIDER_MIRROR`` names a place without the provider.
    """
    versions = find_provider_versions()
    if not versions and (named := os.environ.get("SLUICE_TEST_PROVIDER_MIRROR")):
        raise ProviderMissing(
            f"SLUICE_TEST_PROVIDER_MIRROR={named} is no filesystem mirror with an unpacked hashicorp/aws: expected "
            f"{named}/{HOSTS[1]}/{PROVIDER}/VERSION/PLATFORM/terraform-provider-aws…. {REMEDY}"
        )
    if not versions:
        versions = _versions_below([_fetch(directory / "fetched", engine)])
    version = max(versions, key=_order)
    for host in HOSTS:
        for file in versions[version].glob("*/*"):
            target = directory / "mirror" / host / PROVIDER / version / file.parent.name / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                _link(file.resolve(), target)
    cli_config = directory / "cli.tfrc"
    cli_config.write_text(
        "provider_installation {\n  filesystem_mirror {\n"
        f'    path    = "{directory / "mirror"}"\n'
        '    include = ["*/*"]\n  }\n}\n'
    )
    return Provider(cli_config, version)


def _order(version: str) -> Version:
    try:
        return Version(version)
    except InvalidVersion:
        return Version("0")


def _fetch(directory: Path, engine: Path) -> Path:
    """Let the engine fetch the provider; return the mirror, unpacked. Raises ``ProviderMissing``."""
    directory.mkdir(parents=True)
    (directory / "main.tf").write_text(required_provider(FETCHED_VERSION))
    mirror = directory / "mirror"
    try:
        with spawning("no mirror was found, so an engine asks the registry"):
            done = subprocess.run(
                [engine, "providers", "mirror", mirror],
                cwd=directory,
                capture_output=True,
                text=True,
                timeout=FETCH_SECONDS,
                check=False,
            )
        failed = done.stderr.strip() if done.returncode else ""
    except subprocess.TimeoutExpired:
        failed = f"it took more than {FETCH_SECONDS} s"
    if failed:
        raise ProviderMissing(
            f"No AWS provider is on this machine, and none came from the registry. {REMEDY}\n{failed}"
        )
    return unpack(mirror)


def unpack(mirror: Path) -> Path:
    """Unpack a mirror of archives, as `providers mirror` leaves it, in place; return it."""
    for archive in mirror.glob(f"*/{PROVIDER}/terraform-provider-aws_*.zip"):
        version, platform = archive.stem.removeprefix("terraform-provider-aws_").split("_", 1)
        target = archive.parent / version / platform
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(target)
        for file in target.iterdir():
            file.chmod(0o755)
    return mirror


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:
        # Another file system: a copy serves as well, and costs a moment.
        target.write_bytes(source.read_bytes())
        target.chmod(source.stat().st_mode & 0o777)


@contextmanager
def running_api(log: Path) -> Iterator[str]:
    """Run an AWS API (moto) on a free port of loopback; give its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = Path(__file__).with_name("aws_api.py")
    with spawning("an AWS API on loopback"), log.open("wb") as output:
        process = subprocess.Popen([sys.executable, program, str(port)], stdout=output, stderr=subprocess.STDOUT)
    url = f"http://127.0.0.1:{port}"
    try:
        _await(url, process, log)
        yield url
    finally:
        process.terminate()
        process.wait(10)


def _await(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"the AWS API did not start: {log.read_text()[-2000:]}")
        try:
            with urllib.request.urlopen(f"{url}/moto-api/data.json", timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("the AWS API did not answer within a minute")


def environment(url: str) -> dict[str, str]:
    """Return the variables that point the provider at the API, with dummy keys."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "eu-west-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def required_provider(version: str) -> str:
    """Return the provider blocks of a configuration that talks to the API on loopback."""
    return f"""
terraform {{
  required_providers {{
    aws = {{ source = "hashicorp/aws", version = "{version}" }}
  }}
}}

provider "aws" {{
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
  s3_use_path_style           = true
}}
"""


BUCKET = """
variable "bucket" {
  type = string
}

resource "aws_s3_bucket" "logs" {
  bucket = var.bucket
}

output "bucket" {
  value = aws_s3_bucket.logs.bucket
}
"""

VPC_CIDR = "10.40.0.0/16"
VPC_RESOURCES = 25
VPC = """
locals {
  zones = ["a", "b", "c"]
}

resource "aws_vpc" "main" {
  cidr_block           = "10.40.0.0/16"
  enable_dns_hostnames = true
  tags                 = { Name = "main" }
}

resource "aws_internet_gateway" "main" {
  vpc_id = aws_vpc.main.id
}

resource "aws_subnet" "public" {
  count             = length(local.zones)
  vpc_id            = aws_vpc.main.id
  cidr_block        = cidrsubnet(aws_vpc.main.cidr_block, 8, count.index)
  availability_zone = "eu-west-1${local.zones[count.index]}"
}

resource "aws_subnet" "private" {
  count             = length(local.zones)
  vpc_id            = aws_vpc.main.id
  cidr_block        = cidrsubnet(aws_vpc.main.cidr_block, 8, 100 + count.index)
  availability_zone = "eu-west-1${local.zones[count.index]}"
}

resource "aws_eip" "nat" {
  domain = "vpc"
}

resource "aws_nat_gateway" "main" {
  allocation_id = aws_eip.nat.id
  subnet_id     = aws_subnet.public[0].id
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.main.id
}

resource "aws_route" "public" {
  route_table_id         = aws_route_table.public.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.main.id
}

resource "aws_route_table_association" "public" {
  count          = length(local.zones)
  subnet_id      = aws_subnet.public[count.index].id
  route_table_id = aws_route_table.public.id
}

resource "aws_route_table" "private" {
  count  = length(local.zones)
  vpc_id = aws_vpc.main.id
}

resource "aws_route" "private" {
  count                  = length(local.zones)
  route_table_id         = aws_route_table.private[count.index].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.main.id
}

resource "aws_route_table_association" "private" {
  count          = length(local.zones)
  subnet_id      = aws_subnet.private[count.index].id
  route_table_id = aws_route_table.private[count.index].id
}

resource "aws_security_group" "web" {
  name   = "web"
  vpc_id = aws_vpc.main.id

  ingress {
    from_port   = 443
    to_port     = 443
    protocol    = "tcp"
    cidr_blocks = ["10.0.0.0/8"]
  }
}
"""
