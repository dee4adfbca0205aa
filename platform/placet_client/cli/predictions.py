"""prediction."""

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
from placet_client.output import Form, show_list, show_one

prediction = typer.Typer(help="The prediction log of an endpoint", no_args_is_help=True)


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
    """List captured predictions, newest first."""
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
    unit: Annotated[str, typer.Option(help="the subject, as the requests named it")],
    output: OutputOption = Form.TABLE,
) -> None:
    """Erase all that was captured of one subject."""
    with connected() as client:
        endpoint_id = id_of(client, reference)
        show_one(client.predictions.erase(endpoint_id, unit=unit), output)
        go_on(client, "endpoint-predictions", endpoint_id)


@prediction.command("erasures")
def prediction_erasures(
    reference: EndpointArgument, limit: LimitOption = None, output: OutputOption = Form.TABLE
) -> None:
    """List what was erased, newest first."""
    with connected() as client:
        erasures = client.predictions.erasures(id_of(client, reference), limit=limit)
        show_list(erasures, ["id", "requested_at", "requested_by", "done_at", "erased"], output)
