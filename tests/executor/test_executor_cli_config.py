from pathlib import Path

from app.executor.cli_config import compose

MIRROR = """
provider_installation {
  filesystem_mirror {
    path    = "/srv/mirror"
    include = ["*/*/*"]
  }
  dev_overrides {
    "example.invalid/a/b" = "/srv/dev"
  }
  direct {}
}
"""


def test_compose_of_nothing_is_nothing() -> None:
    assert compose(None, None) is None
    assert compose("  \n", None) is None


def test_compose_finds_every_directory_that_is_named() -> None:
    found = compose(MIRROR, None)
    assert found is not None
    assert found.text == MIRROR
    assert found.directories == (Path("/srv/mirror"), Path("/srv/dev"))


def test_compose_offers_a_cache_as_a_mirror_that_is_only_read() -> None:
    found = compose(None, Path('/srv/ca"che'))
    assert found is not None
    assert "filesystem_mirror" in found.text
    assert r'path = "/srv/ca\"che"' in found.text
    assert "direct {}" in found.text
    assert found.directories == (Path('/srv/ca"che'),)


def test_compose_takes_a_writable_cache_out_of_the_operators_text() -> None:
    found = compose('plugin_cache_dir = "/srv/cache"\ndisable_checkpoint = true\n', None)
    assert found is not None
    assert "plugin_cache_dir" not in found.text
    assert "disable_checkpoint = true" in found.text
    assert 'path = "/srv/cache"' in found.text


def test_compose_leaves_the_operators_installation_rules_alone() -> None:
    found = compose(f'plugin_cache_dir = "/srv/cache"\n{MIRROR}', Path("/srv/other"))
    assert found is not None
    assert found.text.count("filesystem_mirror") == 1
    assert found.directories == (Path("/srv/mirror"), Path("/srv/dev"))
