"""The `sluice` command: every subcommand is registered here, and imports what it needs only when it runs."""

import typer

from app.cli import serve, up

app = typer.Typer(
    name="sluice",
    help="A control plane for OpenTofu and Terraform: plan, wait for approval, apply exactly that plan.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command("up", rich_help_panel="Run Sluice")(up.up)
app.command("api", rich_help_panel="Run Sluice")(serve.api)
app.command("worker", rich_help_panel="Run Sluice")(serve.worker)
app.command("beat", rich_help_panel="Run Sluice")(serve.beat)
app.command("migrate", rich_help_panel="Run Sluice")(serve.migrate)


if __name__ == "__main__":
    app()
