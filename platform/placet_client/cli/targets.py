"""target."""

from typing import Annotated

import typer

from placet_client import refs
from placet_client.cli.command import (
    ERROR,
    CommandEnded,
    LimitOption,
    OutputOption,
    connected,
    go_on,
    pairs,
)
from placet_client.output import Form, show_list, show_one, tell

target = typer.Typer(help="Where models run", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(target, name="target")


@target.command("list")
def target_list(limit: LimitOption = None, output: OutputOption = Form.TABLE) -> None:
    """List targets."""
    with connected() as client:
        targets = client.targets.list(limit=limit)
        show_list(
            targets, ["name", "driver", "site", "url", "node.alive", "node.unreached"], output
        )


@target.command("show")
def target_show(name: str, output: OutputOption = Form.TABLE) -> None:
    """Show a target."""
    with connected() as client:
        show_one(client.targets.get(name), output)


SiteOption = Annotated[str | None, typer.Option(help="on-premise, cloud or edge")]
LabelOption = Annotated[list[str] | None, typer.Option(help="NAME=VALUE; repeatable")]
CapacityOption = Annotated[int | None, typer.Option(help="memory for models, in MB")]
UrlOption = Annotated[str | None, typer.Option(help="where clients reach its endpoints")]
OwnerOption = Annotated[str | None, typer.Option(help="who answers for it: e-mail address or id")]
ProjectArgument = Annotated[str, typer.Argument(metavar="PROJECT[/ENVIRONMENT]")]


@target.command("create")
def target_create(
    name: str,
    driver: Annotated[str, typer.Option(help="what runs there")] = "node",
    site: SiteOption = "on-premise",
    label: LabelOption = None,
    capacity_mb: CapacityOption = 4096,
    url: UrlOption = None,
    owner: OwnerOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Add a target. Nobody may use it before `placet target allow`."""
    labels = pairs(label, "--label") if label else None
    with connected() as client:
        new_target = client.targets.create(
            name,
            driver=driver,
            site=site or "",
            labels=labels,
            capacity_mb=capacity_mb,
            url=url or "",
            owner=owner or "",
        )
        show_one(new_target, output)
        go_on(client, "target", name)


@target.command("edit")
def target_edit(
    name: str,
    site: SiteOption = None,
    label: LabelOption = None,
    capacity_mb: CapacityOption = None,
    url: UrlOption = None,
    on_expired: Annotated[
        str | None, typer.Option(help="serve or stop, when the node is cut off for too long")
    ] = None,
    owner: OwnerOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Change a target; --label replaces all labels."""
    labels = pairs(label, "--label") if label else None
    with connected() as client:
        changed = client.targets.update(
            name,
            site=site,
            labels=labels,
            capacity_mb=capacity_mb,
            url=url,
            on_expired=on_expired,
            owner=owner,
        )
        show_one(changed, output)
        go_on(client, "target", name)


@target.command("uses")
def target_uses(name: str, limit: LimitOption = None, output: OutputOption = Form.TABLE) -> None:
    """List the projects and environments that may use a target."""
    with connected() as client:
        uses = client.targets.uses(name, limit=limit)
        show_list(uses, ["project", "environment", "created_at", "id"], output)


@target.command("allow")
def target_allow(name: str, whom: ProjectArgument, output: OutputOption = Form.TABLE) -> None:
    """Let a project, or one environment of it, use a target."""
    project, environment = refs.project_or_place(whom)
    with connected() as client:
        show_one(client.targets.allow(name, project, environment), output)
        go_on(client, "target", name)


@target.command("disallow")
def target_disallow(name: str, whom: ProjectArgument) -> None:
    """Take a project, or one environment of it, off a target's list."""
    wanted = refs.project_or_place(whom)
    with connected() as client:
        for use in client.targets.uses(name):
            if (use.project, use.environment) == wanted:
                client.targets.end_use(name, use.id)
                tell(f"{whom} may no longer use {name}")
                go_on(client, "target", name)
                return
    raise CommandEnded(ERROR, f"{name} does not list {whom}")


@target.command("join-token")
def target_join_token(name: str, output: OutputOption = Form.TABLE) -> None:
    """Create a one-time token for `placet-agent join`, and print it."""
    with connected() as client:
        join_token = client.targets.join_token(name)
        if output is Form.JSON:
            show_one(join_token, output)
        else:
            tell(join_token.token)
        go_on(client, "target", name)
