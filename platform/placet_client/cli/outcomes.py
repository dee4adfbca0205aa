"""outcome."""

from pathlib import Path
from typing import Annotated, Any

import typer

from placet_client.cli.command import (
    EndpointArgument,
    LimitOption,
    OutputOption,
    connected,
    go_on,
    json_or_file,
)
from placet_client.cli.serving import id_of
from placet_client.output import Form, show_list, show_one

outcome = typer.Typer(help="Outcomes: what became of predictions", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(outcome, name="outcome")


@outcome.command("report")
def outcome_report(
    reference: EndpointArgument,
    prediction: Annotated[str, typer.Argument(help="its id, as X-Placet-Prediction gave it")] = "",
    name: Annotated[str, typer.Argument(help="what was measured, such as chargeback")] = "",
    value: Annotated[float, typer.Argument(help="1 or 0 for what happened or did not")] = 1,
    file: Annotated[Path | None, typer.Option(help="a JSON list of outcomes instead")] = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Report the outcome of one prediction, or those in a file."""
    if (file is None) != bool(prediction and name):
        raise typer.BadParameter("give a prediction and a name, or --file")
    outcomes: list[dict[str, Any]] = [{"prediction": prediction, "name": name, "value": value}]
    if file is not None:
        outcomes = json_or_file(f"@{file}", "--file")
    with connected() as client:
        endpoint_id = id_of(client, reference)
        show_one(client.outcomes.report(endpoint_id, outcomes), output)
        go_on(client, "endpoint", endpoint_id)


@outcome.command("list")
def outcome_list(
    reference: EndpointArgument,
    name: Annotated[str, typer.Option(help="only of this name")] = "",
    revision: Annotated[str, typer.Option(help="id of one revision")] = "",
    limit: LimitOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """List reported outcomes, newest first."""
    with connected() as client:
        outcomes = client.outcomes.list(
            id_of(client, reference), name=name, revision=revision, limit=limit
        )
        show_list(outcomes, ["reported_at", "prediction", "name", "value", "revision"], output)
