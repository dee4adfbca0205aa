"""alert, objective."""

from typing import Annotated

import typer

from placet_client.cli.command import EndpointArgument, OutputOption, connected, go_on
from placet_client.cli.serving import id_of
from placet_client.output import Form, show_list, show_one, tell

alert = typer.Typer(help="Alerts: what is wrong, and who has acknowledged it", no_args_is_help=True)
objective = typer.Typer(help="The SLO of an endpoint", no_args_is_help=True)
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
    """List open alerts; those that nobody has acknowledged come first."""
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
    """Acknowledge an alert."""
    with connected() as client:
        show_one(client.alerts.acknowledge(alert_id), output)
        go_on(client, "alerts")


@alert.command("resolve")
def alert_resolve(alert_id: AlertArgument, output: OutputOption = Form.TABLE) -> None:
    """Resolve an alert about a failed job or the log; the others resolve by themselves."""
    with connected() as client:
        show_one(client.alerts.resolve(alert_id), output)
        go_on(client, "alerts")


@objective.command("show")
def objective_show(reference: EndpointArgument, output: OutputOption = Form.TABLE) -> None:
    """Show the SLO of an endpoint, and whether it is met."""
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
    """Set the SLO of an endpoint, in place of the one before."""
    with connected() as client:
        endpoint_id = id_of(client, reference)
        new_objective = client.objectives.set(
            endpoint_id,
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
        go_on(client, "endpoint", endpoint_id)


@objective.command("remove")
def objective_remove(reference: EndpointArgument) -> None:
    """Remove the SLO of an endpoint: nobody is alerted to errors and slow answers any more."""
    with connected() as client:
        endpoint_id = id_of(client, reference)
        client.objectives.remove(endpoint_id)
        tell(f"{reference} has no SLO any more.")
        go_on(client, "endpoint", endpoint_id)
