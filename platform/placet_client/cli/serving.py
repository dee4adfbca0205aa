"""endpoint."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import islice
from typing import Annotated, Any

import typer

from placet_client import records, refs
from placet_client.cli.command import (
    ERROR,
    CommandEnded,
    EndpointArgument,
    EnvironmentArgument,
    LimitOption,
    ListedProjectOption,
    OutputOption,
    connected,
    go_on,
    json_or_file,
    listed_project,
)
from placet_client.cli.rollouts import BRIEF as ROLLOUT_BRIEF
from placet_client.cli.rollouts import from_one
from placet_client.client import Client
from placet_client.errors import PlacetError
from placet_client.output import (
    Form,
    Item,
    counted,
    measured,
    print_json,
    say,
    show_list,
    show_one,
    tell,
)

ISOLATION = {
    "older": "older isolation: the host's network",
    "shared": "the host's network",
    "link": "a network of its own, by a link",
    "socket": "a network of its own",
}

BRIEF = ["id", "name", "url", "state", "health", "isolation", "target", "api_key_required"]

endpoint = typer.Typer(
    help="Endpoints, as PROJECT/ENVIRONMENT/ENDPOINT or by id", no_args_is_help=True
)
key = typer.Typer(help="API keys of an endpoint", no_args_is_help=True)

MOVES = {"release": "rollout of", "rollback": "rollback to", "drill": "rollback test with"}
BY_HAND = "waits for an operator to start it"
FEW = 5  # releases that wait, of one endpoint

WhyOption = Annotated[str, typer.Option("--reason", help="why, for whoever sees the endpoint")]


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    endpoint.add_typer(key, name="key")
    app.add_typer(endpoint, name="endpoint")


def id_of(client: Client, reference: str) -> str:
    """Return the id of an endpoint."""
    if reference.startswith("end_"):
        return reference
    return client.endpoints.find(*refs.endpoint(reference)).id


@endpoint.command("list")
def endpoint_list(
    place: Annotated[str, typer.Argument(metavar="[PROJECT[/ENVIRONMENT]]")] = "",
    project: ListedProjectOption = "",
    isolation: Annotated[
        str,
        typer.Option(help="only those of this isolation: older, shared, link or socket"),
    ] = "",
    limit: LimitOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """List the endpoints of an environment or a project; without either all that you see."""
    place = listed_project(place, project)
    columns = ["name", "url", "state", "health", "isolation", "target"]
    with connected() as client:
        endpoints = _endpoints(client, place, isolation, limit)
        if "/" not in place:
            columns = ["project", "environment", *columns]
        show_list((_told(row, output) for row in islice(endpoints, limit)), columns, output)


def _endpoints(
    client: Client, place: str, isolation: str, limit: int | None
) -> Iterator[records.Endpoint]:
    if "/" in place:
        yield from client.endpoints.list(*refs.place(place), isolation=isolation, limit=limit)
        return
    for slug in [place] if place else [project.slug for project in client.projects.list()]:
        for environment in client.environments.list(slug):
            yield from client.endpoints.list(slug, environment.name, isolation=isolation)


def _told(row: records.Endpoint, output: Form) -> Item:
    """Return an endpoint as the API has it, for people with its isolation in words behind the one
    that ``--isolation`` takes, and why it has no address in place of one."""
    if output is Form.JSON:
        return row
    says = f"{row.isolation} ({ISOLATION[row.isolation]})" if row.isolation in ISOLATION else ""
    words = {"isolation": says or row.isolation, "url": row.url or row.no_address}
    return {name: value for name, value in (row.raw | words).items() if name != "no_address"}


def _show_changed(client: Client, row: records.Endpoint, output: Form) -> None:
    """Print an endpoint that was changed, and where to go on."""
    show_one(_told(row, output), output, BRIEF)
    go_on(client, "endpoint", row.id)


@endpoint.command("show")
def endpoint_show(reference: EndpointArgument, output: OutputOption = Form.TABLE) -> None:
    """Show an endpoint."""
    with connected() as client:
        show_one(_told(client.endpoints.get(id_of(client, reference)), output), output)


@endpoint.command("revisions")
def endpoint_revisions(
    reference: EndpointArgument, limit: LimitOption = None, output: OutputOption = Form.TABLE
) -> None:
    """List what served behind an endpoint, newest first."""
    with connected() as client:
        revisions = list(client.endpoints.revisions(id_of(client, reference), limit=limit))
        columns = [
            "number",
            "state",
            "traffic",
            "salt",
            "version",
            "replicas",
            "server",
            "isolation",
            "release",
            "live_at",
        ]
        if output is Form.JSON:
            show_list(revisions, columns, output)
            return
        show_list(
            ({**row.raw, **_shown(row)} for row in revisions),
            *(columns, output),
        )
        for row in revisions:
            if row.recalled:
                tell(f"Revision {row.number}: {_state_of(row)} {_told_of(row.recall)}")


def _shown(row: records.Revision) -> dict[str, Any]:
    """Return what a revision has in the words of the page of its endpoint."""
    by_load = row.scaling if row.state == "live" and not row.is_stopped else None
    count = f"{row.ready_replicas} ({by_load['least']} to {by_load['most']})" if by_load else ""
    return {
        "state": _state_of(row),
        "traffic": _share_of(row),
        "replicas": count or row.replicas,
    }


def _state_of(row: records.Revision) -> str:
    """Return the state of a revision as the page of its endpoint has it."""
    if row.recalled:
        return "stopped by a recall"
    if row.aborted or row.is_stopped:
        return "aborted" if row.aborted else "stopped"
    return "asleep" if row.asleep_since else row.state


def _share_of(row: records.Revision) -> str:
    """Return the share of the requests that goes to a revision, as pages have it; '' for none."""
    return f"{row.weight / 100:g}%" if row.weight and not row.is_stopped else ""


def _told_of(recall: records.ToldRecall | None) -> str:
    """Say which recall ended a revision, as the page does."""
    if recall is None:
        return "of all projects, not visible to you"
    at = recall.at.isoformat(timespec="seconds")
    return f"by {recall.by_name} at {at} ({recall.id}): “{recall.reason}”{withdrawn(recall)}"


def withdrawn(told: records.ToldRecall) -> str:
    """Continue what is said of a recall that ended something: when it was withdrawn, if it was."""
    at = told.withdrawn_at
    return f", withdrawn at {at.isoformat(timespec='seconds')}" if at else ""


@endpoint.command("traffic")
def endpoint_traffic(
    reference: EndpointArgument,
    range_name: Annotated[str, typer.Option("--range", help="1h, 6h, 24h, 7d or 30d")] = "1h",
    output: OutputOption = Form.TABLE,
) -> None:
    """Show requests, errors and latency of an endpoint over time."""
    with connected() as client:
        traffic = client.endpoints.traffic(id_of(client, reference), range=range_name)
        if output is Form.JSON:
            show_one(traffic, output)
            return
        columns = ["at", "requests", "per_second", "error_rate", "p50_ms", "p95_ms", "p99_ms"]
        none = f"No requests in the last {range_name}, up to a minute ago."
        show_list(map(measured, traffic.points), columns, output, none=none)


@endpoint.command("create")
def endpoint_create(
    place: EnvironmentArgument,
    name: str,
    target_name: Annotated[str, typer.Option("--target", help="where it runs")],
    require_key: Annotated[
        bool | None,
        typer.Option(
            "--require-key/--no-require-key",
            help="whether clients must send an API key; left out, as before at this name, else no",
        ),
    ] = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Create an endpoint; nothing serves there before a release."""
    with connected() as client:
        new_endpoint = client.endpoints.create(
            *refs.place(place), name, target=target_name, api_key_required=require_key
        )
        _show_changed(client, new_endpoint, output)


