"""A sandbox with a network of its own, and the proxy that is its only way out."""

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from app.executor import egress, gateway, proxy, sandbox
from app.executor.egress import Endpoint, Policy
from app.executor.probe import isolation_failure, probe
from app.executor.proxy import Gate
from tests.executor.test_executor_gateway import PYTHON, Script


def _unusable() -> str:
    tools = probe().tools
    return probe().reason if tools is None else isolation_failure(tools)


pytestmark = [pytest.mark.processes, pytest.mark.skipif(bool(_unusable()), reason=f"no namespace here: {_unusable()}")]
FETCH = """
import urllib.request, urllib.error
request = urllib.request.Request({url!r}, data={data!r})
try:
    answer = urllib.request.urlopen(request, timeout=10)
    print(answer.status, answer.read().decode())
except urllib.error.HTTPError as error:
    print(error.code, error.read().decode())
except Exception as error:
    print(type(error).__name__, error)
"""
TUNNEL = """
import socket
s = socket.create_connection(('127.0.0.1', 3128), 5)
s.sendall(b'CONNECT {host}:{port} HTTP/1.1\\r\\nHost: {host}:{port}\\r\\n\\r\\n')
print(s.recv(200).split(b'\\r\\n')[0].decode())
s.sendall(b'GET /tunnel HTTP/1.0\\r\\n\\r\\n')
print(b''.join(iter(lambda: s.recv(4096), b'')).decode())
"""


@pytest.fixture
def server() -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = f"{self.command} {self.path} host={self.headers['Host']} {self.rfile.read(self._size()).decode()}"
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        do_POST = do_GET  # noqa: N815 - the name that the server calls

        def _size(self) -> int:
            return int(self.headers.get("Content-Length") or 0)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield listening.server_address[1]
        listening.shutdown()


class Bench:
    def __init__(self, rules: str = "", backend: str | None = None) -> None:
        self.said: list[str] = []
        endpoint = Endpoint.of_url(backend) if backend else None
        self.gate = Gate(Policy(egress.parse(rules.split(",")), endpoint), self.said.append)

    def run(self, code: str, *, is_proxied: bool = True) -> str:
        tools = probe().tools
        assert tools is not None
        environment = {"PATH": "/usr/bin:/bin"}
        if is_proxied:
            environment |= {"http_proxy": self.gate.proxy_url, "https_proxy": self.gate.proxy_url}
        launch = gateway.Launch(
            PYTHON,
            Script(code),
            environment,
            Path("/"),
            sandbox.Confinement(tools, has_network=False),
            attach=self.gate.open,
        )
        ended = gateway.run(launch, limits=gateway.Limits(timeout_seconds=30), capture_stdout=True)
        assert ended.exit_code == 0, ended.stderr
        return ended.stdout.decode()


def fetch(url: str, data: bytes | None = None) -> str:
    return FETCH.format(url=url, data=data)


def test_proxy_plain_request_reaches_an_allowed_address(server: int) -> None:
    bench = Bench(f"127.0.0.1:{server}")
    said = bench.run(fetch(f"http://127.0.0.1:{server}/a?b=c", b"sent"))
    assert f"200 POST /a?b=c host=127.0.0.1:{server} sent" in said
    assert bench.said == []


def test_proxy_tunnel_reaches_an_allowed_address(server: int) -> None:
    said = Bench(f"127.0.0.1:{server}").run(TUNNEL.format(host="127.0.0.1", port=server))
    assert said.startswith("HTTP/1.1 200")
    assert "GET /tunnel" in said


def test_proxy_what_is_not_allowed_is_refused_and_told_once(server: int) -> None:
    bench = Bench("registry.opentofu.org")
    said = bench.run(fetch("http://example.org/") * 2)
    assert said.count("403 Egress to example.org:80 refused: not in SLUICE_EGRESS_HOSTS.") == 2
    assert "403 Forbidden" in bench.run(TUNNEL.format(host="127.0.0.1", port=server))
    assert bench.said == [
        "Egress to example.org:80 refused: not in SLUICE_EGRESS_HOSTS.",
        f"Egress to 127.0.0.1:{server} refused: not in SLUICE_EGRESS_HOSTS.",
    ]


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "10.0.0.1", "1.1.1.1"])
def test_sandbox_without_the_proxy_reaches_nothing(server: int, address: str) -> None:
    code = (
        f"import socket\ntry:\n  socket.create_connection(({address!r}, {server}), 3); print('reached')\n"
        "except OSError as error: print('no', error)"
    )
    assert Bench(f"127.0.0.1:{server}").run(code, is_proxied=False).startswith("no")


