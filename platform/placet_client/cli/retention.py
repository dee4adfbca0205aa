"""audit retention, hold, archive: how long bodies of events stay, and where they go."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from placet_client.cli.command import LimitOption, OutputOption, connected, go_on
from placet_client.output import Form, show_list, show_one, tell

retention = typer.Typer(help="How long bodies of events stay", no_args_is_help=True)
hold = typer.Typer(help="Legal holds: what is not archived", no_args_is_help=True)
archive = typer.Typer(help="Old events that were moved into files", no_args_is_help=True)
ReasonOption = Annotated[str, typer.Option(help="why; kept encrypted beside the log")]


class HoldScope(StrEnum):
    """What a hold keeps."""

    EVERYTHING = "everything"
    PROJECT = "project"
    PERSON = "person"
    OBJECT = "object"


def add_to(audit: typer.Typer) -> None:
    """Add these commands."""
    audit.add_typer(retention, name="retention")
    audit.add_typer(hold, name="hold")
    audit.add_typer(archive, name="archive")


@retention.command("show")
def retention_show(output: OutputOption = Form.TABLE) -> None:
    """Show after how many days events may be archived."""
    with connected() as client:
        show_one(client.retention.get(), output)


@retention.command("set")
def retention_set(days: int, output: OutputOption = Form.TABLE) -> None:
    """Set after how many days events may be archived."""
    with connected() as client:
        show_one(client.retention.set(days), output)
        go_on(client, "retention")


@hold.command("list")
def hold_list(limit: LimitOption = None, output: OutputOption = Form.TABLE) -> None:
    """List the holds, those that were lifted too."""
    with connected() as client:
        columns = ["id", "name", "scope", "subject", "state", "created_at", "lifted_at"]
        show_list(client.retention.holds(limit=limit), columns, output)


@hold.command("place")
def hold_place(
    name: str,
    scope: Annotated[HoldScope, typer.Argument(help="everything, project, person or object")],
    subject: Annotated[str, typer.Argument(help="a project's slug, or an id")] = "",
    reason: ReasonOption = "",
    output: OutputOption = Form.TABLE,
) -> None:
    """Keep every event that mentions something in the database."""
    with connected() as client:
        new_hold = client.retention.place_hold(
            name=name, scope=scope.value, subject=subject, reason=reason
        )
        show_one(new_hold, output)
        go_on(client, "retention")


@hold.command("lift")
def hold_lift(hold_id: str, reason: ReasonOption = "", output: OutputOption = Form.TABLE) -> None:
    """Lift a hold that somebody else placed."""
    with connected() as client:
        show_one(client.retention.lift_hold(hold_id, reason=reason), output)
        go_on(client, "retention")


@archive.command("list")
def archive_list(limit: LimitOption = None, output: OutputOption = Form.TABLE) -> None:
    """List the archives."""
    with connected() as client:
        columns = ["id", "first", "last", "count", "file", "bytes", "created_at"]
        show_list(client.retention.archives(limit=limit), columns, output)


@archive.command("save")
def archive_save(archive_id: str, file: Path) -> None:
    """Write the file of an archive, for `python -m placet_verify archive`."""
    with connected() as client:
        size = client.retention.save_archive(archive_id, file)
    tell(f"{file}: {size} bytes, for `python -m placet_verify archive`")
