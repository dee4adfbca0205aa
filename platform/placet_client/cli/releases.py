"""release, inbox."""

from pathlib import Path
from typing import Annotated, Any

import typer

from placet_client import refs
from placet_client.cli import comments, reviewers
from placet_client.cli.command import (
    DENIED,
    ERROR,
    TIMED_OUT,
    WAITING,
    LimitOption,
    ListedProject,
    ListedProjectOption,
    OutputOption,
    TimeoutOption,
    WaitOption,
    connected,
    ended,
    go_on,
    json_or_file,
    listed_project,
    polling,
)
from placet_client.cli.release_names import ReleaseArgument, id_of
from placet_client.cli.release_serving import (
    MOST,
    UNIT,
    EgressOption,
    InflightOption,
    LeastOption,
    LimitsOption,
    SecretsOption,
    VariablesOption,
    rare,
    usual,
)
from placet_client.cli.release_shown import BRIEF, show_decision, show_release, why_ended
from placet_client.cli.rollouts import BRIEF as ROLLOUT_BRIEF
from placet_client.cli.rollouts import from_one
from placet_client.cli.waiting import (
    gate_in_words,
    listed_state,
    release_stands,
    release_state,
    watching,
)
from placet_client.client import Client
from placet_client.output import Form, say, show_list, show_one, tell
from placet_client.records import Gate, Release, ReleaseDetail, Rollout

release = typer.Typer(
    help="Releases. People decide on them in the browser: a token never does, so there is no "
    "command for it.",
    no_args_is_help=True,
)
COLUMNS = ["id", "project", "number", "model", "version", "environment"]
COLUMNS += ["endpoint", "target", "state", "created_at"]
REFUSED = ("rejected", "withdrawn", "expired", "revoked")
BROKEN = ("failed", "aborted", "rolled_back")
INSTEAD = "instead of the reference"
InsteadOption = Annotated[str, typer.Option(help=INSTEAD)]
ReviewersOption = Annotated[
    list[str] | None,
    typer.Option("--reviewer", help="whom to ask by name to review it; may be repeated"),
]

STATE = "requested (with those held, or whose gates failed), live (with those stopped), stopped, …"
PLAN = "one of those in environment plans, or JSON or @FILE"


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    comments.add_to(release)
    reviewers.add_to(release)
    app.add_typer(release, name="release")
    app.command()(inbox)


@release.command("request")
def release_request(
    environment: Annotated[str, typer.Option(help="such as staging")],
    reference: Annotated[str, typer.Argument(metavar="[PROJECT/MODEL:NUMBER]")] = "",
    project: InsteadOption = "",
    model: InsteadOption = "",
    version: Annotated[int, typer.Option(help=INSTEAD, show_default=False)] = 0,
    endpoint: Annotated[str, typer.Option(help="its name; default: the model's")] = "",
    bento: Annotated[str, typer.Option(help="the build's digest; default: the newest")] = "",
    target: Annotated[str, typer.Option(help="where a new endpoint runs")] = "",
    reason: Annotated[str, typer.Option(help="description for reviewers")] = "",
    replicas: Annotated[int, typer.Option(min=1, help="replicas at the start")] = 1,
    max_replicas: Annotated[int, typer.Option(help=MOST)] = 2,
    least: LeastOption = None,
    inflight: InflightOption = None,
    memory_mb: Annotated[int, typer.Option(help="memory per replica")] = 1024,
    variable: VariablesOption = None,
    egress: EgressOption = None,
    unit: Annotated[str, typer.Option(help=UNIT, metavar="SOURCE:NAME")] = "",
    capture: Annotated[float, typer.Option(help="percent of predictions to log")] = 0,
    slim: Annotated[bool, typer.Option("--slim", help="serve without BentoML")] = False,
    limit: LimitsOption = None,
    secret: SecretsOption = None,
    plan: Annotated[str, typer.Option(help=PLAN)] = "",
    manual: Annotated[bool, typer.Option("--manual", help="an operator starts it")] = False,
    reviewer: ReviewersOption = None,
    days: reviewers.DaysOption = None,
    wait: WaitOption = False,
    timeout: TimeoutOption = 3600,
    output: OutputOption = Form.TABLE,
) -> None:
    """Request a release. With --wait it returns, and ends, as `placet release wait` does."""
    scope, name, number = refs.version(reference or f"{project}/{model}:{version}")
    serving = usual(replicas, max_replicas, memory_mb, variable, egress, unit, capture)
    where = {"environment": environment, "endpoint": endpoint or name, "target": target}
    serving |= rare(slim, limit, inflight, least, secret)
    body = {"plan": _plan(plan, manual), "serving": serving}
    body |= {"bento": bento, "reason": reason, "reviewers": reviewer, "review_days": days, **where}
    with connected() as client:
        new_release = client.releases.request(scope, model=name, version=number, **body)
        _show_changed(client, _followed(client, new_release, timeout if wait else None), output)


