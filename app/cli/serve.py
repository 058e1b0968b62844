"""The parts of Sluice singly, for real deployments: `sluice api`, `worker`, `beat`, `migrate`.

Each reads its settings from the environment (``SLUICE_*``), writes its log to standard error, and refuses to start on
a database that has another schema.
"""

import importlib
import os
from pathlib import Path
from typing import Annotated

import typer

from app.cli.options import AsJson

_MOST_FILES = 65_536
_KEEP_ALIVE_SECONDS = 75
parts = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)


def _refuse(detail: str) -> typer.Exit:
    typer.echo(f"sluice: {detail}", err=True)
    return typer.Exit(1)


def _start(*, checks_schema: bool) -> None:
    """Configure the log, and check what every part needs. Raises ``typer.Exit`` with a sentence on standard error."""
    from app.core import logging
    from app.core.errors import AppError
    from app.embedded.settings import load

    try:
        settings = load()
    except AppError as error:
        raise _refuse(error.detail) from None
    logging.configure(settings.log_level)
    if not checks_schema:
        return
    if settings.database_url is None:
        raise _refuse("No database is configured: set SLUICE_DATABASE_URL, or start everything with `sluice up`.")
    from app.embedded import schema

    try:
        schema.require_current(settings.database_url.get_secret_value())
    except AppError as error:
        raise _refuse(error.detail) from None


def _check_artifacts() -> None:
    """Try the artifact store, and refuse to start when it refuses us or is another installation's.

    One that does not answer is only warned of: without it nothing can be planned, but everything can be halted.
    """
    from app.core.artifacts import artifact_store
    from app.core.blobs import ArtifactStoreUnavailable
    from app.core.errors import AppError
    from app.core.installation import claim_artifacts

    try:
        artifact_store().check()
        claim_artifacts()
    except ArtifactStoreUnavailable as error:
        typer.echo(f"sluice: warning: {error.detail}", err=True)
    except AppError as error:
        raise _refuse(error.detail) from None


def _allow_connections() -> None:
    """Let this process hold as many connections as the machine allows it: each watcher of a run is one."""
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if most == resource.RLIM_INFINITY else min(most, _MOST_FILES)
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def _check_siblings() -> None:
    """Refuse to start with a sibling system of SLUICE_HALT_ENDPOINTS whose token can't be read."""
    from app.core.halt_endpoints import check_tokens
    from app.core.settings import get_settings

    wrong = check_tokens(get_settings().siblings)
    if wrong:
        raise _refuse(f"SLUICE_HALT_ENDPOINTS: {'; '.join(wrong)}.")


@parts.command("api")
def api(
    host: Annotated[str, typer.Option(envvar="SLUICE_HOST", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="SLUICE_PORT", help="Port to listen on.")] = 8080,
) -> None:
    """Serve the API and the web UI."""
    _start(checks_schema=True)
    _check_siblings()
    _check_artifacts()
    _allow_connections()
    import gc

    import uvicorn

    # By name, as uvicorn loads it: the command line knows no slice. Now, to be set apart.
    importlib.import_module("app.main")
    # What was loaded stays: looking through it again and again would hold every request up, a halt too.
    gc.collect()
    gc.freeze()
    uvicorn.run(
        "app.main:app",
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        ws="app.core.websocket:DirectWebSocketProtocol",
        # Log lines are small and come in batches for many: compressing them for each would cost more than it saves.
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=5,
        # Longer than clients and proxies keep an idle connection: one that ends as it is used again fails there.
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
    )


@parts.command("worker")
def worker(
    concurrency: Annotated[
        int | None, typer.Option(help="Runs at once; default SLUICE_WORKER_CONCURRENCY (4).", min=1)
    ] = None,
    queues: Annotated[str, typer.Option(help="Queues to serve, comma separated.")] = "terraform,control",
    drain: Annotated[
        int | None,
        typer.Option(
            help="Seconds that runs may go on after SIGTERM; default SLUICE_DRAIN_SECONDS.", min=0, max=86_400
        ),
    ] = None,
) -> None:
    """Work on the queues: plans and applies, and what else is done in the background.

    SIGTERM drains: nothing new is claimed, and it ends once its runs have. A second one stops them, the state kept.
    """
    # What is given here is a setting as any other, read where it is needed.
    for name, given in (("SLUICE_WORKER_CONCURRENCY", concurrency), ("SLUICE_DRAIN_SECONDS", drain)):
        if given is not None:
            os.environ[name] = str(given)
    _start(checks_schema=True)
    from celery.signals import worker_ready

    from app.core.errors import AppError
    from app.core.settings import get_settings
    from app.embedded.commands import READY_FILE
    from app.executor import measures

    try:
        measures.of(get_settings())
    except AppError as error:
        # Every run would fail by it, so this worker must take none.
        raise _refuse(error.detail) from None

    ready_file = os.environ.get(READY_FILE)
    if ready_file:
        worker_ready.connect(lambda **_: Path(ready_file).touch(), weak=False)
    # By name: the command line imports no slice, and the worker's composition root imports all of them.
    application = importlib.import_module("app.worker").app
    # One thread more than supervisors, so that sweeps and deliveries go on while every supervisor is busy.
    threads = get_settings().worker_concurrency + 1
    application.worker_main(
        [
            "worker",
            "--pool=threads",
            f"--concurrency={threads}",
            f"--queues={queues}",
            "--without-gossip",
            "--without-mingle",
            f"--loglevel={get_settings().log_level}",
        ]
    )


@parts.command("beat")
def beat() -> None:
    """Send the periodic jobs. Run one of it; a second does no harm, since every job opens with a compare-and-swap."""
    _start(checks_schema=False)
    from app.core.broker import celery_app
    from app.core.schedule import BEAT_SCHEDULE
    from app.core.settings import get_settings

    application = celery_app()
    application.conf.beat_schedule = BEAT_SCHEDULE
    # Kept in memory: each job is repeated soon enough that no start needs to know when it was sent last.
    application.Beat(
        scheduler_cls="celery.beat:Scheduler", loglevel=get_settings().log_level, quiet=True, max_interval=60
    ).run()


def migrate(as_json: AsJson = False) -> None:
    """Bring the database of SLUICE_DATABASE_URL to the newest schema.

    Example: sluice migrate
    """
    from app.cli.output import print_json
    from app.client.errors import LocalProblem
    from app.core import logging
    from app.core.errors import AppError
    from app.embedded import schema
    from app.embedded.settings import load

    try:
        settings = load()
        logging.configure(settings.log_level)
        if settings.database_url is None:
            raise LocalProblem(
                "No database is configured: set SLUICE_DATABASE_URL to the database to migrate.", "database_missing"
            )
        url = settings.database_url.get_secret_value()
        before = schema.look_at(url)
        if before.age != "current":
            schema.migrate(url)
    except AppError as error:
        raise LocalProblem(error.detail, error.code) from None
    done = "is at" if before.age == "current" else "was migrated to"
    typer.echo(f"The database {done} {before.wanted}.", err=True)
    if as_json:
        print_json({"schema": before.wanted, "migrated_from": before.revision, "migrated": before.age != "current"})


if __name__ == "__main__":
    parts()
