"""What hostile code in a configuration reaches, at plan and at apply, in a whole Sluice: with the sandbox nothing.

At plan the code is a provider that the configuration brings along, at apply a provisioner; both are `attack.py`. The
same is tried in a Sluice without a sandbox first: there it must succeed, or the test would prove nothing.
"""

import io
import json
import os
import tarfile
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.embedded.home import open_home
from app.executor.probe import probe
from tests.e2e.site import Site, wait_until
from tests.support.server import running_sluice

SYSTEM_PYTHON = Path("/usr/bin/python3")
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.engine,
    pytest.mark.processes,
    pytest.mark.xdist_group("escape"),
    pytest.mark.timeout(300),
    pytest.mark.skipif(probe().tools is None, reason=f"no sandbox here: {probe().reason}"),
    pytest.mark.skipif(not SYSTEM_PYTHON.exists(), reason="the attack runs by the machine's own Python"),
]
ATTACK = Path(__file__).with_name("attack.py")
PLANTED = "planted-in-the-environment-5c1d"
PHASES = ("plan", "apply")
# Each with what it gets where nothing keeps it away; None where any answer will do.
READS = {
    "environment_of_the_worker": PLANTED,
    "environment_of_a_sibling": "TF_HTTP_PASSWORD",
    "environment_of_any_process": PLANTED,
    "root_of_another_process": None,
    "ptrace_of_another_process": None,
    "signal_to_the_worker": None,
    "database_socket": "connected",
    "redis_socket": "connected",
    "database_password": None,
    "redis_password": None,
    "master_key": None,
    "link_to_the_master_key": None,
    "artifacts": "artifacts/",
    "directory_of_a_sibling": "terraform_data",
    "list_of_the_runs": "run-",
    "shared_temporary_directory": PLANTED,
    "device_of_the_machine": None,
    "make_a_device": None,
    "become_root": None,
    "keyring_of_the_kernel": None,
    "mount_something": None,
    "namespace_of_its_own": None,
}
WRITES = (
    "write_to_the_shared_cache",
    "write_to_a_package_of_the_mirror",
    "write_to_the_shelf_of_init",
    "write_to_the_root",
)
# What only the sandbox's unprivileged uid takes away: a worker that is not root never had it.
NEEDS_ROOT = {"device_of_the_machine", "make_a_device", "become_root", "mount_something", "write_to_the_root"}
BY_CREDENTIAL = ("state_of_a_sibling_by_own_credential", "write_own_state_at_plan", "api_by_own_credential")


@dataclass
class Listener:
    """Hears what attacks have to tell, by path."""

    heard: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)
    url: str = ""


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    listening = Listener()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            listening.heard[self.path.strip("/")] = json.loads(body)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        listening.url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield listening
        server.shutdown()


