"""`sluice up`: everything of Sluice on this machine, in one command."""

import dataclasses
import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer


def up(
    home: Annotated[
        Path | None, typer.Option(envvar="SLUICE_HOME", help="Data directory; default ~/.local/share/sluice.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port of the API and web UI; 0 takes a free one.", min=0, max=65535)] = 8080,
    demo: Annotated[bool, typer.Option(help="Seed a demo whose first plan waits for approval.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON when ready.")] = False,
    open_browser: Annotated[
        bool | None, typer.Option("--open/--no-open", help="Open the browser; default: on a desktop.")
    ] = None,
) -> None:
    """Start PostgreSQL, Redis, API, worker and beat; stop all of it with Ctrl-C.

    Uses SLUICE_DATABASE_URL and SLUICE_REDIS_URL instead of the embedded servers where they are set.
    """
    from app.core.errors import AppError
    from app.embedded.supervise import StopSignals
    from app.embedded.up import Options, StopRequested, Up

    def say(sentence: str) -> None:
        typer.echo(f"sluice: {sentence}", err=True)

    data = home or Path.home() / ".local" / "share" / "sluice"
    started = Up(Options(data, host, port, demo), say)
    with StopSignals().installed() as stop:
        try:
            ready = started.start(stop)
            _announce(dataclasses.asdict(ready), data, as_json=as_json)
            if open_browser or (open_browser is None and _is_desktop() and not as_json):
                _open(ready.login_url, data)
            started.run(stop)
            say("stopping ...")
        except StopRequested:
            say("stopped while starting.")
        except AppError as error:
            say(error.detail)
            raise typer.Exit(1) from None
        finally:
            started.stop_all()


def _announce(ready: dict[str, object], home: Path, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(ready))
    else:
        typer.echo(
            f"\n  Sluice is ready: {ready['url']}\n"
            f"  Sign in, once, with: {ready['login_url']}\n\n"
            f"  Engine: {ready['engine']}; policies by {ready['policy_engine']}\n"
            f"  Data and logs: {home}\n"
            "  Ctrl-C stops everything; the data stays.\n"
        )
    sys.stdout.flush()


def _is_desktop() -> bool:
    has_display = sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return sys.stdout.isatty() and has_display and not os.environ.get("CI") and not os.environ.get("SSH_CONNECTION")


def _open(url: str, home: Path) -> None:
    from app.embedded.browser import open_page

    open_page(url, home.expanduser().resolve() / "login.html")
