"""release, inbox, rollout."""

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from placet_client import refs
from placet_client.cli.command import (
    DENIED,
    TIMED_OUT,
    WAITING,
    Ended,
    Output,
    Timeout,
    Wait,
    connected,
    first,
)
from placet_client.client import Client
from placet_client.output import Form, say, show_list, show_one

release = typer.Typer(help="Releases. People decide in the browser.", no_args_is_help=True)
rollout = typer.Typer(help="Releases going out", no_args_is_help=True)
COLUMNS = ["id", "number", "model", "version", "environment", "endpoint", "state", "created_at"]
ENDED_BADLY = ("failed", "rejected", "withdrawn", "expired", "revoked", "rolled_back")


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(release, name="release")
    app.add_typer(rollout, name="rollout")
    app.command()(inbox)


@release.command("request")
def release_request(
    environment: Annotated[str, typer.Option(help="where to")],
    reference: Annotated[str, typer.Argument(metavar="[PROJECT/MODEL:NUMBER]")] = "",
    project: Annotated[str, typer.Option(help="instead of the reference")] = "",
    model: Annotated[str, typer.Option(help="instead of the reference")] = "",
    version: Annotated[int, typer.Option(help="instead of the reference")] = 0,
    endpoint: Annotated[str, typer.Option(help="behind which; default: the model's name")] = "",
    reason: Annotated[str, typer.Option(help="what the people who decide should know")] = "",
    replicas: int = 1,
    max_replicas: int = 2,
    memory_mb: int = 1024,
    manual: Annotated[bool, typer.Option(help="an operator starts it")] = False,
    wait: Wait = False,
    timeout: Timeout = 3600,
    output: Output = Form.TABLE,
) -> None:
    """Ask for a release; with --wait return when it is live (4: people are missing)."""
    found = refs.version(reference or f"{project}/{model}:{version}")
    body = {
        "model": found.model,
        "version": found.number,
        "environment": environment,
        "endpoint": endpoint or found.model,
        "reason": reason,
        "plan": {"strategy": "switch", "start": "manual" if manual else "on_approval"},
        "serving": {
            "replicas": replicas,
            "max_replicas": max(replicas, max_replicas),
            "memory_mb": memory_mb,
        },
    }
    with connected() as client:
        asked = client.post(f"/projects/{found.project}/releases", body)
        say(f"Release {asked['number']} ({asked['id']}) is {asked['state']}")
        show_one(until_live(client, asked["id"], timeout) if wait else asked, output)


@release.command("wait")
def release_wait(release_id: str, timeout: Timeout = 3600, output: Output = Form.TABLE) -> None:
    """Return when a release is live."""
    with connected() as client:
        show_one(until_live(client, release_id, timeout), output)


def until_live(client: Client, release_id: str, timeout: float) -> dict[str, Any]:
    """Wait; raise :class:`Ended` when it ends otherwise or the time is over."""
    end = time.monotonic() + timeout
    while True:
        view = client.get(f"/releases/{release_id}")
        found: dict[str, Any] = view["release"]
        if found["state"] == "live":
            return found
        if found["state"] in ENDED_BADLY:
            raise Ended(DENIED, f"The release is {found['state']}. {found['ended_reason']}".strip())
        if time.monotonic() > end:
            raise _over(found, view)
        time.sleep(0.5)


def _over(found: dict[str, Any], view: dict[str, Any]) -> Ended:
    open_gates = [f"{g['title']}: {g['reason']}" for g in view["gates"] if not g["passed"]]
    if found["state"] == "requested":
        return Ended(WAITING, "Still waiting. " + "; ".join(open_gates))
    return Ended(TIMED_OUT, f"The release is still {found['state']}")


@release.command("list")
def release_list(
    project: str = "",
    environment: str = "",
    state: str = "",
    model: str = "",
    output: Output = Form.TABLE,
) -> None:
    """List releases, newest first."""
    path = f"/projects/{project}/releases" if project else "/releases"
    filters = {"environment": environment, "state": state, "model": model}
    with connected() as client:
        found = first(client, path, **{k: v or None for k, v in filters.items()})
        show_list(found, COLUMNS, output)


@release.command("show")
def release_show(release_id: str, output: Output = Form.TABLE) -> None:
    """Show a release with its gates and decisions."""
    with connected() as client:
        view = client.get(f"/releases/{release_id}")
    if output is Form.JSON:
        show_one(view, output)
        return
    show_one(view["release"], output)
    show_list(view["gates"], ["state", "title", "reason"], output)
    show_list(view["decisions"], ["verdict", "role", "name", "comment", "at"], output)


@release.command("comment")
def release_comment(release_id: str, text: str, output: Output = Form.TABLE) -> None:
    """Comment on a release."""
    with connected() as client:
        show_one(client.post(f"/releases/{release_id}/comments", {"text": text}), output)


@release.command("withdraw")
def release_withdraw(release_id: str, output: Output = Form.TABLE) -> None:
    """Take a request back."""
    with connected() as client:
        show_one(client.post(f"/releases/{release_id}/withdraw"), output)


@release.command("start")
def release_start(release_id: str, output: Output = Form.TABLE) -> None:
    """Start the rollout of an approved release."""
    with connected() as client:
        show_one(client.post(f"/releases/{release_id}/rollout"), output)


@release.command("permit")
def release_permit(release_id: str, to: Path) -> None:
    """Write the signed permit to a file, for `python -m placet_verify permit`."""
    with connected() as client:
        to.write_bytes(client.request("GET", f"/releases/{release_id}/permit").content)


@release.command("export-decision")
def export_decision(decision_id: str, to: Path) -> None:
    """Write a decision as a zip that openssl alone can check."""
    with connected() as client:
        to.write_bytes(client.request("GET", f"/decisions/{decision_id}/export").content)


def inbox(output: Output = Form.TABLE) -> None:
    """List the releases that wait for a decision of yours."""
    with connected() as client:
        show_list(client.get("/inbox")["items"], COLUMNS, output)


@rollout.command("list")
def rollout_list(state: str = "", output: Output = Form.TABLE) -> None:
    """List rollouts, newest first."""
    with connected() as client:
        found = first(client, "/rollouts", state=state or None)
        show_list(found, ["id", "kind", "state", "release", "endpoint", "created_at"], output)


@rollout.command("show")
def rollout_show(rollout_id: str, output: Output = Form.TABLE) -> None:
    """Show a rollout."""
    with connected() as client:
        show_one(client.get(f"/rollouts/{rollout_id}"), output)


@rollout.command("abort")
def rollout_abort(
    rollout_id: str,
    reason: Annotated[str, typer.Option(help="why")] = "",
    output: Output = Form.TABLE,
) -> None:
    """Stop a rollout and keep what serves."""
    with connected() as client:
        show_one(client.post(f"/rollouts/{rollout_id}/abort", {"reason": reason}), output)
