from pathlib import Path

from app.executor.cli_config import compose, rules_identity, without_sources

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


def test_compose_keeps_the_operators_installation_rules_behind_the_cache_that_they_fill() -> None:
    found = compose(f'plugin_cache_dir = "/srv/cache"\n{MIRROR}', Path("/srv/other"), unfit=["example.invalid/a/b"])
    assert found is not None
    assert "/srv/cache" not in found.text
    assert found.text.index("/srv/other") < found.text.index("/srv/mirror")
    assert 'exclude = ["example.invalid/a/b"]' in found.text
    assert found.directories == (Path("/srv/mirror"), Path("/srv/dev"), Path("/srv/other"))


def test_compose_asks_nobody_else_for_what_the_cache_is_known_to_have() -> None:
    found = compose(None, Path("/srv/cache"), known=["example.invalid/a/b"])
    assert found is not None
    assert 'direct {\n    exclude = ["example.invalid/a/b"]\n  }' in found.text


def test_without_sources_keeps_credentials_and_overrides_only() -> None:
    found = without_sources(
        f'plugin_cache_dir = "/srv/cache"\n{MIRROR}\ncredentials "x.invalid" {{\n  token = "t"\n}}\n'
    )
    assert "/srv/cache" not in found.text
    assert "/srv/mirror" not in found.text
    assert 'credentials "x.invalid"' in found.text
    assert '"example.invalid/a/b" = "/srv/dev"' in found.text
    assert 'exclude = ["*/*/*"]' in found.text
    assert found.directories == (Path("/srv/dev"),)


def test_rules_identity_is_of_the_rules_alone_and_none_where_they_fetch_nothing() -> None:
    assert rules_identity(None) == rules_identity("disable_checkpoint = true") == ""
    assert rules_identity(MIRROR) == rules_identity(f"disable_checkpoint = true\n{MIRROR}")
    assert rules_identity(MIRROR) != rules_identity(MIRROR.replace("direct {}", 'direct { exclude = ["a/*"] }'))
    assert rules_identity(MIRROR.replace("direct {}", "")) is None
