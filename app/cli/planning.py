"""`sluice plan`, `sluice destroy`, `sluice refresh`."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from app.cli.access import connect
from app.cli.making import Create, StackName, find_workspace, make_workspace
from app.cli.options import AsJson, Quiet, Timeout
from app.cli.options import Workspace as WorkspaceOption
from app.cli.program import DONE
from app.client.errors import LocalProblem

if TYPE_CHECKING:
    from app.client import Run, SluiceClient, Workspace
    from app.client.packing import Archive

Source = Literal["ui", "api", "ci", "mcp", "schedule"]

Directory = Annotated[
    Path | None,
    typer.Argument(
        metavar="[DIR]",
        help="Directory to upload and plan. Without it the workspace's head is planned: its stack's latest spec.",
        show_default=False,
    ),
]
Message = Annotated[str, typer.Option("--message", "-m", help="Title of the run, such as the commit's first line.")]
Wait = Annotated[
    bool, typer.Option("--wait/--no-wait", help="Wait for the plan, and exit 0, 2, 3 or 1 by what it says.")
]
SourceOption = Annotated[
    Source | None, typer.Option("--source", help="Where it comes from; default: ci where CI is set, else api.")
]
Key = Annotated[
    str | None,
    typer.Option(
        "--idempotency-key", help="The same key gives the same run, also in another process.", show_default=False
    ),
]
Experiment = Annotated[str | None, typer.Option("--experiment-id", help="Experiment that the run belongs to.")]
Test = Annotated[str | None, typer.Option("--test-id", help="Test of the experiment.")]
ModulePath = Annotated[
    str | None,
    typer.Option(
        "--module-path",
        help="Directory of the root module inside DIR, where that is not the top (it may call modules beside it).",
        show_default=False,
    ),
]


@dataclass(frozen=True)
class Wish:
    """What to plan, and how."""

    kind: str
    workspace: str
    directory: Path | None
    module_path: str | None = None
    stack: str | None = None
    create: bool = False
    speculative: bool = False
    message: str = ""
    source: str | None = None
    key: str | None = None
    experiment_id: str | None = None
    test_id: str | None = None


@dataclass(frozen=True)
class Manner:
    """Whether to wait for the run, and how to show it."""

    wait: bool
    quiet: bool
    timeout_seconds: float | None
    as_json: bool


def plan(
    workspace: WorkspaceOption,
    directory: Directory = None,
    stack: StackName = None,
    create: Create = False,
    speculative: Annotated[
        bool, typer.Option("--speculative", help="Plan only: takes no lock, can never be applied. For pull requests.")
    ] = False,
    destroy: Annotated[bool, typer.Option("--destroy", help="Plan to destroy everything in the workspace.")] = False,
    refresh_only: Annotated[bool, typer.Option("--refresh-only", help="Only bring the state up to date.")] = False,
    message: Message = "",
    wait: Wait = False,
    module_path: ModulePath = None,
    source: SourceOption = None,
    idempotency_key: Key = None,
    experiment_id: Experiment = None,
    test_id: Test = None,
    timeout: Timeout = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Plan a directory, or the workspace's head.

    The plan passes policy and then waits at the gate until the right people have approved exactly it. DIR is uploaded
    without .git, .terraform and state files, and without what its .terraformignore names.

    With --wait the log is streamed, and the exit code says what became of it: 0 no changes, 2 changes wait at the gate
    (or would, if speculative), 3 a policy blocks, 1 an error. Ctrl-C stops the waiting, not the run.

    Examples:
      sluice plan . --workspace prod-network --create --wait

      sluice plan . --workspace prod-network --speculative --wait --message "PR 12: wider subnets"

      sluice plan --workspace prod-network --wait --json
    """
    if destroy and refresh_only:
        raise LocalProblem("--destroy and --refresh-only exclude each other: choose one.", "usage")
    wish = Wish(
        kind="destroy" if destroy else "refresh" if refresh_only else "plan",
        workspace=workspace,
        directory=directory,
        module_path=module_path,
        stack=stack,
        create=create,
        speculative=speculative,
        message=message,
        source=source,
        key=idempotency_key,
        experiment_id=experiment_id,
        test_id=test_id,
    )
    _carry_out(wish, Manner(wait, quiet, timeout, as_json))


