"""How many examples property tests try, and which: the same ones everywhere, unless a search is asked for.

Without more ado every machine tries the same examples, a developer's as well as CI's, so that `make test` answers the
same question wherever it runs. ``SLUICE_TEST_SEARCH`` asks for a search instead: random examples, that many of each
property (`make search EXAMPLES=2000`). What a search finds is mended, and written down with ``@example`` or a test.

The histories of the gate and the halts that race have variables of their own, since an example takes them seconds.
"""

import os

from hypothesis import HealthCheck, settings

USUAL = 100
ASKED = os.environ.get("SLUICE_TEST_SEARCH")


def examples(usual: int) -> int:
    """Return how many examples a property tries whose examples are dear: ``usual``, or in a search its share."""
    return usual if not ASKED else max(usual, usual * int(ASKED) // USUAL)


def load() -> None:
    """Choose the one profile of this run. Hypothesis would choose by whether the machine calls itself CI."""
    settings.register_profile(
        "same everywhere",
        max_examples=USUAL,
        derandomize=True,
        database=None,
        deadline=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.register_profile(
        "search", settings.get_profile("same everywhere"), max_examples=examples(USUAL), derandomize=False
    )
    settings.load_profile("search" if ASKED else "same everywhere")
