"""alert, objective."""

from typing import Annotated

import typer

from placet_client.cli.command import EndpointArgument, OutputOption, connected
from placet_client.cli.serving import id_of
from placet_client.output import Form, show_list, show_one, tell

alert = typer.Typer(help="What is wrong, and who looks after it", no_args_is_help=True)
objective = typer.Typer(help="What an endpoint is held to", no_args_is_help=True)
COLUMNS = ["id", "state", "kind", "about", "opened_at"]
AlertArgument = Annotated[str, typer.Argument(metavar="ALERT")]


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(alert, name="alert")
    app.add_typer(objective, name="objective")


@alert.command("list")
def alert_list(
    everything: Annotated[bool, typer.Option("--all", help="resolved ones too")] = False,
    output: OutputOption = Form.TABLE,
) -> None:
    """List what is wrong now: what nobody looks after first."""
    states = ["open", "acknowledged", *(["resolved"] if everything else [])]
    with connected() as client:
        alerts = [row for state in states for row in client.alerts.list(state=state, limit=100)]
    show_list(alerts, COLUMNS, output)


@alert.command("show")
def alert_show(alert_id: AlertArgument, output: OutputOption = Form.TABLE) -> None:
    """Show an alert."""
    with connected() as client:
        show_one(client.alerts.get(alert_id), output)


@alert.command("ack")
def alert_ack(alert_id: AlertArgument, output: OutputOption = Form.TABLE) -> None:
    """Say that you look after it."""
    with connected() as client:
        show_one(client.alerts.acknowledge(alert_id), output)


@alert.command("resolve")
def alert_resolve(alert_id: AlertArgument, output: OutputOption = Form.TABLE) -> None:
    """End an alert about a failed job or the log; the others end by themselves."""
    with connected() as client:
        show_one(client.alerts.resolve(alert_id), output)


@objective.command("show")
def objective_show(reference: EndpointArgument, output: OutputOption = Form.TABLE) -> None:
    """Show what an endpoint is held to, and how it stands."""
    with connected() as client:
        show_one(client.objectives.get(id_of(client, reference)), output)


@objective.command("set")
def objective_set(
    reference: EndpointArgument,
    availability: Annotated[
        float | None, typer.Option(help="least share without server errors, such as 0.999")
    ] = None,
    latency_ms: Annotated[
        int | None, typer.Option(help="5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000 or 10000")
    ] = None,
    quantile: Annotated[float, typer.Option(help="least share within --latency-ms")] = 0.99,
    window: Annotated[int, typer.Option(help="minutes that are judged")] = 15,
    min_requests: Annotated[int, typer.Option(help="with fewer, nothing is judged")] = 100,
    expect_traffic: Annotated[bool, typer.Option(help="fewer are an alert")] = False,
    roll_back: Annotated[bool, typer.Option(help="a breach rolls the endpoint back, once")] = False,
    owner: Annotated[str, typer.Option(help="id of the person to tell; you by default")] = "",
    output: OutputOption = Form.TABLE,
) -> None:
    """Set what an endpoint is held to, in place of what was set before."""
    with connected() as client:
        new_objective = client.objectives.set(
            id_of(client, reference),
            availability=availability,
            latency_ms=latency_ms,
            latency_quantile=quantile,
            window_minutes=window,
            min_requests=min_requests,
            expect_traffic=expect_traffic,
            roll_back=roll_back,
            owner=owner,
        )
        show_one(new_objective, output)


@objective.command("remove")
def objective_remove(reference: EndpointArgument) -> None:
    """Hold an endpoint to nothing any more."""
    with connected() as client:
        client.objectives.remove(id_of(client, reference))
    tell("It has no objective any more.")
