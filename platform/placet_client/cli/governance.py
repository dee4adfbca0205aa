"""environment, policy, duty, freeze."""

from pathlib import Path
from typing import Annotated

import typer

from placet_client import refs
from placet_client.cli.command import (
    EnvironmentArgument,
    LimitOption,
    ListedProject,
    ListedProjectOption,
    OutputOption,
    connected,
    go_on,
    json_or_file,
    listed_project,
    pairs,
)
from placet_client.output import Form, show_list, show_one, tell
from placet_client.records import DryRun, DryRunResult
from placet_client.records.base import Json

BRIEF = ["id", "number", "state", "digest", "drafted_by"]

environment = typer.Typer(help="Environments of a project", no_args_is_help=True)
policy = typer.Typer(
    help="What must pass before something runs. Policies are published by people, in the browser.",
    no_args_is_help=True,
)
duty = typer.Typer(
    help="Separation of duties: how few people could have a release approved",
    no_args_is_help=True,
)
freeze = typer.Typer(help="Times when nothing new starts", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(environment, name="environment")
    app.add_typer(policy, name="policy")
    app.add_typer(duty, name="duty")
    app.add_typer(freeze, name="freeze")


@environment.command("list")
def environment_list(
    within: ListedProject = "",
    project: ListedProjectOption = "",
    limit: LimitOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """List the environments of a project."""
    project = listed_project(within, project, needed=True)
    with connected() as client:
        environments = client.environments.list(project, limit=limit)
        show_list(environments, ["name", "position", "targets", "policy"], output)


@environment.command("show")
def environment_show(place: EnvironmentArgument, output: OutputOption = Form.TABLE) -> None:
    """Show an environment."""
    with connected() as client:
        show_one(client.environments.get(*refs.place(place)), output)


@environment.command("plans")
def environment_plans(place: EnvironmentArgument, output: OutputOption = Form.TABLE) -> None:
    """List the plans that are ready to be chosen, and what the policy has against each."""
    with connected() as client:
        plans = client.environments.plans(*refs.place(place))
    if output is Form.JSON:
        show_one(plans, output)
        return
    show_list(plans.items, ["name", "says", "refused"], output)


@environment.command("create")
def environment_create(
    place: EnvironmentArgument,
    position: Annotated[int | None, typer.Option(help="its place in the order")] = None,
    target: Annotated[list[str] | None, typer.Option(help="where it serves; repeatable")] = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Add an environment to a project."""
    with connected() as client:
        new_environment = client.environments.create(
            *refs.place(place), position=position, targets=target
        )
        show_one(new_environment, output)
        go_on(client, "environment", *refs.place(place))


PromoteTo = Annotated[
    str | None,
    typer.Option(
        help="where a release that soaked here is requested by itself, empty for nowhere",
        metavar="ENVIRONMENT",
    ),
]
PromotePlan = Annotated[
    str, typer.Option(help="the plan that it is requested with, by its name there")
]

ReviewDays = Annotated[
    int | None,
    typer.Option(help="how long who is asked by name to review has, 0 for no due date"),
]


@environment.command("edit")
def environment_edit(
    place: EnvironmentArgument,
    position: Annotated[int | None, typer.Option(help="its place in the order")] = None,
    target: Annotated[
        list[str] | None, typer.Option(help="where it serves, instead of before; repeatable")
    ] = None,
    on_state_expired: Annotated[
        str | None, typer.Option(help="serve or stop, when a node is cut off for too long")
    ] = None,
    on_recall: Annotated[
        str | None, typer.Option(help="fall_back or stop, when what is live is recalled")
    ] = None,
    plan: Annotated[
        list[str] | None,
        typer.Option(help="its own, JSON or @FILE, empty for none", metavar="NAME=PLAN"),
    ] = None,
    promote_to: PromoteTo = None,
    promote_plan: PromotePlan = "",
    review_days: ReviewDays = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Change an environment."""
    named = pairs(plan or [], "--plan")
    with connected() as client:
        now = client.environments.get(*refs.place(place))
        changed = client.environments.update(
            *refs.place(place),
            position=position,
            targets=target,
            on_state_expired=on_state_expired,
            on_recall=on_recall,
            plans=_plans(now.plans, named) if named else None,
            promote=_promote(promote_to, promote_plan),
            review_days=review_days,
            if_match=now.etag,
        )
        show_one(changed, output)
        go_on(client, "environment", *refs.place(place))


def _promote(to: str | None, plan: str) -> Json | None:
    """Return the setting as the API takes it, ``None`` to leave it as it is."""
    if to is None:
        if plan:
            raise typer.BadParameter("--promote-plan needs --promote-to")
        return None
    named = {"plan": plan} if plan else {}
    return {"after": "soaked", "to": to, **named} if to else {}


def _plans(now: Json, named: dict[str, str]) -> Json:
    """Return the plans of an environment with those that were named changed."""
    changed = {name: json_or_file(text, "--plan") for name, text in named.items() if text}
    return {n: p for n, p in now.items() if n not in named} | changed


@policy.command("list")
def policy_list(
    place: EnvironmentArgument, limit: LimitOption = None, output: OutputOption = Form.TABLE
) -> None:
    """List the policy revisions of an environment, newest first."""
    with connected() as client:
        policies = client.policies.list(*refs.place(place), limit=limit)
        show_list(policies, ["number", "standing", "digest", "published_at"], output)


@policy.command("show")
def policy_show(place: EnvironmentArgument, number: int, output: OutputOption = Form.TABLE) -> None:
    """Show a policy revision."""
    with connected() as client:
        show_one(client.policies.get(*refs.place(place), number), output)


@policy.command("draft")
def policy_draft(place: EnvironmentArgument, file: Path, output: OutputOption = Form.TABLE) -> None:
    """Save a YAML file as a draft. Somebody else publishes it, in the browser."""
    with connected() as client:
        draft = client.policies.draft(*refs.place(place), file.read_text("utf-8"))
        show_one(draft, output, BRIEF)
        if draft.cannot_publish and output is not Form.JSON:
            tell(draft.cannot_publish)
        go_on(client, "policies", *refs.place(place))


@policy.command("withdraw")
def policy_withdraw(
    place: EnvironmentArgument, number: int, output: OutputOption = Form.TABLE
) -> None:
    """Withdraw a draft."""
    with connected() as client:
        show_one(client.policies.withdraw(*refs.place(place), number), output, BRIEF)
        go_on(client, "policies", *refs.place(place))


@policy.command("try")
def policy_try(place: EnvironmentArgument, file: Path, output: OutputOption = Form.TABLE) -> None:
    """Test a YAML file against open and live releases; nothing is saved."""
    with connected() as client:
        dry_run = client.policies.try_source(*refs.place(place), file.read_text("utf-8"))
        _show_fate(dry_run, output)


@policy.command("dry-run")
def policy_dry_run(
    place: EnvironmentArgument, number: int, output: OutputOption = Form.TABLE
) -> None:
    """Test a saved revision against open and live releases."""
    with connected() as client:
        _show_fate(client.policies.dry_run(*refs.place(place), number), output)


def _show_fate(dry_run: DryRunResult, output: Form) -> None:
    if output is Form.JSON:
        show_one(dry_run, output)
    else:
        rows = [row.raw | {"held_by": _held_by(row)} for row in dry_run.items]
        show_list(rows, ["release", "state", "passes_now", "passes_then", "held_by"], output)


def _held_by(row: DryRun) -> str:
    """Say which gates would not have passed, and why."""
    return "; ".join(f"{gate.title}: {gate.reason}" for gate in row.gates if not gate.passed)


@duty.command("list")
def duty_list(limit: LimitOption = None, output: OutputOption = Form.TABLE) -> None:
    """List environments with how many people are demanded and how few could do, and the steps."""
    columns = ["project", "environment", "state", "demanded", "people", "path", "hired"]
    with connected() as client:
        show_list(client.duties.list(limit=limit), columns, output)


@freeze.command("list")
def freeze_list(
    place: EnvironmentArgument, limit: LimitOption = None, output: OutputOption = Form.TABLE
) -> None:
    """List the freezes of an environment."""
    with connected() as client:
        freezes = client.freezes.list(*refs.place(place), limit=limit)
        show_list(freezes, ["id", "reason", "starts_at", "ends_at", "lifted_at"], output)


@freeze.command("set")
def freeze_set(
    place: EnvironmentArgument,
    reason: Annotated[str, typer.Option(help="why")],
    starts_at: Annotated[str, typer.Option(help="RFC 3339; without it from now on")] = "",
    ends_at: Annotated[str, typer.Option(help="RFC 3339; without it until lifted")] = "",
    output: OutputOption = Form.TABLE,
) -> None:
    """Freeze an environment: nothing new starts."""
    with connected() as client:
        new_freeze = client.freezes.create(
            *refs.place(place), reason=reason, starts_at=starts_at, ends_at=ends_at
        )
        show_one(new_freeze, output)
        go_on(client, "policies", *refs.place(place))


@freeze.command("lift")
def freeze_lift(
    place: EnvironmentArgument, freeze_id: str, output: OutputOption = Form.TABLE
) -> None:
    """Lift a freeze."""
    with connected() as client:
        show_one(client.freezes.lift(*refs.place(place), freeze_id), output)
        go_on(client, "policies", *refs.place(place))
