"""How the tests with the real AWS provider come by it."""

import zipfile
from pathlib import Path

import pytest

from tests.support import aws

BINARY = "terraform-provider-aws_v5.9.0_x5"


def lay_unpacked(mirror: Path, version: str, host: str = aws.HOSTS[1]) -> None:
    directory = mirror / host / aws.PROVIDER / version / "linux_amd64"
    directory.mkdir(parents=True)
    (directory / f"terraform-provider-aws_v{version}_x5").write_text(version)


def test_provider_in_named_mirror_is_laid_out_for_both_engines_in_its_newest_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_unpacked(tmp_path / "mirror", "5.9.0")
    lay_unpacked(tmp_path / "mirror", "5.100.0")
    monkeypatch.setenv("SLUICE_TEST_PROVIDER_MIRROR", str(tmp_path / "mirror"))
    target = tmp_path / "laid out"
    target.mkdir()
    found = aws.lay_out_provider(target, Path("/nowhere/tofu"))
    assert found.version == "5.100.0"
    assert str(target / "mirror") in found.cli_config.read_text()
    for host in aws.HOSTS:
        assert [file.name for file in (target / "mirror" / host / aws.PROVIDER).rglob("terraform-provider-*")] == [
            "terraform-provider-aws_v5.100.0_x5"
        ]


def test_provider_named_mirror_without_it_names_the_remedies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_TEST_PROVIDER_MIRROR", str(tmp_path))
    with pytest.raises(aws.ProviderMissing, match="SLUICE_TEST_AWS=off"):
        aws.lay_out_provider(tmp_path, Path("/nowhere/tofu"))


def test_provider_nowhere_and_registry_out_of_reach_names_the_remedies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SLUICE_TEST_PROVIDER_MIRROR", raising=False)
    monkeypatch.setattr(aws, "SEARCHED", ())
    engine = tmp_path / "engine"
    engine.write_text("#!/bin/sh\necho 'could not connect' >&2\nexit 1\n")
    engine.chmod(0o755)
    with pytest.raises(aws.ProviderMissing, match=r"SLUICE_TEST_PROVIDER_MIRROR(.|\n)*could not connect"):
        aws.lay_out_provider(tmp_path, engine)


def test_provider_fetched_from_the_registry_is_unpacked_and_may_be_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SLUICE_TEST_PROVIDER_MIRROR", raising=False)
    monkeypatch.setattr(aws, "SEARCHED", ())
    archive = tmp_path / "provider.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr(BINARY, "the provider")
    engine = tmp_path / "engine"
    # As `providers mirror DIRECTORY` leaves it.
    place = f"$3/{aws.HOSTS[0]}/{aws.PROVIDER}"
    engine.write_text(
        f'#!/bin/sh\nset -e\nmkdir -p "{place}"\n'
        f'cp "{archive}" "{place}/terraform-provider-aws_5.9.0_linux_amd64.zip"\necho "{{}}" > "{place}/index.json"\n'
    )
    engine.chmod(0o755)
    found = aws.lay_out_provider(tmp_path, engine)
    assert found.version == "5.9.0"
    program = tmp_path / "mirror" / aws.HOSTS[1] / aws.PROVIDER / "5.9.0" / "linux_amd64" / BINARY
    assert program.read_text() == "the provider"
    assert program.stat().st_mode & 0o111