def test_sandbox_reaches_no_abstract_socket_of_the_machine() -> None:
    name = "\0sluice-test-abstract"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(name)
        listener.listen()
        code = (
            f"import socket\ns = socket.socket(socket.AF_UNIX)\ntry:\n  s.connect({name!r}); print('reached')\n"
            "except OSError as error: print('no', error)"
        )
        assert Bench().run(code).startswith("no")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_relay_backend_on_loopback_is_where_it_is_outside(server: int, host: str) -> None:
    url = f"http://{host}:{server}/state"
    bench = Bench("", backend=url)
    assert f"200 GET /state host={host}:{server}" in bench.run(fetch(url), is_proxied=False)
    assert f"200 POST /state host={host}:{server} x" in bench.run(fetch(url, b"x"), is_proxied=False)


@pytest.mark.parametrize(
    "request_line", ["GET / HTTP/1.1", "CONNECT nowhere HTTP/1.1", "GET ftp://x/ HTTP/1.1", "garbage"]
)
def test_proxy_what_is_no_request_for_it_is_a_bad_one(request_line: str) -> None:
    code = (
        f"import socket\ns = socket.create_connection(('127.0.0.1', 3128), 5)\ns.sendall({request_line!r}.encode() + "
        "b'\\r\\n\\r\\n')\nprint(s.recv(200).decode())"
    )
    assert "400 Bad Request" in Bench().run(code)


def test_proxy_leaves_no_thread_and_no_descriptor(server: int) -> None:
    bench = Bench(f"127.0.0.1:{server}")
    bench.run("print(1)")
    before = (threading.active_count(), len(list(Path("/proc/self/fd").iterdir())))
    for _ in range(3):
        bench.run(TUNNEL.format(host="127.0.0.1", port=server))
    assert threading.active_count() <= before[0] + 8  # the pool that resolves names
    assert len(list(Path("/proc/self/fd").iterdir())) <= before[1] + 2


def test_proxy_backend_by_name_is_reached_wherever_it_is(server: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(egress, "_resolve", lambda *_: ["127.0.0.1"])
    url = f"http://sluice.internal:{server}/state"
    bench = Bench("", backend=url)
    assert f"200 POST /state host=sluice.internal:{server} x" in bench.run(fetch(url, b"x"))
    assert "403" in bench.run(fetch(f"http://sluice.internal:{server + 1}/state"))


def test_proxy_closes_connections_beyond_its_limit_and_serves_again_afterwards(server: int) -> None:
    code = """
import socket, time, urllib.request
until = time.monotonic() + 20
held = [socket.create_connection(('127.0.0.1', 3128), 5) for _ in range(140)]
def is_closed(s):
    s.setblocking(False)
    try: return s.recv(1) == b''
    except BlockingIOError: return False
    except ConnectionResetError: return True
while sum(map(is_closed, held)) < 12 and time.monotonic() < until: time.sleep(0.05)
time.sleep(0.3)
print('closed', sum(map(is_closed, held)))
for s in held: s.close()
while time.monotonic() < until:
    try: urllib.request.urlopen({url!r}, timeout=10).close()
    except OSError: time.sleep(0.05)
    else: break
"""
    url = f"http://127.0.0.1:{server}/after"
    said = Bench(f"127.0.0.1:{server}").run(code.replace("{url!r}", repr(url)) + fetch(url))
    assert "closed 12\n" in said
    assert "200 GET /after" in said


def test_proxy_ends_a_connection_that_sends_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    assert proxy._HEAD_SECONDS <= 10
    monkeypatch.setattr(proxy, "_HEAD_SECONDS", 0.5)
    code = "import socket; s = socket.create_connection(('127.0.0.1', 3128), 5); s.settimeout(5); print(s.recv(1))"
    assert Bench().run(code) == "b''\n"


def test_proxy_name_that_is_too_long_is_refused_and_not_repeated() -> None:
    bench = Bench("example.org")
    said = bench.run(fetch(f"http://{'x' * 254}/") + fetch(f"http://{'y' * 20_000}/"))
    text = "Egress to a host whose name is too long:80 refused: names have 253 characters at most."
    assert said.count(text) == 2
    assert "xxx" not in said + "".join(bench.said)
    assert bench.said == [text]


def test_proxy_name_that_is_no_domain_s_is_answered() -> None:
    code = TUNNEL.partition("s.sendall(b'GET")[0]
    assert Bench("*.example.org").run(code.format(host=f"{'x' * 64}.example.org", port=443)).startswith("HTTP/1.1 502")


def test_gate_tells_of_a_hundred_refusals_and_then_of_more_once() -> None:
    bench = Bench()
    for number in range(300):
        bench.gate._tell(f"host-{number}.example.org", 443, "not in SLUICE_EGRESS_HOSTS")
    assert len(bench.said) == 101
    assert bench.said[-2:] == [
        "Egress to host-99.example.org:443 refused: not in SLUICE_EGRESS_HOSTS.",
        "Egress to more hosts was refused; they are not listed.",
    ]
