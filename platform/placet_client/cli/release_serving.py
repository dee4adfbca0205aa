"""What a release is to run with, as `placet release request` is told it."""

from typing import Annotated, Any

import typer

from placet_client.cli.command import pairs

VariablesOption = Annotated[
    list[str] | None,
    typer.Option(help="NAME=VALUE, no secret, declared by the version; may be repeated"),
]
EgressOption = Annotated[
    list[str] | None,
    typer.Option(help="what it may reach; may be repeated. Default: nothing", metavar="HOST:PORT"),
]
LimitsOption = Annotated[
    list[str] | None,
    typer.Option(
        help="a limit of its requests: request_seconds, in_flight, queue, queue_seconds or rate; "
        "may be repeated",
        metavar="NAME=NUMBER",
    ),
]
SecretsOption = Annotated[
    list[str] | None,
    typer.Option(help="a secret, by the file in which replicas find it", metavar="FILE=SECRET"),
]
LeastOption = Annotated[
    int | None,
    typer.Option(
        "--min-replicas",
        help="with --target-inflight: the fewest replicas; 0: it sleeps. Default: --replicas",
        show_default=False,
    ),
]
InflightOption = Annotated[
    int | None,
    typer.Option(
        "--target-inflight",
        help="have each node scale by load: requests in flight for one replica",
        show_default=False,
    ),
]
MOST = "how far an operator, or with --target-inflight a node, may scale"
UNIT = "sticky routing key of a canary: header:NAME, cookie:NAME or json:/pointer; default: none"


def usual(
    replicas: int,
    max_replicas: int,
    memory_mb: int,
    variables: list[str] | None,
    egress: list[str] | None,
    unit: str,
    capture: float,
) -> dict[str, Any]:
    """Return a serving configuration."""
    serving: dict[str, Any] = {
        "replicas": replicas,
        "max_replicas": max(replicas, max_replicas),
        "memory_mb": memory_mb,
    }
    if variables:
        serving["variables"] = pairs(variables, "--variable")
    if egress:
        serving["egress"] = egress
    if unit:
        source, _, name = unit.partition(":")
        serving["unit"] = {source: name}
    return serving | ({"capture": {"percent": capture}} if capture else {})


def rare(
    slim: bool,
    limits: list[str] | None,
    inflight: int | None,
    least: int | None,
    secrets: list[str] | None = None,
) -> dict[str, Any]:
    """Return what most releases leave out; a limit that is no number is refused by who reads it."""
    said = pairs(limits or [], "--limit")
    numbers = {name: int(text) if text.isdecimal() else text for name, text in said.items()}
    members = {
        "server": "slim" if slim else None,
        "limits": numbers or None,
        "secrets": pairs(secrets or [], "--secret") or None,
        "target_inflight": inflight,
        "min_replicas": least,
    }
    return {name: value for name, value in members.items() if value is not None}
