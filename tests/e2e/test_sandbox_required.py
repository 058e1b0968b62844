"""Where bubblewrap is not found: a warning at the worker's start and in each run's log, or nothing runs at all."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.site import Site
from tests.support.guards import spawning
from tests.support.server import SLUICE, clean_environment, running_sluice

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.engine,
    pytest.mark.processes,
    pytest.mark.xdist_group("e2e"),
    pytest.mark.timeout(240),
]


@pytest.fixture
def no_bubblewrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A PATH on which everything is found that was, but for bubblewrap."""
    for directory in os.environ["PATH"].split(os.pathsep):
        if not Path(directory).is_dir():
            continue
        for program in Path(directory).iterdir():
            link = tmp_path / program.name
            if program.name != "bwrap" and not link.is_symlink():
                link.symlink_to(program)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert shutil.which("bwrap") is None


def test_worker_without_bubblewrap_warns_at_its_start_and_in_each_run(no_bubblewrap: None) -> None:
    with running_sluice() as running:
        site = Site(running)
        run = site.planned(site.workspace(), {"main.tf": 'resource "terraform_data" "a" {}\n'})
        assert "Warning: the engine runs without a sandbox (bubblewrap (bwrap) is not installed)" in site.log(run)
        said = (running.home / "logs" / "worker.log").read_text()
        assert "the engine runs without a sandbox (bubblewrap (bwrap) is not installed)" in said
        assert "sandbox: none; limits of an engine:" in said
        site.close()


@pytest.mark.parametrize("settings", [{"SLUICE_SANDBOX": "required"}, {"SLUICE_EGRESS": "none"}], ids=str)
def test_up_without_bubblewrap_that_needs_it_refuses_to_start(
    no_bubblewrap: None, tmp_path_factory: pytest.TempPathFactory, settings: dict[str, str]
) -> None:
    home = tmp_path_factory.mktemp("home")
    with spawning("the command under test"):
        done = subprocess.run(
            [SLUICE, "up", "--home", home, "--port", "0", "--no-demo"],
            env=clean_environment() | settings,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    [(name, value)] = settings.items()
    assert done.returncode == 1, (done.stdout, done.stderr)
    assert f"{name}={value}" in done.stderr
    assert "bubblewrap" in done.stderr or "sandbox" in done.stderr
