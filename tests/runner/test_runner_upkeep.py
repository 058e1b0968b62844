from pathlib import Path

from app.core.settings import get_settings
from app.executor.package_files import package_hash
from app.executor.plugin_cache import PLATFORM, PluginCache
from app.runner.upkeep import check_cache

ADDRESS = "registry.example.invalid/acme/demo"


def test_check_cache_sets_damage_aside_and_clears_what_deaths_left(tmp_path: Path) -> None:
    settings = get_settings().model_copy(
        update={"terraform_plugin_cache_dir": tmp_path / "cache", "terraform_cli_config_file": None}
    )
    assert check_cache(settings) == []
    cache = PluginCache(tmp_path / "cache")
    for version in ("1.0.0", "1.1.0"):
        with cache.stage() as directory:
            source = directory / "fetched"
            source.mkdir()
            (source / "terraform-provider-demo").write_text("a provider\n")
            cache.admit(source, ADDRESS, version, hashes=frozenset({package_hash(source)}), by="test")
    binary = cache.packages / ADDRESS / "1.0.0" / PLATFORM / "terraform-provider-demo"
    binary.chmod(0o644)
    binary.write_text("b provider\n")
    (tmp_path / "cache" / "staging" / "dead").mkdir()

    assert check_cache(settings) == [f"{ADDRESS}/1.0.0/{PLATFORM}"]

    assert not list((tmp_path / "cache" / "staging").iterdir())
    assert cache.find(ADDRESS, "1.1.0") is not None
    assert check_cache(settings.model_copy(update={"terraform_plugin_cache_dir": None})) == []
