"""`sluice user|team|service-account …`."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.access import connect
from app.cli.listing import print_listing
from app.cli.options import AsJson, Limit
from app.cli.program import group, register
from app.client.errors import LocalProblem

if TYPE_CHECKING:
    from app.client import SluiceClient

users = group("People.")
teams = group("Teams: people who approve together.")
service_accounts = group("Service accounts: CI, bots and AI agents. They never approve.")
Roles = Annotated[
    list[str] | None,
    typer.Option("--role", help="viewer, planner, approver, operator or admin; may be repeated.", show_default=False),
]


def _all(client: "SluiceClient", path: str) -> list[dict[str, Any]]:
    from app.client import calls

    return list(client.items(lambda cursor: calls.listing(path, cursor=cursor)))


def _person(client: "SluiceClient", wanted: str) -> dict[str, Any]:
    """Return a person by id or e-mail."""
    found = next((item for item in _all(client, "/users") if wanted in {item["id"], item["email"]}), None)
    if found is None:
        raise LocalProblem(f"There is no user {wanted}. `sluice user list` shows them.", "user_not_found")
    return found


def create_user(
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="E-mail address.", show_default=False)],
    name: Annotated[
        str | None, typer.Option("--name", help="Full name; default: from the address.", show_default=False)
    ] = None,
    roles: Roles = None,
    team: Annotated[
        list[str] | None, typer.Option("--team", help="Team to join; may be repeated.", show_default=False)
    ] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read a password from standard input.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Create a person. The printed one-time link lets them in.

    Example: sluice user create ada@example.org --name "Ada Lovelace" --role approver --team platform
    """
    from app.cli.output import print_json
    from app.client import calls

    body: dict[str, Any] = {"email": email, "name": name or email.partition("@")[0], "teams": team or []}
    if roles:
        body["roles"] = roles
    if password_stdin:
        body["password"] = sys.stdin.readline().rstrip("\n")
    with connect() as client:
        made = client.send(calls.post("/users", body))
    if as_json:
        print_json(made)
    else:
        typer.echo(f"Made {made['email']} ({made['id']}). One-time login link:\n{made['login_url']}")


def list_users(limit: Limit = 200, as_json: AsJson = False) -> None:
    """List people.

    Example: sluice user list
    """
    from app.client import calls

    print_listing(
        lambda size, cursor: calls.listing("/users", limit=size, cursor=cursor),
        lambda u: (
            u["id"],
            u["email"],
            u["name"],
            u["roles"],
            [t["name"] for t in u["teams"]],
            "disabled" if u["is_disabled"] else "",
        ),
        columns=("ID", "E-mail", "Name", "Roles", "Teams", ""),
        empty="Nobody.",
        limit=limit,
        as_json=as_json,
    )


