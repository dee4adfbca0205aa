"""rollout."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from placet_client.cli import release_names, serving
from placet_client.cli.command import (
    CONFLICT,
    CommandEnded,
    LimitOption,
    OutputOption,
    connected,
    go_on,
)
from placet_client.client import Client
from placet_client.errors import Conflict
from placet_client.output import Form, Item, counted, measured, say, show_list, show_one, tell
from placet_client.records import (
    AskedPassing,
    Look,
    PassedAnalysis,
    Rollout,
    RolloutPassing,
    VerbPasses,
)

rollout = typer.Typer(help="Rollouts of releases", no_args_is_help=True)
NOT_AS_SHOWN = ("no_passing_asked", "step_moved")  # codes of answers to what waits no more
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
    """Print a rollout that was changed, and where to go on; that it waits for a second person."""
    if row.asked:
        say("A second person is asked: `placet rollout passing` says for what.")
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


def _about(one: PassedAnalysis) -> str:
    """Return an analysis in a line, and how it stands."""
    cut = f"cut short, {one.outcome or 'not looked yet'} so far"
    stands, asks = cut if one.is_cut else "will not run", ", ".join(one.asks)
    return f"step {one.step + 1}, up to {one.timeout_seconds} s, {stands}: {asks}"


def _say_passed(found: RolloutPassing, passes: VerbPasses) -> None:
    """Say what is about to be passed over, before it is."""
    if not passes.analyses or passes.refusal:
        return  # what the policy refuses the server says
    say(f"Passes over {len(passes.analyses)} of the analyses that people signed:")
    for one in passes.analyses:
        say(_about(one))
    if found.policy == "second_person":
        say("The policy asks for a second person: nothing happens before they confirm it, and they")
        say("can only while the rollout is at this step: pause it to keep it there.")


@rollout.command("passing")
def rollout_passing(rollout_id: str, output: OutputOption = Form.TABLE) -> None:
    """Show which analyses that people signed a skip or a promotion would pass over now, what waits
    for a second person, what was declined or lapsed, and what was passed over."""
    with connected() as client:
        found = client.rollouts.passing(rollout_id)
    if output is Form.JSON:
        show_one(found, output)
        return
    for verb, passes in (("skip", found.skip), ("promote", found.promote)):
        tell(f"{verb}: passes over {_many(passes.analyses)}")
        if passes.refusal:
            tell(f"  {passes.refusal}")
        for one in passes.analyses:
            tell(f"  {_about(one)}")
    if found.asked is not None:
        tell(_asked(found.asked))
    for ended in found.unconfirmed:
        tell(ended.sentence)
    for done in found.passed_over:
        tell(done.sentence)


def _asked(asked: AskedPassing) -> str:
    return (
        f"{asked.asked_by_name} asks a second person to {asked.verb}, passing over "
        f"{_many(asked.analyses)}: “{asked.reason}” (--digest {asked.digest})"
    )


def _many(analyses: Sequence[PassedAnalysis]) -> str:
    return counted(len(analyses), "analysis", "analyses")


@rollout.command("skip")
def rollout_skip(rollout_id: str, reason: ReasonOption, output: OutputOption = Form.TABLE) -> None:
    """Begin the step after the present one now; says first which analysis that passes over."""
    with connected() as client:
        found = client.rollouts.passing(rollout_id)
        _say_passed(found, found.skip)
        changed = client.rollouts.skip(rollout_id, step=found.step, reason=reason)
        _show_changed(client, changed, output)


@rollout.command("promote")
def rollout_promote(
    rollout_id: str, reason: ReasonOption, output: OutputOption = Form.TABLE
) -> None:
    """Send all requests to the new revision, past every step; says first which analyses that passes
    over."""
    with connected() as client:
        found = client.rollouts.passing(rollout_id)
        _say_passed(found, found.promote)
        changed = client.rollouts.promote(rollout_id, step=found.step, reason=reason)
        _show_changed(client, changed, output)


@contextmanager
def _answering(rollout_id: str) -> Iterator[Client]:
    """Answer what waits for a second person; where that was not what is named, say how to see
    what does."""
    with connected() as client:
        try:
            yield client
        except Conflict as refusal:
            if refusal.code not in NOT_AS_SHOWN:
                raise
            shows = f"`placet rollout passing {rollout_id}` shows what waits now, with its --digest"
            raise CommandEnded(CONFLICT, f"{refusal}\n{shows}") from None


DigestOption = Annotated[str, typer.Option(help="as `passing` shows it: anything else is refused")]


@rollout.command("confirm")
def rollout_confirm(
    rollout_id: str, digest: DigestOption, reason: ReasonOption, output: OutputOption = Form.TABLE
) -> None:
    """Confirm, as the second person, what `passing` shows that somebody else asked for: it is done
    at once."""
    with _answering(rollout_id) as client:
        changed = client.rollouts.confirm_passing(rollout_id, digest=digest, reason=reason)
        _show_changed(client, changed, output)


@rollout.command("decline")
def rollout_decline(
    rollout_id: str, digest: DigestOption, reason: ReasonOption, output: OutputOption = Form.TABLE
) -> None:
    """Decline what `passing` shows that somebody else asked a second person for; the rollout goes
    on as it was."""
    with _answering(rollout_id) as client:
        changed = client.rollouts.decline_passing(rollout_id, digest=digest, reason=reason)
        _show_changed(client, changed, output)


@rollout.command("withdraw")
def rollout_withdraw(
    rollout_id: str, digest: DigestOption, output: OutputOption = Form.TABLE
) -> None:
    """Withdraw what you asked a second person for."""
    with _answering(rollout_id) as client:
        changed = client.rollouts.withdraw_passing(rollout_id, digest=digest)
        _show_changed(client, changed, output)


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
