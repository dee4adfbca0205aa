"""break-glass."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from placet_client.cli.command import (
    LimitOption,
    ListedProject,
    ListedProjectOption,
    OutputOption,
    connected,
    listed_project,
)
from placet_client.output import Form, show_list, show_one, tell
from placet_client.records import BreakGlass

glass = typer.Typer(
    help="Emergency releases: who signed, what runs by them, and the reviews. People "
    "start, co-sign and review them in the browser",
    no_args_is_help=True,
)
COLUMNS = ["id", "project", "release_number", "environment", "state", "how_ended"]
COLUMNS += ["until", "running", "review"]
AWAITING = "awaiting_co_signature"
STATES = "opened (awaiting co-signature), confirmed (active, or used), ended, lapsed or reviewed"


class Review(StrEnum):
    """How a review stands."""

    OPEN = "open"
    OVERDUE = "overdue"
    CLOSED = "closed"


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(glass, name="break-glass")


@glass.command("list")
def break_glass_list(
    within: ListedProject = "",
    project: ListedProjectOption = "",
    state: Annotated[str, typer.Option(help=STATES)] = "",
    review: Annotated[
        Review | None, typer.Option(help="open (overdue too), overdue or closed")
    ] = None,
    limit: LimitOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """List emergency releases, newest first."""
    project = listed_project(within, project)
    with connected() as client:
        glasses = client.break_glasses.list(
            project=project, state=state, review=review or "", limit=limit
        )
        shown = glasses if output is Form.JSON else map(_in_words, glasses)
        show_list(shown, COLUMNS, output)


@glass.command("show")
def break_glass_show(glass_id: str, output: OutputOption = Form.TABLE) -> None:
    """Show an emergency release: who signed it and why, until when, and its review."""
    with connected() as client:
        break_glass = client.break_glasses.get(glass_id)
    show_one(break_glass if output is Form.JSON else _in_words(break_glass), output)
    for signer in break_glass.signers if output is Form.TABLE else ():
        how = " with a passkey" if signer.passkey else ""
        void = ", void: recalled" if signer.void else ""
        tell(f"{signer.name} as {signer.role}{how}{void}")


def _in_words(glass: BreakGlass) -> dict[str, Any]:
    """Return an emergency release as tables have it: it stands as pages say."""
    told = dict(glass.raw)
    standing = told.pop("standing", glass.state)
    told["state"] = "awaiting co-signature" if standing == AWAITING else standing.replace("_", " ")
    return told
