"""login, logout, whoami, project, token, job, and reading who may do what."""

import os
from collections.abc import Iterable, Mapping
from typing import Annotated

import typer

from placet_client import login as logins
from placet_client.cli.command import LimitOption, OutputOption, connected, go_on
from placet_client.cli.logging_in import login
from placet_client.client import Client
from placet_client.output import Form, say, show_list, show_one
from placet_client.records import PlaceFigures, Record
from placet_client.records.base import Json

FIGURES = [
    *("model", "environment", "registered to live (h)", "requested to live (h)"),
    *("rollouts", "went wrong (%)", "taken back (%)"),
]
project = typer.Typer(help="Projects: the scopes of models and roles", no_args_is_help=True)
token = typer.Typer(
    help="The API token in use. Tokens are made in the browser (page “API tokens”): "
    "tokens cannot create tokens.",
    no_args_is_help=True,
)
job = typer.Typer(help="Work in the background", no_args_is_help=True)
person = typer.Typer(help="People; they are changed in the administration", no_args_is_help=True)
team = typer.Typer(help="Teams; they are changed in the administration", no_args_is_help=True)
role = typer.Typer(
    help="Who holds which role; people grant them in the administration", no_args_is_help=True
)
passkey = typer.Typer(
    help="What people sign decisions with; they offer and vouch in the browser",
    no_args_is_help=True,
)
account = typer.Typer(help="Accounts of programs", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(login)
    app.command()(logout)
    app.command()(whoami)
    app.add_typer(project, name="project")
    app.add_typer(token, name="token")
    app.add_typer(job, name="job")
    app.add_typer(person, name="person")
    app.add_typer(team, name="team")
    app.add_typer(role, name="role")
    app.add_typer(passkey, name="passkey")
    app.add_typer(account, name="service-account")


def logout() -> None:
    """Forget the server and the token. The token stays good: `placet token revoke` ends it."""
    if url := logins.forget():
        stays = f"The token stays valid until it expires or is revoked at {url}/tokens/"
        say(f"Signed out of {url} on this machine. {stays}")
    else:
        say("No login was remembered on this machine")
    if os.environ.get("PLACET_TOKEN"):
        say("PLACET_TOKEN is set: commands go on using that token")


def whoami(output: OutputOption = Form.TABLE) -> None:
    """Show who the token acts for, and what it may do."""
    with connected() as client:
        me = client.whoami()
        if output is Form.JSON:
            show_one(me, output)
            return
        slugs = {project.id: project.slug for project in client.projects.list()}
    show_one({name: value for name, value in me.raw.items() if name != "grants"}, output)
    grants = _named((grant.raw for grant in me.grants), slugs)
    show_list(grants, ["permission", "project", "environment"], output)  # a token holds no role


def _named(rows: Iterable[Json], names: Mapping[str, str]) -> list[Json]:
    """Return rows with names in place of the ids that ``names`` has one for."""
    return [
        {
            key: names.get(value, value) if isinstance(value, str) else value
            for key, value in row.items()
        }
        for row in rows
    ]


def _people_named(client: Client, rows: Iterable[Record], output: Form) -> list[Json]:
    """Return rows as the API has them; for people with those named whom the token's owner sees."""
    found = [row.raw for row in rows]
    if output is Form.JSON:
        return found
    return _named(found, {p.id: p.name or p.id for p in client.people.list()})


@project.command("list")
def project_list(limit: LimitOption = None, output: OutputOption = Form.TABLE) -> None:
    """List the projects you see."""
    with connected() as client:
        projects = client.projects.list(limit=limit)
        show_list(projects, ["slug", "name", "created_at"], output)


@project.command("show")
def project_show(slug: str, output: OutputOption = Form.TABLE) -> None:
    """Show a project."""
    with connected() as client:
        show_one(client.projects.get(slug), output)


@project.command("create")
def project_create(
    slug: str, name: str = "", description: str = "", output: OutputOption = Form.TABLE
) -> None:
    """Create a project with its three environments."""
    with connected() as client:
        new_project = client.projects.create(slug, name=name or slug, description=description)
        show_one(new_project, output)
        go_on(client, "project", slug)


@project.command("edit")
def project_edit(
    slug: str,
    name: str | None = None,
    description: str | None = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Change a project's name or description."""
    with connected() as client:
        show_one(client.projects.update(slug, name=name, description=description), output)
        go_on(client, "project", slug)


@project.command("storage")
def project_storage(slug: str, output: OutputOption = Form.TABLE) -> None:
    """Show how many bytes a project's files take, and how many they may."""
    with connected() as client:
        show_one(client.projects.storage(slug), output)


@project.command("figures")
def project_figures(
    slug: str,
    days: Annotated[int, typer.Option(help="30, 90 or 365")] = 90,
    output: OutputOption = Form.TABLE,
) -> None:
    """Show how long a project's releases took, and how often they went wrong, by model and
    environment; -o json has who was waited for, too."""
    with connected() as client:
        found = client.projects.figures(slug, days=days)
    if output is Form.JSON:
        show_one(found, output)
        return
    show_list([_figures(row) for row in found.places], FIGURES, output)


def _figures(row: PlaceFigures) -> Json:
    """Return a line of the figures: medians in hours, shares in percent."""
    lead, whole, ends = row.stages.lead.median, row.stages.whole.median, row.ends
    values = (
        *(row.model, row.environment, _scaled(lead, 1 / 3600), _scaled(whole, 1 / 3600)),
        *(ends.ended, _scaled(ends.failure_rate, 100), _scaled(ends.taken_back_rate, 100)),
    )
    return dict(zip(FIGURES, values, strict=True))


def _scaled(value: float | None, by: float) -> str | None:
    return None if value is None else f"{value * by:.3g}"


@project.command("quota")
def project_quota(slug: str, size: int, output: OutputOption = Form.TABLE) -> None:
    """Set how many bytes a project's files may take; 0 is no limit. For access admins."""
    with connected() as client:
        show_one(client.projects.update(slug, artifact_quota=size), output)
        go_on(client, "project", slug)


@token.command("list")
def token_list(limit: LimitOption = None, output: OutputOption = Form.TABLE) -> None:
    """List the tokens that this token sees: itself."""
    with connected() as client:
        columns = ["id", "name", "prefix", "project", "expires_at", "last_used_at"]
        show_list(client.tokens.list(limit=limit), columns, output)


@token.command("show")
def token_show(token_id: str, output: OutputOption = Form.TABLE) -> None:
    """Show a token."""
    with connected() as client:
        show_one(client.tokens.get(token_id), output)


@token.command("revoke")
def token_revoke(token_id: str, output: OutputOption = Form.TABLE) -> None:
    """End a token, at once and for good."""
    with connected() as client:
        show_one(client.tokens.revoke(token_id), output)


@job.command("list")
def job_list(
    state: Annotated[str, typer.Option(help="queued, running, succeeded, failed, cancelled")] = "",
    kind: str = "",
    limit: LimitOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """List jobs, newest first."""
    with connected() as client:
        jobs = client.jobs.list(state=state, kind=kind, limit=limit)
        show_list(jobs, ["id", "kind", "state", "attempts", "error", "created_at"], output)


@job.command("show")
def job_show(job_id: str, output: OutputOption = Form.TABLE) -> None:
    """Show a job."""
    with connected() as client:
        show_one(client.jobs.get(job_id), output)


@job.command("cancel")
def job_cancel(job_id: str, output: OutputOption = Form.TABLE) -> None:
    """Cancel a job."""
    with connected() as client:
        show_one(client.jobs.cancel(job_id), output)


@person.command("list")
def person_list(limit: LimitOption = None, output: OutputOption = Form.TABLE) -> None:
    """List people."""
    with connected() as client:
        people = client.people.list(limit=limit)
        columns = ["id", "name", "email", "is_active", "created_at", "last_sign_in_at"]
        show_list(people, columns, output)


@person.command("show")
def person_show(person_id: str, output: OutputOption = Form.TABLE) -> None:
    """Show a person."""
    with connected() as client:
        show_one(client.people.get(person_id), output)


@person.command("position")
def person_position(person_id: str, output: OutputOption = Form.TABLE) -> None:
    """Show where a person stands: line of defence, and to whom they report."""
    with connected() as client:
        show_one(client.people.position(person_id), output)


@person.command("positions")
def person_positions(limit: LimitOption = None, output: OutputOption = Form.TABLE) -> None:
    """List where people stand."""
    with connected() as client:
        positions = _people_named(client, client.people.positions(limit=limit), output)
        show_list(positions, ["person", "line", "manager", "top", "set_by", "set_at"], output)


@team.command("list")
def team_list(limit: LimitOption = None, output: OutputOption = Form.TABLE) -> None:
    """List teams."""
    with connected() as client:
        show_list(client.teams.list(limit=limit), ["id", "name", "created_at"], output)


@team.command("show")
def team_show(team_id: str, output: OutputOption = Form.TABLE) -> None:
    """Show a team and its people."""
    with connected() as client:
        team_record = client.teams.get(team_id)
        members = [member.raw for member in client.teams.members(team_id)]
    if output is Form.JSON:
        show_one({**team_record.raw, "members": members}, output)
        return
    show_one(team_record, output)
    show_list(members, ["person", "name"], output)


@role.command("list")
def role_list(limit: LimitOption = None, output: OutputOption = Form.TABLE) -> None:
    """List who holds which role, and where."""
    with connected() as client:
        columns = ["id", "role", "holder", "project", "environment"]
        show_list(client.roles.list(limit=limit), columns, output)


@role.command("show")
def role_show(role_id: str, output: OutputOption = Form.TABLE) -> None:
    """Show one binding of a role."""
    with connected() as client:
        show_one(client.roles.get(role_id), output)


@role.command("second-factor")
def role_second_factor(limit: LimitOption = None, output: OutputOption = Form.TABLE) -> None:
    """List the roles that demand a second factor of people."""
    with connected() as client:
        demands = client.roles.second_factor_demands(limit=limit)
        show_list(demands, ["role", "demanded_by", "created_at"], output)


@passkey.command("list")
def passkey_list(limit: LimitOption = None, output: OutputOption = Form.TABLE) -> None:
    """List passkeys that people sign decisions with."""
    with connected() as client:
        columns = ["id", "person", "name", "state", "vouched_by", "fingerprint"]
        passkeys = client.passkeys.list(limit=limit)
        show_list(_people_named(client, passkeys, output), columns, output)


@passkey.command("show")
def passkey_show(passkey_id: str, output: OutputOption = Form.TABLE) -> None:
    """Show one passkey."""
    with connected() as client:
        show_one(client.passkeys.get(passkey_id), output)


@account.command("list")
def account_list(limit: LimitOption = None, output: OutputOption = Form.TABLE) -> None:
    """List service accounts."""
    with connected() as client:
        accounts = client.service_accounts.list(limit=limit)
        columns = ["id", "name", "owner", "is_active", "created_at"]
        show_list(_people_named(client, accounts, output), columns, output)


@account.command("show")
def account_show(account_id: str, output: OutputOption = Form.TABLE) -> None:
    """Show a service account."""
    with connected() as client:
        show_one(client.service_accounts.get(account_id), output)