def destroy(
    workspace: WorkspaceOption,
    directory: Directory = None,
    message: Message = "",
    wait: Wait = False,
    module_path: ModulePath = None,
    source: SourceOption = None,
    idempotency_key: Key = None,
    timeout: Timeout = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Plan to destroy everything in a workspace. Nothing goes before the plan is approved, like any other.

    Without DIR it plans from the workspace's head, or from what was applied last. Exit codes: see `sluice plan`.

    Example:
      sluice destroy --workspace preview-12 --wait
    """
    wish = Wish(
        "destroy",
        workspace,
        directory,
        module_path,
        message=message,
        source=source,
        key=idempotency_key,
    )
    _carry_out(wish, Manner(wait, quiet, timeout, as_json))


def refresh(
    workspace: WorkspaceOption,
    directory: Directory = None,
    speculative: Annotated[bool, typer.Option("--speculative", help="Only show what drifted.")] = False,
    message: Message = "",
    wait: Wait = False,
    module_path: ModulePath = None,
    source: SourceOption = None,
    idempotency_key: Key = None,
    timeout: Timeout = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Plan to bring a workspace's state up to date with what is really there; changes no resource.

    Exit codes are those of `sluice plan`.

    Example:
      sluice refresh --workspace prod-network --wait
    """
    wish = Wish(
        "refresh",
        workspace,
        directory,
        module_path,
        speculative=speculative,
        message=message,
        source=source,
        key=idempotency_key,
    )
    _carry_out(wish, Manner(wait, quiet, timeout, as_json))


def _carry_out(wish: Wish, manner: Manner) -> None:
    with connect() as client:
        follow(client, _request(client, wish), manner)


def follow(client: "SluiceClient", run: "Run", manner: Manner) -> None:
    """Wait for a requested run where that is wanted, show it, and exit by what became of it."""
    from app.cli.following import wait_for_plan
    from app.cli.output import print_json
    from app.cli.report import plan_exit_code, print_next_steps, print_run, run_document

    code = DONE
    if manner.wait:
        run = wait_for_plan(
            client, run, quiet=manner.quiet, timeout_seconds=manner.timeout_seconds, as_json=manner.as_json
        )
        code = plan_exit_code(run)
    if manner.as_json:
        print_json(run_document(run))
    else:
        print_run(client, run)
        print_next_steps(run)
    raise typer.Exit(code)


def _request(client: "SluiceClient", wish: Wish) -> "Run":
    """Request the run. What can be wrong on this side is found before anything is made or sent."""
    from app.client import calls, packing

    archive = packing.pack(wish.directory) if wish.directory is not None else None
    if wish.module_path is not None and archive is None:
        raise LocalProblem("--module-path is a directory inside DIR: name DIR too.", "usage")
    found = find_workspace(client, wish.workspace, stack=wish.stack, create=wish.create)
    spec = _head_document(client, found) if archive is not None and found is not None else {}
    path = _module_path(wish, spec)
    if archive is not None:
        _check_module(archive.module_directories, path, wish.directory)
    if found is None:
        found = make_workspace(client, wish.workspace, stack=wish.stack)
    what = _upload(client, archive, found, wish, spec, path) if archive is not None else {}
    call = calls.request_run(
        found.name,
        wish.kind,
        idempotency_key=wish.key,
        speculative=wish.speculative,
        message=wish.message or None,
        source=wish.source or ("ci" if os.environ.get("CI", "").lower() not in {"", "0", "false", "no"} else "api"),
        experiment_id=wish.experiment_id,
        test_id=wish.test_id,
        **what,
    )
    return client.send(call)


def _module_path(wish: Wish, spec: dict[str, Any]) -> str:
    given = wish.module_path if wish.module_path is not None else str(spec.get("module_path") or "")
    path = given.strip("/").removeprefix("./")
    return "" if path == "." else path


def _upload(
    client: "SluiceClient",
    archive: "Archive",
    workspace: "Workspace",
    wish: Wish,
    spec: dict[str, Any],
    path: str,
) -> dict[str, Any]:
    """Upload, and return the fields of the request that name the upload."""
    from app.cli.output import say
    from app.client import calls

    uploaded = client.send(calls.upload_configuration(archive.data))
    files = "1 file" if archive.file_count == 1 else f"{archive.file_count} files"
    say(f"Uploaded {files}, {len(archive.data) / 1024:.1f} KiB packed: {uploaded.digest[:12]}.")
    if wish.module_path is None:
        return {"configuration_id": uploaded.id}
    kept = {name: value for name, value in spec.items() if name not in {"module_source", "module_digest"}}
    return {
        "spec": {"name": workspace.stack.name, **kept, "configuration_digest": uploaded.digest, "module_path": path}
    }


def _head_document(client: "SluiceClient", workspace: "Workspace") -> dict[str, Any]:
    from app.client import calls

    head = workspace.head
    if not head:
        return {}
    version = client.send(calls.get(f"/terraform/spec-versions/{head['id']}"))
    return dict(version.get("document") or {})


def _check_module(directories: tuple[str, ...], path: str, directory: Path | None) -> None:
    if path in directories:
        return
    shown = ", ".join(name or "." for name in directories[:8])
    where = f"{directory}/{path}" if path else f"{directory}"
    raise LocalProblem(
        f"{where} holds no .tf, .tofu or .tf.json file itself. Name the directory of the root module, or, to upload "
        f"what lies beside it too, add --module-path. Below the directory there is configuration in: {shown}.",
        "no_configuration_files",
    )