def packed(files: dict[str, tuple[str, int]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, (text, mode) in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(text.encode()), mode
            archive.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


def upload(site: Site, files: dict[str, tuple[str, int]]) -> str:
    answer = site.planner.post(
        "/terraform/configurations", content=packed(files), headers={"Content-Type": "application/gzip"}
    )
    assert answer.status_code in {200, 201}, answer.text
    return str(answer.json()["id"])


EVIL = """
terraform {
  required_providers {
    evil = {
      source  = "example.test/sluice/evil"
      version = "1.0.0"
    }
  }
}
provider "evil" {}
data "evil_thing" "a" {}
"""
PROVISIONED = """
resource "terraform_data" "attack" {
  provisioner "local-exec" {
    command = "/usr/bin/python3 '${abspath(path.module)}/attack.py' apply"
  }
}
"""


@dataclass
class Scene:
    """What was tried and heard in one Sluice, and where the things are that it was tried on."""

    answers: dict[str, dict[str, dict[str, str]]]
    files: dict[str, str]
    sleepers: list[psutil.Process]
    logs: dict[str, str]


def read_by_engine(target: dict[str, Any]) -> str:
    """A configuration that needs no code: the engine's own functions read at plan, and the outputs are the loot."""
    paths = {
        "environment_of_the_worker": f"/proc/{target['worker']}/environ",
        "environment_of_a_sibling": f"/proc/{target['sibling_process']}/environ",
        "root_of_another_process": f"/proc/{target['worker']}/root{target['home']}/master.key",
        "database_password": f"{target['home']}/postgres.password",
        "redis_password": f"{target['home']}/redis.password",
        "master_key": f"{target['home']}/master.key",
        "directory_of_a_sibling": f"{target['sibling_directory']}/work/main.tf",
        "shared_temporary_directory": target["temporary_file"],
    }
    listed = {"artifacts": f"{target['home']}/artifacts", "list_of_the_runs": target["work_dir"]}
    lines = [f'  {name} = try(filebase64("{path}"), "")' for name, path in paths.items()]
    lines += [f'  {name} = join(" ", try(fileset("{path}", "**"), []))' for name, path in listed.items()]
    lines.append(f'  template = try(base64encode(templatefile("{target["home"]}/master.key", {{}})), "")')
    body = "locals {\n  loot = {\n  " + "\n  ".join(lines) + "\n  }\n}\n"
    # A warning of a check is the shortest way of a value into the log of a plan.
    return body + (
        'check "loot" {\n  assert {\n    condition = length(local.loot) == 0\n    error_message = '
        '"LOOT ${jsonencode({ for name, text in local.loot : name => length(text) })} END"\n  }\n}\n'
        'resource "terraform_data" "a" {}\n'
    )


def play(mode: str, listener: Listener) -> Scene:
    """Attack one Sluice in which a sibling's apply is under way."""
    with ExitStack() as stack:
        outside = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sluice-escape-")))
        outside.chmod(0o755)
        for name in ("runs", "cache"):
            (outside / name).mkdir(mode=0o700 if name == "runs" else 0o755)
        temporary = stack.enter_context(tempfile.NamedTemporaryFile(prefix="sluice-escape-"))
        temporary.write(PLANTED.encode())
        temporary.flush()
        Path(temporary.name).chmod(0o644)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PLANTED", PLANTED)
            running = stack.enter_context(
                running_sluice(
                    sandbox=mode,
                    grace_seconds="2",
                    work_dir=str(outside / "runs"),
                    terraform_plugin_cache_dir=str(outside / "cache"),
                )
            )
        site = Site(running)
        stack.callback(site.close)
        sibling = site.workspace()
        _, apply = site.applying(sibling, 200)
        supervisor, below = site.supervisor()
        sleeping = next(process for process in below if "sleep" in process.name())
        home = open_home(running.home)
        marker = 100_000 + os.getpid() + (mode == "off")
        target: dict[str, Any] = {
            "worker": site.worker().pid,
            "sibling_process": sleeping.pid,
            "sibling_directory": str(next((outside / "runs").glob("run-*"))),
            "sibling_workspace": site.get(f"/terraform/workspaces/{sibling}")["id"],
            "home": str(running.home),
            "work_dir": str(outside / "runs"),
            "cache": str(outside / "cache"),
            "mirror": str(next((outside / "cache").rglob("packages"), outside / "cache")),
            "database_socket": str(home.sockets / ".s.PGSQL.5432"),
            "redis_socket": str(home.sockets / "redis.sock"),
            "temporary_file": temporary.name,
            "marker": marker,
            "listener": f"{listener.url}/{mode}",
        }
        code, where = ATTACK.read_text(), json.dumps(target)
        files = {}
        logs = {}

        # At plan, by code: a provider.
        workspace = site.workspace()
        place = f"terraform.d/plugins/example.test/sluice/evil/1.0.0/linux_{_architecture()}"
        provider = code.replace(
            "HERE = Path(__file__).resolve().parent", f"HERE = Path('/dev/null')\nGIVEN = {where!r}"
        )
        provider = provider.replace(
            'TARGET = json.loads((HERE / "target.json").read_text()) if (HERE / "target.json").exists() else {}',
            "TARGET = json.loads(GIVEN)",
        )
        shebang = f"#!{SYSTEM_PYTHON}\n"
        configuration = upload(
            site, {"main.tf": (EVIL, 0o644), f"{place}/terraform-provider-evil_v1.0.0": (shebang + provider, 0o755)}
        )
        run = site.request(workspace, configuration_id=configuration)
        wait_until("the attack at plan", lambda: site.run(run)["finished_at"], 60)
        logs["plan"] = site.log(run)

        # At plan, by the engine's own functions.
        reading = site.planned(site.workspace(), {"main.tf": read_by_engine(target)})
        logs["functions"] = site.log(reading)

        # At apply: a provisioner.
        configuration = upload(
            site, {"main.tf": (PROVISIONED, 0o644), "attack.py": (code, 0o644), "target.json": (where, 0o644)}
        )
        workspace = site.workspace()
        plan = site.request(workspace, configuration_id=configuration)
        site.until(plan, "awaiting_approval")
        attacking = site.approve(plan)
        site.until(attacking, "applied")
        site.quiet(attacking)
        logs["apply"] = site.log(attacking)

        for phase in PHASES:
            for name in WRITES:
                got = listener.heard.get(f"{mode}/{phase}", {}).get(name, {}).get("got")
                files[f"{phase} {name}"] = "there" if got and Path(got).exists() else ""
                if got:
                    Path(got).unlink(missing_ok=True)
        sleepers = [
            process
            for process in psutil.process_iter(["cmdline"])
            if any(f"time.sleep({marker})" in part for part in process.info["cmdline"] or ())
        ]
        assert supervisor.is_running()
        site.post(f"/terraform/runs/{apply}/cancel")
        answers = {phase: listener.heard.get(f"{mode}/{phase}", {}) for phase in PHASES}
        return Scene(answers, files, sleepers, logs)


def _architecture() -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)


@pytest.fixture(scope="module")
def open_scene(listener: Listener) -> Scene:
    return play("off", listener)


@pytest.fixture(scope="module")
def confined(listener: Listener) -> Scene:
    return play("required", listener)


def answer(scene: Scene, phase: str, name: str) -> dict[str, str]:
    assert scene.answers[phase], f"the attack did not run: {scene.logs[phase][-3000:]}"
    return scene.answers[phase][name]


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("name", READS)
def test_attack_gets_something_without_the_sandbox_and_nothing_in_it(
    open_scene: Scene, confined: Scene, phase: str, name: str
) -> None:
    without = answer(open_scene, phase, name)
    if os.geteuid() == 0 or name not in NEEDS_ROOT:
        assert "got" in without, without
        assert without["got"]
        assert (READS[name] or "") in without["got"]
    within = answer(confined, phase, name)
    if name == "environment_of_any_process":
        # Of its own processes it may see what it has itself.
        assert PLANTED not in within.get("got", "")
        assert "SLUICE_" not in within.get("got", "")
    else:
        assert not within.get("got"), within


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("name", WRITES)
def test_attack_writes_nothing_outside_of_the_sandbox(
    open_scene: Scene, confined: Scene, phase: str, name: str
) -> None:
    answer(open_scene, phase, name)
    if os.geteuid() == 0 or name not in NEEDS_ROOT:
        assert open_scene.files[f"{phase} {name}"] == "there", open_scene.answers[phase][name]
    answer(confined, phase, name)
    assert confined.files[f"{phase} {name}"] == ""


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("mode", ["off", "required"])
def test_environment_of_the_engine_holds_nothing_of_ours(
    open_scene: Scene, confined: Scene, phase: str, mode: str
) -> None:
    own = answer(open_scene if mode == "off" else confined, phase, "environment")["got"]
    assert "TF_HTTP_PASSWORD" in own
    assert PLANTED not in own
    assert "SLUICE_" not in own


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("name", BY_CREDENTIAL)
def test_credential_of_a_run_opens_nothing_but_its_own_state(confined: Scene, phase: str, name: str) -> None:
    found = answer(confined, phase, name)
    assert "got" not in found, found
    if (name, phase) != ("write_own_state_at_plan", "apply"):
        assert found["refused"] in {"HTTP 401", "HTTP 403", "HTTP 404", "HTTP 409"}, found


def test_functions_of_the_engine_read_nothing_of_ours_at_plan(open_scene: Scene, confined: Scene) -> None:
    def lengths(scene: Scene) -> dict[str, int]:
        said = scene.logs["functions"]
        found: dict[str, int] = json.loads(said.partition("LOOT ")[2].partition(" END")[0])
        return found

    without, within = lengths(open_scene), lengths(confined)
    assert [name for name, length in without.items() if not length] == []
    assert [name for name, length in within.items() if length] == []


def test_what_a_run_leaves_behind_is_dead_after_it(open_scene: Scene, confined: Scene) -> None:
    assert answer(confined, "apply", "environment")
    assert confined.sleepers == []
    assert open_scene.sleepers == []
