"""State backends of clouds on loopback: S3 (moto), Azure blobs (azurite), Google Cloud Storage (fake-gcs-server).

``make test-servers`` puts azurite and fake-gcs-server into the tools' cache; moto is a Python package.
Engines reach azurite through a proxy under Azure's own names, with a certificate that this module makes.
"""

import base64
import datetime as dt
import hashlib
import hmac
import http.client
import json
import os
import secrets
import shutil
import socket
import socketserver
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support import aws
from tests.support.guards import spawning

OFF = os.environ.get("SLUICE_TEST_CLOUDS") == "off"
REMEDY = "Run `make test-servers` (it needs Go and Node), or leave these tests out with SLUICE_TEST_CLOUDS=off."
ACCOUNT = "sluicestates"
BLOB_HOST = f"{ACCOUNT}.blob.core.windows.net"
CONTAINER = BUCKET = "states"
_SIGNED = {"Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/eu-west-1/s3/aws4_request, Signature=test"}


@dataclass(frozen=True)
class Cloud:
    """One backend that answers on loopback.

    ``environment`` and ``secrets`` are what a workspace sets as plain and sensitive env variables; ``inherited`` is the
    worker's own; ``read`` gives the state's bytes from the store itself, ``remove`` takes them away.
    """

    backend: str
    settings: dict[str, Any]
    environment: dict[str, str]
    secrets: dict[str, str]
    read: Callable[[], bytes]
    inherited: dict[str, str] = field(default_factory=dict)
    remove: Callable[[], object] = lambda: None


def tools_directory() -> Path:
    """Return the tools' cache."""
    cache = os.environ.get("SLUICE_TOOLS_DIR")
    return Path(cache) if cache else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sluice/tools"


def _in_cache(name: str) -> Path:
    return tools_directory() / name


HAS_NO_GCS = shutil.which("go") is None and not _in_cache("bin/fake-gcs-server").exists()
"""fake-gcs-server has no package but its Go module, so a machine without Go can't have it."""


def tool(name: str) -> Path:
    """Return a test server of the tools' cache. Raises ``FileNotFoundError`` with the remedy."""
    found = _in_cache(name)
    if not found.exists():
        raise FileNotFoundError(f"{found} is not there. {REMEDY}")
    return found


@contextmanager
def running_s3(directory: Path, **settings: Any) -> Iterator[Cloud]:
    """Run an S3 API with a bucket and a DynamoDB table `locks`; ``settings`` are laid over the usual ones."""
    with aws.running_api(directory / "s3.log") as url:
        httpx.put(f"{url}/{BUCKET}").raise_for_status()
        made = {
            "TableName": "locks",
            "KeySchema": [{"AttributeName": "LockID", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "LockID", "AttributeType": "S"}],
            "BillingMode": "PAY_PER_REQUEST",
        }
        headers = {"X-Amz-Target": "DynamoDB_20120810.CreateTable", "Content-Type": "application/x-amz-json-1.0"}
        signed = {"Authorization": _SIGNED["Authorization"].replace("/s3/", "/dynamodb/")}
        httpx.post(url, content=json.dumps(made), headers=headers | signed).raise_for_status()
        yield Cloud(
            "s3",
            {
                "bucket": BUCKET,
                "key": "prod.tfstate",
                "region": "eu-west-1",
                "endpoints": {"s3": url, "dynamodb": url},
                "use_path_style": True,
                "skip_credentials_validation": True,
                "skip_metadata_api_check": True,
                "skip_requesting_account_id": True,
                **settings,
            },
            {"AWS_ACCESS_KEY_ID": "test", "AWS_EC2_METADATA_DISABLED": "true"},
            {"AWS_SECRET_ACCESS_KEY": secrets.token_urlsafe(24)},
            lambda: httpx.get(f"{url}/{BUCKET}/prod.tfstate", headers=_SIGNED).raise_for_status().content,
            remove=lambda: httpx.delete(f"{url}/{BUCKET}/prod.tfstate", headers=_SIGNED).raise_for_status(),
        )


@contextmanager
def running_gcs(directory: Path) -> Iterator[Cloud]:
    """Run Google Cloud Storage with a bucket."""
    port = _free_port()
    address = f"http://127.0.0.1:{port}"
    arguments = ["-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-public-host", f"127.0.0.1:{port}"]
    with _running([tool("bin/fake-gcs-server"), *arguments, "-backend", "memory"], directory / "gcs.log", port):
        httpx.post(f"{address}/storage/v1/b", json={"name": BUCKET}).raise_for_status()
        yield Cloud(
            "gcs",
            {"bucket": BUCKET, "prefix": "prod", "storage_custom_endpoint": f"{address}/storage/v1/"},
            {},
            {"GOOGLE_OAUTH_ACCESS_TOKEN": secrets.token_urlsafe(24)},
            lambda: httpx.get(f"{address}/{BUCKET}/prod/default.tfstate").raise_for_status().content,
        )


