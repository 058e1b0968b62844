"""What a plan must leave as it was, so that what is read from its plan file can be trusted.

Policies judge what `show` says, and `show` starts providers: those that a program of the plan had put in place of the
right ones could have it say anything.
"""

from app.executor import files
from app.executor.engine import Site
from app.executor.errors import PlanSurroundingsChanged
from app.executor.files import Owner
from app.executor.initializing import LOCK_FILE

# Not the modules: what a plan writes beside one (`archive_file`) belongs to it, and `show` reads none.
_CHOOSE_PROVIDERS = (
    LOCK_FILE,
    *(f".terraform/{name}" for name in ("providers", "plugins", "environment", "terraform.tfstate")),
    ".terraform/modules/modules.json",
)
_MOST_NAMED = 20


def noted(site: Site) -> files.Facts:
    """Return what `init` left, by which engines choose and start providers. Raises ``ProcessFailed``."""
    return files.facts_below(site.module, _CHOOSE_PROVIDERS)


def restore(site: Site, before: files.Facts, *, owner: Owner) -> None:
    """Take the plan's home away, and see that it left the rest as it was ``noted`` before.

    Engines read a CLI configuration in their home, which may name other providers, where none is given to them. Raises
    ``PlanSurroundingsChanged`` and ``ProcessFailed``.
    """
    now = noted(site)
    changed = sorted(name for name in now.keys() | before.keys() if now.get(name) != before.get(name))
    if changed:
        raise PlanSurroundingsChanged(
            f"Something that ran in the plan changed {changed[0]}, by which providers are chosen, so what it "
            "says could not be trusted. Remove the program that writes there from the configuration.",
            files=changed[:_MOST_NAMED],
        )
    files.make_anew(site.home, owner=owner)
