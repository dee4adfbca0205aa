"""endpoint, target."""

import json
from pathlib import Path
from typing import Annotated

import typer

from placet_client import refs
from placet_client.cli.command import ERROR, Ended, Output, connected, first
from placet_client.client import Client
from placet_client.output import Form, console, print_json, show_list, show_one

endpoint = typer.Typer(help="Endpoints, as PROJECT/ENVIRONMENT/ENDPOINT", no_args_is_help=True)
key = typer.Typer(help="API keys of an endpoint", no_args_is_help=True)
target = typer.Typer(help="Where models run", no_args_is_help=True)
Reference = Annotated[str, typer.Argument(metavar="PROJECT/ENVIRONMENT/ENDPOINT")]
Place = Annotated[str, typer.Argument(metavar="PROJECT/ENVIRONMENT")]


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    endpoint.add_typer(key, name="key")
    app.add_typer(endpoint, name="endpoint")
    app.add_typer(target, name="target")


def by_id(client: Client, reference: str) -> str:
    """Return the API path of an endpoint by its id."""
    if reference.startswith("end_"):
        return f"/endpoints/{reference}"
    return f"/endpoints/{client.get(refs.endpoint_path(reference))['id']}"


@endpoint.command("list")
def endpoint_list(place: Place, output: Output = Form.TABLE) -> None:
    """List the endpoints of an environment."""
    with connected() as client:
        found = first(client, f"{refs.environment_path(place)}/endpoints")
        show_list(found, ["name", "url", "state", "health", "target"], output)


@endpoint.command("show")
def endpoint_show(reference: Reference, output: Output = Form.TABLE) -> None:
    """Show an endpoint."""
    with connected() as client:
        show_one(client.get(by_id(client, reference)), output)


@endpoint.command("create")
def endpoint_create(
    place: Place,
    name: str,
    target_name: Annotated[str, typer.Option("--target", help="where it runs")],
    require_key: Annotated[bool, typer.Option(help="clients must send an API key")] = False,
    output: Output = Form.TABLE,
) -> None:
    """Make an endpoint; nothing serves there before a release."""
    body = {"name": name, "target": target_name, "api_key_required": require_key}
    with connected() as client:
        show_one(client.post(f"{refs.environment_path(place)}/endpoints", body), output)


@endpoint.command("predict")
def endpoint_predict(
    reference: Reference,
    data: Annotated[str, typer.Option(help="one row or {instances: […]} as JSON, or @FILE")],
    api_key: str = "",
) -> None:
    """Send rows to an endpoint and print its answer."""
    text = Path(data[1:]).read_text("utf-8") if data.startswith("@") else data
    try:
        body = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"--data is not JSON: {error}") from None
    headers = {"X-API-Key": api_key} if api_key else {}
    with connected() as client:
        path = f"{by_id(client, reference)}/predict"
        answer = client.request("POST", path, json=body, headers=headers).json()
    print_json(answer["body"])
    if answer["status"] >= 400:
        raise Ended(ERROR, f"The endpoint answered {answer['status']}")


@endpoint.command("rollback")
def endpoint_rollback(
    reference: Reference,
    reason: Annotated[str, typer.Option(help="why; it goes to the log")],
    output: Output = Form.TABLE,
) -> None:
    """Go back to the revision before; needs no new approval."""
    with connected() as client:
        path = f"{by_id(client, reference)}/rollback"
        show_one(client.post(path, {"reason": reason}), output)


@endpoint.command("scale")
def endpoint_scale(reference: Reference, replicas: int, output: Output = Form.TABLE) -> None:
    """Set the replicas, within what was approved."""
    with connected() as client:
        path = f"{by_id(client, reference)}/scale"
        show_one(client.post(path, {"replicas": replicas}), output)


def _do(reference: str, verb: str, output: Form) -> None:
    with connected() as client:
        show_one(client.post(f"{by_id(client, reference)}/{verb}"), output)


@endpoint.command("stop")
def endpoint_stop(reference: Reference, output: Output = Form.TABLE) -> None:
    """Stop an endpoint; clients get 503."""
    _do(reference, "stop", output)


@endpoint.command("start")
def endpoint_start(reference: Reference, output: Output = Form.TABLE) -> None:
    """Start a stopped endpoint."""
    _do(reference, "start", output)


@endpoint.command("restart")
def endpoint_restart(reference: Reference, output: Output = Form.TABLE) -> None:
    """Replace the replicas, one after another."""
    _do(reference, "restart", output)


@key.command("list")
def key_list(reference: Reference, output: Output = Form.TABLE) -> None:
    """List the API keys."""
    with connected() as client:
        found = first(client, f"{by_id(client, reference)}/keys")
        show_list(found, ["id", "name", "created_at", "revoked_at"], output)


@key.command("new")
def key_new(reference: Reference, name: str, output: Output = Form.TABLE) -> None:
    """Make an API key and print it, once."""
    with connected() as client:
        made = client.post(f"{by_id(client, reference)}/keys", {"name": name})
    if output is Form.JSON:
        show_one(made, output)
    else:
        console.print(made["key"], soft_wrap=True)


@key.command("revoke")
def key_revoke(reference: Reference, key_id: str, output: Output = Form.TABLE) -> None:
    """End an API key."""
    with connected() as client:
        show_one(client.post(f"{by_id(client, reference)}/keys/{key_id}/revoke"), output)


@target.command("list")
def target_list(output: Output = Form.TABLE) -> None:
    """List targets."""
    with connected() as client:
        show_list(
            first(client, "/targets"), ["name", "driver", "site", "url", "node.alive"], output
        )


@target.command("show")
def target_show(name: str, output: Output = Form.TABLE) -> None:
    """Show a target."""
    with connected() as client:
        show_one(client.get(f"/targets/{name}"), output)


@target.command("create")
def target_create(
    name: str,
    site: Annotated[str, typer.Option(help="on-premise, cloud or edge")] = "on-premise",
    capacity_mb: int = 4096,
    url: Annotated[str, typer.Option(help="where clients reach its endpoints")] = "",
    output: Output = Form.TABLE,
) -> None:
    """Add a target."""
    body = {"name": name, "site": site, "capacity_mb": capacity_mb, "url": url}
    with connected() as client:
        show_one(client.post("/targets", body), output)


@target.command("join-token")
def target_join_token(name: str, output: Output = Form.TABLE) -> None:
    """Make a one-time token for `placet-agent join`, and print it."""
    with connected() as client:
        made = client.post(f"/targets/{name}/join-tokens")
    if output is Form.JSON:
        show_one(made, output)
    else:
        console.print(made["token"], soft_wrap=True)
