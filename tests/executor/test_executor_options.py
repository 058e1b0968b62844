from app.core.settings import Settings
from app.executor.options import ExecutorOptions

MEBIBYTE = 1024 * 1024


def test_options_take_every_limit_from_the_settings() -> None:
    settings = Settings(engine_output_mb=3, engine_memory_mb=700, engine_processes=99, engine_disk_mb=40, sandbox="off")
    limits = ExecutorOptions.from_settings(settings, grace_seconds=7, timeout_seconds=11).limits
    assert (limits.grace_seconds, limits.timeout_seconds) == (7, 11)
    assert limits.output_bytes == 3 * MEBIBYTE
    assert limits.tree is not None
    assert (limits.tree.memory_bytes, limits.tree.processes, limits.tree.disk_bytes) == (
        700 * MEBIBYTE,
        99,
        40 * MEBIBYTE,
    )
