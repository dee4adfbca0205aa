"""environment, policy, freeze."""

from pathlib import Path
from typing import Annotated

import typer

from placet_client import refs
from placet_client.cli.command import Output, connected, first
from placet_client.output import Form, show_list, show_one

environment = typer.Typer(help="Environments of a project", no_args_is_help=True)
policy = typer.Typer(help="What must pass before something runs", no_args_is_help=True)
freeze = typer.Typer(help="Times when nothing new starts", no_args_is_help=True)
Place = Annotated[str, typer.Argument(metavar="PROJECT/ENVIRONMENT")]


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(environment, name="environment")
    app.add_typer(policy, name="policy")
    app.add_typer(freeze, name="freeze")


@environment.command("list")
def environment_list(project: str, output: Output = Form.TABLE) -> None:
    """List the environments of a project, in order."""
    with connected() as client:
        found = first(client, f"/projects/{project}/environments")
        show_list(found, ["name", "position", "targets", "policy"], output)


@environment.command("show")
def environment_show(place: Place, output: Output = Form.TABLE) -> None:
    """Show an environment."""
    with connected() as client:
        show_one(client.get(refs.environment_path(place)), output)


@policy.command("list")
def policy_list(place: Place, output: Output = Form.TABLE) -> None:
    """List the policy revisions of an environment."""
    with connected() as client:
        found = first(client, f"{refs.environment_path(place)}/policies")
        show_list(found, ["number", "state", "digest", "published_at"], output)


@policy.command("show")
def policy_show(place: Place, number: int, output: Output = Form.TABLE) -> None:
    """Show a policy revision."""
    with connected() as client:
        show_one(client.get(f"{refs.environment_path(place)}/policies/{number}"), output)


@policy.command("draft")
def policy_draft(place: Place, file: Path, output: Output = Form.TABLE) -> None:
    """Store a YAML file as a draft. Somebody else publishes it, in the browser."""
    with connected() as client:
        body = {"source": file.read_text("utf-8")}
        show_one(client.post(f"{refs.environment_path(place)}/policies", body), output)


@policy.command("try")
def policy_try(place: Place, file: Path, output: Output = Form.TABLE) -> None:
    """Show how open and live releases would fare under a YAML file; nothing is stored."""
    with connected() as client:
        body = {"source": file.read_text("utf-8")}
        found = client.post(f"{refs.environment_path(place)}/policies/dry-run", body)
    if output is Form.JSON:
        show_one(found, output)
    else:
        show_list(found["items"], ["release", "state", "passes_now", "passes_then"], output)


@freeze.command("list")
def freeze_list(place: Place, output: Output = Form.TABLE) -> None:
    """List the freezes of an environment."""
    with connected() as client:
        found = first(client, f"{refs.environment_path(place)}/freezes")
        show_list(found, ["id", "reason", "starts_at", "ends_at", "lifted_at"], output)


@freeze.command("set")
def freeze_set(
    place: Place,
    reason: Annotated[str, typer.Option(help="why")],
    ends_at: Annotated[str, typer.Option(help="RFC 3339; without it until lifted")] = "",
    output: Output = Form.TABLE,
) -> None:
    """Let nothing new start in an environment."""
    body = {"reason": reason} | ({"ends_at": ends_at} if ends_at else {})
    with connected() as client:
        show_one(client.post(f"{refs.environment_path(place)}/freezes", body), output)


@freeze.command("lift")
def freeze_lift(place: Place, freeze_id: str, output: Output = Form.TABLE) -> None:
    """End a freeze."""
    with connected() as client:
        path = f"{refs.environment_path(place)}/freezes/{freeze_id}/lift"
        show_one(client.post(path), output)
