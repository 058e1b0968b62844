"""Engines without a network of their own, in a whole Sluice: the managed state works, and nothing else is reached."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from app.executor.discovery import Tool
from app.executor.probe import isolation_failure, probe
from tests.e2e.site import Site
from tests.support.server import running_sluice


def _unusable() -> str:
    tools = probe().tools
    return probe().reason if tools is None else isolation_failure(tools)


pytestmark = [
    pytest.mark.e2e,
    pytest.mark.engine,
    pytest.mark.processes,
    pytest.mark.xdist_group("egress"),
    pytest.mark.timeout(240),
    pytest.mark.skipif(bool(_unusable()), reason=f"no network namespace here: {_unusable()}"),
]
SAYS = "served outside"
LOOK = """
resource "terraform_data" "look" {
  input = "made"
  provisioner "local-exec" {
    command = %s
  }
}
"""


@pytest.fixture(scope="module")
def neighbour() -> Iterator[str]:
    """A server on the machine's loopback that engines have no business with."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(SAYS)))
            self.end_headers()
            self.wfile.write(SAYS.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture(scope="module", params=["none", "proxy"])
def walled(request: pytest.FixtureRequest, neighbour: str) -> Iterator[tuple[Site, bool]]:
    hosts = f"registry.opentofu.org,{neighbour}"
    with running_sluice(sandbox="required", egress=request.param, egress_hosts=hosts) as running:
        opened = Site(running)
        yield opened, request.param == "proxy"
        opened.close()


def test_managed_state_is_reached_and_the_rest_only_by_a_rule(
    walled: tuple[Site, bool], engine_tool: Tool, neighbour: str
) -> None:
    site, has_rules = walled
    python = (
        "import os, urllib.request as r; "
        f"print(r.build_opener(r.ProxyHandler({{'http': os.environ['HTTP_PROXY']}})).open('http://{neighbour}/')"
        ".read().decode())"
    )
    command = json.dumps(f'/usr/bin/python3 -c "{python}" 2>&1 | tail -1; true')
    workspace = site.workspace(engine_tool.kind)
    run = site.run(site.applied(workspace, {"main.tf": LOOK % command}))
    log = site.log(run["child_run_id"])
    assert [version["number"] for version in site.versions(workspace)] == [1]
    if has_rules:
        assert SAYS in log
        assert "refused" not in log
    else:
        assert SAYS not in log
        assert f"Egress to {neighbour} refused: not in SLUICE_EGRESS_HOSTS." in log
    # The state that this left is read again, through the same wall.
    again = site.request(workspace, {"main.tf": LOOK % command})
    assert site.until(again, "no_changes")


def test_engine_that_is_refused_fails_at_once_and_says_which_host(walled: tuple[Site, bool], engine_tool: Tool) -> None:
    site, _ = walled
    files = {"main.tf": 'module "a" {\n  source = "https://modules.example.org/a.zip"\n}\n'}
    run = site.request(site.workspace(engine_tool.kind), files)
    ended = site.quiet(run)
    assert ended["status"] == "errored", site.story(ended)
    log = site.log(run)
    assert "Egress to modules.example.org:443 refused: not in SLUICE_EGRESS_HOSTS." in log
    assert "attempt 2" not in log
