"""deployment."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Any

import typer

from placet_client.cli.command import (
    LimitOption,
    ListedProject,
    ListedProjectOption,
    OutputOption,
    connected,
    listed_project,
)
from placet_client.cli.serving import withdrawn
from placet_client.output import Form, show_list, tell
from placet_client.records import Deployment, ServedRevision

deployment = typer.Typer(help="What served when, and who approved it", no_args_is_help=True)
COLUMNS = [
    "project",
    "environment",
    "endpoint",
    "revision",
    "percent",
    "runs",
    "bento",
    "approved by",
    "policy",
    "since",
    "until",
]


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(deployment, name="deployment")


@deployment.command("list")
def deployment_list(
    within: ListedProject = "",
    at: Annotated[
        str, typer.Option(help="the instant, e.g. 2026-03-14T10:00Z; now unless it is given")
    ] = "",
    project: ListedProjectOption = "",
    environment: str = "",
    limit: LimitOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """List what served behind each endpoint at an instant, by whose approval; -o json has the
    receipts and where the log says it."""
    project = listed_project(within, project)
    with connected() as client:
        found = client.deployments.list(
            at=at, project=project, environment=environment, limit=limit
        )
        if output is Form.JSON:
            show_list(found, COLUMNS, output)
            return
        rows = list(found)
    show_list(lines(rows), COLUMNS, output)
    for row in rows:
        for fault in row.faults:
            tell(f"{row.environment}/{row.endpoint_name}: {fault}")


def lines(rows: Iterable[Deployment]) -> Iterator[dict[str, Any]]:
    """Yield a line for each revision, and one for an endpoint behind which nothing served."""
    for row in rows:
        place = {
            "project": row.project,
            "environment": row.environment,
            "endpoint": row.endpoint_name,
        }
        if not row.revisions:
            yield place | {"runs": "nothing" if row.state == "active" else idle(row)}
        for one in row.revisions:
            yield place | {
                "revision": one.number,
                "percent": f"{one.percent:g}",
                "runs": f"{one.model}:{one.version}",
                "bento": one.bento_digest,
                "approved by": approvers(one),
                "policy": one.policy_number,
                "since": one.since.isoformat(timespec="seconds")
                + (" (started)" if one.started else ""),
                "until": one.until.isoformat(timespec="seconds") if one.until else None,
            }


def idle(row: Deployment) -> str:
    """Say of an endpoint that served nothing who had stopped it, as the page does."""
    stop = row.stopped
    if stop is None:
        return row.state
    by = stop.by_name
    if stop.recalled:
        seen = stop.recall
        by = "a recall, not visible to you"
        if seen:
            by = f"recall {seen.id} (by {seen.by_name}{withdrawn(seen)})"
    return f"{row.state} by {by} at {stop.at.isoformat(timespec='seconds')}"


def approvers(row: ServedRevision) -> list[str] | str:
    """Say who approved what served, in the words of the page of deployments."""
    if row.approvals:
        how, since = {True: ", in an emergency", False: ""}, {True: ", recalled since", False: ""}
        return [
            f"{who.name} ({who.role}{how[who.emergency]}{since[who.recalled_since]})"
            for who in row.approvals
        ]
    return "nobody: the policy asks for no one" if row.release else "not known"
