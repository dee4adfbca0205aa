"""rollout."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from placet_client.cli import release_names, serving
from placet_client.cli.command import LimitOption, OutputOption, connected, go_on
from placet_client.client import Client
from placet_client.output import Form, Item, measured, show_list, show_one
from placet_client.records import Look, Rollout

rollout = typer.Typer(help="Rollouts of releases", no_args_is_help=True)
FEWEST = 20  # of fewer requests pages show no percentile: it would mean nothing
BRIEF = ["id", "kind", "environment", "endpoint_name", "state", "step", "reason"]


def from_one(row: Rollout | Look, output: Form) -> Item:
    """Return a rollout, or a look at it, as the API has it; for people its steps count from 1, as
    on its page, and who or what has paused it stands for its state."""
    if output is Form.JSON:
        return row
    told = {**row.raw, "step": None if row.step is None else row.step + 1}
    if isinstance(row, Rollout):
        told["state"] = row.waits or row.state
        del told["waits"], told["paused"]
        told["step_times"] = {str(int(place) + 1): at for place, at in row.step_times.items()}
    return told


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(rollout, name="rollout")


@rollout.command("list")
def rollout_list(
    state: Annotated[str, typer.Option(help="starting, shifting, done, aborted, …")] = "",
    endpoint: Annotated[str, typer.Option(help="PROJECT/ENVIRONMENT/ENDPOINT, or its id")] = "",
    release: Annotated[str, typer.Option(help="PROJECT/NUMBER, or its id")] = "",
    limit: LimitOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """List rollouts, newest first."""
    with connected() as client:
        rollouts = client.rollouts.list(
            state=state,
            endpoint=serving.id_of(client, endpoint) if endpoint else "",
            release=release_names.id_of(client, release) if release else "",
            limit=limit,
        )
        columns = ["id", "kind", "state", "step", "project", "environment"]
        columns += ["endpoint_name", "created_at"]
        show_list((from_one(row, output) for row in rollouts), columns, output)


@rollout.command("show")
def rollout_show(rollout_id: str, output: OutputOption = Form.TABLE) -> None:
    """Show a rollout."""
    with connected() as client:
        show_one(from_one(client.rollouts.get(rollout_id), output), output)


@rollout.command("looks")
def rollout_looks(
    rollout_id: str,
    step: Annotated[int | None, typer.Option(min=1, help="of one step, from 1")] = None,
    limit: LimitOption = 10,
    output: OutputOption = Form.TABLE,
) -> None:
    """Show what the analyses of a rollout said, newest first."""
    with connected() as client:
        place = None if step is None else step - 1
        looks = client.rollouts.looks(rollout_id, step=place, limit=limit)
        columns = ["step", "at", "outcome", "new_requests", "stable_requests", "sentence"]
        show_list((from_one(row, output) for row in looks), columns, output)


@rollout.command("series")
def rollout_series(rollout_id: str, output: OutputOption = Form.TABLE) -> None:
    """Show measured weight, errors and latency of both revisions over time."""
    with connected() as client:
        series = client.rollouts.series(rollout_id)
        if output is Form.JSON:
            show_one(series, output)
            return
        of_each = ("requests", "error_rate", "p95_ms")
        columns = [f"{side}.{name}" for side in ("new", "old") for name in of_each]
        rows = map(measured, map(_without_few, series.points))
        show_list(rows, ["at", "share", *columns], output)


def _without_few(point: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stretch without percentiles of so few requests that they mean nothing."""

    def shown(side: Any) -> Any:
        few = isinstance(side, dict) and side["requests"] < FEWEST
        return side | {"p95_ms": None} if few else side

    return {name: shown(side) for name, side in point.items()}


@rollout.command("disagreements")
def rollout_disagreements(
    rollout_id: str,
    tolerance: Annotated[
        float | None, typer.Option(help="how far numbers may differ, absolute or relative")
    ] = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Show where the new revision and the stable one answered the same request differently."""
    with connected() as client:
        show_one(client.rollouts.disagreements(rollout_id, tolerance=tolerance), output)


def _show_changed(client: Client, row: Rollout, output: Form) -> None:
    """Print a rollout that was changed, and where to go on."""
    show_one(from_one(row, output), output, BRIEF)
    go_on(client, "rollout", row.id)


ReasonOption = Annotated[str, typer.Option(help="why, for the log")]


@rollout.command("pause")
def rollout_pause(rollout_id: str, reason: ReasonOption, output: OutputOption = Form.TABLE) -> None:
    """Pause: no further step begins until somebody resumes it; the present weights stay."""
    with connected() as client:
        _show_changed(client, client.rollouts.pause(rollout_id, reason=reason), output)


@rollout.command("resume")
def rollout_resume(
    rollout_id: str, reason: ReasonOption, output: OutputOption = Form.TABLE
) -> None:
    """Resume after a pause, or go past a step of the plan that waits for a person."""
    with connected() as client:
        step = client.rollouts.get(rollout_id).step
        changed = client.rollouts.resume(rollout_id, step=step, reason=reason)
        _show_changed(client, changed, output)


@rollout.command("skip")
def rollout_skip(rollout_id: str, reason: ReasonOption, output: OutputOption = Form.TABLE) -> None:
    """Begin the step after the present one now."""
    with connected() as client:
        step = client.rollouts.get(rollout_id).step
        changed = client.rollouts.skip(rollout_id, step=step, reason=reason)
        _show_changed(client, changed, output)


@rollout.command("promote")
def rollout_promote(
    rollout_id: str, reason: ReasonOption, output: OutputOption = Form.TABLE
) -> None:
    """Send all requests to the new revision, past every step."""
    with connected() as client:
        _show_changed(client, client.rollouts.promote(rollout_id, reason=reason), output)


@rollout.command("retry")
def rollout_retry(rollout_id: str, reason: ReasonOption, output: OutputOption = Form.TABLE) -> None:
    """Roll out again what failed or was aborted, on the approval that it has."""
    with connected() as client:
        _show_changed(client, client.rollouts.retry(rollout_id, reason=reason), output)


@rollout.command("abort")
def rollout_abort(rollout_id: str, reason: ReasonOption, output: OutputOption = Form.TABLE) -> None:
    """Stop a rollout and keep what serves."""
    with connected() as client:
        _show_changed(client, client.rollouts.abort(rollout_id, reason=reason), output)