@contextmanager
def running_azure(directory: Path) -> Iterator[Cloud]:
    """Run Azure's blobs with a storage account and a container, and the proxy that engines reach it by."""
    key = base64.b64encode(secrets.token_bytes(48)).decode()
    _make_certificates(directory)
    port = _free_port()
    program = tool("azurite/node_modules/azurite/dist/src/blob/main.js")
    command: list[str | Path] = [shutil.which("node") or "node", program, "--blobHost", "127.0.0.1"]
    command += ["--blobPort", str(port), "--inMemoryPersistence", "--disableTelemetry", "--skipApiVersionCheck"]
    command += ["--cert", directory / "cert.pem", "--key", directory / "key.pem"]
    environment = {**os.environ, "AZURITE_ACCOUNTS": f"{ACCOUNT}:{key}"}
    with _running(command, directory / "azure.log", port, environment), _proxy(port) as proxy:
        _azure(port, key, "PUT", f"/{CONTAINER}", "restype:container")
        yield Cloud(
            "azurerm",
            {"storage_account_name": ACCOUNT, "container_name": CONTAINER, "key": "prod.tfstate"},
            {"HTTPS_PROXY": proxy},
            {"ARM_ACCESS_KEY": key},
            lambda: _azure(port, key, "GET", f"/{CONTAINER}/prod.tfstate"),
            {"SSL_CERT_FILE": str(directory / "ca.pem")},
        )


@contextmanager
def _running(
    command: list[str | Path], log: Path, port: int, environment: dict[str, str] | None = None
) -> Iterator[None]:
    with spawning("a cloud's storage on loopback"), log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
    try:
        until = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=2).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(f"{command[0]} did not start: {log.read_text()[-2000:]}") from None
                time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(10)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _azure(port: int, key: str, method: str, path: str, parameter: str = "") -> bytes:
    """Make a request with a shared key's signature and return the body.

    https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key
    """
    date = dt.datetime.now(dt.UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    headers = {"x-ms-date": date, "x-ms-version": "2023-11-03"}
    lines = [method, *[""] * 11, *(f"{name}:{value}" for name, value in headers.items()), f"/{ACCOUNT}{path}"]
    text = "\n".join([*lines, parameter] if parameter else lines)
    signed = base64.b64encode(hmac.digest(base64.b64decode(key), text.encode(), hashlib.sha256)).decode()
    headers |= {"Host": BLOB_HOST, "Authorization": f"SharedKey {ACCOUNT}:{signed}"}
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=ssl._create_unverified_context(), timeout=30)
    try:
        query = f"?{parameter.replace(':', '=')}" if parameter else ""
        connection.request(method, path + query, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {body.decode(errors='replace')[:500]}")
        return body
    finally:
        connection.close()


@contextmanager
def _proxy(port: int) -> Iterator[str]:
    """Run a proxy whose CONNECT to Azure's blobs ends at azurite, and which reaches nothing else."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            wanted = self.rfile.readline().decode(errors="replace")
            while self.rfile.readline().strip():
                pass
            if not wanted.startswith(f"CONNECT {BLOB_HOST}:443 "):
                self.wfile.write(b"HTTP/1.1 502 Elsewhere\r\n\r\n")
                return
            with socket.create_connection(("127.0.0.1", port)) as upstream:
                self.wfile.write(b"HTTP/1.1 200 Connected\r\n\r\n")
                back = threading.Thread(target=_pump, args=(upstream, self.connection), daemon=True)
                back.start()
                _pump(self.connection, upstream)
                back.join()

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def _make_certificates(directory: Path) -> None:
    """Write a certificate authority (`ca.pem`) and a certificate of it for Azure's blobs (`cert.pem`, `key.pem`)."""
    now = dt.datetime.now(dt.UTC)
    authority, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])

    def certificate(name: x509.Name, key: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType) -> bytes:
        built = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=2))
            .add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
            .sign(authority, hashes.SHA256())
        )
        return built.public_bytes(serialization.Encoding.PEM)

    server = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "azurite")])
    (directory / "ca.pem").write_bytes(certificate(issuer, authority, x509.BasicConstraints(True, None)))
    (directory / "cert.pem").write_bytes(
        certificate(server, own, x509.SubjectAlternativeName([x509.DNSName(BLOB_HOST)]))
    )
    (directory / "key.pem").write_bytes(
        own.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