def set_user(
    user: Annotated[str, typer.Argument(metavar="USER", help="Id or e-mail address.", show_default=False)],
    name: Annotated[str | None, typer.Option("--name", help="New name.", show_default=False)] = None,
    roles: Roles = None,
    disabled: Annotated[
        bool | None, typer.Option("--disable/--enable", help="Whether they may sign in.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Change a person. Approvals that rested on a lost right become void.

    Example: sluice user set ada@example.org --role operator --role approver
    """
    from app.cli.output import print_json
    from app.client import calls

    given = {"name": name, "roles": roles or None, "is_disabled": disabled}
    body = {key: value for key, value in given.items() if value is not None}
    if not body:
        raise LocalProblem("Nothing to change was named: --name, --role, --disable or --enable.", "usage")
    with connect() as client:
        changed = client.send(calls.patch(f"/users/{_person(client, user)['id']}", body))
    if as_json:
        print_json(changed)
    else:
        typer.echo(
            f"{changed['email']}: {', '.join(changed['roles'])}{', disabled' if changed['is_disabled'] else ''}."
        )


def login_link(
    user: Annotated[str, typer.Argument(metavar="USER", help="Id or e-mail address.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Make a one-time login link for a person.

    Example: sluice user link ada@example.org
    """
    from app.cli.output import print_json
    from app.client import calls

    with connect() as client:
        made = client.send(calls.post(f"/users/{_person(client, user)['id']}/login-link"))
    if as_json:
        print_json(made)
    else:
        typer.echo(made["login_url"])


def create_team(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the new team.", show_default=False)],
    members: Annotated[
        list[str] | None, typer.Option("--member", help="Id or e-mail; may be repeated.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Create a team.

    Example: sluice team create platform --member ada@example.org --member max@example.org
    """
    from app.client import calls

    with connect() as client:
        people = [_person(client, member)["id"] for member in members or []]
        made = client.send(calls.post("/teams", {"name": name}))
        for person in people:
            made = _join(client, made["id"], person)
    _show_team(made, as_json=as_json)


def _join(client: "SluiceClient", team_id: str, user_id: str) -> dict[str, Any]:
    from app.client.calls import Call

    path = f"/teams/{team_id}/members/{user_id}"
    joined: dict[str, Any] = client.send(Call("PUT", path, dict, is_repeatable=True))
    return joined


def _team(client: "SluiceClient", wanted: str) -> dict[str, Any]:
    found = next((item for item in _all(client, "/teams") if wanted in {item["id"], item["name"]}), None)
    if found is None:
        raise LocalProblem(f"There is no team {wanted}. `sluice team list` shows them.", "team_not_found")
    return found


def _show_team(team: dict[str, Any], *, as_json: bool) -> None:
    from app.cli.output import clean, print_json

    if as_json:
        print_json(team)
    else:
        names = ", ".join(member["name"] for member in team["members"]) or "nobody yet"
        typer.echo(clean(f"{team['name']} ({team['id']}): {names}."))


TeamName = Annotated[str, typer.Argument(metavar="TEAM", help="Name or id of the team.", show_default=False)]
Member = Annotated[str, typer.Argument(metavar="USER", help="Id or e-mail address.", show_default=False)]


def add_member(team: TeamName, user: Member, as_json: AsJson = False) -> None:
    """Put a person into a team.

    Example: sluice team add platform ada@example.org
    """
    with connect() as client:
        joined = _join(client, _team(client, team)["id"], _person(client, user)["id"])
    _show_team(joined, as_json=as_json)


def remove_member(team: TeamName, user: Member, as_json: AsJson = False) -> None:
    """Take a person out of a team. Approvals that counted for it become void.

    Example: sluice team remove platform ada@example.org
    """
    from app.client import calls

    with connect() as client:
        found = _team(client, team)
        client.send(calls.delete(f"/teams/{found['id']}/members/{_person(client, user)['id']}"))
        _show_team(_team(client, found["id"]), as_json=as_json)


def list_teams(limit: Limit = 200, as_json: AsJson = False) -> None:
    """List teams.

    Example: sluice team list
    """
    from app.client import calls

    print_listing(
        lambda size, cursor: calls.listing("/teams", limit=size, cursor=cursor),
        lambda team: (team["id"], team["name"], [member["name"] for member in team["members"]]),
        columns=("ID", "Team", "Members"),
        empty="No teams.",
        limit=limit,
        as_json=as_json,
    )


def create_service_account(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name, such as ci.", show_default=False)],
    roles: Roles = None,
    agent: Annotated[bool, typer.Option("--agent", help="It is an AI agent.")] = False,
    as_json: AsJson = False,
) -> None:
    """Create a service account; `sluice token create NAME --service-account …` gives it a token.

    Example: sluice service-account create ci --role planner
    """
    from app.cli.output import print_json
    from app.client import calls

    body: dict[str, Any] = {"name": name, "is_agent": agent, **({"roles": roles} if roles else {})}
    with connect() as client:
        made = client.send(calls.post("/service-accounts", body))
    if as_json:
        print_json(made)
    else:
        typer.echo(f"Made {made['name']} ({made['id']}), {', '.join(made['roles'])}.")


def list_service_accounts(limit: Limit = 200, as_json: AsJson = False) -> None:
    """List service accounts.

    Example: sluice service-account list
    """
    from app.client import calls

    print_listing(
        lambda size, cursor: calls.listing("/service-accounts", limit=size, cursor=cursor),
        lambda a: (
            a["id"],
            a["name"],
            "agent" if a["is_agent"] else "service",
            a["roles"],
            "disabled" if a["is_disabled"] else "",
        ),
        columns=("ID", "Name", "Kind", "Roles", ""),
        empty="No service accounts.",
        limit=limit,
        as_json=as_json,
    )


def set_service_account(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="Name or id.", show_default=False)],
    roles: Roles = None,
    disabled: Annotated[
        bool | None, typer.Option("--disable/--enable", help="Whether its tokens work.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Change a service account's roles, or disable it; its tokens stop working at once.

    Example: sluice service-account set ci --disable
    """
    from app.cli.output import print_json
    from app.client import calls

    given = {"roles": roles or None, "is_disabled": disabled}
    body = {key: value for key, value in given.items() if value is not None}
    if not body:
        raise LocalProblem("Nothing to change was named: --role, --disable or --enable.", "usage")
    with connect() as client:
        changed = client.send(calls.patch(f"/service-accounts/{account}", body))
    if as_json:
        print_json(changed)
    else:
        typer.echo(f"{changed['name']}: {', '.join(changed['roles'])}{', disabled' if changed['is_disabled'] else ''}.")


register(users, "create", create_user)
register(users, "list", list_users)
register(users, "set", set_user)
register(users, "link", login_link)
register(teams, "create", create_team)
register(teams, "list", list_teams)
register(teams, "add", add_member)
register(teams, "remove", remove_member)
register(service_accounts, "create", create_service_account)
register(service_accounts, "list", list_service_accounts)
register(service_accounts, "set", set_service_account)
