from pathlib import Path

import pytest

from app.executor import probe, sandbox
from app.executor.errors import SandboxUnavailable
from app.executor.sandbox import Confinement, SandboxTools

ROOT = SandboxTools(Path("/usr/bin/bwrap"), "privileged", Path("/usr/bin/setpriv"))
USER = SandboxTools(Path("/usr/bin/bwrap"), "user", user_id=1000)


def line(confinement: Confinement, **more: object) -> list[str]:
    found = sandbox.wrap(
        confinement,
        "/sluice/bin/tofu",
        ["plan", "-json"],
        directory="/workspace",
        status_descriptor=9,
        data_descriptors={"/etc/passwd": 7},
    )
    return list(found)


def test_privileged_sandbox_drops_uid_and_every_capability() -> None:
    found = " ".join(line(Confinement(ROOT)))
    assert "--unshare-user" not in found
    assert "--cap-drop ALL" in found
    assert found.endswith(
        "-- /usr/bin/setpriv --reuid=61234 --regid=61234 --clear-groups --inh-caps=-all --bounding-set=-all "
        "--no-new-privs -- /sluice/bin/tofu plan -json"
    )
    assert ROOT.owner_id == 61234


def test_user_sandbox_takes_a_user_namespace() -> None:
    found = " ".join(line(Confinement(USER)))
    assert "--unshare-user" in found
    assert found.endswith("--cap-drop ALL -- /sluice/bin/tofu plan -json")
    assert USER.owner_id is None


@pytest.mark.parametrize("tools", [ROOT, USER], ids=["privileged", "user"])
def test_sandbox_has_own_namespaces_and_dies_with_its_parent(tools: SandboxTools) -> None:
    found = line(Confinement(tools))
    for option in ("--die-with-parent", "--new-session", "--unshare-pid", "--unshare-ipc", "--unshare-uts"):
        assert option in found
    assert found[found.index("--info-fd") + 1] == "9"
    assert "--remount-ro / " in " ".join(found)
    assert "--unshare-net" not in found


def test_sandbox_without_network_has_its_own() -> None:
    assert "--unshare-net" in line(Confinement(USER, has_network=False))


def test_sandbox_binds_what_is_named_and_nothing_of_the_home(tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    found = line(
        Confinement(
            ROOT,
            work=tmp_path / "work",
            temporary=tmp_path / "tmp",
            home=tmp_path / "home",
            programs=(Path("/usr/bin/true"),),
            read_only=(mirror, tmp_path / "missing"),
        )
    )
    writable = [(found[place + 1], found[place + 2]) for place, word in enumerate(found) if word == "--bind"]
    assert writable == [
        (str(tmp_path / "tmp"), "/tmp"),
        (str(tmp_path / "home"), "/home/engine"),
        (str(tmp_path / "work"), "/workspace"),
    ]
    readable = {found[place + 2] for place, word in enumerate(found) if word == "--ro-bind"}
    assert {str(mirror), "/usr", "/sluice/bin/true"} <= readable
    assert not [path for path in readable if path in {"/", "/etc", "/home", "/root", "/var", "/run", "/proc"}]
    assert str(tmp_path / "missing") not in readable


def test_directory_of_the_host_becomes_one_inside(tmp_path: Path) -> None:
    confinement = Confinement(ROOT, work=tmp_path)
    assert sandbox.inside(confinement, tmp_path) == "/workspace"
    assert sandbox.inside(confinement, tmp_path / "live" / "prod") == "/workspace/live/prod"
    assert sandbox.inside(confinement, Path("/elsewhere")) == "/elsewhere"


def test_required_sandbox_that_does_not_work_refuses_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "probe", lambda: probe.Probe(None, "bubblewrap (bwrap) is not installed"))
    with pytest.raises(SandboxUnavailable, match=r"not installed.*SLUICE_SANDBOX=auto"):
        probe.sandbox_tools("required")
    assert probe.sandbox_tools("auto") is None


def test_sandbox_that_is_off_is_not_probed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "probe", lambda: pytest.fail("it must not be probed"))
    assert probe.sandbox_tools("off") is None
