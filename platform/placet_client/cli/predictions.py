"""prediction."""

from typing import Annotated

import typer

from placet_client.cli.command import EndpointArgument, LimitOption, OutputOption, connected
from placet_client.cli.serving import id_of
from placet_client.output import Form, show_list, show_one

prediction = typer.Typer(help="What was captured of predictions", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(prediction, name="prediction")


@prediction.command("list")
def prediction_list(
    reference: EndpointArgument,
    revision: Annotated[str, typer.Option(help="id of one revision")] = "",
    limit: LimitOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """List captured predictions, the last stored first."""
    with connected() as client:
        predictions = client.predictions.list(
            id_of(client, reference), revision=revision, limit=limit
        )
        show_list(
            predictions, ["id", "at", "revision", "inputs", "outputs", "milliseconds"], output
        )


@prediction.command("captures")
def prediction_captures(reference: EndpointArgument, output: OutputOption = Form.TABLE) -> None:
    """Show how much was captured over the last 24 hours, and what is missing."""
    with connected() as client:
        show_one(client.predictions.captures(id_of(client, reference)), output)


@prediction.command("erase")
def prediction_erase(
    reference: EndpointArgument,
    unit: Annotated[str, typer.Option(help="as the requests carried it")],
    output: OutputOption = Form.TABLE,
) -> None:
    """Have everything captured of one unit erased."""
    with connected() as client:
        show_one(client.predictions.erase(id_of(client, reference), unit=unit), output)


@prediction.command("erasures")
def prediction_erasures(
    reference: EndpointArgument, limit: LimitOption = None, output: OutputOption = Form.TABLE
) -> None:
    """List what was erased, newest first."""
    with connected() as client:
        erasures = client.predictions.erasures(id_of(client, reference), limit=limit)
        show_list(erasures, ["id", "requested_at", "requested_by", "done_at", "erased"], output)
