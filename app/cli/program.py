"""What every command shares: how errors leave, exit codes, and the program that holds the commands.

Exit codes: 0 no changes or done, 1 any error (also of usage), 2 changes wait at the gate, 3 a policy blocks,
130 Ctrl-C.
"""

import functools
import inspect
import io
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ParamSpec

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from app.client.errors import ClientError

P = ParamSpec("P")

DONE, FAILED, CHANGES, BLOCKED, INTERRUPTED = 0, 1, 2, 3, 130
HELP_OPTIONS = {"help_option_names": ["-h", "--help"]}


class Program(TyperGroup):
    """The top command. A mistake in the arguments exits 1, since 2 means that changes wait."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command and leave with its exit code."""
        arguments = sys.argv[1:] if args is None else list(args)

        def run() -> Any:
            return TyperGroup.main(self, arguments, prog_name, complete_var, False, windows_expand_args, **extra)

        if not standalone_mode:
            return run()
        for stream in (sys.stdout, sys.stderr):
            # A terminal that can't show a sign shows another; it is no reason to fail.
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")
        try:
            code = run()
        except typer.TyperException as error:
            code = _report_usage(error, as_json="--json" in arguments)
        except typer.Abort:
            code = FAILED
        except BrokenPipeError:
            # The reader has seen enough, as `head` does. What is still buffered must not fail again at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = FAILED
        sys.exit(code if isinstance(code, int) else DONE)


def _report_usage(error: typer.TyperException, *, as_json: bool) -> int:
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        return FAILED
    message = error.format_message().replace("Value error, ", "")
    if context is not None and message.startswith("Got unexpected extra argument") and _takes_workspace(context):
        message = f"{message}. A workspace is named by --workspace."
    if as_json:
        from app.cli.output import print_json

        print_json(
            {"type": "urn:sluice:error:usage", "title": "Usage", "status": None, "detail": message, "code": "usage"}
        )
        return FAILED
    typer.echo(f"sluice: {message}", err=True)
    if context is not None:
        typer.echo(f"Usage: {context.command_path} {' '.join(context.command.collect_usage_pieces(context))}", err=True)
        typer.echo(f"Help: {context.command_path} --help", err=True)
    return FAILED


def _takes_workspace(context: Any) -> bool:
    return any("--workspace" in parameter.opts for parameter in context.command.params)


def group(help_text: str) -> typer.Typer:
    """Return a group of commands."""
    return typer.Typer(
        no_args_is_help=True, pretty_exceptions_enable=False, context_settings=HELP_OPTIONS, help=help_text
    )


def guarded(function: Callable[P, Any]) -> Callable[P, None]:
    """Let a command's errors leave as a sentence, or as a problem document with ``--json``, and exit 1."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        from app.client.errors import ClientError

        as_json = bool(kwargs.get("as_json", False))
        try:
            function(*args, **kwargs)
        except ClientError as error:
            _report(error, as_json=as_json)
            raise typer.Exit(FAILED) from None
        except KeyboardInterrupt:
            typer.echo("", err=True)
            raise typer.Exit(INTERRUPTED) from None

    return run


def _report(error: "ClientError", *, as_json: bool) -> None:
    from app.cli.output import clean, print_json
    from app.client.errors import ApiError

    remedy = getattr(error, "remedy", None) or _remedy(error)
    if as_json:
        print_json({**error.problem(), **({"remedy": remedy} if remedy else {})})
    if error.code == "unauthenticated" and remedy:
        typer.echo(f"sluice: {remedy}", err=True)
        return
    typer.echo(clean(f"sluice: {error.detail}"), err=True)
    if isinstance(error, ApiError) and error.status == 422:
        for item in error.errors:
            if item["message"].lower() not in error.detail.lower():
                typer.echo(clean(f"  {item['field']}: {item['message']}"), err=True)
    if remedy:
        typer.echo(f"  {remedy}", err=True)


def _remedy(error: "ClientError") -> str | None:
    if error.code == "halted":
        return f"`sluice halts` shows what stands; `sluice resume{_place(error)} --reason …` lifts it."
    return {
        "unauthenticated": "The token was not accepted: it is mistyped, expired or revoked. Set SLUICE_TOKEN, or run "
        "`sluice login`.",
        "approval_required": "Approve it first: `sluice approve RUN`.",
        "stack_not_found": "`sluice stack list` shows what there is.",
        "policy_set_not_found": "`sluice policy sets` shows what there is.",
        "policy_attachment_not_found": "`sluice policy list` shows what there is.",
        "not_halted": "`sluice halts` shows what stands.",
        "run_not_found": "`sluice runs` shows what there is.",
        "archive_too_large": "Leave large files out with a .terraformignore.",
        "payload_too_large": "Leave large files out with a .terraformignore.",
    }.get(error.code)


def _place(error: "ClientError") -> str:
    """Return the option of `sluice resume` that names the halt in the way."""
    halt = error.problem().get("halt") or {}
    return {"workspace": f" --workspace {halt.get('scope_id')}", "everything": " --scope everything"}.get(
        str(halt.get("scope")), ""
    )


def with_remedy(error: "ClientError", remedy: str) -> "ClientError":
    """Return the error with what to do about it, in terms of commands."""
    error.remedy = remedy  # type: ignore[attr-defined]  # read back by _report
    return error


def register(
    app: typer.Typer, name: str, function: Callable[..., Any], panel: str | None = None, **options: Any
) -> None:
    """Add a command, with its docstring as its help."""
    text = help_text(function.__doc__ or "")
    command = app.command(name, help=text, rich_help_panel=panel, context_settings=HELP_OPTIONS, **options)
    command(guarded(function))


def help_text(docstring: str) -> str:
    """Return a docstring for a terminal of any width: paragraphs on one line each, examples below each other."""
    shown: list[str] = []
    is_new = True
    for line in inspect.cleandoc(docstring).splitlines():
        is_indented = line.startswith("  ")
        if not line:
            is_new = True
        elif is_indented:
            shown += [line]
            is_new = True
        elif is_new:
            shown += ["", line]
            is_new = False
        else:
            shown[-1] += f" {line}"
    return "\n".join(shown).strip()
