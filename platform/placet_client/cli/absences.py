"""away."""

from datetime import datetime
from typing import Annotated

import typer

from placet_client.cli.command import OutputOption, connected, go_on
from placet_client.output import Form, say, show_list, show_one
from placet_client.records import OwnAbsence

away = typer.Typer(help="Out of office: who stands in for your reviews", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(away, name="away")


@away.command("show")
def away_show(output: OutputOption = Form.TABLE) -> None:
    """Show until when you are away and who stands in, or who may."""
    with connected() as client:
        _show(client.absences.get(), output)


@away.command("set")
def away_set(
    deputy: Annotated[str, typer.Argument(help="their name, e-mail address or id")],
    until: Annotated[datetime, typer.Option(help="when you are back, UTC, such as 2026-12-24")],
    since: Annotated[datetime | None, typer.Option("--from", help="UTC; default: now")] = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Say until when you are away, and who stands in. A deputy gains no rights: they must decide
    where you do."""
    starts = f"{since.isoformat()}Z" if since else None
    with connected() as client:
        own = client.absences.set(deputy, starts_at=starts, ends_at=f"{until.isoformat()}Z")
        _show(own, output)
        go_on(client, "absence")


@away.command("clear")
def away_clear(output: OutputOption = Form.TABLE) -> None:
    """Say that you are back: nobody stands in any more."""
    with connected() as client:
        _show(client.absences.clear(), output)
        go_on(client, "absence")


def _show(own: OwnAbsence, output: Form) -> None:
    if output is Form.JSON:
        show_one(own.raw, output)
        return
    if own.absence:
        stands_in = {"deputy": own.deputy_name, "deputy_can": own.deputy_can}
        show_one({**own.absence.raw, **stands_in}, output)
        return
    if not own.may_stand_in:
        say("You are not away, and nobody can stand in for you: nobody else decides where you do.")
        return
    say("You are not away.")
    heading = "These can stand in for you:"
    show_list(own.may_stand_in, ["id", "name"], output, heading=heading)