def _plan(text: str, manual: bool) -> Any:
    """Return the plan: one that is ready, by its name, or a document."""
    if text[:1] in ("{", "@"):
        plan = json_or_file(text, "--plan")
    else:
        plan = {"preset": text} if text else {}
    if isinstance(plan, dict) and manual:
        return {**plan, "start": "manual"}
    return plan


def _followed(client: Client, new_release: Release, timeout: float | None) -> Release:
    """Say what was asked for; wait unless ``timeout`` is ``None``."""
    if timeout is not None:
        return until_live(client, new_release.id, timeout)
    view = client.releases.get(new_release.id)
    say(release_stands(view)[0])
    if failing := failed(new_release.gates):
        say(_gates("It cannot be approved as it is", failing, view))
    return new_release


def _show_changed(client: Client, row: Release, output: Form) -> None:
    """Print a release that was made or changed, and where to go on."""
    show_one(row, output, BRIEF)
    go_on(client, "release", row.id)


@release.command("wait")
def release_wait(
    named: ReleaseArgument, timeout: TimeoutOption = 3600, output: OutputOption = Form.TABLE
) -> None:
    """Return when a release is live.

    It ends with 3 as soon as a gate has failed or somebody has rejected it; when the time is over
    with 4 while people are missing, and 5 while machines are.
    """
    with connected() as client:
        release_id = id_of(client, named)
        _show_changed(client, until_live(client, release_id, timeout), output)


def until_live(client: Client, release_id: str, timeout: float) -> Release:
    """Wait, and tell what for: gates, people, the step of the rollout.

    Raises :class:`CommandEnded` when it ends otherwise, never can, or the time is over.
    """
    go_on(client, "release", release_id)  # to hand to whoever decides
    with watching(client, f"placet release wait {release_id}", "release", release_id) as watch:
        for last in polling(timeout):
            view = client.releases.get(release_id)
            if ending := _ending(view):
                raise ended(client, *ending, "release", release_id)
            watch.show(*release_stands(view, _rollout_of(client, view.release)))
            if is_live(view.release):
                return view.release
            if last or _is_denied(view):
                raise ended(client, *_over(view), "release", release_id)
    raise AssertionError("polling ends with a last turn")


def _rollout_of(client: Client, row: Release) -> Rollout | None:
    """Return the newest rollout of what is rolling out."""
    return client.rollouts.list(release=row.id).first() if row.state == "rolling_out" else None


def is_live(row: Release) -> bool:
    """Tell whether a release is live, or was until another one took over."""
    return row.state == "live" or (row.state in ("superseded", "retired") and bool(row.live_at))


def _ending(view: ReleaseDetail) -> tuple[int, str] | None:
    """Return the exit code and the sentence of a release that ended otherwise."""
    row = view.release
    if row.state not in REFUSED + BROKEN:
        return None
    sentence = f"The release is {row.state.replace('_', ' ')}. {why_ended(view)}".strip()
    return (DENIED if row.state in REFUSED else ERROR), sentence


def _is_denied(view: ReleaseDetail) -> bool:
    return view.release.state in ("requested", "approved") and bool(failed(view.gates))


def failed(gates: tuple[Gate, ...]) -> list[Gate]:
    """Return the gates that neither people nor time will open, nor an emergency passes over."""
    return [g for g in gates if not g.passed and g.state not in ("waiting", "skipped")]


def _gates(sentence: str, gates: list[Gate], view: ReleaseDetail) -> str:
    return "\n".join([f"{sentence}:", *(f"  {g.state}  {gate_in_words(g, view)}" for g in gates)])


def _over(view: ReleaseDetail) -> tuple[int, str]:
    """Return the exit code and the sentence where a gate has failed, or the time is over."""
    row = view.release
    if _is_denied(view):
        return DENIED, _gates(f"Denied by policy r{row.policy}", failed(view.gates), view)
    if row.state == "requested":
        waiting = [gate for gate in view.gates if not gate.passed]
        said = _gates("Still waiting", waiting, view)
        return WAITING, "\n".join(filter(None, [said, view.too_few_people]))
    state = row.state.replace("_", " ")
    return TIMED_OUT, f"It is still {state}. {view.waits_for}".rstrip(". ")


