"""drill."""

from typing import Annotated

import typer

from placet_client.cli.command import (
    EndpointArgument,
    LimitOption,
    OutputOption,
    connected,
    go_on,
)
from placet_client.cli.serving import id_of
from placet_client.output import Form, show_list, show_one, tell

drill = typer.Typer(help="Rollback tests (drills)", no_args_is_help=True)
COLUMNS = ["created_at", "state", "seconds", "return_seconds", "failed_requests", "reason"]


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(drill, name="drill")


@drill.command("list")
def drill_list(
    reference: EndpointArgument, limit: LimitOption = None, output: OutputOption = Form.TABLE
) -> None:
    """List the rollback tests of an endpoint, newest first, skipped ones too."""
    with connected() as client:
        show_list(client.drills.list(id_of(client, reference), limit=limit), COLUMNS, output)


@drill.command("run")
def drill_run(reference: EndpointArgument, output: OutputOption = Form.TABLE) -> None:
    """Roll an endpoint back and return, to see that it works and how long it takes."""
    with connected() as client:
        endpoint_id = id_of(client, reference)
        show_one(client.drills.run(endpoint_id), output)
        go_on(client, "endpoint", endpoint_id)


@drill.command("schedule")
def drill_schedule(
    reference: EndpointArgument,
    every_days: Annotated[int | None, typer.Option(help="days between two tests")] = None,
    hour: Annotated[int, typer.Option(help="of the day, UTC")] = 3,
    output: OutputOption = Form.TABLE,
) -> None:
    """Show when rollback tests run by themselves, or set it with --every-days."""
    with connected() as client:
        endpoint_id = id_of(client, reference)
        if every_days is None:
            show_one(client.drills.schedule(endpoint_id), output)
        else:
            schedule = client.drills.set_schedule(endpoint_id, every_days=every_days, hour=hour)
            show_one(schedule, output)
            go_on(client, "endpoint", endpoint_id)


@drill.command("unschedule")
def drill_unschedule(reference: EndpointArgument) -> None:
    """Run no more rollback tests by a schedule."""
    with connected() as client:
        endpoint_id = id_of(client, reference)
        client.drills.remove_schedule(endpoint_id)
        tell("No more rollback tests run by themselves.")
        go_on(client, "endpoint", endpoint_id)
