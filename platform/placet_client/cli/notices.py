"""notices."""

from typing import Annotated

import typer

from placet_client.cli.command import OutputOption, connected, go_on
from placet_client.cli.release_names import id_of
from placet_client.output import Form, show_list, show_one, tell

notices = typer.Typer(help="Mail to you: of what, and how often", no_args_is_help=True)
COLUMNS = ["project", "release", "is_on", "created_at"]
CHOICES = ["project", "kind", "way"]
ProjectOption = Annotated[str, typer.Option(help="only in this project, by its slug")]
WatchedArgument = Annotated[
    str, typer.Argument(metavar="WHAT", help="a project's slug, or a release: PROJECT/NUMBER or id")
]


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(notices, name="notices")


@notices.command("show")
def notices_show(output: OutputOption = Form.TABLE) -> None:
    """Show how you are told of what concerns you, first everywhere and then in single projects."""
    with connected() as client:
        found = client.notices.preferences()
        if output is Form.JSON:
            show_one(found, output)
            return
        if not found.is_mail_set_up:
            tell("Placet sends no mail yet: an operator has to set PLACET_EMAIL_URL.")
        everywhere = [{"project": "", "kind": row.kind, "way": row.way} for row in found.kinds]
        show_list([*everywhere, *(row.raw for row in found.projects)], CHOICES, output)


@notices.command("choose")
def notices_choose(
    kind: Annotated[str, typer.Argument(help="review, decided, rollout, …: see `notices show`")],
    way: Annotated[str, typer.Argument(help="now, daily, none or usual")],
    project: ProjectOption = "",
    output: OutputOption = Form.TABLE,
) -> None:
    """Choose how you are told of one kind of things."""
    with connected() as client:
        show_one(client.notices.choose(kind, way, project=project), output, ["is_mail_set_up"])
        go_on(client, "notifications")


@notices.command("watches")
def notices_watches(output: OutputOption = Form.TABLE) -> None:
    """List what you watch, and the releases of which you want no news."""
    with connected() as client:
        show_list(client.notices.watches(), COLUMNS, output)


@notices.command("watch")
def notices_watch(what: WatchedArgument) -> None:
    """Watch a project or a release."""
    _watch(what, True, f"You watch {what}.")


@notices.command("unwatch")
def notices_unwatch(what: WatchedArgument) -> None:
    """Watch a project or a release no longer."""
    _watch(what, False, f"You no longer watch {what}.")


def _watch(what: str, is_on: bool, said: str) -> None:
    is_release = what.startswith("rel_") or "/" in what
    with connected() as client:
        what = id_of(client, what) if is_release else what
        client.notices.watch(
            project="" if is_release else what, release=what if is_release else "", is_on=is_on
        )
        tell(said)
        go_on(client, "notifications")
