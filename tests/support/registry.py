"""A provider registry on loopback, over TLS, whose packages are signed: what engines fetch from without the internet.

It speaks the provider registry protocol and the provider network mirror protocol, counts what it is asked for, and
answers as a script says where a fault is wanted.
"""

import hashlib
import io
import json
import os
import re
import shutil
import socket
import ssl
import struct
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.executor.plugin_cache import PLATFORM
from tests.support.pgp import SigningKey

_VERSIONS = re.compile(r"/v1/providers/([^/]+)/([^/]+)/versions")
_DOWNLOAD = re.compile(r"/v1/providers/([^/]+)/([^/]+)/([^/]+)/download/([^/]+)/([^/]+)")
_FILE = re.compile(r"/files/([^/]+)/([^/]+)/([^/]+)/(.+)")
_MIRROR = re.compile(r"/mirror/[^/]+/([^/]+)/([^/]+)/([^/]+)\.json")

REMEDY = "Run `make test-servers`."


def _built_provider() -> Path:
    cache = os.environ.get("SLUICE_TOOLS_DIR")
    base = Path(cache) if cache else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sluice/tools"
    return base / "bin/empty-provider"


HAS_NO_PROVIDER = shutil.which("go") is None and not _built_provider().exists()
"""Engines start every provider that a configuration names; a machine without Go can't have this one."""

Fault = Callable[["Handler"], bool]
"""Answers a request in place of the registry; False lets the registry answer."""


@dataclass
class Registry:
    """What is served. ``packages`` maps (namespace, type, version) to the archive; ``faults`` are tried in order."""

    host: str
    ca_file: Path
    key: SigningKey = field(default_factory=SigningKey)
    packages: dict[tuple[str, str, str], bytes] = field(default_factory=dict)
    hits: Counter[str] = field(default_factory=Counter)
    faults: list[Fault] = field(default_factory=list)
    delay_seconds: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, name: str, version: str, content: bytes | None = None, *, namespace: str = "acme") -> str:
        """Serve a provider that has no resource; return its source address."""
        if content is None and not _built_provider().exists():
            raise FileNotFoundError(f"{_built_provider()} is not there. {REMEDY}")
        content = content or _built_provider().read_bytes()
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
            for file, data in (
                (f"terraform-provider-{name}_v{version}", content),
                ("LICENSE", f"{name} {version}\n".encode()),
            ):
                member = zipfile.ZipInfo(file, (2026, 1, 1, 0, 0, 0))
                member.external_attr = (0o755 if data is content else 0o644) << 16
                archive.writestr(member, data)
        self.packages[namespace, name, version] = packed.getvalue()
        return f"{self.host}/{namespace}/{name}"

    def downloads(self) -> dict[str, int]:
        """Return how often each archive was sent, by file name."""
        with self.lock:
            return {path.rpartition("/")[2]: count for path, count in self.hits.items() if path.endswith(".zip")}

    def archive_name(self, name: str, version: str) -> str:
        """Return the file name of an archive for this machine."""
        return f"terraform-provider-{name}_{version}_{PLATFORM}.zip"

    def sums(self, namespace: str, name: str, version: str) -> bytes:
        """Return the checksums of a version; other platforms are listed too, as registries do."""
        archive = self.packages[namespace, name, version]
        other = hashlib.sha256(f"{name} {version} elsewhere".encode()).hexdigest()
        return (
            f"{hashlib.sha256(archive).hexdigest()}  {self.archive_name(name, version)}\n"
            f"{other}  terraform-provider-{name}_{version}_plan9_386.zip\n"
        ).encode()