@endpoint.command("predict")
def endpoint_predict(
    reference: EndpointArgument,
    data: Annotated[str, typer.Option(help="one row or {instances: […]} as JSON, or @FILE")],
    api_key: str = "",
) -> None:
    """Send rows to an endpoint and print its answer."""
    body = json_or_file(data, "--data")
    with connected() as client:
        answer = client.endpoints.predict(id_of(client, reference), body, api_key=api_key)
    print_json(answer.body)
    if answer.status >= 400:
        raise CommandEnded(ERROR, f"The endpoint answered {answer.status}")


@endpoint.command("rollback")
def endpoint_rollback(
    reference: EndpointArgument,
    reason: Annotated[str, typer.Option(help="why, for the log")],
    to: Annotated[int | None, typer.Option(help="the number of a former revision")] = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Go back to the revision before, or to one before that; needs no new approval."""
    with connected() as client:
        endpoint_id = id_of(client, reference)
        begun = client.endpoints.rollback(endpoint_id, reason=reason, revision=to)
        show_one(from_one(begun, output), output, ROLLOUT_BRIEF)
        go_on(client, "rollout", begun.id)


@endpoint.command("scale")
def endpoint_scale(
    reference: EndpointArgument,
    replicas: Annotated[int, typer.Argument(metavar="REPLICAS", help="how many there are to be")],
    output: OutputOption = Form.TABLE,
) -> None:
    """Set the replicas, within what was approved."""
    with connected() as client:
        found = client.endpoints.get(id_of(client, reference))
        before = [one.replicas for one in found.revisions if one.id == found.live_revision]
        scaled_endpoint = client.endpoints.scale(found.id, replicas)
        if before == [replicas]:
            say(f"Already {counted(replicas, 'replica')}: nothing was changed.")
        _show_changed(client, scaled_endpoint, output)


@endpoint.command("stop")
def endpoint_stop(
    reference: EndpointArgument, reason: WhyOption = "", output: OutputOption = Form.TABLE
) -> None:
    """Stop an endpoint; clients get 503."""
    with connected() as client:
        found = client.endpoints.get(id_of(client, reference))
        if found.state == "stopped":
            say("Already stopped: nothing was changed.")
        else:
            found = client.endpoints.stop(found.id, reason=reason)
        _show_changed(client, found, output)


@endpoint.command("start")
def endpoint_start(
    reference: EndpointArgument, reason: WhyOption = "", output: OutputOption = Form.TABLE
) -> None:
    """Start a stopped endpoint."""
    with connected() as client:
        started = client.endpoints.start(id_of(client, reference), reason=reason)
        said = ["Started."]
        with suppress(PlacetError):  # it is started, whatever the token does not see besides
            said += _once_started(client, started)
        say(" ".join(said))
        _show_changed(client, started, output)


def _once_started(client: Client, started: records.Endpoint) -> Iterator[str]:
    """Yield what is so at an endpoint that was started just now, as its page says it."""
    for row in started.revisions:
        if row.weight and row.state != "live":
            yield f"Its rollout sends revision {row.number} {_share_of(row)} of the requests now."
    rollout = client.rollouts.list(endpoint=started.id).first()
    if rollout is not None and rollout.finished_at is None:
        numbers = {row.id: row.number for row in started.revisions}
        number = numbers.get(rollout.to_revision, "?")
        goes = "stays paused" if rollout.waits else "goes on"
        yield f"The {MOVES.get(rollout.kind, rollout.kind)} revision {number} {goes}."
        return
    waiting = client.releases.list(
        started.project,
        environment=started.environment,
        endpoint=started.name,
        state="approved",
    )
    releases = list(islice(waiting, FEW))
    if started.live_revision is None and releases:
        yield "Nothing is live there yet: clients get 503 until something is."
    for release in releases:
        yield f"Release {release.number}, which is approved, {_starts(client, release)}."
    if started.live_revision is None and not releases:
        yield "Nothing serves there until a version is released to it."


def _starts(client: Client, release: records.Release) -> str:
    """Say who starts an approved release at an endpoint that was started just now."""
    if isinstance(release.plan, Mapping) and release.plan.get("start") == "manual":
        return BY_HAND
    if newer := client.releases.get(release.id).overtaken_by:
        return f"{BY_HAND}: release {newer} went live since it was approved"
    return "starts by itself, if every gate still passes"


@endpoint.command("restart")
def endpoint_restart(reference: EndpointArgument, output: OutputOption = Form.TABLE) -> None:
    """Replace the replicas, one after another."""
    with connected() as client:
        _show_changed(client, client.endpoints.restart(id_of(client, reference)), output)


@endpoint.command("delete")
def endpoint_delete(reference: EndpointArgument) -> None:
    """Delete an endpoint that is stopped or empty; its history stays, its name is free again."""
    with connected() as client:
        client.endpoints.delete(id_of(client, reference))
        tell(f"Deleted {reference}: its name is free again.")
        go_on(client, "endpoints")


@key.command("list")
def key_list(
    reference: EndpointArgument, limit: LimitOption = None, output: OutputOption = Form.TABLE
) -> None:
    """List the API keys."""
    with connected() as client:
        keys = client.endpoints.keys(id_of(client, reference), limit=limit)
        show_list(keys, ["id", "name", "created_at", "revoked_at"], output)


@key.command("new")
def key_new(reference: EndpointArgument, name: str, output: OutputOption = Form.TABLE) -> None:
    """Create an API key and print it, once."""
    with connected() as client:
        endpoint_id = id_of(client, reference)
        new_key = client.endpoints.new_key(endpoint_id, name)
        if output is Form.JSON:
            show_one(new_key, output)
        else:
            tell(new_key.key)
        go_on(client, "endpoint", endpoint_id)


@key.command("revoke")
def key_revoke(reference: EndpointArgument, key_id: str, output: OutputOption = Form.TABLE) -> None:
    """Revoke an API key."""
    with connected() as client:
        endpoint_id = id_of(client, reference)
        show_one(client.endpoints.revoke_key(endpoint_id, key_id), output)
        go_on(client, "endpoint", endpoint_id)
