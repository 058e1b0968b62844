import io
import tarfile
from pathlib import Path

import pytest

from app.executor.engine import Site
from app.executor.files import Owner
from app.runner import workdir
from app.runner.workdir import ConfigurationUnusable


def packed(*names: str) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            archive.addfile(member, io.BytesIO())
    return content.getvalue()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return workdir.make(tmp_path / "runs", "run-1", module_path="", owner=Owner())


def test_lay_out_leaves_the_engine_s_own_files_out(site: Site) -> None:
    workdir.lay_out(site, packed("main.tf", "terraform.tfstate", "a/terraform.tfstate"), {"g.tf": "x"}, owner=Owner())
    found = sorted(str(path.relative_to(site.work)) for path in site.work.rglob("*") if path.is_file())
    assert found == ["a/terraform.tfstate", "g.tf", "main.tf"]


@pytest.mark.parametrize("name", ["a/" * 513 + "main.tf", "../main.tf"], ids=["too deep", "above"])
def test_lay_out_of_a_hostile_archive_is_refused(site: Site, name: str) -> None:
    with pytest.raises(ConfigurationUnusable):
        workdir.lay_out(site, packed(name), {}, owner=Owner())
    assert not (site.work.parent / "main.tf").exists()


def test_lay_out_as_deep_as_an_upload_may_be(site: Site) -> None:
    workdir.lay_out(site, packed("a/" * 500 + "main.tf"), {}, owner=Owner())
    workdir.remove(site)
    assert not site.root.exists()
