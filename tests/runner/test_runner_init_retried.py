"""Which failures of a real `init` are tried again, by what a registry on loopback does; with and without the cache."""

from collections.abc import Callable

import pytest

from app.core.settings import Settings
from app.executor.discovery import Tool
from app.executor.plugin_cache import PluginCache
from tests.runner.fetching import needs, planned, ran
from tests.support.registry import Fault, Handler, Registry, cut_short, reset, status

pytestmark = [pytest.mark.engine, pytest.mark.processes, pytest.mark.provider]

DISCOVERY = "/.well-known/terraform.json"
TRANSIENT: dict[str, tuple[str, Callable[[Handler], None]]] = {
    "discovery 503": (DISCOVERY, status(503)),
    "versions 429": ("/versions", status(429)),
    "versions reset": ("/versions", reset),
    "archive 502": (".zip", status(502)),
    "archive reset": (".zip", reset),
    "archive cut short": (".zip", cut_short),
    "checksums 500": ("SHA256SUMS", status(500)),
}
PERMANENT: dict[str, tuple[str, Callable[[Handler], None], str]] = {
    "versions 401": ("/versions", status(401), "requires authentication credentials"),
    "versions 404": ("/versions", status(404), "does not have a provider named"),
    "archive 403": (".zip", status(403), "403"),
    "archive altered": (".zip", lambda handler: handler.send_bytes(b"PK altered"), "incorrect checksum"),
    "checksums of others": (
        "SHA256SUMS",
        lambda handler: handler.send_bytes(b"0" * 64 + b"  other.zip\n"),
        "no SHA-256 hash",
    ),
    "signature of other bytes": (
        ".sig",
        lambda handler: handler.send_bytes(handler.registry.key.sign(b"other")),
        "checking signature",
    ),
}


def during_inits(registry: Registry, path: str, fault: Callable[[Handler], None], *, first: int) -> Fault:
    """Return a fault of the first so many inits: engines discover the registry once in each."""

    def answer(handler: Handler) -> bool:
        if path not in handler.path or registry.hits[DISCOVERY] > first:
            return False
        fault(handler)
        return True

    return answer


@pytest.mark.parametrize("kind", TRANSIENT)
def test_init_that_fails_twice_for_what_may_pass_succeeds_at_the_third(
    engine_tool: Tool, fetching: Settings, registry: Registry, kind: str
) -> None:
    demo = registry.add("demo", "1.2.3")
    registry.faults.append(during_inits(registry, *TRANSIENT[kind], first=2))
    alone = fetching.model_copy(update={"terraform_plugin_cache_dir": None})

    port = planned(engine_tool, alone, needs(demo))

    assert "init failed for a reason that may pass; attempt 2 of 4" in port.text
    assert "attempt 3 of 4" in port.text
    assert "attempt 4 of 4" not in port.text
    assert registry.hits[DISCOVERY] == 3


@pytest.mark.parametrize("kind", PERMANENT)
def test_init_that_fails_for_what_stays_is_not_tried_again(
    engine_tool: Tool, fetching: Settings, registry: Registry, kind: str
) -> None:
    demo = registry.add("demo", "1.2.3")
    path, fault, said = PERMANENT[kind]
    registry.faults.append(during_inits(registry, path, fault, first=100))
    alone = fetching.model_copy(update={"terraform_plugin_cache_dir": None})

    state, port = ran(engine_tool, alone, needs(demo))

    assert state == "errored"
    assert port.failure is not None
    assert (port.failure.phase, port.failure.code) == ("initializing", "engine_failed")
    assert said in port.failure.message
    assert "may pass" not in port.text
    assert registry.hits[DISCOVERY] == 1


def test_init_without_a_version_that_will_do_is_not_tried_again(
    engine_tool: Tool, fetching: Settings, registry: Registry
) -> None:
    demo = registry.add("demo", "1.2.3")

    state, port = ran(engine_tool, fetching, needs(f"{demo} ~> 2.0"))

    assert state == "errored"
    assert port.failure is not None
    assert "no available releases match" in port.failure.message
    assert "may pass" not in port.text
    # Once for the cache, once in the run's own words.
    assert registry.hits[DISCOVERY] == 2


def test_fetch_for_the_cache_that_fails_twice_is_tried_again_and_each_attempt_is_in_the_log(
    engine_tool: Tool, fetching: Settings, registry: Registry
) -> None:
    demo = registry.add("demo", "1.2.3")
    registry.faults.append(during_inits(registry, ".zip", reset, first=2))

    port = planned(engine_tool, fetching, needs(demo))

    assert f"{demo} could not be fetched for a reason that may pass" in port.text
    assert "attempt 2 of 4" in port.text
    assert "attempt 3 of 4" in port.text
    assert f"Fetched {demo} 1.2.3" in port.text
    assert "init failed" not in port.text


def test_fetch_for_the_cache_that_fails_for_good_leaves_the_run_to_its_own_init_and_is_made_up_for(
    engine_tool: Tool, fetching: Settings, registry: Registry
) -> None:
    demo = registry.add("demo", "1.2.3")
    # What only the first fetch meets: the run's own init finds the registry well.
    registry.faults.append(during_inits(registry, ".zip", status(403), first=1))

    port = planned(engine_tool, fetching, needs(demo))

    assert f"{demo} is not shared between runs" in port.text
    assert fetching.terraform_plugin_cache_dir is not None
    cache = PluginCache(fetching.terraform_plugin_cache_dir)
    assert cache.satisfies(demo, "= 1.2.3")
    assert cache.check_all() == []