@release.command("list")
def release_list(
    within: ListedProject = "",
    project: ListedProjectOption = "",
    environment: str = "",
    state: Annotated[str, typer.Option(help=STATE)] = "",
    model: str = "",
    endpoint: str = "",
    limit: LimitOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """List releases, newest first."""
    with connected() as client:
        found = client.releases.list(
            listed_project(within, project),
            environment=environment,
            state=state.strip().lower().replace(" ", "_"),  # as pages have it
            model=model,
            endpoint=endpoint,
            limit=limit,
        )
        if output is not Form.TABLE:
            show_list(found, COLUMNS, output)
            return
        told = ((row, listed_state(row, _rollout_of(client, row))) for row in found)
        show_list(({**row.raw, "state": state} for row, state in told), COLUMNS, output)


@release.command("show")
def release_show(named: ReleaseArgument, output: OutputOption = Form.TABLE) -> None:
    """Show a release with its gates and decisions, the signed analyses that its rollouts passed
    over, and earlier attempts to release its version."""
    with connected() as client:
        release_id = id_of(client, named)
        view = client.releases.get(release_id)
        attempts = client.releases.attempts(release_id)
        passed = client.releases.passed_over(release_id)
        state = release_state(view.release, _rollout_of(client, view.release))
    show_release(view, attempts, passed, state, output)


@release.command("decisions")
def release_decisions(
    named: ReleaseArgument, limit: LimitOption = None, output: OutputOption = Form.TABLE
) -> None:
    """List the decisions on a release, the first one first, voided ones too."""
    with connected() as client:
        release_id = id_of(client, named)
        decisions = client.releases.decisions(release_id, limit=limit)
        columns = ["id", "verdict", "role", "name", "comment", "at", "voided_reason"]
        show_list(decisions, columns, output)


@release.command("decision")
def release_decision(decision_id: str, output: OutputOption = Form.TABLE) -> None:
    """Show a decision with what its release showed to who made it."""
    with connected() as client:
        show_decision(client.releases.decision(decision_id), output)


@release.command("withdraw")
def release_withdraw(named: ReleaseArgument, output: OutputOption = Form.TABLE) -> None:
    """Withdraw a request."""
    with connected() as client:
        release_id = id_of(client, named)
        _show_changed(client, client.releases.withdraw(release_id), output)


@release.command("start")
def release_start(named: ReleaseArgument, output: OutputOption = Form.TABLE) -> None:
    """Start the rollout of an approved release."""
    with connected() as client:
        release_id = id_of(client, named)
        rollout = client.releases.start(release_id)
        show_one(from_one(rollout, output), output, ROLLOUT_BRIEF)
        go_on(client, "rollout", rollout.id)


@release.command("permit")
def release_permit(named: ReleaseArgument, to: Path) -> None:
    """Write the signed permit to a file, for `python -m placet_verify permit`."""
    with connected() as client:
        release_id = id_of(client, named)
        to.write_bytes(client.releases.permit(release_id))


@release.command("vsa")
def release_vsa(named: ReleaseArgument, to: Path) -> None:
    """Write the SLSA verification summary of a decided release (DSSE) to a file."""
    with connected() as client:
        release_id = id_of(client, named)
        to.write_bytes(client.releases.summary(release_id))


@release.command("bundle")
def release_bundle(named: ReleaseArgument, to: Path) -> None:
    """Write all that an outsider needs to a zip, for `python -m placet_verify bundle`."""
    with connected() as client:
        release_id = id_of(client, named)
        tell(f"{to}: {client.releases.bundle(release_id, to)} bytes")


@release.command("export-decision")
def export_decision(decision_id: str, to: Path) -> None:
    """Write a decision as a zip that openssl alone can check."""
    with connected() as client:
        client.releases.export_decision(decision_id, to)


def inbox(output: OutputOption = Form.TABLE) -> None:
    """List what waits for you: emergency releases to co-sign or review, releases to decide on, to
    change or to start, those that your requests for changes hold, rollouts that a person, or a
    second one, has to let go on, policy drafts to publish, discussions that mention you. You do it
    in the browser."""
    with connected() as client:
        tasks = client.everything.tasks()
        if tasks or output is Form.JSON:
            rows = [{**task.raw, "url": f"{client.url}{task.url}"} for task in tasks]
            show_list(rows, ["kind", "title", "detail", "since", "url"], output)
        else:
            tell("Nothing waits for you, of what this token may see.")
        go_on(client, "inbox")
