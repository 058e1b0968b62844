from pathlib import Path

import pytest

from app.core.settings import Settings
from app.executor import control_group, measures, probe
from app.executor.errors import EgressUnavailable, SandboxUnavailable
from app.executor.sandbox import SandboxTools

BWRAP = SandboxTools(Path("/usr/bin/bwrap"), "privileged", Path("/usr/bin/setpriv"))


@pytest.fixture(autouse=True)
def no_proxy_of_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)


def found(monkeypatch: pytest.MonkeyPatch, tools: SandboxTools | None, isolation: str = "") -> None:
    monkeypatch.setattr(probe, "probe", lambda: probe.Probe(tools, "" if tools else "bubblewrap is not installed"))
    monkeypatch.setattr(probe, "isolation_failure", lambda _: isolation)
    monkeypatch.setattr(control_group, "found", lambda: None)


def test_measures_name_sandbox_limits_and_egress(monkeypatch: pytest.MonkeyPatch) -> None:
    found(monkeypatch, BWRAP)
    settings = Settings(
        engine_memory_mb=2048, egress="proxy", egress_hosts=["registry.opentofu.org", "*.corp.test:8443"]
    )
    held = measures.of(settings)
    assert held.warning is None
    assert held.text == (
        "sandbox: bubblewrap, a uid for each run; limits of an engine: 2048 MiB of memory, 4096 processes and threads, "
        "10240 MiB on disk, 7200 s a phase, held by a watchdog; "
        "egress: through a proxy to registry.opentofu.org, *.corp.test:8443, and to "
        "the managed state"
    )


@pytest.mark.parametrize(("mode", "reason"), [("off", "SLUICE_SANDBOX=off"), ("auto", "bubblewrap is not installed")])
def test_measures_without_a_sandbox_warn_with_reason_and_remedy(
    monkeypatch: pytest.MonkeyPatch, mode: str, reason: str
) -> None:
    found(monkeypatch, None)
    held = measures.of(Settings.model_validate({"sandbox": mode}))
    assert held.warning is not None
    assert reason in held.warning
    assert "SLUICE_SANDBOX=required" in held.warning
    assert held.text.startswith("sandbox: none;")


def test_measures_required_sandbox_that_is_not_there_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    found(monkeypatch, None)
    with pytest.raises(SandboxUnavailable):
        measures.of(Settings(sandbox="required"))


@pytest.mark.parametrize(
    ("tools", "isolation", "proxy", "reason"),
    [
        (None, "", "", "it takes the sandbox"),
        (BWRAP, "no RTM_NEWADDR", "", "no RTM_NEWADDR"),
        (BWRAP, "", "http://proxy.test:3128", "behind a proxy"),
    ],
)
@pytest.mark.parametrize("egress", ["proxy", "none"])
def test_measures_egress_that_can_not_be_kept_refuses(
    monkeypatch: pytest.MonkeyPatch, egress: str, tools: SandboxTools | None, isolation: str, proxy: str, reason: str
) -> None:
    found(monkeypatch, tools, isolation)
    if proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(EgressUnavailable, match=reason):
        measures.of(Settings.model_validate({"egress": egress}))


def test_settings_split_the_hosts_of_egress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_EGRESS_HOSTS", "registry.opentofu.org, *.amazonaws.com ,10.0.0.0/8")
    assert Settings().egress_hosts == ["registry.opentofu.org", "*.amazonaws.com", "10.0.0.0/8"]
