"""`sluice keys add|list|reencrypt|remove`: the master keys that data at rest is sealed with."""

import importlib
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.options import AsJson
from app.cli.program import group, register
from app.client.errors import LocalProblem

commands = group(
    "Master keys of this installation: add one, seal everything anew, remove the old one. Run it where Sluice runs."
)
HomeDirectory = Annotated[
    Path | None,
    typer.Option("--home", help="Data directory; default SLUICE_HOME, else that of `sluice up`.", show_default=False),
]


def _rotation(home: Path | None, *, with_database: bool = True) -> Any:
    """Return the module that does the work, once settings name the data. Errors are ``LocalProblem``."""
    from app.core.errors import AppError
    from app.embedded.settings import load

    if home is not None:
        os.environ["SLUICE_HOME"] = str(home.expanduser().resolve())
    try:
        settings = load()
        if settings.database_url is None and with_database:
            from app.embedded.home import open_home
            from app.embedded.postgres import Postgres

            os.environ["SLUICE_DATABASE_URL"] = Postgres(open_home(settings.home)).url()
            from app.core.settings import get_settings

            get_settings.cache_clear()
    except AppError as error:
        raise LocalProblem(error.detail, error.code) from None
    # By name: the command line imports no slice, and this composition root imports all of them.
    return importlib.import_module("app.rotation")


def _done(action: Any) -> Any:
    from sqlalchemy.exc import OperationalError

    from app.core.errors import AppError

    try:
        return action()
    except AppError as error:
        raise LocalProblem(error.detail, error.code) from None
    except OperationalError:
        raise LocalProblem(
            "The database can't be reached. Start Sluice (`sluice up`), or set SLUICE_DATABASE_URL.",
            "database_unreachable",
        ) from None


def add(home: HomeDirectory = None, as_json: AsJson = False) -> None:
    """Put a fresh key first: from now on everything new is sealed with it.

    Example: sluice keys add
    """
    from app.cli.output import print_json, say

    made = _done(_rotation(home, with_database=False).add)
    if as_json:
        print_json({"id": made})
    else:
        say(f"Added {made}. Back up master.key now, then run `sluice keys reencrypt`.")


def list_keys(home: HomeDirectory = None, as_json: AsJson = False) -> None:
    """List the keys, and how much each seals. The first is the one that seals now.

    Example: sluice keys list
    """
    from app.cli.output import print_json, print_table

    found = _done(_rotation(home).usage)
    if as_json:
        print_json({"items": [{"id": key_id, "seals": count} for key_id, count in found.items()]})
    else:
        print_table(("Key", "Seals"), found.items(), "There is no key.")


def reencrypt(home: HomeDirectory = None, as_json: AsJson = False) -> None:
    """Seal everything anew that an older key seals. Safe while Sluice runs; run it again when it was interrupted.

    Example: sluice keys reencrypt
    """
    from app.cli.output import print_json, say
    from app.core.settings import get_settings
    from app.embedded import keys

    rotation = _rotation(home)
    report = _done(rotation.reencrypt)
    _done(lambda: keys.reseal_check(get_settings()))
    if as_json:
        print_json({"resealed": report.resealed, "damaged": report.damaged})
    else:
        for place, count in report.resealed.items():
            say(f"{place}: {count}")
    if report.damaged:
        listed = "; ".join(report.damaged[:5])
        raise LocalProblem(
            f"{len(report.damaged)} stored things do not open and were left as they are: {listed}.", "integrity_error"
        )


def remove(
    key_id: Annotated[str, typer.Argument(help="Id of the key, such as k1.", show_default=False)],
    home: HomeDirectory = None,
    as_json: AsJson = False,
) -> None:
    """Remove a key that seals nothing any more; refused while anything needs it.

    Example: sluice keys remove k1
    """
    from app.cli.output import print_json, say

    rotation = _rotation(home)
    _done(lambda: rotation.remove(key_id))
    if as_json:
        print_json({"id": key_id})
    else:
        say(f"Removed {key_id}.")


register(commands, "add", add)
register(commands, "list", list_keys)
register(commands, "reencrypt", reencrypt)
register(commands, "remove", remove)
