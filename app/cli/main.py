"""The `sluice` command: every subcommand is registered here, and imports what it needs only when it runs."""

import typer

from app.cli import (
    account,
    audit,
    deciding,
    experiments,
    halting,
    keys,
    members,
    notifications,
    overriding,
    planning,
    policies,
    queue,
    recovery,
    runs,
    serve,
    stacks,
    state,
    tokens,
    up,
    variables,
    workspaces,
)
from app.cli.program import HELP_OPTIONS, Program, register

app = typer.Typer(
    name="sluice",
    cls=Program,
    help="A control plane for OpenTofu and Terraform: plan, wait for approval, apply exactly that plan.\n\n"
    "Reads SLUICE_URL and SLUICE_TOKEN, else what `sluice login` kept. Every command takes --json and then prints one "
    "document.\n\n"
    "Exit codes: 0 no changes or done, 2 changes wait at the gate, 3 a policy blocks, 1 any error.\n\n"
    "Begin with: sluice plan . --workspace NAME --create --wait",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings=HELP_OPTIONS,
)

PLAN = "Plan and apply"
LOOK = "Look"
DEFINE = "Define"
STOP = "Stop"
MEMBERS = "People and access"
SERVE = "Run Sluice"

register(app, "plan", planning.plan, PLAN)
register(app, "approve", deciding.approve, PLAN)
register(app, "apply", deciding.apply, PLAN)
register(app, "destroy", planning.destroy, PLAN)
register(app, "refresh", planning.refresh, PLAN)
register(app, "reject", deciding.reject, PLAN)
register(app, "revoke", deciding.revoke, PLAN)
register(app, "override", overriding.override, PLAN)
register(app, "discard", deciding.discard, PLAN)
register(app, "cancel", deciding.cancel, PLAN)

register(app, "runs", runs.list_runs, LOOK)
app.add_typer(runs.run_commands, name="run", rich_help_panel=LOOK)
register(app, "logs", runs.logs, LOOK)
app.add_typer(queue.commands, name="queue", rich_help_panel=LOOK)
app.add_typer(state.commands, name="state", rich_help_panel=LOOK)
app.add_typer(recovery.commands, name="recovery", rich_help_panel=LOOK)
app.add_typer(audit.commands, name="audit", rich_help_panel=LOOK)

app.add_typer(stacks.commands, name="stack", rich_help_panel=DEFINE)
app.add_typer(workspaces.commands, name="workspace", rich_help_panel=DEFINE)
app.add_typer(variables.commands, name="var", rich_help_panel=DEFINE)
app.add_typer(policies.commands, name="policy", rich_help_panel=DEFINE)
app.add_typer(experiments.commands, name="experiment", rich_help_panel=DEFINE)
app.add_typer(notifications.commands, name="notification", rich_help_panel=DEFINE)

register(app, "halt", halting.halt, STOP)
register(app, "halts", halting.halts, STOP)
register(app, "resume", halting.resume, STOP)

register(app, "login", account.login, MEMBERS)
register(app, "whoami", account.whoami, MEMBERS)
app.add_typer(members.users, name="user", rich_help_panel=MEMBERS)
app.add_typer(members.teams, name="team", rich_help_panel=MEMBERS)
app.add_typer(members.service_accounts, name="service-account", rich_help_panel=MEMBERS)
app.add_typer(tokens.commands, name="token", rich_help_panel=MEMBERS)

app.command("up", rich_help_panel=SERVE)(up.up)
app.command("api", rich_help_panel=SERVE)(serve.api)
app.command("worker", rich_help_panel=SERVE)(serve.worker)
app.command("beat", rich_help_panel=SERVE)(serve.beat)
register(app, "migrate", serve.migrate, SERVE)
app.add_typer(keys.commands, name="keys", rich_help_panel=SERVE)
register(app, "version", account.version, SERVE)


if __name__ == "__main__":
    app()
