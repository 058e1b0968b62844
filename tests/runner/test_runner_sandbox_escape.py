"""What a hostile configuration finds when it looks around: nothing of ours."""

import os
import socket
from pathlib import Path

import pytest

from app.executor.probe import probe
from app.runner.port import JobVariable
from tests.runner.conftest import Bench, BenchMaker, Thing, configuration

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(probe().tools is None, reason=f"no sandbox here: {probe().reason}"),
]
SECRET = "planted-secret-7f3a"


@pytest.fixture
def confined(make_bench: BenchMaker, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv("SLUICE_DATABASE_URL", f"postgresql://{SECRET}")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    return make_bench(sandbox="required")


def looked(bench: Bench, *paths: str | Path) -> str:
    """Plan a configuration that reads each path, and return the log."""
    steps = [{"read": str(path)} for path in paths]
    bench.run(bench.plan(configuration(Thing("a"), script={"plan": steps})))
    return bench.port.text


def test_environment_holds_the_allow_list_only(confined: Bench) -> None:
    bench = confined
    bench.run(bench.plan(configuration(Thing("a"), script={"plan": [{"environment": True}]})))
    assert SECRET not in bench.port.text
    assert "SLUICE_" not in bench.port.text
    assert "TF_IN_AUTOMATION" in bench.port.text


def test_environment_of_other_processes_is_out_of_sight(confined: Bench) -> None:
    text = looked(confined, f"/proc/{os.getpid()}/environ", f"/proc/{os.getppid()}/environ", "/proc/1/environ")
    assert text.count("no /proc/") == 3
    assert SECRET not in text


def test_home_and_store_and_sockets_are_out_of_sight(confined: Bench, tmp_path: Path) -> None:
    store = tmp_path / "home" / "artifacts"
    store.mkdir(parents=True)
    (store / "plan").write_text(SECRET)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "pg.sock"))
    try:
        text = looked(
            confined, store / "plan", tmp_path / "pg.sock", Path.home() / ".bashrc", "/etc/shadow", "/var/log", "/run"
        )
    finally:
        listener.close()
    assert SECRET not in text
    assert text.count("No such file or directory") == 6


def test_sibling_run_and_the_runs_directory_are_out_of_sight(confined: Bench) -> None:
    base = confined.settings.work_dir
    assert base is not None
    sibling = base / "run-sibling" / "work"
    sibling.mkdir(parents=True)
    base.chmod(0o700)
    (sibling / "terraform.tfstate").write_text(SECRET)
    text = looked(confined, sibling / "terraform.tfstate", "../../run-sibling/work/terraform.tfstate", base)
    assert SECRET not in text
    assert text.count("no ") >= 3


def test_link_out_of_the_directory_leads_nowhere(confined: Bench, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET)
    steps = [{"link": ["way-out", str(tmp_path / "secret")]}, {"read": "way-out"}]
    confined.run(confined.plan(configuration(Thing("a"), script={"plan": steps})))
    assert SECRET not in confined.port.text
    assert "no way-out" in confined.port.text


@pytest.mark.parametrize("path", ["/usr/local/planted", "/etc/planted", "/planted", "/sluice/bin/planted"])
def test_root_is_read_only(confined: Bench, path: str) -> None:
    files = configuration(Thing("a"), script={"plan": [{"write": [path, "x"]}]})
    assert confined.run(confined.plan(files)) == "errored"
    assert not Path(path).exists()


def test_temporary_directory_is_private_and_gone(confined: Bench) -> None:
    name = "/tmp/planted-by-a-run"
    files = configuration(Thing("a"), script={"plan": [{"write": [name, "x"]}, {"read": name}]})
    assert confined.run(confined.plan(files)) == "awaiting_approval"
    assert f"read {name}" in confined.port.text
    assert not Path(name).exists()
    assert [path for path in (confined.settings.work_dir or Path()).iterdir() if not path.name.startswith(".")] == []


def test_variables_never_reach_the_disk(confined: Bench) -> None:
    seen: list[str] = []

    def look(_: object) -> None:
        files = (path for path in (confined.settings.work_dir or Path()).rglob("*") if path.is_file())
        seen.extend(str(path) for path in files if SECRET in path.read_text(errors="replace"))

    confined.port.on_record = look
    name = "zzzz_sluice_variables.auto.tfvars.json"
    variables = (JobVariable(key="password", value=SECRET, kind="terraform", sensitive=True),)
    files = configuration(Thing("a"), script={"plan": [{"read": name}, {"sleep": 0.2}]})
    assert confined.run(confined.plan(files, variables=variables)) == "awaiting_approval", confined.port.text
    assert f"read {name}" in confined.port.text
    assert '"password"' in confined.port.text
    assert SECRET not in confined.port.text
    assert seen == []
