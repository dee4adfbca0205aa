"""login, logout, whoami, project, token, job."""

import sys
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from placet_client import login as logins
from placet_client.cli.command import Output, connected, first
from placet_client.client import Client
from placet_client.output import Form, console, say, show_list, show_one

project = typer.Typer(help="Projects", no_args_is_help=True)
token = typer.Typer(help="Your API tokens", no_args_is_help=True)
job = typer.Typer(help="Work in the background", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(login)
    app.command()(logout)
    app.command()(whoami)
    app.add_typer(project, name="project")
    app.add_typer(token, name="token")
    app.add_typer(job, name="job")


def login(
    url: Annotated[str, typer.Argument(help="the server, e.g. http://localhost:8000")],
    token_stdin: Annotated[bool, typer.Option(help="read the token from standard input")] = False,
) -> None:
    """Remember a server and a token; the token is asked for without echo."""
    text = sys.stdin.readline().strip() if token_stdin else typer.prompt("Token", hide_input=True)
    with Client(url, text) as client:
        me = client.get("/whoami")
    path = logins.remember(logins.Login(url, text))
    say(f"Logged in as {me.get('name') or me.get('id')}; remembered in {path}")


def logout() -> None:
    """Forget the server and the token."""
    logins.forget()


def whoami(output: Output = Form.TABLE) -> None:
    """Show who the token acts for."""
    with connected() as client:
        show_one(client.get("/whoami"), output)


@project.command("list")
def project_list(output: Output = Form.TABLE) -> None:
    """List the projects you see."""
    with connected() as client:
        show_list(first(client, "/projects"), ["slug", "name", "created_at"], output)


@project.command("show")
def project_show(slug: str, output: Output = Form.TABLE) -> None:
    """Show a project."""
    with connected() as client:
        show_one(client.get(f"/projects/{slug}"), output)


@project.command("create")
def project_create(
    slug: str, name: str = "", description: str = "", output: Output = Form.TABLE
) -> None:
    """Create a project with its three environments."""
    body = {"slug": slug, "name": name or slug, "description": description}
    with connected() as client:
        show_one(client.post("/projects", body), output)


@token.command("list")
def token_list(output: Output = Form.TABLE) -> None:
    """List your tokens."""
    with connected() as client:
        columns = ["id", "name", "scopes", "project", "expires_at", "last_used_at"]
        show_list(first(client, "/tokens"), columns, output)


@token.command("create")
def token_create(
    name: str,
    scope: Annotated[list[str], typer.Option(help="a permission; may be repeated")],
    project: str = "",
    days: int = 30,
    output: Output = Form.TABLE,
) -> None:
    """Make a token and print it, once. A token itself makes no tokens: use the page for that."""
    expires = (datetime.now(tz=UTC) + timedelta(days=days)).isoformat()
    body = {"name": name, "scopes": scope, "expires_at": expires}
    with connected() as client:
        made = client.post("/tokens", body | ({"project": project} if project else {}))
    if output is Form.JSON:
        show_one(made, output)
    else:
        console.print(made["secret"], soft_wrap=True)


@token.command("revoke")
def token_revoke(token_id: str, output: Output = Form.TABLE) -> None:
    """End a token."""
    with connected() as client:
        show_one(client.post(f"/tokens/{token_id}/revoke"), output)


@job.command("list")
def job_list(state: str = "", kind: str = "", output: Output = Form.TABLE) -> None:
    """List jobs."""
    with connected() as client:
        found = first(client, "/jobs", state=state or None, kind=kind or None)
        show_list(found, ["id", "kind", "state", "attempts", "error", "created_at"], output)


@job.command("show")
def job_show(job_id: str, output: Output = Form.TABLE) -> None:
    """Show a job."""
    with connected() as client:
        show_one(client.get(f"/jobs/{job_id}"), output)


@job.command("cancel")
def job_cancel(job_id: str, output: Output = Form.TABLE) -> None:
    """Cancel a job."""
    with connected() as client:
        show_one(client.post(f"/jobs/{job_id}/cancel"), output)