class Handler(BaseHTTPRequestHandler):
    """Answers one request; faults get it, too."""

    registry: Registry
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        registry = self.registry
        with registry.lock:
            registry.hits[self.path] += 1
            faults = list(registry.faults)
        if any(fault(self) for fault in faults):
            return
        if self.path == "/.well-known/terraform.json":
            self.send_json({"providers.v1": "/v1/providers/"})
        elif found := _VERSIONS.fullmatch(self.path):
            self._versions(*found.groups())
        elif found := _DOWNLOAD.fullmatch(self.path):
            self._download(*found.groups())
        elif found := _FILE.fullmatch(self.path):
            self._file(*found.groups())
        elif found := _MIRROR.fullmatch(self.path):
            self._mirror(*found.groups())
        else:
            self.send_error(404)

    def _versions(self, namespace: str, name: str) -> None:
        versions = [found[2] for found in self.registry.packages if found[:2] == (namespace, name)]
        if not versions:
            self.send_error(404)
            return
        system, architecture = PLATFORM.split("_")
        platforms = [{"os": system, "arch": architecture}]
        self.send_json(
            {"versions": [{"version": found, "protocols": ["5.0"], "platforms": platforms} for found in versions]}
        )

    def _download(self, namespace: str, name: str, version: str, system: str, architecture: str) -> None:
        registry = self.registry
        packed = registry.packages.get((namespace, name, version))
        if packed is None:
            self.send_error(404)
            return
        base = f"https://{registry.host}/files/{namespace}/{name}/{version}"
        archive = registry.archive_name(name, version)
        key = {"key_id": registry.key.key_id, "ascii_armor": registry.key.armored()}
        self.send_json(
            {
                "protocols": ["5.0"],
                "os": system,
                "arch": architecture,
                "filename": archive,
                "download_url": f"{base}/{archive}",
                "shasums_url": f"{base}/SHA256SUMS",
                "shasums_signature_url": f"{base}/SHA256SUMS.sig",
                "shasum": hashlib.sha256(packed).hexdigest(),
                "signing_keys": {"gpg_public_keys": [key]},
            }
        )

    def _file(self, namespace: str, name: str, version: str, file: str) -> None:
        registry = self.registry
        sums = registry.sums(namespace, name, version)
        if file == "SHA256SUMS":
            self.send_bytes(sums)
        elif file == "SHA256SUMS.sig":
            self.send_bytes(registry.key.sign(sums))
        else:
            time.sleep(registry.delay_seconds)
            self.send_bytes(registry.packages[namespace, name, version])

    def _mirror(self, namespace: str, name: str, what: str) -> None:
        registry = self.registry
        versions = [found[2] for found in registry.packages if found[:2] == (namespace, name)]
        if what == "index":
            self.send_json({"versions": {version: {} for version in versions}})
            return
        packed = registry.packages[namespace, name, what]
        url = f"https://{registry.host}/files/{namespace}/{name}/{what}/{registry.archive_name(name, what)}"
        hash_ = f"zh:{hashlib.sha256(packed).hexdigest()}"
        self.send_json({"archives": {PLATFORM: {"url": url, "hashes": [hash_]}}})

    def send_json(self, document: object) -> None:
        self.send_bytes(json.dumps(document).encode(), "application/json")

    def send_bytes(self, body: bytes, kind: str = "application/octet-stream", status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        del format, args


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, tls: ssl.SSLContext) -> None:
        super().__init__(("127.0.0.1", 0), Handler, bind_and_activate=True)
        self._tls = tls

    def finish_request(self, request: object, client_address: object) -> None:
        # In the connection's own thread: a client that is slow to shake hands holds nobody up.
        assert isinstance(request, socket.socket)
        with self._tls.wrap_socket(request, server_side=True) as wrapped:
            self.RequestHandlerClass(wrapped, client_address, self)  # type: ignore[arg-type]

    def handle_error(self, request: object, client_address: object) -> None:
        # Clients that hang up are part of what is tested.
        del request, client_address


@contextmanager
def running_registry(directory: Path) -> Iterator[Registry]:
    """Serve a registry on a free port while the block runs. ``directory`` takes its certificate."""
    certificate, key = directory / "registry.pem", directory / "registry.key"
    _make_certificate(certificate, key)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    server = _Server(tls)
    registry = Registry(f"localhost:{server.server_address[1]}", certificate)
    server.RequestHandlerClass = type("Handler", (Handler,), {"registry": registry})
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield registry
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def fail_times(times: int, path: str, fault: Callable[[Handler], None]) -> Fault:
    """Return a fault that answers the first ``times`` requests whose path holds ``path`` with ``fault``."""
    left = [times]
    lock = threading.Lock()

    def answer(handler: Handler) -> bool:
        with lock:
            if path not in handler.path or left[0] == 0:
                return False
            left[0] -= 1
        fault(handler)
        return True

    return answer


def status(code: int) -> Callable[[Handler], None]:
    """Answer with this status."""
    return lambda handler: handler.send_bytes(b"no\n", "text/plain", code)


def reset(handler: Handler) -> None:
    """Reset the connection."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True
    # The TLS wrapper would say goodbye; the kernel does not.
    socket.socket(fileno=handler.connection.detach()).close()


def cut_short(handler: Handler) -> None:
    """Promise more than is sent."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    handler.wfile.write(b"PK")
    handler.close_connection = True


def _make_certificate(certificate: Path, key: Path) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(private, hashes.SHA256())
    )
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    certificate.chmod(0o644)
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
